"""Classifiers of recordings, original or restored: features, forests, trees, intervals over subjects.

Takes the extra ``eegzip[downstream]``.
"""

from eegzip.downstream.classify import cross_validate, train_and_test
from eegzip.downstream.features import Features, window_features
from eegzip.downstream.labelled import LabelledFeatures, LabelledRecording
from eegzip.downstream.recordings import labelled_features, recording_features
from eegzip.downstream.scores import Interval, Predictions
from eegzip.downstream.temple import tuab, tuep

__all__ = [
    "Features",
    "Interval",
    "LabelledFeatures",
    "LabelledRecording",
    "Predictions",
    "cross_validate",
    "labelled_features",
    "recording_features",
    "train_and_test",
    "tuab",
    "tuep",
    "window_features",
]
