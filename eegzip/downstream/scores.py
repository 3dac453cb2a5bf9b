"""Scores of classifiers, with intervals over subjects.

accuracy
    Balanced: the mean over classes of the share of their examples that are recognised; over all repeats.
auc
    Area under the ROC curve: the chance that of two examples, one of the class and one not, the one of the class has
    the larger probability (mean over repeats), ties half. Of more than two classes the mean over classes.

Intervals are percentiles of a bootstrap over subjects, those of each class drawn by themselves: what other subjects of
the same kind would have given the same classifiers. Differences draw the same subjects for both sides, which takes out
that some subjects are harder than others. Not in them: that classifiers trained on other subjects would be others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eegzip.downstream.labelled import LabelledFeatures
from eegzip.formats.errors import UsageError

MEASURES = ("accuracy", "auc")


class Interval(NamedTuple):
    """A figure with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Predictions:
    """What classifiers said of examples.

    Parameters
    ----------
    examples : LabelledFeatures
    classes : tuple of str
    probabilities : ndarray, shape (repeats, examples, classes)
    """

    examples: LabelledFeatures
    classes: tuple[str, ...]
    probabilities: np.ndarray

    def accuracy(self) -> float:
        """Return the balanced accuracy."""
        return float(self._accuracies(np.ones((1, len(self.examples.values))))[0])

    def auc(self) -> float:
        """Return the area under the ROC curve."""
        return float(self._aucs(np.ones((1, len(self.examples.values))))[0])

    def interval(self, measure: str = "accuracy", *, resamples: int = 2000, seed: int = 0) -> Interval:
        """Return a measure with its interval over subjects."""
        drawn = self._measured(measure, drawn_weights(self.examples, resamples, seed))
        return _interval(self._measured(measure, np.ones((1, len(self.examples.values))))[0], drawn)

    def difference(
        self, other: Predictions, measure: str = "accuracy", *, resamples: int = 2000, seed: int = 0
    ) -> Interval:
        """Return by how much this is above another, of the same examples, subject by subject.

        Raises
        ------
        UsageError
            The examples are others.
        """
        if not (
            np.array_equal(self.examples.labels, other.examples.labels)
            and np.array_equal(self.examples.subjects, other.examples.subjects)
        ):
            raise UsageError("differences are of predictions of the same examples in the same order.")
        weights = drawn_weights(self.examples, resamples, seed)
        one = np.ones((1, len(self.examples.values)))
        drawn = self._measured(measure, weights) - other._measured(measure, weights)
        return _interval(self._measured(measure, one)[0] - other._measured(measure, one)[0], drawn)

    def _measured(self, measure: str, weights: np.ndarray) -> np.ndarray:
        if measure not in MEASURES:
            raise UsageError(f"there is no measure '{measure}'; there are {', '.join(MEASURES)}.")
        return self._accuracies(weights) if measure == "accuracy" else self._aucs(weights)

    def _codes(self) -> np.ndarray:
        return np.searchsorted(np.asarray(self.classes), np.asarray(self.examples.labels))

    def _accuracies(self, weights: np.ndarray) -> np.ndarray:
        codes = self._codes()
        right = (self.probabilities.argmax(axis=-1) == codes).mean(axis=0)
        recalls = [
            (weights[:, codes == code] @ right[codes == code]) / weights[:, codes == code].sum(axis=1)
            for code in np.unique(codes)
        ]
        return np.asarray(np.mean(recalls, axis=0))

    def _aucs(self, weights: np.ndarray) -> np.ndarray:
        codes, scores = self._codes(), self.probabilities.mean(axis=0)
        found = []
        for code in np.unique(codes) if len(self.classes) > 2 else [1]:
            of, other = codes == code, codes != code
            gap = scores[of, code][:, None] - scores[other, code][None, :]
            won = (gap > 0) + 0.5 * (gap == 0)
            pairs = weights[:, of].sum(axis=1) * weights[:, other].sum(axis=1)
            found.append(((weights[:, of] @ won) * weights[:, other]).sum(axis=1) / pairs)
        return np.asarray(np.mean(found, axis=0))


def drawn_weights(examples: LabelledFeatures, resamples: int, seed: int) -> np.ndarray:
    """Return how often each example is in each bootstrap sample: [resamples, examples], by subject.

    Subjects that have the same classes are drawn among themselves, so every sample has all classes.
    """
    subjects, owner = np.unique(examples.subjects, return_inverse=True)
    labels = np.asarray(examples.labels)
    kinds = ["|".join(np.unique(labels[owner == subject])) for subject in range(len(subjects))]
    rng = np.random.default_rng(seed)
    counts = np.zeros((resamples, len(subjects)))
    for kind in sorted(set(kinds)):
        members = np.flatnonzero([other == kind for other in kinds])
        share = np.full(len(members), 1 / len(members))
        counts[:, members] = rng.multinomial(len(members), share, size=resamples)
    return counts[:, owner]


def _interval(value: float, drawn: np.ndarray) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(value), float(low), float(high))
