"""The race: eegzip's models beside classical coders, real bytes against what is lost, on people no model saw.

Usage: ``python benchmarks/rate_distortion.py [--sets eegmat vep] [--per-set 2] [--seconds 60] [--only mdct dac-sc]``

README.md beside this file says what is counted and how to read the tables. Results go to ``results/``:
``rate_distortion.csv`` (a line for each recording, coder and setting), ``rate_distortion.md``, ``rate_distortion.png``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded; processes share the cores

import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from race.coders import contestants, run
from race.origin import origin
from race.plot import draw
from race.tables import COLUMNS, distances, summary, targets
from unseen import DATA, ROOT, chosen_sets, cut, unseen_recordings


def main() -> None:
    """Code, print, write."""
    parser = argparse.ArgumentParser(description="Rate and distortion of eegzip and its rivals on unseen people.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", help="only these sets")
    parser.add_argument("--per-set", type=int, default=2, help="recordings of each set at most (2)")
    parser.add_argument("--seconds", type=float, default=60.0, help="the middle of each recording, so long (60)")
    parser.add_argument("--only", nargs="+", help="only coders whose names begin so")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="where results go")
    options = parser.parse_args()
    sets = chosen_sets(options.sets)
    started, made = time.monotonic(), origin()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="eegzip-race-") as name:
        scratch = Path(name)
        pieces = [
            (group, cut(path, scratch, seconds=options.seconds))
            for group, path in unseen_recordings(options.data, max(options.per_set, 1), scratch, sets)
        ]
        if not pieces:
            raise SystemExit(f"no recordings of unseen people under {options.data}")
        coders, absent = contestants(options.only)
        for sentence in absent:
            print(sentence)
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            jobs = {pool.submit(run, coder, group, path): (coder, path) for group, path in pieces for coder in coders}
            for job in as_completed(jobs):
                rows += job.result()
                coder, path = jobs[job]
                print(f"{time.monotonic() - started:5.0f} s  {path.stem[:40]:<40} {coder}", flush=True)
    rows.sort(
        key=lambda row: (
            sets.index(str(row["set"])),
            str(row["recording"]),
            coders.index(str(row["coder"])),
            row["bits_per_second"],
        )
    )
    lines = [*summary(rows, coders), "", *distances(rows), "", *targets(rows)]
    print("\n" + "\n".join(lines))
    options.out.mkdir(parents=True, exist_ok=True)
    made["duration"] = f"It took {(time.monotonic() - started) / 60:.0f} minutes."
    with (options.out / "rate_distortion.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    text = (
        "# Rate and distortion on people no model saw\n\n"
        + "\n".join([*made.values(), *absent])
        + "\n\n"
        + "\n".join(lines)
    )
    (options.out / "rate_distortion.md").write_text(text + "\n", encoding="utf-8")
    (options.out / "rate_distortion.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    draw(rows, coders, options.out / "rate_distortion.png")


if __name__ == "__main__":
    # descript-audio-codec predates torch's deprecation of weight_norm.
    warnings.filterwarnings("ignore", message=".*weight_norm.*")
    main()
