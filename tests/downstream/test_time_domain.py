"""Features of samples against loops written from their definitions, SciPy, and signals whose answer is known."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from eegzip.downstream.nonlinear import hurst_exponents, lyapunov_exponents
from eegzip.downstream.time_domain import (
    OF_TIME,
    fluctuation_slopes,
    higuchi_dimensions,
    singular_shares,
    time_features,
)


def _of(x: np.ndarray) -> dict[str, float]:
    return dict(zip(OF_TIME, time_features(np.asarray(x, float)[None, None])[0, :, 0].tolist(), strict=True))


def test_by_hand() -> None:
    """A short zigzag, on paper."""
    x = np.array([1.0, 3.0, -1.0, -1.0, 2.0, -4.0] + [0.0] * 54)
    found = _of(x)
    steps = np.diff(x)  # 2 -4 0 3 -6 4 0 ...
    assert found["line_length"] == 19
    assert (found["maximum"], found["minimum"], found["mean"], found["median"]) == (3, -4, 0, 0)
    assert found["energy"] == pytest.approx(32 / 60)
    assert found["hjorth_activity"] == pytest.approx(32 / 60)
    mobility = math.sqrt(steps.var() / x.var())
    assert found["hjorth_mobility"] == pytest.approx(mobility)
    assert found["hjorth_complexity"] == pytest.approx(math.sqrt(np.diff(steps).var() / steps.var()) / mobility)
    # 9+1, 1+3, 1+2, 4-4, 16-0, then zeros.
    assert found["non_linear_energy"] == pytest.approx((10 + 4 + 3 + 0 + 16) / 58)
    # + + - - + - 0...: four changes, as 0 counts as above.
    assert found["zero_crossing"] == 4
    # Katz: 59 steps, length 19, farthest 5 from the first.
    assert found["fractal_dimension"] == pytest.approx(math.log(59) / (math.log(59) + math.log(5 / 19)))
    # Signs of steps change at 2,-4; 3,-6; -6,4.
    assert found["petrosian_dimension"] == pytest.approx(
        math.log10(60) / (math.log10(60) + math.log10(60 / (60 + 0.4 * 3)))
    )


def test_moments_are_scipys(windows: np.ndarray) -> None:
    x = windows[0, 0]
    found = _of(x)
    assert found["kurtosis"] == pytest.approx(stats.kurtosis(x))
    assert found["skewness"] == pytest.approx(stats.skew(x))


def test_singular_values_are_those_of_the_embedding(windows: np.ndarray) -> None:
    x = windows[1, 0]
    embedded = np.array([[x[i + 4 * k] for k in range(10)] for i in range(600 - 36)])
    shares = np.linalg.svd(embedded, compute_uv=False)
    shares = shares / shares.sum()
    np.testing.assert_allclose(singular_shares(x), shares, rtol=1e-6)
    found = _of(x)
    assert found["svd_entropy"] == pytest.approx(-sum(s * math.log(s) for s in shares))
    fisher = sum((b - a) ** 2 / a for a, b in pairwise(shares))
    assert found["fisher_information"] == pytest.approx(fisher, rel=1e-5)


def test_fluctuations_against_fits(windows: np.ndarray) -> None:
    """Every box by NumPy's own fit of a line."""
    x = windows[0, 2]
    profile = np.cumsum(x - x.mean())
    lengths = np.unique(np.geomspace(4, 150, 12).astype(int))
    logs = []
    for length in lengths:
        squares = []
        for box in range(600 // length):
            part = profile[box * length : (box + 1) * length]
            at = np.arange(length)
            squares.extend((part - np.polyval(np.polyfit(at, part, 1), at)) ** 2)
        logs.append(math.log(math.sqrt(np.mean(squares))))
    assert fluctuation_slopes(x) == pytest.approx(np.polyfit(np.log(lengths), logs, 1)[0], rel=1e-6)


def test_dimensions_and_memory_of_known_processes() -> None:
    """White noise, a random walk, a line."""
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((40, 600))
    walk = np.cumsum(noise, axis=1)
    assert fluctuation_slopes(noise).mean() == pytest.approx(0.5, abs=0.1)
    assert fluctuation_slopes(walk).mean() == pytest.approx(1.5, abs=0.1)
    assert higuchi_dimensions(noise).mean() == pytest.approx(2.0, abs=0.05)
    assert higuchi_dimensions(walk).mean() == pytest.approx(1.5, abs=0.05)
    assert higuchi_dimensions(np.arange(600.0)) == pytest.approx(1.0)
    # The rescaled range is biased upwards for short series (Anis and Lloyd 1976): 0.5 becomes about 0.6.
    assert 0.5 < hurst_exponents(noise).mean() < 0.7
    assert hurst_exponents(walk).mean() > 0.9


def test_hurst_against_its_definition(windows: np.ndarray) -> None:
    x = windows[0, 1, :80].copy()
    points = []
    for count in range(2, len(x) + 1):
        part = x[:count]
        deviations = np.cumsum(part - part.mean())
        spread = max(deviations.max(), 0) - min(deviations.min(), 0)
        points.append((math.log(count), math.log(spread / part.std())))
    slope = np.polyfit(*zip(*points, strict=True), 1)[0]
    assert hurst_exponents(x[None])[0] == pytest.approx(slope, rel=1e-6)


def test_lyapunov_against_its_definition(windows: np.ndarray) -> None:
    x = windows[1, 1, :120].copy()
    points = len(x) - 12 - 20
    state = np.array([[x[i + 4 * k] for k in range(4)] for i in range(len(x) - 12)])
    logs: list[list[float]] = [[] for _ in range(21)]
    for i in range(points):
        others = [(float(np.linalg.norm(state[i] - state[j])), j) for j in range(points) if abs(i - j) >= 13]
        j = min(pair for pair in others if pair[0] > 0)[1]
        for ahead in range(21):
            distance = np.linalg.norm(state[i + ahead] - state[j + ahead])
            if distance > 0:
                logs[ahead].append(math.log(distance))
    slope = np.polyfit(np.arange(21) / 100, [np.mean(values) for values in logs], 1)[0]
    assert lyapunov_exponents(x[None])[0] == pytest.approx(slope, rel=1e-6)


def test_chaos_parts_neighbours_and_a_tone_does_not() -> None:
    time = np.arange(600) / 100
    tone = np.sin(2 * np.pi * 2 * time) + 1e-3 * np.random.default_rng(4).standard_normal(600)
    x, chaotic = 0.4, []
    for _ in range(600):
        x = 3.9 * x * (1 - x)
        chaotic.append(x)
    slow, fast = lyapunov_exponents(np.stack([tone, np.array(chaotic)]))
    assert fast > 5
    assert abs(slow) < fast / 5


def test_an_offset_changes_only_what_it_should(windows: np.ndarray) -> None:
    moved = {"energy", "maximum", "mean", "median", "minimum", "non_linear_energy", "svd_entropy", "fisher_information"}
    one, other = _of(windows[0, 0]), _of(windows[0, 0] + 500.0)
    for name in set(OF_TIME) - moved:
        assert other[name] == pytest.approx(one[name], rel=1e-6), name
    assert other["mean"] == pytest.approx(one["mean"] + 500.0)
