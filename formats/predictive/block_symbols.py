"""Errors of forecasts as symbols of a range coder and raw bits (SPEC.md, section 6.12)."""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.predictive.block_tables import (
    COARSE_OCTAVE,
    COARSE_ROW,
    ESCAPE,
    FIRST_OCTAVE,
    FRACTIONS,
    LOOKED_UP_BITS,
    REACH,
    TOTAL,
    TOTAL_BITS,
)

FAST, SLOW, OCTAVE, SHIFT = 0, 1, 2, 3
BITS, COUNT, PLACE = 0, 1, 2
_FIRST_SPREAD = 1 << 16
_MIN_SPREAD = 1 << 10
_ESCAPE_BITS = 5
_WORD_BITS = 16
_LOWEST_STATE = 1 << _WORD_BITS


@jit
def new_spread() -> np.ndarray:
    """What is known of the size of errors before the first: fast and slow average, octave, and bits kept raw."""
    spread = np.zeros(4, np.int64)
    spread[FAST] = spread[SLOW] = _FIRST_SPREAD
    spread[OCTAVE] = FIRST_OCTAVE
    return spread


@jit
def new_bits() -> np.ndarray:
    """State of a writer or reader of raw bits."""
    return np.zeros(3, np.int64)


@jit
def row_of(spread: np.ndarray, fraction: int) -> int:
    """Row of the tables for the next error; sets how many of its bits are raw."""
    size = spread[FAST] + spread[SLOW] + _MIN_SPREAD
    octave = spread[OCTAVE]
    while (size >> octave) > 1:
        octave += 1
    while (size >> octave) == 0:
        octave -= 1
    spread[OCTAVE] = octave
    quarter = (size >> (octave - 2)) & 3
    if octave < COARSE_OCTAVE:
        spread[SHIFT] = 0
        return ((octave - FIRST_OCTAVE) * 4 + quarter) * FRACTIONS + fraction
    spread[SHIFT] = octave - COARSE_OCTAVE
    return COARSE_ROW + quarter


@jit
def observe(spread: np.ndarray, error: int, time: int) -> None:
    """Take note of an error, in eighths, of the sample at a time."""
    speed = 7
    if time < 126:
        speed = 1
        while (time + 2) >> (speed + 1):
            speed += 1
    spread[FAST] += ((error << 10) - spread[FAST]) >> 4
    spread[SLOW] += ((error << 10) - spread[SLOW]) >> speed


@jit
def put_raw(bits: np.ndarray, out: np.ndarray, value: int, count: int) -> None:
    """Write the low bits of a value, the lowest first; at most 40 at a time."""
    kept = bits[BITS] | (value << bits[COUNT])
    number = bits[COUNT] + count
    while number >= 8:
        out[bits[PLACE]] = kept & 255
        bits[PLACE] += 1
        kept >>= 8
        number -= 8
    bits[BITS], bits[COUNT] = kept, number


@jit
def take_raw(bits: np.ndarray, data: np.ndarray, count: int) -> int:
    """Read what :func:`put_raw` wrote; beyond the end all bits are 0."""
    kept, number = bits[BITS], bits[COUNT]
    while number < count:
        if bits[PLACE] < len(data):
            kept |= int(data[bits[PLACE]]) << number
        bits[PLACE] += 1
        number += 8
    bits[BITS], bits[COUNT] = kept >> count, number - count
    return kept & ((1 << count) - 1)


@jit
def put_error(
    error: int, row: int, shift: int, below: np.ndarray, intervals: np.ndarray, time: int, bits: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    """Note the interval of an error's symbol, and write its raw bits.

    Parameters
    ----------
    error : int
        Sample less forecast.
    row, shift : int
        Of the tables; how many bits are raw.
    below : ndarray
        From :func:`eegzip.formats.predictive.block_tables.tables`.
    intervals : ndarray of int32, shape (n,)
        Gets beginning and width of the interval at `time`.
    time : int
    bits, out : ndarray
        Of the raw bits.
    """
    rest = 0
    if shift:
        error += 1 << (shift - 1)
        rest = error & ((1 << shift) - 1)
        error >>= shift
    symbol = error + REACH if -REACH <= error <= REACH else ESCAPE
    intervals[time] = below[row, symbol] | (below[row, symbol + 1] - below[row, symbol]) << TOTAL_BITS
    if symbol == ESCAPE:
        far = 2 * (error - REACH) - 1 if error > 0 else 2 * (-REACH - error)
        digits = 0
        while far >> (digits + 1):
            digits += 1
        put_raw(bits, out, digits, _ESCAPE_BITS)
        put_raw(bits, out, far & ((1 << digits) - 1), digits)
    if shift:
        put_raw(bits, out, rest, shift)


@jit
def take_symbol(state: np.ndarray, words: np.ndarray, row: int, below: np.ndarray, first: np.ndarray) -> int:
    """Read a symbol; `state` is the range coder's number and the place of the next word."""
    number = state[0]
    slot = number & (TOTAL - 1)
    symbol = int(first[row, slot >> LOOKED_UP_BITS])
    while below[row, symbol + 1] <= slot:
        symbol += 1
    begin = below[row, symbol]
    number = (below[row, symbol + 1] - begin) * (number >> TOTAL_BITS) + slot - begin
    if number < _LOWEST_STATE:
        number <<= _WORD_BITS
        if state[1] < len(words):
            number |= int(words[state[1]])
        state[1] += 1
    state[0] = number
    return symbol


@jit
def error_of(symbol: int, shift: int, bits: np.ndarray, data: np.ndarray) -> int:
    """Return the error that a symbol and the raw bits say."""
    error = symbol - REACH
    if symbol == ESCAPE:
        digits = take_raw(bits, data, _ESCAPE_BITS)
        far = take_raw(bits, data, digits) | (1 << digits)
        error = REACH + ((far + 1) >> 1) if far & 1 else -REACH - (far >> 1)
    if shift:
        error = (error << shift) + take_raw(bits, data, shift) - (1 << (shift - 1))
    return error


@jit
def begin_symbols(words: np.ndarray) -> np.ndarray:
    """State of a range decoder at the beginning of its words; those beyond the end count as 0."""
    state = np.zeros(2, np.int64)
    for place in range(2):
        state[0] = (state[0] << _WORD_BITS) | (int(words[place]) if place < len(words) else 0)
    state[1] = 2
    return state


@jit
def code_symbols(intervals: np.ndarray, words: np.ndarray) -> int:
    """Write all symbols, the last first, at the end of `words`; return where they begin there."""
    number, place = _LOWEST_STATE, len(words)
    for time in range(len(intervals) - 1, -1, -1):
        begin = int(intervals[time] & (TOTAL - 1))
        width = np.uint64(intervals[time] >> TOTAL_BITS)
        if number >= int(width) << (32 - TOTAL_BITS):
            place -= 1
            words[place] = number & (_LOWEST_STATE - 1)
            number >>= _WORD_BITS
        # Unsigned, as dividing such numbers takes half the time.
        wide = np.uint64(number)
        times = wide // width
        number = int((times << np.uint64(TOTAL_BITS)) + (wide - times * width)) + begin
    for _ in range(2):
        place -= 1
        words[place] = number & (_LOWEST_STATE - 1)
        number >>= _WORD_BITS
    return place
