"""Data for classifiers: features, the class of each, and whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegzip.formats.errors import UsageError


@dataclass(frozen=True)
class LabelledRecording:
    """A recording whose class is known.

    Parameters
    ----------
    path : Path
    label : str
        The class.
    subject : str
        Whose it is.
    split : str
        ``'train'`` or ``'eval'`` where its publisher says; else empty.
    """

    path: Path
    label: str
    subject: str
    split: str = ""


@dataclass(frozen=True)
class LabelledFeatures:
    """Features with class and subject.

    Parameters
    ----------
    values : ndarray, shape (examples, features)
    labels : ndarray of str, shape (examples,)
        Classes; a sequence will do.
    subjects : ndarray of str, shape (examples,)
        Whose each is: no subject is trained on and tested.

    Raises
    ------
    UsageError
        Numbers of examples differ, values are not finite, or there is one class only.
    """

    values: np.ndarray
    labels: np.ndarray | Sequence[str]
    subjects: np.ndarray | Sequence[str]

    def __post_init__(self) -> None:
        for name in ("labels", "subjects"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=str))
        if self.values.ndim != 2 or not len(self.values) == len(self.labels) == len(self.subjects):
            raise UsageError("examples need as many labels and subjects as rows of features.")
        if not np.isfinite(self.values).all():
            raise UsageError("features of examples are not finite.")
        if len(set(self.labels)) < 2:
            raise UsageError("examples are all of one class; there is nothing to tell apart.")

    def with_values(self, values: np.ndarray) -> LabelledFeatures:
        """Return the same examples with other features: those of restored recordings."""
        return LabelledFeatures(values, self.labels, self.subjects)
