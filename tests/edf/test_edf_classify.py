"""Which signals are EEG: real files, and the labels of corpora that we know only by their documentation."""

from __future__ import annotations

from pathlib import Path

import pytest
from edf_builder import Builder, Signal

from eegzip.formats.edf import EdfFile, SignalKind, classify_signals, normalise_channel_name, parse_header

E, V, O, A = SignalKind.EEG, SignalKind.VOLTAGE, SignalKind.OTHER, SignalKind.ANNOTATIONS  # noqa: E741


def kinds(*signals: Signal) -> list[SignalKind]:
    """Classify; every signal has 200 samples a second unless it says otherwise."""
    for signal in signals:
        signal.samples = 200 if signal.samples == 4 else signal.samples
    return classify_signals(parse_header(Builder(list(signals)).header()))


def labels_of_kind(path: Path) -> dict[SignalKind, list[str]]:
    with EdfFile.open(path) as file:
        found: dict[SignalKind, list[str]] = {}
        for signal, kind in zip(file.header.signals, classify_signals(file.header), strict=True):
            found.setdefault(kind, []).append(signal.label)
        return found


REAL = {
    "eeg/adhd": {E: 19},
    "eeg/eegmat": {E: 20, V: ["ECG ECG"], A: 1},
    "eeg/neonatal": {E: 8},
    "eeg/ssvep_exo": {E: 8, A: 1},
    "eeg/vep": {E: 64, A: 1},
    "formats/SC4001EC-Hypnogram.edf": {A: 1},
    "formats/chtypes_edf.edf": {
        E: 29,
        V: ["POL E", "POL PG1", "POL PG2", "ECG ECG1", "ECG ECG2", "POL $A1", "POL $A2"],
        O: ["SaO2 X9", "SaO2 X10", "POL DC01", "POL DC02", "POL DC03", "POL DC04"],
        A: 1,
    },
    "formats/duplicate_channel_labels.edf": {E: 3, A: 1},
    "formats/nihon_kohden_discontinuous.edf": {E: 21, V: ["POL E", "POL X1", "POL $A2", "POL $A1"], A: 1},
    "formats/short_psg.edf": {
        E: ["EEG Fpz-Cz", "EEG Pz-Oz"],
        V: ["EOG horizontal", "EMG submental"],
        O: ["Resp oro-nasal", "Temp rectal", "Event marker"],
    },
    "formats/test.bdf": {E: 66, V: ["EXG1", "REOG", "LEOG", "IEOG", "EXG5", "EXG8"], O: ["Status"]},
    "formats/test.edf": {E: 136, O: ["Ergo-Left", "Ergo-Right", "Status"], A: 1},
    "formats/test_bdf_stim_channel.bdf": {E: 3, O: ["Status"]},
    "formats/test_edf_overlapping_annotations.edf": {E: 64, A: 1},
    "formats/test_edf_stim_channel.edf": {
        E: 20,
        V: ["EOG VEOG_I", "EOG VEOG_II", "ECG ECG1", "ECG ECG2"],
        O: ["DIG DTRIG"],
    },
    "formats/test_stim_channel.edf": {V: ["sine 1 Hz"], O: ["stAtUs", "tRigGer"], A: 1},
    "formats/test_subsecond.bdf": {E: ["Fp1"], A: 1},
    "formats/test_uneven_samp.edf": {V: 2},
    "formats/test_utf8_annotations.edf": {V: 10, O: ["pulse"], A: 1},
}


@pytest.mark.parametrize("where", REAL)
def test_real_files(where: str, shared: Path, shipped: Path) -> None:
    path = shipped / Path(where).name if (shipped / Path(where).name).exists() else shared / where
    if not path.exists():
        pytest.skip("not on this machine")
    for file in sorted(path.glob("*.edf")) if path.is_dir() else [path]:
        found = labels_of_kind(file)
        assert found.keys() == REAL[where].keys()
        for kind, expected in REAL[where].items():
            assert (len(found[kind]) if isinstance(expected, int) else found[kind]) == expected


def test_tuh() -> None:
    table = {
        "EEG FP1-REF": E, "EEG FP2-LE": E, "EEG T3-REF": E, "EEG 26-REF": E, "EEG SP1-REF": E, "EEG C3P-REF": E,
        "EEG A1-REF": E, "EEG X1-REF": E, "EEG EKG1-REF": V, "EEG LOC-REF": V, "EEG ROC-REF": V, "EEG PG1-REF": V,
        "EEG LUC-REF": V, "EMG-REF": V, "EEG RESP1-REF": O, "PHOTIC-REF": O, "IBI": O, "BURSTS": O, "SUPPR": O,
        "DC1-DC": O, "PULSE RATE": O, "RESP ABDOMEN-REF": O, "EDF ANNOTATIONS": A,
    }  # fmt: skip
    assert kinds(*map(Signal, table)) == list(table.values())


