"""Signals that are coded as components of a rotation of their own (SPEC.md, section 4.1; version 1.3)."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class KLT:
    """A Karhunen-Loeve transform of signals: groups of one signal each whose streams hold components instead.

    Parameters
    ----------
    groups : tuple of int
        Indices into the header's groups; the stream, the knots and the ``ranges`` entry of the j-th are those of
        component j, all else is its signal's.
    gains : tuple of float
        One each a signal: what it is worth in digital units where its share of the components is 1.
    matrix : bytes
        The rotation (:mod:`eegzip.formats.eegz.rotation`).
    """

    groups: tuple[int, ...]
    gains: tuple[float, ...]
    matrix: bytes

    @functools.cached_property
    def rotation(self) -> np.ndarray:
        """Orthonormal matrix [signals, components], float64."""
        # Only now, as it needs numba, which takes a while to load.
        from eegzip.formats.eegz.rotation import unpack_rotation

        return unpack_rotation(self.matrix, len(self.groups))

    def to_signals(self) -> np.ndarray:
        """Matrix [signals, components] that makes signals of components, their centres apart."""
        return self.rotation * np.array(self.gains)[:, None]

    def to_components(self) -> np.ndarray:
        """Matrix [components, signals] that makes components of signals without their centres."""
        return self.rotation.T / np.array(self.gains)
