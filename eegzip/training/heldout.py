"""PRD of a checkpoint on recordings of people that its training never saw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eegzip.codecs.analysis import mirror_indices
from eegzip.codecs.runtime import CodecRuntime
from eegzip.formats.eegz.timeline import FrameGrid
from eegzip.training.recordings import Waveforms


def encode_recording(
    runtime: CodecRuntime, y: npt.NDArray[np.float32], n_codebooks: int | None = None
) -> npt.NDArray[np.uint16]:
    """Return the codes [C, levels, frames] of a whole normalised recording [C, n]."""
    hop, window, context = runtime.hop, runtime.window_frames, runtime.encoder_context
    total = y.shape[1]
    frames = FrameGrid(total, 1, 1, 1, hop).n_frames
    parts = []
    for first in range(0, frames, window):
        start = (first - context) * hop - hop // 2
        where = mirror_indices(total, start, start + (window + 2 * context) * hop)
        parts.append(runtime.encode(y[:, where], n_codebooks))
    return np.concatenate(parts, axis=2)[:, :, :frames]


def decode_recording(runtime: CodecRuntime, codes: npt.NDArray[np.uint16], total: int) -> npt.NDArray[np.float32]:
    """Return the normalised waveform [C, total] of a whole recording's codes."""
    context, frames = runtime.decoder_context, codes.shape[2]
    padded = np.pad(codes, ((0, 0), (0, 0), (context, context)))
    half = runtime.hop // 2
    return runtime.decode(padded, (context, context + frames))[:, half : half + total]


def prd(x: npt.NDArray[np.floating], decoded: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the percent root-mean-square difference of each channel, its mean removed."""
    error = np.square(x - decoded).sum(axis=1)
    energy = np.square(x - x.mean(axis=1, keepdims=True)).sum(axis=1)
    return 100.0 * np.sqrt(error / np.maximum(energy, 1e-12))


def worst_second(
    x: npt.NDArray[np.floating], decoded: npt.NDArray[np.floating], second: int
) -> npt.NDArray[np.float64]:
    """Return each channel's largest RMS error in any one second, in percent of its RMS over all."""
    n = x.shape[1] // second * second
    error = np.square(x - decoded)[:, :n].reshape(len(x), -1, second).mean(axis=2)
    return 100.0 * np.sqrt(error.max(axis=1) / np.maximum(x.var(axis=1), 1e-12))


def excerpts(recordings: list[Waveforms], channels: int = 8, seconds: int = 30) -> list[Waveforms]:
    """Return the middle of each recording, few channels: enough to watch a run by."""
    found = []
    for r in recordings:
        length = min(round(256 * seconds), r.y.shape[1])
        start = (r.y.shape[1] - length) // 2
        every = max(len(r.y) // channels, 1)
        cut = (slice(None, None, every), slice(start, start + length))
        found.append(Waveforms(r.group, r.name, r.x[cut], r.y[cut], r.scale[cut], r.labels[::every]))
    return found


def evaluate(
    runtime: CodecRuntime, recordings: list[Waveforms], depths: tuple[int, ...]
) -> dict[str, dict[int, dict[str, float]]]:
    """Return, for each set and depth, medians over recordings and channels.

    Parameters
    ----------
    runtime
        The model.
    recordings
        Recordings at the model's rate and level.
    depths
        Numbers of codebooks.
    """
    found: dict[str, dict[int, list[npt.NDArray[np.float64]]]] = {}
    for recording in recordings:
        total = recording.y.shape[1]
        x = recording.y * recording.scale
        for depth in depths:
            codes = encode_recording(runtime, recording.y, depth)
            decoded = decode_recording(runtime, codes, total) * recording.scale
            rows = np.stack([prd(x, decoded), worst_second(x, decoded, round(runtime.rate))])
            found.setdefault(recording.group, {}).setdefault(depth, []).append(rows)
    result: dict[str, dict[int, dict[str, float]]] = {}
    for group, by_depth in found.items():
        for depth, found_rows in by_depth.items():
            both = np.concatenate(found_rows, axis=1)
            result.setdefault(group, {})[depth] = {
                "prd": round(float(np.median(both[0])), 2),
                "prd_p90": round(float(np.percentile(both[0], 90)), 2),
                "worst_second": round(float(np.median(both[1])), 2),
            }
    return result
