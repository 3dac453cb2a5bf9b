"""What tokens of each model tell about people and tasks: probes on four labelled sets, subjects held out.

Usage: ``python benchmarks/probes.py [--sets eegmat vep] [--models eegz-sc-2 biocodec-1] [--seconds 18] [--cache DIR]``

Recordings (or trials) are cut into windows of 6 s; ``eegzip.probe`` trains the head of BioCodec's paper and two linear
probes on their tokens, the codec frozen. ``model/levels`` takes the first so many levels of what the model gives.
Tokens lie in the cache, and a second run goes on; pieces that were cut, too. Results: ``results/probes.md``, ``.json``.
"""

from __future__ import annotations

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from noticed.sets import SETS, LabelledSet, Piece, pieces
from race.origin import origin
from unseen import DATA, ROOT

import eegzip
from eegzip.downstream.recordings import read_signals
from eegzip.formats.edf import EdfFile

WINDOW = 6.0
"""Seconds."""
MODELS = ("eegz-sc-2", "eegz-sc-2/6", "biocodec-1", "dac-sc-compact-1")
"""Of single channels, and quick. The paper's and those of groups take minutes a set: if asked for."""
PROBES = ("transformer", "embeddings", "histograms")


def main() -> None:
    """Make tokens, probe, write."""
    parser = argparse.ArgumentParser(description="What tokens tell: classification heads and linear probes.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="only these sets")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="names, or name/levels")
    parser.add_argument("--seconds", type=float, default=18.0, help="the middle of each recording, so long (18)")
    parser.add_argument("--repeats", type=int, default=1, help="how often subjects are dealt into folds (1)")
    parser.add_argument("--epochs", type=int, default=20, help="of the head (20)")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "eegzip-probes")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="where results go")
    parser.add_argument("--add", action="store_true", help="keep the rows that lie there, but those made anew")
    parser.add_argument("--tokens-only", action="store_true", help="fill the cache, and probe nothing")
    options = parser.parse_args()
    kept = options.out / "probes.json"
    before: dict[str, list[Any]] = {"runs": [], "rows": []}
    if options.add and kept.is_file():
        before = json.loads(kept.read_text(encoding="utf-8"))
    facts, began, rows = origin(), time.process_time(), []
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        for model in options.models:
            # Written row by row: a run that is ended leaves what it had.
            for row in probed(SETS[name], model, options):
                rows.append(row)
                minutes = (time.process_time() - began) / 60
                run = f"{facts['command']} {minutes:.1f} minutes of one core, without tokens that lay in the cache."
                _write(merged(before, run, rows), dict(facts), options)


