from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from eeg_windows import noised, windows
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.codecs.networks import descript
from eegzip.evaluation.spectrogram import WINDOWS, fitting_windows, spectrogram_loss, spectrogram_losses
from eegzip.formats.errors import UsageError
from eegzip.training.api import settings_for
from eegzip.training.losses import waveform
from eegzip.training.losses.discriminators import Discriminator, DiscriminatorConfig
from eegzip.training.losses.total import losses_of
from eegzip.training.settings.sections import LossSettings

LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "spectrogram": spectrogram_loss,
    "stft": waveform.stft_loss,
    "waveform": waveform.waveform_loss,
    "huber": partial(waveform.waveform_loss, kind="huber"),
    "phase": partial(waveform.phase_loss, windows=(32, 64)),
    "squared": partial(waveform.waveform_loss, kind="squared"),
    "log_relative": partial(waveform.waveform_loss, kind="log_relative"),
}


def spectrogram(wave: np.ndarray, w: int) -> np.ndarray:
    mirrored = np.pad(wave.astype(np.float64), w // 2, mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(w) / w)
    frames = np.lib.stride_tricks.sliding_window_view(mirrored, w)[:: w // 4]
    return np.abs(np.fft.rfft(frames * hann))


def twin(x: np.ndarray, y: np.ndarray) -> float:
    """The definition in the documentation, in numpy."""
    total = 0.0
    for w in (32, 64, 128, 256, 512, 1024, 2048):
        if len(x) > w / 2:
            logs = [np.log10(np.maximum(spectrogram(wave, w), 1e-5)) for wave in (x, y)]
            total += np.mean(np.abs(logs[0] - logs[1]))
    return total


def pair(length: int = 7680) -> tuple[np.ndarray, np.ndarray]:
    x = windows(length)[:8]
    return x, noised(x)


def package_loss(**options: Any) -> Callable[[np.ndarray, np.ndarray], float]:
    import audiotools

    loss = descript.dac.nn.loss.MultiScaleSTFTLoss(**options)

    def of(x: np.ndarray, y: np.ndarray) -> float:
        signals = [audiotools.AudioSignal(torch.from_numpy(wave)[:, None], 256) for wave in (x, y)]
        with descript.without_deprecations():  # it warns when it goes on to the next window
            return float(loss(*signals))

    return of


@pytest.mark.parametrize("length", [7680, 2049, 1001, 17])
def test_the_spectrogram_loss_is_what_its_definition_says(length: int) -> None:
    x, y = pair(length)
    expected = [twin(a, b) for a, b in zip(x, y, strict=True)]
    precise = spectrogram_losses(torch.from_numpy(x).double(), torch.from_numpy(y).double())
    np.testing.assert_allclose(precise, expected, rtol=1e-9)
    single = spectrogram_losses(torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_allclose(single, expected, rtol=1e-3)
    assert float(spectrogram_loss(torch.from_numpy(x), torch.from_numpy(y))) == pytest.approx(np.mean(expected), 1e-3)


def test_the_package_agrees_on_both_spectral_losses() -> None:
    x, y = pair()
    a, b = torch.from_numpy(x), torch.from_numpy(y)
    mel_left_out = package_loss(window_lengths=list(WINDOWS), mag_weight=0.0, pow=1.0)
    assert float(spectrogram_loss(a, b)) == pytest.approx(mel_left_out(x, y), rel=1e-4)
    assert float(waveform.stft_loss(a, b)) == pytest.approx(package_loss()(x, y), rel=1e-4)


def test_ten_times_the_amplitude_is_one_for_each_scale() -> None:
    x = torch.from_numpy(noised(windows()[:2])).double()  # no bin is near the floor
    assert float(spectrogram_loss(x, 10 * x)) == pytest.approx(7.0)
    assert float(spectrogram_loss(x[:, :1024], 10 * x[:, :1024])) == pytest.approx(6.0)


def test_windows_that_do_not_fit_are_left_out() -> None:
    assert fitting_windows(1025) == WINDOWS
    assert fitting_windows(1024) == WINDOWS[:-1]
    assert fitting_windows(17) == (32,)
    with pytest.raises(UsageError, match="16 samples are too short for a spectrogram; 17"):
        spectrogram_loss(torch.zeros(1, 16), torch.zeros(1, 16))


@settings(max_examples=25)
@given(st.integers(17, 700), st.integers(0, 2**31), st.floats(-6, 3))
def test_the_spectral_losses_are_distances(length: int, seed: int, magnitude: float) -> None:
    x, y, z = torch.randn(3, 2, length, generator=torch.Generator().manual_seed(seed)).double() * 10**magnitude
    assert float(spectrogram_loss(x, x)) == 0
    to_y = float(spectrogram_loss(x, y))
    assert to_y == pytest.approx(float(spectrogram_loss(y, x)))
    assert to_y <= float(spectrogram_loss(x, z)) + float(spectrogram_loss(z, y)) + 1e-9


@pytest.mark.parametrize("name", LOSSES)
def test_absent_channels_take_no_part(name: str) -> None:
    loss = LOSSES[name]
    wave = torch.from_numpy(windows(2048)[:12]).view(4, 3, 2048)
    restored = torch.from_numpy(noised(windows(2048)[:12])).view(4, 3, 2048).requires_grad_()
    present = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]], dtype=torch.bool)
    each = torch.stack([loss(wave[b, g], restored[b, g]) for b, g in present.nonzero()])
    found = loss(wave, restored, present)
    assert float(found.detach()) == pytest.approx(float(each.mean().detach()), rel=1e-5)
    found.backward()
    reached = restored.grad.abs().amax(2) > 0
    assert torch.equal(reached, present)