def test_chb_mit() -> None:
    table = {"FP1-F7": E, "T8-P8": E, "FT9-FT10": E, "C2-CS2": E, "01": V, "-": V, ".": V, "ECG": V, "VNS": O,
             "LOC-ROC": V, "LUE-RAE": V, "EKG1-CHIN": V}  # fmt: skip
    assert kinds(*map(Signal, table)) == list(table.values())
    assert kinds(Signal("T8-P8"), Signal("T8-P8"), Signal("-", unit="")) == [E, E, O]


def test_biosemi() -> None:
    names = [f"{bank}{i}" for bank in "AB" for i in range(1, 33)]
    extra = [Signal("EXG1"), Signal("GSR1"), Signal("Erg1"), Signal("Resp"), Signal("Plet"),
             Signal("Status", unit="Boolean", transducer="Triggers and Status")]  # fmt: skip
    assert kinds(*map(Signal, names), *extra) == [E] * 64 + [V, O, O, O, O, O]


def test_sleep() -> None:
    table = {"C3-A2": E, "F4-M1": E, "C3A2": E, "E1-M2": V, "E2": V, "LOC-A2": V, "EOG(L)": V, "Chin1-Chin2": V,
             "LEG/L": V, "SX1-SX2": V, "ECG II": V, "LEOG": V, "EMGchin": V,
             "SaO2": O, "NasalFlow": O, "Snore": O, "THOR RES": O,
             "PatientEvent": O, "X1": V}  # fmt: skip
    assert kinds(*map(Signal, table)) == list(table.values())


def test_dry_electrodes_nets_and_depth() -> None:
    emotiv = {"AF3": E, "F7": E, "COUNTER": O, "CQ_AF3": O, "GYROX": O, "MARKER": O, "BATTERY": O}
    assert kinds(*map(Signal, emotiv)) == list(emotiv.values())
    assert kinds(Signal("Ch1"), Signal("2"), Signal("Channel 3"), Signal("EEG")) == [E] * 4
    assert kinds(*(Signal(f"E{i}") for i in range(1, 130))) == [E] * 129
    assert kinds(*(Signal(f"POL LH{i}") for i in range(1, 9)), Signal("DC01")) == [E] * 8 + [O]
    assert kinds(*(Signal(f"DC{i:02}") for i in range(1, 9))) == [O] * 8
    assert kinds(*(Signal(f"EMG{i}") for i in range(1, 9))) == [V] * 8


def test_unit_rate_and_resolution() -> None:
    assert kinds(Signal("EEG Fp1", unit="")) == [E]
    assert kinds(Signal("Fp1", unit="%")) == [O]
    assert kinds(Signal("ch 7", unit="")) == [O]
    assert kinds(Signal("Fp1", samples=1)) == [V]
    assert kinds(Signal("Fp1", samples=0), Signal("Fp2")) == [V, E]
    assert kinds(Signal("Fp1"), Signal("unheard of"), Signal("another", samples=50)) == [E, V, V]
    assert kinds(Signal("Fp1"), Signal("unheard of", unit="mV")) == [E, V]  # 100 uV a digit
    assert kinds(Signal("nothing else to go by")) == [V]
    assert kinds(Signal("Fp1", physical=(1, 1))) == [E]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("EEG FP1-REF", "Fp1"), ("EEG Fp1-A2", "Fp1"), ("EEG FP1-LE", "Fp1"), ("Fp1-M1", "Fp1"), ("Fc5.", "FC5"),
        ("C3..", "C3"), ("POZ", "POz"), ("T3", "T7"), ("EEG T6-Ref", "P8"), ("FP1-F7", "Fp1-F7"), ("C3-T5", "C3-P7"),
        ("EEG Fpz-Cz", "Fpz-Cz"), ("EEG A2-A1", "A2-A1"), ("C3A2", "C3"), ("POL T1", "T1"), ("AFp3h", "AFp3h"),
        ("TP10", "TP10"), (" Status ", "Status"), ("EEG 26-REF", "EEG 26-REF"), ("ECG", "ECG"), ("-", "-"), ("", ""),
        ("EEG Fp1 - Ref", "Fp1"), ("EEGFp1", "Fp1"), ("T8-P8-1", "T8-P8"),
    ],
)  # fmt: skip
def test_channel_names(label: str, name: str) -> None:
    assert normalise_channel_name(label) == name
