"""Types of options' values: times, and names of files and folders, which a shell may complete."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from eegzip.formats.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_SIZE = re.compile(r"(\d+\.?\d*|\.\d+) ?([kmgt]?)(i?)b?", re.IGNORECASE)
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):([0-5]?\d(?:\.\d*)?)")
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(min|[smhd]|$)")


class Name(click.ParamType):
    """Name of a file or folder, which is looked at by whoever opens it: that one says better what is wrong with it.

    Parameters
    ----------
    kind
        What a shell completes: ``file`` (and folders on the way to it) or ``dir``.
    """

    name = "path"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Leave it to the shell."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type=self._kind)]


FILE, FOLDER = Name("file"), Name("dir")


class Size(click.ParamType):
    """Bytes, as ``200000``, ``200k``, ``64MiB``, ``1.5G``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"'{value}' is no size; write 200000, 200k, 64MiB or 1.5G.", param, ctx)
        power = "kmgt".index(found[2].lower()) + 1 if found[2] else 0
        return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


class Time(click.ParamType):
    """Seconds, as ``90``, ``1m30s``, ``1:30`` or ``00:01:30.5``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        found = seconds(value)
        if found is None:
            self.fail(f"'{value}' is no time; write 90, 90s, 1m30s, 1:30 or 00:01:30.", param, ctx)
        return found


class Kind(click.ParamType):
    """A pattern for labels and what the signals are that it names, as ``Ch 3=ecg``."""

    name = "kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return both parts."""
        if isinstance(value, tuple):
            return value
        pattern, sign, kind = str(value).rpartition("=")
        if not sign or not pattern.strip():
            self.fail(f"'{value}' says not what is what; write PATTERN=KIND, such as 'Ch 3=ecg'.", param, ctx)
        return pattern.strip(), kind.strip().lower()


SIZE, TIME, KIND = Size(), Time(), Kind()


def models_of_kinds(values: Sequence[str]) -> str | dict[str, str] | None:
    """Return models as :func:`eegzip.compress` takes them, from texts such as ``DIR`` and ``ecg=DIR``."""
    # Here, as it needs numpy, which --help does not.
    from eegzip.formats.edf.kinds import TELLABLE

    found: dict[str, str] = {}
    for value in values:
        kind, sign, model = value.partition("=")
        if not sign or kind.strip().lower() not in TELLABLE:
            kind, model = "eeg", value
        kind = kind.strip().lower()
        if kind in found:
            raise UsageError(f"two models for {kind}: {found[kind]} and {model}; name one.")
        found[kind] = model.strip()
    return found.get("eeg") if found.keys() <= {"eeg"} else found


def seconds(text: str) -> float | None:
    """Return the seconds of a time as people write it, ``None`` where it is none.

    Parameters
    ----------
    text
        A bare number is seconds (``90``, ``1e3``, ``-3``); units are s, m or min, h, d (``1h30m``); a clock shows
        minutes and seconds, with or without hours (``1:30``, ``00:01:30.5``).
    """
    compact = text.strip().lower().replace(" ", "")
    clock = _CLOCK.fullmatch(compact)
    if clock is not None:
        hours, minutes, rest = clock.groups()
        if hours is not None and int(minutes) >= 60:
            return None
        return 3600 * int(hours or 0) + 60 * int(minutes) + float(rest)
    found = in_units(compact)
    if found is not None:
        return found
    try:
        value = float(compact)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def in_units(text: str) -> float | None:
    """Return the seconds of a time such as ``90``, ``90s`` or ``1h30m``, ``None`` where it is none."""
    compact = text.strip().lower().replace(" ", "")
    parts = _PART.findall(compact)
    if not compact or "".join(number + unit for number, unit in parts) != compact:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
