"""Codes one signal block by block, given signals that a decoder has (SPEC.md, sections 6.11 and 6.12)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import put_signed_varint, put_varint, take_signed_varint, take_varint
from eegzip.formats.predictive.block_products import learn_block, products
from eegzip.formats.predictive.block_shape import SHAPE_BYTES, TAPS_TOGETHER, BlockShape
from eegzip.formats.predictive.block_symbols import (
    SHIFT,
    begin_symbols,
    code_symbols,
    error_of,
    new_bits,
    new_spread,
    observe,
    put_error,
    put_raw,
    row_of,
    take_symbol,
)
from eegzip.formats.predictive.block_tables import TOTAL_BITS, tables
from eegzip.formats.predictive.regression import solve

MAX_SPAN = 1 << 25
"""Of the values of a stream: sums of products are then exact in 64 bits."""
_FIRST_BLOCK, _GROWS_EVERY = 16, 64
_MAX_BYTES = 8
_WORDS_LEFT_OUT = 64
"""Words beyond the end count as 0; a writer leaves none out, and more than so many are not believed in."""
_ECHO_SPEED = 0.008
_FLOOR = 0.1


class _Signals(NamedTuple):
    """A signal and its references, as integers and as doubles, with room on both sides."""

    own: np.ndarray
    wide: np.ndarray
    references: np.ndarray
    wide_references: np.ndarray


class _Work(NamedTuple):
    matrix: np.ndarray
    vector: np.ndarray
    room: np.ndarray
    right: np.ndarray
    weights: np.ndarray
    sums: np.ndarray
    row: np.ndarray
    forecast: np.ndarray
    errors: np.ndarray
    echo: np.ndarray
    power: np.ndarray


def _signals(values: np.ndarray, references: Sequence[np.ndarray], shape: BlockShape) -> _Signals:
    count, before = len(values), shape.past + 1
    own = np.zeros(before + count, np.int32)
    own[before:] = values
    others = np.zeros((len(references), shape.before + 1 + count + shape.after), np.int32)
    for row, other in zip(others, references, strict=True):
        wide = np.ascontiguousarray(other, np.int64).reshape(-1)
        row[shape.before + 1 : shape.before + 1 + count] = wide - int(wide.sum()) // max(count, 1)
    return _Signals(own, own.astype(float), others, others.astype(float))


def _new_work(shape: BlockShape, references: int, count: int) -> _Work:
    size = shape.regressors(references)
    padded = -(-size // 8) * 8
    weights = np.zeros(padded)
    weights[0] = 1.0
    return _Work(
        np.zeros((padded, padded)),
        np.zeros(padded),
        np.zeros((padded, padded)),
        np.zeros(padded),
        weights,
        np.zeros((size + 1, size + 1), np.int64),
        np.zeros(max(shape.past + 1, shape.window), np.int64),
        np.zeros(1 << shape.block),
        np.zeros(shape.taps + count if shape.taps else 0),
        np.zeros(shape.taps),
        np.zeros(1),
    )


@jit
def _forecast(signals: _Signals, work: _Work, past: int, window: int, start: int, stop: int, whole: bool) -> None:
    """What the references say of a block, and where it is known what the signal's own past does."""
    forecast, weights = work.forecast[: stop - start], work.weights
    for place in range(len(forecast)):
        forecast[place] = 0.0
    number = past
    for one in range(len(signals.references)):
        row = signals.wide_references[one]
        for shift in range(window):
            weight, part = weights[number], row[window + start - shift : window + stop - shift]
            for place in range(len(forecast)):
                forecast[place] += weight * part[place]
            number += 1
    if whole:
        for lag in range(past, 0, -1):
            first = past + 1 - lag
            weight, part = weights[lag - 1], signals.wide[first + start : first + stop]
            for place in range(len(forecast)):
                forecast[place] += weight * part[place]


@jit
def _echo(work: _Work, time: int) -> float:
    """How much of the errors before comes back."""
    errors, echo = work.errors[time : time + len(work.echo)], work.echo
    sum0 = sum1 = sum2 = sum3 = 0.0
    for place in range(0, len(echo), TAPS_TOGETHER):
        sum0 += echo[place] * errors[place]
        sum1 += echo[place + 1] * errors[place + 1]
        sum2 += echo[place + 2] * errors[place + 2]
        sum3 += echo[place + 3] * errors[place + 3]
    return (sum0 + sum1) + (sum2 + sum3)


@jit
def _learn_echo(work: _Work, time: int, error: float, more: float) -> None:
    taps = len(work.echo)
    errors, echo = work.errors[time : time + taps], work.echo
    gain = (_ECHO_SPEED * (error - more)) / (work.power[0] + 1.0)
    for place in range(taps):
        echo[place] += gain * errors[place]
    work.power[0] = max(work.power[0] + (error * error - errors[0] * errors[0]), 0.0)
    work.errors[time + taps] = error


