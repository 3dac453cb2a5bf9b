"""An orthonormal matrix in few bytes (SPEC.md, section 4.1).

Its columns are coded one after another, each only within what is orthogonal to the ones before, so n columns take
n + (n - 1) + ... integers and the matrix is orthonormal however coarsely they are rounded. Columns that hardly matter
are all zeros, which take four bits each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eegzip.formats.entropy.adaptive_bit import put_adaptive_bit, take_adaptive_bit
from eegzip.formats.entropy.binary_coder import finish, new_decoder, new_encoder, put_bits, take_bits
from eegzip.formats.entropy.jit import jit
from eegzip.formats.entropy.mixing import new_probabilities
from eegzip.formats.limits import matrix_bytes

MAX_DIGITS = 15
"""Binary digits of an integer, at most."""

_DIGITS_BITS = 4
_SLOWEST = 255


@jit
def _raw(state: np.ndarray, data: np.ndarray, decoding: bool, value: int, count: int) -> int:
    """Code an unsigned integer of `count` bits; return it."""
    if decoding:
        return take_bits(state, data, count)
    put_bits(state, data, value, count)
    return value


@jit
def _code_bit(
    state: np.ndarray,
    data: np.ndarray,
    decoding: bool,
    probabilities: np.ndarray,
    counts: np.ndarray,
    context: int,
    bit: int,
) -> int:
    """Code a decision with a probability of its own; return it."""
    if decoding:
        return take_adaptive_bit(state, data, probabilities, counts, context, _SLOWEST)
    put_adaptive_bit(state, data, probabilities, counts, context, bit, _SLOWEST)
    return bit


@jit
def _code(
    values: np.ndarray,
    size: int,
    data: np.ndarray,
    decoding: bool,
    probabilities: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Code the integers of all columns of a matrix of `size` columns; return how many bytes they take."""
    state = new_decoder(data) if decoding else new_encoder()
    place = 0
    for column in range(size):
        entries = size - column
        most = 0
        if not decoding:
            largest = 0
            for number in range(place, place + entries):
                largest = max(largest, abs(values[number]))
            while largest >> most:
                most += 1
        most = _raw(state, data, decoding, most, _DIGITS_BITS)
        for number in range(place, place + entries):
            value = abs(values[number])
            digits = 0
            while digits < most:
                context = most * MAX_DIGITS + digits
                if not _code_bit(state, data, decoding, probabilities, counts, context, int(value >> digits > 0)):
                    break
                digits += 1
            if digits:
                lower = _raw(state, data, decoding, value & ((1 << (digits - 1)) - 1), digits - 1)
                negative = _raw(state, data, decoding, int(values[number] < 0), 1)
                if decoding:
                    magnitude = (1 << (digits - 1)) + lower
                    values[number] = -magnitude if negative else magnitude
        place += entries
    return 0 if decoding else finish(state, data)


def extend(complement: np.ndarray, rounded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the column that integers mean, and what remains orthogonal to all columns.

    Parameters
    ----------
    complement : ndarray of float64, shape (size, n)
        Orthonormal columns that span what is orthogonal to all columns so far.
    rounded : ndarray of int64, shape (n,)
        The column's direction there; zeros stand for the first axis.
    """
    direction = np.zeros(len(rounded))
    direction[0] = 1.0
    if rounded.any():
        direction = rounded / np.sqrt(float(np.square(rounded).sum()))
    # The Householder reflection that brings the first axis to the direction; its other columns span the rest.
    axis = direction.copy()
    axis[0] += 1.0 if direction[0] >= 0 else -1.0
    # Sums of rows and no products of matrices, whose order would be the processor's.
    along = (complement * axis).sum(axis=1)
    reflected = complement - np.outer(along, axis) * (2.0 / float(np.square(axis).sum()))
    return (complement * direction).sum(axis=1), reflected[:, 1:]


def pack_rotation(columns: Sequence[np.ndarray]) -> bytes:
    """Code the integers of a matrix.

    Parameters
    ----------
    columns : sequence of ndarray of int64
        Of n, n - 1, ... 1 entries, none of more than MAX_DIGITS binary digits.
    """
    values = np.concatenate(columns).astype(np.int64)
    data = np.zeros(matrix_bytes(len(columns)), np.uint8)
    length = _code(values, len(columns), data, False, *new_probabilities((MAX_DIGITS + 1) * MAX_DIGITS))
    return data[:length].tobytes()


def unpack_rotation(data: bytes, size: int) -> np.ndarray:
    """Inverse of :func:`pack_rotation`: the matrix, float64, of shape (size, size).

    Parameters
    ----------
    data : bytes
        Any: what it lacks counts as zeros.
    size : int
        Columns.
    """
    values = np.zeros(size * (size + 1) // 2, np.int64)
    _code(
        values,
        size,
        np.frombuffer(data, np.uint8).copy(),
        True,
        *new_probabilities((MAX_DIGITS + 1) * MAX_DIGITS),
    )
    complement, place = np.eye(size), 0
    result = np.empty((size, size))
    for column in range(size):
        entries = size - column
        result[:, column], complement = extend(complement, values[place : place + entries])
        place += entries
    return result
