"""What the decoder that sees all channels takes off the error, at equal real bytes, on people no model saw.

Usage: ``python benchmarks/joint.py [FILE...] [--model eegz-sc-2] [--beside MODEL] [--per-set 2] [--depths 3 8 24]``

Every recording is compressed with the model and with one whose network is taken away (its last layer zero), which
leaves the closed form (Wiener); both are decoded, and the first also alone: what the tokens gave before. Bytes are
those of files. With ``--parts`` single parts of the network are taken away, too; with ``--beside eegz-sc-2`` a model
that was tuned is seen beside the one that it was tuned from. FILEs, EDF or BDF, take the place of the sets: recordings
of sources that no training saw. Results go to ``results/joint.md``.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import numpy as np
from race.origin import origin
from unseen import DATA, ROOT, cut, unseen_recordings

import eegzip
from eegzip.codecs.checkpoints.checkpoint import Checkpoint, add_joint
from eegzip.evaluation.metrics import measure
from eegzip.formats.edf import EdfFile, SignalKind, classify_signals

CLOSED = "closed form"
Rows = dict[tuple[str, int], list[dict[str, float]]]
PARTS = {
    CLOSED: ("last.weight", "last.bias"),
    "without mixing": (".by_correlation", ".by_weight"),
    "without time": (".time.weight", ".time.bias"),
}


def main() -> None:
    """Compress, decode in each way, write."""
    parser = argparse.ArgumentParser(description="What a joint decoder takes off the error of unseen people.")
    parser.add_argument("files", type=Path, nargs="*", help="recordings in place of the sets")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", help="only these sets")
    parser.add_argument("--model", default="eegz-sc-4", help="a model with a joint decoder")
    parser.add_argument("--per-set", type=int, default=2, help="recordings of each set at most (2)")
    parser.add_argument("--seconds", type=float, default=60.0, help="the middle of each recording, so long (60)")
    parser.add_argument("--depths", type=int, nargs="+", default=[3, 8, 24], help="codebooks (3 8 24)")
    parser.add_argument("--parts", action="store_true", help="take single parts of the network away, too")
    parser.add_argument("--beside", metavar="MODEL", help="another decoder for the same tokens, in the same run")
    default = ROOT / "benchmarks" / "results" / "joint.md"
    parser.add_argument("--out", type=Path, default=default, help="the file that results go to")
    options = parser.parse_args()
    made = origin()
    with tempfile.TemporaryDirectory(prefix="eegzip-joint-") as name:
        scratch = Path(name)
        whole = eegzip.models.load(options.model)
        wanted = PARTS if options.parts else {CLOSED: PARTS[CLOSED]}
        models = {part: _without(whole, names, scratch / part.replace(" ", "-")) for part, names in wanted.items()}
        if options.beside:
            models[options.beside] = eegzip.models.load(options.beside).folder
        rows: Rows = defaultdict(list)
        unseen = unseen_recordings(options.data, options.per_set, scratch, options.sets)
        for group, path in ((file.stem, file) for file in options.files) if options.files else unseen:
            piece = cut(path, scratch, seconds=options.seconds)
            for depth in options.depths:
                row = _measured(piece, depth, whole.folder, models, scratch)
                rows[group, depth].append(row)
                print(group, path.stem, depth, {key: round(value, 2) for key, value in row.items()}, flush=True)
    lines = [f"# {whole.config.name}: what the joint decoder takes off the error", "", *made.values(), ""]
    lines += list(_tables(rows, options.depths, list(models)))
    print("\n".join(lines))
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _without(model: Checkpoint, names: tuple[str, ...], folder: Path) -> Path:
    """A model whose weights of some names are zero, at `folder`."""
    shutil.copytree(model.folder, folder)
    joint = model.config.joint
    assert joint is not None, "a model with a joint decoder"
    state = {k: v * 0 if k.endswith(names) else v for k, v in model.joint_state.items()}
    return Path(add_joint(folder, joint, state).folder)


def _measured(path: Path, depth: int, model: Path, others: dict[str, Path], scratch: Path) -> dict[str, float]:
    """Bytes, PRD and error of band powers, in percent, means over the EEG channels, of each way of decoding."""
    with EdfFile.open(path) as file:
        eeg = [i for i, kind in enumerate(classify_signals(file.header)) if kind is SignalKind.EEG]
        rate = file.header.sample_rate(eeg[0])
    coded, back = scratch / "coded.eegz", scratch / "back.edf"

    def judged() -> tuple[float, float]:
        with EdfFile.open(path) as one, EdfFile.open(back) as other:
            found = [measure(*(file.read_signal(i, 0, file.n_samples(i)) for file in (one, other)), rate) for i in eeg]
        bands = [abs(v) for m in found for v in m.band_power.values() if v is not None]
        return mean(m.prd for m in found if m.prd is not None), mean(bands)

    row: dict[str, float] = {}
    for name, folder in {"network": model, **others}.items():
        report = eegzip.compress(path, coded, model=folder, codebooks=depth, overwrite=True)
        eegzip.decompress(coded, back, model=folder, overwrite=True)
        row[name], bands = judged()
        if name == "network":
            row["bytes"], row["bands"] = report.compressed_bytes, bands
            with eegzip.open(coded, model=folder) as recording:
                row["served"] = 100 * mean(len(s["refined"]) / len(s["signals"]) for s in recording.info["joint"])
            eegzip.decompress(coded, back, model=folder, overwrite=True, alone=True)
            row["alone"], row["bands alone"] = judged()
    eegzip.compress(path, coded, model="eegz-sc-1", codebooks=depth, overwrite=True)
    row["bytes alone"] = coded.stat().st_size
    return row


def _tables(rows: Rows, depths: list[int], others: list[str]) -> Iterator[str]:
    yield "PRD in percent: mean over EEG channels and recordings, of files decoded. *Alone*: from each channel's own"
    yield "tokens, as `eegz-sc-1` decodes them. *Bytes*: of files; *more*: than those of `eegz-sc-1`."
    yield "*Served*: channels that the encoder lets the network restore. *Bands*: mean error of band powers, in"
    yield "percent, alone and with the network."
    yield ""
    heads = ["set", "-k", "bytes", "more", "alone", *others, "network", *(f"{o}, change" for o in others)]
    heads += ["network, change", "served", "bands"]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + " --- |" * len(heads)
    changes: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (group, depth), found in rows.items():
        row = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
        cells = [group, str(depth), f"{row['bytes']:.0f}", f"{row['bytes'] - row['bytes alone']:+.0f}"]
        cells += [f"{row[name]:.2f}" for name in ("alone", *others, "network")]
        for name in (*others, "network"):
            change = 100 * (row[name] / row["alone"] - 1)
            changes[name, depth].append(change)
            cells.append(f"{change:+.1f} %")
        cells += [f"{row['served']:.0f} %", f"{row['bands alone']:.1f} -> {row['bands']:.1f}"]
        yield "| " + " | ".join(cells) + " |"
    yield ""
    for name in (*others, "network"):
        means = ", ".join(f"{mean(changes[name, depth]):+.1f} % at `-k {depth}`" for depth in depths)
        yield f"* Mean of sets, {name}: {means}."


if __name__ == "__main__":
    main()
