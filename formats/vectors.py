"""Vectors in compiled functions: what numba has no words for is written as instructions of LLVM.

Loops that numba compiles carry sums of many rows to memory and back for every few of them. Written as vectors, sums
stay in registers until they are done. LLVM makes code for any processor from these, wider or narrower than theirs;
nothing is reordered or fused, so what is computed is the same on each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from llvmlite import ir
from numba.core import cgutils, errors, extending

LANES = 8
"""Of a vector."""
FLOAT, DOUBLE, SHORT, INT, WORD = ir.FloatType(), ir.DoubleType(), ir.IntType(16), ir.IntType(32), ir.IntType(64)
_BYTES = {FLOAT: 4, DOUBLE: 8, SHORT: 2, INT: 4}


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function for compiled functions to call of one that writes its instructions.

    That one gets the types of the arguments, after numba's context, and returns its signature and what writes them.
    """
    return cast(Callable[..., Any], extending.intrinsic(function))


def word(number: int) -> Any:
    """Return a constant of 64 bits, as places and lengths are."""
    return ir.Constant(WORD, number)


def arrays(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return where the data of an intrinsic's arrays are, and their shapes."""
    if any(kind.layout != "C" for kind in signature.args):
        raise errors.TypingError("vectors are loaded from arrays that lie in memory row after row")
    made = [
        context.make_array(kind)(context, builder, argument)
        for kind, argument in zip(signature.args, arguments, strict=True)
    ]
    return [one.data for one in made], [cgutils.unpack_tuple(builder, one.shape) for one in made]


def least(builder: Any, *numbers: Any) -> Any:
    """Return the least of some integers of 64 bits: how far loops may go that check no index."""
    result, *others = numbers
    for number in others:
        result = builder.select(builder.icmp_signed("<", number, result), number, result)
    return result


def load(builder: Any, element: Any, lanes: int, data: Any, at: Any) -> Any:
    """Load a vector whose first element is number `at`; it lies where that one may."""
    place = builder.bitcast(builder.gep(data, [at]), ir.VectorType(element, lanes).as_pointer())
    loaded = builder.load(place)
    loaded.align = _BYTES[element]
    return loaded


def store(builder: Any, value: Any, data: Any, at: Any) -> None:
    """Store a vector from element number `at` on."""
    place = builder.bitcast(builder.gep(data, [at]), value.type.as_pointer())
    builder.store(value, place).align = _BYTES[value.type.element]


def everywhere(builder: Any, number: Any) -> Any:
    """Return a vector of one number in every lane."""
    vector = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    for lane in range(LANES):
        vector = builder.insert_element(vector, number, ir.Constant(INT, lane))
    return vector


def gathered(builder: Any, rows: Any, begun: Sequence[Any], step: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
    """Go through rows with some vectors in registers: `step` returns what they are after a row."""
    rooms = [cgutils.alloca_once_value(builder, value) for value in begun]
    with cgutils.for_range(builder, rows) as row:
        after = step(row.index, [builder.load(room) for room in rooms])
        for room, value in zip(rooms, after, strict=True):
            builder.store(value, room)
    return [builder.load(room) for room in rooms]
