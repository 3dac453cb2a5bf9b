"""One way to compile a function for the CPU, without fast-math.

Without fast-math every operation has one order and no fused multiply-add takes the place of two, so what is computed is
the same on every machine.

While these modules are worked on: numba keeps compiled code beside the source and looks at the caller's file only, so
after changing a function that functions of other modules call, delete ``__pycache__/*.nb*``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Cache(FunctionCache):
    """numba's cache on disk, read without what only compiling takes."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the function compiled for a signature; ``None`` where the cache hasn't got it.

        Before it looks, numba's own loads all that a compiler has to know, scipy.linalg among it, in as much time as
        everything else that a short command does. Code that is compiled needs the part that allocates, and no more.
        """
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def jit(function: _Function) -> _Function:
    """Compile a function, and keep the result on disk for the next process where there is a place to write to.

    Compiled functions let other threads run meanwhile, and don't check indices or divisors.
    """
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    with suppress(RuntimeError):  # neither the package's folder nor the user's cache can be written
        dispatcher._cache = _Cache(function)
    # What numba gives back is called as the function was, so it has its type.
    return cast(_Function, dispatcher)
