"""Kinds of signals, closer than whether it is EEG: heart, eyes, muscles, breathing; or what a user says it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eegzip.formats.edf.classify import EYE, SignalKind, Verdict, bare_label, judge_signals
from eegzip.formats.edf.header import EdfHeader, SignalHeader
from eegzip.formats.edf.label_patterns import matches
from eegzip.formats.edf.modalities import ECG_WORDS, EMG_WORDS, EOG_WORDS, RESP_WORDS, says_other, words
from eegzip.formats.edf.units import is_missing

MEASURES = frozenset({SignalKind.ECG, SignalKind.EOG, SignalKind.EMG, SignalKind.RESP})
"""Kinds by what is measured."""

TELLABLE = ("eeg", "ecg", "eog", "emg", "resp", "other")
"""What a user may say that a signal is."""

# EDF+ puts the type in front of a label and a blank behind it ("standard texts" of its specification).
_TYPE = re.compile(r"(eeg|ecg|ekg|eog|erg|emg|meg|mcg|ep|temp|resp|sao2|light|sound|event)[\s_:.-]", re.IGNORECASE)
_OF_TYPE = {
    "ecg": SignalKind.ECG,
    "ekg": SignalKind.ECG,
    "eog": SignalKind.EOG,
    "emg": SignalKind.EMG,
    "resp": SignalKind.RESP,
}
# Of what such words stand beside, or of a response that is no respiration.
_NO_WAVE = frozenset(
    ("rate", "index", "quality", "cq", "imp", "impedance", "rr", "hr", "bpm", "hrv", "freq", "temp", "cpap", "snore",
     "off", "button", "time")
)  # fmt: skip


def judge_as_told(header: EdfHeader, told: Sequence[tuple[str, str]] = ()) -> list[Verdict]:
    """Classify all signals as :func:`~eegzip.formats.edf.judge_signals` does, and say what others than EEG measure.

    Parameters
    ----------
    header : EdfHeader
    told : sequence of (str, str)
        Shell patterns for labels, and what the signals that they name are: one of :data:`TELLABLE`. Of several that
        name a signal the last counts. Annotations stay what they are.

    Returns
    -------
    list of Verdict
        One for each signal, in file order. Where the label says so, kinds are closer than those of `judge_signals`.
    """
    verdicts = []
    for signal, verdict in zip(header.signals, judge_signals(header), strict=True):
        said = [kind for pattern, kind in told if matches(pattern, signal.label)]
        if verdict.kind is SignalKind.ANNOTATIONS:
            verdicts.append(verdict)
        elif said:
            kind = SignalKind(said[-1])
            why = "not EEG, as you say" if kind is SignalKind.OTHER else f"{said[-1].upper()}, as you say"
            verdicts.append(Verdict(kind, why, named=True))
        else:
            verdicts.append(verdict._replace(kind=_measured(signal, verdict) or verdict.kind))
    return verdicts


def _measured(signal: SignalHeader, verdict: Verdict) -> SignalKind | None:
    """What a signal that is no EEG measures, as far as its label says."""
    if verdict.kind is SignalKind.EEG or verdict.named:
        return None
    kind = kind_of_label(signal.label)
    if kind is None or kind is SignalKind.RESP or verdict.kind is SignalKind.VOLTAGE:
        return kind
    # A rate or a quality has the name of what it is of.
    return kind if is_missing(signal.unit) and not says_other(signal.label, signal.transducer) else None


def kind_of_label(label: str) -> SignalKind | None:
    """What a label that does not say EEG says of a signal: one of :data:`MEASURES`, or nothing.

    The type that EDF+ puts in front counts first, then words: of the heart, the eyes, muscles, breathing.
    """
    text = label.strip()
    found = words(text)
    if found & _NO_WAVE:
        return None
    prefix = _TYPE.match(text)
    if prefix is not None and prefix[1].lower() != "eeg":
        return _OF_TYPE.get(prefix[1].lower())
    folded = text.casefold()
    if found & ECG_WORDS or "ecg" in folded or "ekg" in folded:
        return SignalKind.ECG
    if found & EOG_WORDS or "eog" in folded or EYE.fullmatch(bare_label(text)):
        return SignalKind.EOG
    if found & EMG_WORDS or "emg" in folded:
        return SignalKind.EMG
    if found & RESP_WORDS or "respir" in folded or "breath" in folded or "airflow" in folded:
        return SignalKind.RESP
    return None
