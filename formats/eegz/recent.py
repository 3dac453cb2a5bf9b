"""Remembers what was asked for last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """Values by key, of which those asked for last are kept.

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
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def keep(self, key: _Key, value: _Value) -> _Value:
        """Remember the value of a key, and return it."""
        self._values[key] = value
        while len(self._values) > self._kept:
            self._values.popitem(last=False)
        return value

    def get(self, key: _Key, make: Callable[[_Key], _Value]) -> _Value:
        """Return the value of a key, made by ``make(key)`` where it is not remembered."""
        found = self.find(key)
        return self.keep(key, make(key)) if found is None else found
