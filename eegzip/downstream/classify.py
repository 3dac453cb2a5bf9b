"""Forests, trees and logistic regressions, trained on some subjects and tested on others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from eegzip.downstream.labelled import LabelledFeatures
from eegzip.downstream.scores import Predictions
from eegzip.formats.errors import UsageError
from eegzip.formats.extras import require

CLASSIFIERS = ("forest", "tree", "logistic")
TREES = 100
"""Of a forest."""


def cross_validate(
    train: LabelledFeatures,
    tests: Mapping[str, np.ndarray] | None = None,
    *,
    classifier: str = "forest",
    folds: int = 5,
    repeats: int = 10,
    seed: int = 0,
) -> dict[str, Predictions]:
    """Predict every example by classifiers that saw none of its subject.

    Subjects are dealt into folds of like classes; the whole is repeated with other folds and other trees. Every
    classifier predicts the examples left out of its training in each version of their features, so versions are
    compared with everything else alike.

    Parameters
    ----------
    train : LabelledFeatures
        Those that classifiers learn from.
    tests : mapping of str to ndarray, shape (examples, features)
        Versions of the features of the same examples, in the same order: ``{"restored": ...}``. By default those of
        `train` themselves, as ``"train"``.
    classifier : {'forest', 'tree', 'logistic'}
        A random forest of 100 trees, one decision tree, or a logistic regression on standardised features, as
        scikit-learn has them, classes weighted to be alike.
    folds, repeats : int
    seed : int
        Of folds and trees: the same seed deals the same folds whatever the features.

    Returns
    -------
    dict of str to Predictions
        For each version.

    Raises
    ------
    UsageError
        There is no such classifier, there are fewer subjects of a class than folds, a version has other examples or
        features, or scikit-learn is missing (``eegzip[downstream]``).

    Examples
    --------
    >>> import numpy as np
    >>> from eegzip.downstream import LabelledFeatures, cross_validate
    >>> rng = np.random.default_rng(1)
    >>> subjects = np.repeat([f"s{n}" for n in range(20)], 3)
    >>> labels = np.repeat(["rest", "task"], 30)
    >>> values = rng.standard_normal((60, 4)) + (labels == "task")[:, None]
    >>> found = cross_validate(LabelledFeatures(values, labels, subjects), classifier="tree", repeats=2)
    >>> found["train"].accuracy() > 0.6
    True
    """
    _check(classifier)
    versions = {"train": train.values} if tests is None else dict(tests)
    for name, values in versions.items():
        if values.shape != train.values.shape:
            raise UsageError(f"the features '{name}' have shape {values.shape}, and {train.values.shape} was expected.")
    classes, codes = np.unique(train.labels, return_inverse=True)
    found = {name: np.zeros((repeats, len(codes), len(classes))) for name in versions}
    for repeat, kept, left_out in dealt(train, folds=folds, repeats=repeats, seed=seed):
        model = _made(classifier, seed + repeat).fit(train.values[kept], codes[kept])
        for name, values in versions.items():
            found[name][repeat][np.ix_(left_out, model.classes_)] = model.predict_proba(values[left_out])
    return {name: Predictions(train, tuple(classes), shares) for name, shares in found.items()}


def dealt(
    examples: LabelledFeatures, *, folds: int, repeats: int, seed: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Deal subjects into folds of like classes, and yield which repeat it is, and which examples to learn and predict.

    The same seed deals the same folds whatever the features.

    Raises
    ------
    UsageError
        There are fewer subjects of a class than folds, or scikit-learn is missing (``eegzip[downstream]``).
    """
    require("downstream", "sklearn")
    classes, codes = np.unique(examples.labels, return_inverse=True)
    for code, name in enumerate(classes):
        of_class = len(set(np.asarray(examples.subjects)[codes == code]))
        if of_class < folds:
            raise UsageError(f"there are {of_class} subjects with '{name}', too few for {folds} folds.")
    from sklearn.model_selection import StratifiedGroupKFold

    for repeat in range(repeats):
        made = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + repeat)
        for kept, left_out in made.split(examples.values, codes, examples.subjects):
            yield repeat, kept, left_out


def train_and_test(
    train: LabelledFeatures,
    tests: Mapping[str, LabelledFeatures],
    *,
    classifier: str = "forest",
    repeats: int = 10,
    seed: int = 0,
) -> dict[str, Predictions]:
    """Train on one half of a split that its publisher made, and test on the other.

    Parameters
    ----------
    train : LabelledFeatures
    tests : mapping of str to LabelledFeatures
        Each is predicted by the same classifiers.
    classifier : {'forest', 'tree', 'logistic'}
    repeats : int
        How many classifiers, of other seeds.
    seed : int

    Returns
    -------
    dict of str to Predictions

    Raises
    ------
    UsageError
        A subject or class is on the wrong side; else as for :func:`cross_validate`.
    """
    _check(classifier)
    classes, codes = np.unique(train.labels, return_inverse=True)
    for name, test in tests.items():
        both = sorted(set(train.subjects) & set(test.subjects))
        if both:
            raise UsageError(
                f"{', '.join(both[:5])}: trained on and tested in '{name}'; subjects are on one side only."
            )
        strange = sorted(set(test.labels) - set(classes))
        if strange:
            raise UsageError(f"the class {', '.join(strange)} of '{name}' is not in training.")
    found: dict[str, list[np.ndarray]] = {name: [] for name in tests}
    for repeat in range(repeats):
        model = _made(classifier, seed + repeat).fit(train.values, codes)
        for name, test in tests.items():
            found[name].append(model.predict_proba(test.values))
    return {name: Predictions(test, tuple(classes), np.stack(found[name])) for name, test in tests.items()}


def _check(classifier: str) -> None:
    if classifier not in CLASSIFIERS:
        raise UsageError(f"there is no classifier '{classifier}'; there are {', '.join(CLASSIFIERS)}.")
    require("downstream", "sklearn")


def _made(classifier: str, seed: int) -> Any:
    if classifier == "forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(TREES, class_weight="balanced", random_state=seed)
    if classifier == "logistic":
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        # Features are many and people few: a strong prior, chosen beforehand.
        return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000))
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(class_weight="balanced", random_state=seed)
