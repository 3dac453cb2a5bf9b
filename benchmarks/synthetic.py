"""Long recordings for benchmarks: real EEG stretched over hours, written as EDF in constant memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from eegzip.formats.edf import EdfFile, EdfWriter, decode_signal

CHANNELS = 21
RATE = 256
_SEED_RECORDING = Path(__file__).parents[1] / "examples" / "data" / "eegmat_subject18_arithmetic.edf"
_LABELS = ["Fp1", "Fp2", "F3", "F4", "F7", "F8", "T3", "T4", "C3", "C4", "T5", "T6", "P3", "P4", "O1", "O2"]
_LABELS += ["Fz", "Cz", "Pz", "A1", "A2"]
_MICROVOLTS_PER_DIGIT = 0.1
_BLOCK_SECONDS = 60


def _header(n_records: int) -> bytes:
    """EDF header of 21 channels in records of one second, +-3276.8 uV."""

    def row(value: object, width: int) -> str:
        return f"{value}".ljust(width)

    head = row(0, 8) + row("X X X X", 80) + row("Startdate X X X X", 80) + "01.01.8500.00.00"
    head += row(256 * (CHANNELS + 1), 8) + row("", 44) + row(n_records, 8) + row(1, 8) + row(CHANNELS, 4)
    fields = [("EEG {}-REF", 16), ("AgAgCl electrode", 80), ("uV", 8), (-3276.8, 8), (3276.7, 8)]
    fields += [(-32768, 8), (32767, 8), ("HP:0.5Hz LP:45Hz", 80), (RATE, 8), ("", 32)]
    for value, width in fields:
        head += "".join(row(str(value).format(label), width) for label in _LABELS)
    return head.encode("ascii")


def real_minute() -> np.ndarray:
    """A minute of real EEG in uV at 256 Hz, [20, n]."""
    with EdfFile.open(_SEED_RECORDING) as file:
        block = file.read_records(0, file.n_records)
        rows = [
            decode_signal(block, file.header, i).reshape(-1) * (file.header.signals[i].microvolts_per_digit or 1.0)
            for i in range(20)
        ]
    return resample_poly(np.stack(rows), 64, 125, axis=1)


def _pink(rng: np.random.Generator, n: int) -> np.ndarray:
    """1/f noise of unit level, [21, n]."""
    spectrum = np.fft.rfft(rng.standard_normal((CHANNELS, n)), axis=1)
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 0.5 * n / RATE))
    noise = np.fft.irfft(spectrum, n, axis=1)
    return noise / noise.std(axis=1, keepdims=True)


def write_recording(path: Path, seconds: float, seed: int = 1) -> None:
    """Write a recording that never repeats itself.

    Each minute is a new mixture of the real channels from a new place, with background noise, alpha bursts, slow drift
    and now and then a muscle artefact or an electrode pop.

    Parameters
    ----------
    path : Path
        The EDF file.
    seconds : float
        Its length, rounded to whole records of one second.
    seed : int
        Of everything random.
    """
    n_records = max(round(seconds), 1)
    real = real_minute()
    with path.open("wb") as file:
        writer = EdfWriter(file)
        writer.write_header(_header(n_records))
        for first in range(0, n_records, _BLOCK_SECONDS):
            count = min(_BLOCK_SECONDS, n_records - first)
            rng = np.random.default_rng([seed, first])
            n = _BLOCK_SECONDS * RATE
            mixing = np.eye(CHANNELS, len(real)) + 0.3 * rng.standard_normal((CHANNELS, len(real)))
            x = mixing @ np.roll(real, rng.integers(real.shape[1]), axis=1)[:, :n]
            t = np.arange(n) / RATE
            level = np.exp(0.3 * np.sin(2 * np.pi * (first + t) / 1700) + 0.2 * rng.standard_normal((CHANNELS, 1)))
            alpha = np.sin(2 * np.pi * rng.uniform(8.5, 11.5) * t) * np.clip(_pink(rng, n), 0, None)
            x = level * (x + 3 * _pink(rng, n) + 5 * alpha) + 20 * np.sin(2 * np.pi * (first + t) / 900)
            if rng.random() < 0.1:
                begin, channel = rng.integers(n - 4 * RATE), rng.integers(CHANNELS)
                x[channel, begin : begin + 4 * RATE] += 60 * rng.standard_normal(4 * RATE)
                x[channel, begin:] += 150 * np.exp(-(np.arange(n - begin)) / RATE)
            digits = np.clip(np.rint(x / _MICROVOLTS_PER_DIGIT), -32768, 32767).astype("<i2")
            records = digits.reshape(CHANNELS, _BLOCK_SECONDS, RATE).transpose(1, 0, 2)[:count]
            writer.write_records(np.ascontiguousarray(records).view(np.uint8).reshape(count, -1))
