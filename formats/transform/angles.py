"""Angles of rotations in few bits (SPEC.md, section 6.9).

Those that turn a direction among signals get smaller the more signals were turned before: about 1 / sqrt(j) radians.
Where a band goes on from the one before, most are 0, and those that are not stand together.
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.adaptive_bit import put_known, take_known
from eegzip.formats.entropy.binary_coder import HALF, decode_bit, encode_bit, put_bits, take_bits
from eegzip.formats.entropy.jit import compiled
from eegzip.formats.entropy.mixing import new_probabilities
from eegzip.formats.errors import ContainerError
from eegzip.formats.transform.spatial import MAX_WIDTH

Model = tuple[np.ndarray, np.ndarray]

WIDTH_BITS = 4
"""Bits of a column's width."""

_WIDTHS = 1 << WIDTH_BITS
_SIZES = 16
_NEAR = 6
_CONTEXTS = 2 * _WIDTHS + _SIZES + _NEAR * _NEAR
_SLOWEST = 60


def new_angle_model() -> Model:
    """Probabilities of widths and angles that have seen nothing, and their counts."""
    return new_probabilities(_CONTEXTS)


@compiled
def _length(value: int) -> int:
    """Binary digits of a number."""
    count = 0
    while value >> count:
        count += 1
    return count


@compiled
def _context(onwards: bool, width: int, place: int, near: int, decision: int) -> int:
    """What angles of a like size have in common: by their place, or by the two before in the column."""
    if onwards:
        return 2 * _WIDTHS + _SIZES + _NEAR * min(_length(near), _NEAR - 1) + min(decision, _NEAR - 1)
    # 26 / 256 is 1 / pi**2: twice the octave of the expected size.
    size = _length((26 << (2 * width)) // (256 * (place + 2)))
    return 2 * _WIDTHS + min(max(size - 2 * decision + 6, 0), _SIZES - 1)


@compiled
def _put(state: np.ndarray, out: np.ndarray, model: Model, context: int, bit: int) -> None:
    put_known(state, out, model[0], model[1], context, bit, _SLOWEST)


@compiled
def _take(state: np.ndarray, data: np.ndarray, model: Model, context: int) -> int:
    bit: int = take_known(state, data, model[0], model[1], context, _SLOWEST)
    return bit


@compiled
def encode_column(
    state: np.ndarray, out: np.ndarray, model: Model, onwards: bool, width: int, codes: np.ndarray
) -> None:
    """Write a column's width and angles.

    Parameters
    ----------
    state, out : ndarray
        Of the binary coder.
    model : tuple of ndarray
        From :func:`new_angle_model`.
    onwards : bool
        Whether the band goes on from the one before.
    width : int
        1 to 15.
    codes : ndarray of int64
        Angles in units of pi / 2**width, of magnitudes up to 2**(width - 1).
    """
    node = 1
    for place in range(WIDTH_BITS - 1, -1, -1):
        bit = (width >> place) & 1
        _put(state, out, model, _WIDTHS * int(onwards) + node, bit)
        node = 2 * node + bit
    near, last = 0, 0
    for place in range(len(codes)):
        size = abs(codes[place])
        digits = _length(size)
        for decision in range(width):
            bit = int(digits > decision)
            _put(state, out, model, _context(onwards, width, place, near, decision), bit)
            if not bit:
                break
        if size:
            put_bits(state, out, size, digits - 1)
            encode_bit(state, out, int(codes[place] < 0), HALF)
        near, last = last + size, size


@compiled
def _decode(state: np.ndarray, data: np.ndarray, model: Model, onwards: bool, codes: np.ndarray) -> int:
    node = 1
    for _ in range(WIDTH_BITS):
        node = 2 * node + _take(state, data, model, _WIDTHS * int(onwards) + node)
    width = node - _WIDTHS
    near, last = 0, 0
    for place in range(len(codes)):
        digits = 0
        while digits < width and _take(state, data, model, _context(onwards, width, place, near, digits)):
            digits += 1
        size = (1 << (digits - 1)) + take_bits(state, data, digits - 1) if digits else 0
        codes[place] = -size if size and decode_bit(state, data, HALF) else size
        near, last = last + size, size
    return width


def decode_column(
    state: np.ndarray, data: np.ndarray, model: Model, count: int, *, onwards: bool
) -> tuple[int, np.ndarray]:
    """Inverse of :func:`encode_column`: the width, and `count` angles.

    Raises
    ------
    ContainerError
        The width is 0.
    """
    codes = np.zeros(count, np.int64)
    width = int(_decode(state, data, model, onwards, codes))
    if not 1 <= width <= MAX_WIDTH:
        raise ContainerError("a layer has a rotation without angles.")
    return width, codes
