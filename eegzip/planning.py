"""Which signal is coded how, and why: from a recording, its survey and the user's wishes to a file header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from fractions import Fraction

import numpy as np

from eegzip._version import __version__
from eegzip.choice import CodecChoice
from eegzip.codecs.scaling import choose_offset_step
from eegzip.formats.edf import EdfFile, SignalHeader, SignalKind, classify_signals, normalise_channel_name
from eegzip.formats.edf.units import is_missing, microvolts_per_unit
from eegzip.formats.eegz import header as eegz
from eegzip.formats.eegz.limits import CHUNK_BYTES
from eegzip.formats.errors import UsageError
from eegzip.reports import KEPT_AS_ASKED
from eegzip.sharing import SharedStream, share
from eegzip.survey import SignalSurvey, Survey

MIN_RATE = 64.0
"""Hz. Below it a signal has too little bandwidth for a network trained at 256 Hz, and costs little exactly."""

# Odd record durations give rates such as 249.9996 Hz; a ratio of small integers is near enough for a network.
_MAX_RATIO_TERM = 4096

# Types of signals that EDF+ puts in front of a label.
_TYPE = re.compile(r"(?:eeg|ecg|ekg|eog|erg|emg|meg|mcg|ep|temp|resp|sao2|light|sound|event)\s+")


def matches(pattern: str, label: str) -> bool:
    """Whether a shell pattern (``*``, ``?``, ``[]``) names a signal; case is ignored.

    A signal has up to three names: its label, its label without the type in front (EDF+ section 2.1.3: ``ECG V2``
    is also ``V2``), and its electrode. Old and new electrode names are the same: ``T3`` names ``EEG T3-REF`` and
    ``T7`` alike.
    """
    wanted, written = pattern.strip().lower(), label.strip().lower()
    electrode = normalise_channel_name(label).lower()
    if wanted == written or normalise_channel_name(pattern).lower() == electrode:
        return True
    return any(fnmatchcase(name, wanted) for name in (written, _TYPE.sub("", written), electrode))


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
) -> tuple[str, str]:
    """Coding of one signal and the reason for it."""
    wanted = any(matches(pattern, signal.label) for pattern in lossy)
    obstacle = _obstacle(signal, survey, rate, choice)
    if kind is SignalKind.ANNOTATIONS:
        return eegz.EXACT, "annotations are always kept exactly"
    if any(matches(pattern, signal.label) for pattern in exact):
        return eegz.EXACT, KEPT_AS_ASKED
    if obstacle is not None and (wanted or kind is SignalKind.EEG):
        return eegz.EXACT, obstacle
    if wanted:
        return eegz.TOKENS, "coded lossily as asked"
    if kind is SignalKind.EEG:
        return eegz.TOKENS, "EEG"
    return eegz.EXACT, "a voltage other than EEG" if kind is SignalKind.VOLTAGE else "not an EEG signal"


def _obstacle(
    signal: SignalHeader, survey: SignalSurvey, rate: Fraction | None, choice: CodecChoice | None
) -> str | None:
    """Why the network can't serve a signal, or ``None`` when it can."""
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
    return None


def plan(
    file: EdfFile,
    survey: Survey,
    choice: CodecChoice | None,
    *,
    lossy: Sequence[str] = (),
    exact: Sequence[str] = (),
    chunk_seconds: float,
) -> eegz.FileHeader:
    """Decide how a recording is coded.

    Parameters
    ----------
    file : EdfFile
    survey : Survey
    choice : CodecChoice or None
        ``None`` when the caller knows that no signal needs a network.
    lossy, exact : sequence of str
        Patterns that overrule the classification; `exact` wins over `lossy`, as it can do no harm.
    chunk_seconds : float
        Wanted length of a chunk.

    Returns
    -------
    FileHeader
    """
    kinds = classify_signals(file.header)
    rates = [file.header.sample_rate_exact(i) or None for i in range(len(file.header.signals))]
    decisions = [
        _decide(signal, kind, survey.signals[i], rates[i], choice, lossy, exact)
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
    coded = [i for i, entry in enumerate(signals) if entry.coding == eegz.TOKENS]
    codecs: tuple[eegz.CodecEntry, ...] = ()
    groups: tuple[eegz.GroupEntry, ...] = ()
    if coded:
        if choice is None:
            raise UsageError("this recording has signals for a network, but no network was chosen.")
        codecs = (_codec_entry(choice),)
        groups = tuple(
            _group(stream, file.header.signals, survey, _known(rates[stream.signals[0]]), choice, codecs[0])
            for stream in share(file.header.signals, coded, choice)
        )
    return eegz.FileHeader(
        software=f"eegzip {__version__}",
        edf_header=file.header.raw,
        sample_bytes=file.header.sample_bytes,
        record_duration=file.header.record_duration,
        n_records=file.n_records,
        trailing_bytes=file.trailing_size,
        source_sha256=survey.sha256,
        deviations=tuple(str(deviation) for deviation in file.deviations),
        chunk_records=_chunk_records(file, chunk_seconds),
        signals=signals,
        codecs=codecs,
        groups=groups,
    )


def _known(rate: Fraction | None) -> Fraction:
    if rate is None:
        raise UsageError("a signal without a sample rate can't be coded by a network.")
    return rate


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
        scaling=eegz.FIXED if fixed else eegz.ADAPTIVE,
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
