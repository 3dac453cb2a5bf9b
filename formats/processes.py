"""Forked processes: what they must not take over, threads that are gone and locks that those held."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")

_forks = 0
"""How many forks lie between the first process and this one."""


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


class PerProcess(Generic[_Value]):
    """A value that every process makes for itself when it first asks for it; all its threads get the same.

    Parameters
    ----------
    make : callable
        Makes it. Where two threads ask at once it may be called twice, and one result is dropped: what it makes must
        cost nothing before it is used, as locks and pools of threads do.
    """

    def __init__(self, make: Callable[[], _Value]) -> None:
        self._make = make
        self._made: dict[int, _Value] = {}

    def __call__(self) -> _Value:
        """Return this process's value."""
        found = self._made.get(_forks)
        # One step of the interpreter, so no lock is needed, which would be what this is to do without.
        return self._made.setdefault(_forks, self._make()) if found is None else found
