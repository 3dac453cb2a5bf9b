"""Codes one signal, exactly or within a bound, given signals that a decoder has (SPEC.md, 6.3, 6.7 and 6.8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eegzip.formats.entropy.binary_coder import (
    MAX_DECISIONS_A_BYTE,
    PLACE,
    finish,
    is_over,
    new_decoder,
    new_encoder,
)
from eegzip.formats.entropy.jit import jit
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import put_signed_varint, put_varint, take_signed_varint, take_varint
from eegzip.formats.predictive.decisions import EXPERTS, Model, code_integer, new_model, observe
from eegzip.formats.predictive.regression import learn, solve
from eegzip.formats.predictive.shape import Shape

_BLOCK = 4096
_BYTES_A_SAMPLE = 64
_ECHO = 32
_ECHO_SPEED = 0.008
_VARIANCE_RATE = 0.15
_SOLVE_EVERY = 16


class _Work(NamedTuple):
    matrix: np.ndarray
    vector: np.ndarray
    room: np.ndarray
    right: np.ndarray
    weights: np.ndarray
    regressors: np.ndarray
    echo: np.ndarray
    echo_weights: np.ndarray
    numbers: np.ndarray
    expected: np.ndarray


def _new_work(size: int) -> _Work:
    padded = -(-size // 8) * 8
    weights = np.zeros(padded)
    weights[0] = 1.0
    return _Work(
        np.zeros((padded, padded)),
        np.zeros(padded),
        np.zeros((padded, padded)),
        np.zeros(padded),
        weights,
        np.zeros(padded),
        np.zeros(_ECHO),
        np.zeros(_ECHO),
        np.array([1.0, 0.0]),
        np.zeros(EXPERTS),
    )


@jit
def _bounded(value: float, lowest: int, highest: int) -> float:
    if not value > lowest:
        return float(lowest)
    return float(highest) if value > highest else value


@jit
def _run(
    start: int,
    stop: int,
    values: np.ndarray,
    references: np.ndarray,
    past: int,
    width: int,
    keep: float,
    ridge: float,
    lowest: int,
    highest: int,
    step: int,
    work: _Work,
    model: Model,
    state: np.ndarray,
    data: np.ndarray,
    encoding: bool,
) -> int:
    """Code the samples from `start` up to `stop`; `values` (less the centre) become what a decoder restores.

    Returns the sample that it came to: where an exact stream is over, all that follow are the highest.
    """
    regressors, weights, echo, echo_weights = work.regressors, work.weights, work.echo, work.echo_weights
    numbers, expected = work.numbers, work.expected
    allowed = step // 2
    for time in range(start, stop):
        if step == 1 and not encoding and is_over(state, data):
            return time
        for row in range(len(references)):
            for place in range(width):
                regressors[past + row * width + place] = references[row, time + place]
        plain = 0.0
        for place in range(len(regressors)):
            plain += weights[place] * regressors[place]
        correction = 0.0
        for place in range(_ECHO):
            correction += echo_weights[place] * echo[place]
        best = _bounded(plain + correction, lowest, highest)
        centre = math.floor(best + 0.5)
        for expert in range(EXPERTS):
            expected[expert] = (best - centre) / step
        expected[EXPERTS - 1] = (_bounded(plain, lowest, highest) - centre) / step
        first, last = (lowest - centre + allowed) // step, (highest - centre + allowed) // step
        wanted = (values[time] - centre + allowed) // step if encoding else 0
        found = code_integer(model, state, data, wanted, expected, first, last, encoding)
        observe(model, found, expected, time)
        restored = min(max(centre + found * step, lowest), highest)
        values[time] = restored

        error = restored - plain
        numbers[0] += (error * error - numbers[0]) * max(_VARIANCE_RATE, 1.0 / (time + 2))
        learn(work.matrix, work.vector, regressors, restored, 1.0 / (numbers[0] + 0.1), keep)
        gain = _ECHO_SPEED * (error - correction) / (numbers[1] + 1.0)
        for place in range(_ECHO):
            echo_weights[place] += gain * echo[place]
        # Rounding errors of a loud stretch may not leave less than nothing.
        numbers[1] = max(numbers[1] + (error * error - echo[_ECHO - 1] * echo[_ECHO - 1]), 0.0)
        for place in range(_ECHO - 1, 0, -1):
            echo[place] = echo[place - 1]
        echo[0] = error
        if (time + 1) % _SOLVE_EVERY == 0 or (time < 64 and time % 4 == 3):
            solve(work.matrix, work.vector, ridge, work.room, work.right, weights)
        for place in range(past - 1, 0, -1):
            regressors[place] = regressors[place - 1]
        if past:
            regressors[0] = restored
    return stop


def _padded(references: Sequence[np.ndarray], stop: int, shape: Shape) -> np.ndarray:
    """References less their means, with zeros where a window leaves the chunk; the latest sample of a window last.

    As much of them as the samples before `stop` need.
    """
    result = np.zeros((len(references), stop + shape.before + shape.after))
    for row, values in zip(result, references, strict=True):
        mean = int(values.sum(dtype=np.int64)) // max(values.size, 1)
        part = values.reshape(-1)[: stop + shape.after]
        row[shape.before : shape.before + len(part)] = part.astype(np.int64) - mean
    return result


def encode_residual(
    values: np.ndarray, references: Sequence[np.ndarray], step: int = 1, shape: Shape | None = None
) -> bytes:
    """Code a signal.

    Parameters
    ----------
    values : ndarray of int32, shape (n,)
    references : sequence of ndarray of int32, each of shape (n,)
        Signals that the decoder will have, as it will have them; none is fine.
    step : int
        1: exact. 2 * d + 1: every sample is restored within d.
    shape : Shape, optional

    Returns
    -------
    bytes
    """
    flat = np.array(values, np.int64).reshape(-1)
    count = len(flat)
    if not count:
        return b""
    shape = shape or Shape()
    lowest, highest = int(flat.min()), int(flat.max())
    centre = int(flat.sum()) // count
    head = bytearray([shape.past, shape.before, shape.after, shape.memory, shape.ridge])
    put_signed_varint(head, lowest)
    put_varint(head, highest - lowest)
    put_varint(head, centre - lowest)
    if lowest == highest:
        return bytes(head)
    flat -= centre
    work, model = _new_work(shape.regressors(len(references))), new_model()
    state, room = new_encoder(), np.zeros(_BLOCK * _BYTES_A_SAMPLE + 8, np.uint8)
    padded = _padded(references, count, shape)
    pieces = [bytes(head)]
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        _run(
            start, stop, flat, padded, shape.past, shape.window, shape.keep, shape.penalty,
            lowest - centre, highest - centre, step, work, model, state, room, True,
        )  # fmt: skip
        if stop == count:
            finish(state, room)
        pieces.append(room[: state[PLACE]].tobytes())
        state[PLACE] = 0
    return b"".join(pieces)


def decode_residual(data: bytes, count: int, references: Sequence[np.ndarray], step: int = 1) -> np.ndarray:
    """Inverse of :func:`encode_residual`.

    Parameters
    ----------
    data : bytes
    count : int
        Samples that must come out.
    references : sequence of ndarray of int32, each of shape (count,)
    step : int
        As given to the encoder.

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
            raise ContainerError("a predicted signal without samples should be empty but is not.")
        return np.zeros(0, np.int32)
    if len(data) < 5:
        raise ContainerError("a predicted signal is too short.")
    shape = Shape(*data[:5])
    if not shape.allowed(len(references)):
        raise ContainerError("a predicted signal is predicted from more samples than the format allows.")
    lowest, place = take_signed_varint(data, 5)
    span, place = take_varint(data, place)
    height, place = take_varint(data, place)
    highest, centre = lowest + span, lowest + height
    if lowest < -(1 << 31) or highest >= 1 << 31 or height > span:
        raise ContainerError("a predicted signal leaves the range of 32 bits.")
    if any(len(values) != count for values in references):
        raise ContainerError("a predicted signal has references of another length.")
    if lowest == highest:
        if place != len(data):
            raise ContainerError("a constant signal is followed by something.")
        return np.broadcast_to(np.int32(lowest), count)
    payload = np.frombuffer(data, np.uint8, offset=place).copy()
    # A sample is a decision at the least: what a stream says is over by then, and memory is taken for no more.
    stop = min(count, MAX_DECISIONS_A_BYTE * (len(payload) + 8)) if step == 1 else count
    flat = np.zeros(stop, np.int64)
    work, model = _new_work(shape.regressors(len(references))), new_model()
    state = new_decoder(payload)
    reached = _run(
        0, stop, flat, _padded(references, stop, shape), shape.past, shape.window, shape.keep, shape.penalty,
        lowest - centre, highest - centre, step, work, model, state, payload, False,
    )  # fmt: skip
    if not reached:
        return np.broadcast_to(np.int32(highest), count)
    result = np.full(count, highest, np.int32)
    result[:reached] = flat[:reached] + centre
    return result
