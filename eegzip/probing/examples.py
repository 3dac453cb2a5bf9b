"""Windows of tokens with class and subject, and what their codes stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from eegzip.downstream.labelled import LabelledFeatures
from eegzip.formats.errors import UsageError
from eegzip.token_data.data_set import TokenDataset
from eegzip.tokenizer.module import Tokenizer


@dataclass(frozen=True)
class LabelledTokens:
    """Windows of tokens, the class of each, and whose they are.

    Parameters
    ----------
    codes : ndarray of int64, shape (windows, C, K, F)
        Of rows in one order, the coarsest level first; -1 for no token.
    labels : ndarray of str, shape (windows,)
        Classes; a sequence will do.
    subjects : ndarray of str, shape (windows,)
        Whose each is: no subject is trained on and tested.
    codewords : ndarray of float32, shape (K or more, V, D)
        What each code adds to a latent, as :attr:`eegzip.Tokenizer.codewords`.
    recordings : ndarray of str, shape (windows,), optional
        What is judged as one: probabilities of its windows are averaged. By default each window by itself, as trials
        are.

    Raises
    ------
    UsageError
        Shapes don't fit, a code is beyond the vocabulary, there is one class only, or a recording has two classes or
        subjects.
    """

    codes: npt.NDArray[np.int64]
    labels: np.ndarray | Sequence[str]
    subjects: np.ndarray | Sequence[str]
    codewords: npt.NDArray[np.float32]
    recordings: np.ndarray | Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.recordings is None:
            object.__setattr__(self, "recordings", [f"{number:09d}" for number in range(len(self.codes))])
        for name in ("labels", "subjects", "recordings"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=str))
        if self.codes.ndim != 4 or not self.codes.size:
            raise UsageError("codes must be [windows, channels, codebooks, frames], none of them 0.")
        if not len(self.codes) == len(self.labels) == len(self.subjects) == len(np.asarray(self.recordings)):
            raise UsageError("windows need as many labels, subjects and recordings as there are.")
        if self.codewords.ndim != 3 or len(self.codewords) < self.codes.shape[2]:
            raise UsageError(
                f"codes of {self.codes.shape[2]} levels need codewords [levels, vocabulary, dimensions] of as many, "
                f"not {list(self.codewords.shape)}."
            )
        if self.codes.min() < -1 or self.codes.max() >= self.codewords.shape[1]:
            raise UsageError(f"codes must lie between -1 and {self.codewords.shape[1] - 1}: they are of another model.")
        if len(set(self.labels)) < 2:
            raise UsageError("windows are all of one class; there is nothing to tell apart.")
        for name, values in (("classes", self.labels), ("subjects", self.subjects)):
            if not np.array_equal(np.asarray(values)[self._first][self.owner], values):
                raise UsageError(f"a recording has windows of several {name}; judge its windows by themselves.")

    @classmethod
    def of(cls, data: TokenDataset, model: str | Path | None = None) -> LabelledTokens:
        """Read the windows of a data set, with labels; the windows of a file are judged as one.

        Parameters
        ----------
        data : TokenDataset
            With ``labels``.
        model : str or path-like, optional
            The model of its tokens, where it is neither bundled nor cached.

        Raises
        ------
        UsageError
            It has no labels or no windows, or the tokens are of another model.
        ModelError
            The model is not found.
        """
        if not data.classes or not len(data):
            raise UsageError(
                "a probe needs windows with classes: give the data set labels (labels='participants.tsv')."
            )
        tokenizer = Tokenizer.from_pretrained(data.digest if model is None else model)
        if tokenizer.digest != data.digest:
            raise UsageError(f"the tokens are of {data.model} ({data.digest[:12]}), not of {tokenizer.name}.")
        items = [data[place] for place in range(len(data))]
        return cls(
            torch.stack([item["codes"] for item in items]).numpy(),
            [data.classes[item["label"]] for item in items],
            [item["subject"] for item in items],
            tokenizer.codewords.numpy(),
            [item["file"] for item in items],
        )

    @cached_property
    def owner(self) -> npt.NDArray[np.int64]:
        """Of each window, which of the recordings it is of."""
        return np.unique(np.asarray(self.recordings), return_inverse=True)[1]

    @cached_property
    def _first(self) -> npt.NDArray[np.int64]:
        """A window of each recording."""
        return np.unique(np.asarray(self.recordings), return_index=True)[1]

    def judged(self, values: np.ndarray) -> LabelledFeatures:
        """Return features [windows, n] as means over the windows of each recording, with its class and subject."""
        means = np.zeros((len(self._first), values.shape[1]))
        np.add.at(means, self.owner, values)
        means /= np.bincount(self.owner)[:, None]
        return LabelledFeatures(means, np.asarray(self.labels)[self._first], np.asarray(self.subjects)[self._first])
