"""Models whose transform is linear, on numpy: the same tokens as on torch, samples within SPEC.md, section 9."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from api.joint_models import DEPTHS, small_decoder
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import LINEAR

import eegzip
from eegzip.codecs.checkpoints.checkpoint import Checkpoint, save_checkpoint
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.joint_inference import JointRefiner
from eegzip.codecs.networks.linear_network import LinearNetwork, is_linear
from eegzip.codecs.networks.torch_network import TorchNetwork
from eegzip.codecs.runtime import CodecRuntime, needs_torch
from eegzip.formats.errors import ModelError
from eegzip.formats.tokens.packed import ABSENT

# A waveform's error times the scale s is that of the samples, which may be 1 + s/1024.
TOLERANCE = 1 / 1024


@functools.cache
def pair() -> tuple[LinearNetwork, TorchNetwork]:
    checkpoint = eegzip.models.load("eegz-sc-1")
    beam = checkpoint.config.beam
    return LinearNetwork(checkpoint, 1, beam), TorchNetwork(checkpoint, "cpu", 1, beam)


@given(st.integers(0, 2**32 - 1), st.integers(1, 2), st.integers(1, 4), st.sampled_from([1, 5, 48]), st.booleans())
@settings(max_examples=8)
def test_both_ways_give_the_same(seed: int, rows: int, frames: int, levels: int, thrifty: bool) -> None:
    ours, theirs = pair()
    rng = np.random.default_rng(seed)
    waves = rng.standard_normal((rows, 1, (frames + 4) * 128)).astype(np.float32).cumsum(axis=2) / 8
    styles = np.zeros((rows, 1), np.int64)
    multipliers = rng.uniform(0, 20, (rows, frames)).astype(np.float32) if thrifty else None
    codes, latents = ours.encode(waves, styles, slice(2, 2 + frames), levels, multipliers)
    with theirs.working():
        found, their_latents = theirs.encode(waves, styles, slice(2, 2 + frames), levels, multipliers)
        wave = theirs.decode(found, styles, 0, frames - 1)
    assert np.array_equal(codes, found)
    assert np.array_equal(latents, their_latents)
    assert np.array_equal(ours.codewords(codes), theirs.codewords(found))
    assert np.abs(ours.decode(codes, styles, 0, frames - 1) - wave).max() < TOLERANCE
    assert thrifty or not (codes == ABSENT).any()


@given(st.integers(0, 2**32 - 1), st.integers(1, 24), st.integers(1, 30), st.floats(0.01, 10))
@settings(max_examples=15)
def test_joint_decoders_agree(seed: int, channels: int, frames: int, loudness: float) -> None:
    rng = np.random.default_rng(seed)
    decoder = small_decoder(spread=0.2)
    refiner = JointRefiner(decoder.config, {name: value.numpy() for name, value in decoder.state_dict().items()})
    fall = loudness / (1 + np.arange(128) / 4)
    mixing, common = rng.standard_normal((channels, 2)), rng.standard_normal((2, frames, 128))
    rows = np.einsum("cs,stf->ctf", mixing, common) + 0.3 * rng.standard_normal((channels, frames, 128))
    decoded = (rows * fall).astype(np.float32)
    depth = rng.integers(0, DEPTHS + 1, (channels, frames))
    ours = refiner(decoded, depth)
    theirs = decoder(torch.from_numpy(decoded), torch.from_numpy(depth))[0].numpy()
    assert ours.dtype == np.float32
    assert np.abs(ours - theirs).max() <= 1e-4 * max(1.0, float(np.abs(theirs).max()))


@pytest.mark.parametrize("name", ["eegz-sc-1", "eegz-sc-2", "eegz-mc-2"])
def test_bundled_models_that_are_linear_take_no_torch(name: str) -> None:
    assert not needs_torch(eegzip.models.load(name))
    assert needs_torch(eegzip.models.load(name), "cuda:1")


def test_others_do(linear: Checkpoint, plain: Checkpoint, grouped: Checkpoint) -> None:
    assert not any(is_linear(checkpoint) for checkpoint in (linear, plain, grouped))


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    state = build(LINEAR).state_dict()
    state["decoder.linear.weight"] = state["decoder.linear.weight"][:, :, :-2].clone()
    with pytest.raises(ModelError, match=r"decoder\.linear\.weight is \(32, 1, 62\), not \(32, 1, 64\)"):
        CodecRuntime(save_checkpoint(tmp_path / "m", LINEAR, state))
