"""Classes of signals: EEG, another voltage, anything else, or annotations.

Only EEG may be coded lossily, so EEG is what is known to be EEG, and every doubt falls on the other side: a misjudged
EEG channel costs bits, a misjudged other signal costs fidelity that nobody agreed to.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from enum import Enum
from typing import NamedTuple

from eegzip.formats.edf.contacts import Series, bare_number, contact, find_series, is_known_contact
from eegzip.formats.edf.electrodes import ear_of, electrodes_of
from eegzip.formats.edf.header import EdfHeader, SignalHeader
from eegzip.formats.edf.modalities import says_body, says_other, words
from eegzip.formats.edf.units import is_missing, microvolts_per_unit


class SignalKind(str, Enum):
    """Kind of a signal; the values are what is shown and stored."""

    EEG = "eeg"
    VOLTAGE = "voltage"
    OTHER = "other"
    ANNOTATIONS = "annotations"
    # Voltages and others, where more is known (:mod:`eegzip.formats.edf.kinds`).
    ECG = "ecg"
    EOG = "eog"
    EMG = "emg"
    RESP = "resp"


class Verdict(NamedTuple):
    """What a signal is.

    Attributes
    ----------
    kind : SignalKind
    why : str
        A few words for people.
    doubtful : bool
        Whether it is taken for no EEG only because its label or its unit is not known; who knows better says so.
    named : bool
        Whether it has the name of an EEG electrode.
    """

    kind: SignalKind
    why: str
    doubtful: bool = False
    named: bool = False


# Slower than this shows no rhythm of an EEG; up to the second it is one unless others beside it are faster: trends and
# quality indices bear electrode names, too.
_MIN_RATE, _USUAL_RATE = 4.0, 30.0
# Coarser steps than this leave nothing of an EEG of some 50 uV; direct-current inputs have them.
_MAX_MICROVOLTS_PER_DIGIT = 50.0

_PREFIX = re.compile(r"(?:EEG|POL|SEEG|IEEG|ECOG)[\s_:.-]+", re.IGNORECASE)
_SUFFIX = re.compile(r"\s*-\s*(?:ref[0-9]?|c?le|ar|avg?|average|car|g[0-9]{0,2})$", re.IGNORECASE)
_EEG_WORDS = frozenset({"eeg", "seeg", "ieeg", "ecog"})
# Free inputs of clinical amplifiers, and precordial leads.
_EXTRA_INPUT = re.compile(r"(?:POL\s+)?[XV][0-9]{1,2}", re.IGNORECASE)
# Electrooculogram electrodes of the AASM; a net numbered E1, E2, E3... is known by its many contacts.
EYE = re.compile(r"E[12]\b.*", re.IGNORECASE)
_EAR_PAIR = re.compile(r"(?:EEG[\s_:-]*)?P(?:[125-9]|10)\b", re.IGNORECASE)
_OXYGEN = re.compile(r"PO([12])$", re.IGNORECASE)

_ANNOTATIONS = Verdict(SignalKind.ANNOTATIONS, "annotations")
_BODY = Verdict(SignalKind.VOLTAGE, "a voltage other than EEG")
_UNKNOWN = Verdict(SignalKind.VOLTAGE, "its label is not known to be EEG", doubtful=True)
_OTHER = Verdict(SignalKind.OTHER, "not an EEG signal")
_NAMED = Verdict(SignalKind.EEG, "EEG", named=True)
_CONTACT = Verdict(SignalKind.EEG, "EEG, by its name a contact of an array")
_SERIES = Verdict(SignalKind.EEG, "EEG, as one of a series of contacts")
_NUMBERED = Verdict(SignalKind.EEG, "EEG, as one of a series of numbered channels")


def classify_signals(header: EdfHeader) -> list[SignalKind]:
    """Classify all signals of a recording: the kinds of :func:`judge_signals`, in file order."""
    return [verdict.kind for verdict in judge_signals(header)]


def judge_signals(header: EdfHeader) -> list[Verdict]:
    """Classify all signals of a recording from label, transducer, unit and rate, and say why.

    The rules, the first that applies:

    1. Annotations by their label.
    2. A unit that is stated and no known voltage: other.
    3. A word of another modality in the label, even behind "EEG" ("EEG EKG1-REF", "EEG LOC-REF"): other, or
       voltage for those that are electrodes on a body (ECG, EOG, EMG and their sites). E1 and E2 are eyes, X1, X2...
       and V1, V2... are free inputs and precordial leads.
    4. A 10-20, 10-10 or 10-5 electrode or a pair of them (ears and mastoids among them), or the word EEG, SEEG, iEEG
       or ECoG: EEG, also without a unit.
    5. A voltage in steps coarser than 50 uV: voltage.
    6. A voltage with the name of a contact that is used for nothing else (E12, B32, A'3, LAH1, GRID12), with one of
       a series of contacts (LZ1..LZ8), or with one of at least eight channel numbers (1, 2, 3...; Ch 1, Ch 2...;
       three beside a signal that says EEG), where hardly any electrodes have names: EEG.
    7. Any other voltage: voltage. The rest: other.

    EEG of less than 4 samples a second is a trend and none; up to 30 it is EEG where no other EEG is faster.

    Parameters
    ----------
    header : EdfHeader
        The header of the recording.

    Returns
    -------
    list of Verdict
        One for each signal, in file order.
    """
    context = _Context(header)
    verdicts = [_judge(signal, context) for signal in header.signals]
    rates = [header.sample_rate(i) for i, verdict in enumerate(verdicts) if verdict.kind is SignalKind.EEG]
    slowest = _USUAL_RATE if any(rate >= _USUAL_RATE for rate in rates) else _MIN_RATE
    for signal, verdict in zip(header.signals, verdicts, strict=True):
        rate = header.sample_rate(signal.index)
        if verdict.kind is SignalKind.EEG and (not signal.samples_per_record or 0 < rate < slowest):
            is_voltage = microvolts_per_unit(signal.unit) is not None
            why = f"its rate of {rate:g} Hz is no EEG's" if signal.samples_per_record else "it has no samples"
            verdicts[signal.index] = Verdict(SignalKind.VOLTAGE if is_voltage else SignalKind.OTHER, why)
    return verdicts


class _Context:
    """What the signals of a recording say of each other."""

    def __init__(self, header: EdfHeader) -> None:
        self.rates = [header.sample_rate(signal.index) for signal in header.signals]
        self.electrodes = {name for signal in header.signals for name in electrodes_of(signal.label)}
        self.against_ears = {
            name for signal in header.signals if ear_of(signal.label) for name in electrodes_of(signal.label)
        }
        names: dict[float, set[str]] = defaultdict(set)
        named: dict[float, set[str]] = defaultdict(set)
        for signal, rate in zip(header.signals, self.rates, strict=True):
            if microvolts_per_unit(signal.unit) is not None:
                (named if electrodes_of(signal.label) else names)[rate].add(bare_label(signal.label).casefold())
        self.series = {
            rate: find_series(
                sorted(found), sorted(named[rate]), rate, beside=any(_EEG_WORDS & words(name) for name in found)
            )
            for rate, found in list(names.items())
        }
        counts = Counter({rate: len(found) for rate, found in named.items() if found})
        self.usual_rate = counts.most_common(1)[0][0] if counts else None

    def series_of(self, signal: SignalHeader) -> Series:
        """Return what the numbered names at a signal's rate add up to."""
        return self.series.get(self.rates[signal.index], Series())

    def is_usual(self, signal: SignalHeader) -> bool:
        """Whether a signal has the rate of the electrodes that are named, if there are any."""
        return self.usual_rate in (None, self.rates[signal.index])


def _judge(signal: SignalHeader, context: _Context) -> Verdict:
    """Apply all rules but those of slow signals."""
    if signal.is_annotations:
        return _ANNOTATIONS
    is_voltage = microvolts_per_unit(signal.unit) is not None
    named = _is_named(signal, context)
    if not is_voltage and not is_missing(signal.unit):
        if not named:
            return _OTHER
        why = f"named as EEG, but its unit '{signal.unit}' is not a known voltage"
        return Verdict(SignalKind.OTHER, why, doubtful=True, named=True)
    if named:
        return _NAMED
    bare = bare_label(signal.label)
    found = contact(bare)
    series = context.series_of(signal)
    in_series = found is not None and found.stem in series.stems
    if not (in_series or (found is not None and found.primed and is_known_contact(found))):
        hint = _hint(signal, bare)
        if hint is not None:
            return hint if is_voltage else _OTHER
    if _EEG_WORDS & words(signal.label):
        return _NAMED
    if not is_voltage:
        return _OTHER
    step = signal.microvolts_per_digit
    if step is not None and abs(step) > _MAX_MICROVOLTS_PER_DIGIT:
        return Verdict(SignalKind.VOLTAGE, "its steps are too coarse for EEG")
    if in_series:
        return _SERIES
    if bare_number(bare) is not None and series.numbered:
        return _NUMBERED
    if found is not None and is_known_contact(found) and context.is_usual(signal):
        return _CONTACT
    return _UNKNOWN if any(c.isalnum() for c in signal.label) else _BODY


def _is_named(signal: SignalHeader, context: _Context) -> bool:
    """Whether a label names electrodes of the 10-20 system and its kin, and can mean nothing else."""
    label = signal.label
    # A prime marks an electrode beside a place, as for evoked potentials: Cz', C3'.
    electrodes = electrodes_of(label) or electrodes_of(label.replace("'", ""))
    if not electrodes:
        return False
    # Inputs of polygraphs are called P8-A1, too; an electrode of a head has its like on the other side.
    if _EAR_PAIR.match(label) and ear_of(label) is not None:
        number = int(electrodes[0][1:])
        return f"P{number + 1 if number % 2 else number - 1}" in context.against_ears
    # And PO2 is the pressure of oxygen where the row PO has nothing else.
    if _OXYGEN.search(label):
        return any(name.startswith("PO") and name not in electrodes for name in context.electrodes)
    return True


def _hint(signal: SignalHeader, bare: str) -> Verdict | None:
    # "EEG REF" is the reference, "REF_EEG" an EEG.
    if says_other(bare, signal.transducer, referenced=bool(_EEG_WORDS & words(bare))):
        return _OTHER
    if says_body(bare) or _EXTRA_INPUT.fullmatch(signal.label.strip()) or EYE.fullmatch(bare):
        return _BODY
    return None


def bare_label(label: str) -> str:
    """Strip the "EEG" or "POL" before a name and the reference behind it."""
    return _SUFFIX.sub("", _PREFIX.sub("", label.strip(), count=1)).strip(" .")
