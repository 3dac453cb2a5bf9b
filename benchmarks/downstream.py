"""What classifiers notice of compression: forests and trees on originals and on what is restored of them.

Usage: ``python benchmarks/downstream.py [--sets adhd eegmat] [--rows sc-2 prd] [--seconds 18] [--cache DIR]``

Each set is restored in each way (a row); 8,631 features and their like are computed of windows of 6 s (medians over a
recording; of SSVEP each trial by itself); subjects are dealt into folds, and classifiers predict those they saw nothing
of. Twice: trained on what the row restores (an archive that people learn from), and trained on originals (a classifier
in use that is handed restored recordings). What is restored lies in the cache, and a second run goes on. Results:
``results/downstream.md`` and ``.csv``.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
import time
from pathlib import Path

from noticed.restored import restored
from noticed.sets import SETS, LabelledSet, pieces
from noticed.tables import Line, csv_lines, markdown
from race.origin import origin
from unseen import DATA, ROOT

from eegzip.downstream import LabelledFeatures, Predictions, cross_validate

ROWS = {
    **{f"eegz-sc-2 -k {k}": {"model": "eegz-sc-2", "codebooks": k} for k in (1, 2, 8)},
    "eegz-sc-2": {"model": "eegz-sc-2"},
    "eegz-mc-2 -k 8": {"model": "eegz-mc-2", "codebooks": 8},
    **{f"--max-prd {prd}": {"max_prd": prd} for prd in (90, 50, 20)},
}
"""Options of ``compress`` by name."""
PAPER_ROWS = {
    "dac-sc-paper": {"model": "dac-sc-paper", "codebooks": 9},
    "dac-mc-paper single": {"model": "dac-mc-paper", "codebooks": 9, "groups": "single"},
    "dac-mc-paper random": {"model": "dac-mc-paper", "codebooks": 9, "groups": "random"},
    "dac-mc-paper manual": {"model": "dac-mc-paper", "codebooks": 9, "groups": "manual"},
}
"""Those of table 1b: some eight seconds of processor time for half a minute of 20 channels, so only if asked for."""
CLASSIFIERS = ("forest", "tree")


def main() -> None:
    """Restore, classify, write."""
    parser = argparse.ArgumentParser(description="What classifiers notice of compression.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="only these sets")
    parser.add_argument("--rows", nargs="+", default=[""], help="only rows whose names hold one of these; 'paper' too")
    parser.add_argument("--seconds", type=float, default=18.0, help="the middle of each recording, so long (18)")
    parser.add_argument("--repeats", type=int, default=5, help="how often subjects are dealt into folds (5)")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "eegzip-downstream")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="where results go")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    every = {**ROWS, **(PAPER_ROWS if any("paper" in word for word in options.rows) else {})}
    rows = {name: how for name, how in every.items() if any(word in name for word in options.rows)}
    began = time.process_time()
    lines = [line for name in options.sets for line in classified(SETS[name], rows, options)]
    used = (time.process_time() - began) / 60
    facts = origin()
    facts["seed"] = "Folds, trees and bootstrap have seed 0."
    facts["time"] = f"Processor time of this run, what lay in the cache not counted: {used:.0f} minutes."
    (options.out / "downstream.md").write_text(
        markdown(lines, facts, options.seconds, options.repeats), encoding="utf-8"
    )
    (options.out / "downstream.csv").write_text(csv_lines(lines), encoding="utf-8")


def classified(of: LabelledSet, rows: dict[str, dict[str, object]], options: argparse.Namespace) -> list[Line]:
    """Restore a set in each way and classify it."""
    cache = options.cache / of.name
    chosen = pieces(of, options.data, cache, options.seconds)
    labels = [label for piece in chosen for label in piece.labels]
    subjects = [piece.subject for piece in chosen for _ in piece.labels]
    found = {}
    for name, how in {"originals": None, **rows}.items():
        began = time.process_time()
        found[name] = restored(of, chosen, how, cache)
        print(f"{of.name}: {name}, {time.process_time() - began:.0f} s of processor time", flush=True)
    base = LabelledFeatures(found["originals"].values, labels, subjects)
    lines = []
    for classifier in CLASSIFIERS:
        how = {"classifier": classifier, "folds": of.folds, "repeats": options.repeats}
        deployed = cross_validate(base, {name: row.values for name, row in found.items()}, **how)
        for name, row in found.items():
            learned: Predictions = deployed["originals"]
            if name != "originals":
                learned = cross_validate(base.with_values(row.values), **how)["train"]
            lines.append(Line.of_row(of, name, classifier, row, found["originals"], learned, deployed))
        print(f"{of.name}: {classifier} done", flush=True)
    return lines


if __name__ == "__main__":
    main()
