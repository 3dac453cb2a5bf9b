"""From a recording, its statistics and the user's options to what is written: file header, network, distortion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np

from eegzip._version import __version__
from eegzip.codecs.checkpoints import registry
from eegzip.codecs.signal.resampling import network_ratio
from eegzip.codecs.signal.scaling import RobustLevel, choose_offset_step
from eegzip.codecs.stream_batch import DigitalSource
from eegzip.decoding.memory import believable_records
from eegzip.encoding.channel_groups import SharedStream, share
from eegzip.encoding.kinds import Codecs, parts_of
from eegzip.encoding.klt import transformed
from eegzip.encoding.lines.plan import without_lines
from eegzip.encoding.options import (
    DEFAULT_CHUNK_SECONDS,
    LONG_CHUNK_SECONDS,
    LONG_LEVEL,
    LOSSLESS_CHUNK_SECONDS,
    CodecChoice,
    CompressionOptions,
    choose,
)
from eegzip.encoding.robust_level import robust_levels
from eegzip.encoding.signal_coding import signal_entries
from eegzip.encoding.statistics import LEVEL_SECONDS, RecordingStatistics, SignalStatistics
from eegzip.formats.edf import EdfFile, SignalHeader
from eegzip.formats.eegz import header as eegz
from eegzip.formats.eegz.klt import KLT
from eegzip.formats.errors import UsageError
from eegzip.formats.limits import CHUNK_BYTES, MAX_LAYER_SAMPLES, MAX_LAYER_SIGNALS

if TYPE_CHECKING:
    from eegzip.codecs.runtime import CodecRuntime
    from eegzip.codecs.signal.klt import Distortion
    from eegzip.encoding.lines.removal import LinesRemoved

_CHUNK_COST = 12000
_STREAM_COST = 2400
"""Bytes of the original of which a chunk's, and a stream's, own header are half a hundredth."""

_SET_SAMPLES = 1 << 21
"""Of a layer set in a chunk: what is done with them at a time takes some 200 bytes each."""


class Plannable(DigitalSource, Protocol):
    """A recording that can be coded: an EDF file, or samples that are not in a file."""

    @property
    def trailing_size(self) -> int:
        """Number of bytes after the last data record."""


@dataclass(frozen=True)
class Plan:
    """How a recording is coded.

    Parameters
    ----------
    header : FileHeader
    runtimes : tuple of CodecRuntime
        The network of each of the header's codecs.
    distortions : mapping of KLT to Distortion
        Of the components of each of the header's KLTs.
    bitrate : float or None
        Bits of tokens a second and signal to aim at.
    lines : LinesRemoved or None
        The recording without its lines; ``None`` where it has none.
    """

    header: eegz.FileHeader
    runtimes: tuple[CodecRuntime, ...]
    distortions: Mapping[KLT, Distortion]
    bitrate: float | None
    lines: LinesRemoved | None = None


def codecs_for(file: EdfFile, options: CompressionOptions) -> Codecs | None:
    """Load the models that a recording asks for; those that the user names are looked at in any case.

    Raises
    ------
    ModelError
        It is missing or damaged.
    UsageError
        It can't do what `options` ask for, or takes packages that are not installed.
    """
    if options.model is None and not options.models:
        # As far as can be said before the recording is read: what turns out to be flat gets no tokens.
        signals = signal_entries(file, [False] * len(file.header.signals), options)
        if not options.tokens or all(signal.coding is eegz.Coding.EXACT for signal in signals):
            return None
    eeg = choose(registry.load(registry.DEFAULT_MODEL if options.model is None else options.model), options)
    alone = replace(options, groups=None)
    others = {kind: choose(registry.load(model), alone) for kind, model in options.models.items()}
    if options.tokens:
        # Here, as it needs numba, which takes a while to load.
        from eegzip.codecs.runtime import require

        for choice in (eeg, *others.values()):
            require(choice.checkpoint, options.device)
    return Codecs(eeg, others)


def plan(
    file: Plannable,
    statistics: RecordingStatistics,
    codecs: Codecs | None,
    options: CompressionOptions,
    runtime: CodecRuntime | None = None,
) -> Plan:
    """Decide how a recording is coded, and load the network where that takes one.

    Parameters
    ----------
    file : Plannable
    statistics : RecordingStatistics
    codecs : Codecs or None
        What :func:`codecs_for` gives.
    options : CompressionOptions
    runtime : CodecRuntime, optional
        The network of EEG, where it is loaded already.

    Raises
    ------
    UsageError
        Channels can't be grouped as asked, or there is no such device.
    """
    coding = codecs if options.tokens else None
    signals = _signals(file, statistics, coding, options)
    lines, coded = without_lines(file, statistics, signals)
    header = plan_header(file, coded, coding, options, signals, file if lines is None else lines)
    if lines is not None:
        header = replace(header, line_sets=tuple(found.entry for found in lines.found))
    if codecs is None or not header.groups:
        return Plan(header, (), {}, None, lines)
    # Only now, as it needs numba, which takes a while to load.
    from eegzip.codecs.runtime import CodecRuntime

    loaded = {} if runtime is None else {codecs.eeg.checkpoint.digest: runtime}
    for choice in (codecs.eeg, *codecs.others.values()):
        digest = choice.checkpoint.digest
        if digest not in loaded and any(codec.digest == digest for codec in header.codecs):
            loaded[digest] = CodecRuntime(choice.checkpoint, device=options.device)
    distortions: dict[KLT, Distortion] = {}
    if codecs.eeg.checkpoint.digest in loaded:
        source = file if lines is None else lines
        header, distortions = transformed(source, coded, header, codecs.eeg, loaded[codecs.eeg.checkpoint.digest])
    runtimes = tuple(loaded[codec.digest] for codec in header.codecs)
    return Plan(header, runtimes, distortions, options.bitrate, lines)


def _signals(
    file: Plannable, statistics: RecordingStatistics, codecs: Codecs | None, options: CompressionOptions
) -> tuple[eegz.SignalEntry, ...]:
    """How each signal is coded."""
    flat = [signal.flat for signal in statistics.signals]
    return signal_entries(file, flat, options, None if codecs is None else codecs.fixed)


def plan_header(
    file: Plannable,
    statistics: RecordingStatistics,
    codecs: Codecs | None,
    options: CompressionOptions,
    signals: tuple[eegz.SignalEntry, ...],
    source: DigitalSource | None = None,
) -> eegz.FileHeader:
    """Decide how each signal is coded and which of them share streams, each channel for itself.

    Parameters
    ----------
    file, statistics, options
        As for :func:`plan`.
    codecs : Codecs or None
        ``None`` where no signal gets tokens.
    signals : tuple of SignalEntry
        How each is coded.
    source : DigitalSource, optional
        What is coded, where it is not the file as it is: the recording without its lines.
    """
    coded = [index for index, entry in enumerate(signals) if entry.coding is not eegz.Coding.EXACT]
    if not coded and options.targets is not None and any(entry.why is eegz.Reason.AS_ASKED for entry in signals):
        exactly = options.exactly()
        return plan_header(file, statistics, None, exactly, _signals(file, statistics, None, exactly))
    entries: list[eegz.CodecEntry] = []
    groups: list[eegz.GroupEntry] = []
    if codecs is not None:
        for part in parts_of(signals, coded, codecs, own_rates=options.rate is None):
            entry = _codec_entry(part.choice, options)
            if entry not in entries:
                entries.append(entry)
            robust = robust_levels(source or file, part.signals, part.choice)
            groups += _groups(file, statistics, part.signals, part.choice, entry, entries.index(entry), robust)
    if coded and options.targets is not None:
        _refuse_what_leaves_nothing(options.targets, [(file.header.signals[i], statistics.signals[i]) for i in coded])
    chunk_records = _chunk_records(file, options, lossless=not coded)
    layer_sets: tuple[eegz.LayerSet, ...] = ()
    if coded and options.targets is not None:
        longest = max(signals[i].samples_per_record for i in coded)
        chunk_records = max(1, min(chunk_records, MAX_LAYER_SAMPLES // longest))
        layer_sets = _layer_sets(signals, statistics, coded, chunk_records)
    return eegz.FileHeader(
        software=f"eegzip {__version__}",
        edf_header=file.header.raw,
        sample_bytes=file.header.sample_bytes,
        record_duration=file.header.record_duration,
        n_records=file.n_records,
        trailing_bytes=file.trailing_size,
        source_sha256=statistics.sha256,
        deviations=statistics.deviations,
        chunk_records=chunk_records,
        signals=signals,
        codecs=tuple(entries),
        groups=tuple(groups),
        layer_sets=layer_sets,
        targets=options.targets if layer_sets else None,
        predicted=any(
            entry.coding is eegz.Coding.EXACT and entry.kind != eegz.ANNOTATIONS and entry.samples_per_record
            for entry in signals
        ),
        level=options.level,
    )


def _layer_sets(
    signals: Sequence[eegz.SignalEntry], statistics: RecordingStatistics, coded: Sequence[int], chunk_records: int
) -> tuple[eegz.LayerSet, ...]:
    """Signals of one sample rate together, as many as a chunk's memory allows."""
    rates: dict[int, list[int]] = {}
    for index in coded:
        rates.setdefault(signals[index].samples_per_record, []).append(index)
    sets = []
    for samples, members in rates.items():
        most = max(1, min(MAX_LAYER_SIGNALS, _SET_SAMPLES // (samples * chunk_records)))
        # Of about one size: a last one of a signal or two would not know its neighbours.
        count = -(-len(members) // most)
        for part in range(count):
            chosen = tuple(members[part * len(members) // count : (part + 1) * len(members) // count])
            sets.append(
                eegz.LayerSet(
                    signals=chosen,
                    lowest=tuple(statistics.signals[index].lowest for index in chosen),
                    highest=tuple(statistics.signals[index].highest for index in chosen),
                )
            )
    return tuple(sets)


def _least_chunk_seconds(file: Plannable) -> float:
    """How long chunks must be for what they cost besides their streams to be under a hundredth of noise at least."""
    header = file.header
    bytes_wanted = _CHUNK_COST + _STREAM_COST * len(header.signals)
    return float(header.record_duration or 0) * -(-bytes_wanted // max(header.record_bytes, 1))


def _refuse_what_leaves_nothing(targets: eegz.Targets, coded: Sequence[tuple[SignalHeader, SignalStatistics]]) -> None:
    """Refuse a largest error within which a straight line takes the place of any few seconds of any channel."""
    if targets.max_error_uv is None or targets.max_prd is not None or targets.min_snr is not None:
        return  # what is promised in percent as well leaves something
    swings = [statistics.swing * abs(signal.microvolts_per_digit or 0.0) for signal, statistics in coded]
    if 2 * targets.max_error_uv >= max(swings):
        raise UsageError(
            f"an error of {targets.max_error_uv:g} uV would leave nothing of this EEG, which never moves by more than "
            f"{max(swings):.3g} uV within {LEVEL_SECONDS:g} seconds; allow less with --max-error, such as 2uV."
        )


def _chunk_records(file: Plannable, options: CompressionOptions, *, lossless: bool) -> int:
    seconds = options.chunk_seconds
    if seconds is None:
        usual = LOSSLESS_CHUNK_SECONDS if lossless else DEFAULT_CHUNK_SECONDS
        if lossless and options.level is not None and options.level >= LONG_LEVEL:
            usual = LONG_CHUNK_SECONDS
        seconds = max(usual, _least_chunk_seconds(file))
    duration = file.header.record_duration
    wanted = round(seconds / duration) if duration else file.n_records
    header = file.header
    affordable = CHUNK_BYTES // max(header.record_bytes, 1)
    # Or a flat signal at 20 kHz would become a file of a kilobyte whose minutes no reader believes.
    samples = sum(signal.samples_per_record for signal in header.signals)
    believable = believable_records(len(header.signals), samples)
    return max(1, min(wanted, affordable, believable, max(file.n_records, 1)))


def _codec_entry(codec: CodecChoice, options: CompressionOptions) -> eegz.CodecEntry:
    config = codec.config
    fixed = codec.steady
    return eegz.CodecEntry(
        name=config.architecture,
        model=config.name,
        digest=codec.checkpoint.digest,
        rate=codec.rate,
        hop=config.network.hop,
        codebooks=config.network.n_codebooks,
        codebook_size=config.network.codebook_size,
        scaling=eegz.ScalingKind.FIXED if fixed else eegz.ScalingKind.ADAPTIVE,
        knot_spacing=0 if fixed else config.scaling.spacing,
        prior=config.prior,
        # Its table of errors is made for adaptive scaling; bounded layers add to what each signal's own tokens give.
        joint=config.joint is not None and not fixed and options.targets is None and not codec.alone,
        highpass=codec.highpass_hz,
    )


def _groups(
    file: Plannable,
    statistics: RecordingStatistics,
    coded: Sequence[int],
    codec: CodecChoice,
    entry: eegz.CodecEntry,
    number: int,
    robust: Mapping[int, RobustLevel],
) -> list[eegz.GroupEntry]:
    """Groups of signals that the codec entry of a number codes."""
    header = file.header
    found = []
    for stream in share(header.signals, coded, codec):
        rate = header.sample_rate_exact(stream.signals[0])
        if not rate:
            raise UsageError("a signal without a sample rate can't be coded by a network.")
        group = _group(stream, header.signals, statistics, rate, codec, entry, robust)
        found.append(replace(group, codec=number))
    return found


def _group(
    stream: SharedStream,
    signals: Sequence[SignalHeader],
    statistics: RecordingStatistics,
    rate: Fraction,
    codec: CodecChoice,
    entry: eegz.CodecEntry,
    robust: Mapping[int, RobustLevel],
) -> eegz.GroupEntry:
    ratio = Fraction(1) if codec.rate is None else network_ratio(rate, codec.rate)
    bits = eegz.nominal_bits(entry, codec.codebooks, len(stream.signals), ratio)
    levels = [_level(signals[index], statistics.signals[index], codec, robust.get(index)) for index in stream.signals]
    return eegz.GroupEntry(
        signals=stream.signals,
        codec=0,
        codebooks=codec.codebooks,
        up=ratio.numerator,
        down=ratio.denominator,
        centres=tuple(centre for centre, _ in levels),
        ranges=tuple(span for _, span in levels),
        lowest=tuple(statistics.signals[index].lowest for index in stream.signals),
        highest=tuple(statistics.signals[index].highest for index in stream.signals),
        bits_per_second=bits * float(rate),
        bits_per_sample=bits,
        styles=stream.styles,
    )


def _level(
    signal: SignalHeader, statistics: SignalStatistics, codec: CodecChoice, robust: RobustLevel | None
) -> tuple[float, float]:
    """Centre and range of a signal, as the container wants them."""
    if robust is not None:
        # As below: behind a filter it is the mean that was taken away.
        return robust.median if codec.highpass_hz is None else float(statistics.centre), robust.spread
    if codec.fixed_limit_uv is None:
        return float(statistics.centre), float(np.ravel(choose_offset_step(statistics.level))[0])
    microvolts, offset, gain = signal.microvolts_per_digit, signal.offset, signal.gain
    if microvolts is None or offset is None or gain is None:
        raise UsageError(f"signal '{signal.label}' has no calibration, which a fixed scaling needs.")
    # What a filter has taken away, the mean can give back in part; without one the recording's own zero counts.
    centre = -offset / gain if codec.highpass_hz is None else float(statistics.centre)
    return centre, abs(codec.fixed_limit_uv / microvolts)
