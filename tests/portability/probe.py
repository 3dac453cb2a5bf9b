"""What a process computes, for :mod:`test_portability`: run as ``python probe.py RECORDING FOLDER [every]``.

First everything that must not matter within a process (batches, splits, threads, alignment) is tried on all bundled
models and on random ones; what differs is said, and the exit code is 1. Then the recording is compressed in several
ways into the folder, and restored.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "codecs"))
from small_models import LINEAR, PLAIN, make, multichannel  # noqa: E402

import eegzip  # noqa: E402
from eegzip.codecs.checkpoints.checkpoint import Checkpoint  # noqa: E402
from eegzip.codecs.runtime import CodecRuntime  # noqa: E402
from eegzip.codecs.stream_coder import GroupCoder  # noqa: E402
from eegzip.formats.edf import EdfFile, decode_signal  # noqa: E402

BATCHES = {1: (1, 3, 8, 20), 2: (2, 20)}
"""Sizes tried, for each number of threads."""
EVERY_BATCH = {1: range(1, 21), 2: (1, 2, 5, 20)}
"""As well, when asked to try every size."""
FRAMES = 4

WAYS: dict[str, dict[str, object]] = {
    "sc": {"model": "eegz-sc-1", "codebooks": 16},
    "sc-bitrate": {"model": "eegz-sc-1", "bitrate": 60},
    "mc": {},
    "compact": {"model": "dac-sc-compact-1"},
    "bounded": {"max_prd": 8},
    "lossless": {"lossless": True},
    "fast": {"lossless": True, "level": 1},
}
"""Options of the files that are made."""


def waves(recording: Path) -> np.ndarray:
    """The recording's first second channels in units of about 1, as float32."""
    with EdfFile.open(recording) as file:
        block = file.read_records(0, file.n_records)
        rows = np.stack([decode_signal(block, file.header, index).reshape(-1) for index in range(3)])
    return ((rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)).astype(np.float32)


def models(folder: Path) -> Iterator[Checkpoint]:
    """All bundled models, then random ones whose every branch contributes."""
    for name in ("eegz-sc-1", "eegz-mc-2", "dac-sc-compact-1"):
        yield eegzip.models.load(name)
    for config in (LINEAR, PLAIN, multichannel(LINEAR), multichannel(PLAIN)):
        yield make(folder / f"{config.architecture}-{config.name}", config)


def misaligned(rows: np.ndarray) -> np.ndarray:
    """The same numbers, at an address that is a multiple of 4 and of nothing more."""
    room = np.empty(rows.size + 16, np.float32)
    shift = next(shift for shift in range(1, 16) if (room[shift:].ctypes.data // 4) % 2)
    result = room[shift : shift + rows.size].reshape(rows.shape)
    result[:] = rows
    return result


def differences(
    checkpoint: Checkpoint, signal: np.ndarray, sizes: Mapping[int, Iterable[int]] = BATCHES
) -> Iterator[str]:
    """Name each way of computing that gives other tokens, or other samples, than all rows at once."""
    runtime = CodecRuntime(checkpoint, threads=1)
    # Rows of groups of two channels where the model has groups, of one where it hasn't.
    size = 2 if checkpoint.config.adapters is not None else 1
    length = (FRAMES + 2 * runtime.encoder_context) * runtime.hop
    most = max(sizes[1])
    starts = np.linspace(0, signal.shape[1] - length, most * size // 3 + 1).astype(int)
    rows = np.concatenate([signal[:, start : start + length] for start in starts])[: most * size]

    def encode(runtime: CodecRuntime, rows: np.ndarray) -> np.ndarray:
        return GroupCoder(runtime, [tuple(range(1, size + 1)) if size > 1 else (0,)] * (len(rows) // size)).encode(rows)

    def decode(runtime: CodecRuntime, codes: np.ndarray) -> np.ndarray:
        return GroupCoder(runtime, [tuple(range(1, size + 1)) if size > 1 else (0,)] * len(codes)).decode(codes)

    codes = encode(runtime, rows)
    context = np.zeros((*codes.shape[:2], runtime.decoder_context), np.uint16)
    padded = np.concatenate([context, codes, context], axis=2)
    back = decode(runtime, padded)
    name = f"{checkpoint.config.architecture} {checkpoint.config.name}"
    for threads in sizes:
        torch.set_num_threads(threads)
        runtime = CodecRuntime(checkpoint, threads=threads)
        for batch in sizes[threads]:
            if not np.array_equal(encode(runtime, rows[: batch * size]), codes[:batch]):
                yield f"{name}: tokens of a batch of {batch}, {threads} threads"
            if not np.array_equal(decode(runtime, padded[:batch]), back[: batch * size]):
                yield f"{name}: samples of a batch of {batch}, {threads} threads"
        for split in (1, 7, 19):
            parts = [encode(runtime, part) for part in (rows[: split * size], rows[split * size :])]
            if not np.array_equal(np.concatenate(parts), codes):
                yield f"{name}: tokens of parts of {split} and {most - split}, {threads} threads"
        if not np.array_equal(encode(runtime, misaligned(rows)), codes):
            yield f"{name}: tokens of samples at another address, {threads} threads"


def main(recording: Path, folder: Path, *, every: bool = False) -> int:
    """Do both parts; return the exit code."""
    signal, sizes = waves(recording), EVERY_BATCH if every else BATCHES
    found = [line for checkpoint in models(folder / "models") for line in differences(checkpoint, signal, sizes)]
    print("\n".join(found))
    for name, options in WAYS.items():
        eegzip.compress(recording, folder / f"{name}.eegz", **options)  # type: ignore[arg-type]
        eegzip.decompress(folder / f"{name}.eegz", folder / f"{name}.edf")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), every="every" in sys.argv[3:]))
