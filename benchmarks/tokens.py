"""What zstd, with and without a dictionary of the model, and a prior save over packed bits on real tokens.

Usage: ``python benchmarks/tokens.py [--data ../shared/data/eeg] [--model DIR]``

Streams as the container has them: one channel of one 60 s chunk each, tokens as bytes, level by level or frame by
frame. The dictionary is trained on recordings that training saw and tried on people that it did not see. The entropy is
that of each level's tokens by themselves: what an ideal coder without context could reach. Where the model has a prior,
the last column is method 3 of the container, parameters included, and a second table says what each level's tokens take
in it, in bits.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import zstandard
from unseen import HELD_OUT, is_held_out

import eegzip
from eegzip import models
from eegzip.codecs.checkpoints.checkpoint import read_prior
from eegzip.formats.tokens.search.references import plan_streams
from eegzip.formats.tokens.stream import encode_stream
from eegzip.formats.tokens.tables import TokenPrior

ROOT = Path(__file__).parents[1]
ZSTD_LEVEL = 19
DICTIONARY_BYTES = 4096


def minutes(path: Path, model: str, folder: Path) -> list[list[np.ndarray]]:
    """Tokens of all channels of each minute, uint16 of shape (codebooks, frames)."""
    target = folder / "tokens.eegz"
    eegzip.compress(path, target, model=model, overwrite=True)
    with eegzip.open(target, model=model) as recording:
        found = recording.tokens()
    step = round(60 * (found[0].frame_rate or 1))
    return [[stream.codes[:, start : start + step] for stream in found] for start in range(0, len(found[0]), step)]


def streams(path: Path, model: str, folder: Path) -> list[np.ndarray]:
    """Tokens of each channel in each minute, uint8 of shape (codebooks, frames)."""
    return [codes.astype(np.uint8) for minute in minutes(path, model, folder) for codes in minute]


def in_context(prior: TokenPrior, minute: list[np.ndarray], levels: int) -> int:
    """Bytes of the first levels of all streams of a minute."""
    return sum(
        len(
            encode_stream(
                prior,
                minute[plan.place][:levels],
                plan.parameters,
                [minute[other] for other in plan.parameters.references],
                plan.weights,
            )
        )
        for plan in plan_streams(prior, minute)
    )


def orders(codes: np.ndarray) -> tuple[bytes, bytes]:
    """The two orders that the container knows."""
    return codes.tobytes(), np.ascontiguousarray(codes.T).tobytes()


def entropy_bytes(pieces: Iterable[np.ndarray]) -> float:
    """Ideal size with one static table a level."""
    total = 0.0
    for level in np.concatenate(list(pieces), axis=1):
        counts = np.bincount(level, minlength=256).astype(float)
        share = counts[counts > 0] / counts.sum()
        total -= counts.sum() * float((share * np.log2(share)).sum()) / 8
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/eeg")
    parser.add_argument("--model", default="eegz-sc-1", help="name or folder; with codebooks of 256 entries")
    arguments = parser.parse_args()
    checkpoint = models.load(arguments.model)
    prior = read_prior(checkpoint.folder, checkpoint.config.prior) if checkpoint.config.prior else None
    by_level = []
    sets = [group for group in HELD_OUT if HELD_OUT[group]]
    files = {group: sorted((arguments.data / group).glob("*.edf")) for group in sets}
    with tempfile.TemporaryDirectory() as folder:
        seen = [
            piece
            for group in sets
            for path in [path for path in files[group] if not is_held_out(group, path.stem)][:2]
            for piece in streams(path, arguments.model, Path(folder))
        ]
        samples = [orders(piece) for piece in seen]
        dictionaries = [
            zstandard.train_dictionary(DICTIONARY_BYTES, [sample[order] for sample in samples], level=ZSTD_LEVEL)
            for order in range(2)
        ]
        plain = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        helped = [zstandard.ZstdCompressor(level=ZSTD_LEVEL, dict_data=item) for item in dictionaries]
        print("| set | packed bytes | zstd, better order | with dictionary | entropy a level | in context |")
        print("| --- | --- | --- | --- | --- | --- |")
        for group in sets:
            path = next(path for path in files[group] if is_held_out(group, path.stem))
            whole = minutes(path, arguments.model, Path(folder))
            pieces = [codes.astype(np.uint8) for minute in whole for codes in minute]
            packed = sum(piece.size for piece in pieces)
            zstd = sum(min(piece.size, *(len(plain.compress(order)) for order in orders(piece))) for piece in pieces)
            with_help = sum(
                min(piece.size, *(len(helped[n].compress(order)) for n, order in enumerate(orders(piece))))
                for piece in pieces
            )
            ideal = entropy_bytes(pieces)
            shares = f"{zstd / packed:.3f} | {with_help / packed:.3f} | {ideal / packed:.3f}"
            coded = "-"
            if prior is not None:
                depths = range(1, prior.levels + 1)
                sizes = [sum(in_context(prior, minute, depth) for minute in whole) for depth in depths]
                coded = f"{sizes[-1] / packed:.3f}"
                bits = np.diff([0, *sizes]) * 8 * len(depths) / packed
                by_level.append(f"| {group} | " + " | ".join(f"{value:.2f}" for value in bits) + " |")
            print(f"| {group} | {packed} | {shares} | {coded} |", flush=True)
    if prior is not None:
        print("\n| set | " + " | ".join(f"level {level}" for level in range(1, prior.levels + 1)) + " |")
        print("| --- |" + " --- |" * prior.levels)
        print("\n".join(by_level))


if __name__ == "__main__":
    main()
