"""What data set before a multi-channel network's first step: dimensions that tell the channels of a group apart."""

from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from eeg_windows import windows
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.codecs.checkpoints.config import ModelConfig, MultichannelConfig, NetworkConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.dac_mc import BandedAttention, EegDacMc
from eegzip.training.initialisation.channels import Group, places_in_groups, set_channels_apart
from eegzip.training.initialisation.codebooks import start_codebooks
from eegzip.training.initialisation.gains import set_gains
from eegzip.training.quantiser import quantise

NAMES = ("F3", "F4", "C3", "C4", "P3", "P4")
STYLES = (1, 2, 3, 4)
SHAPE = NetworkConfig(
    encoder_dim=8, encoder_rates=(2, 4, 8), decoder_dim=64, decoder_rates=(8, 4, 2), n_codebooks=3, codebook_dim=4,
    codebook_size=64, final_tanh=False,
)  # fmt: skip
LINEAR = replace(SHAPE, linear_path=True, search="euclid", latent_dim=160)
BACKBONES = pytest.mark.parametrize("shape", [SHAPE, LINEAR], ids=["plain", "linear"])


def waves() -> torch.Tensor:
    """Real EEG: four channels at once [windows, 4, T]."""
    rows = torch.from_numpy(windows())
    return rows.view(4, -1, rows.shape[1]).transpose(0, 1).contiguous()


def as_a_mean(shape: NetworkConfig, most: int = 4, heads: int = 4, layers: int = 1) -> EegDacMc:
    """A network whose codebooks are set for the channels alone, with its adapters as an identity."""
    return deepcopy(set_as_a_mean(shape, most, heads, layers))


@cache
@torch.no_grad()
def set_as_a_mean(shape: NetworkConfig, most: int, heads: int, layers: int) -> EegDacMc:
    """That network, for all tests, which leave it as it is."""
    torch.manual_seed(1)
    adapters = MultichannelConfig(max_channels=most, vocabulary=NAMES, heads=heads, layers=layers)
    config = ModelConfig("a", 256.0, shape, architecture="dac-mc", multichannel=adapters)
    network = build(config).eval()
    alone = waves().flatten(0, 1)[:, None]
    styles, present = torch.zeros(len(alone), 1, dtype=torch.int64), torch.ones(len(alone), 1, dtype=torch.bool)
    if not shape.linear_path:
        set_gains(network, alone, styles, present)
    start_codebooks(network, network.latents(alone, styles, present), 1)
    assert isinstance(network, EegDacMc)
    return network


def groups_of(network: EegDacMc, styles: tuple[int, ...] = STYLES) -> list[Group]:
    with torch.no_grad():
        return [Group(network.encoder(group[: len(styles), None]), styles) for group in waves()]


@torch.no_grad()
def through(network: EegDacMc, wave: torch.Tensor, styles: tuple[int, ...], *, coded: bool = False) -> torch.Tensor:
    """What comes back of groups [B, G, T]."""
    numbers = torch.tensor([styles]).expand(len(wave), -1)
    latent = network.latents(wave, numbers, torch.ones_like(numbers, dtype=torch.bool))
    if coded:
        latent = quantise(network, latent, torch.full((len(wave),), network.config.n_codebooks)).latent
    return network.waves(latent, numbers)


def error(x: torch.Tensor, y: torch.Tensor) -> float:
    return float((x - y).norm() / x.norm())


@BACKBONES
def test_a_group_says_what_sets_its_channels_apart(shape: NetworkConfig) -> None:
    network, wave = as_a_mean(shape), waves()

    def apart_from_alone(some: tuple[int, ...]) -> float:
        part = wave[:, list(some)]
        alone = through(network, part.flatten(0, 1)[:, None], (0,)).view_as(part)
        return error(alone, through(network, part, tuple(STYLES[i] for i in some)))

    coded = through(network, wave.flatten(0, 1)[:, None], (0,), coded=True).view_as(wave)
    before, before_coded = apart_from_alone((0, 1, 2, 3)), error(coded, through(network, wave, STYLES, coded=True))
    assert before > 0.5
    assert set_channels_apart(network, groups_of(network), 1).startswith("channels start apart")
    # Any of those that training saw together may be missing.
    for some in ((0, 1, 2, 3), (0, 1), (1, 2, 3), (3,)):
        assert apart_from_alone(some) < 0.6 * before
    # Three small codebooks can't say much of four channels, but more than of their mean.
    assert error(coded, through(network, wave, STYLES, coded=True)) < before_coded


@cache
def set_apart(layers: int) -> EegDacMc:
    """A network that has seen three channels together, and a fourth with two of them: a place is nobody's."""
    network = as_a_mean(SHAPE, layers=layers)
    groups = [*groups_of(network, (1, 2, 3)), *groups_of(network, (1, 2, 4))]
    assert set_channels_apart(network, groups, 1).startswith("channels start apart")
    return network


