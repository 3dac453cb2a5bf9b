"""Signals other than EEG: coded on request, each alone, at their own rate and by models of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf, build

import eegzip
from eegzip import models
from eegzip.codecs.checkpoints.checkpoint import CONFIG, load_checkpoint, rename
from eegzip.evaluation.metrics import prd

ECG = {"lossy": ("ECG*",)}


@pytest.fixture(scope="module")
def night(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 s of Fp1, T3, O1 and ECG at 500 Hz."""
    folder = tmp_path_factory.mktemp("kinds")
    eegzip.compress(eegmat, folder / "whole.eegz", lossless=True)
    eegzip.decompress(folder / "whole.eegz", folder / "night.edf", stop=10)
    return folder / "night.edf"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is neither bundled nor cached."""
    folder = tmp_path_factory.mktemp("models") / "my-ecg"
    folder.mkdir()
    (folder / "weights-of.txt").write_text("eegz-sc-1\n")
    (folder / CONFIG).write_bytes((models.resolve("eegz-sc-1") / CONFIG).read_bytes())
    rename(folder, replace(load_checkpoint(folder).config, name="my-ecg", beam=1, prior=None))
    return folder


def said(path: Path, **how: object) -> dict[str, tuple[str, str, str | None, float | None]]:
    with eegzip.open(path, **how) as recording:  # type: ignore[arg-type]
        signals = recording.info["signals"]
    return {s["label"]: (s["kind"], s["coding"].value, s["model"], s["model_rate"]) for s in signals}


def test_what_is_not_asked_for_stays_exact(night: Path, compressed: Callable[..., Path]) -> None:
    path = compressed(night)
    assert path.read_bytes()[10] < 7
    assert said(path)["ECG ECG"] == ("ecg", "exact", None, None)


@pytest.mark.parametrize("model", ["eegz-mc-2", "eegz-sc-2"])
def test_ecg_is_coded_alone_at_its_own_rate(
    model: str, night: Path, compressed: Callable[..., Path], tmp_path: Path
) -> None:
    """EEG's tokens are those that it has without the ECG: in no rotation with it, refined by none of its tokens."""
    path, without = compressed(night, model=model, **ECG), compressed(night, model=model)
    assert path.read_bytes()[10] == 7
    found = said(path)
    assert found["ECG ECG"] == ("ecg", "tokens", model, 500.0)
    assert found["EEG O1"] == ("eeg", "tokens", model, 256.0)
    with eegzip.open(path) as recording, eegzip.open(without) as plain:
        streams, others = recording.tokens(), plain.tokens()
        assert len(streams) == len(others) + 1
        for mine, theirs in zip(streams, others, strict=False):
            np.testing.assert_array_equal(mine.codes, theirs.codes)
        np.testing.assert_array_equal(recording.read(["EEG*"]), plain.read(["EEG*"]))
        whole = recording.read("ECG ECG")
        np.testing.assert_array_equal(recording.read("ECG ECG", 3, 4.5), whole[:, 1500:2250])
        stated = {signal["label"]: signal for signal in recording.info["signals"]}
        assert eegzip.verify(path, deep=True).intact
    eegzip.decompress(path, tmp_path / "back.edf")
    x, y = PlainEdf.read(night).digital(3).astype(float), PlainEdf.read(tmp_path / "back.edf").digital(3)
    error = float(prd(((y - x) ** 2).sum(), ((x - x.mean()) ** 2).sum()))
    assert stated["ECG ECG"]["prd"] == pytest.approx(error, rel=1e-3)
    assert error < 10
    # It has figures, and no part in those of EEG.
    judged = {channel.label: channel for channel in eegzip.evaluate(night, path).channels}
    assert [label for label, channel in judged.items() if channel.eeg] == ["EEG Fp1", "EEG T3", "EEG O1"]
    assert judged["ECG ECG"].measures.prd == pytest.approx(error, rel=1e-3)


def test_its_band_is_kept_unless_the_user_says_a_rate(tmp_path: Path) -> None:
    """Half of a surface EMG lies above what a model of 256 Hz sees; none of it is lost without a word."""
    spectrum = np.fft.rfft(np.random.default_rng(1).normal(0, 1000, 5000))
    spectrum[np.abs(np.fft.rfftfreq(5000, 1e-3) - 225) > 75] = 0
    digits = np.rint(np.fft.irfft(spectrum)).astype(np.int64)
    emg = {"label": "EMG chin", "unit": "uV", "pmin": -3276.8, "pmax": 3276.7, "dmin": -32768, "dmax": 32767}
    source = build(tmp_path / "emg.edf", [{**emg, "values": digits.reshape(-1, 1000)}], duration="1")
    errors = []
    for rate in (None, 256):
        how = {"model": "eegz-sc-1", "codebooks": 24, "lossy": ["EMG*"], "overwrite": True}
        report = eegzip.compress(source, tmp_path / "a.eegz", rate=rate, **how)
        assert said(tmp_path / "a.eegz")["EMG chin"] == ("emg", "tokens", "eegz-sc-1", rate or 1000.0)
        errors.append(report.signals[0].prd or 0.0)
    assert errors[0] < 60
    assert errors[1] > 99


