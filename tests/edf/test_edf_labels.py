"""Who is EEG, by the labels of public data sets, and by others that the field uses."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import pytest
from edf_builder import ROOT, Builder, Signal

from eegzip.formats.edf import SignalKind, Verdict, judge_signals, parse_header

CONTEXTS = {
    "alone": [],
    "10-20": ["Fp1", "Fp2", "C3", "C4", "O1", "O2"],
    "clinical": ["EEG Fp1-REF", "EEG F7-REF", "EEG T7-REF", "EEG T8-REF", "EEG P7-REF", "EEG P8-REF", "EKG"],
    "sleep": ["C3-A2", "C4-A1", "O1-A2", "EOG1", "Chin", "ECG"],
}
_SCALP = "Fp1 Fp2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T3 T4 T5 T6 Fz Cz Pz"
SCALP = _SCALP.split()


def table() -> dict[str, str]:
    with (ROOT / "tests" / "data" / "labels" / "labels.tsv").open(encoding="utf-8", newline="") as file:
        return {row["label"]: row["kind"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}


_OTHER = (
    "EKG_Off|EEG1_Off|EOG-L_Off|Pres|Thor|Abdo|Ekg|XFlow|XSum|CFlow|C-Press|Cpap press|TcCO2|EtCO2-Wave|PTAF|NP|Tidal|"
    "Leak|Mask|RR|Derived HR|NasalPr|EMG CHIN1-CHIN2|EOG LOC-M2|EMG LLEG-RLEG|RESP PTAF|CAPNO|RESP RATE|E1-A2|E2-A1|"
    "E1:M2|LOC|ROC-M1|EOG dx|tib sin|DX1-DX2|SX1-SX2|TERMISTORE|TORACE|ADDOME|TAG|Posizione|Ronco|milo|deltoide|ECGL|"
    "LAT1|RAT2|LEG1|.-0|62|2|zEMG|hEOG|Plethysmograph|Temperature|COUNTER|RAW_CQ|GYROX|CQ_AF3|EQ_AF3|CQ_CMS|CMS|DRL|"
    "HighBitFlex|BatteryPercent|Right AUX|Delta_TP9|TP9_Delta|PPG_1|HSI_TP9|Accel Channel 0|S1-D1|S1_D1 760|HbO|tHb|"
    "rSO2 L|BCG|CWL1|Acc1|AccX|STI001|MEG0111|UADC001|CHPI001|HLC0011|D7|TTL1|GPIO1|Out1|Sensor1|FSR1|Glove2|Joint1|"
    "LED1|Belt1|pH1|pH|Pes1|Channel 2|Chan 3|EXG Channel 0|Ext 2|DC 7|DC16|$A1|POL $A2|POL X1|X9|V5|V1-V2|I|II|aVF|"
    "ECG V2|BP|ICP|PtcO2|PO2|FiO2|LPupil|pupil size|GazeX|EL_X|Contact quality|Signal Quality|imp Fp1|Fp1 imp|"
    "C3 quality|NIRS1|Oxy|Gnd|EEG REF|EEG GND|EEG LOC-REF|EEG EMG-REF|EEG DC1|EEG SpO2|EEG E1-M2|EEG ECGL|Not used|"
    "spare1|Vacant|--2|_|?|Umfang|Mikrofon|Bewegung|Bein li|Nasenfluss|Pression|Ronflement|Jambe G|Oeil G|Thorax RIP|"
    "cpap flow|Druck|HF|CHIN2-CHIN3|ARM R|RLEG1-RLEG2|TIB_R|FDI|Biceps L|SCM|Tongue|Hypno|Stage|Artifact|Envelope|aEEG|"
    "EEG power|BIS|Laser|VSync|Tone|LeftHand|Force1|Speed|X|Y|ACC_X|Mag X|Pitch"
)
_EEG = (
    "Fp1-F7|EEG F3-C3|EEG-Fpz-Cz|EEG Pz-Oz|O2-M1|AFz|PO4|FT7|AFp1|AFF5h|FFC3h|TPP9h|PPO10h|OI1h|T3|A2|M1|EEG M2-REF|"
    "EEG T3-LE|EEG P4-AR|Fz-Avg|C3-M1M2|C3-(A1+A2)|F4-A1A2|C3:A2|C3 A2|EEG_C3_A2|EEG.C3|C3-EEG|EEG F3 - REF|EEG 3|"
    "EEG-2|EEG064|EEG Ch 2|EEG left|EEG 1-2|FP1.|Af7.|T9..|E17|E256|B5|H32|B'1|A'12|LA'3|Hp'2|EEG A'1-Ref|SEEG A1|"
    "iEEG LH3|ECoG 5|EEG LA1-REF|EEG RPH4|LAH3|LPH2|LMH4|RAMY2|REC3|LOF4|ROFC2|LINS3|LFG12|LTG4|LOG1|GRID64|AMY1|OFC3|"
    "F11|TP12|C1|CB1|SO2|EEG SP2-REF|RM|INION|C3'|Cz'|Pz-linked|O1-LM|EEG CZ-A1|EEG(C3)|F3F4|C4A1|Fp1 [uV]|A\u20193"
)
OTHER, EEG = _OTHER.split("|"), _EEG.split("|")


def verdicts(labels: list[str], **how: Any) -> list[Verdict]:
    signals = [Signal(samples=256, **how) for _ in labels]
    damage = {("label", i): label.encode() for i, label in enumerate(labels)}
    return judge_signals(parse_header(Builder(signals, damage=damage).header()))


def eeg(labels: list[str], **how: object) -> set[str]:
    found = zip(labels, verdicts(labels, **how), strict=True)
    return {label for label, verdict in found if verdict.kind is SignalKind.EEG}


@pytest.mark.parametrize("context", CONTEXTS)
def test_labels_of_public_data_sets(context: str) -> None:
    known = table()
    found = {label for label in known if label in eeg([label, *CONTEXTS[context]])}
    assert {label for label in found if known[label] == "other"} == set()
    wanted = {label for label, kind in known.items() if kind == "eeg"}
    assert len(found & wanted) >= 0.97 * len(wanted), wanted - found


def test_labels_of_public_data_sets_in_one_file() -> None:
    known = table()
    found = eeg(list(known))
    assert {label for label in found if known[label] == "other"} == set()
    assert len(found) >= 0.97 * list(known.values()).count("eeg")


@pytest.mark.parametrize("context", CONTEXTS)
def test_other_labels_of_the_field(context: str) -> None:
    for label in OTHER:
        assert label not in eeg([label, *CONTEXTS[context]]) - set(CONTEXTS[context]), label
    assert [label for label in EEG if label not in eeg([label, *CONTEXTS[context]])] == []


def numbered(*stems: tuple[str, int]) -> list[str]:
    return [f"{stem}{i}" for stem, count in stems for i in range(1, count + 1)]


def arrays() -> Iterator[list[str]]:
    yield numbered(("A", 32), ("B", 32), ("C", 32), ("D", 32))  # BioSemi
    yield numbered(("E", 128))  # EGI
    yield numbered(("G", 32), ("Y", 32))  # actiCAP
    yield numbered(("E", 8), ("F", 12), ("L", 8), ("R", 8))  # depth electrodes by letter
    yield numbered(("LA", 8), ("LB", 8), ("RC", 8))
    yield numbered(("LAT", 8), ("RAT", 8), ("LXY", 6))
    yield numbered(("MST", 4), ("AST", 4), ("PST", 4), ("TT", 6))  # strips
    yield numbered(("A'", 8), ("TP'", 8), ("X'", 6))
    yield [f"POL {label}" for label in numbered(("A", 12), ("D", 8), ("LHH", 8))]
    yield [f"LZ{i}-LZ{i + 1}" for i in range(1, 8)] + numbered(("LQ", 8), ("RQ", 8))
    yield numbered(("", 32))
    yield numbered(("Channel ", 16))
    yield ["1", "2", "3", "4", "Fz"]


@pytest.mark.parametrize("labels", list(arrays()), ids=lambda labels: labels[0])
def test_series_of_contacts(labels: list[str]) -> None:
    assert eeg(labels) == set(labels)


@pytest.mark.parametrize(
    "labels",
    [
        numbered(("CWL", 4)), numbered(("X", 8)), numbered(("V", 6)), numbered(("DC", 16)), numbered(("AUX", 8)),
        numbered(("EMG", 8)), numbered(("BIP", 24)), numbered(("S", 4)), numbered(("Foo", 4), ("Bar", 4), ("Baz", 4)),
        numbered(("FSR", 4), ("IMU", 6), ("Finger", 5)), numbered(("Channel ", 8)), ["1", "2", "3", "MK"],
        [f"C{i}" for i in range(25, 65)], [f"S{i}-D{i}" for i in range(1, 9)], ["E1", "E2", "E1-M2"],
        ["P8-A1", "P18-A1"],
    ],
    ids=lambda labels: labels[0],
)  # fmt: skip
def test_series_that_are_none(labels: list[str]) -> None:
    assert eeg([*SCALP, *labels]) == set(SCALP)


def test_numbers_alone_and_fast() -> None:
    assert eeg(numbered(("Ch", 3))) == set()  # three of a Holter's ECG
    signals = [Signal(f"Channel {i}", samples=20000) for i in range(1, 17)]
    assert not any(v.kind is SignalKind.EEG for v in judge_signals(parse_header(Builder(signals).header())))
    signals = [Signal("Fp1", samples=256), Signal("B7", samples=20000), Signal("Cz", samples=20000)]
    kinds = [verdict.kind.value for verdict in judge_signals(parse_header(Builder(signals).header()))]
    assert kinds == ["eeg", "voltage", "eeg"]


def test_slow_eeg_is_eeg_where_none_is_faster() -> None:
    slow = [Signal("C3", samples=16), Signal("C4", samples=16), Signal("Fz", samples=1)]
    why = judge_signals(parse_header(Builder(slow).header()))
    assert [verdict.kind.value for verdict in why] == ["eeg", "eeg", "voltage"]
    assert why[2].why == "its rate of 1 Hz is no EEG's"
    both = [Signal("C3", samples=256), Signal("C4", samples=16)]
    assert [v.kind.value for v in judge_signals(parse_header(Builder(both).header()))] == ["eeg", "voltage"]


def test_why() -> None:
    labels = ["Fp1", "E12", "LZ1", "LZ2", "LZ3", "LZ4", "ECG", "SpO2", "Foo", "REF"]
    assert [verdict.why for verdict in verdicts(labels)] == [
        "EEG", "EEG, by its name a contact of an array", *["EEG, as one of a series of contacts"] * 4,
        "a voltage other than EEG", "not an EEG signal", "its label is not known to be EEG", "not an EEG signal",
    ]  # fmt: skip
    (strange,) = verdicts(["Fp1"], unit="pigeons")
    assert strange == (SignalKind.OTHER, "named as EEG, but its unit 'pigeons' is not a known voltage", True, True)
