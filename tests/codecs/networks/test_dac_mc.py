from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_models import LINEAR, MULTICHANNEL, PLAIN, multichannel, shaken

from eegzip.codecs.checkpoints.config import ModelConfig, MultichannelConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.dac import EegDac
from eegzip.codecs.networks.dac_mc import BandedAttention, EegDacMc
from eegzip.codecs.networks.token_network import ADAPTERS
from eegzip.formats.errors import ModelError

BACKBONES = pytest.mark.parametrize("backbone", [LINEAR, PLAIN], ids=["linear", "plain"])


def network(config: ModelConfig) -> EegDacMc:
    made = shaken(config)
    assert isinstance(made, EegDacMc)
    return made


def everyone(*shape: int) -> torch.Tensor:
    return torch.ones(*shape, dtype=torch.bool)


def waves(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@BACKBONES
@torch.no_grad()
def test_one_channel_before_training_is_the_backbone_bit_for_bit(backbone: ModelConfig) -> None:
    alone, together = shaken(backbone), build(multichannel(backbone)).eval()
    together.load_backbone(alone.state_dict())
    wave = waves(5, 1, 60 * backbone.network.hop)
    styles, present = torch.arange(5)[:, None] * 20, everyone(5, 1)
    latent = together.latents(wave, styles, present)
    assert torch.equal(latent, alone.latents(wave, styles, present))
    assert torch.equal(latent, alone.encoder(wave))
    quantised, codes, *_ = together.quantizer(latent)
    assert torch.equal(codes, alone.quantizer(alone.encoder(wave))[1])
    decoded = together.waves(quantised, styles)
    assert decoded.abs().max() > 0
    assert torch.equal(decoded, alone.decode(alone.encode(wave)[0]))
    assert torch.equal(decoded, alone.waves(quantised, styles))


@torch.no_grad()
def test_a_group_before_training_is_the_mean_of_its_channels() -> None:
    together = build(multichannel(PLAIN)).eval()
    wave, styles = waves(2, 3, 160), torch.tensor([[1, 2, 3], [4, 5, 0]])
    present = torch.tensor([[True] * 3, [True, True, False]])
    latent = together.latents(wave, styles, present)
    each = together.encoder(wave.reshape(6, 1, -1)).view(2, 3, -1, 20)
    assert torch.allclose(latent[0], each[0].mean(0), atol=1e-6)
    assert torch.allclose(latent[1], each[1, :2].mean(0), atol=1e-6)


@torch.no_grad()
def test_absent_channels_count_for_nothing() -> None:
    together = network(multichannel(LINEAR))
    hop = LINEAR.network.hop
    wave, styles = waves(1, 2, 30 * hop), torch.tensor([[3, 9]])
    expected = together.latents(wave, styles, everyone(1, 2))
    padded = torch.cat([wave, torch.full((1, 3, 30 * hop), 7.0)], dim=1)
    present = torch.tensor([[True, True, False, False, False]])
    for rest in ([0, 0, 0], [5, 6, 7]):
        found = together.latents(padded, torch.tensor([[3, 9, *rest]]), present)
        assert torch.allclose(found, expected, atol=1e-5)
    decoded = together.waves(expected, torch.tensor([[3, 9, 0, 0, 0]]), present)
    assert torch.allclose(decoded[:, :2], together.waves(expected, styles), atol=1e-5)
    assert not decoded[:, 2:].any()


@torch.no_grad()
def test_channels_and_styles_matter_once_trained() -> None:
    together = network(multichannel(LINEAR))
    wave = waves(1, 2, 30 * LINEAR.network.hop)

    def latent(wave: torch.Tensor, *styles: int) -> torch.Tensor:
        return together.latents(wave, torch.tensor([styles]), everyone(1, len(styles)))

    first = latent(wave, 3, 9)
    assert not torch.allclose(first, latent(wave, 3, 10), atol=1e-3)
    assert not torch.allclose(first, latent(wave.flip(1), 3, 9), atol=1e-3)
    decoded = together.waves(first, torch.tensor([[3, 9]]))
    assert not torch.allclose(decoded[:, 0], decoded[:, 1], atol=1e-3)
    assert torch.equal(together.waves(first, torch.tensor([[3, 3]]))[:, 1], decoded[:, 0])


def dense(attention: BandedAttention, latent: torch.Tensor, styles: torch.Tensor, present: torch.Tensor) -> np.ndarray:
    """The attention's definition, score by score, without blocks or library."""
    x = attention.norm(latent) + attention.channel[styles][:, :, None]
    # Queries and keys from what is normalised, values from what is not.
    q, k = (part.detach().numpy() for part in attention.qkv(x).chunk(3, dim=3)[:2])
    v = attention.qkv(latent).chunk(3, dim=3)[2].detach().numpy()
    bias, (batch, group, frames, width) = attention.time_bias.detach().numpy(), latent.shape
    size = width // attention.heads
    result = np.zeros((batch, group, frames, width))
    for b, g, t, h in np.ndindex(batch, group, frames, attention.heads):
        part = slice(h * size, (h + 1) * size)
        seen = [(c, s) for c in range(group) if present[b, c] for s in range(frames) if abs(s - t) <= attention.reach]
        scores = np.array(
            [q[b, g, t, part] @ k[b, c, s, part] / size**0.5 + bias[h, s - t + attention.reach] for c, s in seen]
        )
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        result[b, g, t, part] = sum(p * v[b, c, s, part] for p, (c, s) in zip(chances, seen, strict=True))
    out = attention.out
    return result @ out.weight.detach().numpy().T + out.bias.detach().numpy()


@pytest.mark.parametrize("scores", [1, 1 << 24])
@pytest.mark.parametrize(("frames", "reach"), [(1, 3), (2, 3), (4, 3), (7, 3), (12, 3), (5, 40), (9, 1), (50, 40)])
@torch.no_grad()
def test_banded_attention_is_attention_within_reach(
    frames: int, reach: int, scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One block at a time, or all at once.
    monkeypatch.setattr("eegzip.codecs.networks.dac_mc._MAX_SCORES", scores)
    torch.manual_seed(1)
    attention = BandedAttention(8, MultichannelConfig(heads=2, reach=reach, vocabulary=("Cz", "Pz")))
    for weight in attention.parameters():
        weight.add_(torch.randn_like(weight) * 0.5)
    latent, styles = waves(2, 3, frames, 8), torch.tensor([[0, 1, 2], [2, 1, 0]])
    present = torch.tensor([[True, True, True], [True, False, True]])
    found = attention(latent, styles, present).numpy()
    assert np.allclose(found, dense(attention, latent, styles, present), atol=1e-4)


@torch.no_grad()
def test_the_cost_of_attention_is_linear_in_length() -> None:
    attention = network(multichannel(LINEAR, layers=1)).attention[0]
    assert isinstance(attention, BandedAttention)
    counts = []
    for frames in (500, 1000, 2000):
        attention(waves(1, 5, frames, 32), torch.arange(5)[None], everyone(1, 5))
        counts.append(attention.score_count)
    assert counts[1] < 2.05 * counts[0]
    assert counts[2] < 2.05 * counts[1]
    # Long reaches cost what they must, no more.
    far = network(multichannel(LINEAR, layers=1, reach=200)).attention[0]
    assert isinstance(far, BandedAttention)
    far(waves(1, 2, 1000, 32), torch.arange(2)[None], everyone(1, 2))
    assert far.score_count < 1.2 * 1000 * 401 * 4
    # Within a small factor of the fewest possible: every frame with 2 * reach + 1, for all pairs of channels.
    assert counts[1] < 3 * 1000 * 7 * 25


@BACKBONES
@torch.no_grad()
def test_a_window_with_context_gives_what_the_whole_gives(backbone: ModelConfig) -> None:
    together = network(multichannel(backbone))
    styles, present = torch.tensor([[1, 4, 9, 12]]), everyone(1, 4)
    latent = waves(1, 4, backbone.network.latent_width, 90)
    whole = together.joined(latent, styles, present)
    reach = MULTICHANNEL.layers * MULTICHANNEL.reach
    for first, last in ((10, 20), (33, 62), (50, 51)):
        part = together.joined(latent[..., first - reach : last + reach], styles, present)[..., reach:-reach]
        assert torch.allclose(part, whole[..., first:last], atol=1e-4)
        less = together.joined(latent[..., first - reach + 1 : last + reach], styles, present)[..., reach - 1 : -reach]
        assert not torch.allclose(less, whole[..., first:last], atol=1e-4)


@torch.no_grad()
def test_time_only_enters_by_differences() -> None:
    together = network(multichannel(LINEAR))
    styles, present, latent = torch.tensor([[1, 4]]), everyone(1, 2), waves(1, 2, 32, 60)
    moved = together.joined(latent.roll(5, dims=3), styles, present)
    still = together.joined(latent, styles, present)
    assert torch.allclose(moved[..., 20:40], still[..., 15:35], atol=1e-4)


def test_gradients_reach_every_weight() -> None:
    together = network(multichannel(LINEAR)).train()
    present = torch.tensor([[True] * 5, [True, False, False, False, False]])
    styles = torch.arange(10).view(2, 5)
    latent = together.latents(waves(2, 5, 640), styles, present)
    together.waves(latent, styles, present).square().mean().backward()
    for name, weight in together.named_parameters():
        if not name.startswith("quantizer"):
            assert weight.grad is not None, name
            assert torch.isfinite(weight.grad).all(), name
            assert weight.grad.any(), name
    # From an identity, training must be able to begin: nothing is stuck behind two zeros.
    fresh = build(multichannel(LINEAR))
    fresh.waves(fresh.latents(waves(2, 5, 640), styles, present), styles).square().mean().backward()
    for name in ("attention.0.out.weight", "projection.weight", "styles.scale", "styles.bias"):
        gradient = fresh.get_parameter(name).grad
        assert gradient is not None, name
        assert gradient.any(), name


def test_half_precision_in_training() -> None:
    together = network(multichannel(LINEAR)).train()
    with torch.autocast("cpu", torch.bfloat16):
        latent = together.latents(waves(2, 3, 640), torch.arange(6).view(2, 3), everyone(2, 3))
    assert torch.isfinite(latent).all()


@torch.no_grad()
def test_wrong_groups_are_refused() -> None:
    alone, together = shaken(LINEAR), network(multichannel(LINEAR))
    wave = waves(1, 6, 320)
    with pytest.raises(ModelError, match="5 channels as one at most, not 6"):
        together.latents(wave, torch.zeros(1, 6, dtype=torch.int64), everyone(1, 6))
    with pytest.raises(ModelError, match="alone, not 6"):
        alone.latents(wave, torch.zeros(1, 6, dtype=torch.int64), everyone(1, 6))
    with pytest.raises(ModelError, match="alone, not 2"):
        alone.waves(torch.zeros(1, 32, 4), torch.zeros(1, 2, dtype=torch.int64))


def test_other_backbones_are_not_loaded() -> None:
    together = build(multichannel(LINEAR))
    before = {name: value.clone() for name, value in together.state_dict().items()}
    state = shaken(LINEAR).state_dict()
    wrong = [
        shaken(PLAIN).state_dict(),
        {name: value for name, value in state.items() if "codebook" not in name},
        {**state, "more": torch.zeros(1)},
    ]
    for other in wrong:
        with pytest.raises(ModelError, match="not those of the network"):
            together.load_backbone(other)
    assert sorted(before) == sorted(together.state_dict())
    together.load_backbone(state)
    assert all(torch.equal(together.state_dict()[name], value) for name, value in state.items())
    adapters = {name: value for name, value in before.items() if name.startswith(ADAPTERS)}
    assert len(before) == len(state) + len(adapters)
    assert all(torch.equal(together.state_dict()[name], value) for name, value in adapters.items())


def test_all_state_is_float32() -> None:
    assert {value.dtype for value in network(multichannel(PLAIN)).state_dict().values()} == {torch.float32}


def test_the_architecture_chooses_the_class() -> None:
    assert type(build(LINEAR)) is EegDac
    assert type(build(multichannel(LINEAR))) is EegDacMc
    with pytest.raises(ModelError, match="heads"):
        build(multichannel(LINEAR, heads=3))
    with pytest.raises(ModelError, match="multichannel"):
        build(replace(LINEAR, architecture="dac-mc"))