@jit
def _run(
    signals: _Signals,
    count: int,
    past: int,
    window: int,
    block: int,
    keep: float,
    ridge: float,
    lowest: int,
    highest: int,
    work: _Work,
    below: np.ndarray,
    first: np.ndarray,
    intervals: np.ndarray,
    words: np.ndarray,
    raw: np.ndarray,
    encoding: bool,
) -> int:
    """Code all samples; return how many bytes of raw bits there are."""
    least, most, taps = float(lowest), float(highest), len(work.echo)
    spread, bits = new_spread(), new_bits()
    state = begin_symbols(words)
    start = 0
    while start < count:
        stop = min(count, start + min(block, _FIRST_BLOCK * (1 + start // _GROWS_EVERY)))
        _forecast(signals, work, past, window, start, stop, encoding)
        power = 0.0
        for time in range(start, stop):
            plain = work.forecast[time - start]
            if not encoding:
                for lag in range(past, 0, -1):
                    plain += work.weights[lag - 1] * signals.wide[past + 1 + time - lag]
            more = _echo(work, time) if taps else 0.0
            best = plain + more
            if not best > least:
                best = least
            elif best > most:
                best = most
            eighths = math.floor(8.0 * best + 0.5)
            middle = (eighths + 4) >> 3
            row = row_of(spread, eighths + 4 - 8 * middle)
            if encoding:
                value = int(signals.own[past + 1 + time])
                put_error(value - middle, row, spread[SHIFT], below, intervals, time, bits, raw)
            else:
                symbol = take_symbol(state, words, row, below, first)
                value = min(max(middle + error_of(symbol, spread[SHIFT], bits, raw), lowest), highest)
                signals.own[past + 1 + time] = value
                signals.wide[past + 1 + time] = value
            error = abs(8 * value - eighths)
            observe(spread, error, time)
            power += float(error) * float(error)
            if taps:
                _learn_echo(work, time, value - plain, more)
        products(signals.own, signals.references, past, window, start, stop, work.sums, work.row)
        learn_block(work.matrix, work.vector, work.sums, 1.0 / (power / (64.0 * (stop - start)) + _FLOOR), keep)
        solve(work.matrix, work.vector, ridge, work.room, work.right, work.weights)
        start = stop
    if encoding and bits[1] > 0:
        put_raw(bits, raw, 0, 8 - bits[1])
    return bits[2]


def encode_by_blocks(values: np.ndarray, references: Sequence[np.ndarray], shape: BlockShape) -> bytes | None:
    """Code a signal.

    Parameters
    ----------
    values : ndarray of int, shape (n,)
    references : sequence of ndarray of int32, each of shape (n,)
        Signals that the decoder will have; none is fine.
    shape : BlockShape

    Returns
    -------
    bytes or None
        ``None`` where its values are too far apart.
    """
    flat = np.array(values, np.int64).reshape(-1)
    count = len(flat)
    if not count:
        return b""
    lowest, highest = int(flat.min()), int(flat.max())
    centre = int(flat.sum()) // count
    if highest - lowest >= MAX_SPAN:
        return None
    head = bytearray(shape.pack())
    put_signed_varint(head, lowest)
    put_varint(head, highest - lowest)
    put_varint(head, centre - lowest)
    if lowest == highest:
        return bytes(head)
    signals, work = _signals(flat - centre, references, shape), _new_work(shape, len(references), count)
    below, first = tables()
    intervals, words = np.empty(count, np.int32), np.empty(count + 2, np.uint16)
    raw = np.empty(_MAX_BYTES * count + 8, np.uint8)
    size = _run(
        signals, count, shape.past, shape.window, 1 << shape.block, shape.keep, shape.penalty,
        lowest - centre, highest - centre, work, below, first, intervals, words, raw, True,
    )  # fmt: skip
    begin = code_symbols(intervals, words)
    put_varint(head, len(words) - begin)
    return bytes(head) + words[begin:].astype("<u2").tobytes() + raw[:size].tobytes()


def decode_by_blocks(data: bytes, count: int, references: Sequence[np.ndarray]) -> np.ndarray:
    """Inverse of :func:`encode_by_blocks`.

    Parameters
    ----------
    data : bytes
    count : int
        Samples that must come out.
    references : sequence of ndarray of int32, each of shape (count,)

    Returns
    -------
    ndarray of int32, shape (count,)

    Raises
    ------
    ContainerError
        The data are not what an encoder writes.
    """
    if not count:
        if data:
            raise ContainerError("a signal predicted by blocks, without samples, should be empty but is not.")
        return np.zeros(0, np.int32)
    if len(data) < SHAPE_BYTES:
        raise ContainerError("a signal predicted by blocks is too short.")
    shape = BlockShape.unpack(data[:SHAPE_BYTES])
    if not shape.allowed(len(references)):
        raise ContainerError("a signal is predicted by blocks in a way that the format does not allow.")
    lowest, place = take_signed_varint(data, SHAPE_BYTES)
    span, place = take_varint(data, place)
    height, place = take_varint(data, place)
    if span >= MAX_SPAN or height > span or not -(1 << 31) <= lowest < (1 << 31) - span:
        raise ContainerError("a signal predicted by blocks leaves the range that the format allows.")
    if any(len(values) != count for values in references):
        raise ContainerError("a signal predicted by blocks has references of another length.")
    if not span:
        if place != len(data):
            raise ContainerError("a constant signal is followed by something.")
        return np.broadcast_to(np.int32(lowest), count)
    size, place = take_varint(data, place)
    if 2 * size > len(data) - place:
        raise ContainerError("a signal predicted by blocks is cut short.")
    words = np.frombuffer(data, "<u2", size, place).astype(np.uint16)
    raw = np.frombuffer(data, np.uint8, offset=place + 2 * size).copy()
    below, first = tables()
    least_bits = TOTAL_BITS - math.log2(np.diff(below).max())
    if least_bits * count > 16 * (size + _WORDS_LEFT_OUT):
        raise ContainerError("a signal predicted by blocks has fewer words than its samples take at the least.")
    signals = _signals(np.zeros(count, np.int64), references, shape)
    _run(
        signals, count, shape.past, shape.window, 1 << shape.block, shape.keep, shape.penalty,
        -height, span - height, _new_work(shape, len(references), count), below, first, np.empty(0, np.int32),
        words, raw, False,
    )  # fmt: skip
    centre = lowest + height
    return (signals.own[shape.past + 1 :].astype(np.int64) + centre).astype(np.int32)
