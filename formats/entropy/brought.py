"""Compiled functions that an installation brings along: found before numba looks where it keeps its own.

This rests on how numba keeps compiled code, which it promises to nobody; :mod:`eegzip.formats.entropy.jit` goes without
where a version does otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import llvmlite.binding as llvm
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator
from numba.core.runtime import rtsys

COMPILED = Path(__file__).parents[2] / "compiled"
"""Folder of the functions that an installation brings along, laid out as the package is."""
LEVELS = {
    "x86-64-v3": {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"},
    "x86-64-v2": {"cx16", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"},
}
"""What processors have in common that such code is made for, by LLVM's name, and what they must have."""


@cache
def level() -> str:
    """Return the highest level that this machine's processor has; ``generic`` where it has none."""
    # Asked for once a function; LLVM takes half a millisecond each time.
    here = llvm.get_host_cpu_features()
    return next((name for name, wanted in LEVELS.items() if all(here.get(feature) for feature in wanted)), "generic")


def stamp(source: Path) -> str:
    """Return what tells versions of a source file apart, wherever and whenever it was installed."""
    return hashlib.sha256(source.read_bytes()).hexdigest()


def brought_key(key: tuple[Any, Any, Any], name: str) -> tuple[Any, Any, Any]:
    """Return a key of numba's cache with a level in place of one machine's processor."""
    signature, (triple, *_), code = key
    return signature, (triple, name), code


class _Nowhere(_CacheLocator):
    """Where neither the package's folder nor the user's can be written: nothing is kept."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Nowhere:  # noqa: ARG003
        return cls()

    def ensure_cache_path(self) -> None:
        """There is none."""

    def get_cache_path(self) -> str:
        return str(COMPILED / "nothing")

    def get_source_stamp(self) -> int:
        return 0

    def get_disambiguator(self) -> str:
        return ""


class _Place(CompileResultCacheImpl):
    _locator_classes = [*CompileResultCacheImpl._locator_classes, cast(Any, _Nowhere)]  # noqa: RUF012


class BroughtCache(FunctionCache):
    """numba's cache on disk, after what the installation brings along; read without what only compiling takes."""

    _impl_class = _Place

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._brought = None
        folder = COMPILED.joinpath(*function.__module__.split(".")[1:-1])
        # As another processor numba is asked to be by its own settings only; then it has to compile, unless it is asked
        # for the very level that this was compiled for.
        as_asked = getattr(numba.config, "CPU_NAME", None) in (None, level())
        # Nor does what was brought along check indices, where somebody wants them checked.
        if as_asked and not getattr(numba.config, "BOUNDSCHECK", None) and folder.is_dir():
            found = stamp(Path(function.__code__.co_filename))
            self._brought = IndexDataCacheFile(str(folder), self._impl.filename_base, found)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the function compiled for a signature; ``None`` where it is nowhere.

        Before it looks, numba's own loads all that a compiler has to know, scipy.linalg among it, in as much time as
        everything else that a short command does. Code that is compiled needs the part that allocates, and no more.
        """
        rtsys.initialize(target_context)
        if self._brought is not None:
            data = self._brought.load(brought_key(self._index_key(sig, target_context.codegen()), level()))
            if data is not None:
                return self._impl.rebuild(target_context, data)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function, where there is a place to."""
        if not isinstance(self._impl.locator, _Nowhere):
            super().save_overload(sig, data)
