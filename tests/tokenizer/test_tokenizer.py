"""Tensors to tokens and back: the tokens of a file, in batches, without surprises."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from api.group_models import GROUPS, NAMES, SINGLE, backbone, save_groups
from api.plain_edf import PlainEdf
from api.recordings import SHIPPED

import eegzip
from eegzip.codecs.checkpoints.checkpoint import save_checkpoint
from eegzip.codecs.checkpoints.config import ScalingConfig

BUNDLED = ["dac-sc-compact-1", "eegz-sc-1", "eegz-sc-2", "eegz-mc-2", "biocodec-1"]
LABELS = ["Fp1", "T3", "C3"]
RATE, SECONDS = 500, 8


@pytest.fixture(scope="module")
def microvolts() -> np.ndarray:
    """8 s of three channels of a real recording."""
    plain = PlainEdf.read(next((SHIPPED / "eegmat").glob("*.edf")))
    return np.stack([plain.digital(index)[: SECONDS * RATE] / 100 for index in range(3)])


@pytest.fixture(scope="module")
def tokenizer() -> eegzip.Tokenizer:
    return eegzip.Tokenizer.from_pretrained("eegz-sc-1")


def file_and_tensor(
    path: Path, data: np.ndarray, labels: list[str], model: str | Path
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, eegzip.Scales]:
    """Tokens of a file and what it restores, tokens of a tensor, what these give; and the scales."""
    eegzip.compress_array(data, RATE, labels, path, model=model, chunk_seconds=3, lossy=["*"])
    tokenizer = eegzip.Tokenizer.from_pretrained(model)
    with eegzip.open(path, model=model, alone=True) as recording:
        streams = [stream.codes.astype(np.int64) for stream in recording.tokens()]
        restored = recording.read(labels)
        x = torch.from_numpy(data)[None]
        codes, scales = tokenizer.encode(x, RATE, labels, like=recording, return_scales=True)
    stored = torch.from_numpy(np.stack(streams))
    stored[stored == 65535] = -1
    return stored, torch.from_numpy(restored), codes, tokenizer.decode(codes, scales, alone=True), scales


@pytest.mark.parametrize("model", BUNDLED)
def test_tokens_and_waveforms_are_those_of_a_file(microvolts: np.ndarray, tmp_path: Path, model: str) -> None:
    stored, restored, codes, decoded, scales = file_and_tensor(tmp_path / "a.eegz", microvolts, LABELS, model)
    assert codes.dtype == torch.int64
    assert torch.equal(codes[0], stored)
    digit = torch.from_numpy(np.abs(scales.gains))[:, None]
    # A file has digits; half of one is rounding.
    assert float(((decoded[0] - restored).abs() / digit).max()) < 0.51


def test_mains_are_taken_out_as_in_a_file(tmp_path: Path) -> None:
    """The tokens are of what is left, and so is what they give."""
    plain = PlainEdf.read(SHIPPED / "lines" / "line_60_256.edf")
    source = SHIPPED / "lines" / "line_60_256.edf"
    eegzip.compress(source, tmp_path / "a.eegz", model="eegz-sc-1", codebooks=4)
    eegzip.compress(source, tmp_path / "b.eegz", lossless=True)
    tokenizer = eegzip.Tokenizer.from_pretrained("eegz-sc-1")
    with eegzip.open(tmp_path / "a.eegz") as coded, eegzip.open(tmp_path / "b.eegz") as exact:
        assert coded.info["lines"]
        streams = coded.tokens()
        labels = [label for stream in streams for label in stream.labels]
        x = torch.from_numpy(exact.read(labels))[None]
        codes, scales = tokenizer.encode(x, 256, labels, codebooks=4, like=exact, return_scales=True)
        restored = coded.read(labels)
    assert torch.equal(codes[0], torch.from_numpy(np.stack([stream.codes for stream in streams]).astype(np.int64)))
    assert plain.n_signals >= len(labels)
    added = restored - tokenizer.decode(codes, scales)[0].numpy()
    spectrum = np.abs(np.fft.rfft(added[0] * np.hanning(added.shape[1])))
    assert np.fft.rfftfreq(added.shape[1], 1 / 256)[spectrum.argmax()] == pytest.approx(60, abs=0.5)


def test_groups_of_channels_are_those_of_a_file(microvolts: np.ndarray, tmp_path: Path) -> None:
    save_groups(tmp_path / "model", GROUPS)
    data = np.concatenate([microvolts, microvolts[:, ::-1], microvolts[:2] / 2])[:, : 3 * RATE]
    stored, restored, codes, decoded, scales = file_and_tensor(tmp_path / "a.eegz", data, NAMES[8], tmp_path / "model")
    tokenizer = eegzip.Tokenizer.from_pretrained(tmp_path / "model")
    groups = tokenizer.groups(NAMES[8])
    assert tokenizer.unit == "group"
    assert len(groups) == codes.shape[1] < 8
    assert torch.equal(codes[0], stored)
    assert float(((decoded[0] - restored).abs() / torch.from_numpy(scales.gains)[:, None]).max()) < 0.51
    assert tokenizer.decode(codes, channel_names=NAMES[8]).shape[:2] == (1, 8)
    with pytest.raises(eegzip.UsageError, match="channel_names are needed"):
        tokenizer.encode(torch.from_numpy(data)[None], RATE)


def test_a_fixed_scaling_needs_no_scales(microvolts: np.ndarray, tmp_path: Path) -> None:
    config = replace(SINGLE, scaling=ScalingConfig("fixed", limit_uv=100.0))
    save_checkpoint(tmp_path / "model", config, backbone().state_dict(), "# A random model\n")
    data = microvolts[:, : 2 * RATE]
    stored, restored, codes, decoded, scales = file_and_tensor(tmp_path / "a.eegz", data, LABELS, tmp_path / "model")
    assert torch.equal(codes[0], stored)
    assert float(((decoded[0] - restored).abs() / torch.from_numpy(scales.gains)[:, None]).max()) < 0.51
    steady = eegzip.Tokenizer.from_pretrained(tmp_path / "model").decode(codes, sample_rate=RATE)
    # What is restored passes the original's range nowhere; made-up tokens have none.
    inside = (decoded.amin(dim=2, keepdim=True), decoded.amax(dim=2, keepdim=True))
    common = slice(0, min(steady.shape[2], decoded.shape[2]))
    np.testing.assert_allclose(steady.clamp(*inside)[..., common], decoded[..., common], atol=0.05)


def test_batches_and_threads_change_nothing(microvolts: np.ndarray) -> None:
    x = torch.from_numpy(np.stack([microvolts, microvolts / 3, microvolts[:, ::-1].copy()]))[:, :, :1500]
    for model in ("eegz-sc-2", "eegz-mc-2"):
        tokenizer = eegzip.Tokenizer.from_pretrained(model)
        together, scales = tokenizer.encode(x, RATE, codebooks=4, return_scales=True)
        restored = tokenizer.decode(together, scales)
        before = torch.get_num_threads()
        torch.set_num_threads(2)
        try:
            other = eegzip.Tokenizer.from_pretrained(model)
            alone = [other.encode(row[None], RATE, codebooks=4, return_scales=True) for row in x]
            parts = [other.decode(*each) for each in alone]
        finally:
            torch.set_num_threads(before)
        assert torch.equal(torch.cat([codes for codes, _ in alone]), together)
        assert torch.equal(torch.cat(parts), restored)
        assert torch.equal(tokenizer.decode(together[1:], scales[1:]), restored[1:])


def test_results_are_ordinary_tensors(tokenizer: eegzip.Tokenizer, microvolts: np.ndarray) -> None:
    x = torch.from_numpy(microvolts[None, :, :1000]).float().requires_grad_()
    codes, scales = tokenizer.encode(x, RATE, codebooks=3, return_scales=True)
    decoded, embedded = tokenizer.decode(codes, scales), tokenizer.embed(codes)
    for tensor in (codes, decoded, embedded, scales.microvolts()):
        assert not tensor.is_inference()
        assert not tensor.requires_grad
    weight = torch.ones(embedded.shape[2], requires_grad=True)
    (embedded * weight[:, None]).sum().backward()
    assert weight.grad is not None
    assert scales.microvolts().shape == (1, 3, scales.knots.shape[2])
    # The scale is about as loud as the signal.
    assert float(scales.microvolts().mean()) == pytest.approx(float(x.detach().std(dim=2).mean()), rel=0.6)


def test_embeddings_are_sums_of_codewords(tokenizer: eegzip.Tokenizer) -> None:
    codes = torch.randint(0, tokenizer.vocabulary_size, (2, 3, 5, 4), generator=torch.Generator().manual_seed(0))
    codes[0, 0, 2:, 1] = -1
    expected = torch.zeros(2, 3, 4, tokenizer.codewords.shape[2])
    for level in range(5):
        expected += tokenizer.codewords[level][codes[:, :, level].clamp(min=0)] * (codes[:, :, level] >= 0)[..., None]
    torch.testing.assert_close(tokenizer.embed(codes), expected.transpose(2, 3))


def test_what_a_tokenizer_says_of_itself(tokenizer: eegzip.Tokenizer) -> None:
    assert (tokenizer.codebooks, tokenizer.vocabulary_size, tokenizer.sample_rate) == (48, 256, 256.0)
    assert (tokenizer.frame_rate, tokenizer.bits_per_second) == (2.0, 768.0)
    assert tokenizer.digest == eegzip.models.describe("eegz-sc-1").digest
    assert tokenizer.codewords.shape == (48, 256, 128)
    units = [eegzip.Tokenizer.from_pretrained(name).unit for name in BUNDLED]
    assert units == ["channel", "channel", "channel", "component", "channel"]


def test_it_is_frozen_and_can_be_sent_around(tokenizer: eegzip.Tokenizer) -> None:
    assert list(tokenizer.parameters()) == []
    assert torch.nn.Sequential(torch.nn.Linear(2, 2), tokenizer).state_dict().keys() == {"0.weight", "0.bias"}
    x = 20 * torch.randn(1, 1, 600, generator=torch.Generator().manual_seed(1))
    codes = tokenizer(x, 200, codebooks=2)
    for again in (pickle.loads(pickle.dumps(tokenizer)), copy.deepcopy(tokenizer), tokenizer.half()):
        assert torch.equal(again.encode(x, 200, codebooks=2), codes)
    tokenizer.float()


@pytest.mark.parametrize("samples", [1, 2, 37, 257])
def test_short_and_odd_lengths(tokenizer: eegzip.Tokenizer, samples: int) -> None:
    x = 30 * torch.randn(2, 2, samples, generator=torch.Generator().manual_seed(samples))
    codes, scales = tokenizer.encode(x, 256.5, codebooks=6, return_scales=True)
    decoded = tokenizer.decode(codes, scales)
    assert decoded.shape == x.shape
    assert bool(torch.isfinite(decoded).all())


def test_flat_channels(tokenizer: eegzip.Tokenizer, microvolts: np.ndarray) -> None:
    """Among single channels they have tokens as any; of components there is one less."""
    x = torch.from_numpy(np.stack([microvolts, np.full_like(microvolts, 12.0)])[:, :, :1000])
    x[0, 1] = 7.0
    codes, scales = tokenizer.encode(x, RATE, codebooks=3, return_scales=True)
    assert int(codes.min()) >= 0
    torch.testing.assert_close(tokenizer.decode(codes, scales)[0, 1], torch.full((1000,), 7.0), atol=0.1, rtol=0)
    components = eegzip.Tokenizer.from_pretrained("eegz-mc-2")
    codes, scales = components.encode(x, RATE, return_scales=True)
    assert bool((codes[0, 1] == -1).all())
    assert bool((codes[1] == -1).all())
    assert int(codes[0, 0].max()) >= 0
    decoded = components.decode(codes, scales)
    assert decoded[0, 1].tolist() == [7.0] * 1000
    assert bool((decoded[1] == 12.0).all())
    error = float((decoded[0, 0] - x[0, 0]).square().mean().sqrt() / x[0, 0].std())
    assert error < 0.2


@pytest.mark.parametrize("rate", [None, 100.0, 250.0, 1000.0])
def test_made_up_tokens_have_a_level(tokenizer: eegzip.Tokenizer, microvolts: np.ndarray, rate: float | None) -> None:
    codes = tokenizer.encode(torch.from_numpy(microvolts)[None], RATE, codebooks=12)
    decoded = tokenizer.decode(codes, level=50.0, sample_rate=rate)
    assert decoded.shape[2] / (rate or 256) == pytest.approx((codes.shape[3] - 1) / tokenizer.frame_rate, abs=0.02)
    assert 15 < float(decoded.std()) < 80
    twice = tokenizer.decode(codes, level=100.0, sample_rate=rate)
    torch.testing.assert_close(twice, 2 * decoded, atol=1e-3, rtol=1e-4)


def test_components_need_their_scales() -> None:
    components = eegzip.Tokenizer.from_pretrained("eegz-mc-2")
    with pytest.raises(eegzip.UsageError, match="components of one recording"):
        components.decode(torch.zeros(1, 2, 3, 4, dtype=torch.int64))


def test_what_makes_no_sense_is_said(tokenizer: eegzip.Tokenizer, microvolts: np.ndarray, eegmat: Path) -> None:
    x = torch.from_numpy(microvolts[None, :, :1000])
    bad = x.clone()
    bad[0, 1, 7] = float("nan")
    for wrong, rate, names, options, sentence in (
        (x[0], RATE, None, {}, r"One recording is x\[None\]"),
        (x.long(), RATE, None, {}, "tensor of floats"),
        (x[:, :0], RATE, None, {}, "none of them 0"),
        (bad, RATE, LABELS, {}, "'T3' has samples that are no numbers"),
        (x * 1e6, RATE, None, {}, "samples must be in uV"),
        (x, 0.0, None, {}, "positive number of Hz"),
        (x, 50.0, None, {}, "under 64 Hz"),
        (x, RATE, ["C3"], {}, "must be 3 names"),
        (x, RATE, None, {"codebooks": 49}, "48 codebooks; 49"),
    ):
        with pytest.raises(eegzip.UsageError, match=sentence):
            tokenizer.encode(wrong, rate, names, **options)
    codes, scales = tokenizer.encode(x, RATE, codebooks=2, return_scales=True)
    for wrong_codes, sentence in (
        (codes[0], "tensor of integers"),
        (codes.float(), "tensor of integers"),
        (codes[..., 1:], "cut batches alike"),
    ):
        with pytest.raises(eegzip.UsageError, match=sentence):
            tokenizer.decode(wrong_codes, scales)
    with pytest.raises(eegzip.ModelError, match="0 to 255, and -1 for none"):
        tokenizer.decode(codes + 256, scales)
    with pytest.raises(eegzip.UsageError, match="stand for no samples"):
        tokenizer.decode(codes[..., :1])
    with pytest.raises(eegzip.UsageError, match="cut by slices"):
        scales[0]
    with pytest.raises(eegzip.ModelError, match="no model 'nothing'"):
        eegzip.Tokenizer.from_pretrained("nothing")
    from eegzip.formats.edf import EdfFile

    with EdfFile.open(eegmat) as file, pytest.raises(eegzip.UsageError, match="has no channel 'X9'"):
        tokenizer.encode(x, RATE, ["X9", *LABELS[1:]], like=file.header)
