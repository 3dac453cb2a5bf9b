"""Packages that an installation for archives leaves out: those of networks, GPUs, training and evaluation."""

from __future__ import annotations

from importlib.util import find_spec

from eegzip.formats.errors import UsageError


def require_torch(what: str) -> None:
    """Refuse to begin where PyTorch or DAC's network is missing.

    Parameters
    ----------
    what
        Begins the sentence: what needs them.

    Raises
    ------
    UsageError
        One of them is not installed; the sentence names the extra.
    """
    for module, name in (("torch", "PyTorch"), ("dac", "the package descript-audio-codec")):
        _require(what, module, name, "network")


def require_scipy(what: str) -> None:
    """Refuse to begin where scipy is missing; as :func:`require_torch`."""
    _require(what, "scipy", "scipy", "evaluation")


def _require(what: str, module: str, name: str, extra: str) -> None:
    if find_spec(module) is None:
        raise UsageError(f"{what} needs {name}, which is not here: install eegzip[{extra}].")
