"""Brings a header's token streams together with the network that codes them.

Channels of one sample rate are done together, in one batch: that is what makes the network fast.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from eegzip.codecs.signal.analysis import Analysis, Chooser, SampleReader
from eegzip.codecs.signal.highpass import HighPass
from eegzip.codecs.signal.klt import Distortion, KltComponents
from eegzip.codecs.signal.scaling import AdaptiveScaling, FixedScaling, scale_of
from eegzip.codecs.signal.synthesis import Synthesis, TokenSource
from eegzip.codecs.stream_coder import GroupCoder
from eegzip.formats.edf import EdfHeader
from eegzip.formats.eegz.header import FileHeader, ScalingKind
from eegzip.formats.eegz.klt import KLT
from eegzip.formats.eegz.timeline import FrameGrid

if TYPE_CHECKING:
    from eegzip.codecs.joint_latents import JointLatents, JointSource
    from eegzip.codecs.runtime import CodecRuntime

BLOCK_SECONDS = 60.0
BATCH_SAMPLES = 1 << 23
"""In a block, of signals that are coded together."""


def block_records(header: FileHeader) -> int:
    """Data records that are restored at a time: about a minute, so that memory stays flat."""
    duration, most = header.record_duration, max(1, header.n_records)
    if not duration:
        return 1
    # Records may be so short that the quotient is no number.
    return most if duration * most <= BLOCK_SECONDS else max(1, round(BLOCK_SECONDS / duration))


@dataclass(frozen=True)
class StreamBatch:
    """Groups of one codec whose signals have one sample rate, and so one grid of frames.

    Parameters
    ----------
    groups : tuple of int
        Indices into the header's groups.
    signals : tuple of int
        Their signals, group after group, in the order of each: all for an encoder; for a decoder those that are
        wanted, as a group's signals are decoded one by one from its tokens.
    klt : KLT or None
        The one that the groups are, all of it: then every group has a waveform of its own, a component, and each
        signal takes them all.
    """

    groups: tuple[int, ...]
    signals: tuple[int, ...]
    klt: KLT | None = None

    def owners(self, header: FileHeader) -> tuple[int, ...]:
        """The signal in whose name each of the batch's waveforms has its scaling knots."""
        if self.klt is None:
            return self.signals
        return tuple(header.groups[group].signals[0] for group in self.groups)


def batches_of(header: FileHeader, signals: Sequence[int] | None = None) -> list[StreamBatch]:
    """Sort the groups that hold some signals into batches.

    Parameters
    ----------
    header : FileHeader
    signals : sequence of int, optional
        Only groups with one of these, and of them only these; all by default. Of a KLT all groups, as every
        signal takes them all.
    """
    # Groups that are decoded together are a batch, as all of them are read anyway.
    together = {group: number for number, part in enumerate(header.joint_sets()) for group in part}
    batches: dict[tuple[FrameGrid, int, int, int | None], list[int]] = {}
    rotated: list[StreamBatch] = []
    wanted = None if signals is None else frozenset(signals)
    for klt in header.klts:
        owners = (header.groups[group].signals[0] for group in klt.groups)
        chosen = tuple(signal for signal in owners if wanted is None or signal in wanted)
        if chosen:
            rotated.append(StreamBatch(klt.groups, chosen, klt))
    apart = {group for klt in header.klts for group in klt.groups}
    for number, group in enumerate(header.groups):
        if number not in apart and (wanted is None or wanted.intersection(group.signals)):
            key = (header.grid(number), group.codec, group.codebooks, together.get(number))
            batches.setdefault(key, []).append(number)
    return rotated + [
        StreamBatch(
            tuple(part),
            tuple(
                signal
                for group in part
                for signal in header.groups[group].signals
                if wanted is None or signal in wanted
            ),
        )
        for groups in batches.values()
        for part in _affordable(header, groups)
    ]


