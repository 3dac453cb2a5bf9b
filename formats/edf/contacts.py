"""Numbered contacts: nets, caps that are lettered by bank, grids, strips and depth electrodes.

A name such as "LAH3" or "B17" is one of many that only its neighbours explain. So a few names are known by themselves,
and others where a recording has a whole series of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eegzip.formats.edf.modalities import OTHER_WORDS, VOLTAGE_WORDS

_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u02b9\u2032`\u00b4"), "'")
# "LAH3", "LAH 03", "A'3", "A3'", "LAH3-LAH4", "LAH3-4".
_CONTACT = re.compile(
    r"(?P<stem>[A-Z]{1,6})(?P<prime>'?)[\s_]?0*(?P<number>[0-9]{1,3})(?P<late>'?)"
    r"(?:\s*-\s*(?:(?P=stem)'?[\s_]?)?[0-9]{1,3}'?)?",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:(?:ch|chan|channel|elec|electrode|eeg)[\s_.-]*)?0*(?P<number>[0-9]{1,3})", re.IGNORECASE)

# Where depth electrodes, strips and grids are put, as their names shorten it: hippocampus, amygdala, entorhinal cortex,
# temporal pole and gyri, orbitofrontal, frontal, cingulate, insular, parietal, occipital, grids.
_BOTH_SIDES = """
    ah mh ph hh hb ht hc hip hipp am amy amyg ec ent phg phc hd tp tpl tpo mt st it lt bt mtg stg itg sts of ofc
    fp mf sf if mfg sfg ifg ac mc pc cg cc cin cing ins ai pi sma par fg tg og pg spl ipl smg ang occ grid
