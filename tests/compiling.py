"""Workers share what they compile: each function is compiled by one of them; the others load it from numba's cache.

In a fresh checkout compiling takes more than a minute of processor time, and otherwise each worker would do all of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher

try:
    import fcntl
except ImportError:
    # Windows has none; there every worker compiles for itself. A module's name can't be declared as optional.
    fcntl = None  # type: ignore[assignment]

_held: set[str] = set()


@contextmanager
def _turn(folder: Path, name: str) -> Iterator[None]:
    """Hold a lock that other processes wait for; what is compiled within may ask for the same again."""
    if name in _held:
        yield
        return
    with (folder / hashlib.sha256(name.encode()).hexdigest()).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _held.add(name)
        try:
            yield
        finally:
            _held.remove(name)
            # Closing alone would leave it with a process that was forked meanwhile.
            fcntl.flock(file, fcntl.LOCK_UN)


def share(folder: Path) -> None:
    """Compile each function of the package by turns, under locks that lie in a folder."""
    if fcntl is None:
        return
    compile_alone = Dispatcher.compile

    def compile_by_turns(self: Dispatcher, signature: object) -> object:
        function = self.py_func
        if not function.__module__.startswith("eegzip."):
            return compile_alone(self, signature)
        # numba's own lock first: so one thread of a process at a time waits for other processes, and functions wait
        # only for those that they call.
        with global_compiler_lock, _turn(folder, f"{function.__module__}.{function.__qualname__}"):
            return compile_alone(self, signature)

    folder.mkdir(exist_ok=True)
    Dispatcher.compile = compile_by_turns
