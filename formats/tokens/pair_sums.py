"""Sums of pairs of 16-bit integers, each pair times two numbers: the likelihoods' inner loop.

Processors have an instruction for just that (on x86 it is ``pmaddwd``), which does twice as much as one that multiplies
in 32 bits. LLVM takes it for what is written here.
"""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from eegzip.formats.tokens.tables import PAIR_COLUMNS
from eegzip.formats.vectors import INT, LANES, SHORT, arrays, everywhere, gathered, intrinsic, least, load, store, word

PAIR_ROOM = 2 * LANES
"""Working memory for a row's two numbers."""

# The first of two numbers in a word of 32 bits is its lower half.
_IN_MEMORY = 1 if sys.byteorder == "little" else -1
_SUM = ir.VectorType(INT, LANES)


def _halves(builder: Any, pairs: Any) -> list[Any]:
    """First and second numbers of pairs, in 32 bits."""
    nothing = ir.Constant(pairs.type, ir.Undefined)
    return [
        builder.sext(builder.shuffle_vector(pairs, nothing, ir.Constant(_SUM, list(range(side, 2 * LANES, 2)))), _SUM)
        for side in (0, 1)
    ]


def _products(builder: Any, numbers: Any, pairs: Any) -> Any:
    """Sum of both products of each pair."""
    (a, b), (c, d) = _halves(builder, numbers), _halves(builder, pairs)
    both = builder.add(builder.mul(a, c), builder.mul(b, d))
    # Frozen, so that the two stay together and are not added one by one to what was there before.
    frozen = ir.instructions.Instruction(builder.block, _SUM, "freeze", [both])
    builder._insert(frozen)
    return frozen


@intrinsic
def add_pairs(typing_context: Any, sums: Any, first: Any, second: Any, room: Any, tiles: Any) -> Any:  # noqa: ARG001
    """Fill `sums` with the sums over all rows of ``first * a + second * b``, in 32 bits; a and b are a column's pair.

    Parameters
    ----------
    sums : ndarray of int32, shape (tiles * PAIR_COLUMNS,)
    first, second : ndarray of int32, shape (rows,)
        For each row, what is multiplied with its pairs; of 16 bits.
    room : ndarray of int16, shape (rows, PAIR_ROOM)
        Working memory.
    tiles : ndarray of int16, shape (tiles, rows, 2 * PAIR_COLUMNS)
        The pairs of each column, one after the other.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places, shapes = arrays(context, builder, signature, arguments)
        results, first_place, second_place, repeated, table = places
        (size,), (firsts,), (seconds,), (rooms, lanes), (tile_count, row_count, wide) = shapes
        # No index is checked here; so what would not fit has no rows.
        fits = builder.and_(
            builder.icmp_signed("==", lanes, word(PAIR_ROOM)), builder.icmp_signed("==", wide, word(2 * PAIR_COLUMNS))
        )
        rows = builder.select(fits, least(builder, firsts, seconds, rooms, row_count), word(0))
        count = least(builder, tile_count, builder.sdiv(size, word(PAIR_COLUMNS)))
        # LLVM takes the instruction only for vectors from memory: each row's two numbers, over and over.
        with cgutils.for_range(builder, rows) as row:
            low, high = (
                builder.load(builder.gep(place, [row.index])) for place in (first_place, second_place)[::_IN_MEMORY]
            )
            low = builder.and_(low, ir.Constant(INT, 0xFFFF))
            pair = builder.or_(low, builder.shl(high, ir.Constant(INT, 16)))
            both = builder.bitcast(everywhere(builder, pair), ir.VectorType(SHORT, 2 * LANES))
            store(builder, both, repeated, builder.mul(row.index, word(PAIR_ROOM)))
        with cgutils.for_range(builder, count) as tile:
            begin = builder.mul(builder.mul(tile.index, row_count), wide)

            def added(row: Any, sums: list[Any]) -> list[Any]:
                numbers = load(builder, SHORT, 2 * LANES, repeated, builder.mul(row, word(PAIR_ROOM)))
                start = builder.add(begin, builder.mul(row, wide))
                after = []
                for place, before in enumerate(sums):
                    at = builder.add(start, word(2 * LANES * place))
                    pairs = load(builder, SHORT, 2 * LANES, table, at)
                    after.append(builder.add(before, _products(builder, numbers, pairs)))
                return after

            found = gathered(builder, rows, [ir.Constant(_SUM, None)] * (PAIR_COLUMNS // LANES), added)
            for place, value in enumerate(found):
                at = builder.add(builder.mul(tile.index, word(PAIR_COLUMNS)), word(LANES * place))
                store(builder, value, results, at)
        return context.get_dummy_value()

    return types.void(sums, first, second, room, tiles), generate