def _affordable(header: FileHeader, groups: list[int]) -> Iterator[list[int]]:
    """Parts of a batch whose samples of a minute don't fill the memory: hundreds of channels at kHz rates would."""
    rate = header.signals[header.groups[groups[0]].signals[0]].sample_rate or 1.0
    most = max(1, int(BATCH_SAMPLES / (rate * BLOCK_SECONDS)))
    part: list[int] = []
    taken = 0
    for group in groups:
        size = len(header.groups[group].signals)
        if part and taken + size > most:
            yield part
            part, taken = [], 0
        part.append(group)
        taken += size
    yield part


def _members(header: FileHeader, batch: StreamBatch, signals: Sequence[int]) -> list[list[int]]:
    """For each group of a batch, the places in it of some signals."""
    chosen = frozenset(signals)
    return [
        [place for place, signal in enumerate(header.groups[group].signals) if signal in chosen]
        for group in batch.groups
    ]


@dataclass(frozen=True)
class ChannelScaling:
    """What the header's groups say of the channels and waveforms of a batch.

    Parameters
    ----------
    centres : ndarray of float, shape (channels,)
        Digital values.
    lowest, highest : ndarray of int, shape (channels,)
        Digital range of the original.
    ranges : ndarray of float, shape (waveforms,)
        Steps of offset codes, or limits of a fixed scaling. Waveforms are the channels, but for components.
    """

    centres: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    ranges: np.ndarray

    @classmethod
    def of(cls, header: FileHeader, batch: StreamBatch) -> ChannelScaling:
        """Collect it from the groups of a batch."""
        groups = [header.groups[group] for group in batch.groups]
        channels, waveforms = _members(header, batch, batch.signals), _members(header, batch, batch.owners(header))

        def column(rows: Sequence[Sequence[float]], members: Sequence[Sequence[int]]) -> np.ndarray:
            return np.array([row[place] for row, places in zip(rows, members, strict=True) for place in places])

        return cls(
            centres=column([group.centres for group in groups], channels),
            lowest=column([group.lowest for group in groups], channels),
            highest=column([group.highest for group in groups], channels),
            ranges=column([group.ranges for group in groups], waveforms),
        )


def _rows(header: FileHeader, batch: StreamBatch) -> np.ndarray | None:
    """Matrix [signals, components] that makes a batch's signals of its components; ``None`` where it has none."""
    if batch.klt is None:
        return None
    owners = batch.owners(header)
    return batch.klt.to_signals()[[owners.index(signal) for signal in batch.signals]]


def largest_scales(header: FileHeader, batch: StreamBatch, knots: np.ndarray) -> np.ndarray:
    """What the tolerance of each signal of a batch is measured by: the largest scale of some knots.

    Parameters
    ----------
    header : FileHeader
    batch : StreamBatch
    knots : ndarray of int, shape (waveforms, knots, 2)
    """
    scales = scale_of(knots[:, :, 0])
    rows = _rows(header, batch)
    if rows is not None:
        # Here, as it needs numba, which takes a while to load.
        from eegzip.formats.fixed_order import product

        scales = np.sqrt(product(np.square(rows), np.square(scales)))
    result: np.ndarray = scales.max(axis=1, initial=0.0)
    return result


def _coder(header: FileHeader, batch: StreamBatch, runtime: CodecRuntime) -> GroupCoder:
    """The network for a batch's groups; where every channel is coded alone, styles mean nothing."""
    styles = [header.groups[group].styles or (0,) * len(header.groups[group].signals) for group in batch.groups]
    places = _members(header, batch, batch.owners(header))
    return GroupCoder(runtime, [[row[place] for place in part] for row, part in zip(styles, places, strict=True)])


def _scaling(
    header: FileHeader, batch: StreamBatch, runtime: CodecRuntime, channels: ChannelScaling
) -> AdaptiveScaling | FixedScaling:
    codec = header.codecs[header.groups[batch.groups[0]].codec]
    if codec.scaling is ScalingKind.ADAPTIVE:
        config = runtime.checkpoint.config.scaling
        return AdaptiveScaling(codec.knot_spacing, config.level_rms, config.level_peak)
    return FixedScaling(channels.ranges, np.zeros(len(batch.signals)), runtime.checkpoint.config.scaling.bound)


