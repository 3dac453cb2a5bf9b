"""What zstd, with and without a dictionary of the model, saves over packed bits on real tokens.

Usage: ``python benchmarks/tokens.py [--data ../shared/data/eeg]``

Streams as the container has them: one channel of one 60 s chunk each, tokens as bytes, level by level or frame by
frame. The dictionary is trained on recordings that training saw and tried on people that it did not see. The last
column is the entropy of each level's tokens by themselves: what an ideal coder without context could reach.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import zstandard

import eegzip
from eegzip.training.recordings import HELD_OUT, held_out

ROOT = Path(__file__).parents[1]
ZSTD_LEVEL = 19
DICTIONARY_BYTES = 4096


def streams(path: Path, folder: Path) -> list[np.ndarray]:
    """Tokens of each channel in each minute, uint8 of shape (codebooks, frames)."""
    target = folder / "tokens.eegz"
    eegzip.compress(path, target, overwrite=True)
    with eegzip.open(target) as recording:
        return [
            stream.codes[:, start : start + round(60 * (stream.frame_rate or 1))].astype(np.uint8)
            for stream in recording.tokens()
            for start in range(0, len(stream), round(60 * (stream.frame_rate or 1)))
        ]


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
    arguments = parser.parse_args()
    sets = [group for group in HELD_OUT if HELD_OUT[group]]
    files = {group: sorted((arguments.data / group).glob("*.edf")) for group in sets}
    with tempfile.TemporaryDirectory() as folder:
        seen = [
            piece
            for group in sets
            for path in [path for path in files[group] if not held_out(group, path.stem)][:2]
            for piece in streams(path, Path(folder))
        ]
        samples = [orders(piece) for piece in seen]
        dictionaries = [
            zstandard.train_dictionary(DICTIONARY_BYTES, [sample[order] for sample in samples], level=ZSTD_LEVEL)
            for order in range(2)
        ]
        plain = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        helped = [zstandard.ZstdCompressor(level=ZSTD_LEVEL, dict_data=item) for item in dictionaries]
        print("| set | packed bytes | zstd, better order | with dictionary | entropy a level |")
        print("| --- | --- | --- | --- | --- |")
        for group in sets:
            path = next(path for path in files[group] if held_out(group, path.stem))
            pieces = streams(path, Path(folder))
            packed = sum(piece.size for piece in pieces)
            zstd = sum(min(piece.size, *(len(plain.compress(order)) for order in orders(piece))) for piece in pieces)
            with_help = sum(
                min(piece.size, *(len(helped[n].compress(order)) for n, order in enumerate(orders(piece))))
                for piece in pieces
            )
            ideal = entropy_bytes(pieces)
            print(f"| {group} | {packed} | {zstd / packed:.3f} | {with_help / packed:.3f} | {ideal / packed:.3f} |")


if __name__ == "__main__":
    main()