"""
_WITHOUT_SIDE = "of|ofc|hip|hipp|amy|amyg|ins|cing|grid|strip|depth"
# Wires for single units (u) and the large contacts beside them (m) bear the same names.
_REGION = re.compile(rf"[um]?[lr](?:{'|'.join(_BOTH_SIDES.split())})|[um]?(?:{_WITHOUT_SIDE})")
# Left and right anterior temporal, posterior hippocampus and the like are depth electrodes when there are many.
_DEPTH_WORDS = frozenset({"lat", "rat", "ph", "pm", "sc"})
# Extra inputs of clinical amplifiers and precordial leads: numbered, but no electrode array.
_NO_CONTACTS = (VOLTAGE_WORDS | OTHER_WORDS | {"x", "v", "ch", "chan", "elec"}) - _DEPTH_WORDS
# Banks of BioSemi (A1 to H32), colours of actiCAP and letters of depth electrodes. Not those that stand for
# something else when alone: rows of the 10-10 system, left and right, source and detector, sleep stages.
_LONE_LETTERS = frozenset("abeghjkuwy")
_EYES = 2  # E1 and E2 are eyes (AASM), unless a net or a depth electrode goes on counting.
_MAX_IN_BANK, _MAX_IN_NET = 32, 257

_MIN_SERIES, _MIN_RISKY_SERIES = 4, 6
_RISKY_LETTERS = frozenset("sdrlz")
_ROW_LETTERS = frozenset("fcpoti")
_LAST_IN_ROW = 10
_MIN_STEMS = 3
# Inputs that bear numbers only may be anything (three of a Holter's ECG), so there must be many, or one that says EEG
# beside them; where electrodes have names, nearly all. Above some rate they are a data acquisition system's.
_MIN_NUMBERED, _MIN_NUMBERED_BESIDE = 8, 3
_NUMBERED_A_NAME = 4
_MAX_NUMBERED_RATE = 5000.0


class Contact(NamedTuple):
    """A numbered name.

    Attributes
    ----------
    stem : str
        In small letters, with an apostrophe behind it for a primed (left-sided) electrode.
    number : int
    """

    stem: str
    number: int

    @property
    def primed(self) -> bool:
        """Whether the name has the prime that only depth electrodes (and places beside electrodes) have."""
        return self.stem.endswith("'")


class Series(NamedTuple):
    """What the numbered names of a recording add up to at one sample rate.

    Attributes
    ----------
    stems : frozenset of str
        Of arrays of contacts.
    numbered : bool
        Whether bare numbers ("1", "Ch 2") are channels of an amplifier.
    """

    stems: frozenset[str] = frozenset()
    numbered: bool = False


def contact(bare: str) -> Contact | None:
    """Take a numbered name apart; None where it is none. `bare` has neither type before nor reference behind."""
    match = _CONTACT.fullmatch(bare.translate(_APOSTROPHES))
    if match is None:
        return None
    return Contact(match["stem"].casefold() + (match["prime"] or match["late"]), int(match["number"]))


def bare_number(bare: str) -> int | None:
    """Return the number of a channel that has no other name ("7", "Ch 07")."""
    match = _NUMBERED.fullmatch(bare)
    return None if match is None else int(match["number"])


def is_known_contact(found: Contact) -> bool:
    """Whether a name is that of an EEG electrode wherever it stands."""
    stem, number = found
    if found.primed:
        return stem[:-1] not in _NO_CONTACTS - {"x", "v"}
    if stem in _LONE_LETTERS:
        return _EYES < number <= _MAX_IN_NET if stem == "e" else 1 <= number <= _MAX_IN_BANK
    return _REGION.fullmatch(stem) is not None and stem not in _DEPTH_WORDS


def find_series(names: Sequence[str], named: Sequence[str], rate: float, *, beside: bool) -> Series:
    """Find arrays of contacts among the voltages of one sample rate.

    Parameters
    ----------
    names : sequence of str
        Bare labels of voltages that name no electrode of the 10-20 system.
    named : sequence of str
        Bare labels of those that do: "C3" may be the third contact of an electrode C, too.
    rate : float
        Hz.
    beside : bool
        Whether other voltages of this rate say that they are EEG.

    Returns
    -------
    Series
    """
    numbers: dict[str, set[int]] = defaultdict(set)
    bare: set[int] = set()
    for label in names:
        if (number := bare_number(label)) is not None:
            bare.add(number)
        elif (found := contact(label)) is not None and found.stem.rstrip("'") not in _NO_CONTACTS:
            numbers[found.stem].add(found.number)
    for label in named:
        if (found := contact(label)) is not None and len(found.stem) == 1:
            numbers[found.stem].add(found.number)
    dense = {stem for stem, known in numbers.items() if _is_dense(known, _least(stem)) and _reaches_row(stem, known)}
    certain = {stem for stem in dense if _is_short(stem) or _REGION.fullmatch(stem)}
    least = _MIN_NUMBERED_BESIDE if beside or named else _MIN_NUMBERED
    numbered = _is_dense(bare, least) and 0 < rate <= _MAX_NUMBERED_RATE and len(bare) >= _NUMBERED_A_NAME * len(named)
    return Series(frozenset(certain | _places(numbers, dense - certain, certain, len(named))), numbered)


def _places(numbers: Mapping[str, set[int]], unknown: set[str], certain: set[str], named: int) -> set[str]:
    """Choose the unknown words that count and must be places, as so many do.

    One alone may count anything. Several are an implantation where they make up most of the electrodes; one beside
    known ones is another place if it has a side.
    """
    letters = {stem for stem in certain if len(stem) == 1}
    implanted = unknown | certain - letters
    if len(implanted) < _MIN_STEMS:
        return set()
    if sum(len(numbers[s]) for s in implanted) <= named + sum(len(numbers[s]) for s in letters):
        return set()
    return unknown if len(unknown) > 1 else {stem for stem in unknown if stem[0] in "lr"}


def _least(stem: str) -> int:
    return _MIN_RISKY_SERIES if stem in _RISKY_LETTERS else _MIN_SERIES


def _is_short(stem: str) -> bool:
    """Whether a stem is a letter, one with its side (LA, RA), or primed: no word."""
    return stem.endswith("'") or len(stem) == 1 or (len(stem) == 2 and stem[0] in "lr")


def _is_dense(numbers: set[int], least: int) -> bool:
    """Whether enough numbers begin at the beginning and leave out but few."""
    return len(numbers) >= least and min(numbers) <= 2 and max(numbers) <= 2 * len(numbers) + 2


def _reaches_row(stem: str, numbers: set[int]) -> bool:
    """Whether numbers beyond those of a 10-10 row go on from it: "C25" alone is an unused input."""
    return stem not in _ROW_LETTERS or len([n for n in numbers if 1 <= n <= _LAST_IN_ROW]) >= _LAST_IN_ROW - 2
