"""Remembers what was asked for last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """Values by key, of which those asked for last are kept; threads may share it.

    Every step is one of the dictionary's own, so that no lock is needed, which a fork could hand down held.

    Parameters
    ----------
    kept : int
        How many.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._values: OrderedDict[_Key, _Value] = OrderedDict()

    def find(self, key: _Key) -> _Value | None:
        """Return the value of a key, or ``None`` where it is not remembered."""
        found = self._values.get(key)
        if found is not None:
            with suppress(KeyError):  # another thread dropped it meanwhile
                self._values.move_to_end(key)
        return found

    def keep(self, key: _Key, value: _Value) -> _Value:
        """Remember the value of a key, and return it."""
        self._values[key] = value
        while len(self._values) > self._kept:
            with suppress(KeyError):
                self._values.popitem(last=False)
        return value

    def get(self, key: _Key, make: Callable[[_Key], _Value]) -> _Value:
        """Return the value of a key, made by ``make(key)`` where it is not remembered."""
        found = self.find(key)
        return self.keep(key, make(key)) if found is None else found
