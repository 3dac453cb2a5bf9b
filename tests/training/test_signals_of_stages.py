"""Stages that see recordings in segments take the signals that are asked for, and not EEG without a word."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main
from eegzip.formats.errors import BadInputError
from eegzip.training.data.sources import SourceFile
from eegzip.training.prior.pieces import tokens_of
from eegzip.training.segments.recordings import Part, digital_values


def test_segments_and_tokens_are_of_the_signals_named(eegmat: Path, tmp_path: Path) -> None:
    part = Part(SourceFile(eegmat, "s", "x", "train"), "set", held_out=False, signals=("ecg*",))
    x, rate, labels = digital_values(part)
    assert (rate, labels) == (500, ["ECG ECG"])
    np.testing.assert_array_equal(x[0], PlainEdf.read(eegmat).digital(3))
    model = eegzip.models.load("eegz-sc-1")
    (piece,) = tokens_of(part, model, 0.1, tmp_path, seed=1).pieces
    # At the model's rate, at which the result will be used: two frames a second.
    assert [codes.shape[1] for codes in piece.streams] == [13]
    (eeg,) = tokens_of(replace(part, signals=()), model, 0.1, tmp_path, seed=1).pieces
    assert len(eeg.streams) == 3
    with pytest.raises(BadInputError, match="none has such a label"):
        digital_values(replace(part, signals=("EMG*",)))


def test_the_option(tmp_path: Path) -> None:
    options = ["train", "--data", "synthetic", "--out", str(tmp_path / "run"), "--dry-run", "--json"]
    told = CliRunner().invoke(main, [*options, "--signals", "ECG*", "--signals", "EKG*"])
    assert json.loads(told.output)["settings"]["data"]["signals"] == ["ECG*", "EKG*"]
