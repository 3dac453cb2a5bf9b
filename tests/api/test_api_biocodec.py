"""Recordings through a BioCodec: any part, any chunks, any blocks give the same; each signal at a scale of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from api.causal_models import CAUSAL, save_causal
from api.plain_edf import PlainEdf, beginning
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main
from eegzip.codecs.checkpoints.config import JointConfig, ScalingConfig
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.signal.highpass import HighPass
from eegzip.codecs.signal.resampling import Resampler
from eegzip.codecs.signal.scaling import RobustLevel
from eegzip.codecs.token_stream import TokenStream
from eegzip.formats.errors import ModelError, UsageError

CHANNELS = ["Fp1", "T3", "O1"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("causal") / "model").folder


@pytest.fixture(scope="module")
def source(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 15 s of a real recording."""
    return beginning(eegmat, tmp_path_factory.mktemp("cut") / "cut.edf", 15)


@pytest.fixture(scope="module")
def coded(source: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("coded") / "a.eegz"
    eegzip.compress(source, path, model=model, codebooks=3)
    return path


def tokens_of(path: Path) -> np.ndarray:
    with eegzip.open(path) as recording:
        return np.stack([stream.codes for stream in recording.tokens()])


def test_every_part_is_that_of_the_whole(coded: Path, model: Path, tmp_path: Path) -> None:
    """Across the ends of windows, too: they are 3.36 s long here."""
    with eegzip.open(coded, model=model) as recording:
        whole = recording.read(CHANNELS)
    assert np.isfinite(whole).all()
    assert np.ptp(whole) > 0
    for start, stop in ((0, 1), (3, 4), (9, 15)):
        with eegzip.open(coded, model=model) as recording:
            part = recording.read(["T3"], start=start, stop=stop)
        assert np.array_equal(part[0], whole[1, start * 500 : stop * 500])
    eegzip.decompress(coded, tmp_path / "back.edf", model=model)
    back = PlainEdf.read(tmp_path / "back.edf")
    assert back.n_signals >= 3


def test_chunks_change_no_token(source: Path, coded: Path, model: Path, tmp_path: Path) -> None:
    eegzip.compress(source, tmp_path / "b.eegz", model=model, codebooks=3, chunk_seconds=2)
    assert np.array_equal(tokens_of(tmp_path / "b.eegz"), tokens_of(coded))
    with eegzip.open(coded, model=model) as one, eegzip.open(tmp_path / "b.eegz", model=model) as many:
        assert np.array_equal(one.read(CHANNELS), many.read(CHANNELS))


def test_the_end_of_a_recording_changes_no_token_before_it(source: Path, coded: Path, model: Path) -> None:
    """What an encoder that runs along with a recording could not do without."""
    edf = PlainEdf.read(source)
    data = np.stack([edf.digital(index) for index in range(3)]).astype(float)
    twice = np.concatenate([data[:, :4000], data[:, :4000]], axis=1)
    # A robust scale is that of all there is.
    config = replace(CAUSAL, scaling=ScalingConfig("fixed", limit_uv=100.0))
    tokenizer = eegzip.Tokenizer(save_causal(model.parent / "fixed", config))
    whole = tokenizer.encode(torch.from_numpy(twice)[None], 500, CHANNELS, codebooks=3)
    half = tokenizer.encode(torch.from_numpy(twice[:, :4000])[None], 500, CHANNELS, codebooks=3)
    # Resampling looks ahead, by 64 samples of 500 Hz: six frames.
    sure = half.shape[-1] - 8
    assert sure > 2 * CAUSAL.window_frames
    assert torch.equal(whole[..., :sure], half[..., :sure])


@pytest.mark.parametrize("blocks", [[3, 1, 700], [50] * 20, [140, 140, 7] * 5])
def test_a_stream_of_blocks_gives_the_tokens_of_the_file(
    source: Path, coded: Path, model: Path, blocks: list[int]
) -> None:
    with eegzip.open(coded) as recording:
        groups = recording.info["groups"]
    stored = tokens_of(coded)
    frames, hop = stored.shape[2], 6
    edf = PlainEdf.read(source)
    data = np.stack([edf.digital(index) for index in range(3)]).astype(float)
    filtered = HighPass(500.0, 0.1).whole(data)
    ends = np.pad(filtered, ((0, 0), (64, 64)), mode="edge")
    n = -(-data.shape[1] // 2)
    model_rate = Resampler(1, 2).resample(ends, -64, 0, n)
    scaled = np.clip(model_rate / np.array([group["ranges"][0] for group in groups])[:, None], -10, 10)
    # The first frame begins half a frame before the first sample, the last ends behind the last.
    wave = np.pad(scaled, ((0, 0), (3, frames * hop - n - 3)), mode="reflect").astype(np.float32)
    stream = TokenStream(CodecRuntime(eegzip.models.load(model)))
    found, start = [], 0
    for size in blocks:
        piece = wave[:, start * hop : (start + size) * hop]
        if piece.shape[1]:
            found.append(stream.encode(piece))
        start += size
    codes = np.concatenate(found, axis=2)
    assert codes.shape == stored.shape
    # Blocks of other sizes may round a sum differently, and a filter's last bits are those of its start.
    assert (codes == stored).mean() > 0.999


def test_what_can_not_stream_is_told(model: Path) -> None:
    with pytest.raises(UsageError, match="looks ahead"):
        TokenStream(CodecRuntime(eegzip.models.load("eegz-sc-1")))
    stream = TokenStream(CodecRuntime(eegzip.models.load(model)))
    for samples in (12, 20):
        with pytest.raises(UsageError, match="3 or more whole frames"):
            stream.encode(np.zeros((1, samples), np.float32))


def test_scales_are_each_signals_own(source: Path, coded: Path) -> None:
    edf = PlainEdf.read(source)
    with eegzip.open(coded) as recording:
        groups = recording.info["groups"]
    for index, group in enumerate(groups):
        x = edf.digital(index).astype(float)
        stretches = [x[start : start + 4000] for start in range(0, len(x), 4000)]
        spreads = [np.quantile(part, 0.75) - np.quantile(part, 0.25) for part in stretches]
        assert group["ranges"] == (pytest.approx(np.median(spreads)),)
        # Behind a filter it is the mean that comes back.
        assert group["centres"] == (pytest.approx(x.mean(), abs=0.5),)


def test_a_robust_level_bears_artefacts_and_silence() -> None:
    x = np.random.default_rng(0).normal(5, 2, 8000)
    parts = np.split(x, 4)
    plain = RobustLevel.of(parts)
    assert plain.median == pytest.approx(5, abs=0.1)
    assert plain.spread == pytest.approx(1.349 * 2, rel=0.05)
    parts[2] = parts[2] * 1000
    assert RobustLevel.of(parts).spread == pytest.approx(plain.spread, rel=0.1)
    mostly_still = np.zeros(100)
    mostly_still[:10] = 7
    assert RobustLevel.of([mostly_still]).spread == mostly_still.std()
    assert RobustLevel.of([np.zeros(9)]) == RobustLevel.of([]) == RobustLevel(0.0, 1.0)


def test_tensors_give_the_tokens_of_the_file_and_back(source: Path, coded: Path, model: Path) -> None:
    with eegzip.open(coded, model=model) as recording:
        restored = recording.read(CHANNELS)
        with eegzip.open(_exact(source, coded.parent)) as exact:
            x = torch.from_numpy(exact.read(CHANNELS))[None]
        tokenizer = eegzip.Tokenizer.from_pretrained(model)
        labels = [f"EEG {name}" for name in CHANNELS]
        codes, scales = tokenizer.encode(x, 500, labels, codebooks=3, like=recording, return_scales=True)
    assert np.array_equal(codes[0].numpy(), tokens_of(coded))
    digit = np.abs(scales.gains)[:, None]
    assert (np.abs(tokenizer.decode(codes, scales)[0].numpy() - restored) / digit).max() < 0.51
    # Made-up tokens have a level that is asked for.
    loud = [float(tokenizer.decode(codes, level=level, sample_rate=250).std()) for level in (10.0, 40.0)]
    assert loud[1] == pytest.approx(4 * loud[0], rel=1e-3)


def _exact(source: Path, folder: Path) -> Path:
    eegzip.compress(source, folder / "exact.eegz", lossless=True, overwrite=True)
    return folder / "exact.eegz"


def test_bounds_and_tokens_together(source: Path, model: Path, tmp_path: Path) -> None:
    report = eegzip.compress(source, tmp_path / "a.eegz", model=model, max_prd=20, keep_tokens=True)
    assert all(signal.prd <= 20 for signal in report.signals if signal.coding == "layers")


def test_the_command_line_names_it(coded: Path, model: Path) -> None:
    text = CliRunner().invoke(main, ["info", str(coded)]).output
    assert "causal (biocodec)" in text
    text = CliRunner().invoke(main, ["models", str(model)]).output
    assert "biocodec model" in text
    assert "robust scaling" in text


def test_configs_that_make_no_causal_model_are_refused() -> None:
    shape = CAUSAL.network
    for wrong in (
        replace(CAUSAL, network=replace(shape, linear_path=True, latent_dim=128)),
        replace(CAUSAL, network=replace(shape, final_tanh=True)),
        replace(CAUSAL, network=replace(shape, search="euclid")),
        replace(CAUSAL, network=replace(shape, encoder_rates=(3, 3))),
        replace(CAUSAL, network=replace(shape, decoder_dim=8192)),
        replace(CAUSAL, window_frames=127),
        replace(CAUSAL, scaling=ScalingConfig("robust", clamp=0.0)),
        replace(CAUSAL, scaling=ScalingConfig("rough")),
        replace(CAUSAL, joint=JointConfig("0" * 64)),
        # Strides that a network of DAC can't have.
        replace(CAUSAL, architecture="dac-sc"),
    ):
        with pytest.raises(ModelError):
            wrong.check()
