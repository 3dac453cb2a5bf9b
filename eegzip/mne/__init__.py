"""MNE-Python: recordings in ``.eegz`` files as its ``Raw``, and back. Takes the extra ``eegzip[mne]``."""

from eegzip.mne.reading import read_raw_eegz
from eegzip.mne.writing import raw_to_eegz

__all__ = ["raw_to_eegz", "read_raw_eegz"]
