"""Arrays in: what pyedflib and edfio read of the restored file is what was given, or an error says why."""

from __future__ import annotations

from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pyedflib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eegzip

EDFLIB_SIGNALS = 640
"""More edflib doesn't read."""

cheap = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def round_trip(folder: Path, data: Any, rate: Any, names: Any = None, **options: Any) -> Path:
    """Compress losslessly, so that what comes back is what the array became."""
    target, back = folder / "a.eegz", folder / ("a.bdf" if options.get("bits") == 24 else "a.edf")
    names = [f"E{i + 1}" for i in range(len(data))] if names is None else names
    eegzip.compress_array(data, rate, names, target, lossless=True, overwrite=True, **options)
    eegzip.decompress(target, back, overwrite=True)
    return back


def read(path: Path) -> edfio.Edf | edfio.Bdf:
    return edfio.read_edf(path) if path.suffix == ".edf" else edfio.read_bdf(path)


def judged(path: Path, n_samples: int) -> tuple[np.ndarray, float]:
    """Samples in uV and rate, in which both readers agree."""
    file = read(path)
    scale = [{"uV": 1.0, "nV": 1e-3}[signal.physical_dimension] for signal in file.signals]
    ours = np.stack([signal.data * k for signal, k in zip(file.signals, scale, strict=True)])
    if len(file.signals) < EDFLIB_SIGNALS:
        with pyedflib.EdfReader(str(path)) as reader:
            assert reader.getSignalLabels() == [signal.label for signal in file.signals]
            theirs = np.stack([reader.readSignal(i) * k for i, k in enumerate(scale)])
            assert reader.getSampleFrequency(0) == pytest.approx(file.signals[0].sampling_frequency, rel=1e-9)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    held = ours[:, n_samples:]
    assert (held == ours[:, n_samples - 1 : n_samples]).all()
    return ours[:, :n_samples], file.signals[0].sampling_frequency


@cheap
@given(
    start=st.datetimes(datetime(1985, 1, 1), datetime(2084, 12, 31, 23, 59, 59, 999_999)),
    bits=st.sampled_from([16, 24]),
)
def test_starts_come_back_to_the_microsecond(tmp_path: Path, start: datetime, bits: int) -> None:
    path = round_trip(tmp_path, np.ones((1, 100)), 100, start=start, bits=bits)
    file = read(path)
    assert datetime.combine(file.startdate, file.starttime) == start
    with pyedflib.EdfReader(str(path)) as reader:  # its own reading of fractions is off
        assert reader.getStartdatetime().replace(microsecond=0) == start.replace(microsecond=0)
    with eegzip.open(tmp_path / "a.eegz") as recording:
        assert recording.info["deviations"] == []
        assert recording.record_onsets[0] == pytest.approx(start.microsecond / 1e6, abs=1e-9)


@pytest.mark.parametrize("year", [1, 1900, 1924, 1970, 1984, 2085, 2090, 9999])
def test_years_that_edf_cannot_state(tmp_path: Path, year: int) -> None:
    with pytest.raises(eegzip.UsageError, match="from 1985 to 2084"):
        eegzip.compress_array(np.ones((1, 9)), 9, ["C3"], tmp_path / "a.eegz", start=datetime(year, 7, 1))


def test_no_start_is_an_unknown_one(tmp_path: Path) -> None:
    raw = round_trip(tmp_path, np.ones((1, 100)), 100).read_bytes()
    assert raw[88:184].split() == [b"Startdate", b"X", b"X", b"X", b"X", b"01.01.8500.00.00"]


@cheap
@given(
    rate=st.one_of(
        st.sampled_from([249.84, 256.0, 199.5, 1000 / 3, 256.0123, 0.5, 97.65625, 24414.0625, np.float32(249.84)]),
        st.floats(1, 3000).map(lambda x: round(x, 4)),
    ),
    n_samples=st.integers(1, 3000),
)
def test_rate_and_length(tmp_path: Path, rate: float, n_samples: int) -> None:
    data = np.arange(n_samples, dtype=float)[None] % 1000
    path = round_trip(tmp_path, data, rate)
    samples, found = judged(path, n_samples)
    assert (samples == data).all()
    assert found == pytest.approx(float(str(rate)), rel=1e-6)
    held = read(path).duration - n_samples / found
    assert held <= max(2.0, 1.5 / rate) or n_samples < rate / 4 or found != rate


def test_8_seconds_stay_8_seconds(tmp_path: Path) -> None:
    path = round_trip(tmp_path, np.arange(2000.0)[None], 249.84)
    assert len(read(path).signals[0].data) == 2000
    assert read(path).duration == pytest.approx(2000 / 249.84, abs=1e-5)


