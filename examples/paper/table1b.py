"""Table 1b of the paper: what classifiers make of restored recordings.

    python examples/paper/table1b.py

Features of brainfeatures (`eegzip.downstream`), forests and trees, trained and tested on restored recordings; subjects
are never split. With `here.toml`: children with and without ADHD. With `paper.toml`: TUEP and TUAB, the latter with its
official split. What is restored lies among the runs; a second call goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from experiment import Experiment, table

import eegzip
from eegzip.downstream import (
    LabelledFeatures,
    LabelledRecording,
    Predictions,
    cross_validate,
    recording_features,
    train_and_test,
    tuab,
    tuep,
)

PAPER = {
    "Single-Channel (DAC-SC)": ("80", "83"),
    "Single-Channel (DAC-MC)": ("82", "81"),
    "Random-Groups (DAC-MC)": ("85", "78"),
    "Manual-Groups (DAC-MC)": ("85", "78"),
    "Baseline": ("84", "82"),
}
"""Percent: epilepsy, abnormal."""


def main() -> None:
    """Run from the command line."""
    work = Experiment("table1b", "Table 1b: classifiers on restored recordings")
    own = work.own
    modes: dict[str, dict[str, Any] | None] = {
        "Baseline": None,
        "Single-Channel (DAC-SC)": {"model": own["models"][0]},
        **{
            f"{groups.capitalize()}-{what} (DAC-MC)": {"model": own["models"][1], "groups": groups}
            for groups, what in (("single", "Channel"), ("random", "Groups"), ("manual", "Groups"))
        },
    }
    rows = []
    for group in own["sets"]:
        recordings = _recordings(work, group)
        people = len({recording.subject for recording in recordings})
        found = {}
        for mode, how in modes.items():
            values = np.stack([_features(work, group, recording, how) for recording in recordings])
            features = LabelledFeatures(values, [r.label for r in recordings], [r.subject for r in recordings])
            found[mode] = _predicted(features, recordings, own["repeats"])
            work.say(f"{group}: {mode}")
        for mode, by_classifier in found.items():
            cells = []
            for classifier, predictions in by_classifier.items():
                change = predictions.difference(found["Baseline"][classifier])
                cells += [_percent(predictions.interval()), "-" if mode == "Baseline" else _percent(change, "+")]
            rows.append([f"{group} ({people})", mode, *cells, *PAPER[mode]])
    heads = ["set (subjects)", "mode", "forest: accuracy %", "less baseline", "tree: accuracy %", "less baseline"]
    told = (
        "Balanced accuracy with its 95 % interval over subjects. The paper states neither intervals nor numbers of "
        "subjects, and its baseline is the better of both classifiers."
    )
    work.page([*table([*heads, "the paper: epilepsy", "abnormal"], rows), "", told])


def _recordings(work: Experiment, group: str) -> list[LabelledRecording]:
    if group == "tuab":
        return tuab(work.data.parent / "tuab")
    if group == "tuep":
        return tuep(work.data.parent / "tuep")
    found: list[LabelledRecording] = []
    for label in ("ADHD", "CTRL"):
        files = sorted((work.data.parent / group).glob(f"{label}_*.edf"))[: work.own["people"]]
        found += [LabelledRecording(path, label, path.stem) for path in files]
    return found


def _features(work: Experiment, group: str, recording: LabelledRecording, how: dict[str, Any] | None) -> np.ndarray:
    """Medians of the features of a recording as restored in one way, computed once."""
    name = "-".join([Path(str(how["model"])).name, how.get("groups", "alone")] if how else ["original"])
    kept = work.runs / "table1b" / group / f"{recording.path.stem}-{name}-{work.own['seconds']}s.npy"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        piece = work.piece(recording.path, work.own["channels"], work.own["seconds"])
        source, model = piece, None
        if how is not None:
            source, model = work.runs / "table1b.eegz", how["model"]
            eegzip.compress(piece, source, overwrite=True, **how)
        # The sets' scales in uV are nominal, so no window is left out for its size.
        found = recording_features(source, channels=work.own["channels"], limit=None, model=model)
        np.save(kept, found.median())
    return np.asarray(np.load(kept))


def _predicted(features: LabelledFeatures, recordings: list[LabelledRecording], repeats: int) -> dict[str, Predictions]:
    splits = np.array([recording.split for recording in recordings])
    both = ("forest", "tree")
    if not splits.all():
        return {kind: cross_validate(features, classifier=kind, repeats=repeats)["train"] for kind in both}
    train, test = (
        LabelledFeatures(*(np.asarray(part)[splits == split] for part in _parts(features)))
        for split in ("train", "eval")
    )
    return {kind: train_and_test(train, {"eval": test}, classifier=kind, repeats=repeats)["eval"] for kind in both}


def _parts(features: LabelledFeatures) -> Iterator[Any]:
    yield from (features.values, features.labels, features.subjects)


def _percent(interval: tuple[float, float, float], sign: str = "") -> str:
    value, low, high = (f"{100 * part:{sign}.0f}" for part in interval)
    return f"{value} ({low} to {high})"


if __name__ == "__main__":
    main()
