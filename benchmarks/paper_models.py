"""Networks of papers beside eegz-sc-2, on people no model saw, and what each of their parts does.

Usage: ``python benchmarks/paper_models.py dac-sc-paper dac-mc-paper [--sets eegmat] [--per-set 2] [--seconds 60]``
or ``python benchmarks/paper_models.py biocodec-1 --name biocodec``

Names or folders of models. Each recording is compressed at three depths, thirds of the codebooks, and restored; bit/s
are those of tokens in the file, a channel. `eegz-sc-2` is read off at the same bit/s (straight lines in logarithms
between depths). Then parts are taken away at full depth, encoder and decoder alike: what changes nothing isn't trained.
Results go to ``results/paper_models.md`` (``--name``), with ``--groups manual`` to ``results/paper_models-manual.md``.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import numpy as np
from race.origin import origin
from unseen import DATA, ROOT, cut, unseen_recordings

import eegzip
from eegzip.codecs.checkpoints.checkpoint import Checkpoint, save_checkpoint
from eegzip.evaluation.metrics import measure
from eegzip.formats.edf import EdfFile, SignalKind, classify_signals

BESIDE = "eegz-sc-2"
BESIDE_DEPTHS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48)
# Weights that are zero where a part is taken away.
PARTS = {
    "encoder's residual units": r"encoder\.block\.\d+\.block\.\d+\.block\.3\.(weight_g|bias)"
    r"|encoder\.model\.\d+\.block\.3\.conv\.(parametrizations\.weight\.original0|bias)",
    "decoder's residual units": r"decoder\.model\.\d+\.block\.\d+\.block\.3\.(weight_g|bias)"
    r"|decoder\.model\.\d+\.block\.3\.conv\.(parametrizations\.weight\.original0|bias)",
    "encoder's LSTM": r"encoder\.model\.\d+\.lstm\.",
    "decoder's LSTM": r"decoder\.model\.\d+\.lstm\.",
    "attention": r"attention\.\d+\.out\.(weight|bias)",
    "styles": r"styles\.(scale|bias)",
}
Row = tuple[float, float, float, float]
"""Bit/s of a channel, PRD and PRD of the EEG part in percent, spectrogram loss: means over EEG channels."""


def main() -> None:
    """Compress, restore, measure, write."""
    parser = argparse.ArgumentParser(description="The paper's networks on unseen people.")
    parser.add_argument("models", nargs="+", help="names or folders")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", help="only these sets")
    parser.add_argument("--per-set", type=int, default=2, help="recordings of each set at most (2)")
    parser.add_argument("--seconds", type=float, default=60.0, help="the middle of each recording, so long (60)")
    parser.add_argument("--groups", help="how the models group channels; else as each does by itself")
    parser.add_argument("--no-parts", action="store_true", help="take no parts away")
    parser.add_argument("--name", default="paper_models", help="of the file that results go to (paper_models)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="where results go")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    made = origin()
    rows: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    parts: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="eegzip-paper-") as temporary:
        scratch = Path(temporary)
        models = [eegzip.models.load(model) for model in options.models]
        bare = {m.config.name: {} if options.no_parts else dict(_taken_away(m, scratch)) for m in models}
        for group, path in unseen_recordings(options.data, options.per_set, scratch, options.sets):
            piece = cut(path, scratch, seconds=options.seconds)
            most = 0.0
            for model in models:
                own, levels = model.config.name, model.config.network.n_codebooks
                for depth in _depths(levels):
                    found = _measured(piece, model.folder, depth, scratch, options.groups)
                    rows[own, group, depth].append(found)
                    most = max(most, found[0])
                for part, folder in bare[own].items():
                    parts[own, group, part].append(_measured(piece, folder, levels, scratch, options.groups))
            for depth in BESIDE_DEPTHS:
                found = _measured(piece, BESIDE, depth, scratch)
                rows[BESIDE, group, depth].append(found)
                if found[0] > 1.2 * most:
                    break
            print(group, piece.stem, flush=True)
    lines = ["# Networks of papers on people they never saw", "", *made.values(), ""]
    lines += [*_comparison(rows), *(["", *_parts(rows, parts)] if parts else [])]
    print("\n".join(lines))
    name = f"{options.name}.md" if options.groups is None else f"{options.name}-{options.groups}.md"
    (options.out / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _depths(levels: int) -> list[int]:
    return sorted({max(1, round(levels * third / 3)) for third in (1, 2, 3)})


def _taken_away(model: Checkpoint, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Yield each part that a model has, and a model without it."""
    for part, pattern in PARTS.items():
        names = [name for name in model.state if re.search(pattern, name)]
        if names:
            state = {name: value * 0 if name in names else value for name, value in model.state.items()}
            folder = scratch / f"{model.config.name} without {part}"
            yield part, save_checkpoint(folder, model.config, state).folder


