"""Gives a model a prior: ``python -m eegzip.recipes.token_prior_run --model DIR --data ../shared/data/eeg --out DIR``.

Recordings (one folder of EDF files a data set) are compressed with the model, so that the tokens are those of real
files: of minutes, of the model's own groups of channels, at full depth and at others. The tables are fitted to subjects
that training may see (:mod:`eegzip.recipes.dataset`), and what they save is measured on those that it may not.

With ``--components NAME`` a model that codes every channel alone, and has a prior, becomes one that codes components of
whole recordings, of that name; its prior is then fitted to these. So eegz-mc-2 was made of eegz-sc-1.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from eegzip.codecs.checkpoints import registry
from eegzip.codecs.checkpoints.checkpoint import CARD, Checkpoint, add_prior, read_prior, rename
from eegzip.codecs.checkpoints.config import MAX_MIXTURE, ChannelCoding, ModelConfig, MultichannelConfig
from eegzip.compression import compress
from eegzip.formats.tokens.tables import pack_prior
from eegzip.recipes.dataset import files, is_held_out
from eegzip.recipes.token_prior import Piece, Settings, fit, measure, words_of
from eegzip.recording import Recording

log = logging.getLogger(__name__)

_PIECE_SECONDS = 60.0
_FULL_DEPTH_SHARE = 0.5
# Of components of subjects held out.
_HELD_OUT_DEPTH = 16
# Of the one recording of a set that has no subjects aside, the share that training may see.
_FIRST_PART = 2 / 3


def pieces_of(path: Path, group: str, model: Path, codebooks: int | None, folder: Path) -> list[Piece]:
    """Return the token streams of a recording, minute by minute, as a file has them.

    Parameters
    ----------
    path
        The recording.
    group
        Name of its data set.
    model
        Folder of the checkpoint.
    codebooks
        Levels; all for ``None``.
    folder
        Where a file may be written.
    """
    target = folder / "tokens.eegz"
    compress(path, target, model=model, codebooks=codebooks, overwrite=True)
    with Recording(target, model=model) as recording:
        streams = recording.tokens()
    found: list[Piece] = []
    for rate, length in sorted({(stream.frame_rate or 1.0, len(stream)) for stream in streams}):
        alike = [stream.codes for stream in streams if (stream.frame_rate or 1.0, len(stream)) == (rate, length)]
        step = max(round(_PIECE_SECONDS * rate), 1)
        for start in range(0, length, step):
            found.append(Piece(group, [np.array(codes[:, start : start + step]) for codes in alike]))
    return found


def _drawn(data: Path, most: int, rng: np.random.Generator) -> Iterator[tuple[str, Path, bool]]:
    """Yield set, path, and whether it is of a subject held out; at most so many of each set and kind."""
    listed = list(files(data))
    for group in dict.fromkeys(group for group, _ in listed):
        paths = [path for other, path in listed if other == group]
        for held_out in (False, True):
            own = [path for path in paths if is_held_out(group, path.stem) == held_out]
            for place in sorted(rng.permutation(len(own))[:most]):
                yield group, own[int(place)], held_out


def _depth(config: ModelConfig, held_out: bool, rng: np.random.Generator) -> int | None:
    """Codebooks that a recording is coded with; ``None`` for all."""
    levels = config.network.n_codebooks
    if config.channel_coding is ChannelCoding.KLT:
        # Components have all depths at once, and what counts is how loud the error is.
        return _HELD_OUT_DEPTH if held_out else int(rng.integers(1, levels + 1))
    full = held_out or rng.random() < _FULL_DEPTH_SHARE
    return None if full else int(rng.integers(min(3, levels), levels + 1))


def collect(checkpoint: Checkpoint, data: Path, most: int, seed: int) -> tuple[list[Piece], list[Piece]]:
    """Return the tokens of subjects that training may see, and of those that it may not.

    Parameters
    ----------
    checkpoint
        The model.
    data
        Folder with one folder of EDF files a set.
    most
        Recordings of each set for either purpose.
    seed
        Of the choice of recordings and of depths.
    """
    rng = np.random.default_rng(seed)
    seen: list[Piece] = []
    held_out: list[Piece] = []
    levels = checkpoint.config.network.n_codebooks
    with tempfile.TemporaryDirectory() as folder:
        for group, path, unseen in _drawn(data, most, rng):
            depth = _depth(checkpoint.config, unseen, rng)
            pieces = pieces_of(path, group, checkpoint.folder, depth, Path(folder))
            if not any(is_held_out(other, item.stem) for other, item in files(data) if other == group):
                cut = round(len(pieces) * _FIRST_PART)
                seen, held_out = seen + pieces[:cut], held_out + pieces[cut:]
            elif unseen:
                held_out += pieces
            else:
                seen += pieces
            log.info("%s: %d minutes at depth %s", path.name, len(pieces), depth or levels)
    return seen, held_out


def of_components(config: ModelConfig, name: str) -> ModelConfig:
    """Return the config of the model of whole recordings that has the weights of one of single channels."""
    shared = MultichannelConfig(max_channels=MAX_MIXTURE, styles=ChannelCoding.KLT.value)
    return replace(config, name=name, architecture="dac-mc", multichannel=shared)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Give a model the tables that code its tokens in context.")
    parser.add_argument("--model", required=True, help="name or folder of the checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder of EDF files per set")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint with its prior")
    parser.add_argument("--components", metavar="NAME", help="make it a model of the components of recordings")
    parser.add_argument("--recordings", type=int, default=16, help="of each set, at most, to fit to and to judge by")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    began = time.monotonic()
    checkpoint = registry.load(options.model)
    if options.out.resolve() != checkpoint.folder.resolve():
        shutil.copytree(checkpoint.folder, options.out, dirs_exist_ok=True)
        (options.out / CARD).unlink(missing_ok=True)
    if options.components:
        checkpoint = rename(options.out, of_components(checkpoint.config, options.components))
    seen, held_out = collect(checkpoint, options.data, options.recordings, options.seed)
    log.info("%d minutes to fit to, %d aside", len(seen), len(held_out))
    # Components' tokens are much like channels' tokens, so their prior begins as that one.
    begin = read_prior(checkpoint.folder, str(checkpoint.config.prior)) if options.components else None
    settings = Settings(steps=options.steps, seed=options.seed)
    prior = fit(
        words_of(checkpoint),
        seen,
        settings,
        lambda step, bits: log.info("step %d: %.2f bits a frame", step, bits),
        None if begin is None else begin.tables,
    )
    result = add_prior(options.out, pack_prior(prior.tables))
    saved = {
        group: {"packed_bytes": packed, "bytes": coded, "saved_percent": round(100 - 100 * coded / packed, 1)}
        for group, (packed, coded) in measure(prior, held_out).items()
    }
    summary = {
        "digest": result.digest,
        "prior": prior.digest,
        "steps": options.steps,
        "seed": options.seed,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "aside": saved,
    }
    (options.out / "prior.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    log.info("%s", json.dumps(summary))


if __name__ == "__main__":
    main()