def merged(before: dict[str, list[Any]], run: str, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Put rows to those of earlier runs, in the order of sets and models."""
    made = {(row["set"], row["model"]) for row in rows}
    every = [row for row in before["rows"] if (row["set"], row["model"]) not in made] + rows
    places = list(SETS)
    return {
        "runs": [*before["runs"], run],
        "rows": sorted(every, key=lambda row: (places.index(row["set"]), row["model"])),
    }


def _write(found: dict[str, list[Any]], facts: dict[str, str], options: argparse.Namespace) -> None:
    facts["command"] = "\n".join(f"- {run}" for run in found["runs"]) + "\n"
    facts["seed"] = "Folds, weights, order and bootstrap have seed 0."
    (options.out / "probes.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page = "\n".join(markdown(found["rows"], facts, options.seconds))
    (options.out / "probes.md").write_text(page + "\n", encoding="utf-8")


def probed(of: LabelledSet, model: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Probe the tokens of a model on a set."""
    began = time.process_time()
    tokens = labelled_tokens(of, model, options)
    made = time.process_time() - began
    print(f"{of.name}: tokens of {model}, {made:.0f} s of processor time", flush=True)
    if options.tokens_only:
        return
    settings = eegzip.HeadSettings(epochs=options.epochs)
    report = eegzip.probe(tokens, folds=of.folds, repeats=options.repeats, settings=settings)
    print(report, f"\n  {time.process_time() - began - made:.0f} s of processor time", flush=True)
    yield {"set": of.name, "model": model, "shape": list(tokens.codes.shape[1:]), **report.to_dict()}


def labelled_tokens(of: LabelledSet, model: str, options: argparse.Namespace) -> eegzip.LabelledTokens:
    """Tokens of the windows of a set; those of a recording that has one class are judged as one."""
    name, _, levels = model.partition("/")
    tokenizer = eegzip.Tokenizer.from_pretrained(name)
    length = round(WINDOW * tokenizer.frame_rate)
    chosen = pieces(of, options.data, options.cache / of.name, options.seconds)
    codes, labels, subjects, recordings = [], [], [], []
    for piece in chosen:
        whole = _tokens(piece, of, tokenizer, options.cache / of.name)[:, : int(levels) if levels else None]
        starts = np.arange(0, whole.shape[2] - length + 1, length)
        if piece.starts is not None:
            starts = np.round(np.array(piece.starts) * tokenizer.frame_rate).astype(int)
        windows = [whole[:, :, start : start + length] for start in starts]
        codes += windows
        labels += list(piece.labels) if of.trials else list(piece.labels) * len(windows)
        subjects += [piece.subject] * len(windows)
        recordings += [f"{piece.path.stem} {place if of.trials else ''}" for place in range(len(windows))]
    stacked = np.stack(codes).astype(np.int64)
    return eegzip.LabelledTokens(stacked, labels, subjects, tokenizer.codewords.numpy(), recordings)


def _tokens(piece: Piece, of: LabelledSet, tokenizer: eegzip.Tokenizer, cache: Path) -> np.ndarray:
    """Tokens [rows, levels, frames] of a piece: those of a file where labels are kept, else of samples to 1/32 uV."""
    kept = cache / f"{piece.path.stem}-{tokenizer.name}.npy"
    if not kept.is_file():
        signals = read_signals(piece.path, of.channels or None)
        with EdfFile.open(piece.path) as file:
            header = file.header
        names = list(signals.channels)
        # By its digits samples are rounded, which takes the labels that it has.
        like = header if {signal.label for signal in header.signals} >= set(names) else None
        codes = tokenizer.encode(torch.from_numpy(signals.values)[None], signals.rate, names, like=like)
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npy")
        np.save(part, codes[0].numpy().astype(np.int16))
        part.replace(kept)
    return np.asarray(np.load(kept))


def markdown(rows: list[dict[str, Any]], facts: dict[str, str], seconds: float) -> Iterable[str]:
    """Everything as one page."""
    settings, first = rows[0]["settings"], rows[0]
    yield from ["# What tokens tell", "", *facts.values(), ""]
    yield (
        f"The middle {seconds:g} s of each recording, in windows of {WINDOW:g} s whose probabilities are averaged (of "
        f"SSVEP all trials of one recording a person, each by itself); subjects dealt into folds {first['repeats']} "
        f"time(s), never split. The head: {settings['epochs']} epochs, batches of {settings['batch']}, Adam at "
        f"{settings['learning_rate']:g}, embeddings of {settings['width']} dimensions; nothing was tuned. *Embeddings* "
        "and *histograms* are logistic regressions on each channel's mean embedding and on how often each code occurs. "
        "Balanced accuracy with its 95 % interval over subjects (bootstrap). **Bold**: the interval lies above chance."
    )
    yield ""
    yield (
        "Codecs have seen most of these people, without their classes. *Levels* are the codebooks that probes saw: "
        "those that files have by default, of biocodec-1 two of six."
    )
    for name in dict.fromkeys(row["set"] for row in rows):
        mine = [row for row in rows if row["set"] == name]
        head = mine[0]
        counts = (
            f"{head['subjects']} subjects, {head['recordings']} recordings or trials, {head['windows']} windows, "
            f"{head['folds']} folds; chance is {head['chance']:.2f}."
        )
        yield from [
            "",
            f"## {name}: {SETS[name].what}",
            "",
            counts,
            "",
            "| model | levels | frames a window | transformer | embeddings | histograms |",
            "|" + " --- |" * 6,
        ]
        for row in mine:
            cells = [_cell(row["accuracy"][probe], row["chance"]) for probe in PROBES]
            _, levels, frames = row["shape"]
            yield "| " + " | ".join([row["model"].partition("/")[0], str(levels), str(frames), *cells]) + " |"


def _cell(found: dict[str, float], chance: float) -> str:
    text = f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
    return f"**{text}**" if found["low"] > chance else text


if __name__ == "__main__":
    main()
