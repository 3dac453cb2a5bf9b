"""Which signal is coded how, and why: from a recording, its survey and the user's wishes to a file header."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from eegzip._version import __version__
from eegzip.codecs.signal.scaling import choose_offset_step
from eegzip.encoding.channel_groups import SharedStream, share
from eegzip.encoding.options import CodecChoice
from eegzip.encoding.statistics import SignalSurvey, Survey
from eegzip.formats.edf import EdfFile, SignalHeader, SignalKind, classify_signals
from eegzip.formats.edf.label_patterns import matches
from eegzip.formats.edf.units import is_missing, microvolts_per_unit
from eegzip.formats.eegz import header as eegz
from eegzip.formats.eegz.header import KEPT_AS_ASKED
from eegzip.formats.errors import UsageError
from eegzip.formats.limits import CHUNK_BYTES, MAX_LAYER_SAMPLES, MAX_LAYER_SIGNALS

MIN_RATE = 64.0
"""Hz. Below it a signal has too little bandwidth for a network trained at 256 Hz, and costs little exactly."""

# Of a layer set in a chunk: what is done with them at a time takes some 200 bytes each.
_CHUNK_COST = 12000
_STREAM_COST = 2400
"""Bytes of the original of which a chunk's, and a stream's, own header are half a hundredth."""

_SET_SAMPLES = 1 << 21

# Odd record durations give rates such as 249.9996 Hz; a ratio of small integers is near enough for a network.
_MAX_RATIO_TERM = 4096


def sample_rate(header_rate: Fraction | None) -> float | None:
    """A rate as a float, or ``None`` where data records have no duration."""
    return None if not header_rate else float(header_rate)


def _decide(
    signal: SignalHeader,
    kind: SignalKind,
    survey: SignalSurvey,
    rate: Fraction | None,
    choice: CodecChoice | None,
    lossy: Sequence[str],
    exact: Sequence[str],
    targets: eegz.Targets | None,
) -> tuple[eegz.Coding, str]:
    """Coding of one signal and the reason for it."""
    wanted = any(matches(pattern, signal.label) for pattern in lossy)
    obstacle = _obstacle(signal, survey, rate, choice, targets)
    coded = eegz.Coding.TOKENS if targets is None else eegz.Coding.LAYERS
    if kind is SignalKind.ANNOTATIONS:
        return eegz.Coding.EXACT, "annotations are always kept exactly"
    if any(matches(pattern, signal.label) for pattern in exact):
        return eegz.Coding.EXACT, KEPT_AS_ASKED
    if obstacle is not None and (wanted or kind is SignalKind.EEG):
        return eegz.Coding.EXACT, obstacle
    if wanted:
        return coded, "coded lossily as asked"
    if kind is SignalKind.EEG:
        return coded, "EEG"
    return eegz.Coding.EXACT, "a voltage other than EEG" if kind is SignalKind.VOLTAGE else "not an EEG signal"


def _obstacle(
    signal: SignalHeader,
    survey: SignalSurvey,
    rate: Fraction | None,
    choice: CodecChoice | None,
    targets: eegz.Targets | None,
) -> str | None:
    """Why a signal can't be coded lossily, or ``None`` when it can."""
    if not signal.samples_per_record:
        return "it has no samples"
    if rate is None:
        return "its sample rate is unknown, as data records have no duration"
    if survey.flat:
        return "flat: it never changes"
    if rate < MIN_RATE:
        return f"its rate of {float(rate):g} Hz is under {MIN_RATE:g} Hz"
    if not is_missing(signal.unit) and microvolts_per_unit(signal.unit) is None:
        return f"its unit '{signal.unit}' is not a known voltage"
    if choice is not None and choice.fixed_limit_uv is not None and signal.microvolts_per_digit is None:
        return "its calibration in uV is unknown, which a fixed scaling needs"
    if targets is not None and targets.max_error_uv is not None and signal.microvolts_per_digit is None:
        return "its calibration in uV is unknown, which a largest error needs"
    if targets is not None and signal.samples_per_record > MAX_LAYER_SAMPLES:
        return "its data records are too long for layers"
    return None


