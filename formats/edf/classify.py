"""What each signal is: EEG, another voltage, anything else, or annotations.

Only EEG may be coded lossily, so every doubt falls on the other side: a misjudged auxiliary signal costs bits,
a misjudged EEG channel costs fidelity that nobody agreed to.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import Enum

from eegzip.formats.edf.electrodes import electrodes_of
from eegzip.formats.edf.header import EdfHeader, SignalHeader
from eegzip.formats.edf.units import is_missing, microvolts_per_unit


class SignalKind(str, Enum):
    """Kind of a signal; the values are what is shown and stored."""

    EEG = "eeg"
    VOLTAGE = "voltage"
    OTHER = "other"
    ANNOTATIONS = "annotations"


# Below this an EEG can't show its alpha rhythm (8-13 Hz): quality indices and trends carry electrode names too.
_MIN_RATE = 30.0
# Coarser steps than this leave nothing of an EEG of some 50 uV; direct-current inputs have them.
_MAX_MICROVOLTS_PER_DIGIT = 50.0
# So many equal stems with different numbers are the contacts of a depth electrode, a grid or a net.
_MIN_CONTACTS = 4

_VOLTAGE_WORDS = """
    mlii avr avl avf ii iii bip exg
    loc roc heo veo luc rlc lue rle rae lae lio rio lhe rhe pg eye lefteye righteye
    enmg chin submental mentalis tib tibialis lat rat leg lleg rleg arm larm rarm masseter deltoid diaphragm
    intercostal dx sx
"""
_OTHER_WORDS = """
    resp thor abd abdo abdomen chest rip flow airflow nasal oral cannula snore effort sum cpap pcpap press pressure
    ribcage torace termistore vab vth naf phono
    spo sao sat ox oxy osat etco co tcpco ph pulse pleth plet ppg ptt pr hr hrv bpm bp abp cvp icp art
    temp rectal therm thermistor light lux gsr eda scr sc mic sound audio
    pos position body acc accel acceleration gyro gyrox gyroy mag mot motion movement elevation
    dc aux adc ain ai ext input ergo erg
    photic photo flash stim sti stimulus vns status stat trig trigger trg ttl din dig dtrig digital
    event mk mkr mark marker markers button sync vsync video counter count cnt time timestamp clock index rate
    interpolated battery batt imp impedance quality cq eq pow power pm
    ibi burst bursts suppr suppression bis sef psi aeeg csa dsa
