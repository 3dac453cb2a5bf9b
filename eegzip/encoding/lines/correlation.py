"""What signals and a line have in common, as vectors: some signals are summed at once, each in the order of time."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from eegzip.formats.entropy.jit import jit
from eegzip.formats.vectors import DOUBLE, LANES, arrays, everywhere, gathered, intrinsic, least, load, store, word

PARTS = 4
"""Cosine and negative sine, of the knot before a sample and of the one after."""


@intrinsic
def sum_products(typing_context: Any, sums: Any, basis: Any, tile: Any, first: Any, stop: Any) -> Any:  # noqa: ARG001
    """Fill `sums` with the products of a line's basis and some signals, each summed from sample `first` up to `stop`.

    Parameters
    ----------
    sums : ndarray of float64, shape (4, LANES)
    basis : ndarray of float64, shape (4, n)
    tile : ndarray of float64, shape (n, LANES)
    first, stop : int
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.return_type(*signature.args[:3])
        (results, rows, table), shapes = arrays(context, builder, kinds, arguments[:3])
        (parts, columns), (row_count, size), (tile_size, lanes) = shapes
        # No index is checked here; so what would not fit is not done.
        fits = builder.icmp_signed("==", columns, word(LANES))
        fits = builder.and_(fits, builder.icmp_signed("==", lanes, word(LANES)))
        for count in (parts, row_count):
            fits = builder.and_(fits, builder.icmp_signed(">=", count, word(PARTS)))
        begin = arguments[3]
        fits = builder.and_(fits, builder.icmp_signed(">=", begin, word(0)))
        count = builder.sub(least(builder, arguments[4], size, tile_size), begin)
        with builder.if_then(fits):
            zero = ir.Constant(ir.VectorType(DOUBLE, LANES), [0.0] * LANES)

            def added(row: Any, before: list[Any]) -> list[Any]:
                at = builder.add(begin, row)
                samples = load(builder, DOUBLE, LANES, table, builder.mul(at, word(LANES)))
                after = []
                for part, known in enumerate(before):
                    one = builder.gep(rows, [builder.add(builder.mul(word(part), size), at)])
                    product = builder.fmul(samples, everywhere(builder, builder.load(one)))
                    after.append(builder.fadd(known, product))
                return after

            for part, value in enumerate(gathered(builder, count, [zero] * PARTS, added)):
                store(builder, value, results, word(LANES * part))
        return context.get_dummy_value()

    return types.void(sums, basis, tile, first, stop), generate


@jit
def correlate(tiles: np.ndarray, basis: np.ndarray, spacing: int, start: int, sums: np.ndarray) -> None:
    """Add up products of samples and a line's basis, by knot, each sum in the order of time.

    Parameters
    ----------
    tiles : ndarray of float64, shape (tiles, n, LANES)
        Samples, as :func:`side_by_side` gives them.
    basis : ndarray of float64, shape (4, n)
        Of :func:`~eegzip.encoding.lines.demodulation.oscillate`.
    spacing, start : int
        As there.
    sums : ndarray of float64, shape (tiles, knots, 2, LANES)
    """
    count = tiles.shape[1]
    found = np.zeros((PARTS, tiles.shape[2]))
    for tile in range(len(tiles)):
        n = 0
        while n < count:
            knot = (start + n) // spacing
            stop = min((knot + 1) * spacing - start, count)
            sum_products(found, basis, tiles[tile], n, stop)
            for part in range(2):
                for lane in range(found.shape[1]):
                    sums[tile, knot, part, lane] += found[part, lane]
                    sums[tile, knot + 1, part, lane] += found[2 + part, lane]
            n = stop


def side_by_side(values: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return samples [signals, n] about their centres as tiles [tiles, n, LANES] of signals that are summed at once."""
    signals, count = values.shape
    tiles = np.zeros((-(-signals // LANES), count, LANES))
    for tile, first in zip(tiles, range(0, signals, LANES), strict=True):
        some = values[first : first + LANES]
        np.subtract(some.T, centres[first : first + LANES], out=tile[:, : len(some)])
    return tiles


def by_signal(sums: np.ndarray, signals: int) -> np.ndarray:
    """Return sums [..., tiles, knots, 2, LANES] as [..., signals, knots, 2]."""
    *outer, tiles, knots, parts, lanes = sums.shape
    rows = np.moveaxis(sums, -1, -3).reshape(*outer, tiles * lanes, knots, parts)
    return rows[..., :signals, :, :]