def analysis_of(
    header: FileHeader,
    batch: StreamBatch,
    read: SampleReader,
    runtime: CodecRuntime,
    distortion: Distortion | None = None,
    choose: Chooser | None = None,
) -> Analysis:
    """Encoder of a batch, reading its signals' digital values with `read`; components get an error of `distortion`."""
    components = None
    if batch.klt is not None and distortion is not None:
        components = KltComponents(batch.klt.to_components(), distortion)
    channels = ChannelScaling.of(header, batch)
    grid, centres = header.grid(batch.groups[0]), channels.centres
    codec = header.codecs[header.groups[batch.groups[0]].codec]
    rate = header.signals[batch.signals[0]].sample_rate
    if codec.highpass is not None and rate is not None:
        # What comes out of the filter has no centre any more.
        read, centres = HighPass(rate, codec.highpass).reader(read, grid.n_samples), np.zeros_like(centres)
    return Analysis(
        read,
        grid,
        _coder(header, batch, runtime),
        _scaling(header, batch, runtime, channels),
        centres,
        channels.ranges,
        header.groups[batch.groups[0]].codebooks,
        components,
        choose,
    )


def joint_set_of(header: FileHeader, batch: StreamBatch) -> StreamBatch | None:
    """All that is decoded together with a batch; ``None`` where each of its channels is decoded alone."""
    for groups in header.joint_sets():
        if batch.groups[0] in groups:
            return StreamBatch(groups, tuple(header.groups[group].signals[0] for group in groups))
    return None


def joint_latents_of(
    header: FileHeader, batch: StreamBatch, source: JointSource, runtime: CodecRuntime, refined: Collection[int]
) -> JointLatents:
    """Latents of a batch, some signals of it `refined`; `source` gives the tokens of its whole joint set."""
    # Here, as it needs numba, which takes a while to load.
    from eegzip.codecs.joint_latents import JointLatents

    together = joint_set_of(header, batch)
    if together is None:
        raise ValueError("these channels are decoded each alone")
    wanted = [together.signals.index(signal) for signal in batch.signals]
    places = [place for place, signal in enumerate(together.signals) if signal in refined]
    return JointLatents(source, header.grid(batch.groups[0]), runtime, wanted, places)


def synthesis_of(
    header: FileHeader,
    batch: StreamBatch,
    source: TokenSource,
    runtime: CodecRuntime,
    joint: JointLatents | None = None,
) -> Synthesis:
    """Decoder of a batch, taking tokens and knots from `source`, or latents from `joint` where there are such."""
    channels = ChannelScaling.of(header, batch)
    return Synthesis(
        source,
        header.grid(batch.groups[0]),
        _coder(header, batch, runtime),
        _scaling(header, batch, runtime, channels),
        channels.centres,
        channels.ranges,
        channels.lowest,
        channels.highest,
        _rows(header, batch),
        joint,
    )


class DigitalSource(Protocol):
    """A recording whose samples can be read: an EDF file, or one without its lines."""

    header: EdfHeader
    n_records: int

    def digital(self, start: int, stop: int, signals: Sequence[int]) -> np.ndarray:
        """Digital values int32 [signals, n] of the records from `start` up to `stop`."""

    def spans(self) -> Iterator[tuple[int, int]]:
        """Records, first and one after the last, that are read at a time from end to end."""


def sample_reader(file: DigitalSource, batch: StreamBatch) -> SampleReader:
    """Reads the digital values of a batch's signals from a recording."""
    per_record = file.header.signals[batch.signals[0]].samples_per_record

    def read(start: int, stop: int) -> np.ndarray:
        first = start // per_record
        rows = file.digital(first, -(-stop // per_record), batch.signals)
        return rows[:, start - first * per_record : stop - first * per_record]

    return read
