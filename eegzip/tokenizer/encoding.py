"""From recordings in memory to tokens and scales, exactly as they would be in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.signal.analysis import Analysis
from eegzip.codecs.signal.scaling import AdaptiveScaling
from eegzip.codecs.stream_batch import (
    BATCH_SAMPLES,
    BLOCK_SECONDS,
    ChannelScaling,
    DigitalSource,
    StreamBatch,
    analysis_of,
    batches_of,
    sample_reader,
)
from eegzip.codecs.stream_coder import GroupCoder
from eegzip.encoding.kinds import Codecs
from eegzip.encoding.options import CodecChoice, CompressionOptions
from eegzip.encoding.plan import Plan, plan
from eegzip.encoding.statistics import RecordingStatistics, SignalStatistics, signal_statistics
from eegzip.formats.eegz.header import Coding, FileHeader
from eegzip.formats.errors import UsageError
from eegzip.formats.tokens.packed import ABSENT
from eegzip.tokenizer.samples import Samples

_NO_DIGEST = "0" * 64


@dataclass(frozen=True)
class Coded:
    """A recording's tokens and what a file says beside them.

    Parameters
    ----------
    header : FileHeader
        As the file would have it.
    codes : ndarray of uint16, shape (groups, codebooks, frames)
    knots : ndarray of int64, shape (C, N, 2)
        Of each channel, or of the component in whose name the channel stands; zeros where it has none.
    statistics : tuple of SignalStatistics
        Of each channel.
    """

    header: FileHeader
    codes: npt.NDArray[np.uint16]
    knots: npt.NDArray[np.int64]
    statistics: tuple[SignalStatistics, ...]


def encode_recordings(
    recordings: Sequence[Samples], codec: CodecChoice, options: CompressionOptions, runtime: CodecRuntime
) -> list[Coded]:
    """Encode recordings of the same channels, rate and length.

    Parameters
    ----------
    recordings : sequence of Samples
    codec : CodecChoice
    options : CompressionOptions
        That ask for tokens of all channels.
    runtime : CodecRuntime

    Raises
    ------
    UsageError
        A channel can't have tokens.
    """
    plans, results = [], []
    for recording in recordings:
        planned, measured = _planned(recording, codec, options, runtime)
        plans.append(planned)
        results.append(_empty(planned, measured))
    plain: list[tuple[int, StreamBatch]] = []
    sources: list[DigitalSource] = [
        recording if planned.lines is None else planned.lines
        for recording, planned in zip(recordings, plans, strict=True)
    ]
    for number, planned in enumerate(plans):
        header = planned.header
        for batch in batches_of(header):
            if batch.klt is None and header.codecs[0].knot_spacing:
                plain.append((number, batch))
                continue
            read = sample_reader(sources[number], batch)
            distortion = None if batch.klt is None else planned.distortions[batch.klt]
            analysis = analysis_of(header, batch, read, runtime, distortion)
            _take(results[number], batch, *_all(analysis, header, batch))
    for part in _affordable(plain, plans):
        analysis = _together(part, plans, sources, runtime)
        number, batch = part[0]
        codes, knots = _all(analysis, plans[number].header, batch)
        group = row = 0
        for number, batch in part:
            groups, rows = group + len(batch.groups), row + len(batch.signals)
            _take(results[number], batch, codes[group:groups], knots[row:rows])
            group, row = groups, rows
    return results


def _planned(
    recording: Samples, codec: CodecChoice, options: CompressionOptions, runtime: CodecRuntime
) -> tuple[Plan, tuple[SignalStatistics, ...]]:
    """How a file of a recording would be coded, and what its channels are like."""
    found = signal_statistics(recording, range(len(recording.header.signals)))
    measured = tuple(found[index] for index in range(len(found)))
    if codec.config.multichannel is None or codec.config.adapters is not None:
        measured = tuple(_never_flat(signal) for signal in measured)
    statistics = RecordingStatistics(measured, _NO_DIGEST, ())
    planned = plan(recording, statistics, Codecs(codec), options, runtime)
    for entry, signal in zip(planned.header.signals, measured, strict=True):
        if entry.coding is not Coding.TOKENS and not signal.flat:
            raise UsageError(f"channel '{entry.label}' can't have tokens: {entry.reason}.")
    return planned, measured


def _never_flat(signal: SignalStatistics) -> SignalStatistics:
    """A file keeps a flat channel exactly, without tokens; a batch needs as many of every channel."""
    return replace(signal, highest=signal.lowest + 1) if signal.flat else signal


def _empty(planned: Plan, measured: tuple[SignalStatistics, ...]) -> Coded:
    """Room for a recording's tokens."""
    header = planned.header
    if not header.groups:
        # All of it is flat, and a rotation of nothing has no components.
        return Coded(header, np.zeros((0, 0, 0), np.uint16), np.zeros((len(header.signals), 0, 2), np.int64), measured)
    grid, spacing = header.grid(0), header.codecs[0].knot_spacing
    first, stop = grid.knots_of_frames(0, grid.n_frames, spacing) if spacing else (0, 0)
    depth = max(group.codebooks for group in header.groups)
    codes = np.full((len(header.groups), depth, grid.n_frames), ABSENT, np.uint16)
    return Coded(header, codes, np.zeros((len(header.signals), stop - first, 2), np.int64), measured)


