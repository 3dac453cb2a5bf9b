"""``wavelet``: a discrete wavelet transform of each channel, a dead-zone quantiser, and zstd: what a good afternoon
gives.

The integers of one level of all channels lie together, a byte each where they fit, and zstd at its highest level finds
what repeats. The wavelet and the dead zone are those of several that cost least at the step asked for.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import zstandard

from rivals import Rival
from rivals.fields import Reader, Writer
from rivals.levels import read_levels, with_levels, write_levels

WAVELETS = ("db8", "bior4.4")
DEAD_ZONES = (0.55, 0.65)
"""From here on a coefficient, in steps, is no longer 0."""
_LAGRANGE = 0.11
_MODE = "periodization"
_CENTRE = 0.06
"""How much nearer to zero than its middle a cell's contents lie."""


def encode(x: np.ndarray, _rate: float, step: float) -> bytes:
    """Code a recording [channels, samples] with a quantiser's step in standard deviations of a channel."""
    import pywt

    fields = Writer()
    fields.unsigned(x.shape[0])
    fields.unsigned(x.shape[1])
    step = float(np.float32(step))
    fields.real(step)
    signals = write_levels(fields, x)
    best: tuple[float, bytes] = (np.inf, b"")
    for number, wavelet in enumerate(WAVELETS):
        parts = pywt.wavedec(signals / step, wavelet, _MODE, axis=1)
        for zone in DEAD_ZONES:
            integers = [_quantised(part, zone) for part in parts]
            error = sum(float(((part - _restored(q)) ** 2).sum()) for part, q in zip(parts, integers, strict=True))
            body = Writer()
            body.unsigned(number)
            for q in integers:
                _write(body, q)
            best = min(best, (error + _LAGRANGE * 8 * len(body.data()), body.data()))
    return fields.data() + best[1]


def decode(data: bytes) -> np.ndarray:
    """Return the recording as integers [channels, samples]."""
    import pywt

    fields = Reader(data)
    channels, length = fields.unsigned(), fields.unsigned()
    step = fields.real()
    levels = read_levels(fields, channels)
    wavelet = WAVELETS[fields.unsigned()]
    empty = pywt.wavedec(np.zeros((channels, length)), wavelet, _MODE, axis=1)
    parts = [_restored(_read(fields).reshape(part.shape)) * step for part in empty]
    return with_levels(pywt.waverec(parts, wavelet, _MODE, axis=1)[:, :length], levels)


def _quantised(part: np.ndarray, zone: float) -> np.ndarray:
    return (np.sign(part) * np.floor(np.abs(part) + 1 - zone)).astype(np.int32)


def _restored(q: np.ndarray) -> np.ndarray:
    return q - _CENTRE * np.sign(q)


def _write(fields: Writer, q: np.ndarray) -> None:
    size = next(size for size in (1, 2, 4) if np.abs(q).max(initial=0) < 1 << (8 * size - 1))
    fields.unsigned(size)
    # Bytes of equal weight together.
    planes = np.ascontiguousarray(q.astype(f"<i{size}").reshape(-1, 1).view(np.uint8).T)
    packed = zstandard.ZstdCompressor(level=19, write_content_size=True).compress(planes.tobytes())
    fields.block(packed)


def _read(fields: Reader) -> np.ndarray:
    size = fields.unsigned()
    planes = np.frombuffer(zstandard.ZstdDecompressor().decompress(fields.block()), np.uint8).reshape(size, -1)
    return np.ascontiguousarray(planes.T).view(f"<i{size}").reshape(-1).astype(np.int32)


_STEPS = (8.0, 5.0, 3.2, 2.0, 1.3, 0.8, 0.5, 0.3, 0.18, 0.1)
WAVELET = Rival(
    "wavelet",
    "discrete wavelet transform of each channel, zstd",
    _STEPS,
    encode,
    decode,
    None if find_spec("pywt") else "PyWavelets is not installed",
)
