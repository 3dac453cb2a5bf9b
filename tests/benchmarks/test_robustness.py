"""A sample of what benchmarks/robustness.py does: damaged files are refused, or what is left of them is right."""

from __future__ import annotations

import pytest
import robustness

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["lossless EDF+D", "lossless BDF", "--max-prd 20 --keep-tokens"])
def test_damage_never_makes_wrong_samples(kind: str) -> None:
    for way, every in (("cut", 211), ("flip", 89)):
        found = robustness.tried(kind, way, every, salvaging=way == "flip")
        assert found["bytes"] > 1000
        # Whole is what a file remains whose index, copies or summary were hit.
        assert set(found["counts"]) <= {"refused", "parts", "whole"}
        assert sum(found["counts"].values()) == -(-found["bytes"] // every)
        assert found["counts"].get("parts", 0) > 0
        assert found["grown_mb"] < 200
