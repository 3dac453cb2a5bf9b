"""Kinds of signals and models of kinds, as people type them and as ``info`` shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
from api.recordings import ROOT
from click.testing import CliRunner

from eegzip.cli.main import main
from eegzip.cli.values import models_of_kinds
from eegzip.formats.errors import EegzipError

GOLDEN = ROOT / "tests" / "golden" / "v1.7" / "kinds" / "kinds.eegz"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ([], None),
        (["mine"], "mine"),
        (["eeg=mine"], "mine"),
        (["ecg=hearts", "mine"], {"ecg": "hearts", "eeg": "mine"}),
        (["ECG=hearts", "emg=a=b"], {"ecg": "hearts", "emg": "a=b"}),
        (["runs/lr=3"], "runs/lr=3"),  # a folder's name, and no kind
    ],
)
def test_models_of_kinds(typed: list[str], meant: object) -> None:
    assert models_of_kinds(typed) == meant


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kind", "ECG"], "write PATTERN=KIND"),
        (["--kind", "ECG=heart"], "'heart' is no kind of signal; there are eeg, ecg, eog, emg, resp, other"),
        (["--kind", "Nix=ecg"], "matches 'Nix' (--kind); the recording has: EEG Fp1"),
        (["-m", "a", "-m", "eeg=b"], "two models for eeg: a and b"),
        (["-m", "ecg=nix"], "There is no model 'nix'"),
    ],
)
def test_slips_are_told_in_a_sentence(options: list[str], words: str, eegmat: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["compress", str(eegmat), str(tmp_path / "a.eegz"), *options])
    assert told.exit_code != 0
    assert words in (str(told.exception) if isinstance(told.exception, EegzipError) else told.output)
    assert not (tmp_path / "a.eegz").exists()


def test_info_says_which_model_codes_which_kind(eegmat: Path) -> None:
    text = CliRunner().invoke(main, ["info", str(GOLDEN)]).output
    lines = [line.split() for line in text.splitlines()]
    models = [line[1] for line in lines if line[:1] == ["model"]]
    kinds = [line[-1] for line in lines if line[:1] == ["for"]]
    assert list(zip(models, kinds, strict=True)) == [
        ("eegz-sc-1", "eeg"), ("dac-sc-compact-1", "eog"), ("eegz-sc-1", "ecg"),
    ]  # fmt: skip
    assert "each signal's own rate, hop 128" in text
    assert "\nECG ECG           ecg              500  lossy" in text
    assert "\nECG ECG           ecg              500  mV       a voltage other than EEG" in (
        CliRunner().invoke(main, ["info", str(eegmat)]).output
    )
