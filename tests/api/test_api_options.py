"""Codebooks, rates, scalings and models: what each option does to what is stored and what comes back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf, beginning, build

import eegzip
from eegzip import models
from eegzip.codecs.checkpoints import registry
from eegzip.codecs.checkpoints.weights import weights_file
from eegzip.formats.eegz.reader import EegzReader

SECONDS = 20
"""Of the recording: what options do shows there as well as on the whole."""


@pytest.fixture(scope="module")
def source(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of a real recording: three EEG channels and an ECG at 500 Hz."""
    return beginning(eegmat, tmp_path_factory.mktemp("short") / "in.edf", SECONDS)


def test_fewer_codebooks_are_smaller_and_coarser(source: Path, compressed: Callable[..., Path]) -> None:
    available = models.load().config.network.n_codebooks
    sizes, prds = [], []
    for codebooks in (1, 2, 4, available):
        path = compressed(source, codebooks=codebooks, model="eegz-sc-1")
        with eegzip.open(path) as recording:
            assert {stream.codes.shape[0] for stream in recording.tokens()} == {codebooks}
            prds.append([signal["prd"] for signal in recording.info["signals"][:3]])
        sizes.append(path.stat().st_size)
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 4
    for channel in zip(*prds, strict=True):
        assert list(channel) == sorted(channel, reverse=True)
        assert channel[-1] < 60
    with pytest.raises(eegzip.UsageError, match=f"has {available} codebooks"):
        eegzip.compress(source, source.with_name("never.eegz"), codebooks=available + 1)


@pytest.mark.parametrize(("rate", "expected"), [("native", 500), (256, 256), ("512", 512), (None, 256)])
def test_rates(
    rate: str | int | None, expected: float, source: Path, compressed: Callable[..., Path], tmp_path: Path
) -> None:
    path = compressed(source, rate=rate)
    hop = models.load().config.network.hop
    with eegzip.open(path) as recording:
        (codec,) = recording.info["codecs"]
        assert codec["rate"] == (None if rate == "native" else expected)
        for stream in recording.tokens():
            assert stream.frame_rate == pytest.approx(expected / hop)
            assert len(stream) == pytest.approx(SECONDS * expected / hop, abs=2)
        assert all(signal["prd"] < 60 for signal in recording.info["signals"][:3])
        assert recording.read("O1", 10, 11).shape == (1, 500)


