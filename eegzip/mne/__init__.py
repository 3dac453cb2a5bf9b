"""MNE-Python: recordings in ``.eegz`` files as its ``Raw``, and back. Takes the extra ``eegzip[mne]``."""

from eegzip.mne.reading import read_raw_eegz


__all__ = ["read_raw_eegz"]
