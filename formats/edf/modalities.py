"""Modalities of labels that do not say EEG: the words of other signals, by whom they are measured."""

from __future__ import annotations

import re
import unicodedata


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Electrodes on a body: heart, eyes, muscles. English, and what clinics in other countries write.
ECG_WORDS = _set("mlii avr avl avf ii iii ekg ecgi")
EOG_WORDS = _set("""
    loc roc heo veo luc rlc lue rle rae lae lio rio lhe rhe heogl heogr veogu veogl eye eyex eyey lefteye righteye
    auge augen ojo ojos oeil occhio
""")
EMG_WORDS = _set("""
    milo enmg chin cchin lchin rchin kinn menton mento submental submentalis mentalis tib tibialis lat rat leg lleg rleg
    plm plml plmr bein beine beinbewegung pierna perna gamba jambe arm larm rarm masseter jaw deltoid deltoide
    diaphragm intercostal orbicularis trapezius trap biceps triceps flexor extensor edc fds apb adm tongue
""")
# Of no one kind: free inputs, an electrode near eye and brain, right and left.
_BODY_WORDS = _set("bip exg pg dx sx")
RESP_WORDS = _set("""
    resp thor thorax thoracic torax thorakal abd abdo abdomen abdominal addome chest brust bauch rip xflow flow airflow
    flux flujo flusso fluss cflow nasal nas naso nase nasalflow oral oralflow oronasal cannula cann effort sum xsum belt
    atmung atem respiracion ribcage torace toracico termistore ptaf ptt vab vth naf
""")
_APPARATUS_WORDS = _set("""
    snore schnarchen ronco ronquido ronflement cpap pcpap ipap epap leak tidal press pressure pres phono
    spo sao sto rso sat ox oxy osat etco co tcco tcpco tcpo capno ph pulse puls pulso pouls pleth plet plethwv ppg pr hr
    dhr hrate hrv bpm bp abp cvp icp art herzfrequenz ibi rr saettigung sauerstoff
    temp rectal therm thermistor thermocouple light licht luz lux gsr eda scr sc mic audio sound speech voice acoustic
    nirs fnirs hbo hbr hbt hhb thb oxyhb deoxyhb toi
    pos position posicion posizione posangle lage body acc accel acceleration gyro gyrox gyroy gyroz mag mot motion
    movement elevation activity actigraphy
    dc aux adc ain ana ai ext external input in analog analogin uadc io gpio bit ttl din dout dig dtrig digital line
    ergo erg sens sensor fsr glove finger joint key force torque strain grip lever pedal wheel mouse joystick
    photo photic photodiode diode opt flash led stim sti stimulus tms tdcs tacs vib vns status stat trig trigger trg
    uppt udio misc cwl gaze pupil lpupil rpupil pupildiam eyelink
    event events epms mk mkr mark marker markers button btn response sync vsync video click counter count cnt
    time timestamp clock index rate patient
    interpolated battery batt imp impedance quality cq eq hsi pow power pm alpha beta gamma delta theta
    burst bursts suppr suppression bis sef psi aeeg csa dsa bl
    vref gnd ground com cms drl none unused empty nc off blank spare test dummy cal calib calibration
""")
_REFERENCES = frozenset({"ref", "reference"})
VOLTAGE_WORDS = ECG_WORDS | EOG_WORDS | EMG_WORDS | _BODY_WORDS
OTHER_WORDS = _APPARATUS_WORDS | RESP_WORDS | _REFERENCES
# Long enough to mean the same inside any word ("RespThorax", "EventMarker", "tRigGer").
_OTHER_ANYWHERE = ("trigger", "status", "marker", "photic", "airflow", "accel", "thermis", "impedance", "counter",
                   "pressure", "saturation", "timestamp", "breath", "respir", "pupil", "calibrat")  # fmt: skip
_VOLTAGE_ANYWHERE = ("ecg", "ekg", "eog", "emg")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+")


def words(label: str) -> set[str]:
    """Split into lower-case words, both with and without taking capitals inside as the start of a word."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", label) if not unicodedata.combining(c))
    return {word.casefold() for text in (plain, _CAMEL.sub(" ", plain)) for word in _WORD.findall(text)}


def says_body(label: str) -> bool:
    """Whether a label names other electrodes on a body: ECG, EOG, EMG or their sites."""
    text = label.casefold()
    return bool(VOLTAGE_WORDS & words(label)) or any(part in text for part in _VOLTAGE_ANYWHERE)


def says_other(label: str, transducer: str = "", *, referenced: bool = False) -> bool:
    """Whether a label or a transducer names something that is no electrode, or an input that is not in use.

    With `referenced` the word reference is no such thing.
    """
    text = f"{label} {transducer}".casefold()
    found = OTHER_WORDS & words(label)
    return bool(found - _REFERENCES if referenced else found) or any(part in text for part in _OTHER_ANYWHERE)
