"""Quantises transform coefficients and codes them in context: what both MDCT rivals share.

One function serves both directions, so encoder and decoder can't disagree. While encoding it also chooses each integer:
the nearest or a smaller one, whichever costs less in ``squared error + LAGRANGE * bits`` with the bits that the
adaptive model would charge at that moment.

An integer is a chain of binary decisions: is it zero, its sign, is it larger than 1, than 2 ... For each, six contexts
give their opinions, which are mixed: weighted neighbours in time and frequency, neighbours of this frame against
those of the last one, this very bin of this channel, the bin's running average, the bin's frequency, and
what the two channels coded before did there.
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.binary_coder import decode_bit, encode_bit, finish, new_decoder, new_encoder
from eegzip.formats.entropy.jit import jit
from rivals.fields import Reader, Writer
from rivals.integers import decode_integers, encode_integers

LAGRANGE = 0.11
"""Squared error, in steps squared, that is worth one bit; 0.1155 at high rate (6.02 dB a bit)."""

LEVELS = 15
"""Magnitudes from here on are escaped."""
_OPINIONS = 6
_CLASSES = 40
_SLOWEST = 0.03
_RATE = 0.01
_FASTER = 0.05
_WEIGHT = 0.24
_ESCAPES = 24

# Logarithmic classes of sums of magnitudes.
_CLASS_OF = np.array([0, *(min(_CLASSES - 1, round(1 + 5.0 * np.log2(v))) for v in range(1, 4096))], np.int32)
_COARSE_OF = np.array([0, *(min(7, 1 + int(1.25 * np.log2(v))) for v in range(1, 4096))], np.int32)


@jit
def _decide(coder, data, encoding, bit, probability):
    share = min(max(int(probability * 65536), 16), 65536 - 16)
    if encoding:
        encode_bit(coder, data, bit, share)
        return bit
    return decode_bit(coder, data, share)


@jit
def _opinion(states, places, opinions, weights, row):
    """Mix what the contexts say; return the probability."""
    total = 0.0
    for i in range(len(places)):
        p = states[places[i], 0]
        opinions[i] = np.log(p / (1 - p))
        total += weights[row, i] * opinions[i]
    return 1 / (1 + np.exp(-min(max(total, -8.0), 8.0)))


@jit
def _adapt(states, places, opinions, weights, row, bit, probability):
    """Learn from what came: the weights, then the contexts."""
    use = weights[row, len(places)]
    weights[row, len(places)] += 1
    error = (bit - probability) * max(_RATE, _FASTER / (1 + 0.1 * use))
    for i in range(len(places)):
        weights[row, i] += error * opinions[i]
        state = states[places[i]]
        state[0] += (bit - state[0]) * max(1 / (state[1] + 1.6), _SLOWEST)
        state[0] = min(max(state[0], 1e-4), 1 - 1e-4)
        state[1] += 1


@jit
def _code(encoding, data, x, q, used):
    """Code integers ``q[frames, channels, K]`` from or to `data`; return the bytes used.

    Parameters
    ----------
    encoding : bool
        Whether to choose `q` from `x` and write, or to read `q`.
    data : ndarray of uint8
        Written or read.
    x : ndarray of float64, shape (frames, channels, K)
        Coefficients in steps; not looked at when decoding.
    q : ndarray of int32, shape (frames, channels, K)
        Result.
    used : ndarray of bool, shape (channels, K)
        Where it may be other than 0.
    """
    frames, channels, width = q.shape
    coder = new_encoder() if encoding else new_decoder(data)
    kinds = LEVELS
    sizes = np.array([_CLASSES * 3, 8 * 8 * 8, channels * width, _CLASSES * 3, width * 3, 8 * _CLASSES], np.int64)
    starts = np.zeros(_OPINIONS + 1, np.int64)
    for i in range(_OPINIONS):
        starts[i + 1] = starts[i] + sizes[i] * kinds
    states = np.zeros((starts[_OPINIONS], 2))
    states[:, 0] = 0.5
    opinions = np.zeros(_OPINIONS)
    places = np.zeros(_OPINIONS, np.int64)
    weights = np.full((kinds * 8, _OPINIONS + 1), _WEIGHT)
    weights[:, _OPINIONS] = 0
    escapes = np.zeros((_ESCAPES, 2))
    escapes[:, 0] = 0.5
    # Magnitudes of the last two frames and of this one, with room for neighbours beyond the ends.
    before = np.zeros((channels, width + 4), np.int64)
    last = np.zeros((channels, width + 4), np.int64)
    now = np.zeros((channels, width + 4), np.int64)
    average = np.zeros((channels, width + 2), np.int64)
    costs = np.zeros(LEVELS + 1)
    context = np.zeros(_OPINIONS, np.int64)
    for t in range(frames):
        for c in range(channels):
            for k in range(width):
                if not used[c, k]:
                    continue
                j = k + 2
                n1, n2 = now[c, j - 1], now[c, j - 2]
                p0, p1, p2 = last[c, j], last[c, j - 1], last[c, j + 1]
                b0 = before[c, j]
                near = 2 * n1 + n2
                past = 2 * p0 + p1 + p2
                total = 3 * n1 + 2 * n2 + 3 * p0 + 2 * p1 + 2 * p2 + last[c, j + 2] + 2 * b0
                long = (2 * average[c, k + 1] + average[c, k] + average[c, k + 2]) >> 4
                level = _CLASS_OF[min(long, 4095)]
                context[0] = _CLASS_OF[min(total, 4095)] * 3 + min(n1, 2)
                context[1] = (_COARSE_OF[min(near, 4095)] * 8 + _COARSE_OF[min(past, 4095)]) * 8 + min(
                    7, _COARSE_OF[min(b0 + before[c, j + 1] + before[c, j - 1], 4095)]
                )
                context[2] = c * width + k
                context[3] = level * 3 + min(n1 + p0, 2)
                context[4] = k * 3 + min(n1 + p0, 2)
                other = 0
                for d in range(max(0, c - 2), c):
                    other += 2 * now[d, j] + now[d, j - 1] + now[d, j + 1]
                context[5] = _COARSE_OF[min(other, 4095)] * _CLASSES + level
                row = min(7, _COARSE_OF[min(total, 4095)])
                value = 0
                if encoding:
                    value = _choose(abs(x[t, c, k]), states, context, starts, places, opinions, weights, row, costs)
                magnitude = 0
                while magnitude < LEVELS:
                    for i in range(_OPINIONS):
                        places[i] = starts[i] + context[i] * kinds + magnitude
                    p = _opinion(states, places, opinions, weights, magnitude * 8 + row)
                    more = _decide(coder, data, encoding, 1 if value > magnitude else 0, p)
                    _adapt(states, places, opinions, weights, magnitude * 8 + row, more, p)
                    if not more:
                        break
                    magnitude += 1
                if magnitude == LEVELS:
                    magnitude += _escape(coder, data, encoding, value - LEVELS, escapes)
                if magnitude:
                    negative = _decide(coder, data, encoding, 1 if encoding and x[t, c, k] < 0 else 0, 0.5)
                    q[t, c, k] = -magnitude if negative else magnitude
                else:
                    q[t, c, k] = 0
                now[c, j] = magnitude
                average[c, k + 1] += (min(magnitude, 4000) * 256 - average[c, k + 1]) >> 4
        before, last, now = last, now, before
        now[:] = 0
    if encoding:
        return finish(coder, data)
    return coder[2]


@jit
def _choose(x, states, context, starts, places, opinions, weights, row, costs):
    """The magnitude for `x` (not negative, in steps) that costs least."""
    nearest = int(x + 0.5)
    if nearest == 0:
        return 0
    if nearest >= LEVELS:
        return nearest
    bits = 0.0
    for magnitude in range(nearest + 1):
        for i in range(len(places)):
            places[i] = starts[i] + context[i] * LEVELS + magnitude
        p = _opinion(states, places, opinions, weights, magnitude * 8 + row) if magnitude < LEVELS else 0.5
        costs[magnitude] = bits - np.log2(1 - p)
        bits -= np.log2(p)
        if magnitude == 0:
            bits += 1.0
    best, least = 0, 1e300
    for magnitude in (nearest, nearest - 1, 0):
        cost = (x - magnitude) ** 2 + LAGRANGE * costs[magnitude]
        if cost < least:
            best, least = magnitude, cost
    return best


@jit
def _escape(coder, data, encoding, value, escapes):
    """Code a number >= 0 by its length in bits (adaptive) and its bits."""
    length = 0
    while length < _ESCAPES - 1:
        more = 1 if encoding and (value + 1) >> (length + 1) else 0
        more = _decide(coder, data, encoding, more, escapes[length, 0])
        escapes[length, 0] += (more - escapes[length, 0]) / (min(escapes[length, 1], 30) + 1.6)
        escapes[length, 1] += 1
        if not more:
            break
        length += 1
    result = 1
    for place in range(length - 1, -1, -1):
        bit = ((value + 1) >> place) & 1 if encoding else 0
        result = (result << 1) | _decide(coder, data, encoding, bit, 0.5)
    return result - 1


def encode_coefficients(x: np.ndarray, allowed: np.ndarray) -> tuple[np.ndarray, bytes]:
    """Quantise and code coefficients.

    Parameters
    ----------
    x : ndarray of float64, shape (frames, channels, K)
        In steps of the quantiser.
    allowed : ndarray of bool, shape (channels, K)
        Where they may become other than 0; the decoder must know it.

    Returns
    -------
    q : ndarray of int32, shape (frames, channels, K)
    data : bytes
    """
    out = np.zeros(8 * x.size + 64, np.uint8)
    q = np.zeros(x.shape, np.int32)
    ends = _ends(np.abs(x).max(axis=0) >= 0.5)
    size = _code(True, out, x, q, _used(allowed, ends))
    # Whole bins at the end may have come to nothing; then it pays to know so from the start.
    shorter = _ends(np.abs(q).max(axis=0) > 0)
    if (shorter < ends).any():
        ends = shorter
        size = _code(True, out, x, q, _used(allowed, ends))
    fields = Writer()
    fields.block(encode_integers(np.diff(ends, prepend=x.shape[2] // 2), np.zeros(len(ends), np.int64)))
    return q, fields.data() + out[:size].tobytes()


def decode_coefficients(data: bytes, frames: int, allowed: np.ndarray) -> np.ndarray:
    """Integers [frames, channels, K] that :func:`encode_coefficients` wrote."""
    fields = Reader(data)
    channels, width = allowed.shape
    ends = width // 2 + np.cumsum(decode_integers(fields.block(), np.zeros(channels, np.int64)))
    q = np.zeros((frames, channels, width), np.int32)
    _code(False, np.frombuffer(fields.rest(), np.uint8).copy(), np.zeros((1, 1, 1)), q, _used(allowed, ends))
    return q


def _ends(loud: np.ndarray) -> np.ndarray:
    """One more than the last true column of each row."""
    return np.where(loud.any(axis=1), loud.shape[1] - np.argmax(loud[:, ::-1], axis=1), 0).astype(np.int64)


def _used(allowed: np.ndarray, ends: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(allowed & (np.arange(allowed.shape[1]) < ends[:, None]))
