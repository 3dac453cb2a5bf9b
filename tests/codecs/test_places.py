"""Groups of neighbours in rows, and networks whose styles are places in them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import LINEAR
from test_grouping import SIXTY_FOUR, TEN_TWENTY

from eegzip.codecs.channels.neighbours import in_a_row, neighbour_groups, positions_with_bipolar, styles_of_group
from eegzip.codecs.channels.vocabulary import STANDARD_VOCABULARY, vocabulary_of_places
from eegzip.codecs.checkpoints.checkpoint import save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig, MultichannelConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.stream_coder import GroupCoder
from eegzip.formats.errors import ModelError
from eegzip.recipes.codebooks import linear_start, set_books

SIZE = 3
PLACES = replace(
    LINEAR,
    network=replace(LINEAR.network, latent_dim=SIZE * 32, codebook_dim=12),
    architecture="dac-mc",
    multichannel=MultichannelConfig(max_channels=SIZE, vocabulary=vocabulary_of_places(SIZE), styles="places"),
)


def rotation(size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(size)
    return torch.linalg.qr(torch.randn(size, size, generator=generator)).Q


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> CodecRuntime:
    torch.manual_seed(0)
    network = build(PLACES)
    linear_start(network, {size: rotation(size) for size in range(1, SIZE + 1)})
    books = torch.randn(4, 64, SIZE * 32) * 0.5 ** torch.arange(4)[:, None, None]
    for level in range(4):
        books[level][:, torch.randperm(SIZE * 32)[12:]] = 0
    set_books(network, books)
    folder = tmp_path_factory.mktemp("places")
    return CodecRuntime(save_checkpoint(folder, PLACES, network.state_dict()))


def test_styles_are_counted_by_size_and_place() -> None:
    words = ("", *vocabulary_of_places(5))
    assert [words[style] for style in styles_of_group(3)] == ["1 of 3", "2 of 3", "3 of 3"]
    assert list(styles_of_group(1)) == [0]
    assert len(words) == sum(range(1, 6))
    assert words[styles_of_group(5)[-1]] == "5 of 5"


@settings(deadline=None)
@given(st.sets(st.sampled_from([*STANDARD_VOCABULARY, *SIXTY_FOUR, "ECG", "X1"]), min_size=1), st.integers(1, 9))
def test_every_channel_is_in_one_group_of_neighbours(chosen: set[str], limit: int) -> None:
    names = sorted(chosen)
    groups = neighbour_groups(names, limit)
    assert sorted(index for group in groups for index in group) == list(range(len(names)))
    assert max(len(group) for group in groups) <= limit
    placed = positions_with_bipolar(names)
    assert all(len(group) == 1 for group in groups if any(index not in placed for index in group))
    assert groups == sorted(groups, key=min)


def test_a_row_goes_from_neighbour_to_neighbour() -> None:
    where = positions_with_bipolar(SIXTY_FOUR)
    everyone = np.array(list(where.values()))
    usual = np.linalg.norm(everyone[:, None] - everyone, axis=2).mean()
    steps = [
        np.linalg.norm(where[a] - where[b]) for group in neighbour_groups(SIXTY_FOUR, 8) for a, b in pairwise(group)
    ]
    assert np.mean(steps) < 0.4 * usual
    assert [TEN_TWENTY[index] for index in (7, 8, 9, 10, 11)] == ["T7", "C3", "Cz", "C4", "T8"]
    row = [["T7", "Cz", "C3", "T8", "C4"][index] for index in in_a_row(["T7", "Cz", "C3", "T8", "C4"])]
    assert row in (["T7", "C3", "Cz", "C4", "T8"], ["T8", "C4", "Cz", "C3", "T7"])


def test_bipolar_channels_lie_between_their_electrodes() -> None:
    where = positions_with_bipolar(["Fp1", "F7", "Fp1-F7", "Fp1-ECG"])
    assert where[2] == pytest.approx((where[0] + where[1]) / 2)
    assert 3 not in where


@torch.no_grad()
def test_without_quantiser_every_group_comes_back(runtime: CodecRuntime) -> None:
    network = runtime.network
    for size in range(1, SIZE + 1):
        wave = torch.randn(2, size, 40 * runtime.hop)
        styles = torch.tensor([list(styles_of_group(size))] * 2)
        latent = network.latents(wave, styles, torch.ones(2, size, dtype=torch.bool))
        assert not latent[:, size * runtime.hop :].any()
        inner = slice(2 * runtime.hop, -2 * runtime.hop)
        assert torch.allclose(network.waves(latent, styles)[..., inner], wave[..., inner], atol=1e-4)


def test_small_groups_are_searched_where_they_are(runtime: CodecRuntime) -> None:
    """Codewords beyond a small group's dimensions reach no waveform, so they must not decide."""
    groups = [(0,), tuple(styles_of_group(3)), (0,), tuple(styles_of_group(2))]
    coder = GroupCoder(runtime, groups)
    frames, context = 20, coder.encoder_context
    samples = np.random.default_rng(0).standard_normal((7, (frames + 2 * context) * runtime.hop)).astype(np.float32)
    codes = coder.encode(samples)
    books = np.stack(
        [
            (q.out_proj(q.codebook.weight.t()[None])[0].t()).detach().numpy()
            for q in runtime.network.quantizer.quantizers
        ]
    )
    assert books.any(axis=1).sum(axis=1).tolist() == [12] * 4
    with torch.no_grad():
        wave = torch.from_numpy(samples[:1])[:, None]
        latent = runtime.network.encoder(wave)[0, :32, context : context + frames].numpy().T
    chosen = sum(books[level][codes[0, level]][:, :32] for level in range(4))
    any_other = np.random.default_rng(1).integers(0, 64, (200, 4, frames))
    others = sum(books[level][any_other[:, level]][:, :, :32] for level in range(4))
    error = np.square(latent - chosen).sum(axis=1)
    assert (error <= np.square(latent - others).sum(axis=2).min(axis=0)).mean() > 0.9


def test_places_need_their_own_vocabulary() -> None:
    assert ModelConfig.from_json(PLACES.to_json()) == PLACES
    assert PLACES.multichannel is not None
    wrong = replace(PLACES, multichannel=replace(PLACES.multichannel, vocabulary=("Fp1", "Fp2")))
    with pytest.raises(ModelError, match="vocabulary does not name"):
        wrong.check()
    names = replace(PLACES, multichannel=replace(PLACES.multichannel, styles="faces"))
    with pytest.raises(ModelError, match="none of 'names'"):
        names.check()


def test_models_of_names_keep_their_digest() -> None:
    """The entry is left out where it says what older models mean."""
    assert PLACES.multichannel is not None
    old = replace(PLACES, multichannel=MultichannelConfig(max_channels=3, vocabulary=("Fp1",)))
    assert "styles" not in old.to_json()["multichannel"]
    assert ModelConfig.from_json(old.to_json()) == old
