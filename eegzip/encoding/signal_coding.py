"""Choice of a way of coding for each signal, with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from eegzip.codecs.stream_batch import DigitalSource
from eegzip.encoding.options import CompressionOptions
from eegzip.formats.edf import SignalHeader, SignalKind, Verdict, judge_as_told, judge_signals
from eegzip.formats.edf.kinds import MEASURES
from eegzip.formats.edf.label_patterns import matches
from eegzip.formats.edf.units import is_missing, microvolts_per_unit
from eegzip.formats.eegz.header import Coding, Reason, SignalEntry
from eegzip.formats.limits import MAX_LAYER_SAMPLES

FLAT = "flat: it never changes"

MIN_RATE = 64.0
"""Hz. Below it a signal has too little bandwidth for a network trained at 256 Hz, and costs little exactly."""


def signal_entries(
    file: DigitalSource,
    flat: Sequence[bool],
    options: CompressionOptions,
    fixed_scaling: Callable[[str], bool] | None = None,
) -> tuple[SignalEntry, ...]:
    """Decide how each signal is coded.

    Parameters
    ----------
    file : DigitalSource
    flat : sequence of bool
        Which signals never change.
    options : CompressionOptions
    fixed_scaling : callable, optional
        Whether a network will see signals of a kind at a fixed scaling in uV; none will by default.

    Returns
    -------
    tuple of SignalEntry
    """
    header = file.header
    entries = []
    judged = zip(header.signals, judge_as_told(header, options.kinds), judge_signals(header), strict=True)
    for signal, verdict, coarse in judged:
        rate = header.sample_rate_exact(signal.index) or None
        fixed = fixed_scaling is not None and fixed_scaling(verdict.kind.value)
        coding, reason = _decide(signal, verdict, rate, options, flat=flat[signal.index], fixed_scaling=fixed)
        # What is kept exactly is called what earlier versions of the format called it, unless the user says more.
        told = any(matches(pattern, signal.label) for pattern, _ in options.kinds)
        kind = coarse.kind if coding is Coding.EXACT and not told else verdict.kind
        entries.append(
            SignalEntry(
                label=signal.label,
                unit=signal.unit,
                kind=kind.value,
                physical_minimum=signal.physical_minimum,
                physical_maximum=signal.physical_maximum,
                digital_minimum=signal.digital_minimum,
                digital_maximum=signal.digital_maximum,
                samples_per_record=signal.samples_per_record,
                sample_rate=None if rate is None else float(rate),
                coding=coding,
                reason=reason,
            )
        )
    return tuple(entries)


def _decide(
    signal: SignalHeader,
    verdict: Verdict,
    rate: Fraction | None,
    options: CompressionOptions,
    *,
    flat: bool,
    fixed_scaling: bool,
) -> tuple[Coding, str]:
    """Coding of one signal and the reason for it."""
    wanted = any(matches(pattern, signal.label) for pattern in options.lossy)
    named = verdict.named or verdict.kind in MEASURES
    obstacle = _obstacle(signal, rate, options, flat=flat, fixed_scaling=fixed_scaling, named=named)
    coded = Coding.TOKENS if options.targets is None else Coding.LAYERS
    is_eeg = verdict.kind is SignalKind.EEG
    if verdict.kind is SignalKind.ANNOTATIONS:
        return Coding.EXACT, "annotations are always kept exactly"
    if any(matches(pattern, signal.label) for pattern in options.exact):
        return Coding.EXACT, Reason.AS_ASKED.value
    if obstacle is not None and (wanted or is_eeg):
        return Coding.EXACT, obstacle
    if (wanted or is_eeg) and _finer_than_a_digit(signal, options):
        return Coding.EXACT, Reason.AS_ASKED.value
    if wanted:
        return coded, "coded lossily as asked"
    return coded if is_eeg else Coding.EXACT, FLAT if flat and verdict.doubtful else verdict.why


def _finer_than_a_digit(signal: SignalHeader, options: CompressionOptions) -> bool:
    """Whether the largest error that is allowed leaves no other digital value."""
    largest, unit = None if options.targets is None else options.targets.max_error_uv, signal.microvolts_per_digit
    return not options.tokens and largest is not None and unit is not None and largest < abs(unit) * (1 - 1e-12)


def _obstacle(
    signal: SignalHeader,
    rate: Fraction | None,
    options: CompressionOptions,
    *,
    flat: bool,
    fixed_scaling: bool,
    named: bool,
) -> str | None:
    """Why a signal can't be coded lossily, or ``None`` when it can."""
    targets = options.targets
    if not signal.samples_per_record:
        return "it has no samples"
    if rate is None:
        return "its sample rate is unknown, as data records have no duration"
    if flat:
        return FLAT
    if options.tokens and rate < MIN_RATE:
        return f"its rate of {float(rate):g} Hz is under {MIN_RATE:g} Hz"
    # Whoever asks for a signal by what it is means it, whatever the unit is called.
    if not named and not is_missing(signal.unit) and microvolts_per_unit(signal.unit) is None:
        return f"its unit '{signal.unit}' is not a known voltage"
    if fixed_scaling and signal.microvolts_per_digit is None:
        return "its calibration in uV is unknown, which a fixed scaling needs"
    if targets is not None and targets.max_error_uv is not None and signal.microvolts_per_digit is None:
        return "its calibration in uV is unknown, which a largest error needs"
    if targets is not None and signal.samples_per_record > MAX_LAYER_SAMPLES:
        return "its data records are too long for layers"
    return None
