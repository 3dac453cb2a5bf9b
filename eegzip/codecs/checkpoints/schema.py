"""From JSON to a model's dataclasses and back, without leniency: a config that is not understood is not run."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from eegzip.formats.errors import ModelError

_MAX_CHARACTERS = 200


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
        try:
            values[name] = typed(str(known[name].type), value)
        except WrongTypeError as error:
            wanted = error.kind.split("[")[0]
            raise ModelError(f"The model's {where}.{name} must be of type {wanted}.") from error
    for name, entry in known.items():
        if name not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise ModelError(f"The model's {where} lacks {name!r}.")
    return kind(**values)


class WrongTypeError(TypeError):
    """A value is not of the type that is annotated.

    Attributes
    ----------
    kind : str
        The type that was wanted.
    value : object
        What there is instead.
    """

    def __init__(self, kind: str, value: object) -> None:
        super().__init__(f"{value!r} is not of type {kind}")
        self.kind, self.value = kind, value


def typed(kind: str, value: object, *, text: bool = False) -> Any:
    """Return a value as the type that a dataclass's field is annotated with.

    Parameters
    ----------
    kind
        The annotation: ``int``, ``float``, ``bool``, ``str``, ``str | None``, a tuple of one of these, or a section.
    value
        As JSON has it; a section (a dataclass) is built already.
    text
        Read texts as well, as a command line gives them: ``"0.5"``, ``"true"``, ``"a,b"``.

    Raises
    ------
    WrongTypeError
        The value is of another type.
    """
    if kind.startswith("tuple["):
        parts = _listed(value) if text and isinstance(value, str) else value
        if not isinstance(parts, (list, tuple) if text else list):
            raise WrongTypeError("tuple", value)
        item = kind.removeprefix("tuple[").split(",")[0]
        return tuple(typed(item, part, text=text) for part in parts if part != "" or not text)
    if is_dataclass(value):
        return value
    found = _read(kind, value) if text else _exact(kind, value)
    if found is None:
        raise WrongTypeError(kind, value)
    return found


def _exact(kind: str, value: Any) -> Any:
    """Return a value that is of a type as JSON has it, or ``None``."""
    if isinstance(value, bool):
        return value if kind == "bool" else None
    if kind == "float" and isinstance(value, (int, float)):
        return float(value)
    if kind == "int" and isinstance(value, int):
        return value
    fits = kind in ("str", "str | None") and isinstance(value, str) and len(value) <= _MAX_CHARACTERS
    return value if fits else None


def _read(kind: str, value: Any) -> Any:
    """Return a value as a type, read from text where it is one, or ``None``."""
    try:
        if kind == "str" and not isinstance(value, (list, dict)):
            return str(value).strip()
        if kind == "bool":
            return {"true": True, "false": False, "1": True, "0": False}[str(value).strip().lower()]
        if kind == "int" and not isinstance(value, bool) and float(value) == int(float(value)):
            return int(float(value))
        if kind == "float" and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, KeyError, OverflowError):
        pass
    return None


def _listed(text: str) -> list[str]:
    """Return the parts of ``a,b`` or, as TOML and a dry run have it, of ``["a", "b"]``."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [part.strip(" \"'") for part in text[1:-1].split(",")]
    return text.split(",")
