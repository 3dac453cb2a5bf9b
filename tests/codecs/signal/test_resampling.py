from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.codecs.signal.resampling import Resampler, rate_ratio
from eegzip.formats.errors import UsageError

RATIOS = [(500, 256), (128, 256), (250, 256), (160, 256), (100, 256), (1000, 256), (256, 500), (512, 256), (1, 3)]


def whole(resampler: Resampler, x: np.ndarray) -> np.ndarray:
    count = resampler.output_length(x.shape[1])
    start, stop = resampler.input_range(0, count)
    where = np.clip(np.arange(start, stop), 0, x.shape[1] - 1)
    return resampler.resample(x[:, where], start, 0, count)


@settings(max_examples=60)
@given(st.sampled_from(RATIOS), st.integers(0, 10**6), st.data())
def test_any_window_is_bit_identical(ratio: tuple[int, int], seed: int, data: st.DataObject) -> None:
    resampler = Resampler(*rate_ratio(*ratio))
    x = np.random.default_rng(seed).standard_normal((2, 700))
    first, last = resampler.input_range(0, resampler.output_length(700))
    where = np.clip(np.arange(first, last), 0, 699)
    full = whole(resampler, x)
    start = data.draw(st.integers(0, full.shape[1] - 1))
    stop = data.draw(st.integers(start, full.shape[1]))
    a, b = resampler.input_range(start, stop)
    part = resampler.resample(x[:, where[a - first : b - first]], a, start, stop) if stop > start else full[:, :0]
    assert np.array_equal(part, full[:, start:stop])


@pytest.mark.parametrize("ratio", RATIOS)
def test_sines_in_the_passband_keep_amplitude_and_phase(ratio: tuple[int, int]) -> None:
    rate_in, rate_out = ratio
    resampler = Resampler(*rate_ratio(rate_in, rate_out))
    nyquist = min(rate_in, rate_out) / 2
    n = 4000
    for part in (0.05, 0.5, 0.9):
        frequency = part * nyquist
        x = np.sin(2 * np.pi * frequency / rate_in * np.arange(n))[None]
        y = whole(resampler, x)[0]
        ideal = np.sin(2 * np.pi * frequency / rate_out * np.arange(len(y)))
        middle = slice(len(y) // 4, -len(y) // 4)
        assert np.abs(y - ideal)[middle].max() < 2e-4


def test_stopband_is_80_db_down() -> None:
    resampler = Resampler(*rate_ratio(500, 256))
    for frequency in (141.0, 180.0, 249.0):
        x = np.sin(2 * np.pi * frequency / 500 * np.arange(8000))[None]
        assert np.abs(whole(resampler, x)[0, 1000:-1000]).max() < 1e-4


def test_round_trip_of_band_limited_eeg() -> None:
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft(rng.standard_normal(20000))
    frequency = np.fft.rfftfreq(20000, 1 / 500)
    x = np.fft.irfft(np.where(frequency < 100, spectrum / np.maximum(frequency, 1), 0))[None]
    there = whole(Resampler(*rate_ratio(500, 256)), x)
    back = whole(Resampler(*rate_ratio(256, 500)), there)[:, : x.shape[1]]
    inner = slice(500, -500)
    assert np.sqrt(np.square(back - x)[0, inner].mean() / x[0, inner].var()) < 0.005


def test_unity_and_constants() -> None:
    x = np.arange(12.0).reshape(2, 6)
    assert np.array_equal(Resampler(3, 3).resample(x, 0, 1, 5), x[:, 1:5])
    constant = whole(Resampler(*rate_ratio(500, 256)), np.full((1, 300), -5000.0))
    assert np.abs(constant + 5000.0).max() < 1e-9


def test_impossible_rates_are_refused() -> None:
    with pytest.raises(UsageError):
        rate_ratio(0, 256)
    with pytest.raises(UsageError, match="needs the input samples"):
        Resampler(1, 2).resample(np.zeros((1, 10)), 0, 0, 5)
