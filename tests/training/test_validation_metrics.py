from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.stats
import torch
from eeg_windows import RATE, noised, windows
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.evaluation.fidelity import FidelityMeter
from eegzip.evaluation.metrics import BANDS
from eegzip.evaluation.spectrogram import spectrogram_loss
from eegzip.formats.errors import UsageError
from eegzip.training.validation import metrics
from eegzip.training.validation.metrics import CodebookUse, WindowMetrics


def measured(x: np.ndarray, y: np.ndarray, subjects: list[str] | None = None, rate: float = RATE) -> dict:
    found = WindowMetrics(rate)
    found.update(x, y, subjects)
    return found.result()


def sine(hz: float, length: int = 7680) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(length) / RATE + 0.3)[None]


def test_prd_snr_and_r_are_those_of_the_meter_for_files() -> None:
    x = np.round(1000 * windows() + 300).astype(np.int32)
    y = np.round(noised(x)).astype(np.int32)
    meter = FidelityMeter(x.mean(axis=1))
    meter.update(x, y)
    expected = meter.results()
    np.testing.assert_allclose(metrics.prd(x, y), [f.prd for f in expected], rtol=1e-9)
    np.testing.assert_allclose(metrics.snr(x, y), [f.snr for f in expected], rtol=1e-9)
    np.testing.assert_allclose(metrics.correlation(x, y), [f.r for f in expected], rtol=1e-9)
    np.testing.assert_allclose(
        metrics.correlation(x, y), [scipy.stats.pearsonr(a, b)[0] for a, b in zip(x, y, strict=True)], rtol=1e-9
    )


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.floats(1e-3, 1e3), st.floats(-100, 100), st.floats(0.01, 3), st.booleans())
def test_figures_do_not_depend_on_unit_or_offset(
    seed: int, gain: float, offset: float, noise: float, turned: bool
) -> None:
    x = np.random.default_rng(seed).standard_normal((3, 200))
    y = x + noise * np.random.default_rng(seed + 1).standard_normal((3, 200))
    a = -gain if turned else gain
    np.testing.assert_allclose(metrics.prd(a * x + offset, a * y + offset), metrics.prd(x, y), rtol=1e-6)
    np.testing.assert_allclose(metrics.correlation(a * x + offset, 2 * a * y), metrics.correlation(x, y), atol=1e-6)
    np.testing.assert_allclose(metrics.snr(x, y), -20 * np.log10(metrics.prd(x, y) / 100))


def test_noise_of_a_known_share_gives_its_prd() -> None:
    x = windows()
    found = measured(x, noised(x, 0.1))
    assert found["prd"] == pytest.approx(10, rel=0.03)
    assert found["snr"] == pytest.approx(20, abs=0.3)
    assert found["r"]["all"] == pytest.approx(1 / math.sqrt(1.01), abs=1e-3)


def test_medians_are_over_all_windows_however_they_come() -> None:
    x = windows()
    y = np.concatenate([noised(x[i : i + 1], 0.05 * (i + 1), i) for i in range(len(x))])
    subjects = [f"p{i % 3}" for i in range(len(x))]
    whole = measured(x, y, subjects)
    parts = WindowMetrics(RATE)
    for rows in np.array_split(np.arange(len(x)), 3):
        parts.update(x[rows], y[rows], [subjects[i] for i in rows])
    for name, value in parts.result().items():
        assert value == pytest.approx(whole[name], rel=1e-5), name
    each = 100 * np.sqrt(((x - y.astype(float)) ** 2).sum(1) / (len(x[0]) * x.astype(float).var(1)))
    assert whole["prd"] == pytest.approx(np.median(each))
    assert whole["snr"] == pytest.approx(np.median(-20 * np.log10(each / 100)))
    assert whole["prd_p90"] == pytest.approx(np.percentile(each, 90, method="higher"))
    assert whole["people"] == pytest.approx({f"p{k}": np.median(each[k::3]) for k in range(3)})
    losses = [float(spectrogram_loss(torch.from_numpy(a), torch.from_numpy(b))) for a, b in zip(x, y, strict=True)]
    assert whole["spectrogram"] == pytest.approx(np.median(losses), rel=1e-5)
    assert (whole["windows"], whole["flat"], whole["broken"]) == (len(x), 0, 0)


@pytest.mark.parametrize("name", BANDS)
def test_what_is_lost_of_one_band_shows_in_that_band(name: str) -> None:
    x = windows().astype(np.float64)
    low, high = BANDS[name]
    spectrum = np.fft.rfft(x, axis=1)
    hz = np.fft.rfftfreq(x.shape[1], 1 / RATE)
    inside = (hz >= low) & (hz <= high)
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, (len(x), inside.sum()))
    spectrum[:, inside] = np.abs(spectrum[:, inside]) * np.exp(1j * phase)
    y = np.fft.irfft(spectrum, x.shape[1], axis=1)
    r = measured(x, y)["r"]
    assert abs(r[name]) < 0.35
    for other in BANDS:
        edges = {*BANDS[other]} & {low, high}
        if other != name and not edges:
            assert r[other] > 0.9, other


