"""MNE comes with the extra ``eegzip[mne]``; nothing else of eegzip needs it."""

from __future__ import annotations

from importlib.util import find_spec

from eegzip.formats.errors import UsageError


def require_mne() -> None:
    """Refuse to begin where MNE is missing.

    Raises
    ------
    UsageError
        It is not installed; the sentence names the extra.
    """
    if find_spec("mne") is None:
        raise UsageError("this needs the package 'mne', which is not here: install eegzip[mne].")
