"""Packages that training uses and the rest of eegzip does not: they come with the extra ``eegzip[train]``."""

from __future__ import annotations

from importlib.util import find_spec

from eegzip.formats.errors import UsageError


def require(*modules: str) -> None:
    """Refuse to begin where a package is missing.

    Parameters
    ----------
    modules
        Names by which they are imported.

    Raises
    ------
    UsageError
        One of them is not installed; the sentence names the extra.
    """
    for name in modules:
        if find_spec(name) is None:
            raise UsageError(f"this needs the package '{name}', which is not here: install eegzip[train].")
