"""From JSON to a model's dataclasses and back, without leniency: a config that is not understood is not run."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from eegzip.formats.errors import ModelError


def plain(value: object) -> Any:
    """Return ``value`` as JSON knows it: tuples become lists."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return value


def strict(kind: type, data: object, where: str) -> Any:
    """Build a dataclass from JSON, refusing unknown keys and wrong types.

    Parameters
    ----------
    kind
        The dataclass; its fields are numbers, texts, tuples of these, and sections.
    data
        A parsed JSON object, its sections already built.
    where
        What it is, for the error.

    Raises
    ------
    ModelError
        It is not of that kind.
    """
    if not isinstance(data, dict):
        raise ModelError(f"The model's {where} must be a JSON object.")
    known = {f.name: f for f in fields(kind)}
    unknown = sorted(str(k) for k in data if k not in known)
    if unknown:
        raise ModelError(f"The model's {where} has an unknown entry {unknown[0]!r}; upgrade eegzip or fix it.")
    values: dict[str, Any] = {}
    for name, value in data.items():
        values[name] = _typed(str(known[name].type), value, f"{where}.{name}")
    for name, entry in known.items():
        if name not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise ModelError(f"The model's {where} lacks {name!r}.")
    return kind(**values)


def _typed(kind: str, value: object, where: str) -> object:
    """Return a JSON value as the annotated type, or refuse it."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "int" and number and isinstance(value, int):
        return value
    if kind == "float" and number:
        return float(value)  # type: ignore[arg-type]
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind in ("str", "str | None") and isinstance(value, str) and len(value) <= 200:
        return value
    if kind.startswith("tuple[") and isinstance(value, list):
        item = kind.removeprefix("tuple[").split(",")[0]
        return tuple(_typed(item, v, where) for v in value)
    if is_dataclass(value):
        # A section, which the caller has built already.
        return value
    raise ModelError(f"The model's {where} must be of type {kind.split('[')[0]}.")
