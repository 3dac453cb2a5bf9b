"""Cuts are exact, and the tables of what classifiers notice say so where an interval does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyedflib
from noticed.restored import Restored
from noticed.sets import SETS
from noticed.tables import Line, csv_lines, markdown

from eegzip.downstream import LabelledFeatures, Predictions


def test_a_cut_is_the_middle_of_the_channels_asked_for(eegmat: Path, tmp_path: Path) -> None:
    from cutting import cut_middle

    with pyedflib.EdfReader(str(eegmat)) as whole:
        labels = whole.getSignalLabels()
        part = cut_middle(eegmat, tmp_path / "new" / "part.edf", 12, [labels[1].removeprefix("EEG ")])
        with pyedflib.EdfReader(str(part)) as cut:
            assert cut.getSignalLabels() == [labels[1]]
            assert cut.file_duration == 12
            start = (int(whole.file_duration) - 12) // 2 * 500
            assert np.array_equal(cut.readSignal(0, digital=True), whole.readSignal(1, start, 6000, digital=True))
        eeg = [label for label in labels if label.startswith("EEG")]
        with pyedflib.EdfReader(str(cut_middle(eegmat, tmp_path / "all.edf", 12))) as cut:
            assert cut.getSignalLabels() == eeg


def _line(row: str, bits: float, quality: float) -> Line:
    """A row of 40 people, whose classifier tells classes apart by a feature of some quality."""
    labels = np.repeat(["a", "b"], 20)
    rng = np.random.default_rng(1)
    examples = LabelledFeatures(np.zeros((40, 2)), labels, np.arange(40))

    def said(strength: float) -> Predictions:
        chance = 1 / (1 + np.exp(-strength * ((labels == "b") - 0.5) - rng.standard_normal(40)))
        return Predictions(examples, ("a", "b"), np.stack([1 - chance, chance], axis=1)[None])

    base, found = said(4.0), said(quality)
    originals = Restored(np.column_stack([np.linspace(0, 1, 40), np.zeros(40)]), ["time.x.C3", "dft.y.C3"], 0.0, {})
    moved = Restored(originals.values + np.array([0.4, 0.0]), originals.names, bits, {"prd": 50.0})
    return Line.of_row(SETS["adhd"], row, "forest", moved, originals, found, {"originals": base, row: found})


def test_what_is_noticed_is_said() -> None:
    lines = [_line("fine", 100.0, 4.0), _line("coarse", 10.0, 0.0)]
    assert lines[0].learned_change["auc"].high >= 0
    assert lines[1].learned_change["auc"].high < 0
    # 0.4 is more than half of the first feature's standard deviation of 0.3; the other never varied.
    assert lines[0].moved["time"] == 1.0
    page = markdown(lines, {"seed": "A fact."}, 18, 5)
    assert "- adhd: at 10 bit/s (coarse, PRD 50 %) first" in page
    assert "1 of 2 rows in all, none of the 1 above it" in page
    table = [line.split("|") for line in page.splitlines() if line.startswith("| forest")]
    assert ["**" in row[6] for row in table] == [False, True]
    figures = csv_lines(lines).splitlines()
    assert len(figures) == 3
    assert len({line.count(",") for line in figures}) == 1