def test_bands_are_filtered_without_delay_or_loss() -> None:
    for name, (low, high) in BANDS.items():
        wave = sine(math.sqrt(low * high))
        found = metrics.band_pass(wave, (low, high), RATE)
        assert metrics.prd(wave, found)[0] < 5, name
        for hz in (low / 2, high * 2):
            assert metrics.band_pass(sine(hz), (low, high), RATE)[0, 1024:-1024].std() < 0.02, (name, hz)


def test_only_bands_that_there_can_be_are_measured() -> None:
    x = windows()
    assert list(measured(x, noised(x))["r"]) == ["all", *BANDS]
    assert list(measured(x, noised(x), rate=64.0)["r"]) == ["all", "delta", "theta", "alpha", "beta"]
    assert list(measured(x, noised(x), rate=60.0)["r"]) == ["all", "delta", "theta", "alpha"]
    second = windows(256)
    assert list(measured(second, noised(second))["r"]) == ["all", "theta", "alpha", "beta", "gamma"]


def test_flat_windows_are_counted_and_left_out() -> None:
    x = windows().copy()
    y = noised(x)
    expected = measured(x[2:], y[2:], ["a"] * (len(x) - 2))
    x[0], x[1] = 0, 0.1
    found = measured(x, y, ["flat"] * 2 + ["a"] * (len(x) - 2))
    for name in ("prd", "prd_p90", "snr", "people"):
        assert found[name] == expected[name]
    assert found["r"] == pytest.approx(expected["r"])
    assert (found["windows"], found["flat"]) == (len(x), 2)
    nothing = measured(x[:2], y[:2])
    assert all(math.isnan(nothing[name]) for name in ("prd", "prd_p90", "snr"))
    assert nothing["spectrogram"] > 0


def test_a_silent_answer_is_a_loss_of_everything_without_r() -> None:
    x = windows()
    found = measured(x, np.zeros_like(x))
    assert found["prd"] == pytest.approx(100)
    assert found["snr"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(found["r"]["all"])


def test_what_is_not_finite_is_infinitely_bad() -> None:
    x = windows()
    y = noised(x)
    y[0, 5], y[1] = np.nan, np.inf
    found = measured(x, y, ["a"] * 2 + ["b"] * (len(x) - 2))
    assert found["broken"] == 2
    assert found["people"]["a"] == math.inf
    assert found["prd_p90"] == math.inf
    assert found["prd"] < 15
    wild = measured(x, 1e30 * y[2:3].repeat(len(x), 0))
    assert wild["prd"] > 1e30
    assert math.isfinite(wild["r"]["all"])


def test_perfection() -> None:
    x = windows()
    found = measured(x, x)
    assert found["prd"] == 0
    assert found["snr"] == math.inf
    assert found["spectrogram"] == 0
    assert all(r == pytest.approx(1) for r in found["r"].values())


def test_results_are_plain() -> None:
    x = windows()
    use = CodebookUse(2, 8)
    use.update(np.zeros((1, 2, 3), np.uint16))
    text = json.dumps({**measured(x, noised(x), ["a"] * len(x)), "codebooks": use.result()}, allow_nan=False)
    assert json.loads(text)["codebooks"]["usage"] == [1 / 8, 1 / 8]
    assert WindowMetrics(RATE).result()["windows"] == 0


def test_updates_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\[2, 64\] and \[1, 64\]"):
        WindowMetrics(RATE).update(np.zeros((2, 64)), np.zeros((1, 64)))
    with pytest.raises(UsageError, match="can't be compared"):
        WindowMetrics(RATE).update(np.zeros((2, 64)), np.zeros((2, 64)), ["a"])
    use = CodebookUse(2, 8)
    with pytest.raises(UsageError, match="not of 2 levels"):
        use.update(np.zeros((1, 3, 4), int))
    for code in (8, -1):
        with pytest.raises(UsageError, match="codebooks of 8 entries"):
            use.update(np.full((1, 2, 4), code))


@settings(max_examples=40)
@given(st.integers(1, 4), st.integers(1, 64), st.integers(1, 50), st.integers(0, 2**31), st.floats(0.05, 3))
def test_use_of_codebooks(levels: int, size: int, frames: int, seed: int, skew: float) -> None:
    rng = np.random.default_rng(seed)
    codes = (size * rng.random((3, levels, frames)) ** skew).astype(np.uint16)
    use = CodebookUse(levels, size)
    for one in codes:
        use.update(one[None])
    found = use.result()
    for level in range(levels):
        counts = np.unique(codes[:, level], return_counts=True)[1]
        assert found["usage"][level] == pytest.approx(len(counts) / size)
        assert found["entropy"][level] == pytest.approx(scipy.stats.entropy(counts, base=2), abs=1e-9)
        assert -1e-9 <= found["entropy"][level] <= math.log2(len(counts)) + 1e-9
        assert found["perplexity"][level] == pytest.approx(2 ** found["entropy"][level])


def test_even_and_constant_choices() -> None:
    use = CodebookUse(2, 1024)
    assert use.result()["usage"] == [0, 0]
    use.update(np.stack([np.arange(1024), np.full(1024, 7)])[None])
    found = use.result()
    assert found["usage"] == [1, 1 / 1024]
    assert found["entropy"] == pytest.approx([10, 0])
    assert found["perplexity"] == pytest.approx([1024, 1])
