"""How often each code is used, and whether codes of channels are as alike as their signals: BioCodec's figures 2 and 3.

Usage: ``python benchmarks/token_figures.py biocodec-1 eegz-sc-1 [--sets eegmat] [--per-set 2] [--seconds 60]``

Of models whose tokens are each channel's own, on people no model saw. Use: how many codes of each level there are, how
many bits of entropy they have (of as many as there could be), and a picture of all counts. Connectivity: correlations
of all pairs of channels, of signals and of the tokens' embeddings (sums of codewords, all frames and dimensions); their
Spearman correlation over the pairs of a recording, then the mean over recordings. Results go to
``results/token_figures.md`` and ``.png``.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from race.origin import origin
from scipy.stats import spearmanr
from unseen import DATA, ROOT, cut, unseen_recordings

import eegzip
from eegzip.formats.edf import EdfFile


def main() -> None:
    """Encode, count, correlate, draw."""
    parser = argparse.ArgumentParser(description="Use of codes, and connectivity of signals and embeddings.")
    parser.add_argument("models", nargs="+", help="names or folders")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", help="only these sets")
    parser.add_argument("--per-set", type=int, default=2, help="recordings of each set at most (2)")
    parser.add_argument("--seconds", type=float, default=60.0, help="the middle of each recording, so long (60)")
    parser.add_argument("--codebooks", type=int, default=6, help="levels, the first ones (6)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="where results go")
    options = parser.parse_args()
    made = origin()
    tokenizers = [eegzip.Tokenizer.from_pretrained(model) for model in options.models]
    depths = [min(options.codebooks, tokenizer.codebooks) for tokenizer in tokenizers]
    uses = [np.zeros((k, t.vocabulary_size), np.int64) for t, k in zip(tokenizers, depths, strict=True)]
    alike: list[dict[str, list[float]]] = [{} for _ in tokenizers]
    with tempfile.TemporaryDirectory(prefix="eegzip-figures-") as temporary:
        scratch = Path(temporary)
        for group, path in unseen_recordings(options.data, options.per_set, scratch, options.sets):
            piece = cut(path, scratch, seconds=options.seconds)
            for number, tokenizer in enumerate(tokenizers):
                codes, waves = _tokens(piece, options.models[number], depths[number], scratch)
                for level, row in enumerate(uses[number]):
                    row += np.bincount(codes[:, level].reshape(-1), minlength=len(row))
                if len(codes) > 2:
                    embedded = tokenizer.embed(torch.from_numpy(codes)[None])[0].flatten(1).numpy()
                    alike[number].setdefault(group, []).append(_agreement(waves, embedded))
            print(group, piece.stem, flush=True)
    names = [tokenizer.name for tokenizer in tokenizers]
    lines = ["# Use of codes, and connectivity", "", *made.values(), "", *_tables(names, uses, alike)]
    print("\n".join(lines))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "token_figures.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _draw(names, uses, alike, options.out / "token_figures.png")


def _tokens(piece: Path, model: str, depth: int, scratch: Path) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [channels, levels, frames] and samples [channels, n] of a recording's EEG."""
    coded = scratch / "coded.eegz"
    eegzip.compress(piece, coded, model=model, codebooks=depth, overwrite=True)
    with eegzip.open(coded, model=model) as recording:
        streams = recording.tokens()
        codes = np.stack([stream.codes.astype(np.int64) for stream in streams])
        labels = [label for stream in streams for label in stream.labels]
    with EdfFile.open(piece) as file:
        places = {signal.label: signal.index for signal in file.header.signals}
        rows = [file.read_signal(i, 0, file.n_samples(i)) for i in (places[label] for label in labels)]
    return codes, np.stack(rows).astype(np.float64)


def _agreement(waves: np.ndarray, embedded: np.ndarray) -> float:
    """Spearman correlation, over pairs of channels, of the correlations of signals and of embeddings."""
    pairs = np.triu_indices(len(waves), 1)
    return float(spearmanr(np.corrcoef(waves)[pairs], np.corrcoef(embedded)[pairs]).statistic)


def _tables(names: list[str], uses: list[np.ndarray], alike: list[dict[str, list[float]]]) -> list[str]:
    lines = ["| model | level | codes used | of | entropy in bits | of |", "|" + " --- |" * 6]
    for name, use in zip(names, uses, strict=True):
        for level, row in enumerate(use):
            share = row[row > 0] / row.sum()
            bits = float(-(share * np.log2(share)).sum())
            lines.append(f"| {name} | {level} | {len(share)} | {len(row)} | {bits:.2f} | {np.log2(len(row)):g} |")
    lines += ["", "| model | set | Spearman correlation of connectivity |", "|" + " --- |" * 3]
    for name, groups in zip(names, alike, strict=True):
        lines += [f"| {name} | {group} | {mean(values):.2f} |" for group, values in groups.items()]
    return lines


def _draw(names: list[str], uses: list[np.ndarray], alike: list[dict[str, list[float]]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 + 4 * len(names), 5), layout="constrained")
    columns = figure.subplots(1, len(names) + 1, squeeze=False)[0]
    for axes, name, use in zip(columns, names, uses, strict=False):
        for level, row in enumerate(use):
            share = np.sort(row)[::-1] / max(row.sum(), 1)
            axes.plot(share * len(row), label=f"level {level}")
        axes.axhline(1, color="grey", linewidth=0.8)
        axes.set(title=name, xlabel="code, by its use", ylabel="use, of an even one", yscale="log")
        axes.legend(fontsize="small")
    groups = list(dict.fromkeys(group for found in alike for group in found))
    for number, (name, found) in enumerate(zip(names, alike, strict=True)):
        places = np.arange(len(groups)) + 0.8 * (number + 0.5) / len(names) - 0.4
        heights = [mean(found.get(group, [0.0])) for group in groups]
        columns[-1].bar(places, heights, 0.8 / len(names), label=name)
    columns[-1].set(title="connectivity", ylabel="Spearman correlation", ylim=(0, 1))
    columns[-1].set_xticks(range(len(groups)), groups, rotation=30)
    columns[-1].legend(fontsize="small")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
