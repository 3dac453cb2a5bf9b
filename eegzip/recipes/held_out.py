"""PRD of a checkpoint on recordings of people that its training never saw."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eegzip.codecs.channels.grouping import channel_styles, manual_groups
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.signal.analysis import mirror_indices
from eegzip.codecs.stream_coder import GroupCoder
from eegzip.formats.eegz.timeline import FrameGrid
from eegzip.recipes.dataset import Waveforms


def coder_of(runtime: CodecRuntime, labels: Sequence[str]) -> tuple[GroupCoder, list[int]]:
    """Return what codes channels of these labels as a file would, and the channels in the order of its rows."""
    adapters = runtime.checkpoint.config.adapters
    if adapters is None:
        return GroupCoder(runtime, [(0,)] * len(labels)), list(range(len(labels)))
    groups = manual_groups(labels, adapters.max_channels, vocabulary=adapters.vocabulary)
    each = channel_styles(labels, adapters.vocabulary)
    styles = [[each[index] for index in group] for group in groups]
    return GroupCoder(runtime, styles), [index for group in groups for index in group]


def encode_recording(
    coder: GroupCoder, hop: int, y: npt.NDArray[np.float32], n_codebooks: int | None = None
) -> npt.NDArray[np.uint16]:
    """Return the codes [groups, levels, frames] of a whole normalised recording [C, n], its rows as the coder wants."""
    window, context = coder.window_frames, coder.encoder_context
    total = y.shape[1]
    frames = FrameGrid(total, 1, 1, 1, hop).n_frames
    parts = []
    for first in range(0, frames, window):
        start = (first - context) * hop - hop // 2
        where = mirror_indices(total, start, start + (window + 2 * context) * hop)
        parts.append(coder.encode(y[:, where], n_codebooks))
    return np.concatenate(parts, axis=2)[:, :, :frames]


def decode_recording(
    coder: GroupCoder, hop: int, codes: npt.NDArray[np.uint16], total: int
) -> npt.NDArray[np.float32]:
    """Return the normalised waveform [C, total] of a whole recording's codes."""
    context, frames = coder.decoder_context, codes.shape[2]
    padded = np.pad(codes, ((0, 0), (0, 0), (context, context)))
    return coder.decode(padded, (context, context + frames))[:, hop // 2 : hop // 2 + total]


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
    """Return the middle of each recording, few channels of it (0: all): enough to watch a run by."""
    found = []
    for r in recordings:
        length = min(round(256 * seconds), r.y.shape[1])
        start = (r.y.shape[1] - length) // 2
        every = max(len(r.y) // channels, 1) if channels else 1
        cut = (slice(None, None, every), slice(start, start + length))
        found.append(Waveforms(r.group, r.name, r.x[cut], r.y[cut], r.scale[cut], r.labels[::every]))
    return found


def evaluate(
    runtime: CodecRuntime, recordings: list[Waveforms], depths: tuple[int, ...]
) -> dict[str, dict[int, dict[str, float]]]:
    """Return, for each set and depth, medians over recordings and channels; the rate is in bits a second per channel.

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
        coder, order = coder_of(runtime, recording.labels)
        y, scale = recording.y[order], recording.scale[order]
        x = y * scale
        level = coder.n_groups / coder.n_channels * runtime.rate / runtime.hop * math.log2(runtime.codebook_size)
        for depth in depths:
            codes = encode_recording(coder, runtime.hop, y, depth)
            decoded = decode_recording(coder, runtime.hop, codes, total) * scale
            rate = np.full(len(x), depth * level)
            rows = np.stack([prd(x, decoded), worst_second(x, decoded, round(runtime.rate)), rate])
            found.setdefault(recording.group, {}).setdefault(depth, []).append(rows)
    result: dict[str, dict[int, dict[str, float]]] = {}
    for group, by_depth in found.items():
        for depth, found_rows in by_depth.items():
            both = np.concatenate(found_rows, axis=1)
            result.setdefault(group, {})[depth] = {
                "prd": round(float(np.median(both[0])), 2),
                "prd_p90": round(float(np.percentile(both[0], 90)), 2),
                "worst_second": round(float(np.median(both[1])), 2),
                "rate": round(float(np.median(both[2])), 1),
            }
    return result
