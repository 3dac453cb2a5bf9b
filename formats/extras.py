"""Packages that only some users need: they come with extras, which the sentence about a missing one names."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from eegzip.formats.errors import UsageError

_NAMES = {"pywt": "PyWavelets", "sklearn": "scikit-learn"}
"""What is installed, where it is imported by another name."""


def require(extra: str, *packages: str, what: str = "this needs") -> None:
    """Refuse to begin where a package of an extra is missing; none is loaded.

    Parameters
    ----------
    extra : str
        ``train`` of ``eegzip[train]``.
    packages : str
        Names by which they are imported.
    what : str
        Begins the sentence.

    Raises
    ------
    UsageError
        One of them is not installed.
    """
    for package in packages:
        if find_spec(package) is None:
            raise _missing(extra, package, what)


def imported(extra: str, module: str) -> Any:
    """Load a module of an extra's package.

    Raises
    ------
    UsageError
        It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise _missing(extra, module.split(".", 1)[0], "this needs") from error


def _missing(extra: str, package: str, what: str) -> UsageError:
    name = _NAMES.get(package, package)
    return UsageError(f"{what} the package '{name}', which is not here: install eegzip[{extra}].")
