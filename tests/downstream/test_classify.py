"""Classifiers never see whom they are tested on; scores and intervals against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import eegzip
from eegzip.downstream import LabelledFeatures, Predictions, cross_validate, train_and_test
from eegzip.downstream.scores import drawn_weights


def _people(count: int, rows: int, *, apart: float, seed: int = 1) -> LabelledFeatures:
    """`count` people of each of two classes, `rows` examples each, the classes so far apart in one of five features."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat([f"s{n:02}" for n in range(2 * count)], rows)
    labels = np.where(np.arange(2 * count * rows) < count * rows, "no", "yes")
    values = rng.standard_normal((len(labels), 5))
    values[:, 2] += apart * (labels == "yes")
    return LabelledFeatures(values, labels, subjects)


def test_who_a_person_is_does_not_help() -> None:
    """Features say only whose an example is, and classes are of people: a classifier that had seen them would know."""
    rng = np.random.default_rng(2)
    subjects = np.repeat([f"s{n:02}" for n in range(20)], 8)
    labels = np.repeat(rng.permutation(["a", "b"] * 10), 8)
    people = np.repeat(rng.standard_normal((20, 6)) * 10, 8, axis=0)
    examples = LabelledFeatures(people + 0.01 * rng.standard_normal(people.shape), labels, subjects)
    found = cross_validate(examples, classifier="tree", repeats=3)["train"]
    assert found.accuracy() < 0.75


def test_classes_that_are_apart_are_told_apart() -> None:
    found = cross_validate(_people(10, 2, apart=4.0), folds=3, repeats=1)["train"]
    assert found.accuracy() > 0.9
    assert found.auc() > 0.95
    low = found.interval("auc")
    assert low.low > 0.8


def test_versions_are_predicted_by_the_same_classifiers() -> None:
    examples = _people(8, 2, apart=3.0)
    blurred = examples.values.copy()
    blurred[:, 2] = 0.0
    both = cross_validate(examples, {"same": examples.values, "blurred": blurred}, classifier="tree", repeats=2)
    alone = cross_validate(examples, classifier="tree", repeats=2)["train"]
    assert np.array_equal(both["same"].probabilities, alone.probabilities)
    change = both["blurred"].difference(both["same"])
    assert change.value < -0.2
    assert change.high < 0
    assert both["same"].difference(alone) == (0, 0, 0)


def test_the_same_seed_gives_the_same() -> None:
    examples = _people(6, 2, apart=1.0)
    one, again, other = (
        cross_validate(examples, classifier="tree", repeats=1, seed=seed)["train"].probabilities for seed in (3, 3, 4)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_scores_are_scikit_learns() -> None:
    rng = np.random.default_rng(5)
    labels = np.array(["a", "b", "c"])[rng.integers(0, 3, 50)]
    examples = LabelledFeatures(np.zeros((50, 1)), labels, [f"s{n % 10}" for n in range(50)])
    shares = rng.dirichlet([1, 1, 1], 50)
    found = Predictions(examples, ("a", "b", "c"), shares[None])
    guessed = np.array(["a", "b", "c"])[shares.argmax(axis=1)]
    assert found.accuracy() == pytest.approx(balanced_accuracy_score(labels, guessed))
    assert found.auc() == pytest.approx(roc_auc_score(labels, shares, multi_class="ovr"))
    two = labels != "c"
    pair = LabelledFeatures(np.zeros((two.sum(), 1)), labels[two], np.arange(two.sum()))
    chance = np.round(shares[two, 1], 1)  # with ties
    found = Predictions(pair, ("a", "b"), np.stack([1 - chance, chance], axis=1)[None])
    assert found.auc() == pytest.approx(roc_auc_score(labels[two] == "b", chance))


def test_samples_are_of_subjects_and_keep_classes() -> None:
    """All examples of a subject come or stay out together; each class keeps its number of subjects."""
    examples = _people(5, 3, apart=0.0)
    weights = drawn_weights(examples, 200, seed=1).reshape(200, 10, 3)
    assert (weights == weights[:, :, :1]).all()
    assert (weights[:, :5, 0].sum(axis=1) == 5).all()
    assert (weights[:, 5:, 0].sum(axis=1) == 5).all()
    assert weights.max() > 1


def test_an_interval_covers_what_it_should() -> None:
    """Of many worlds whose accuracy is 0.7, about 95 % of intervals hold it; of 40 subjects the bootstrap is near."""
    rng = np.random.default_rng(6)
    examples = _people(20, 1, apart=0.0)
    codes = (np.asarray(examples.labels) == "yes").astype(int)
    inside = 0
    for world in range(100):
        right = rng.random(40) < 0.7
        said = np.where(right, codes, 1 - codes)
        found = Predictions(examples, ("no", "yes"), np.eye(2)[said][None]).interval(resamples=300, seed=world)
        inside += found.low <= 0.7 <= found.high
    assert 0.88 <= inside / 100 <= 1


def test_a_published_split() -> None:
    examples = _people(10, 2, apart=4.0)
    owner = np.asarray(examples.subjects)
    left = np.isin(owner, ["s00", "s01", "s02", "s10", "s11", "s12"])

    def part(chosen: np.ndarray) -> LabelledFeatures:
        return LabelledFeatures(examples.values[chosen], np.asarray(examples.labels)[chosen], owner[chosen])

    found = train_and_test(part(~left), {"eval": part(left)}, classifier="tree", repeats=2)["eval"]
    assert found.probabilities.shape == (2, 12, 2)
    assert found.accuracy() > 0.8
    with pytest.raises(eegzip.UsageError, match="s00: trained on and tested"):
        train_and_test(part(~left | (owner == "s00")), {"eval": part(left)})


def test_what_makes_no_sense_is_refused() -> None:
    examples = _people(3, 1, apart=0.0)
    with pytest.raises(eegzip.UsageError, match="3 subjects with 'no', too few for 5 folds"):
        cross_validate(examples)
    with pytest.raises(eegzip.UsageError, match="no classifier 'svm'"):
        cross_validate(examples, classifier="svm")
    with pytest.raises(eegzip.UsageError, match="have shape"):
        cross_validate(examples, {"other": examples.values[:, :2]}, folds=2)
    with pytest.raises(eegzip.UsageError, match="all of one class"):
        LabelledFeatures(np.zeros((2, 1)), ["a", "a"], ["s", "t"])
    with pytest.raises(eegzip.UsageError, match="not finite"):
        LabelledFeatures(np.full((2, 1), np.nan), ["a", "b"], ["s", "t"])
    with pytest.raises(eegzip.UsageError, match="as many labels"):
        LabelledFeatures(np.zeros((2, 1)), ["a"], ["s", "t"])
    one, other = (Predictions(_people(3, n, apart=0.0), ("no", "yes"), np.zeros((1, 6 * n, 2))) for n in (1, 2))
    with pytest.raises(eegzip.UsageError, match="same examples"):
        one.difference(other)
    with pytest.raises(eegzip.UsageError, match="no measure"):
        Predictions(examples, ("no", "yes"), np.zeros((1, 6, 2))).interval("f1")