@pytest.mark.parametrize("rate", ["fast", "nan", "-256", "0", "1e9", ""])
def test_rates_that_make_no_sense(rate: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(eegzip.UsageError, match="rate"):
        eegzip.compress(source, tmp_path / "x.eegz", rate=rate)
    assert list(tmp_path.iterdir()) == []


def artefact(eegmat: Path, folder: Path) -> tuple[Path, np.ndarray]:
    """Real EEG with an offset of 1 mV for a while, as an electrode that is touched gives."""
    values = PlainEdf.read(eegmat).digital(0)[: 40 * 500] // 8
    microvolts = values * 0.05
    microvolts[20 * 500 : 30 * 500] += 1000
    digital = np.clip(np.rint(microvolts / 0.05), -32768, 32767).astype(int).reshape(40, 500)
    fields = {"unit": "uV", "pmin": -1638.4, "pmax": 1638.35, "dmin": -32768, "dmax": 32767}
    return build(folder / "artefact.edf", [{"label": "Fp1", "values": digital, **fields}]), digital.ravel() * 0.05


def test_fixed_scaling_clips_and_adaptive_does_not(eegmat: Path, tmp_path: Path) -> None:
    source, original = artefact(eegmat, tmp_path)
    inside = slice(24 * 500, 28 * 500)
    means = {}
    for scaling in ("fixed:200uV", "adaptive"):
        path = tmp_path / "file.eegz"
        eegzip.compress(source, path, scaling=scaling, overwrite=True)
        with eegzip.open(path) as recording:
            restored = recording.read()[0]
            assert recording.info["codecs"][0]["scaling"] == scaling.split(":")[0]
        means[scaling] = restored[inside].mean()
    assert original[inside].mean() > 900
    assert means["adaptive"] == pytest.approx(original[inside].mean(), rel=0.05)
    # The network may ring a little beyond full scale, but nothing reaches what was clipped away.
    assert means["fixed:200uV"] < 300


@pytest.mark.parametrize("scaling", ["fixed", "fixed:", "fixed:-1uV", "fixed:nanuV", "fixed:200mV", "logarithmic", ""])
def test_scalings_that_make_no_sense(scaling: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(eegzip.UsageError, match="scaling"):
        eegzip.compress(source, tmp_path / "x.eegz", scaling=scaling)
    assert list(tmp_path.iterdir()) == []


def test_a_model_by_name_path_and_digest(source: Path, compressed: Callable[..., Path], tmp_path: Path) -> None:
    default = compressed(source).read_bytes()
    checkpoint = models.load()
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint.folder, folder)
    for number, model in enumerate([models.DEFAULT_MODEL, folder, str(folder), checkpoint.digest[:16]]):
        path = tmp_path / f"{number}.eegz"
        eegzip.compress(source, path, model=model)
        assert path.read_bytes() == default
    eegzip.decompress(tmp_path / "0.eegz", tmp_path / "a.edf", model=folder)
    eegzip.decompress(tmp_path / "0.eegz", tmp_path / "b.edf")
    assert (tmp_path / "a.edf").read_bytes() == (tmp_path / "b.edf").read_bytes()


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    """The default model with one codeword changed: another digest, the same shapes."""
    from eegzip.codecs.checkpoints.checkpoint import save_checkpoint

    checkpoint = models.load()
    folder = tmp_path / "other"
    state = {name: tensor.clone() for name, tensor in checkpoint.state.items()}
    name = next(name for name in sorted(state) if "codebook" in name and state[name].ndim == 2)
    state[name][0, 0] += 0.25
    save_checkpoint(folder, checkpoint.config, state)
    return folder


def test_another_model_is_refused(
    other_model: Path, source: Path, compressed: Callable[..., Path], tmp_path: Path
) -> None:
    path = compressed(source)
    with pytest.raises(eegzip.ModelError, match="is another"):
        eegzip.decompress(path, tmp_path / "x.edf", model=other_model)
    assert not (tmp_path / "x.edf").exists()
    with eegzip.open(path, model=other_model) as recording:
        # What needs no network is there all the same.
        assert recording.read("ECG", 0, 1).shape == (1, 500)
        with pytest.raises(eegzip.ModelError, match="is another"):
            recording.read("O1", 0, 1)
    with pytest.raises(eegzip.ModelError, match="is another"):
        eegzip.verify(path, deep=True, model=other_model)


def test_a_file_of_a_model_that_is_not_at_hand(other_model: Path, source: Path, tmp_path: Path) -> None:
    path = tmp_path / "file.eegz"
    report = eegzip.compress(source, path, model=other_model)
    assert report.digest == models.load(other_model).digest != models.load().digest
    with pytest.raises(eegzip.ModelError, match=f"digest {report.digest[:16]}"):
        eegzip.decompress(path, tmp_path / "x.edf")
    assert eegzip.decompress(path, tmp_path / "x.edf", model=other_model).n_records == SECONDS
    # Without the model: tokens, exact signals and every checksum.
    assert eegzip.verify(path).intact
    with eegzip.open(path) as recording:
        assert recording.tokens("O1")[0].digest == report.digest
        assert recording.read("ECG").shape == (1, 500 * SECONDS)


def test_models_that_are_not_there_or_spoilt(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.eegz"
    for model in ("no-such-model", tmp_path / "nowhere", "0123456789abcdef"):
        with pytest.raises(eegzip.ModelError):
            eegzip.compress(source, target, model=model)
    spoilt = tmp_path / "spoilt"
    shutil.copytree(models.load().folder, spoilt)
    weights = spoilt / "model.safetensors"
    data = bytearray(weights_file(spoilt).read_bytes())
    data[-1000] ^= 1
    weights.write_bytes(data)
    with pytest.raises(eegzip.ModelError, match="digest"):
        eegzip.compress(source, target, model=spoilt)
    assert not target.exists()


@pytest.fixture
def damaged_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundled folder is one in which the default model is damaged."""
    bundled = tmp_path / "bundled"
    spoilt = bundled / models.DEFAULT_MODEL
    shutil.copytree(models.load().folder, spoilt)
    (spoilt / "model.safetensors").write_bytes(b"spoilt")
    monkeypatch.setattr(registry, "BUNDLED", bundled)
    return spoilt


def test_a_model_that_nothing_needs_may_be_damaged(
    source: Path, short_psg: Path, damaged_default: Path, tmp_path: Path
) -> None:
    target = tmp_path / "x.eegz"
    with pytest.raises(eegzip.ModelError, match=r"model\.safetensors"):
        eegzip.compress(source, target)
    for recording, options in (
        (source, {"lossless": True}),
        (source, {"quality": "archive"}),
        (source, {"max_error": "2uV"}),
        (source, {"exact": ["*"]}),
        (short_psg.with_name("test_utf8_annotations.edf"), {}),
    ):
        report = eegzip.compress(recording, target, overwrite=True, **options)
        assert report.model is None
        eegzip.decompress(target, tmp_path / "back.edf", overwrite=True)
        if "max_error" not in options:
            assert (tmp_path / "back.edf").read_bytes() == recording.read_bytes()
    # One that is named is looked at, needed or not: who names it means something by it.
    with pytest.raises(eegzip.ModelError):
        eegzip.compress(source, target, lossless=True, model=damaged_default, overwrite=True)


def test_the_header_says_what_was_used(source: Path, compressed: Callable[..., Path]) -> None:
    checkpoint = models.load()
    with EegzReader(compressed(source)) as reader:
        (codec,) = reader.header.codecs
        assert codec.digest == checkpoint.digest
        assert codec.model == checkpoint.config.name == models.DEFAULT_MODEL
        assert (codec.hop, codec.codebooks) == (checkpoint.config.network.hop, checkpoint.config.network.n_codebooks)
        level = int(np.log2(codec.codebook_size)) * 256 / codec.hop
        for group in reader.header.groups:
            # Who says nothing gets as many codebooks as cost at most 384 bit/s, or the error that these would leave.
            assert group.bits_per_second <= 384 < group.bits_per_second + level
            assert group.codebooks == codec.codebooks
            assert group.bits_per_sample == pytest.approx(group.bits_per_second / 500)
        stored = reader.header.software
    assert stored == f"eegzip {eegzip.__version__}"
    with eegzip.open(compressed(source)) as recording:
        assert json.loads(json.dumps(recording.info, allow_nan=False))["codecs"][0]["digest"] == checkpoint.digest
