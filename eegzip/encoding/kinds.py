"""Models for kinds of signals other than EEG, and the rate of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from eegzip.encoding.options import CodecChoice
from eegzip.formats.edf import SignalKind
from eegzip.formats.eegz.header import SignalEntry

_TOGETHER = frozenset({SignalKind.EEG.value, SignalKind.VOLTAGE.value})


def is_as_eeg(kind: str) -> bool:
    """Whether a signal of a kind is coded among EEG: EEG, and a voltage of which no more is known."""
    return kind in _TOGETHER


@dataclass(frozen=True)
class Codecs:
    """The models of a recording's signals.

    Parameters
    ----------
    eeg : CodecChoice
        Of EEG, and of all kinds that have none of their own.
    others : mapping of str to CodecChoice
        By kind.
    """

    eeg: CodecChoice
    others: Mapping[str, CodecChoice] = field(default_factory=dict)

    def of(self, kind: str) -> CodecChoice:
        """The choice for signals of a kind.

        What is not EEG is coded each signal alone: in a rotation with EEG, or refined by it, both would be worse.
        """
        if is_as_eeg(kind):
            return self.eeg
        return replace(self.others.get(kind, self.eeg), groups="single", alone=True)

    def fixed(self, kind: str) -> bool:
        """Whether a network sees signals of a kind at a fixed scaling in uV."""
        return self.of(kind).fixed_limit_uv is not None


@dataclass(frozen=True)
class Part:
    """Signals that one choice of a model codes.

    Parameters
    ----------
    choice : CodecChoice
    signals : tuple of int
    """

    choice: CodecChoice
    signals: tuple[int, ...]


def parts_of(entries: Sequence[SignalEntry], coded: Sequence[int], codecs: Codecs, *, own_rates: bool) -> list[Part]:
    """Divide signals by the choice that codes them.

    Parameters
    ----------
    entries : sequence of SignalEntry
        All of the recording.
    coded : sequence of int
        Those that get tokens.
    codecs : Codecs
    own_rates : bool
        Whether signals that are no EEG and faster than a model of EEG are coded at their own rate, so that none of
        their band is lost; not where the user says the rate. A model of their own knows them at its rate.

    Returns
    -------
    list of Part
        Those of EEG first.
    """
    found: dict[tuple[bool, str, bool], tuple[CodecChoice, list[int]]] = {}
    for index in coded:
        entry = entries[index]
        choice = codecs.of(entry.kind)
        fast = choice.rate is not None and (entry.sample_rate or 0.0) > choice.rate
        if choice.alone and own_rates and fast and entry.kind not in codecs.others:
            choice = replace(choice, rate=None)
        key = (choice.alone, choice.checkpoint.digest, choice.rate is None)
        found.setdefault(key, (choice, []))[1].append(index)
    return [Part(choice, tuple(signals)) for _, (choice, signals) in sorted(found.items(), key=lambda item: item[0][0])]
