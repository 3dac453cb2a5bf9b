"""Recordings in digital values at a model's rate, and which parts of them are kept for validation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from eegzip.formats.edf import EdfFile
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import BadInputError
from eegzip.training.data.lines import without_lines
from eegzip.training.data.preprocessing import edf_channels, exact_channels
from eegzip.training.data.sources import SourceFile
from eegzip.training.data.subjects import held_out_subjects

# Of a set that is of one subject, the part kept for validation.
_LAST_PART = 3


@dataclass(frozen=True)
class Part:
    """What is used of a file.

    Attributes
    ----------
    source : SourceFile
    group : str
        The set that it belongs to: its folder's name.
    held_out : bool
        Kept for validation.
    first, last : Fraction
        Where it begins and ends, as shares of the recording.
    signals : tuple of str
        Patterns for labels of what is used; EEG where there are none.
    lines : bool
        Whether the mains and other lines are left in.
    """

    source: SourceFile
    group: str
    held_out: bool
    first: Fraction = Fraction(0)
    last: Fraction = Fraction(1)
    signals: tuple[str, ...] = ()
    lines: bool = False

    @property
    def coding(self) -> dict[str, Any]:
        """Options with which all of it becomes tokens at the model's rate, whatever it is."""
        return {"lossy": ["*"], "kinds": {"*": "eeg"}} if self.signals else {}


def divided(sources: Sequence[SourceFile], held_out: str, seed: int) -> list[Part]:
    """Return what is trained on and what is kept: by subject, but for sets of one subject.

    A set is a folder. Of a set whose files are all of one subject, whom nobody named to be held out, the last third of
    each file is kept: else nothing would be known about it.

    Parameters
    ----------
    sources
        The files.
    held_out
        As in :func:`~eegzip.training.data.subjects.held_out_subjects`.
    seed
        Of the choice.
    """
    people: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        people[source.path.parent.name].add(source.subject)
    stated = any(source.split for source in sources)
    kept = set() if stated else held_out_subjects((source.subject for source in sources), held_out, seed)
    parts = []
    for source in sources:
        group = source.path.parent.name
        whole = Part(source, group, held_out=source.split == "validation" or source.subject in kept)
        if stated or len(people[group]) > 1 or whole.held_out:
            parts.append(whole)
            continue
        cut = Fraction(_LAST_PART - 1, _LAST_PART)
        parts += [replace(whole, last=cut), replace(whole, held_out=True, first=cut)]
    if all(part.held_out for part in parts):
        raise BadInputError("everything is held out; leave someone to train on.")
    return parts


def digital_values(part: Part) -> tuple[npt.NDArray[np.float64], Fraction, list[str]]:
    """Return the EEG of a part, or what it names [channels, samples], the rate in Hz that most have, and labels.

    Raises
    ------
    BadInputError
        It has no EEG that changes at all.
    EegzipError
        It can't be read.
    """
    path = part.source.path
    with EegzReader(path) if path.suffix.lower() == ".eegz" else EdfFile.open(path) as file:
        signals = part.signals
        channels = exact_channels(file, signals) if isinstance(file, EegzReader) else edf_channels(file, signals)
        rates = Counter(channel.rate for channel in channels if channel.rate)
        if not rates:
            reason = "none has such a label" if signals else "none is EEG"
            raise BadInputError(f"{path} has no channel to train on: {reason}.")
        rate = rates.most_common(1)[0][0]
        chosen = [channel for channel in channels if channel.rate == rate]
        rows = [channel.whole() for channel in chosen]
    length = min(len(row) for row in rows)
    x = np.stack([row[int(part.first * length) : int(part.last * length)] for row in rows]).astype(np.float64)
    changing = np.flatnonzero(x.min(axis=1) < x.max(axis=1)) if x.size else np.arange(0)
    if not len(changing):
        raise BadInputError(f"{path} has no channel to train on: none changes.")
    x = x[changing] if part.lines else without_lines(x[changing], rate)
    return x, rate, [chosen[index].signal.label for index in changing]
