"""What a label says when it does not say EEG: the words of other signals, by whom they are measured."""

from __future__ import annotations

import re
import unicodedata

# Electrodes on a body: heart, eyes, muscles. English, and what clinics in other countries write.
_VOLTAGE_WORDS = """
    mlii avr avl avf ii iii bip exg ekg ecgi milo
    loc roc heo veo luc rlc lue rle rae lae lio rio lhe rhe heogl heogr veogu veogl pg eye eyex eyey lefteye righteye
    auge augen ojo ojos oeil occhio
    enmg chin cchin lchin rchin kinn menton mento submental submentalis mentalis tib tibialis lat rat leg lleg rleg
    plm plml plmr bein beine beinbewegung pierna perna gamba jambe arm larm rarm masseter jaw deltoid deltoide
    diaphragm intercostal dx sx orbicularis trapezius trap biceps triceps flexor extensor edc fds apb adm tongue
"""
_OTHER_WORDS = """
    resp thor thorax thoracic torax thorakal abd abdo abdomen abdominal addome chest brust bauch rip xflow flow airflow
    flux flujo flusso fluss cflow nasal nas naso nase nasalflow oral oralflow oronasal cannula cann snore schnarchen
    ronco ronquido ronflement effort sum xsum belt atmung atem respiracion cpap pcpap ipap epap leak tidal
    press pressure pres ribcage torace toracico termistore ptaf ptt vab vth naf phono
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
"""
_REFERENCES = frozenset({"ref", "reference"})
VOLTAGE_WORDS = frozenset(_VOLTAGE_WORDS.split())
OTHER_WORDS = frozenset(_OTHER_WORDS.split()) | _REFERENCES
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
