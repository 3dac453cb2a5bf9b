"""Subjects: whose recording a file is, and who is kept for validation; never by window."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePath

from eegzip.formats.errors import UsageError

_BIDS = re.compile(r"(?:^|[_/\\])(sub-[A-Za-z0-9]+)(?=[_/\\.]|$)")
# Temple University Hospital: aaaaaaaa_s001_t000.edf, the first eight letters or digits being the subject.
_TUH = re.compile(r"^([a-z0-9]{8})_s\d{3}(?:_\d{4})?_t\d{3}$")
# Subject00_1, sub01_record-..., S001R04: letters and a number, then the session.
_STEM = re.compile(r"^([A-Za-z]+[-_]?\d+)(?=[_\-. RrEe]|$)")


def subject_of(path: PurePath, pattern: str = "") -> str:
    """Return the subject that a file is of.

    Parameters
    ----------
    path
        The file.
    pattern
        Regular expression that is searched in the path; its first group is the subject. Without one: the ``sub-`` of
        BIDS, the name of a TUH file, letters and number at the start of the name, and at last the whole name. The
        patient field of EDF headers is not used: de-identified recordings all have the same.

    Raises
    ------
    UsageError
        The pattern is none, has no group, or is not in the path.
    """
    text = path.as_posix()
    if pattern:
        try:
            found = re.search(pattern, text)
        except re.error as error:
            raise UsageError(f"the pattern '{pattern}' for persons is no regular expression: {error}.") from error
        if found is None or not found.re.groups or not found.group(1):
            raise UsageError(f"the pattern '{pattern}' finds no person (its first group) in {text}.")
        return found.group(1)
    # x.edf and x.edf.eegz are one recording.
    bare = PurePath(path.stem)
    whole = bare.stem if bare.suffix.lower() in (".edf", ".bdf") else bare.name
    stem = path.name.split(".")[0]
    for expression, where in ((_BIDS, text), (_TUH, stem), (_STEM, whole)):
        found = expression.search(where)
        if found:
            return found.group(1)
    return whole


def held_out_subjects(subjects: Iterable[str], wish: str, seed: int) -> set[str]:
    """Return who is kept for validation.

    Parameters
    ----------
    subjects
        Everyone.
    wish
        A share such as ``0.2`` (at least one subject of two or more), or names or shell patterns, separated by commas.
        With a share those come first whose name and seed have the lowest hash: whoever comes to the data later moves
        one other subject at most.
    seed
        Of the choice.

    Raises
    ------
    UsageError
        A name is of no one, or no one would be left to train on.
    """
    everyone = sorted(set(subjects))
    try:
        share = float(wish)
    except ValueError:
        return _named(everyone, [part.strip() for part in wish.split(",") if part.strip()])
    if not 0 <= share < 1:
        raise UsageError(f"the share of people held out must lie between 0 and 1, not {wish}.")
    if len(everyone) < 2 or share == 0:
        return set()
    ranked = sorted(everyone, key=lambda subject: hashlib.sha256(f"{seed} {subject}".encode()).digest())
    return set(ranked[: min(max(round(share * len(ranked)), 1), len(ranked) - 1)])


def _named(everyone: Sequence[str], patterns: Sequence[str]) -> set[str]:
    chosen: set[str] = set()
    for pattern in patterns:
        found = {subject for subject in everyone if fnmatchcase(subject, pattern)}
        if not found:
            raise UsageError(f"'{pattern}' is no person of these recordings; there are {', '.join(everyone[:20])}.")
        chosen |= found
    if len(chosen) == len(everyone):
        raise UsageError("everyone would be held out; leave someone to train on.")
    return chosen
