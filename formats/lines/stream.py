"""The lines of a chunk as bytes (SPEC.md, section 6.10).

Frequencies and amplitudes are predicted from the knot before; what is left is mostly 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eegzip.formats.entropy.adaptive_bit import put_adaptive_bit, take_adaptive_bit
from eegzip.formats.entropy.binary_coder import (
    HALF,
    PLACE,
    decode_bit,
    encode_bit,
    finish,
    new_decoder,
    new_encoder,
    put_bits,
    take_bits,
)
from eegzip.formats.entropy.jit import jit
from eegzip.formats.entropy.mixing import new_probabilities
from eegzip.formats.errors import ContainerError
from eegzip.formats.lines.oscillator import MAX_AMPLITUDE, NO_SWITCH, TURN_BITS, Line

MAX_DIGITS = 32
"""Binary digits of a difference."""

_SLOWEST = 120
_SIZES = 12
_NEAR = 7
_FRESH = 6
"""Class of amplitudes that no knot before says anything about: the first, and those after a switch."""

_BESIDE = 3
_FREQUENCIES = 3
_SWITCH, _PRESENT = 0, 1
_FREQUENCY = 2
_AMPLITUDE = _FREQUENCY + _FREQUENCIES * _SIZES
_CONTEXTS = _AMPLITUDE + 2 * _NEAR * _BESIDE * _SIZES

Model = tuple[np.ndarray, np.ndarray]


@jit
def _length(value: int) -> int:
    """Binary digits of a number."""
    count = 0
    while value >> count:
        count += 1
    return count


@jit
def _put(state: np.ndarray, out: np.ndarray, model: Model, context: int, bit: int) -> None:
    put_adaptive_bit(state, out, model[0], model[1], context, bit, _SLOWEST)


@jit
def _take(state: np.ndarray, data: np.ndarray, model: Model, context: int) -> int:
    return take_adaptive_bit(state, data, model[0], model[1], context, _SLOWEST)


@jit
def _put_number(state: np.ndarray, out: np.ndarray, model: Model, context: int, value: int) -> None:
    size = abs(value)
    digits = _length(size)
    for decision in range(MAX_DIGITS):
        bit = int(digits > decision)
        _put(state, out, model, context + min(decision, _SIZES - 1), bit)
        if not bit:
            break
    if size:
        put_bits(state, out, size, digits - 1)
        encode_bit(state, out, int(value < 0), HALF)


@jit
def _take_number(state: np.ndarray, data: np.ndarray, model: Model, context: int) -> int:
    digits = 0
    while digits < MAX_DIGITS and _take(state, data, model, context + min(digits, _SIZES - 1)):
        digits += 1
    if not digits:
        return 0
    size = (1 << (digits - 1)) + take_bits(state, data, digits - 1)
    return -size if decode_bit(state, data, HALF) else size


@jit
def _amplitude_context(component: int, near: int, beside: int) -> int:
    return _AMPLITUDE + ((component * _NEAR + near) * _BESIDE + min(_length(beside), _BESIDE - 1)) * _SIZES


@jit
def _encode(
    phases: np.ndarray,
    frequencies: np.ndarray,
    switches: np.ndarray,
    values: np.ndarray,
    grain: int,
    switch_bits: int,
    model: Model,
    state: np.ndarray,
    out: np.ndarray,
) -> None:
    active = int(np.any(values != 0))
    encode_bit(state, out, active, HALF)
    if not active:
        return
    put_bits(state, out, phases[0], TURN_BITS)
    put_bits(state, out, frequencies[0], TURN_BITS)
    before = 0
    for segment in range(1, len(frequencies)):
        change = (frequencies[segment] - frequencies[segment - 1]) >> grain
        _put_number(state, out, model, _FREQUENCY + _SIZES * min(_length(abs(before)), _FREQUENCIES - 1), change)
        before = change
    for segment in range(len(switches)):
        _put(state, out, model, _SWITCH, int(switches[segment] != NO_SWITCH))
        if switches[segment] != NO_SWITCH:
            put_bits(state, out, switches[segment], switch_bits)
    for signal in range(len(values)):
        rows = values[signal]
        present = int(np.any(rows != 0))
        _put(state, out, model, _PRESENT, present)
        if not present:
            continue
        near, real, imaginary = _FRESH, 0, 0
        for knot in range(len(rows)):
            if knot and switches[knot - 1] != NO_SWITCH:
                near = _FRESH
            first, second = rows[knot, 0] - real, rows[knot, 1] - imaginary
            _put_number(state, out, model, _amplitude_context(0, near, 0), first)
            _put_number(state, out, model, _amplitude_context(1, near, abs(first)), second)
            near = min(_length(abs(first) + abs(second)), _FRESH - 1)
            real, imaginary = rows[knot, 0], rows[knot, 1]


@jit
def _decode(
    phases: np.ndarray,
    frequencies: np.ndarray,
    switches: np.ndarray,
    values: np.ndarray,
    grain: int,
    spacing: int,
    switch_bits: int,
    model: Model,
    state: np.ndarray,
    data: np.ndarray,
) -> bool:
    """Fill the arrays, which are 0 (switches: none), and say whether all is in range."""
    if not decode_bit(state, data, HALF):
        return True
    mask = (1 << TURN_BITS) - 1
    phases[0] = take_bits(state, data, TURN_BITS)
    frequencies[0] = take_bits(state, data, TURN_BITS)
    change = 0
    for segment in range(1, len(frequencies)):
        context = _FREQUENCY + _SIZES * min(_length(abs(change)), _FREQUENCIES - 1)
        change = _take_number(state, data, model, context)
        frequencies[segment] = (frequencies[segment - 1] + (change << grain)) & mask
    for segment in range(len(frequencies)):
        phases[segment + 1] = (phases[segment] + frequencies[segment] * spacing) & mask
    good = True
    for segment in range(len(switches)):
        if _take(state, data, model, _SWITCH):
            switches[segment] = take_bits(state, data, switch_bits)
            good = good and switches[segment] < spacing
    for signal in range(len(values)):
        rows = values[signal]
        if not _take(state, data, model, _PRESENT):
            continue
        near, real, imaginary = _FRESH, 0, 0
        for knot in range(len(rows)):
            if knot and switches[knot - 1] != NO_SWITCH:
                near = _FRESH
            first = _take_number(state, data, model, _amplitude_context(0, near, 0))
            second = _take_number(state, data, model, _amplitude_context(1, near, abs(first)))
            near = min(_length(abs(first) + abs(second)), _FRESH - 1)
            real, imaginary = real + first, imaginary + second
            good = good and max(abs(real), abs(imaginary)) <= MAX_AMPLITUDE
            if not good:
                return False
            rows[knot, 0], rows[knot, 1] = real, imaginary
    return good


def encode_lines(lines: Sequence[Line], grain: int, spacing: int) -> bytes:
    """Code the lines of a chunk.

    Parameters
    ----------
    lines : sequence of Line
        With amplitudes in steps, not in 2**-8 digital units.
    grain : int
        Frequencies change by multiples of ``2**grain``.
    spacing : int
        Samples between knots.
    """
    model = new_probabilities(_CONTEXTS)
    size = sum(64 + 16 * line.switches.size + 16 * line.amplitudes.size for line in lines)
    state, out = new_encoder(), np.zeros(size, np.uint8)
    for line in lines:
        _encode(
            line.phases,
            line.frequencies,
            line.switches,
            line.amplitudes,
            grain,
            (spacing - 1).bit_length(),
            model,
            state,
            out,
        )
    return out[: finish(state, out)].tobytes()


def decode_lines(data: bytes, count: int, steps: Sequence[int], knots: int, grain: int, spacing: int) -> list[Line]:
    """Decode the lines of a chunk.

    Parameters
    ----------
    data : bytes
    count : int
        Lines.
    steps : sequence of int
        Of each signal's amplitudes, in 2**-8 digital units.
    knots, grain, spacing : int
        Knots of the chunk (at least 2); the rest as for :func:`encode_lines`.

    Returns
    -------
    list of Line
        Those that are there; amplitudes in 2**-8 digital units.

    Raises
    ------
    ContainerError
        What it holds is out of range, or followed by something else.
    """
    model = new_probabilities(_CONTEXTS)
    stream = np.frombuffer(data, np.uint8)
    state = new_decoder(stream)
    units = np.array(steps, np.int64)[:, None, None]
    lines = []
    for _ in range(count):
        line = Line(
            np.zeros(knots, np.int64),
            np.zeros(knots - 1, np.int64),
            np.full(knots - 1, NO_SWITCH, np.int64),
            np.zeros((len(steps), knots, 2), np.int64),
        )
        good = _decode(
            line.phases,
            line.frequencies,
            line.switches,
            line.amplitudes,
            grain,
            spacing,
            (spacing - 1).bit_length(),
            model,
            state,
            stream,
        )
        if not good or (np.abs(line.amplitudes) > MAX_AMPLITUDE // units).any():
            raise ContainerError("a line has an amplitude or a switch that it can't have.")
        if line.amplitudes.any():
            line.amplitudes *= units
            lines.append(line)
    # The decoder looks ahead by four bytes, and zeros at the end are left out.
    if state[PLACE] < len(stream):
        raise ContainerError("lines are followed by bytes that belong to nothing.")
    return lines
