"""Sums of a table's rows, each times a number, that stay in registers until they are done.

Loops that numba compiles carry such sums to memory and back for every few rows, and multiply 16-bit integers one at a
time in 32 bits. So these two are written as vectors, in what LLVM makes code for any processor from. Each sum has one
order and nothing is fused, so what is computed is the same everywhere.

Tables lie in tiles of columns, one after the other, as they are gone through: ``[tiles, rows, columns]``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_LANES = 8
# The first of two numbers in a word is its lower half.
_IN_MEMORY = 1 if sys.byteorder == "little" else -1
PAIR_COLUMNS, COLUMNS = 64, 16
"""Columns in a tile of pairs of integers, and of floats."""
PAIR_ROOM = 2 * _LANES

_FLOAT, _SHORT, _INT, _WORD = ir.FloatType(), ir.IntType(16), ir.IntType(32), ir.IntType(64)


def in_tiles(table: np.ndarray, columns: int) -> np.ndarray:
    """Return a table [..., rows, n] as tiles [..., tiles, rows, columns]; what is missing in the last is 0."""
    *outer, rows, n = table.shape
    tiles = -(-n // columns)
    padded = np.zeros((*outer, rows, tiles * columns), table.dtype)
    padded[..., :n] = table
    return np.ascontiguousarray(np.moveaxis(padded.reshape(*outer, rows, tiles, columns), -2, -3))


class _Vectors:
    """Vectors in memory, of a builder of LLVM's instructions."""

    def __init__(self, builder: Any, element: Any, lanes: int) -> None:
        self._builder = builder
        self._type = ir.VectorType(element, lanes)
        # A vector lies where its first element may.
        self._align = element.width // 8 if isinstance(element, ir.IntType) else 4

    def _place(self, data: Any, at: Any) -> Any:
        return self._builder.bitcast(self._builder.gep(data, [at]), self._type.as_pointer())

    def load(self, data: Any, at: Any) -> Any:
        loaded = self._builder.load(self._place(data, at))
        loaded.align = self._align
        return loaded

    def store(self, value: Any, data: Any, at: Any) -> None:
        self._builder.store(value, self._place(data, at)).align = self._align


def _least(builder: Any, *numbers: Any) -> Any:
    least = numbers[0]
    for number in numbers[1:]:
        least = builder.select(builder.icmp_signed("<", number, least), number, least)
    return least


def _word(number: int) -> Any:
    return ir.Constant(_WORD, number)


def _sums(builder: Any, rows: Any, begun: list[Any], added: Callable[[Any], list[Any]]) -> list[Any]:
    """Add to what is begun what each row gives."""
    rooms = [cgutils.alloca_once_value(builder, value) for value in begun]
    with cgutils.for_range(builder, rows) as row:
        for room, value in zip(rooms, added(row.index), strict=True):
            add = builder.fadd if value.type.element == _FLOAT else builder.add
            builder.store(add(builder.load(room), value), room)
    return [builder.load(room) for room in rooms]


@intrinsic
def add_pairs(typing_context: Any, sums: Any, first: Any, second: Any, room: Any, tiles: Any) -> Any:  # noqa: ARG001
    """Fill `sums` with the sums over all rows of ``first * a + second * b``, in 32 bits; a and b are a column's pair.

    Parameters
    ----------
    sums : ndarray of int32, shape (tiles * PAIR_COLUMNS,)
    first, second : ndarray of int32, shape (rows,)
        Of 16 bits. For each row, what is multiplied with its pairs.
    room : ndarray of int16, shape (rows, PAIR_ROOM)
        Working memory.
    tiles : ndarray of int16, shape (tiles, rows, 2 * PAIR_COLUMNS)
        The pairs of each column, one after the other.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = [context.make_array(kind)(context, builder, one) for kind, one in zip(signature.args, arguments, strict=True)]
        (size,), (firsts,), (seconds,), (room_rows, lanes), (tile_count, row_count, wide) = [
            cgutils.unpack_tuple(builder, one.shape) for one in made
        ]
        # No index is checked here; so what would not fit has no rows.
        fits = builder.and_(
            builder.icmp_signed("==", lanes, _word(PAIR_ROOM)), builder.icmp_signed("==", wide, _word(2 * PAIR_COLUMNS))
        )
        rows = builder.select(fits, _least(builder, firsts, seconds, room_rows, row_count), _word(0))
        count = _least(builder, tile_count, builder.sdiv(size, _word(PAIR_COLUMNS)))
        results, a_data, b_data, numbers, table = (one.data for one in made)
        shorts, ints = _Vectors(builder, _SHORT, 2 * _LANES), _Vectors(builder, _INT, _LANES)
        sides = [ir.Constant(ir.VectorType(_INT, _LANES), list(range(side, 2 * _LANES, 2))) for side in (0, 1)]
        sum_type = ir.VectorType(_INT, _LANES)
        # Only what comes from memory is multiplied in pairs (on x86, by pmaddwd): each row's two numbers, over and over.
        with cgutils.for_range(builder, rows) as row:
            low, high = (builder.load(builder.gep(data, [row.index])) for data in (a_data, b_data)[:: _IN_MEMORY])
            low = builder.and_(low, ir.Constant(_INT, 0xFFFF))
            pair = builder.or_(low, builder.shl(high, ir.Constant(_INT, 16)))
            both = ir.Constant(sum_type, ir.Undefined)
            for lane in range(_LANES):
                both = builder.insert_element(both, pair, ir.Constant(_INT, lane))
            both = builder.bitcast(both, ir.VectorType(_SHORT, 2 * _LANES))
            shorts.store(both, numbers, builder.mul(row.index, _word(PAIR_ROOM)))

        def halves(pairs: Any) -> list[Any]:
            nothing = ir.Constant(pairs.type, ir.Undefined)
            return [builder.sext(builder.shuffle_vector(pairs, nothing, side), sum_type) for side in sides]

        with cgutils.for_range(builder, count) as tile:
            begin = builder.mul(builder.mul(tile.index, row_count), wide)

            def added(row: Any) -> list[Any]:
                a, b = halves(shorts.load(numbers, builder.mul(row, _word(PAIR_ROOM))))
                start = builder.add(begin, builder.mul(row, wide))  # noqa: B023
                values = []
                for place in range(0, 2 * PAIR_COLUMNS, 2 * _LANES):
                    c, d = halves(shorts.load(table, builder.add(start, _word(place))))
                    both = builder.add(builder.mul(a, c), builder.mul(b, d))
                    # Frozen, the two products stay together in front of the sum.
                    frozen = ir.instructions.Instruction(builder.block, sum_type, "freeze", [both])
                    builder._insert(frozen)
                    values.append(frozen)
                return values

            zero = ir.Constant(sum_type, None)
            found = _sums(builder, rows, [zero] * (PAIR_COLUMNS // _LANES), added)
            for place, value in enumerate(found):
                at = builder.add(builder.mul(tile.index, _word(PAIR_COLUMNS)), _word(place * _LANES))
                ints.store(value, results, at)
        return context.get_dummy_value()

    return types.void(sums, first, second, room, tiles), generate