@pytest.mark.parametrize("name", LOSSES)
def test_no_channel_at_all_costs_nothing(name: str) -> None:
    x, y = torch.randn(2, 2, 3, 600).unbind()
    y.requires_grad_()
    found = LOSSES[name](x, y, torch.zeros(2, 3, dtype=torch.bool))
    found.backward()
    assert float(found.detach()) == 0
    assert float(y.grad.abs().max()) == 0


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("original", [0.0, 1.0])
@pytest.mark.parametrize("restored", [0.0, 1e-30, 1e-7, 1.0])
def test_silence_has_finite_losses_and_gradients(name: str, original: float, restored: float) -> None:
    x = original * torch.from_numpy(windows(2048)[:2])
    y = (restored * torch.from_numpy(noised(windows(2048)[:2]))).requires_grad_()
    found = LOSSES[name](x, y)
    found.backward()
    assert math.isfinite(float(found.detach()))
    assert bool(torch.isfinite(y.grad).all())


@pytest.mark.parametrize("name", LOSSES)
def test_losses_fall_with_the_noise_and_following_their_gradient(name: str) -> None:
    # This recording has nothing above 45 Hz; some noise of its own makes all bins alike.
    real = noised(windows(1025)[:4], 0.1, seed=2)
    x = torch.from_numpy(real)
    at = [float(LOSSES[name](x, torch.from_numpy(noised(real, share)))) for share in (0.5, 0.1, 0.02)]
    assert at[0] > at[1] > at[2]
    assert at[2] > 0 or name == "log_relative"
    y = torch.from_numpy(noised(real, 0.5)).requires_grad_()
    optimiser = torch.optim.Adam([y], 3e-3)
    for _ in range(20):
        optimiser.zero_grad()
        LOSSES[name](x, y).backward()
        optimiser.step()
    assert float(LOSSES[name](x, y.detach())) < 0.95 * at[0]


def test_squared_waveform_losses_are_what_their_definitions_say() -> None:
    x, y = (wave.astype(np.float64) for wave in pair(1024))
    squares, energies = np.square(x - y).mean(axis=1), x.var(axis=1)
    wanted = {"squared": squares.mean(), "log_relative": np.log((squares + 1e-8) / (energies + 1e-8)).mean()}
    for kind, value in wanted.items():
        losses = losses_of(torch.from_numpy(x), torch.from_numpy(y), LossSettings(waveform_kind=kind))
        assert float(losses["waveform"]) == pytest.approx(value)
    # A channel of a tenth the size counts as much; its offset is no signal.
    both = [torch.from_numpy(np.stack([wave, 0.1 * wave + 3])) for wave in (x[0], y[0])]
    loud, quiet = (float(LOSSES["log_relative"](*(wave[row] for wave in both))) for row in (0, 1))
    assert quiet == pytest.approx(loud, abs=0.05)