def _all(analysis: Analysis, header: FileHeader, batch: StreamBatch) -> tuple[np.ndarray, np.ndarray]:
    """All tokens and knots of what an analysis is of."""
    grid, spacing = header.grid(batch.groups[0]), header.codecs[0].knot_spacing
    codes = analysis.frames(0, grid.n_frames)
    return codes, analysis.knots(*grid.knots_of_frames(0, grid.n_frames, spacing) if spacing else (0, 0))


def _take(result: Coded, batch: StreamBatch, codes: np.ndarray, knots: np.ndarray) -> None:
    result.codes[list(batch.groups), : codes.shape[1]] = codes
    result.knots[list(batch.owners(result.header))] = knots


def _affordable(
    batches: Sequence[tuple[int, StreamBatch]], plans: Sequence[Plan]
) -> Iterator[list[tuple[int, StreamBatch]]]:
    """Batches of several recordings that are done at once: of one depth, and as many as memory allows."""
    part: list[tuple[int, StreamBatch]] = []
    taken = 0
    for number, batch in batches:
        header = plans[number].header
        grid, rate = header.grid(batch.groups[0]), header.signals[batch.signals[0]].sample_rate or 1.0
        cost = len(batch.signals) * min(grid.n_samples, int(BLOCK_SECONDS * rate))
        if part and (taken + cost > BATCH_SAMPLES or _depth(plans, *part[0]) != _depth(plans, number, batch)):
            yield part
            part, taken = [], 0
        part.append((number, batch))
        taken += cost
    if part:
        yield part


def _depth(plans: Sequence[Plan], number: int, batch: StreamBatch) -> int:
    return plans[number].header.groups[batch.groups[0]].codebooks


def _together(
    part: Sequence[tuple[int, StreamBatch]],
    plans: Sequence[Plan],
    sources: Sequence[DigitalSource],
    runtime: CodecRuntime,
) -> Analysis:
    """Encode channels, or groups, of several recordings as one batch, by adaptive scaling: each knows of no other."""
    channels = [ChannelScaling.of(plans[number].header, batch) for number, batch in part]
    readers = [sample_reader(sources[number], batch) for number, batch in part]
    styles = [
        plans[number].header.groups[group].styles or (0,) * len(plans[number].header.groups[group].signals)
        for number, batch in part
        for group in batch.groups
    ]
    number, batch = part[0]
    header, config = plans[number].header, runtime.checkpoint.config.scaling
    return Analysis(
        lambda start, stop: np.concatenate([read(start, stop) for read in readers]),
        header.grid(batch.groups[0]),
        GroupCoder(runtime, styles),
        AdaptiveScaling(header.codecs[0].knot_spacing, config.level_rms, config.level_peak),
        np.concatenate([each.centres for each in channels]),
        np.concatenate([each.ranges for each in channels]),
        _depth(plans, number, batch),
    )
