"""How much decoded channels still say of each other: of single channels (``eegz-sc-1``) and components (``eegz-mc-2``).

Usage: ``python benchmarks/joint_yardstick.py [--per-set 1] [--seconds 60] [--depths 3 8]``

Recordings of people no model saw are compressed and decoded; then, in each half-minute and each band of frequencies,
the linear map from all decoded channels to the originals is fitted with the originals at hand to every other second
and applied to the seconds between. A decoder has no originals, but more ways than lines: the network of ``eegz-sc-2``
takes about half as much again off the tokens of ``eegz-sc-1`` (``joint.md``). So the map is a yardstick, by which to
tell whether a joint decoder for another model is worth its training. Results go to ``results/joint_yardstick.md``.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import mean

import numpy as np
import numpy.typing as npt
import scipy.fft
from race.origin import origin
from unseen import DATA, ROOT, cut, unseen_recordings

import eegzip
from eegzip.formats.edf import EdfFile, SignalKind, classify_signals, decode_signal

MODELS = ("eegz-sc-1", "eegz-mc-2")
BANDS = (0.0, 2.0, 4.0, 8.0, 14.0, 30.0, 60.0, 128.0)
"""Edges in Hz, as the models' joint decoder has them, roughly."""
BLOCKS = 30
"""Seconds that a map holds for: half of them fit it, half judge it."""
RIDGE = 0.03
"""Of the mean power of decoded channels: what keeps fifteen seconds from being learned by heart."""

Signals = npt.NDArray[np.float64]


def main() -> None:
    """Compress, decode, fit, write."""
    parser = argparse.ArgumentParser(description="How much decoded channels still say of each other.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", help="only these sets")
    parser.add_argument("--per-set", type=int, default=1, help="recordings of each set at most (1)")
    parser.add_argument("--seconds", type=float, default=60.0, help="the middle of each recording, so long (60)")
    parser.add_argument("--depths", type=int, nargs="+", default=[3, 8], help="codebooks (3 8)")
    default = ROOT / "benchmarks" / "results" / "joint_yardstick.md"
    parser.add_argument("--out", type=Path, default=default, help="the file that results go to")
    options = parser.parse_args()
    made = origin()
    rows: dict[tuple[str, int, str], list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="eegzip-yardstick-") as name:
        scratch = Path(name)
        for group, path in unseen_recordings(options.data, options.per_set, scratch, options.sets):
            piece = cut(path, scratch, seconds=options.seconds)
            for depth in options.depths:
                for model in MODELS:
                    row = _measured(piece, model, depth, scratch)
                    rows[group, depth, model].append(row)
                    print(group, path.stem, depth, model, *(f"{value:.2f}" for value in row), flush=True)
    text = "\n".join(["# How much decoded channels still say of each other", "", *made.values(), "", *_table(rows)])
    print(text)
    options.out.write_text(text + "\n", encoding="utf-8")


def _measured(path: Path, model: str, depth: int, scratch: Path) -> tuple[float, float]:
    """PRD in percent over the EEG channels, of what is decoded and of what the fitted maps make of it."""
    coded, back = scratch / "coded.eegz", scratch / "back.edf"
    eegzip.compress(path, coded, model=model, codebooks=depth, overwrite=True)
    eegzip.decompress(coded, back, overwrite=True)
    (x, rate), (y, _) = _eeg(path), _eeg(back)
    before, after, power = (np.zeros(len(x)) for _ in range(3))
    for wanted, decoded in zip(_pieces(x, rate), _pieces(y, rate), strict=True):
        for low, high in pairwise(BANDS):
            # DCT coefficients of a second lie half a hertz apart.
            band = slice(round(2 * low), round(2 * high))
            a, b = wanted[:, :, band], decoded[:, :, band]
            mapped = np.empty_like(b)
            for fitting, judged in ((0, 1), (1, 0)):
                mapped[:, judged::2] = _mapped(a[:, fitting::2], b[:, fitting::2], b[:, judged::2])
            before += ((a - b) ** 2).sum((1, 2))
            after += ((a - mapped) ** 2).sum((1, 2))
            power += (a**2).sum((1, 2))
    decoded, mapped_too = (float(100 * np.sqrt(error / power).mean()) for error in (before, after))
    return decoded, mapped_too


def _eeg(path: Path) -> tuple[Signals, float]:
    """EEG channels [channels, samples] without their means, and their sample rate."""
    with EdfFile.open(path) as file:
        chosen = [i for i, kind in enumerate(classify_signals(file.header)) if kind is SignalKind.EEG]
        block = file.read_records(0, file.n_records)
        found = np.stack([decode_signal(block, file.header, i).reshape(-1) for i in chosen]).astype(float)
        return found - found.mean(1, keepdims=True), file.header.sample_rate(chosen[0])


def _pieces(signals: Signals, rate: float) -> Iterator[Signals]:
    """Half-minutes of DCT coefficients [channels, seconds, coefficients]; what is over at the end is left out."""
    second = round(rate)
    whole = signals.shape[1] // second
    seconds = signals[:, : whole * second].reshape(len(signals), whole, second)
    for start in range(0, whole - BLOCKS + 1, BLOCKS):
        yield scipy.fft.dct(seconds[:, start : start + BLOCKS], norm="ortho")


def _mapped(wanted: Signals, decoded: Signals, applied: Signals) -> Signals:
    """Fit what decoded channels lack, as a linear map of them, and add it to others."""
    a, b = (part.reshape(len(part), -1) for part in (wanted, decoded))
    gram = b @ b.T
    ridge = RIDGE * (np.trace(gram) / len(b) + 1e-9) * np.eye(len(b))
    lacking = np.linalg.solve(gram + ridge, b @ (a - b).T).T
    return applied + np.einsum("ij,jkl->ikl", lacking, applied)


def _table(rows: dict[tuple[str, int, str], list[tuple[float, float]]]) -> Iterator[str]:
    yield "PRD in percent, mean over EEG channels: as decoded, and mapped from all decoded channels by what was fitted"
    yield "with the originals to every other second of each half-minute, judged on the seconds between."
    yield ""
    yield "| set | -k | " + " | ".join(f"{model} | mapped | change" for model in MODELS) + " |"
    yield "| --- | --- |" + " --- | --- | --- |" * len(MODELS)
    changes: dict[tuple[int, str], list[float]] = defaultdict(list)
    for group, depth in dict.fromkeys((group, depth) for group, depth, _ in rows):
        cells = []
        for model in MODELS:
            before, after = (mean(column) for column in zip(*rows[group, depth, model], strict=True))
            changes[depth, model].append(100 * (after / before - 1))
            cells += [f"{before:.2f}", f"{after:.2f}", f"{changes[depth, model][-1]:+.1f} %"]
        yield f"| {group} | {depth} | " + " | ".join(cells) + " |"
    yield ""
    for (depth, model), found in changes.items():
        yield f"* Mean of sets, {model} at `-k {depth}`: {mean(found):+.1f} %."


if __name__ == "__main__":
    main()