def test_a_model_of_its_own(night: Path, own: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.eegz"
    report = eegzip.compress(night, path, model={"ecg": own}, verify=True, **ECG)
    # A model of the kind knows it at its own rate, and what that costs is said.
    assert [note for note in report.notes if "ECG" in note] == [
        "nothing above 115 Hz is kept of 'ECG ECG', as the model my-ecg works at 256 Hz; --rate native keeps it"
    ]
    assert said(path)["ECG ECG"][2:] == ("my-ecg", 256.0)
    assert said(path)["EEG O1"][2:] == ("eegz-mc-2", 256.0)
    with eegzip.open(path, model=own) as recording:
        assert recording.read("ECG ECG").shape == (1, 5000)
    # Without it there is all the rest, and its tokens.
    with eegzip.open(path) as recording:
        assert recording.read("EEG O1").shape == (1, 5000)
        assert recording.tokens("ECG ECG")[0].model == "my-ecg"
        with pytest.raises(eegzip.ModelError, match="the model 'my-ecg'"):
            recording.read("ECG ECG")
    assert eegzip.verify(path).intact
    # One that is none of the file's is refused.
    with eegzip.open(path, model="dac-sc-compact-1") as recording, pytest.raises(eegzip.ModelError, match="is another"):
        recording.read("ECG ECG")


def test_kinds_that_the_user_says(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.eegz"
    eegzip.compress(night, path, kinds={"O1": "ecg", "ECG": "eeg"}, model="eegz-sc-1", codebooks=4)
    found = said(path)
    assert found["EEG O1"] == ("ecg", "exact", None, None)
    assert found["ECG ECG"] == ("eeg", "tokens", "eegz-sc-1", 256.0)
    assert path.read_bytes()[10] == 7
    with pytest.raises(eegzip.UsageError, match="'heart' is no kind of signal"):
        eegzip.compress(night, path, kinds={"ECG": "heart"}, overwrite=True)
    with pytest.raises(eegzip.UsageError, match=r"matches 'Nix' \(--kind\)"):
        eegzip.compress(night, path, kinds={"Nix": "ecg"}, overwrite=True)


def test_a_bound_on_breathing_is_of_the_whole(short_psg: Path, tmp_path: Path) -> None:
    """Breathing lies below 0.5 Hz, where a bound on the EEG part has nothing; 1 Hz has no such part at all."""
    path, back = tmp_path / "a.eegz", tmp_path / "a.edf"
    report = eegzip.compress(short_psg, path, max_prd=9, lossy=["Resp*"], verify=True)
    (signal,) = (signal for signal in report.signals if signal.label.startswith("Resp"))
    exact = eegzip.compress(short_psg, tmp_path / "b.eegz", max_prd=9).signals[3].stored_bytes
    assert signal.coding == "layers"
    assert signal.stored_bytes < 0.5 * exact
    assert (signal.eeg_prd, signal.worst_chunk_eeg_prd) == (None, None)
    eegzip.decompress(path, back)
    x, y = PlainEdf.read(short_psg).digital(3).astype(float), PlainEdf.read(back).digital(3)
    # Chunks of two data records of 30 s.
    for a, b in zip(x.reshape(-1, 60), y.reshape(-1, 60), strict=True):
        assert np.sum((a - b) ** 2) <= 0.09**2 * np.sum((a - a.mean()) ** 2) * (1 + 1e-9)


def test_what_could_not_be_done_is_said(short_psg: Path, tmp_path: Path) -> None:
    report = eegzip.compress(short_psg, tmp_path / "a.eegz", model="eegz-sc-1", codebooks=2, lossy=["Resp*", "EOG*"])
    slow, other = (note for note in report.notes if "Resp" in note or "EOG" in note)
    assert slow.startswith("'Resp oro-nasal' is kept exactly, though --lossy names it: its rate of 1 Hz is under 64 Hz")
    assert other.startswith("coded by a model of EEG: 'EOG horizontal'")
    assert said(tmp_path / "a.eegz")["EOG horizontal"] == ("eog", "tokens", "eegz-sc-1", 256.0)
