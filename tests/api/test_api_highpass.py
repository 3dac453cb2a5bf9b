"""A model that was trained behind a high-pass gets signals filtered likewise, and files say what is not in them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from api.dc_recordings import RATE, drifting
from api.plain_edf import PlainEdf
from click.testing import CliRunner
from scipy.signal import butter, sosfiltfilt

import eegzip
from eegzip import models
from eegzip.cli.main import main
from eegzip.codecs.checkpoints.checkpoint import CONFIG, load_checkpoint, rename
from eegzip.codecs.checkpoints.config import ModelConfig, ScalingConfig
from eegzip.formats.errors import ModelError
from eegzip.training.api import planned_model, settings_for

SECONDS = 68


def behind(folder: Path, corner: float) -> Path:
    """The bundled model of single channels, with a fixed scaling behind a high-pass (0: none)."""
    folder.mkdir()
    base = models.resolve("eegz-sc-1")
    (folder / "weights-of.txt").write_text("eegz-sc-1\n")
    (folder / CONFIG).write_bytes((base / CONFIG).read_bytes())
    scaling = ScalingConfig(kind="fixed", limit_uv=100.0, highpass_hz=corner)
    rename(folder, replace(load_checkpoint(folder).config, scaling=scaling, beam=1, prior=None))
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real EEG of 10 uV on 20 mV of offset and 300 uV of drift, and what two models make of it."""
    folder = tmp_path_factory.mktemp("highpass")
    source = drifting(folder / "drift.bdf", signals=1, seconds=SECONDS, drift=300.0)
    for name, corner in (("filtered", 0.1), ("clipped", 0.0)):
        eegzip.compress(source, folder / f"{name}.eegz", model=behind(folder / name, corner), codebooks=48)
    return folder


def original(path: Path) -> np.ndarray:
    """Samples in uV, of which 32 digital units are one."""
    edf = PlainEdf.read(path)
    return edf.digital(0)[None] / 32


@pytest.fixture(scope="module")
def wanted(work: Path) -> np.ndarray:
    """The recording without drift, in uV: the filter of section 2.2 over the whole, and the mean."""
    x = original(work / "drift.bdf")
    sections = butter(2, 0.1, "highpass", fs=RATE, output="sos")
    return sosfiltfilt(sections, x, axis=1, padlen=30 * RATE) + x.mean(axis=1, keepdims=True)


def prd(x: np.ndarray, y: np.ndarray) -> float:
    return float(100 * np.sqrt(np.square(y - x).sum() / np.square(x - x.mean(axis=1, keepdims=True)).sum()))


def restored(work: Path, name: str) -> np.ndarray:
    with eegzip.open(work / f"{name}.eegz", model=work / name) as recording:
        return recording.read()


def test_the_filtered_signal_comes_back_with_its_mean(work: Path, wanted: np.ndarray) -> None:
    assert prd(wanted, restored(work, "filtered")) < 15
    # What the scaling clips without the filter: all of it.
    assert prd(wanted, restored(work, "clipped")) > 200


def test_tokens_depend_neither_on_chunks_nor_on_what_is_read(work: Path, tmp_path: Path) -> None:
    eegzip.compress(work / "drift.bdf", tmp_path / "short.eegz", model=work / "filtered", codebooks=48, chunk_seconds=7)
    paths = (tmp_path / "short.eegz", work / "filtered.eegz")
    one, other = (eegzip.open(path, model=work / "filtered") for path in paths)
    with one, other:
        for mine, theirs in zip(one.tokens(), other.tokens(), strict=True):
            np.testing.assert_array_equal(mine.codes, theirs.codes)
        np.testing.assert_array_equal(one.read(start=50, stop=62), other.read()[:, 50 * RATE : 62 * RATE])


def test_report_and_info_say_what_is_not_kept(work: Path, tmp_path: Path) -> None:
    report = eegzip.compress(work / "drift.bdf", tmp_path / "a.eegz", model=work / "filtered", codebooks=2)
    assert any("drift below 0.1 Hz is not kept" in note and "--scaling adaptive" in note for note in report.notes)
    # Errors are of the recording as it was: drift that is gone counts.
    assert all(signal.prd > 90 for signal in report.signals)
    said = CliRunner().invoke(main, ["info", str(work / "filtered.eegz")]).output
    assert "what lay below 0.1 Hz was taken away first" in said
    with eegzip.open(work / "filtered.eegz") as recording:
        assert recording.info["codecs"][0]["highpass"] == 0.1
        assert recording.info["format"] == "eegz 1.5"


def test_an_adaptive_scaling_keeps_drift(work: Path, tmp_path: Path) -> None:
    path = tmp_path / "adaptive.eegz"
    report = eegzip.compress(work / "drift.bdf", path, model=work / "filtered", scaling="adaptive", codebooks=48)
    assert all(signal.prd < 5 for signal in report.signals)
    with eegzip.open(path) as recording:
        assert recording.info["codecs"][0]["highpass"] is None
    assert not any("drift" in note for note in report.notes)


def test_bounds_hold_over_such_tokens(work: Path, tmp_path: Path) -> None:
    source, path = drifting(tmp_path / "short.bdf", signals=1, seconds=6, drift=300.0), tmp_path / "bounded.eegz"
    eegzip.compress(source, path, model=work / "filtered", max_error="3uV", keep_tokens=True, codebooks=2)
    with eegzip.open(path, model=work / "filtered") as recording:
        assert np.abs(original(source) - recording.read()).max() <= 3.01


def test_configs_without_the_entry_are_what_they_were() -> None:
    config = models.load("eegz-sc-1").config
    assert "highpass_hz" not in config.to_json()["scaling"]
    fixed = replace(config, scaling=ScalingConfig(kind="fixed", highpass_hz=0.1))
    assert ModelConfig.from_json(json.loads(json.dumps(fixed.to_json()))) == fixed
    for scaling in (ScalingConfig(kind="adaptive", highpass_hz=0.1), ScalingConfig(kind="fixed", highpass_hz=1e-4)):
        with pytest.raises(ModelError, match="highpass_hz"):
            replace(config, scaling=scaling).check()


def test_training_writes_the_entry_where_its_scaling_is_fixed(work: Path) -> None:
    def planned(**data: object) -> float:
        return planned_model(settings_for(presets=["paper"], values={"data": data}), "m").scaling.highpass_hz

    assert planned() == 0.1
    assert planned(highpass_hz=0.0) == 0.0
    assert planned(scaling="adaptive") == 0.0
    tuned = settings_for(values={"start": {"init": str(work / "filtered")}})
    assert (tuned.data.scaling, tuned.data.highpass_hz) == ("fixed", 0.1)
