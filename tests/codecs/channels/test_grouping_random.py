"""The sampler of random groups against the formulas of appendix A.1, by chi-square tests."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from eegzip.codecs.channels.grouping import random_groups
from eegzip.codecs.channels.positions import unit_positions

TEN_TWENTY = "Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2".split()  # noqa: SIM905
# Seeds are fixed, so a test that passes once passes always; a correct sampler fails one seed in a thousand.
P_VALUE = 1e-3


def size_chances(rate: float, scale: float, limit: int) -> list[float]:
    """Chance of each size from 1: P(s = k) = P(k - 1 < scale X <= k), and the rest at the limit."""
    beyond = [math.exp(-rate * k / scale) for k in range(limit)]
    return [beyond[k - 1] - (beyond[k] if k < limit else 0.0) for k in range(1, limit + 1)]


def partition_chances(n: int, sizes: list[float]) -> dict[tuple[int, ...], float]:
    """Chance of the sorted sizes of all groups of n channels, where a draw asks for no more than remain."""
    if n == 0:
        return {(): 1.0}
    chances: Counter[tuple[int, ...]] = Counter()
    for wanted, chance in enumerate(sizes, start=1):
        size = min(wanted, n)
        for others, rest in partition_chances(n - size, sizes).items():
            chances[tuple(sorted((size, *others)))] += chance * rest
    return dict(chances)


def assert_fits(observed: dict, expected: dict, draws: int) -> None:
    """Chi-square, with cells that are too rare for it put together."""
    assert set(observed) <= set(expected)
    assert sum(expected.values()) == pytest.approx(1)
    common = [key for key in expected if expected[key] * draws >= 8]
    cells = [(observed.get(key, 0), expected[key] * draws) for key in common]
    rare = draws - sum(seen for seen, _ in cells), draws - sum(due for _, due in cells)
    if rare[1] > 8:
        cells.append(rare)
    else:
        assert rare[0] <= 30
        cells = [(seen, due * (draws - rare[0]) / (draws - rare[1])) for seen, due in cells]
    assert len(cells) > 1
    assert chisquare(*zip(*cells, strict=True)).pvalue > P_VALUE


@pytest.mark.parametrize(("scale", "limit", "n"), [(1.0, 5, 5), (9.0, 5, 6), (4.0, 3, 7)])
def test_sizes_of_groups(scale: float, limit: int, n: int) -> None:
    draws, rng = 3000, np.random.default_rng(1)
    names = TEN_TWENTY[:n]
    seen = Counter(
        tuple(sorted(len(group) for group in random_groups(names, limit, rng, scale=scale))) for _ in range(draws)
    )
    assert_fits(seen, partition_chances(n, size_chances(3.0, scale, limit)), draws)


def test_as_written_19_of_20_groups_are_single() -> None:
    """With lambda = 3 as the rate: P(s = 1) = 1 - exp(-3) = 0.950. Documented, and this is the number."""
    assert size_chances(3.0, 1.0, 5)[0] == pytest.approx(0.9502, abs=1e-4)
    rng = np.random.default_rng(2)
    sizes = Counter(len(group) for _ in range(500) for group in random_groups(TEN_TWENTY, 5, rng))
    assert sizes[1] / sum(sizes.values()) == pytest.approx(0.9502, abs=0.01)


class PivotFirst(np.random.Generator):
    """A generator whose first pivot of each drawing is a chosen place in the pool."""

    place: int | None = None

    def integers(self, *args: Any, **kwargs: Any) -> Any:
        if self.place is None:
            return super().integers(*args, **kwargs)
        place, self.place = self.place, None
        return place


def neighbours_of_cz(limit: int, tau: float, draws: int) -> Counter[frozenset[str]]:
    rng = PivotFirst(np.random.PCG64(3))
    names = ["Cz", *(name for name in TEN_TWENTY if name != "Cz")]
    vocabulary = tuple(names)  # so that Cz is first in the pool
    seen: Counter[frozenset[str]] = Counter()
    for _ in range(draws):
        rng.place = 0
        groups = random_groups(names, limit, rng, scale=1e6, tau=tau, vocabulary=vocabulary)
        seen[frozenset(names[index] for index in groups[0]) - {"Cz"}] += 1
    return seen


def softmax_of_cz(tau: float) -> dict[str, float]:
    places = unit_positions(TEN_TWENTY)
    weights = {name: math.exp(-math.dist(places["Cz"], places[name]) / tau) for name in TEN_TWENTY if name != "Cz"}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


@pytest.mark.parametrize("tau", [1.0, 0.25])
def test_a_neighbour_of_cz_follows_the_softmax(tau: float) -> None:
    """Groups of two: the share of each neighbour against pi(c | Cz)."""
    draws = 3000
    expected = {frozenset({name}): chance for name, chance in softmax_of_cz(tau).items()}
    assert_fits(neighbours_of_cz(2, tau, draws), expected, draws)


def test_two_neighbours_of_cz_are_drawn_without_replacement() -> None:
    """Groups of three: the second draw is from what is left, its chances divided by their sum."""
    draws, chance = 4000, softmax_of_cz(0.25)
    expected = {
        frozenset({a, b}): chance[a] * chance[b] / (1 - chance[a]) + chance[b] * chance[a] / (1 - chance[b])
        for a, b in itertools.combinations(chance, 2)
    }
    assert_fits(neighbours_of_cz(3, 0.25, draws), expected, draws)


def test_pivots_are_uniform() -> None:
    """Of three channels in groups of two the first pair tells: 1/3 for each pivot times its neighbour's chance."""
    draws, rng, names = 6000, np.random.default_rng(4), ["Fp1", "Fp2", "O1"]
    places = unit_positions(names)
    weight = {(a, b): math.exp(-math.dist(places[a], places[b]) / 0.5) for a, b in itertools.permutations(names, 2)}
    total = {a: sum(weight[a, b] for b in names if b != a) for a in names}
    expected = {
        frozenset(pair): sum(weight[a, b] / total[a] for a, b in itertools.permutations(pair)) / 3
        for pair in itertools.combinations(names, 2)
    }
    seen = Counter(
        frozenset(names[index] for index in max(random_groups(names, 2, rng, scale=1e6, tau=0.5), key=len))
        for _ in range(draws)
    )
    assert_fits(seen, expected, draws)


def test_a_tiny_temperature_takes_the_nearest() -> None:
    places = unit_positions(TEN_TWENTY)
    nearest = min((name for name in TEN_TWENTY if name != "Cz"), key=lambda x: math.dist(places["Cz"], places[x]))
    assert set(neighbours_of_cz(2, 1e-9, 20)) == {frozenset({nearest})}


def test_only_channels_with_a_place_are_drawn() -> None:
    names = ["Cz", "EKG1", "C3", "Fp1-F7", "26"]
    for seed in range(20):
        groups = random_groups(names, 5, np.random.default_rng(seed), scale=1e6)
        assert groups == [(2, 0), (1,), (3,), (4,)] or groups == [(1,), (2, 0), (3,), (4,)]
