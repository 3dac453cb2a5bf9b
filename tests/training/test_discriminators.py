from __future__ import annotations

import pytest
import torch
from eeg_windows import noised, windows

from eegzip.codecs.checkpoints.config import NetworkConfig
from eegzip.codecs.networks import descript
from eegzip.codecs.networks.dac import EegDac
from eegzip.formats.errors import UsageError
from eegzip.training.losses.discriminators import Discriminator, DiscriminatorConfig
from eegzip.training.losses.waveform import discriminator_loss, feature_matching_loss, generator_loss

SMALL = DiscriminatorConfig(channels=4, periods=(2, 3), windows=(256, 128))
Maps = list[list[torch.Tensor]]


def waves(length: int, noise: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    x = windows(length)
    return torch.from_numpy(x)[:, None], torch.from_numpy(noised(x, noise))[:, None]


def size(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def score(maps: Maps) -> float:
    return float(torch.stack([m[-1].mean() for m in maps]).mean())


@pytest.mark.parametrize("length", [1024, 1000])
def test_at_its_size_it_is_the_packages(length: int) -> None:
    package_module = descript.dac.model.discriminator
    config = DiscriminatorConfig(32, (3,), (512,), tuple(package_module.BANDS))
    with descript.without_deprecations():
        package = package_module.Discriminator(periods=[3], fft_sizes=[512])
    ours = Discriminator(config)
    ours.load_state_dict(package.state_dict())
    x = waves(length)[0][:2]
    with torch.no_grad():
        expected = package(x)
        # The package levels waveforms first; ours leaves them as they are.
        found = ours(package.preprocess(x))
    for a, b in zip(expected, found, strict=True):
        for p, q in zip(a, b, strict=True):
            torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


def test_the_default_is_smaller_than_the_compact_codec() -> None:
    with torch.device("meta"):
        codec = EegDac(NetworkConfig(encoder_dim=16, decoder_dim=384))
    network = Discriminator()
    assert size(network) < size(codec)
    assert not any(p.is_meta for p in (*network.parameters(), *network.buffers()))


@pytest.mark.parametrize("length", [7680, 1024, 1000])
def test_maps_are_lists_of_lists_that_end_in_scores(length: int) -> None:
    x = waves(7680)[0][:2, :, :length]
    with torch.no_grad():
        maps = Discriminator(SMALL)(x)
    assert len(maps) == 4
    assert [len(m) for m in maps] == [6, 6, 21, 21]
    for one in maps:
        assert all(m.shape[0] == 2 and bool(torch.isfinite(m).all()) for m in one)
        assert one[-1].shape[1] == 1


def test_both_kinds_learn_to_tell_noised_eeg_from_real() -> None:
    torch.manual_seed(1)
    network = Discriminator(DiscriminatorConfig(channels=4, periods=(2,), windows=(128,)))
    optimiser = torch.optim.Adam(network.parameters(), 2e-3, betas=(0.8, 0.99))
    real, restored = waves(1024, noise=1.0)
    kept = len(real) * 3 // 4
    generator = torch.Generator().manual_seed(1)
    for _ in range(50):
        rows = torch.randint(kept, (8,), generator=generator)
        loss = discriminator_loss(network(real[rows]), network(restored[rows]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        ours, theirs = network(real[kept:]), network(restored[kept:])
    # Answering 0.5 to everything costs 0.5.
    assert float(discriminator_loss(ours, theirs)) < 0.4
    for one, other in zip(ours, theirs, strict=True):
        assert score([one]) > score([other]) + 0.15


def test_gradients_reach_the_waveform_and_every_weight() -> None:
    torch.manual_seed(0)
    network = Discriminator(SMALL)
    real, restored = waves(1024)
    restored = restored[:3].requires_grad_()
    ours, theirs = network(real[:3]), network(restored)
    (generator_loss(theirs) + feature_matching_loss(ours, theirs)).backward()
    assert bool(torch.isfinite(restored.grad).all())
    assert bool((restored.grad.abs().amax((1, 2)) > 0).all())
    assert all(p.grad is not None for p in network.parameters())


def test_every_gradient_can_be_reproduced() -> None:
    # Reflection padding raises on CUDA in torch's deterministic mode; nothing here may use it.
    x = waves(1000)[0][:1].requires_grad_()
    names, reached = set(), [maps[-1].grad_fn for maps in Discriminator(SMALL)(x)]
    seen = set()
    while reached:
        node = reached.pop()
        if node is not None and node not in seen:
            seen.add(node)
            names.add(node.name())
            reached += [following for following, _ in node.next_functions]
    assert "CatBackward0" in names
    assert not [name for name in names if "Reflection" in name or "Pad" in name]


def test_a_silent_channel_pulls_no_harder_than_any_other() -> None:
    torch.manual_seed(0)
    network = Discriminator(SMALL)
    wave = waves(1024)[1][:1]
    norms = []
    for scale in (1.0, 1e-6, 0.0):
        y = (scale * wave).requires_grad_()
        theirs = network(y)
        (generator_loss(theirs) + feature_matching_loss(network(scale * waves(1024)[0][:1]), theirs)).backward()
        norms.append(float(y.grad.norm()))
    assert norms[1] < 3 * norms[0]
    assert norms[2] < 3 * norms[0]


def test_a_saved_state_gives_the_same_scores() -> None:
    first, second = Discriminator(SMALL), Discriminator(SMALL)
    x = waves(1024)[0][:2]
    with torch.no_grad():
        assert score(first(x)) != score(second(x))
        second.load_state_dict(first.state_dict())
        assert score(first(x)) == score(second(x))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (DiscriminatorConfig(channels=0), "at least one channel"),
        (DiscriminatorConfig(periods=(), windows=()), "one period or window"),
        (DiscriminatorConfig(periods=(0,)), "at least 1 sample"),
        (DiscriminatorConfig(windows=(130,)), "multiple of 8, not 130"),
        (DiscriminatorConfig(windows=(8,)), "hold a bin of a window of 8"),
        (DiscriminatorConfig(bands=((0.5, 1.5),)), "must hold a bin"),
        (DiscriminatorConfig(bands=()), "must hold a bin"),
    ],
)
def test_shapes_that_cannot_be_are_refused(config: DiscriminatorConfig, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Discriminator(config)
