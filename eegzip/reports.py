"""Reports of commands, as objects for programs and sentences for people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from eegzip.formats.eegz.header import Coding, FileHeader, Reason, Targets
from eegzip.formats.eegz.summary import FileSummary
from eegzip.notebook import CODING_NAMES, card, cell

_MORE = 1.1
"""Times an error of the whole from which on one of the EEG part is told besides."""


def finite(value: Any) -> Any:
    """Return what is to become JSON without NaN and infinity, which that does not know."""
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def human_size(size: float) -> str:
    """A number of bytes as a person says it: ``"1.9 MB"``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


def promise(targets: Targets | None) -> str:
    """Bounds as a person says them: ``"PRD at most 9 %"``."""
    if targets is None:
        return "nothing"
    parts = []
    if targets.max_prd is not None:
        parts.append(f"PRD at most {targets.max_prd:g} %")
    if targets.min_snr is not None:
        parts.append(f"SNR at least {targets.min_snr:g} dB")
    if targets.measure is not None:
        parts[-1] += " of the whole and of the EEG above 0.5 Hz beside mains"
    if targets.max_error_uv is not None:
        parts.append(f"no error above {targets.max_error_uv:g} uV")
    return ", ".join(parts)


def typical_and_worst(errors: Sequence[tuple[float, str]]) -> str:
    """Errors of channels in percent, with their labels, as a person says them."""
    worst, label = max(errors)
    return f"{median(error for error, _ in errors):.1f} % median, {worst:.1f} % worst ({label})"


def _part_says_more(whole: Sequence[tuple[float, str]], part: Sequence[tuple[float, str]]) -> bool:
    """Whether errors of the EEG part say more than those of the whole, which offset and drift may have made small."""
    if not whole or not part:
        return bool(part)
    return max(part)[0] > _MORE * max(whole)[0] or median(a for a, _ in part) > _MORE * median(b for b, _ in whole)


@dataclass(frozen=True)
class SignalReport:
    """How one signal was coded and what it cost.

    Parameters
    ----------
    label, coding : str
    reason : str
        A :class:`~eegzip.formats.eegz.header.Reason` where something follows from it.
    stored_bytes : int
    bits_per_second, bits_per_sample : float or None
        From the bytes stored; ``None`` without a sample rate or samples.
    prd, snr, r, largest_error_uv, worst_chunk_prd : float or None
    chunks : dict of str to int or None
    eeg_prd, worst_chunk_eeg_prd : float or None
        See :class:`~eegzip.formats.eegz.summary.SignalSummary`.
    """

    label: str
    coding: str
    reason: str
    stored_bytes: int
    bits_per_second: float | None
    bits_per_sample: float | None
    prd: float | None
    snr: float | None
    r: float | None
    largest_error_uv: float | None
    worst_chunk_prd: float | None
    chunks: dict[str, int] | None
    eeg_prd: float | None
    worst_chunk_eeg_prd: float | None


def signal_reports(header: FileHeader, summary: FileSummary) -> tuple[SignalReport, ...]:
    """One report a signal."""
    seconds = header.n_records * (header.record_duration or 0.0)
    reports = []
    for entry, measured in zip(header.signals, summary.signals, strict=True):
        samples = entry.samples_per_record * header.n_records
        bits = 8.0 * measured.stored_bytes
        reports.append(
            SignalReport(
                label=entry.label,
                coding=entry.coding.value,
                reason=entry.why or entry.reason,
                stored_bytes=measured.stored_bytes,
                bits_per_second=bits / seconds if seconds else None,
                bits_per_sample=bits / samples if samples else None,
                prd=measured.prd,
                snr=measured.snr,
                r=measured.r,
                largest_error_uv=measured.largest_error_uv,
                worst_chunk_prd=measured.worst_chunk_prd,
                chunks=measured.chunks,
                eeg_prd=measured.eeg_prd,
                worst_chunk_eeg_prd=measured.worst_chunk_eeg_prd,
            )
        )
    return tuple(reports)


SIGNAL_HEADS = ("channel", "coded", "bit/s", "PRD %", "SNR dB")


def signal_rows(signals: Sequence[SignalReport]) -> list[list[str]]:
    """Cells of a table of signals, under :data:`SIGNAL_HEADS`."""
    return [
        [
            signal.label or "(no label)",
            CODING_NAMES[signal.coding],
            cell(signal.bits_per_second, ".0f"),
            cell(signal.prd, ".2f"),
            cell(signal.snr, ".1f"),
        ]
        for signal in signals
    ]


