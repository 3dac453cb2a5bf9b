"""One way to compile a function for the CPU, without fast-math.

Without fast-math every operation has one order and no fused multiply-add takes the place of two, so what is computed is
the same on every machine.

Compiling all of eegzip takes a minute and more. So an installation brings the compiled functions along, in the folder
``compiled`` (``compile_ahead.py`` makes it when a wheel is built; :mod:`~eegzip.formats.entropy.brought` reads it).
What is not there, or for another processor or version of numba, is compiled when it is first called and kept on disk.

While these modules are worked on: numba keeps compiled code beside the source and looks at the caller's file only, so
after changing a function that functions of other modules call, delete ``__pycache__/*.nb*``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba

try:
    from eegzip.formats.entropy.brought import BroughtCache
except (ImportError, AttributeError):  # a numba that keeps compiled code in another way
    BroughtCache = None  # type: ignore[assignment, misc]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function, *, forceinline: bool) -> _Function:
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", forceinline=forceinline)(function)
    if BroughtCache is not None:
        dispatcher._cache = BroughtCache(function)
    else:
        with suppress(RuntimeError):  # neither the package's folder nor the user's cache can be written
            dispatcher.enable_caching()
    # What numba gives back is called as the function was, so it has its type.
    return cast(_Function, dispatcher)


def jit(function: _Function) -> _Function:
    """Compile a function, and keep the result on disk for the next process where there is a place to write to.

    Compiled functions let other threads run meanwhile, and don't check indices or divisors.
    """
    return _compiled(function, forceinline=False)


def inlined(function: _Function) -> _Function:
    """Compile a function into those that call it: for what is called so often that the call itself takes time.

    Beside the jump, a call counts the users of each array up and down, in memory that other threads count in, too.
    """
    return _compiled(function, forceinline=True)
