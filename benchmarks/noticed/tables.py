"""The results of downstream.py as tables, and what follows from them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from eegzip.downstream import Interval, Predictions
from noticed.restored import MEASURES, Restored
from noticed.sets import SETS, LabelledSet

DOMAINS = ("time", "dft", "cwt", "dwt", "phase")


@dataclass(frozen=True)
class Line:
    """A row of the table: a set, restored in a way, by a classifier.

    Figures are intervals over subjects: areas under the ROC curve and balanced accuracies, and how far they lie from
    those of originals.
    """

    group: str
    subjects: int
    row: str
    classifier: str
    bits: float
    measures: dict[str, float]
    moved: dict[str, float]
    learned: dict[str, Interval]
    learned_change: dict[str, Interval]
    deployed: dict[str, Interval]
    deployed_change: dict[str, Interval]

    @classmethod
    def of_row(
        cls,
        of: LabelledSet,
        name: str,
        classifier: str,
        row: Restored,
        originals: Restored,
        learned: Predictions,
        deployed: dict[str, Predictions],
    ) -> Line:
        """Put together what was found of a row."""
        base, handed = deployed["originals"], deployed[name]
        both = ("auc", "accuracy")
        return cls(
            group=of.name,
            subjects=len(set(base.examples.subjects)),
            row=name,
            classifier=classifier,
            bits=row.bits,
            measures=row.measures,
            moved=_moved(row, originals),
            learned={m: learned.interval(m) for m in both},
            learned_change={m: learned.difference(base, m) for m in both},
            deployed={m: handed.interval(m) for m in both},
            deployed_change={m: handed.difference(base, m) for m in both},
        )


def _moved(row: Restored, originals: Restored) -> dict[str, float]:
    """Share of the features of a domain whose mean moved by more than half the originals' standard deviation."""
    deviation = originals.values.std(axis=0)
    step = np.abs((row.values - originals.values).mean(axis=0))
    far = step > 0.5 * deviation
    domain = np.array([name.partition(".")[0] for name in originals.names])
    varied = deviation > 0
    chosen = {name: varied & (domain == name) for name in DOMAINS}
    return {name: float(far[mask].mean()) if mask.any() else 0.0 for name, mask in chosen.items()}


def markdown(lines: list[Line], facts: dict[str, str], seconds: float, repeats: int) -> str:
    """Everything as one page."""
    parts = ["# What classifiers notice", "", *facts.values(), ""]
    explained = (
        f"The middle {seconds:g} s of each recording (of SSVEP all trials of one recording a person); folds dealt "
        f"{repeats} times, subjects never split; forests of 100 trees. AUC with its 95 % interval over subjects "
        "(bootstrap); *change* is against originals, the same subjects drawn for both. **Bold**: the interval of the "
        "change lies below 0, the classifier notices. Bit/s a channel are all bytes of the EEG in the file. *Moved*: "
        "features whose mean is off by more than half the standard deviation that originals have."
    )
    seen = "Models have seen most of these people, without their classes; `--max-prd` knows no people."
    parts += [explained, "", seen, "", *_answers(lines)]
    for group in dict.fromkeys(line.group for line in lines):
        mine = [line for line in lines if line.group == group]
        parts += ["", f"## {group}: {SETS[group].what} ({mine[0].subjects} subjects)", ""]
        parts += _table(mine)
    parts += ["", "## What the measures say", "", *_losses(lines)]
    parts += ["", "## Which measures go with it", "", *_measures(lines), ""]
    return "\n".join(parts)


def _table(lines: list[Line]) -> Iterator[str]:
    yield (
        "| classifier | row | bit/s | PRD % | trained on restored: AUC | change | accuracy "
        "| trained on originals: AUC | change | accuracy | moved % |"
    )
    yield "|" + " --- |" * 11
    for line in lines:
        prd = f"{line.measures['prd']:.1f}" if "prd" in line.measures else "0"
        bits = f"{line.bits:.0f}" if line.bits else "-"
        moved = f"{100 * np.mean(list(line.moved.values())):.0f}"
        cells = [line.classifier, line.row, bits, prd]
        for score, change in ((line.learned, line.learned_change), (line.deployed, line.deployed_change)):
            cells += [_of(score["auc"]), _changed(change["auc"]), f"{score['accuracy'].value:.2f}"]
        yield "| " + " | ".join([*cells, moved]) + " |"


