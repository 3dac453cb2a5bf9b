"""One way to compile a function for the CPU, without fast-math.

Without fast-math every operation has one order and no fused multiply-add takes the place of two, so what is computed is
the same on every machine.

While these modules are worked on: numba keeps compiled code beside the source and looks at the caller's file only, so
after changing a function that functions of other modules call, delete ``__pycache__/*.nb*``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


def jit(function: _Function) -> _Function:
    """Compile a function, and keep the result on disk for the next process where there is a place to write to.

    Compiled functions let other threads run meanwhile, and don't check indices or divisors.
    """
    try:
        return _compiled(function, cache=True)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return _compiled(function, cache=False)


def _compiled(function: _Function, *, cache: bool) -> _Function:
    # What numba gives back is called as the function was, so it has its type.
    return cast(_Function, numba.njit(nogil=True, error_model="numpy", cache=cache)(function))
