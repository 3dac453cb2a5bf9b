"""Tiers: what is pooled, what is required, and that each requirement is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from eegzip.evaluation.eeg_part import eeg_part
from eegzip.evaluation.tiers import TIER_BANDS, TIERS, TierMeter, TierReport

RATE = 256
TIME = np.arange(30 * RATE) / RATE
WAVES = {"delta": 2.0, "theta": 6.0, "alpha": 10.0, "beta": 20.0, "gamma": 40.0}


def mixture(**factors: float) -> np.ndarray:
    """One wave a band, each of amplitude 3000 times a factor."""
    parts = [3000 * factors.get(band, 1.0) * np.sin(2 * np.pi * hertz * TIME) for band, hertz in WAVES.items()]
    return np.rint(np.sum(parts, axis=0)).astype(np.int32)


def graded(x: np.ndarray, y: np.ndarray, ratio: float | None) -> TierReport:
    meter = TierMeter()
    meter.update(x, y, RATE)
    return meter.report(None if ratio is None else round(8 * len(x) / ratio))


def test_exact_is_lossless_unless_it_grew() -> None:
    x = mixture()
    assert graded(x, x, 2.0).letter == "L"
    assert graded(x, x, None).letter == "L"
    # Larger than 64-bit samples: the requirement of N, not to grow at all, is missed too.
    assert graded(x, x, 0.7).letter == "-"
    assert graded(x, x, 0.7).letter_without_ratio == "L"


def test_one_wrong_sample_is_not_lossless() -> None:
    x = mixture()
    y = x.copy()
    y[5] += 1
    assert graded(x, y, 2.0).letter == "N"
    assert "every sample exact" in graded(x, y, 2.0).shortfalls


@pytest.mark.parametrize(("factor", "letter"), [(0.96, "N"), (0.93, "M"), (0.91, "M"), (0.85, "A"), (0.75, "-")])
def test_fidelity_decides(factor: float, letter: str) -> None:
    # A loss of 4 % everywhere is within N; 7 % misses N's 5 and C's delta; 15 % is within A's delta (20), 25 % is not.
    x = mixture()
    y = np.rint(factor * x).astype(np.int32)
    report = graded(x, y, 1000.0)
    assert report.letter == letter
    assert report.prd == pytest.approx(100 * (1 - factor), abs=0.1)
    assert report.bands["theta"][0] == pytest.approx(100 * (1 - factor), abs=0.1)


def test_the_ratio_decides() -> None:
    x = mixture()
    y = np.rint(0.91 * x).astype(np.int32)
    assert [graded(x, y, ratio).letter for ratio in (99.0, 101.0, None)] == ["-", "M", "M"]
    assert graded(x, y, 99.0).letter_without_ratio == "M"


def test_one_bad_band_is_enough() -> None:
    x, y = mixture(gamma=0.3), mixture(gamma=0.3 * 0.5)
    report = graded(x, y, 30.0)
    assert report.prd is not None
    assert report.prd < 9
    # Half of gamma is missing, more than C (20 %) and M (40 %) allow; A's ratio is not reached.
    assert report.letter_without_ratio == "A"
    assert report.letter == "-"
    assert report.bands["gamma"][0] == pytest.approx(50, abs=0.5)


def test_bands_join_their_edges_and_channels_are_pooled() -> None:
    x, flat = mixture(), np.zeros(len(TIME), np.int32)
    meter = TierMeter()
    meter.update(x, x, RATE)
    meter.update(x, flat, RATE)
    report = meter.report(None)
    assert report.prd == pytest.approx(100 / np.sqrt(2), rel=1e-6)
    assert all(prd == pytest.approx(100 / np.sqrt(2), rel=1e-3) for prd, _ in report.bands.values())
    assert list(TIER_BANDS) == list(WAVES)


def test_bands_agree_with_masked_transforms() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-500, 500, 1001)
    y = x + rng.integers(-50, 50, 1001)
    report = graded(x, y, None)
    frequencies = np.fft.rfftfreq(1001, 1 / RATE)
    for name, (low, high) in TIER_BANDS.items():
        mask = (frequencies >= low) & (frequencies < high)
        a, b = (np.fft.irfft(np.where(mask, np.fft.rfft(wave), 0), 1001) for wave in eeg_part(np.stack([x, y]), RATE))
        assert report.bands[name][0] == pytest.approx(100 * np.linalg.norm(a - b) / np.linalg.norm(a))
        assert report.bands[name][1] == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_means_are_kept_as_the_grading_has_it_but_grade_nothing() -> None:
    x = mixture() + 30000
    y = np.rint(0.5 * (x - 30000) + 30000).astype(np.int32)
    report = graded(x, y, None)
    assert report.prd is not None
    assert report.prd < 15
    assert report.eeg_prd == pytest.approx(50, abs=0.1)
    assert report.letter == "-"


def test_drift_and_mains_do_not_pay_for_the_eeg() -> None:
    """Near-lossless by the figures of the whole; nothing of the EEG is left."""
    eeg = mixture() // 10
    loud = np.rint(20_000 * np.sin(2 * np.pi * 0.02 * TIME) + 20_000 * np.sin(2 * np.pi * 50 * TIME)).astype(np.int32)
    report = graded(eeg + loud, loud, None)
    assert report.prd is not None
    assert report.prd < 5
    assert report.eeg_prd == pytest.approx(100, abs=2)
    assert report.letter == "-"
    assert any(text.startswith("EEG part PRD") for text in report.shortfalls)


def test_nothing_is_no_tier() -> None:
    assert TierMeter().report(10).letter == "-"
    assert [tier.letter for tier in TIERS] == ["L", "N", "C", "M", "A"]
