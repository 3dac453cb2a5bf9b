"""Distances between curves, on curves for which they are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from race.coders import TARGETS
from race.promise import EVERY_CHANNEL, coarsest, worst_prd
from race.tables import curve, distances, prd_at, rate_at, targets


def rows(coder: str, points: dict[float, float], recording: str = "one") -> list[dict[str, Any]]:
    """Rows of a coder whose PRD is given at some rates."""
    return [
        {"set": "set", "recording": recording, "coder": coder, "setting": str(n), "bits_per_second": rate, "prd": prd}
        for n, (rate, prd) in enumerate(points.items())
    ]


def test_a_power_law_is_interpolated_exactly_and_never_continued() -> None:
    law = rows("mdct", {rate: 1000 / rate for rate in (10.0, 40.0, 300.0)})
    assert prd_at(law, 20) == pytest.approx(50)
    assert rate_at(law, 10) == pytest.approx(100)
    assert prd_at(law, 9) is prd_at(law, 301) is rate_at(law, 3) is rate_at(law, 101) is None
    assert prd_at([], 20) is None


def test_points_that_another_beats_in_both_don_t_count() -> None:
    rates, prds = curve(rows("mp3", {10.0: 50.0, 20.0: 60.0, 30.0: 40.0}))
    assert (list(rates), list(prds)) == ([10, 30], [50, 40])


def test_distances_take_the_better_model_and_the_mean_of_recordings() -> None:
    rival = {10.0: 80.0, 1000.0: 8.0}
    table = rows("mdct", rival) + rows("mdct", rival, "two")
    table += rows("dac-sc-a", {rate: 2 * prd for rate, prd in rival.items()})
    table += rows("dac-sc-b", {rate: 4 * prd for rate, prd in rival.items()})
    table += rows("dac-sc-b", {rate: 8 * prd for rate, prd in rival.items()}, "two")
    lines = distances(table)
    assert "| set | 4.00 | 4.00 | 4.00 | 4.00 | 4.00 | 4.00 |" in lines
    assert "| set | - | - | - | - | - | - |" in lines


def test_targets_are_held_against_the_rival_s_size_at_equal_loss() -> None:
    table = rows("klt-mdct", {10.0: 80.0, 1000.0: 8.0}) + rows(TARGETS, {20.0: 80.0, 500.0: 8.0})
    table.append({**table[1], "setting": f"{EVERY_CHANNEL} 1", "bits_per_second": 2000.0})
    assert "| set | equal mean PRD | 2.00 | 0.50 |" in targets(table)
    assert "| set | the same promise | - | 0.25 |" in targets(table)
    assert targets(rows("klt-mdct", {10.0: 80.0})) == []


def test_the_coarsest_step_that_keeps_a_promise_is_found() -> None:
    """Errors that follow the step a little less than evenly, as a transform coder's do."""
    tried = {}

    def trial(step: float) -> float:
        tried[step] = 10 * step**0.8
        return tried[step]

    known = {step: trial(step) for step in (0.1, 1.0, 8.0)}
    found = dict(coarsest(trial, known, (20.0, 5.0, 0.1)))
    assert set(found) == {20.0, 5.0}
    for target, step in found.items():
        assert 0.97 * target < tried[step] <= target


def test_the_worst_channel_of_the_worst_chunk_counts() -> None:
    original = np.tile([[100, -100], [40, -40], [7, 7]], 8000)
    restored = original.copy()
    assert worst_prd(original, restored, 128.0) == 0
    restored[1, 9000:9010] += 4
    chunk = 60 * 128
    assert worst_prd(original, restored, 128.0) == pytest.approx(100 * np.sqrt(10 * 16 / (chunk * 1600)), rel=1e-3)
    restored[2, 3] += 1
    assert worst_prd(original, restored, 128.0) > 1e6
