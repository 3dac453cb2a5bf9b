"""Bounds hold for signals that no head produces: steps, clipping, noise, spikes, offsets, extremes of the format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api.plain_edf import PlainEdf, build
from hypothesis import example, given, settings
from hypothesis import strategies as st

import eegzip

RATE = 128
KINDS = ("walk", "noise", "flat", "spike", "steps", "clipped", "sine", "offset", "extremes", "grid", "late")


def hostile(kind: str, n: int, limit: int, random: np.random.Generator) -> np.ndarray:
    """One signal of n samples within -limit to limit - 1."""
    time = np.arange(n)
    values = {
        "walk": lambda: np.cumsum(random.normal(0, 20, n)),
        "noise": lambda: random.integers(-limit, limit, n),
        "flat": lambda: np.full(n, random.integers(-limit, limit)),
        "spike": lambda: np.where(time == n // 3, limit - 1, 0),
        "steps": lambda: np.repeat(random.integers(-limit, limit, n // 16 + 1), 16)[:n],
        "clipped": lambda: limit * 3 * np.sin(time / 7.3),
        "sine": lambda: 400 * np.sin(time / 5.1) + random.normal(0, 3, n),
        "offset": lambda: 0.9 * limit + random.normal(0, 5, n),
        "extremes": lambda: np.where(random.random(n) < 0.5, -limit, limit - 1),
        "grid": lambda: 1000 * random.integers(-5, 6, n),
        "late": lambda: np.where(time < n // 2, 7, 7 + random.normal(0, 300, n)),
    }[kind]()
    return np.clip(np.rint(values), -limit, limit - 1).astype(np.int64)


def recording(folder: Path, kinds: list[str], records: int, seed: int, *, bdf: bool) -> Path:
    random = np.random.default_rng(seed)
    limit = 1 << (23 if bdf else 15)
    signals = [
        {
            "label": f"EEG {name}",
            "unit": "uV",
            "pmin": -limit // 32,
            "pmax": limit // 32,
            "dmin": -limit,
            "dmax": limit - 1,
            "values": hostile(kind, records * RATE, limit, random).reshape(records, RATE),
        }
        for name, kind in zip(("Fp1", "Fp2", "C3", "C4", "O1", "O2"), kinds, strict=False)
    ]
    return build(folder / "hostile.edf", signals, bdf=bdf)


def check(source: Path, folder: Path, options: dict[str, Any]) -> None:
    target, back = folder / "a.eegz", folder / "back.edf"
    before = PlainEdf.read(source)
    uv = [
        (float(pmax) - float(pmin)) / (float(dmax) - float(dmin))
        for pmin, pmax, dmin, dmax in zip(*(before.column(at, 8) for at in (104, 112, 120, 128)), strict=True)
    ]
    if set(options) == {"max_error"} and max(uv) <= options["max_error"]:
        # A bound within which a straight line takes the place of any eight seconds is refused.
        rows = [before.digital(index).astype(float) for index in range(before.n_signals)]
        parts = [row[start : start + 8 * RATE] for row in rows for start in range(0, len(row), 8 * RATE)]
        if 0 < uv[0] * max(np.ptp(part) for part in parts) <= 2 * options["max_error"]:
            with pytest.raises(eegzip.UsageError, match="would leave nothing"):
                eegzip.compress(source, target, chunk_seconds=4, **options)
            return
    eegzip.compress(source, target, chunk_seconds=4, **options)
    eegzip.decompress(target, back)
    assert eegzip.verify(target).intact
    after = PlainEdf.read(back)
    assert before.raw[: before.header_bytes] == after.raw[: after.header_bytes]
    for index in range(before.n_signals):
        x, y = before.digital(index), after.digital(index)
        for start in range(0, len(x), 4 * RATE):
            part, got = x[start : start + 4 * RATE].astype(float), y[start : start + 4 * RATE].astype(float)
            if part.std() == 0:
                assert np.array_equal(part, got)
                continue
            if "max_prd" in options:
                assert 100 * np.sqrt(np.mean((part - got) ** 2)) <= options["max_prd"] * part.std()
            if "max_error" in options:
                assert uv[index] * np.abs(part - got).max() <= options["max_error"] * (1 + 1e-9)


bounds = st.fixed_dictionaries(
    {},
    optional={
        "max_prd": st.sampled_from([0.01, 1.0, 9.0, 40.0, 99.0]),
        "max_error": st.sampled_from([0.0, 0.07, 0.5, 8.0, 300.0]),
    },
).filter(bool)


@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    bounds,
)
@example(list(KINDS[:6]), 9, 0, False, {"max_prd": 9.0})
@example(list(KINDS[5:]), 9, 0, True, {"max_error": 0.5})
@settings(max_examples=25)
def test_bounds_hold_for_any_signal(
    kinds: list[str], records: int, seed: int, bdf: bool, options: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check(recording(folder, kinds, records, seed, bdf=bdf), folder, options)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_by_itself(tmp_path: Path, kind: str) -> None:
    source = recording(tmp_path, [kind, "walk", kind], 9, 5, bdf=False)
    for number, options in enumerate(({"max_prd": 9.0}, {"max_error": 1.0}, {"max_prd": 30.0, "max_error": 5.0})):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(source, folder, options)


def test_many_channels_and_rates(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    signals = [
        {
            "label": f"EEG {number}",
            "unit": "uV",
            "pmin": -1000,
            "pmax": 1000,
            "dmin": -32768,
            "dmax": 32767,
            "values": np.cumsum(random.integers(-50, 51, (5, 64 + 64 * (number % 2))), axis=1),
        }
        for number in range(150)
    ]
    source = build(tmp_path / "many.edf", signals)
    report = eegzip.compress(source, tmp_path / "a.eegz", max_prd=20, lossy=["*"])
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "b.edf")
    before, after = PlainEdf.read(source), PlainEdf.read(tmp_path / "b.edf")
    assert all(signal.coding == "layers" for signal in report.signals)
    for index in range(150):
        x, y = before.digital(index).astype(float), after.digital(index)
        assert np.sqrt(np.mean((x - y) ** 2)) <= 0.2 * x.std()
