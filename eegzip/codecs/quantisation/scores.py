"""The inner loops of the beam search, as vectors."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from eegzip.formats.vectors import FLOAT, INT, LANES, arrays, everywhere, gathered, intrinsic, least, load, store, word

COLUMNS = 16
"""Codewords in a tile."""
ROWS = 4
"""Hypotheses that are scored at once."""
STRIPE = 2 * LANES
"""Partial sums of a squared length."""

_VECTORS = COLUMNS // LANES


@intrinsic
def score_rows(typing_context: Any, scores: Any, rows: Any, width: Any, squares: Any, tiles: Any) -> Any:  # noqa: ARG001
    """Fill `scores` with |c|^2 - 2 r.c of all codewords c for four residuals r, each summed in the order of dimensions.

    Parameters
    ----------
    scores : ndarray of float32, shape (ROWS, tiles * COLUMNS)
    rows : ndarray of float32, shape (ROWS, widest)
        Residuals.
    width : int
        Dimensions that count, the first ones.
    squares : ndarray of float32, shape (tiles * COLUMNS,)
        Squared lengths of the codewords.
    tiles : ndarray of float32, shape (tiles, widest, COLUMNS)
        -2 times the codewords.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.return_type(*(signature.args[:2] + signature.args[3:]))
        places, shapes = arrays(context, builder, kinds, [*arguments[:2], *arguments[3:]])
        results, residuals, begun, table = places
        (score_rows, score_size), (row_count, row_size), (square_count,), (tile_count, depth, columns) = shapes
        # No index is checked here; so what would not fit is not done.
        fits = builder.icmp_signed("==", columns, word(COLUMNS))
        for count in (score_rows, row_count):
            fits = builder.and_(fits, builder.icmp_signed(">=", count, word(ROWS)))
        dimensions = least(builder, arguments[2], row_size, depth)
        whole = builder.sdiv(least(builder, score_size, square_count), word(COLUMNS))
        count = builder.select(fits, least(builder, tile_count, whole), word(0))
        with cgutils.for_range(builder, count) as tile:
            begin = builder.mul(builder.mul(tile.index, depth), word(COLUMNS))
            first = builder.mul(tile.index, word(COLUMNS))
            at = [builder.add(first, word(LANES * place)) for place in range(_VECTORS)]
            lengths = [load(builder, FLOAT, LANES, begun, one) for one in at]

            def added(d: Any, sums: list[Any]) -> list[Any]:
                start = builder.add(begin, builder.mul(d, word(COLUMNS)))
                words = [
                    load(builder, FLOAT, LANES, table, builder.add(start, word(LANES * place)))
                    for place in range(_VECTORS)
                ]
                after = []
                for row in range(ROWS):
                    one = builder.gep(residuals, [builder.add(builder.mul(word(row), row_size), d)])
                    number = everywhere(builder, builder.load(one))
                    for place in range(_VECTORS):
                        product = builder.fmul(number, words[place])
                        after.append(builder.fadd(sums[row * _VECTORS + place], product))
                return after

            found = gathered(builder, dimensions, lengths * ROWS, added)
            for number, value in enumerate(found):
                row, place = divmod(number, _VECTORS)
                store(builder, value, results, builder.add(builder.mul(word(row), score_size), at[place]))
        return context.get_dummy_value()

    return types.void(scores, rows, width, squares, tiles), generate


@intrinsic
def least_costs(typing_context: Any, costs: Any, scores: Any, energies: Any) -> Any:  # noqa: ARG001
    """Fill `costs` with the least sum of score and energy of each column.

    Parameters
    ----------
    costs : ndarray of float32, shape (tiles * COLUMNS,)
    scores : ndarray of float32, shape (rows, tiles * COLUMNS)
    energies : ndarray of float32, shape (rows,)
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (results, table, added), shapes = arrays(context, builder, signature, arguments)
        (size,), (row_count, score_size), (energy_count,) = shapes
        rows = least(builder, row_count, energy_count)
        count = builder.sdiv(least(builder, size, score_size), word(COLUMNS))
        infinite = ir.Constant(ir.VectorType(FLOAT, LANES), [float("inf")] * LANES)
        with cgutils.for_range(builder, count) as tile:
            first = builder.mul(tile.index, word(COLUMNS))
            at = [builder.add(first, word(LANES * place)) for place in range(_VECTORS)]

            def smaller(row: Any, known: list[Any]) -> list[Any]:
                energy = everywhere(builder, builder.load(builder.gep(added, [row])))
                after = []
                for place, before in zip(at, known, strict=True):
                    start = builder.add(builder.mul(row, score_size), place)
                    cost = builder.fadd(energy, load(builder, FLOAT, LANES, table, start))
                    after.append(builder.select(builder.fcmp_ordered("<", cost, before), cost, before))
                return after

            for place, value in zip(at, gathered(builder, rows, [infinite] * _VECTORS, smaller), strict=True):
                store(builder, value, results, place)
        return context.get_dummy_value()

    return types.void(costs, scores, energies), generate


@intrinsic
def squared_stripes(typing_context: Any, vector: Any) -> Any:  # noqa: ARG001
    """Return the sum of squares of a vector's whole stripes (float32): of each place in a stripe, then of all in order.

    What is left at the end is the caller's.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (data,), ((size,),) = arrays(context, builder, signature, arguments)
        zero = ir.Constant(ir.VectorType(FLOAT, LANES), [0.0] * LANES)

        def added(stripe: Any, sums: list[Any]) -> list[Any]:
            first = builder.mul(stripe, word(STRIPE))
            after = []
            for place, before in enumerate(sums):
                piece = load(builder, FLOAT, LANES, data, builder.add(first, word(LANES * place)))
                after.append(builder.fadd(before, builder.fmul(piece, piece)))
            return after

        total = ir.Constant(FLOAT, 0.0)
        for lanes in gathered(builder, builder.sdiv(size, word(STRIPE)), [zero] * (STRIPE // LANES), added):
            for lane in range(LANES):
                total = builder.fadd(total, builder.extract_element(lanes, ir.Constant(INT, lane)))
        return total

    return types.float32(vector), generate