def _measured(path: Path, model: str | Path, depth: int, scratch: Path, groups: str | None = None) -> Row:
    coded, back = scratch / "coded.eegz", scratch / "back.edf"
    report = eegzip.compress(path, coded, model=model, codebooks=depth, groups=groups, overwrite=True)
    eegzip.decompress(coded, back, model=model, overwrite=True)
    with EdfFile.open(path) as one, EdfFile.open(back) as other:
        eeg = [i for i, kind in enumerate(classify_signals(one.header)) if kind is SignalKind.EEG]
        rate = one.header.sample_rate(eeg[0])
        found = [measure(*(file.read_signal(i, 0, file.n_samples(i)) for file in (one, other)), rate) for i in eeg]
    bits = 8 * report.token_bytes / len(eeg) / (report.duration or 1.0)
    losses = [m.spectrogram_loss for m in found if m.spectrogram_loss is not None]
    whole = mean(m.prd for m in found if m.prd is not None)
    return bits, whole, mean(m.eeg_prd for m in found if m.eeg_prd is not None), mean(losses)


def _comparison(rows: dict[tuple[str, str, int], list[Row]]) -> Iterator[str]:
    yield f"*{BESIDE}*: the same at as many bit/s. A ratio above 1: the model is worse. EEG %: the PRD of the EEG part,"
    yield "above 0.5 Hz and beside the mains; what lies below the high-pass of a model's training is not in it."
    yield f"-: so many bit/s {BESIDE} never takes; what it reaches with all its codebooks has a row of its own."
    yield ""
    yield (
        f"| model | set | -k | bit/s a channel | PRD % | EEG % | spectrogram | {BESIDE}: PRD | EEG | spectrogram | "
        "ratio of PRD | of EEG |"
    )
    yield "|" + " --- |" * 12
    means = {key: np.mean(found, axis=0) for key, found in rows.items()}
    for (model, group, depth), (bits, error, part, loss) in means.items():
        if model == BESIDE:
            if depth == BESIDE_DEPTHS[-1]:
                # All that it has.
                own = f"{bits:.1f} | {error:.1f} | {part:.1f} | {loss:.2f}"
                yield f"| {model} | {group} | {depth} | {own} |" + " - |" * 5
            continue
        # Depths that every recording of the set got to.
        full = max(len(found) for (name, other, _), found in rows.items() if (name, other) == (BESIDE, group))
        depths = [d for d in BESIDE_DEPTHS if len(rows.get((BESIDE, group, d), ())) == full]
        curve = np.array([means[BESIDE, group, d] for d in depths])
        inside = curve[0, 0] <= bits <= curve[-1, 0]
        theirs = [np.exp(np.interp(np.log(bits), np.log(curve[:, 0]), np.log(curve[:, i]))) for i in (1, 2, 3)]
        cells = [f"{theirs[0]:.1f}", f"{theirs[1]:.1f}", f"{theirs[2]:.2f}"]
        cells += [f"{error / theirs[0]:.2f}", f"{part / theirs[1]:.2f}"]
        cells = cells if inside else ["-"] * 5
        own = f"{bits:.1f} | {error:.1f} | {part:.1f} | {loss:.2f}"
        yield f"| {model} | {group} | {depth} | {own} | " + " | ".join(cells) + " |"


def _parts(rows: dict[tuple[str, str, int], list[Row]], parts: dict[tuple[str, str, str], list[Row]]) -> Iterator[str]:
    yield "What is left at full depth without a part, a mean over sets:"
    yield ""
    yield "| model | without | PRD % | with | spectrogram | with |"
    yield "|" + " --- |" * 6
    for model, part in dict.fromkeys((model, part) for model, _, part in parts):
        groups = [group for name, group, other in parts if (name, other) == (model, part)]
        depth = max(depth for name, _, depth in rows if name == model)
        _, error, _, loss = np.mean([np.mean(parts[model, group, part], axis=0) for group in groups], axis=0)
        _, whole, _, whole_loss = np.mean([np.mean(rows[model, group, depth], axis=0) for group in groups], axis=0)
        yield f"| {model} | {part} | {error:.1f} | {whole:.1f} | {loss:.2f} | {whole_loss:.2f} |"


if __name__ == "__main__":
    main()
