"""The probe: how well classes can be told from tokens, of subjects that nothing was trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eegzip.downstream.classify import cross_validate, dealt
from eegzip.downstream.labelled import LabelledFeatures
from eegzip.downstream.scores import Interval, Predictions
from eegzip.probing.examples import LabelledTokens
from eegzip.probing.linear import histograms, mean_embeddings
from eegzip.probing.training import HeadSettings, probabilities, trained
from eegzip.token_data.data_set import TokenDataset


@dataclass(frozen=True)
class ProbeReport:
    """What probes told.

    Parameters
    ----------
    predictions : dict of str to Predictions
        Of the head (``'transformer'``), and of logistic regressions on mean embeddings (``'embeddings'``) and on
        histograms of codes (``'histograms'``); of the same recordings, in the same folds.
    classes : tuple of str
    subjects, recordings, windows : int
        How many.
    folds, repeats, seed : int
    settings : HeadSettings
    """

    predictions: dict[str, Predictions]
    classes: tuple[str, ...]
    subjects: int
    recordings: int
    windows: int
    folds: int
    repeats: int
    seed: int
    settings: HeadSettings

    @property
    def chance(self) -> float:
        """Balanced accuracy of who guesses."""
        return 1 / len(self.classes)

    def accuracy(self, probe: str = "transformer") -> Interval:
        """Return the balanced accuracy of a probe with its 95 % interval over subjects."""
        return self.predictions[probe].interval("accuracy")

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, for JSON."""
        return {
            "accuracy": {name: self.accuracy(name)._asdict() for name in self.predictions},
            "auc": {name: found.interval("auc")._asdict() for name, found in self.predictions.items()},
            "chance": self.chance,
            "classes": list(self.classes),
            **{name: getattr(self, name) for name in ("subjects", "recordings", "windows", "folds", "repeats", "seed")},
            "settings": asdict(self.settings),
        }

    def __str__(self) -> str:
        head = (
            f"balanced accuracy of {len(self.classes)} classes, {self.recordings} recordings or trials of "
            f"{self.subjects} subjects, held out in {self.folds} folds (95 % over subjects)"
        )
        lines = [f"  {name:<12} {self.accuracy(name)}" for name in self.predictions]
        return "\n".join([head, *lines, f"  {'chance':<12} {self.chance:.3f}"])


def probe(
    data: TokenDataset | LabelledTokens,
    *,
    model: str | Path | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    settings: HeadSettings | None = None,
) -> ProbeReport:
    """Train classifiers on tokens of a frozen codec, and test them on subjects they saw nothing of.

    Three of them, in the same folds: the head of BioCodec's paper (a transformer layer over time, one over channels, an
    MLP; :class:`eegzip.probing.head.TokenClassifier`), and logistic regressions on each channel's mean embedding and on
    histograms of codes. The windows of a recording are judged as one, by the mean of what was said of each.

    Tokens must be of one vocabulary: of a model of single channels, or of groups. Those of ``eegz-mc-2`` are of each
    recording's own components: the same row of another recording is another mixture of channels.

    Parameters
    ----------
    data : TokenDataset or LabelledTokens
        The former with labels, one a file; the latter for trials, or tokens made by :class:`eegzip.Tokenizer`.
    model : str or path-like, optional
        The model of a data set's tokens, where it is neither bundled nor cached.
    folds, repeats : int
        Subjects are dealt into folds of like classes, and the whole is repeated with other folds and weights.
    seed : int
        Of folds, weights and order: the same seed gives the same report on the same machine.
    settings : HeadSettings, optional
        Width, epochs, batch, learning rate and device of the head.

    Returns
    -------
    ProbeReport

    Raises
    ------
    UsageError
        There are no labels, fewer subjects of a class than folds, or scikit-learn is missing (``eegzip[downstream]``).
    ModelError
        The model is not found.

    Examples
    --------
    >>> data = eegzip.TokenDataset("adhd/", window=6, labels="participants.tsv")  # doctest: +SKIP
    >>> few = eegzip.HeadSettings(epochs=10)
    >>> print(eegzip.probe(data, settings=few))  # doctest: +SKIP
    """
    tokens = data if isinstance(data, LabelledTokens) else LabelledTokens.of(data, model)
    chosen = HeadSettings() if settings is None else settings
    embeddings = tokens.judged(mean_embeddings(tokens))
    linear = {"embeddings": embeddings, "histograms": tokens.judged(histograms(tokens))}
    predictions = {"transformer": _of_heads(tokens, embeddings, chosen, folds=folds, repeats=repeats, seed=seed)}
    for name, features in linear.items():
        found = cross_validate(features, classifier="logistic", folds=folds, repeats=repeats, seed=seed)
        predictions[name] = found["train"]
    return ProbeReport(
        predictions,
        predictions["transformer"].classes,
        subjects=len(set(tokens.subjects)),
        recordings=len(embeddings.labels),
        windows=len(tokens.codes),
        folds=folds,
        repeats=repeats,
        seed=seed,
        settings=chosen,
    )


def _of_heads(
    tokens: LabelledTokens, judged: LabelledFeatures, settings: HeadSettings, *, folds: int, repeats: int, seed: int
) -> Predictions:
    """Cross-validate heads: they learn from windows, and are judged by recordings."""
    classes, of_window = np.unique(tokens.labels, return_inverse=True)
    found = np.zeros((repeats, len(judged.labels), len(classes)))
    for number, (repeat, kept, left_out) in enumerate(dealt(judged, folds=folds, repeats=repeats, seed=seed)):
        learned, asked = (np.flatnonzero(np.isin(tokens.owner, part)) for part in (kept, left_out))
        head = trained(
            tokens.codes[learned], of_window[learned], len(classes), tokens.codewords, settings, seed * 1000 + number
        )
        said = probabilities(head, tokens.codes[asked], settings)
        np.add.at(found[repeat], tokens.owner[asked], said)
    found /= np.bincount(tokens.owner)[None, :, None]
    return Predictions(judged, tuple(classes), found)
