"""Checked reading of maps that came out of a file: every field has a type and a range, or the file is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from eegzip.formats.errors import ContainerError


class Fields:
    """A msgpack map and its place, so that an error can name the field.

    Parameters
    ----------
    content : object
        What should be a map.
    place : str
        Where it stands, for instance ``"header, signal 3"``.
    """

    def __init__(self, content: object, place: str) -> None:
        if not isinstance(content, dict):
            raise ContainerError(f"the {place} is not a map.")
        self._content: dict[str, Any] = content
        self._place = place

    def _wrong(self, key: str, value: object) -> ContainerError:
        # A hostile value can be long, so it is cut before it is shown.
        if isinstance(value, (str, bytes)):
            value = value[:60]
        shown = type(value).__name__ if isinstance(value, (list, dict)) else repr(value)
        return ContainerError(f"the {self._place} has no valid field '{key}' (found {shown[:60]}).")

    def has(self, key: str) -> bool:
        """Return whether a field is there and not nil."""
        return self._content.get(key) is not None

    def integer(self, key: str, low: int, high: int) -> int:
        """Return an integer between `low` and `high`, both included."""
        value = self._content.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(key, value)
        return value

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        """Return an integer in the range, or ``None`` where the field is absent or nil."""
        return None if self._content.get(key) is None else self.integer(key, low, high)

    def number(self, key: str) -> float:
        """Return a finite number."""
        value = self._content.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self._wrong(key, value)
        return float(value)

    def optional_number(self, key: str) -> float | None:
        """Return a finite number, or ``None`` where the field is absent or nil."""
        return None if self._content.get(key) is None else self.number(key)

    def optional_fraction(self, key: str, high: int) -> Fraction | None:
        """Return a ratio of two integers from 1 to `high`, or ``None`` where the field is absent or nil."""
        if self._content.get(key) is None:
            return None
        pair = self.integers(key, 2, 1, high)
        if len(pair) != 2:
            raise self._wrong(key, pair)
        return Fraction(*pair)

    def text(self, key: str) -> str:
        """Return a string."""
        value = self._content.get(key)
        if not isinstance(value, str):
            raise self._wrong(key, value)
        return value

    def binary(self, key: str) -> bytes:
        """Return a byte string."""
        value = self._content.get(key)
        if not isinstance(value, bytes):
            raise self._wrong(key, value)
        return value

    def items(self, key: str, longest: int) -> list[Any]:
        """Return a list of at most `longest` items."""
        value = self._content.get(key)
        if not isinstance(value, list) or len(value) > longest:
            raise self._wrong(key, value)
        return value

    def texts(self, key: str, longest: int) -> tuple[str, ...]:
        """Return a list of strings."""
        values = self.items(key, longest)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(key, values)
        return tuple(values)

    def integers(self, key: str, longest: int, low: int, high: int) -> tuple[int, ...]:
        """Return a list of integers, each between `low` and `high`."""
        values = self.items(key, longest)
        for value in values:
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise self._wrong(key, values)
        return tuple(values)

    def numbers(self, key: str, longest: int) -> tuple[float, ...]:
        """Return a list of finite numbers."""
        values = self.items(key, longest)
        for value in values:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise self._wrong(key, values)
        return tuple(float(value) for value in values)

    def maps(self, key: str, longest: int) -> list[Fields]:
        """Return a list of maps, each able to name its place."""
        return [Fields(item, f"{self._place}, {key} {number}") for number, item in enumerate(self.items(key, longest))]

    def map(self, key: str) -> Fields:
        """Return a map within this one."""
        return Fields(self._content.get(key), f"{self._place}, {key}")
