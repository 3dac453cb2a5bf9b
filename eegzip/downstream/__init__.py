"""What classifiers make of recordings: features, and forests whose subjects are never split."""

from eegzip.downstream.features import Features, window_features

__all__ = ["Features", "window_features"]
