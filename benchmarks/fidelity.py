"""What the shipped model loses and what it costs, on people whose recordings its training never saw.

Usage: ``python benchmarks/fidelity.py [--data ../shared/data/eeg] [--per-set 3] [--depths 2 4 8 all]``

Every figure comes from whole files made by ``eegzip.compress``: the ratio is original bytes over compressed bytes,
header, checksums and exactly kept channels (ECG, annotations) included; bit/s come from the bytes stored a channel;
PRD, SNR and r are those that the file carries, measured at the recording's own sample rate against the original
samples. Medians and the worst are over channels of all recordings of a set. Results go to
benchmarks/results/fidelity.csv and fidelity.md.

The neonatal set is one recording of one child: its last third, which training did not see, is cut out and coded alone.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unseen import DATA, ROOT, unseen_recordings

import eegzip

COLUMNS = [
    "set", "recording", "codebooks", "channel", "original_bytes", "compressed_bytes", "bits_per_second",
    "bits_per_sample", "prd", "snr", "r", "largest_error_uv",
]  # fmt: skip


def code(group: str, path: Path, depth: int, scratch: Path) -> list[dict[str, Any]]:
    """Compress one recording; return a row for each channel coded."""
    target = scratch / "coded.eegz"
    report = eegzip.compress(path, target, codebooks=depth, overwrite=True)
    shared = {
        "set": group,
        "recording": path.name,
        "codebooks": depth,
        "original_bytes": report.original_bytes,
        "compressed_bytes": target.stat().st_size,
    }
    return [
        {**shared, "channel": signal.label, **{name: getattr(signal, name) for name in COLUMNS[6:]}}
        for signal in report.coded
    ]


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown: a line for each set and depth."""
    heads = ["set", "recordings", "channels", "codebooks", "bit/s a channel", "bit a sample", "ratio (whole files)"]
    heads += ["PRD % median", "PRD % worst", "SNR dB median", "r median"]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' --: |' * (len(heads) - 1)}"]
    keys = dict.fromkeys((row["set"], row["codebooks"]) for row in rows)
    for group, depth in keys:
        chosen = [row for row in rows if (row["set"], row["codebooks"]) == (group, depth)]
        sizes = {row["recording"]: (row["original_bytes"], row["compressed_bytes"]) for row in chosen}
        ratio = sum(size for size, _ in sizes.values()) / sum(size for _, size in sizes.values())

        def median(name: str, chosen: Sequence[dict[str, Any]] = chosen) -> float:
            return statistics.median(row[name] for row in chosen if row[name] is not None)

        worst = max(row["prd"] for row in chosen if row["prd"] is not None)
        lines.append(
            f"| {group} | {len(sizes)} | {len(chosen)} | {depth} | {median('bits_per_second'):.0f} | "
            f"{median('bits_per_sample'):.2f} | {ratio:.1f} | {median('prd'):.1f} | {worst:.1f} | "
            f"{median('snr'):.1f} | {median('r'):.4f} |"
        )
    return lines


def main() -> None:
    """Code, print, write."""
    parser = argparse.ArgumentParser(description="Loss and cost of the shipped model on people it never saw.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--per-set", type=int, default=3, help="recordings of each set at most (3)")
    parser.add_argument("--depths", nargs="+", default=["2", "4", "8", "all"], help="codebooks (2 4 8 all)")
    parser.add_argument("--sets", nargs="+", help="only these sets")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="where the tables go")
    options = parser.parse_args()
    config = eegzip.models.load().config
    available = config.network.n_codebooks
    depths = sorted({available if depth == "all" else min(int(depth), available) for depth in options.depths})
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="eegzip-fidelity-") as name:
        for group, path in unseen_recordings(options.data, max(options.per_set, 1), Path(name), options.sets):
            for depth in depths:
                found = code(group, path, depth, Path(name))
                rows += found
                prd = statistics.median(row["prd"] for row in found if row["prd"] is not None)
                print(f"{group:<10} {path.name:<40} {depth:>3} codebooks: PRD {prd:5.1f} % median", flush=True)
    if not rows:
        raise SystemExit(f"no recordings of unseen people under {options.data}")
    lines = table(rows)
    print("\n" + "\n".join(lines))
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "fidelity.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    origin = f"eegzip {eegzip.__version__}, model digest `{eegzip.models.load().digest[:16]}`"
    head = (
        f"# {config.name}: loss and cost on people it never saw\n\n{origin}, made by `python benchmarks/fidelity.py`."
    )
    besides = "Each line of `fidelity.csv`, which the command writes besides, is a channel."
    text = f"{head} {besides}\n\n" + "\n".join(lines) + "\n"
    (options.out / "fidelity.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    # descript-audio-codec predates torch's deprecation of weight_norm.
    warnings.filterwarnings("ignore", message=".*weight_norm.*")
    main()
