"""Signals that a network codes as tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.stream_batch import (
    ChannelScaling,
    DigitalSource,
    StreamBatch,
    analysis_of,
    batches_of,
    block_records,
    joint_latents_of,
    joint_set_of,
    largest_scales,
    sample_reader,
    synthesis_of,
)
from eegzip.encoding.stage import ChunkStreams, SignalFidelity
from eegzip.evaluation.fidelity import EegPartMeter, FidelityMeter
from eegzip.formats.edf import EdfFile
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.klt import KLT
from eegzip.formats.eegz.reader import chunk_knot_range

if TYPE_CHECKING:
    from eegzip.codecs.runtime import CodecRuntime
    from eegzip.codecs.signal.analysis import Analysis
    from eegzip.codecs.signal.klt import Distortion
    from eegzip.codecs.signal.synthesis import Synthesis
    from eegzip.encoding.lines.removal import LinesRemoved
    from eegzip.encoding.target_bitrate import TargetBitrate


# A joint decoder is used where it leaves less than this share of the PRD: more must differ than last bits.
_WORTH = 0.999


@dataclass(frozen=True)
class TokenSynthesis:
    """What a chunk's tokens make of a signal.

    Parameters
    ----------
    samples : ndarray of float64, shape (n,)
        In digital units, before rounding.
    tolerance : float
        How far another machine's may be off, in digital units (SPEC.md, section 9).
    """

    samples: np.ndarray
    tolerance: float


@dataclass(frozen=True)
class _Meters:
    """What one way of decoding a batch loses."""

    fidelity: FidelityMeter
    eeg: EegPartMeter

    def results(self) -> list[SignalFidelity]:
        """Of each signal."""
        pairs = zip(self.fidelity.results(), self.eeg.results(), strict=True)
        return [SignalFidelity(fidelity, eeg_prd=eeg) for fidelity, (eeg, _) in pairs]


@dataclass(frozen=True)
class _BatchAtWork:
    batch: StreamBatch
    channels: ChannelScaling
    analysis: Analysis
    synthesis: Synthesis
    meters: _Meters
    joint: Synthesis | None
    joint_meters: _Meters


class TokenStage:
    """Codes signals with a network, all batches of a recording.

    Parameters
    ----------
    file : EdfFile
    header : FileHeader
    runtimes : sequence of CodecRuntime
        One each of the header's codecs.
    distortions : mapping of KLT to Distortion
        Of the components of the header's KLTs.
    bitrate : float or None
        Bits of tokens a second and signal to aim at.
    lines : LinesRemoved or None
        The recording without its lines, which is what is coded.
    """

    def __init__(
        self,
        file: EdfFile,
        header: FileHeader,
        runtimes: Sequence[CodecRuntime],
        distortions: Mapping[KLT, Distortion],
        bitrate: float | None = None,
        lines: LinesRemoved | None = None,
    ) -> None:
        self._file = file
        self._lines = lines
        self._source: DigitalSource = file if lines is None else lines
        self._header = header
        # Where there are bounds besides, what a decoder restores is another stage's.
        self._restores = not header.layer_sets
        targets: list[TargetBitrate] = []
        if bitrate is not None:
            # Here, as it needs numba, which takes a while to load.
            from eegzip.encoding.target_bitrate import TargetBitrate

            targets = [TargetBitrate(header, runtime, bitrate) for runtime in runtimes]
        self._at_work = []
        for batch in batches_of(header):
            codec = header.groups[batch.groups[0]].codec
            distortion = None if batch.klt is None else distortions[batch.klt]
            self._at_work.append(self._begin(batch, runtimes[codec], distortion, targets[codec] if targets else None))

    def _begin(
        self, batch: StreamBatch, runtime: CodecRuntime, distortion: Distortion | None, target: TargetBitrate | None
    ) -> _BatchAtWork:
        header, read = self._header, sample_reader(self._source, batch)
        analysis = analysis_of(header, batch, read, runtime, distortion)
        if target is not None:
            # The first was a probe.
            analysis = analysis_of(header, batch, read, runtime, distortion, target.chooser(batch, analysis))
        channels = ChannelScaling.of(header, batch)
        synthesis = synthesis_of(header, batch, analysis, runtime)
        joint = None
        if joint_set_of(header, batch) is not None:
            latents = joint_latents_of(header, batch, analysis, runtime, batch.signals)
            joint = synthesis_of(header, batch, analysis, runtime, latents)
        rate = header.signals[batch.signals[0]].sample_rate or 1.0
        meters = [_Meters(FidelityMeter(channels.centres), EegPartMeter(len(batch.signals), rate)) for _ in range(2)]
        return _BatchAtWork(batch, channels, analysis, synthesis, meters[0], joint, meters[1])

    def encode(self, chunk: int) -> ChunkStreams:
        """Tokens and knots of a chunk."""
        header = self._header
        first, stop = header.records_of_chunk(chunk)
        tokens: dict[int, np.ndarray] = {}
        knots: dict[int, np.ndarray] = {}
        for work in self._at_work:
            self._forget_before(work, first)
            group = work.batch.groups[0]
            codes = work.analysis.frames(*header.grid(group).frames_of_records(first, stop))
            tokens.update(zip(work.batch.groups, codes, strict=True))
            if header.codecs[header.groups[group].codec].knot_spacing:
                scales = work.analysis.knots(*chunk_knot_range(header, chunk, group))
                knots.update(zip(work.batch.owners(header), scales, strict=True))
            if self._restores:
                self._measure(work, first, stop)
        return ChunkStreams(
            tokens=[tokens[group] for group in sorted(tokens)],
            knots=[knots[signal] for group in header.groups for signal in group.signals if signal in knots],
        )

    def synthesised(self, chunk: int) -> dict[int, TokenSynthesis]:
        """What the tokens of a chunk make of each of their signals."""
        header = self._header
        first, stop = header.records_of_chunk(chunk)
        result = {}
        for work in self._at_work:
            group = work.batch.groups[0]
            per_record = header.signals[work.batch.signals[0]].samples_per_record
            samples = work.synthesis.values(first * per_record, stop * per_record)
            if header.codecs[header.groups[group].codec].knot_spacing:
                knots = work.analysis.knots(*chunk_knot_range(header, chunk, group))
                scales = largest_scales(header, work.batch, knots)
            else:
                scales = work.channels.ranges
            for signal, row, scale in zip(work.batch.signals, samples, scales, strict=True):
                result[signal] = TokenSynthesis(row, 1 + float(scale) / 1024)
        return result

    def fidelities(self) -> dict[int, SignalFidelity]:
        """Measured by decoding what was written."""
        if not self._restores:
            return {}
        return {
            signal: _better(alone, together)
            for work in self._at_work
            for signal, alone, together in zip(
                work.batch.signals, work.meters.results(), work.joint_meters.results(), strict=True
            )
        }

    def _measure(self, work: _BatchAtWork, first: int, stop: int) -> None:
        """Restore what was just coded, as a decoder will, and compare."""
        read, read_coded = sample_reader(self._file, work.batch), sample_reader(self._source, work.batch)
        per_record = self._header.signals[work.batch.signals[0]].samples_per_record
        step = block_records(self._header)
        for begin in range(first, stop, step):
            samples = (begin * per_record, min(begin + step, stop) * per_record)
            original, coded = read(*samples), read_coded(*samples)
            for synthesis, meters in ((work.synthesis, work.meters), (work.joint, work.joint_meters)):
                if synthesis is None:
                    continue
                restored = synthesis.digital(*samples)
                # Of what is left without lines: a tone beside the mains is no EEG.
                meters.eeg.update(coded, restored)
                if self._lines is not None:
                    restored = self._lines.put_back(begin, work.batch.signals, restored)
                meters.fidelity.update(original, restored)

    def _forget_before(self, work: _BatchAtWork, record: int) -> None:
        grid = self._header.grid(work.batch.groups[0])
        # The decoder may yet look back by a window for the samples before the chunk's first frame.
        next_frame = grid.frames_of_records(record, self._header.n_records)[0]
        # What a joint decoder makes of a window takes tokens of the window before that, too.
        back = 2 if work.joint is None else 3
        work.analysis.forget_before(next_frame - back * work.analysis.window_frames)


def _better(alone: SignalFidelity, together: SignalFidelity) -> SignalFidelity:
    """The way of decoding a signal that is nearer to its original; together only where it is worth it."""
    before, after = alone.fidelity.prd, together.fidelity.prd
    if before is not None and after is not None and after < _WORTH * before:
        return replace(together, refined=True)
    return alone