def _of(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _changed(interval: Interval) -> str:
    if interval.value == interval.low == interval.high == 0:
        return "-"
    text = f"{interval.value:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"
    return f"**{text}**" if interval.high < 0 else text


def _answers(lines: list[Line]) -> Iterator[str]:
    """Where forests begin to notice, in sentences."""
    for mode, what in (
        ("learned_change", "trained and tested on restored recordings"),
        ("deployed_change", "trained on originals, handed restored ones"),
    ):
        yield f"Forests {what} notice:"
        yield ""
        for group in dict.fromkeys(line.group for line in lines):
            mine = [line for line in lines if (line.group, line.classifier) == (group, "forest") and line.bits]
            noticed = [line for line in mine if getattr(line, mode)["auc"].high < 0]
            if not noticed:
                least = min(mine, key=lambda line: line.bits)
                change = getattr(line := least, mode)["auc"]
                yield f"- {group}: nothing in any row, down to {line.bits:.0f} bit/s ({line.row}): {change}."
                continue
            first = max(noticed, key=lambda line: line.bits)
            change = getattr(first, mode)["auc"]
            above = [line for line in mine if line.bits > first.bits]
            yield (
                f"- {group}: at {first.bits:.0f} bit/s ({first.row}, PRD {first.measures.get('prd', 0):.0f} %) first, "
                f"AUC {change}; {len(noticed)} of {len(mine)} rows in all, none of the {len(above)} above it."
            )
        yield ""


def _measures(lines: list[Line]) -> Iterator[str]:
    yield (
        "Spearman's correlation, over all rows of all sets (ranks within a set), of a measure's loss with the loss of "
        "AUC of forests: 1 would be a measure by which one could tell."
    )
    yield ""
    yield "| measure | rows | trained on restored | trained on originals |"
    yield "| --- | --- | --- | --- |"
    for name, what in MEASURES.items():
        ranked: list[tuple[float, float, float]] = []
        for group in dict.fromkeys(line.group for line in lines):
            mine = [
                line
                for line in lines
                if (line.group, line.classifier) == (group, "forest") and line.bits and name in line.measures
            ]
            if len(mine) < 3:
                continue
            columns = [
                [line.measures[name] for line in mine],
                [-line.learned_change["auc"].value for line in mine],
                [-line.deployed_change["auc"].value for line in mine],
            ]
            ranked += zip(*(_ranks(column) for column in columns), strict=True)
        if ranked:
            loss, learned, deployed = zip(*ranked, strict=True)
            cells = [f"{spearmanr(loss, other).statistic:+.2f}" for other in (learned, deployed)]
            yield f"| {what} | {len(ranked)} | {cells[0]} | {cells[1]} |"


def _losses(lines: list[Line]) -> Iterator[str]:
    yield "Medians over recordings (of every third) of means over channels; 0 where nothing is lost, powers in percent."
    yield ""
    yield "| set | row | " + " | ".join(MEASURES.values()) + " |"
    yield "|" + " --- |" * (len(MEASURES) + 2)
    for line in lines:
        if line.classifier == "forest" and line.measures:
            cells = [f"{line.measures[name]:.3g}" if name in line.measures else "-" for name in MEASURES]
            yield f"| {line.group} | {line.row} | " + " | ".join(cells) + " |"


def _ranks(values: Iterable[float]) -> list[float]:
    """Ranks from 0 to 1."""
    from scipy.stats import rankdata

    ranks = rankdata(list(values))
    return list((ranks - 1) / max(len(ranks) - 1, 1))


def csv_lines(lines: list[Line]) -> str:
    """Every figure, a line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["set", "subjects", "row", "classifier", "bits_per_second"]
        + [
            f"{mode}_{measure}{part}"
            for mode in ("learned", "learned_change", "deployed", "deployed_change")
            for measure in ("auc", "accuracy")
            for part in ("", "_low", "_high")
        ]
        + [f"moved_{domain}" for domain in DOMAINS]
        + list(MEASURES)
    )
    for line in lines:
        figures = [
            f"{value:.4f}"
            for mode in (line.learned, line.learned_change, line.deployed, line.deployed_change)
            for measure in ("auc", "accuracy")
            for value in mode[measure]
        ]
        moved = [f"{line.moved[domain]:.4f}" for domain in DOMAINS]
        losses = [f"{line.measures[name]:.4g}" if name in line.measures else "" for name in MEASURES]
        writer.writerow(
            [line.group, line.subjects, line.row, line.classifier, f"{line.bits:.1f}", *figures, *moved, *losses]
        )
    return text.getvalue()