def test_huber_and_phase_losses_are_what_their_definitions_say() -> None:
    x, y = (wave.astype(np.float64)[:3] for wave in pair(1024))
    d = np.abs(x - y)
    wanted = np.where(d < 0.7, d**2 / 1.4, d - 0.35).mean()
    assert float(LOSSES["huber"](torch.from_numpy(x), torch.from_numpy(y))) == pytest.approx(wanted)
    total = 0.0
    for w in (32, 64, 128, 256):
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(w) / w)
        maps = []
        for waves in (x, y):
            padded = np.pad(waves, ((0, 0), (w // 2, w // 2)), mode="reflect")
            s = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, w, axis=1)[:, :: w // 8] * hann)
            maps.append(np.stack([np.log1p(np.abs(s)), 0.2 * np.cos(np.angle(s)), 0.2 * np.sin(np.angle(s))]))
        difference = maps[0] - maps[1]
        total += np.abs(difference).mean() + np.square(difference).mean()
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    # The phase of next to nothing is anyone's.
    assert float(waveform.phase_loss(*tensors)) == pytest.approx(total, rel=1e-4)


def test_silence_has_no_phase_and_no_trouble() -> None:
    x = torch.zeros((2, 300))
    y = x.clone().requires_grad_()
    waveform.phase_loss(x, y).backward()
    assert y.grad is not None
    assert bool(torch.isfinite(y.grad).all())


def test_a_loss_below_zero_goes_without_discriminators() -> None:
    values = {"losses": {"waveform_kind": "log_relative"}}
    assert settings_for(values=values).losses.waveform_kind == "log_relative"
    with pytest.raises(UsageError, match=r"adversarial\.weight=0"):
        settings_for(values={**values, "adversarial": {"weight": 0.1}})
    with pytest.raises(UsageError, match="one of l1, squared, log_relative"):
        settings_for(values={"losses": {"waveform_kind": "l2"}})


def test_half_precision_is_compared_in_single() -> None:
    x, y = (torch.from_numpy(wave).bfloat16() for wave in pair(1024))
    for loss in LOSSES.values():
        found = loss(x, y)
        assert found.dtype == torch.float32
        assert float(found) == pytest.approx(float(loss(x.float(), y.float())))


@pytest.mark.parametrize("name", LOSSES)
def test_shapes_must_agree(name: str) -> None:
    with pytest.raises(UsageError, match=r"\[2, 64\] and \[1, 64\]"):
        LOSSES[name](torch.zeros(2, 64), torch.zeros(1, 64))
    with pytest.raises(UsageError, match="mask"):
        LOSSES[name](torch.zeros(2, 64), torch.zeros(2, 64), torch.ones(3, dtype=torch.bool))


def maps(*scores: float) -> list[list[torch.Tensor]]:
    """Maps of one discriminator for each score, every feature equal to it."""
    return [[torch.full(shape, float(s)) for shape in ((2, 4, 5), (2, 8), (2, 1, 3))] for s in scores]


def test_adversarial_losses_of_known_scores() -> None:
    assert float(waveform.discriminator_loss(maps(1, 1), maps(0, 0))) == 0
    assert float(waveform.discriminator_loss(maps(0.5, 0.5, 0.5), maps(0.5, 0.5, 0.5))) == 0.5
    assert float(waveform.discriminator_loss(maps(0, 0), maps(1, 1))) == 2
    assert float(waveform.generator_loss(maps(1, 1, 1))) == 0
    assert float(waveform.generator_loss(maps(0, 0.5))) == 1.25
    # Two features of each discriminator; the scores are no features.
    assert float(waveform.feature_matching_loss(maps(1, 2), maps(0.5, 2.25))) == pytest.approx(2 * 0.5 + 2 * 0.25)


def test_adversarial_losses_are_the_packages() -> None:
    import audiotools

    torch.manual_seed(0)
    network = Discriminator(DiscriminatorConfig(channels=2, windows=(256, 128)))
    x, y = pair(2048)
    fake, real = (audiotools.AudioSignal(torch.from_numpy(wave)[:, None], 256) for wave in (y, x))
    network.requires_grad_(False)
    theirs = descript.dac.nn.loss.GANLoss(network)
    generator, feature = theirs.generator_loss(fake, real)
    ours, restored = network(real.audio_data), network(fake.audio_data)
    assert float(waveform.generator_loss(restored)) == pytest.approx(float(generator), rel=1e-5)
    assert float(waveform.feature_matching_loss(ours, restored)) == pytest.approx(float(feature), rel=1e-5)
    count = len(network.discriminators)
    expected = float(theirs.discriminator_loss(fake, real)) / count
    assert float(waveform.discriminator_loss(ours, restored)) == pytest.approx(expected, rel=1e-5)


def test_feature_matching_moves_only_the_restored_side() -> None:
    real, restored = torch.ones(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    score = torch.zeros(2, 1)
    waveform.feature_matching_loss([[real, score]], [[restored, score]]).backward()
    assert real.grad is None
    assert float(restored.grad.sum()) == -1
