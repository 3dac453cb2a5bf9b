"""Notes that a user should read beside a file's figures: sentences under the report of a compression."""

from __future__ import annotations

from collections.abc import Sequence

from eegzip.encoding.options import CompressionOptions
from eegzip.formats.edf import SignalKind, Verdict
from eegzip.formats.edf.label_patterns import matches
from eegzip.formats.eegz.header import MEASURES, Coding, FileHeader, SignalEntry
from eegzip.formats.eegz.summary import FileSummary

POOR_PRD = 50.0
"""Percent. From here on a channel gets a note: a flat line has 100 %, and half of that is no trace to read."""

_BAND = 0.45
"""Of a rate: what resampling to it keeps."""

MAX_NAMED = 4
"""Labels in a note."""


def notes_of(
    header: FileHeader, summary: FileSummary, verdicts: Sequence[Verdict], options: CompressionOptions
) -> tuple[str, ...]:
    """Return what a user should know: EEG kept exactly, what may be EEG, channels of which little is left.

    Parameters
    ----------
    header, summary
        Of the file.
    verdicts
        What each signal of the recording was taken for.
    options
        What was asked for.
    """
    return (*_losses(header, summary), *_others(header, options), *_doubts(header, verdicts))


def _losses(header: FileHeader, summary: FileSummary) -> tuple[str, ...]:
    """What the user should know: EEG kept exactly, channels of which little is left."""
    notes = [
        f"'{signal.label}' is EEG but kept exactly: {signal.reason}"
        for signal in header.signals
        if signal.kind == "eeg" and signal.coding is Coding.EXACT and signal.why is None
    ]
    notes += [
        f"drift below {codec.highpass:g} Hz is not kept, as the model was trained without it; --scaling adaptive "
        "keeps it"
        for codec in header.codecs
        if codec.highpass is not None
    ]
    poor: dict[str, list[tuple[float, str]]] = {}
    for signal, measured in zip(header.signals, summary.signals, strict=True):
        error = max(measured.prd or 0.0, measured.eeg_prd or 0.0)
        if error > POOR_PRD:
            poor.setdefault(_advice(header, signal), []).append((error, signal.label))
    for advice, errors in poor.items():
        worst, label = max(errors)
        found = f"little of '{label}' is left (PRD {worst:.0f} %)"
        if len(errors) > 1:
            found = f"little is left of {len(errors)} channels (PRD up to {worst:.0f} %, '{label}')"
        notes.append(found + advice)
    return tuple(notes)


def _others(header: FileHeader, options: CompressionOptions) -> list[str]:
    """Signals of other kinds than EEG: named with --lossy but kept exactly, or coded by a model of EEG."""
    patterns = [pattern for pattern in options.lossy if pattern != "*"]
    notes = [
        f"'{signal.label}' is kept exactly, though --lossy names it: {signal.reason}"
        + ("; a bound such as --max-prd 9 takes slow signals, too" if " Hz is under " in signal.reason else "")
        for signal in header.signals
        if signal.coding is Coding.EXACT
        and signal.why is None
        and signal.kind != "eeg"
        and any(matches(pattern, signal.label) for pattern in patterns)
    ]
    labels = [
        signal.label
        for signal in header.signals
        if signal.coding is Coding.TOKENS and signal.kind in MEASURES and signal.kind not in options.models
    ]
    if labels:
        advice = "for the same error a bound such as --max-prd 9 mostly takes fewer bytes"
        notes.append(f"coded by a model of EEG: {_named(labels)}; {advice}")
    return [*notes, *_bands(header)]


def _bands(header: FileHeader) -> list[str]:
    """What is lost of signals other than EEG that are faster than their model."""
    notes = []
    for number, codec in enumerate(header.codecs):
        signals = [header.signals[index] for group in header.groups if group.codec == number for index in group.signals]
        labels = [s.label for s in signals if s.kind in MEASURES and codec.rate and codec.rate < (s.sample_rate or 0.0)]
        if labels and codec.rate:
            notes.append(
                f"nothing above {_BAND * float(codec.rate):.0f} Hz is kept of {_named(labels)}, as the model "
                f"{codec.model} works at {float(codec.rate):g} Hz; --rate native keeps it"
            )
    return notes


def _named(labels: Sequence[str]) -> str:
    """Some labels of many."""
    more = f" and {len(labels) - MAX_NAMED} more" if len(labels) > MAX_NAMED else ""
    return ", ".join(f"'{label}'" for label in labels[:MAX_NAMED]) + more


def _doubts(header: FileHeader, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Name the signals that may be EEG but were kept exactly, and the option for who knows that they are."""
    doubted = [
        (signal.label, verdict)
        for signal, verdict in zip(header.signals, verdicts, strict=True)
        if verdict.doubtful and signal.reason == verdict.why
    ]
    units = [f"'{label}' is kept exactly: {verdict.why}" for label, verdict in doubted if verdict.named]
    labels = [label for label, verdict in doubted if not verdict.named]
    notes = units[:MAX_NAMED]
    if len(units) > MAX_NAMED:
        notes.append(f"so are {len(units) - MAX_NAMED} more that are named as EEG, but whose units are not known")
    if labels:
        named = _named(labels)
        if any(verdict.kind is SignalKind.EEG for verdict in verdicts):
            notes.append(
                f"kept exactly, as their labels are not known to be EEG: {named}; name those that are with --lossy"
            )
        else:
            notes.append(
                f"no signal is known to be EEG by its label, so all are kept exactly: {named}; "
                f"name those that are EEG with --lossy, such as --lossy '{labels[0]}'"
            )
    return tuple(notes)


def _advice(header: FileHeader, signal: SignalEntry) -> str:
    """What may be done for a channel of which little is left."""
    if signal.coding is Coding.LAYERS:
        return ", as the level is near the error that was asked for: allow less, or keep it with --exact"
    faster = any(codec.rate is not None and codec.rate < (signal.sample_rate or 0.0) for codec in header.codecs)
    native = "try --rate native, " if faster else ""
    return (
        ", as happens to noise, to muscles and above the network's band: "
        f"ask for a bound such as --max-prd 20, {native}or keep it with --exact"
    )
