"""Physical dimensions: which units are voltages, and how many microvolts one of them is.

EDF asks for ``uV`` (EDF+ section 2.1.3 item 6 and its list of standard texts). Recorders also write ``µV`` in
a dozen encodings, capitals, full words and nothing at all.
"""

from __future__ import annotations

import unicodedata

# The only SI prefix that isn't ASCII is micro, so whatever stands in for a non-ASCII prefix means micro: the Greek
# letter, its UTF-8 bytes encoded twice, its Shift JIS bytes, and the characters that replace an undecodable one.
_MICRO = (
    "\u03bc", "\u00b5", "\u00c2\u00b5", "\u00ce\u00bc", "\ufffd\u00ca", "\ufffd", "&micro;", "&mu;", "\\mu", "?",
)  # fmt: skip
_SCALES = {"v": 1e6, "mv": 1e3, "uv": 1.0, "nv": 1e-3, "мкв": 1.0, "мв": 1e3, "微伏": 1.0, "毫伏": 1e3}
# The first match counts: "micro" before "mic". EDF has room for eight characters: "microvol".
_PREFIXES = (
    ("micro", "u"), ("mikro", "u"), ("mic", "u"), ("mk", "u"), ("mc", "u"), ("mu", "u"), ("milli", "m"), ("nano", "n"),
)  # fmt: skip
_VOLTS = ("volts", "volt", "vol")
# Encodings whose bytes a header may hold, beside UTF-8 and Latin-1: China, Korea, Taiwan, Russia, DOS, Greece.
_ENCODINGS = ("gbk", "euc_kr", "big5", "cp1251", "koi8_r", "cp437", "iso8859_7", "cp737", "mac_greek")
_MISSING = {"", "-", "--", "?", "n/a", "na", "none", "unknown", "x"}


def _folded(unit: str) -> str:
    # One square character is as good as two letters, and the micro sign as good as the letter.
    text = _latin_micro(unicodedata.normalize("NFKC", _latin_micro(_bare(unit)))).casefold().replace("-", "")
    for word, letter in _PREFIXES:
        if text.startswith(word):
            text = letter + text[len(word) :]
            break
    for word in _VOLTS:
        if text.endswith(word) and text != "vol":
            return text[: -len(word)] + "v"
    return text


def _bare(unit: str) -> str:
    return "".join(unit.split()).strip("[]().\ufeff").removesuffix("(s")


def _latin_micro(text: str) -> str:
    for micro in _MICRO:
        if text.startswith(micro) and len(text) > len(micro):
            return "u" + text[len(micro) :]
    return text


def _misread(unit: str) -> float | None:
    """Read bytes that were taken for Latin-1 in other encodings; None unless all that give a voltage agree."""
    try:
        raw = unit.encode("latin-1")
    except UnicodeEncodeError:
        return None
    found: set[float | None] = set()
    for encoding in _ENCODINGS:
        try:
            found.add(_SCALES.get(_folded(raw.decode(encoding))))
        except UnicodeDecodeError:
            continue
    found.discard(None)
    return found.pop() if len(found) == 1 else None


def microvolts_per_unit(unit: str) -> float | None:
    """Return how many microvolts one `unit` is.

    Parameters
    ----------
    unit : str
        The physical dimension of a signal (EDF+ section 2.1.3): V, mV, uV or nV in any spelling met in the
        wild (``µV``, ``UV``, ``micV``, ``MICROVOLTS``, ``㎶``), or its bytes in another encoding, read as Latin-1.
        Case does not matter: no biosignal is in megavolts.

    Returns
    -------
    float or None
        Microvolts, or None where the unit is missing or no voltage.
    """
    scale = _SCALES.get(_folded(unit))
    return _misread(unit) if scale is None and not unit.isascii() else scale


def is_missing(unit: str) -> bool:
    """Tell whether a physical dimension says nothing.

    Parameters
    ----------
    unit : str
        The physical dimension.

    Returns
    -------
    bool
        True for a blank field and for the usual stand-ins (``-``, ``?``, ``n/a``).
    """
    return unit.strip().casefold() in _MISSING
