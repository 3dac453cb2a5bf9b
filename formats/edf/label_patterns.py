"""Shell patterns for labels of signals."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from eegzip.formats.edf.electrodes import normalise_channel_name

# Types of signals that EDF+ puts in front of a label.
_TYPE = re.compile(r"(?:eeg|ecg|ekg|eog|erg|emg|meg|mcg|ep|temp|resp|sao2|light|sound|event)\s+")

_COMMA = re.compile(r"(?<!\\),")


def split_patterns(text: str) -> list[str]:
    r"""Split a list of labels or patterns at its commas; a comma with a backslash before it is part of a label.

    Parameters
    ----------
    text : str
        ``C3, Cz`` or ``Eye\, left,Cz``.

    Returns
    -------
    list of str
        Without blanks around them; empty ones stay, for those who object to them.
    """
    return [part.strip().replace("\\,", ",") for part in _COMMA.split(text)]


def matches(pattern: str, label: str) -> bool:
    """Whether a shell pattern (``*``, ``?``, ``[]``) names a signal; case is ignored.

    A signal has up to three names: its label, its label without the type in front (EDF+ section 2.1.3: ``ECG V2``
    is also ``V2``), and its electrode. Old and new electrode names are the same: ``T3`` names ``EEG T3-REF`` and
    ``T7`` alike.
    """
    wanted, written = pattern.strip().lower(), label.strip().lower()
    electrode = normalise_channel_name(label).lower()
    if wanted == written or normalise_channel_name(pattern).lower() == electrode:
        return True
    return any(fnmatchcase(name, wanted) for name in (written, _TYPE.sub("", written), electrode))
