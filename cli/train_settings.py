"""Options of ``eegzip train`` as settings: durations, sections, and which may change on resuming."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegzip.cli.values import in_units
from eegzip.formats.errors import UsageError

if TYPE_CHECKING:
    from eegzip.training.settings.checked import TrainSettings

Values = dict[str, dict[str, Any]]

# Where an option's value goes; --scaling and --max-time are read first.
_PLACES = {
    "sources": ("data", "sources"),
    "domain": ("data", "domain"),
    "signals": ("data", "signals"),
    "held_out": ("data", "held_out"),
    "person_regex": ("data", "person_regex"),
    "workers": ("data", "workers"),
    "rate": ("data", "rate"),
    "architecture": ("model", "architecture"),
    "codebooks": ("model", "n_codebooks"),
    "codebook_size": ("model", "codebook_size"),
    "init": ("start", "init"),
    "sha256": ("start", "sha256"),
    "groups": ("groups", "kind"),
    "batch": ("optimiser", "batch"),
    "lr": ("optimiser", "lr"),
    "stages": ("run", "stages"),
    "max_steps": ("run", "max_steps"),
    "seed": ("run", "seed"),
    "deterministic": ("run", "deterministic"),
    "device": ("run", "device"),
    "threads": ("run", "threads"),
    "licence": ("run", "licence"),
}
# What a state on disk belongs to: another shape, start or data would be another run.
_FIXED_SECTIONS = ("data", "model", "start", "codebooks", "prior", "joint")
_FREE_DATA = ("workers", "cache")


def duration(text: str) -> float:
    """Return the seconds of a text such as ``90s``, ``20m``, ``1.5h`` or ``1h30m``; a bare number is seconds.

    Parameters
    ----------
    text
        As a person types it.

    Raises
    ------
    UsageError
        It is no duration, or not a positive one.
    """
    total = in_units(text)
    if total is None or not 0 < total < math.inf:
        raise UsageError(f"'{text}' is no duration; write 90s, 20m, 1.5h or 1h30m.")
    return total


def scaling(text: str) -> dict[str, Any]:
    """Return the settings that ``adaptive``, ``fixed`` or ``fixed:200uV`` stands for.

    Raises
    ------
    UsageError
        It is none of them.
    """
    kind, colon, amount = text.strip().lower().partition(":")
    if kind in ("adaptive", "fixed") and not colon:
        return {"scaling": kind}
    try:
        limit = float(amount.replace("µ", "u").removesuffix("uv"))
    except ValueError:
        limit = math.nan
    if kind != "fixed" or not limit > 0:
        raise UsageError(f"the scaling '{text}' is neither 'adaptive' nor of the form 'fixed:200uV'.")
    return {"scaling": kind, "limit_uv": limit}


def sections(options: Mapping[str, Any]) -> Values:
    """Return the options that were given as sections of settings.

    Parameters
    ----------
    options
        By the names of the command's parameters; ``None``, ``False`` and ``()`` mean that one was not given.
    """
    values: Values = {}
    for name, value in options.items():
        if value is None or value is False or value == ():
            continue
        if name == "scaling":
            values.setdefault("data", {}).update(scaling(value))
        elif name == "max_time":
            values.setdefault("run", {})["max_seconds"] = duration(value)
        else:
            section, key = _PLACES[name]
            values.setdefault(section, {})[key] = value
    return values


def changes(stored: TrainSettings, wanted: TrainSettings) -> list[str]:
    """Return in words what differs between a run's settings and those that it is to go on with, limits aside.

    Raises
    ------
    UsageError
        Something differs that a run can't change on its way.
    """
    found = []
    before, after = stored.to_dict(), wanted.to_dict()
    for section, content in after.items():
        for name, value in content.items():
            old = before[section][name]
            if value == old:
                continue
            free = section not in _FIXED_SECTIONS or (section == "data" and name in _FREE_DATA)
            if not free or (section, name) in (("run", "seed"), ("run", "stages")):
                raise UsageError(
                    f"a resumed run keeps its {section}.{name}: it is {_shown(old)}, not {_shown(value)}; "
                    "begin another run in another folder."
                )
            if section not in ("data", "run"):  # where and how long is not what is computed
                found.append(f"{section}.{name} {_shown(old)} -> {_shown(value)}")
    return found


def to_toml(settings: TrainSettings) -> str:
    """Return settings as TOML, as ``--config`` reads them.

    Parameters
    ----------
    settings
        Of a run.
    """
    lines = []
    for section, content in settings.to_dict().items():
        lines.append(f"[{section}]")
        # JSON's strings, numbers, booleans and lists are TOML's, but for one control character.
        lines += [
            f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
            for name, value in content.items()
        ]
        lines.append("")
    return "\n".join(lines)


def absent_sources(sources: tuple[str, ...]) -> list[str]:
    """Return the sources that are plain paths to nothing, so that a typing error is told before anything is loaded.

    Parameters
    ----------
    sources
        Folders, files, globs, manifests or ``synthetic``.
    """
    return [s for s in sources if s != "synthetic" and not set(s) & set("*?[") and not Path(s).exists()]


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)