"""
_VOLTAGE_STEMS = frozenset(_VOLTAGE_WORDS.split())
_OTHER_STEMS = frozenset(_OTHER_WORDS.split())
# Long enough to mean the same inside any word ("RespThorax", "EventMarker", "tRigGer").
_OTHER_ANYWHERE = ("trigger", "status", "marker", "photic", "airflow", "accel", "thermis", "impedance", "counter",
                   "pressure", "saturation", "timestamp", "breath", "respir")  # fmt: skip
_VOLTAGE_ANYWHERE = ("ecg", "ekg", "eog", "emg")
_GENERIC = re.compile(r"(?:(?:EEG|CH|CHAN|CHANNEL|E)[\s_.-]*)?0*[0-9]{1,3}", re.IGNORECASE)
_CONTACT = re.compile(r"([A-Z]{1,6}'?)\s?([0-9]{1,3})(?:\s*-\s*\1\s?[0-9]{1,3})?", re.IGNORECASE)
# Left and right anterior temporal, posterior hippocampus and the like are depth electrodes when there are many.
_DEPTH_STEMS = frozenset({"lat", "rat", "ph", "pm", "sc"})
# Extra inputs of clinical amplifiers and precordial leads: numbered, but no electrode array.
_NO_CONTACTS = (_VOLTAGE_STEMS | _OTHER_STEMS | {"x", "v"}) - _DEPTH_STEMS
_PREFIX = re.compile(r"(?:EEG|POL|SEEG|ECOG)[\s_:.-]+", re.IGNORECASE)
_SUFFIX = re.compile(r"-(?:ref|le|ar|avg?|g)$", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+")
_EEG_WORDS = frozenset({"eeg", "seeg", "ieeg", "ecog"})
_EXTRA_INPUT = re.compile(r"(?:POL\s+)?[XV][0-9]{1,2}", re.IGNORECASE)
# Electrooculogram electrodes of the AASM; a net numbered E1, E2, E3... is known by its many contacts.
_EYE = re.compile(r"E[12]\b.*", re.IGNORECASE)


def classify_signals(header: EdfHeader) -> list[SignalKind]:
    """Classify all signals of a recording from label, transducer, unit and rate.

    The rules, the first that applies:

    1. Annotations by their label.
    2. A unit that is stated and no voltage: other.
    3. A word of another modality in the label, even behind "EEG" ("EEG EKG1-REF", "EEG LOC-REF"): other, or
       voltage for those that are electrodes on a body (ECG, EOG, EMG and their sites).
    4. Fewer samples than 30 per second: not EEG.
    5. A 10-20, 10-10 or 10-5 electrode or a pair of them (ears and mastoids among them), or the word EEG:
       EEG, also without a unit.
    6. A voltage in steps coarser than 50 uV: voltage. One with a bare channel number ("1", "Ch 26", "E12") or
       with one of at least four numbered contacts of one stem ("A1".."A32", "LH1".."LH8"): EEG.
    7. A voltage whose label names nothing known, at the rate of most signals found so far: EEG. A label
       without a letter or digit ("-", ".") marks a dummy and is none.
    8. Any other voltage: voltage. The rest: other.

    Parameters
    ----------
    header : EdfHeader
        The header of the recording.

    Returns
    -------
    list of SignalKind
        One for each signal, in file order.
    """
    arrays = _arrays(header)
    kinds = [_classify_alone(header, signal, arrays) for signal in header.signals]
    rates = Counter(header.sample_rate(i) for i, kind in enumerate(kinds) if kind is SignalKind.EEG)
    if rates:
        rate = rates.most_common(1)[0][0]
        for index, kind in enumerate(kinds):
            if kind is None and header.sample_rate(index) == rate:
                kinds[index] = SignalKind.EEG
    return [SignalKind.VOLTAGE if kind is None else kind for kind in kinds]


def _classify_alone(header: EdfHeader, signal: SignalHeader, arrays: frozenset[str]) -> SignalKind | None:
    """Apply rules 1 to 6; None for a voltage that only its neighbours can tell."""
    if signal.is_annotations:
        return SignalKind.ANNOTATIONS
    is_voltage = microvolts_per_unit(signal.unit) is not None
    if not is_voltage and not is_missing(signal.unit):
        return SignalKind.OTHER
    label = _bare(signal.label)
    named = electrodes_of(signal.label)
    unlike_eeg = SignalKind.VOLTAGE if is_voltage else SignalKind.OTHER
    if not named:
        hint = _modality(label, signal, arrays)
        if hint is not None:
            return hint
    if not signal.samples_per_record or 0 < header.sample_rate(signal.index) < _MIN_RATE:
        return unlike_eeg
    if named or _EEG_WORDS & _words(signal.label):
        return SignalKind.EEG
    step = signal.microvolts_per_digit
    if not is_voltage or (step is not None and abs(step) > _MAX_MICROVOLTS_PER_DIGIT):
        return unlike_eeg
    if _GENERIC.fullmatch(label) or _stem(label) in arrays:
        return SignalKind.EEG
    return None if any(c.isalnum() for c in label) else SignalKind.VOLTAGE


def _modality(label: str, signal: SignalHeader, arrays: frozenset[str]) -> SignalKind | None:
    if _stem(label) in arrays:
        return None
    words = _words(label)
    text = label.casefold()
    if _OTHER_STEMS & words or any(part in f"{text} {signal.transducer.casefold()}" for part in _OTHER_ANYWHERE):
        return SignalKind.OTHER
    if _VOLTAGE_STEMS & words or any(part in text for part in _VOLTAGE_ANYWHERE):
        return SignalKind.VOLTAGE
    if _EXTRA_INPUT.fullmatch(signal.label) or _EYE.fullmatch(label):
        return SignalKind.VOLTAGE
    return None


def _bare(label: str) -> str:
    """Strip the "EEG" or "POL" before a name and the reference behind it."""
    return _SUFFIX.sub("", _PREFIX.sub("", label.strip(), count=1)).strip(" .")


def _words(label: str) -> set[str]:
    """Split into lower-case words, both with and without taking capitals inside as the start of a word."""
    return {word.casefold() for text in (label, _CAMEL.sub(" ", label)) for word in _WORD.findall(text)}


def _stem(label: str) -> str | None:
    match = _CONTACT.fullmatch(label)
    if match is None:
        return None
    stem = match[1].casefold()
    return None if stem in _NO_CONTACTS or any(part in stem for part in _VOLTAGE_ANYWHERE) else stem


def _arrays(header: EdfHeader) -> frozenset[str]:
    """Find the stems that at least four voltages of different numbers share."""
    bare = {_bare(s.label).casefold() for s in header.signals if microvolts_per_unit(s.unit) is not None}
    stems = Counter(_stem(label) for label in bare)
    return frozenset(stem for stem, count in stems.items() if stem is not None and count >= _MIN_CONTACTS)