def least_squares(latent: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """What best gives the differences from the mean [G, D, F] back, as (1 + scale) * d in each dimension [D, F]."""
    apart = latent - latent.mean(0)
    columns = range(latent.shape[1])
    return np.stack([np.linalg.lstsq(gain[:, i, None], apart[:, i], rcond=None)[0][0] for i in columns])


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(0, 1 << 30), st.sampled_from([0.01, 1.0, 30.0]),
    st.sampled_from([1, 2]), st.integers(1, 24),
)  # fmt: skip
@torch.no_grad()
def test_attention_gives_the_least_squares_of_what_sets_channels_apart(
    styles: list[int], seed: int, size: float, layers: int, frames: int
) -> None:
    network = set_apart(layers)
    latent = size * torch.randn(1, len(styles), 64, frames, generator=torch.Generator().manual_seed(seed))
    numbers = torch.tensor([styles])
    found = network.joined(latent, numbers, torch.ones_like(numbers, dtype=torch.bool))[0]
    gain = 1 + network.styles.scale[numbers[0]]
    # Where styles are open for all there is what channels share.
    shared = (network.styles.scale == 0).all(0)
    assert torch.allclose(found[shared], latent[0].mean(0)[shared], atol=1e-5 * size)
    expected = least_squares(latent[0, :, ~shared].numpy(), gain[:, ~shared].numpy())
    # The softmax is not quite hard: 0.7 % of what is seen is of other frames and channels, one of which may be four
    # times as large as most.
    assert np.abs(found[~shared].numpy() - expected).max() < 0.04 * size
    # A group is a set.
    order = torch.randperm(len(styles), generator=torch.Generator().manual_seed(seed))
    again = network.joined(latent[:, order], numbers[:, order], torch.ones_like(numbers, dtype=torch.bool))[0]
    assert torch.allclose(again, found, atol=1e-4 * size)


@BACKBONES
@torch.no_grad()
def test_without_attention_what_sets_channels_apart_is_lost(shape: NetworkConfig) -> None:
    network, wave = as_a_mean(shape), waves()
    alone = through(network, wave.flatten(0, 1)[:, None], (0,)).view_as(wave)
    as_one = error(alone, through(network, wave, STYLES))
    set_channels_apart(network, groups_of(network), 1)
    alone = through(network, wave.flatten(0, 1)[:, None], (0,)).view_as(wave)
    apart = error(alone, through(network, wave, STYLES))
    network.attention[0].out.weight.zero_()
    without = error(alone, through(network, wave, STYLES))
    assert without > as_one > 1.6 * apart


def test_attention_that_looks_by_place_can_learn() -> None:
    network = deepcopy(set_apart(2))
    numbers = torch.tensor([STYLES])
    latent = torch.randn(1, 4, 64, 12, generator=torch.Generator().manual_seed(2))
    for parameter in network.parameters():
        parameter.grad = None
    network.joined(latent, numbers, torch.ones_like(numbers, dtype=torch.bool)).square().sum().backward()
    first = network.attention[0]
    assert isinstance(first, BandedAttention)
    # No head and no row of queries, keys, values or of the output is stuck behind two zeros.
    for weight in (first.qkv.weight, first.out.weight):
        assert weight.grad is not None
        assert weight.grad.isfinite().all()
    assert first.time_bias.grad is not None
    assert first.time_bias.grad.any(1).all()


@BACKBONES
def test_a_channel_alone_is_what_it_was(shape: NetworkConfig) -> None:
    network, wave = as_a_mean(shape), waves().flatten(0, 1)[:, None]
    with torch.no_grad():
        latent = network.encoder(wave)
        coded = quantise(network, latent, torch.full((len(latent),), shape.n_codebooks)).latent
        expected = network.decoder(coded)
    set_channels_apart(network, groups_of(network), 1)
    # All that codewords could say; a name that training never showed is as good.
    for style in (0, 1, 6):
        found = through(network, wave, (style,))
        assert error(expected, found) < error(expected, wave)
        assert error(through(network, wave, (0,)), found) < 0.05


def test_nothing_is_changed_where_no_group_has_several_channels() -> None:
    network = as_a_mean(SHAPE)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert "no group has more than one" in set_channels_apart(network, groups_of(network, (2,)), 1)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_nothing_is_changed_where_no_dimension_is_free() -> None:
    network = as_a_mean(replace(SHAPE, codebook_dim=64), most=5, heads=8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert "none is free" in set_channels_apart(network, groups_of(network), 1)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_nothing_is_changed_where_attention_has_too_few_heads() -> None:
    network = as_a_mean(SHAPE, most=5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    said = set_channels_apart(network, groups_of(network), 1)
    assert "4 heads of attention can't look at 5 channels; set model.heads to 8" in said
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@given(st.permutations(range(30)), st.lists(st.integers(1, 5), min_size=6, max_size=6), st.integers(1, 3))
def test_channels_of_fixed_groups_have_places_of_their_own(order: list[int], sizes: list[int], times: int) -> None:
    groups = [order[5 * number :][:size] for number, size in enumerate(sizes)]
    places = places_in_groups(groups * times, 5)
    assert sorted(places) == sorted(style for group in groups for style in group)
    for group in groups:
        found = {places[style] for style in group}
        assert len(found) == len(group)
        assert found <= set(range(5))


def test_those_that_meet_most_are_told_apart_first() -> None:
    groups = [(1, 2)] * 9 + [(2, 3)] * 9 + [(1, 3)]
    places = places_in_groups(groups, 2)
    assert places[1] != places[2] != places[3]