@cheap
@given(
    offset=st.floats(-9e6, 9e6),
    size=st.floats(-6, 6).map(lambda x: 10**x),
    bits=st.sampled_from([16, 24]),
    seed=st.integers(0, 1 << 30),
)
def test_each_channel_has_its_own_range(tmp_path: Path, offset: float, size: float, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = np.stack([rng.normal(0, 30, 200), offset + rng.uniform(-size, size, 200) * 0.5])
    try:
        path = round_trip(tmp_path, data, 100, bits=bits)
    except eegzip.UsageError:
        assert np.ptp(data[1]) < 100 * 2 / (2**bits - 1)  # a hundredth of it is less than the finest step
        return
    found, _ = judged(path, 200)
    for row, back, signal in zip(data, found, read(path).signals, strict=True):
        low, high = signal.physical_range
        scale = 1e-3 if signal.physical_dimension == "nV" else 1.0
        step = (high - low) * scale / (2**bits - 1)
        assert np.abs(back - row).max() <= 0.5 * step + 1e-9 * np.abs(row).max()
        # No wider than the samples, but for what eight characters leave out.
        assert (high - low) * scale <= np.ptp(row) + 2 * 10.0 ** min(0, len(f"{int(np.abs(row).max())}") - 6)


def test_30_uv_on_200_mv(tmp_path: Path) -> None:
    data = 200_000 + 15 * np.sin(np.arange(2000) / 9)[None]
    found, _ = judged(round_trip(tmp_path, data, 250), 2000)
    assert np.abs(found - data).max() < 0.001


def test_whole_numbers_stay_what_they_are(tmp_path: Path) -> None:
    data = np.array([[0, 1, 5, 255, 3, 0], [-32768, 32767, 12, -7, 0, 1], [7] * 6, [32767] * 6], dtype=np.int16)
    assert (judged(round_trip(tmp_path, data, 6), 6)[0] == data).all()
    assert (judged(round_trip(tmp_path, data.astype(int) * 200, 6, bits=24), 6)[0] == data.astype(int) * 200).all()


@settings(cheap, max_examples=3)
@given(channels=st.integers(1, 700), n_samples=st.integers(1, 30))
def test_any_number_of_channels(tmp_path: Path, channels: int, n_samples: int) -> None:
    data = np.random.default_rng(channels).normal(0, 20, (channels, n_samples))
    found, _ = judged(round_trip(tmp_path, data, 250), n_samples)
    assert np.abs(found - data).max() < 0.01


def test_641_channels_and_too_many(tmp_path: Path) -> None:
    data = np.arange(641.0)[:, None] + np.arange(20) % 3
    assert (judged(round_trip(tmp_path, data, 100), 20)[0] == data).all()
    with pytest.raises(eegzip.UsageError, match="room for 9998 channels"):
        eegzip.compress_array(np.ones((9999, 1)), 100, [f"E{i}" for i in range(9999)], tmp_path / "b.eegz")


def test_same_input_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(1).normal(0, 20, (3, 500))
    first = round_trip(tmp_path, data, 250, annotations=[(0.5, None, "x")]).read_bytes()
    archive = (tmp_path / "a.eegz").read_bytes()
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    assert round_trip(tmp_path, data.tolist(), Fraction(250), annotations=[(0.5, None, "x")]).read_bytes() == first
    assert (tmp_path / "a.eegz").read_bytes() == archive


def test_tensors(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    found, _ = judged(round_trip(tmp_path, torch.full((2, 50), 1.5), 50, ["C3", "C4"]), 50)
    np.testing.assert_allclose(found, 1.5, atol=1e-6)


ONES = np.ones((1, 500))
WRONG: list[tuple[str, dict[str, Any]]] = [
    ("real numbers", {"data": [["a", "b"]]}),
    ("real numbers", {"data": "text"}),
    ("real numbers", {"data": ONES.astype(complex)}),
    ("real numbers", {"data": None}),
    ("one length", {"data": [[1.0, 2.0], [3.0]]}),
    ("masked", {"data": np.ma.masked_equal(ONES, 1)}),
    ("sample rate", {"sample_rate": "250"}),
    ("sample rate", {"sample_rate": None}),
    ("sample rate", {"sample_rate": np.array([250.0])}),
    ("sequence", {"channel_names": "C"}),
    ("sequence", {"channel_names": None}),
    ("is no text", {"channel_names": [3]}),
    ("rename it", {"channel_names": ["EDF Annotations"]}),
    ("rename it", {"channel_names": ["bdf annotations"]}),
    ("no blank", {"channel_names": [" C3"]}),
    ("datetime", {"start": "2024-01-01"}),
    ("time zones", {"start": datetime(2024, 1, 1, tzinfo=timezone.utc)}),
    ("onset, duration", {"annotations": [(1, 2)]}),
    ("sequence", {"annotations": 5}),
    ("number of seconds", {"annotations": [("1", 2, "x")]}),
    ("number of seconds", {"annotations": [(1e300, 2, "x")]}),
    ("UTF-8", {"annotations": [(1, 2, "\ud800")]}),
    ("bits", {"bits": "16"}),
]  # fmt: skip


@pytest.mark.parametrize(("message", "changed"), WRONG)
def test_what_can_not_be_is_a_usage_error(tmp_path: Path, message: str, changed: dict[str, Any]) -> None:
    given_ = {"data": ONES, "sample_rate": 250, "channel_names": ["C3"]} | changed
    with pytest.raises(eegzip.UsageError, match=message):
        eegzip.compress_array(target=tmp_path / "a.eegz", **given_)
    assert list(tmp_path.iterdir()) == []