@dataclass(frozen=True)
class CompressionReport:
    """What :func:`eegzip.compress` did.

    Parameters
    ----------
    source, target : str
        The files.
    original_bytes, compressed_bytes : int
        Their sizes.
    token_bytes, exact_bytes, knot_bytes, overhead_bytes : int
        What the compressed file is made of; overhead is all that is neither tokens nor layers nor exact signals nor
        the EDF header.
    layer_bytes : int or None
        Of layers and residuals, where there are any.
    line_bytes : int or None
        Of mains and other lines kept beside the channels, where there are any.
    model_bytes : int
        Of the model that the file carries; 0 where it carries none.
    duration : float or None
        Seconds of recording.
    elapsed : float
        Seconds that it took.
    model, digest : str or None
        The network used, if any.
    signals : tuple of SignalReport
    groups : tuple of tuple of str
        Labels of the channels of each token stream, or of those that are coded as components of one rotation.
    targets : Targets or None
        What was promised of every channel coded in layers, in every chunk.
    deviations : tuple of str
        Where the recording strays from the letter of EDF.
    notes : tuple of str
        What the user should know, for instance a channel of which little is left.
    """

    source: str
    target: str
    original_bytes: int
    compressed_bytes: int
    token_bytes: int
    exact_bytes: int
    knot_bytes: int
    layer_bytes: int | None
    line_bytes: int | None
    overhead_bytes: int
    model_bytes: int
    duration: float | None
    elapsed: float
    model: str | None
    digest: str | None
    signals: tuple[SignalReport, ...]
    groups: tuple[tuple[str, ...], ...]
    targets: Targets | None
    deviations: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Original bytes over compressed bytes."""
        return self.original_bytes / self.compressed_bytes

    @property
    def coded(self) -> tuple[SignalReport, ...]:
        """Signals that were coded lossily."""
        return tuple(signal for signal in self.signals if signal.coding != Coding.EXACT.value)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {**asdict(self), "ratio": self.ratio}

    def sentence(self) -> str:
        """The one line that a person reads."""
        sizes = f"{human_size(self.original_bytes)} -> {human_size(self.compressed_bytes)} ({self.ratio:.1f}:1)"
        parts = [f"{Path(self.source).name}: {sizes}"]
        if self.coded:
            rates = [signal.bits_per_second for signal in self.coded if signal.bits_per_second is not None]
            prds = [(signal.prd, signal.label) for signal in self.coded if signal.prd is not None]
            count = "1 channel" if len(self.coded) == 1 else f"{len(self.coded)} channels"
            parts.append(f"{count} at {median(rates):.0f} bit/s{' each' * (len(self.coded) > 1)}" if rates else "")
            if prds:
                parts.append(f"error (PRD) {typical_and_worst(prds)}")
            eeg = [(signal.eeg_prd, signal.label) for signal in self.coded if signal.eeg_prd is not None]
            if _part_says_more(prds, eeg):
                parts.append(f"of the EEG above 0.5 Hz beside mains {typical_and_worst(eeg)}")
        if self.targets is not None and self.coded:
            parts.append(self._met())
        if self.model_bytes:
            parts.append(f"{human_size(self.model_bytes)} of them the model")
        parts.append(f"kept exactly: {self._exact()}")
        return "; ".join(part for part in parts if part)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return card(self.sentence(), self.notes, heads=SIGNAL_HEADS, rows=signal_rows(self.signals))

    def _met(self) -> str:
        """What was promised and how near the worst chunk came to it, and how often each way of storing was taken."""
        promised = [s.worst_chunk_prd for s in self.coded]
        if self.targets is not None and self.targets.measure is not None:
            promised += [s.worst_chunk_eeg_prd for s in self.coded]
        worst = max((prd for prd in promised if prd is not None), default=0.0)
        largest = max((s.largest_error_uv for s in self.coded if s.largest_error_uv is not None), default=0.0)
        ways = sum((Counter(s.chunks) for s in self.coded if s.chunks), start=Counter[str]())
        stored = ", ".join(f"{count} {way}" for way, count in sorted(ways.items()))
        found = f"worst chunk {worst:.2f} %, largest error {largest:.3g} uV"
        return f"promised {promise(self.targets)}: {found}; chunks of channels: {stored}"

    def _exact(self) -> str:
        labels = [signal.label or "(no label)" for signal in self.signals if signal.coding == Coding.EXACT.value]
        if not labels:
            return "nothing but the header"
        if not self.coded:
            asked = any(signal.reason is Reason.AS_ASKED for signal in self.signals)
            return "everything" if asked else "everything, as no channel was taken for EEG that can be coded"
        return ", ".join(labels) if len(labels) <= 6 else f"{', '.join(labels[:5])} and {len(labels) - 5} more"


@dataclass(frozen=True)
class LostSignal:
    """Where a signal could not be restored, and others could.

    Parameters
    ----------
    signal : int
        Its index in the recording.
    label : str
    records : tuple of (int, int)
        First and last data record of each stretch.
    """

    signal: int
    label: str
    records: tuple[tuple[int, int], ...]

    @property
    def n_records(self) -> int:
        """Lost data records."""
        return sum(last - first + 1 for first, last in self.records)


@dataclass(frozen=True)
class DecompressionReport:
    """What :func:`eegzip.decompress` did.

    Parameters
    ----------
    source, target : str
        The files.
    restored_bytes : int
        Size of the recording written.
    n_records : int
        Data records written.
    elapsed : float
        Seconds that it took.
    lost_records : tuple of (int, int)
        First and last record of each stretch of which no signal could be restored (salvage only).
    lost_signals : tuple of LostSignal
        Signals that could not be restored in other data records (salvage only).
    notes : tuple of str
    locked : bool
        Whether the identity is sealed and there was no key, so that the recording was written as of nobody.
    """

    source: str
    target: str
    restored_bytes: int
    n_records: int
    elapsed: float
    lost_records: tuple[tuple[int, int], ...]
    lost_signals: tuple[LostSignal, ...]
    notes: tuple[str, ...]
    locked: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """The one line that a person reads."""
        text = f"{Path(self.target).name}: {human_size(self.restored_bytes)}, {self.n_records} data records restored"
        if self.lost_records:
            lost = sum(last - first + 1 for first, last in self.lost_records)
            text += f"; {lost} data records were lost and filled with zeros"
        if self.lost_signals:
            most = max(lost.n_records for lost in self.lost_signals)
            signals = "1 signal was" if len(self.lost_signals) == 1 else f"{len(self.lost_signals)} signals were"
            text += f"; {signals} lost in {'up to ' * (len(self.lost_signals) > 1)}{most} other data records"
        if self.locked:
            text += "; written as of nobody, as the identity is sealed and there was no key"
        return text

    @property
    def losses(self) -> list[str]:
        """What is lost, one line each for a person."""
        lines = [f"lost: data records {first} to {last}" for first, last in self.lost_records]
        for lost in self.lost_signals:
            spans = ", ".join(f"{first} to {last}" for first, last in lost.records)
            lines.append(f"lost: {lost.label or '(no label)'} in data records {spans}")
        return lines

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return card(self.sentence(), self.notes, bad=self.losses)


@dataclass(frozen=True)
class Verification:
    """What :func:`eegzip.verify` found.

    Parameters
    ----------
    source : str
    intact : bool
        Whether every check passed.
    deep : bool
        Whether waveforms were synthesised too.
    blocks, chunks, tokens, exact_samples, layered_samples : int
        How much was checked.
    problems : tuple of str
        One sentence each.
    unchecked : tuple of str
        What could not be checked beyond its checksum, and what it would take; one sentence each.
    deviations : tuple of str
        Where the original strays from the letter of EDF; no fault of this file.
    """

    source: str
    intact: bool
    deep: bool
    blocks: int
    chunks: int
    tokens: int
    exact_samples: int
    layered_samples: int
    problems: tuple[str, ...]
    unchecked: tuple[str, ...]
    deviations: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """The one line that a person reads."""
        if not self.intact:
            return f"{Path(self.source).name}: DAMAGED, {len(self.problems)} problem(s)"
        layered = f"{self.layered_samples} samples in layers, " if self.layered_samples else ""
        checked = f"{self.blocks} blocks, {layered}{self.tokens} tokens and {self.exact_samples} exact samples checked"
        state = "all checksums right, not all streams decoded" if self.unchecked else "intact"
        return f"{Path(self.source).name}: {state}; {checked}{', waveforms synthesised' if self.deep else ''}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return card(self.sentence(), self.unchecked, bad=self.problems)
