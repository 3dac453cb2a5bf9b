from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyedflib
import pytest
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from small_models import LINEAR, PLAIN, decode, encode, latents, multichannel, shaken
from small_waves import noise, windows

from eegzip import models
from eegzip.codecs.checkpoints.checkpoint import Checkpoint, save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.codebook_reduction import codebook_key, first_codebooks, merged, reduced
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.stream_coder import GroupCoder
from eegzip.formats.errors import ModelError


def as_sets(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def cost(points: np.ndarray, weights: np.ndarray, labels: np.ndarray) -> float:
    """Weighted squared distance of all points to their clusters' means."""
    total = 0.0
    for label in np.unique(labels):
        p, w = points[labels == label], weights[labels == label, None]
        total += float((w * (p - (w * p).sum(0) / w.sum()) ** 2).sum())
    return total


def test_without_uses_it_is_wards_clustering_as_scipy_does_it() -> None:
    points = np.random.default_rng(0).standard_normal((200, 5))
    for size in (1, 2, 50, 199, 200):
        expected = fcluster(linkage(points, "ward"), size, "maxclust")
        assert as_sets(merged(points, np.ones(200), size)) == as_sets(expected)


def test_uses_lower_the_error_that_counts() -> None:
    rng = np.random.default_rng(1)
    points, weights = rng.standard_normal((300, 4)), rng.exponential(size=300) ** 3
    weighed, alike = merged(points, weights, 60), merged(points, np.ones(300), 60)
    assert cost(points, weights, weighed) < 0.8 * cost(points, weights, alike)
    assert np.array_equal(weighed, merged(points, weights, 60))


@pytest.mark.parametrize("config", [LINEAR, PLAIN], ids=["linear", "plain"])
def test_merging_duplicates_loses_nothing(config: ModelConfig, tmp_path: Path) -> None:
    # Duplicates would fill a beam.
    config = replace(config, beam=1)
    network = shaken(config)
    small = replace(config, network=replace(config.network, codebook_size=16))
    state = network.state_dict()
    generator = torch.Generator().manual_seed(0)
    for level in range(small.network.n_codebooks):
        book = state[codebook_key(level)]
        book.copy_(book[:16].repeat(len(book) // 16, 1)[torch.randperm(len(book), generator=generator)])
    merged_state, merged_config = reduced(state, config, 16)
    assert merged_config == small
    before = CodecRuntime(save_checkpoint(tmp_path / "a", config, state))
    after = CodecRuntime(save_checkpoint(tmp_path / "b", merged_config, merged_state))
    x = windows(before, noise(2, 640))
    assert np.allclose(latents(before, encode(before, x)), latents(after, encode(after, x)), atol=1e-5)
    assert int(encode(after, x).max()) < 16


def test_a_dac_of_1024_entries_becomes_one_of_256(tmp_path: Path) -> None:
    config = replace(PLAIN, network=replace(PLAIN.network, codebook_size=1024))
    network = shaken(config)
    state, small = reduced(network.state_dict(), config, 256)
    assert small.network.codebook_size == 256
    build(small).load_state_dict(state, strict=True)
    for level in range(3):
        book = state[codebook_key(level)]
        assert book.shape == (256, 8)
        assert book.dtype == torch.float32
        assert len(book.unique(dim=0)) == 256
    again, _ = reduced(network.state_dict(), config, 256)
    assert all(torch.equal(again[name], value) for name, value in state.items())
    runtime = CodecRuntime(save_checkpoint(tmp_path / "m", small, state))
    assert len(np.unique(encode(runtime, windows(runtime, noise(4, 2000)))[:, 0])) > 100
    # In rounds, as between phases of fine-tuning.
    halfway = reduced(network.state_dict(), config, 512)
    assert reduced(*halfway, 256)[1] == small


def test_cosine_codebooks_merge_by_direction() -> None:
    state = shaken(PLAIN).state_dict()
    directions = torch.eye(8).repeat(4, 1)
    lengths = torch.tensor([1.0, 2.0, 3.0, 6.0]).repeat_interleave(8)[:, None]
    for level in range(3):
        state[codebook_key(level)] = directions * lengths
    book = reduced(state, PLAIN, 8)[0][codebook_key(0)]
    assert torch.allclose(book, torch.eye(8) * 3)


def test_uses_weigh_the_mean_and_sort_the_entries() -> None:
    state = shaken(LINEAR).state_dict()
    shape = LINEAR.network
    uses = [np.arange(shape.codebook_size)] * shape.n_codebooks
    for level in range(shape.n_codebooks):
        state[codebook_key(level)] = torch.zeros(shape.codebook_size, shape.codebook_dim)
        state[codebook_key(level)][:, 0] = torch.tensor([0.0, 100.0]).repeat(shape.codebook_size // 2)
        state[codebook_key(level)][1, 0] = 101.0
    book = reduced(state, LINEAR, 2, uses)[0][codebook_key(0)]
    odd = np.arange(1, shape.codebook_size, 2)
    assert book[0, 0] == pytest.approx(100 + 1 / odd.sum(), rel=1e-6)
    assert book[1, 0] == 0
    unused = [np.eye(shape.codebook_size)[1]] * shape.n_codebooks
    assert reduced(state, LINEAR, 2, unused)[0][codebook_key(0)][0, 0] == pytest.approx(101, abs=1e-3)


def real_windows(runtime: CodecRuntime, path: Path) -> np.ndarray:
    """Windows of a recording's EEG, at whatever rate, of about the level that the model knows."""
    with pyedflib.EdfReader(str(path)) as reader:
        y = np.stack([reader.readSignal(i)[: 60 * runtime.hop] for i in range(3)])
    return windows(runtime, (y / y.std(axis=1, keepdims=True)).astype(np.float32))


def error(runtime: CodecRuntime, x: np.ndarray) -> float:
    z = GroupCoder(runtime, [(0,)] * len(x)).encode_with_latents(x)[1]
    return float(np.square(latents(runtime, encode(runtime, x)) - z).mean() / np.square(z).mean())


def test_the_bundled_model_at_half_its_entries_still_codes_eeg(eegmat: Path, tmp_path: Path) -> None:
    bundled = models.load()
    whole = CodecRuntime(bundled)
    x = real_windows(whole, eegmat)
    codes = encode(whole, x)
    size = bundled.config.network.codebook_size
    uses = [np.bincount(codes[:, level].ravel(), minlength=size) for level in range(codes.shape[1])]
    state, config = reduced(bundled.state, bundled.config, size // 2, uses)
    half = CodecRuntime(save_checkpoint(tmp_path / "half", config, state))
    # Keeping any half of the entries instead of merging them is worse.
    kept = {name: value[::2] if name.endswith("codebook.weight") else value for name, value in bundled.state.items()}
    thinned = CodecRuntime(save_checkpoint(tmp_path / "kept", config, kept))
    assert error(whole, x) < error(half, x) < 0.95 * error(thinned, x)


def test_the_first_codebooks_are_the_same_model_at_less_depth(plain: Checkpoint, tmp_path: Path) -> None:
    state, config = first_codebooks(plain.state, plain.config, 2)
    assert config == replace(PLAIN, network=replace(PLAIN.network, n_codebooks=2))
    pruned, whole = CodecRuntime(save_checkpoint(tmp_path / "m", config, state)), CodecRuntime(plain)
    x = windows(whole, noise(3, 640))
    assert np.array_equal(encode(pruned, x), encode(whole, x, 2))
    codes = np.pad(encode(whole, x, 2), ((0, 0), (0, 0), (40, 40)))
    assert np.array_equal(decode(pruned, codes), decode(whole, codes))
    with pytest.raises(ModelError, match="first 4"):
        first_codebooks(plain.state, plain.config, 4)


def test_multichannel_models_are_reduced_and_pruned_too(grouped: Checkpoint) -> None:
    state, config = reduced(*first_codebooks(grouped.state, grouped.config, 2), 8)
    assert config.multichannel == multichannel(LINEAR).multichannel
    build(config).load_state_dict(state, strict=True)


@pytest.mark.parametrize("size", [0, 1, 65])
def test_impossible_sizes_are_refused(linear: Checkpoint, size: int) -> None:
    with pytest.raises(ModelError, match="reduced to 2"):
        reduced(linear.state, linear.config, size)


def test_wrong_uses_are_refused(linear: Checkpoint) -> None:
    for uses, words in (([np.ones(64)] * 3, "64 uses"), ([np.full(64, -1)] * 4, "counts")):
        with pytest.raises(ModelError, match=words):
            reduced(linear.state, linear.config, 32, uses)
    state, config = reduced(linear.state, linear.config, 64)
    assert config == linear.config
    assert all(torch.equal(linear.state[name], value) for name, value in state.items())