def plan(
    file: EdfFile,
    survey: Survey,
    choice: CodecChoice | None,
    *,
    lossy: Sequence[str] = (),
    exact: Sequence[str] = (),
    chunk_seconds: float,
    targets: eegz.Targets | None = None,
) -> eegz.FileHeader:
    """Decide how a recording is coded.

    Parameters
    ----------
    file : EdfFile
    survey : Survey
    choice : CodecChoice or None
        ``None`` when no signal is to be coded by a network: the caller knows that none needs one, or signals have
        `targets` and no tokens.
    lossy, exact : sequence of str
        Patterns that overrule the classification; `exact` wins over `lossy`, as it can do no harm.
    chunk_seconds : float
        Wanted length of a chunk.
    targets : Targets, optional
        Bounds for the signals that are coded lossily, which are then coded in layers.

    Returns
    -------
    FileHeader
    """
    kinds = classify_signals(file.header)
    rates = [file.header.sample_rate_exact(i) or None for i in range(len(file.header.signals))]
    decisions = [
        _decide(signal, kind, survey.signals[i], rates[i], choice, lossy, exact, targets)
        for i, (signal, kind) in enumerate(zip(file.header.signals, kinds, strict=True))
    ]
    signals = tuple(
        eegz.SignalEntry(
            label=signal.label,
            unit=signal.unit,
            kind=kind.value,
            physical_minimum=signal.physical_minimum,
            physical_maximum=signal.physical_maximum,
            digital_minimum=signal.digital_minimum,
            digital_maximum=signal.digital_maximum,
            samples_per_record=signal.samples_per_record,
            sample_rate=sample_rate(rates[i]),
            coding=decisions[i][0],
            reason=decisions[i][1],
        )
        for i, (signal, kind) in enumerate(zip(file.header.signals, kinds, strict=True))
    )
    coded = [i for i, entry in enumerate(signals) if entry.coding is not eegz.Coding.EXACT]
    codecs: tuple[eegz.CodecEntry, ...] = ()
    groups: tuple[eegz.GroupEntry, ...] = ()
    if coded and choice is None and targets is None:
        raise UsageError("this recording has signals for a network, but no network was chosen.")
    if coded and choice is not None:
        codecs = (_codec_entry(choice),)
        groups = tuple(
            _group(stream, file.header.signals, survey, _known(rates[stream.signals[0]]), choice, codecs[0])
            for stream in share(file.header.signals, coded, choice)
        )
    chunk_records = _chunk_records(file, chunk_seconds)
    layer_sets: tuple[eegz.LayerSet, ...] = ()
    if coded and targets is not None:
        longest = max(signals[i].samples_per_record for i in coded)
        chunk_records = max(1, min(chunk_records, MAX_LAYER_SAMPLES // longest))
        layer_sets = _layer_sets(signals, survey, coded, chunk_records)
    return eegz.FileHeader(
        software=f"eegzip {__version__}",
        edf_header=file.header.raw,
        sample_bytes=file.header.sample_bytes,
        record_duration=file.header.record_duration,
        n_records=file.n_records,
        trailing_bytes=file.trailing_size,
        source_sha256=survey.sha256,
        deviations=tuple(str(deviation) for deviation in file.deviations),
        chunk_records=chunk_records,
        signals=signals,
        codecs=codecs,
        groups=groups,
        layer_sets=layer_sets,
        targets=targets if layer_sets else None,
        predicted=any(
            entry.coding is eegz.Coding.EXACT and entry.kind != eegz.ANNOTATIONS and entry.samples_per_record
            for entry in signals
        ),
    )


def _layer_sets(
    signals: Sequence[eegz.SignalEntry], survey: Survey, coded: Sequence[int], chunk_records: int
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
                    lowest=tuple(survey.signals[index].lowest for index in chosen),
                    highest=tuple(survey.signals[index].highest for index in chosen),
                )
            )
    return tuple(sets)


def _known(rate: Fraction | None) -> Fraction:
    if rate is None:
        raise UsageError("a signal without a sample rate can't be coded by a network.")
    return rate


def least_chunk_seconds(file: EdfFile) -> float:
    """How long chunks must be for what they cost besides their streams to be under a hundredth of noise at least."""
    header = file.header
    bytes_wanted = _CHUNK_COST + _STREAM_COST * len(header.signals)
    return float(header.record_duration or 0) * -(-bytes_wanted // max(header.record_bytes, 1))


def _chunk_records(file: EdfFile, seconds: float) -> int:
    duration = file.header.record_duration
    wanted = round(seconds / duration) if duration else file.n_records
    affordable = CHUNK_BYTES // max(file.header.record_bytes, 1)
    return max(1, min(wanted, affordable, max(file.n_records, 1)))


def _codec_entry(choice: CodecChoice) -> eegz.CodecEntry:
    config = choice.config
    fixed = choice.fixed_limit_uv is not None
    return eegz.CodecEntry(
        name=config.architecture,
        model=config.name,
        digest=choice.digest,
        rate=choice.rate,
        hop=config.network.hop,
        codebooks=config.network.n_codebooks,
        codebook_size=config.network.codebook_size,
        scaling=eegz.ScalingKind.FIXED if fixed else eegz.ScalingKind.ADAPTIVE,
        knot_spacing=0 if fixed else config.scaling.spacing,
        prior=config.prior,
    )


def _group(
    stream: SharedStream,
    signals: Sequence[SignalHeader],
    survey: Survey,
    rate: Fraction,
    choice: CodecChoice,
    codec: eegz.CodecEntry,
) -> eegz.GroupEntry:
    ratio = Fraction(1) if choice.rate is None else (choice.rate / rate).limit_denominator(_MAX_RATIO_TERM)
    bits = eegz.nominal_bits(codec, choice.codebooks, len(stream.signals), ratio)
    levels = [_level(signals[index], survey.signals[index], choice) for index in stream.signals]
    return eegz.GroupEntry(
        signals=stream.signals,
        codec=0,
        codebooks=choice.codebooks,
        up=ratio.numerator,
        down=ratio.denominator,
        centres=tuple(centre for centre, _ in levels),
        ranges=tuple(span for _, span in levels),
        lowest=tuple(survey.signals[index].lowest for index in stream.signals),
        highest=tuple(survey.signals[index].highest for index in stream.signals),
        bits_per_second=bits * float(rate),
        bits_per_sample=bits,
        styles=stream.styles,
    )


def _level(signal: SignalHeader, survey: SignalSurvey, choice: CodecChoice) -> tuple[float, float]:
    """Centre and range of a signal, as the container wants them."""
    if choice.fixed_limit_uv is None:
        return float(survey.centre), float(np.ravel(choose_offset_step(survey.level))[0])
    microvolts, offset, gain = signal.microvolts_per_digit, signal.offset, signal.gain
    if microvolts is None or offset is None or gain is None:
        raise UsageError(f"signal '{signal.label}' has no calibration, which a fixed scaling needs.")
    return -offset / gain, abs(choice.fixed_limit_uv / microvolts)
