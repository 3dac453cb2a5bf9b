"""What signals other than EEG measure, by their labels, and what a user says they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from edf_builder import Builder, Signal
from hypothesis import given
from hypothesis import strategies as st

from eegzip.formats.edf import EdfFile, SignalKind, judge_as_told, judge_signals, parse_header
from eegzip.formats.edf.kinds import MEASURES, TELLABLE, kind_of_label

LABELS = {
    "ecg": "ECG|EKG|ECG ECG|EKG1-EKG2|EEG EKG-REF|ECG V2|POL EKG1|ECG L|MLII|aVF|II|ecg+|EKG1-CHIN",
    "eog": "EOG horizontal|LOC|ROC-M1|E1|E2-M1|EOG1-A1|HEOG|VEOGU|EOG(L)|LUE-RAE|Augen li|EEG LOC-REF|Oeil G|EOG dx",
    "emg": "EMG submental|Chin 1-Chin 2|cchin_l|rchin_cchin|LAT1|Leg/L|PLMl|M.tib.li|EMG1+|Masseter L|Kinn|TIB_R",
    "resp": "Resp oro-nasal|THOR EFFORT|Abdo|Airflow|nas_pres|flow|Cannula Flow|Thorax RIP|Torácico|Belt1|PTAF|NAF1",
    "other": "SaO2|SpO2|Temp rectal|Event marker|Resp rate|ECG rate|HR|Pulse|Position|Snore|EKG_Off|RESP button|DC1|X1",
}
TYPES = {"ecg": "ECG", "eog": "EOG", "emg": "EMG", "resp": "Resp"}
"""What EDF+ puts in front of labels (its standard texts)."""


def kinds(labels: list[str], told: tuple[tuple[str, str], ...] = (), unit: str = "uV") -> list[str]:
    signals = [Signal(samples=256, unit=unit) for _ in labels]
    damage = {("label", i): label.encode("latin-1", "replace") for i, label in enumerate(labels)}
    header = parse_header(Builder(signals, damage=damage).header())
    return [verdict.kind.value for verdict in judge_as_told(header, told)]


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_public_data_sets(kind: str) -> None:
    for label in LABELS[kind].split("|"):
        found = kind_of_label(label)
        assert ("other" if found is None else found.value) == kind, label


def test_real_recordings(short_psg: Path, eegmat: Path) -> None:
    with EdfFile.open(short_psg) as file:
        found = [verdict.kind.value for verdict in judge_as_told(file.header)]
    assert found == ["eeg", "eeg", "eog", "resp", "emg", "other", "other"]
    with EdfFile.open(eegmat) as file:
        assert [verdict.kind.value for verdict in judge_as_told(file.header)][3:] == ["ecg", "annotations"]


@given(st.sampled_from(sorted(TYPES)), st.sampled_from(["1", "left", "V2", "L-R", "chest 2"]), st.data())
def test_the_type_in_front_says_it_in_any_case(kind: str, rest: str, data: st.DataObject) -> None:
    label = f"{TYPES[kind]} {rest}"
    flips = data.draw(st.lists(st.booleans(), min_size=len(label), max_size=len(label)))
    spelt = "".join(c.swapcase() if flip else c for c, flip in zip(label, flips, strict=True))
    found = kind_of_label(spelt)
    assert found is not None
    assert found.value == kind


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=16))
def test_only_what_is_no_eeg_is_named_closer(label: str) -> None:
    """Whatever a label is, the finer kinds are all within those that were there, and EEG stays EEG."""
    damage = {("label", 0): label.encode()}
    header = parse_header(Builder([Signal(samples=256, unit="uV")], damage=damage).header())
    (coarse,), (fine,) = judge_signals(header), judge_as_told(header)
    assert fine._replace(kind=coarse.kind) == coarse
    assert fine.kind == coarse.kind or (fine.kind in MEASURES and coarse.kind in (SignalKind.VOLTAGE, SignalKind.OTHER))


@given(st.lists(st.tuples(st.sampled_from(["*", "C3", "c?", "ECG*", "Ch*"]), st.sampled_from(TELLABLE)), max_size=4))
def test_the_last_that_is_said_of_a_signal_counts(told: list[tuple[str, str]]) -> None:
    named = {"C3": ("*", "C3", "c?"), "ECG 1": ("*", "ECG*"), "Ch 7": ("*", "Ch*")}
    unsaid = dict(zip(named, kinds(list(named)), strict=True))
    for label, found in zip(named, kinds(list(named), tuple(told)), strict=True):
        said = [kind for pattern, kind in told if pattern in named[label]]
        assert found == (said[-1] if said else unsaid[label])


def test_a_unit_that_is_no_voltage_is_no_electrode() -> None:
    assert kinds(["ECG", "EMG power", "Resp"], unit="bpm") == ["other", "other", "resp"]
    assert kinds(["ECG", "Resp"], unit="") == ["ecg", "resp"]


def test_annotations_stay_what_they_are(eegmat: Path) -> None:
    with EdfFile.open(eegmat) as file:
        found = judge_as_told(file.header, [("*", "ecg")])
    assert [verdict.kind.value for verdict in found] == ["ecg"] * 4 + ["annotations"]
