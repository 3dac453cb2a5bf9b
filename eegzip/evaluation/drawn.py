"""Signals to draw of a recording: which, in which order, in which unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from eegzip.codecs.channels.vocabulary import STANDARD_VOCABULARY, style_name
from eegzip.formats.edf import SignalKind, classify_signals

if TYPE_CHECKING:
    from eegzip.formats.edf import EdfHeader, SignalHeader

_PLACES = {name.casefold(): place for place, name in enumerate(STANDARD_VOCABULARY)}


def drawable(header: EdfHeader) -> list[int]:
    """Signals that are measured: all with samples but annotations."""
    kinds = classify_signals(header)
    return [
        index
        for index, signal in enumerate(header.signals)
        if kinds[index] is not SignalKind.ANNOTATIONS and signal.samples_per_record
    ]


def drawn(header: EdfHeader, eeg: Iterable[int]) -> list[int]:
    """Signals that are drawn: EEG, or where there is none all; in the order of the 10-20 system, from front to back.

    Parameters
    ----------
    header : EdfHeader
    eeg : iterable of int
        Signals that are EEG.
    """
    wanted = frozenset(eeg)
    found = drawable(header)
    chosen = [index for index in found if index in wanted] or found
    return sorted(chosen, key=lambda i: (_PLACES.get(style_name(header.signals[i].label).casefold(), len(_PLACES)), i))


def unit_of(signal: SignalHeader) -> str:
    """The unit of what :func:`calibration` gives: ``uV`` for voltages, ``digital`` without a calibration."""
    if signal.gain is None or signal.offset is None:
        return "digital"
    return "uV" if signal.microvolts_per_digit is not None else signal.unit or "digital"


def calibration(signal: SignalHeader) -> tuple[float, float]:
    """Factor and summand that make physical values of digital ones: uV where the unit is a voltage."""
    if signal.gain is None or signal.offset is None:
        return 1.0, 0.0
    scale = 1.0 if signal.microvolts_per_digit is None or not signal.gain else signal.microvolts_per_digit / signal.gain
    return signal.gain * scale, signal.offset * scale
