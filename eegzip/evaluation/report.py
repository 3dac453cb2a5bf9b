"""Report of :func:`eegzip.evaluate`, as an object for programs and lines for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from eegzip.evaluation.band_table import BandEvaluation
from eegzip.evaluation.metrics import BANDS, Measures
from eegzip.evaluation.peaks import PeakErrors
from eegzip.evaluation.tiers import NO_TIER, TIERS, TierReport
from eegzip.notebook import card, cell
from eegzip.reports import typical_and_worst

_NAMES = {**{tier.letter: tier.name for tier in TIERS}, NO_TIER: "below all tiers"}


@dataclass(frozen=True)
class ChannelEvaluation:
    """One channel.

    Parameters
    ----------
    label : str
    eeg : bool
        Whether it counts among the EEG channels: it seems to be EEG, or it was coded lossily and is no
        ECG, EOG, EMG or breathing by its kind in the file.
    sample_rate : float or None
        Hz.
    largest_error_uv : float or None
        ``None`` where the unit is no voltage.
    measures : Measures
    """

    label: str
    eeg: bool
    sample_rate: float | None
    largest_error_uv: float | None
    measures: Measures


@dataclass(frozen=True)
class EvaluationReport:
    """How far a restored recording is from its original.

    Parameters
    ----------
    original, restored : str
        The files.
    duration : float or None
        Seconds of recorded data.
    original_bytes : int
    compressed_bytes : int or None
        Size of the ``.eegz`` file; ``None`` where two recordings were compared, as for the next three.
    coded_bytes : int or None
        What of it stands for the EEG channels (:func:`~eegzip.evaluation.coded_size.coded_bytes`).
    bits_per_second, bits_per_sample : float or None
        From `coded_bytes`, of one EEG channel.
    channels : tuple of ChannelEvaluation
        All but annotations.
    tier : TierReport
        Of the EEG channels together.
    bands : tuple of BandEvaluation
        Of the EEG channels, band by band; ``all`` (0.5 to 45 Hz), which only pairs of channels have, comes last.
    """

    original: str
    restored: str
    duration: float | None
    original_bytes: int
    compressed_bytes: int | None
    coded_bytes: int | None
    bits_per_second: float | None
    bits_per_sample: float | None
    channels: tuple[ChannelEvaluation, ...]
    tier: TierReport
    bands: tuple[BandEvaluation, ...]

    @property
    def eeg(self) -> tuple[ChannelEvaluation, ...]:
        """The EEG channels."""
        return tuple(channel for channel in self.channels if channel.eeg)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """The one line that a person reads."""
        parts = [f"{Path(self.restored).name}: {len(self.eeg)} EEG channel{'s' * (len(self.eeg) != 1)}"]
        if self.compressed_bytes is not None:
            rate = "" if self.bits_per_second is None else f" at {self.bits_per_second:.0f} bit/s each"
            parts[0] += f"{rate}, {self.original_bytes / self.compressed_bytes:.1f}:1 as a file"
        prds = [(c.measures.prd, c.label) for c in self.eeg if c.measures.prd is not None]
        if prds:
            parts.append(f"PRD {typical_and_worst(prds)}")
        eeg = [(c.measures.eeg_prd, c.label) for c in self.eeg if c.measures.eeg_prd is not None]
        if eeg:
            parts.append(f"of the EEG above 0.5 Hz beside mains {typical_and_worst(eeg)}")
        seconds = [
            (c.measures.worst_second_prd, c.measures.worst_second or 0, c.label)
            for c in self.eeg
            if c.measures.worst_second_prd is not None
        ]
        if seconds:
            worst, begin, label = max(seconds)
            parts.append(f"worst second {worst:.0f} % at {begin // 60}:{begin % 60:02d} ({label}){self._left_out()}")
        others = [channel for channel in self.channels if not channel.eeg]
        changed = [_with_prd(channel) for channel in others if channel.measures.largest_error]
        if others:
            parts.append(f"other channels differ: {', '.join(changed)}" if changed else "all other channels are exact")
        return "; ".join(parts)

    def _left_out(self) -> str:
        most = max((channel.measures.flat_seconds for channel in self.eeg), default=0)
        return f", {most} s flat left out" if most else ""

    def tier_line(self) -> str:
        """Which tier is reached, and what the next one up lacks."""
        tier = self.tier
        text = f"OpenECS-style tier: {tier.letter} ({_NAMES[tier.letter]})"
        if tier.ratio is None:
            text += ", by fidelity alone as the coded size is not known"
        elif tier.letter_without_ratio != tier.letter:
            text += f"; by fidelity alone {tier.letter_without_ratio} ({_NAMES[tier.letter_without_ratio]})"
        if tier.shortfalls:
            text += f"; the next one up asks for: {'; '.join(tier.shortfalls)}"
        return text

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        rows = [
            [
                channel.label or "(no label)",
                cell(channel.measures.prd, ".2f"),
                cell(channel.measures.eeg_prd, ".2f"),
                cell(channel.measures.worst_second_prd, ".1f"),
                cell(channel.measures.snr, ".1f"),
                cell(channel.measures.r, ".4f"),
            ]
            for channel in self.channels
        ]
        heads = ("channel", "PRD %", "EEG %", "worst s %", "SNR dB", "r")
        return card(self.sentence(), [self.tier_line()], heads=heads, rows=rows)

    def table(self) -> Iterator[str]:
        """One line a channel, under a head."""
        width = max([len(channel.label) for channel in self.channels] + [7])
        heads = ["PRD %", "EEG %", "worst s %", "SNR dB", "r", "largest", *(f"{name} %" for name in BANDS), "spectr."]
        yield f"{'channel':<{width}} " + " ".join(f"{head:>9}" for head in heads)
        for channel in self.channels:
            found = channel.measures
            largest = (
                f"{found.largest_error} dig"
                if channel.largest_error_uv is None
                else f"{channel.largest_error_uv:.3g} uV"
            )
            cells = [
                _cell(found.prd, ".2f"),
                _cell(found.eeg_prd, ".2f"),
                _cell(found.worst_second_prd, ".1f"),
                _cell(found.snr, ".1f"),
                _cell(found.r, ".4f"),
                largest,
                *(_cell(found.band_power[name], "+.1f") for name in BANDS),
                _cell(found.spectrogram_loss, ".3f"),
            ]
            yield f"{channel.label:<{width}} " + " ".join(f"{cell:>9}" for cell in cells)

    def band_table(self) -> Iterator[str]:
        """One line a band, under a head: what became of it in the EEG channels and between them."""
        heads = ["power %", "worst", "coherence", "lowest", "plv", "after", "change", "largest", "r change", "largest"]
        yield f"{'band':<7}{'Hz':>8} " + " ".join(f"{head:>9}" for head in heads)
        for band in self.bands:
            pairs = band.pairs
            cells = [
                _cell(band.power_change, "+.1f"),
                _cell(band.worst_power_change, "+.1f"),
                _cell(band.coherence, ".4f"),
                _cell(band.lowest_coherence, ".4f"),
                _cell(pairs.plv_before if pairs else None, ".3f"),
                _cell(pairs.plv_after if pairs else None, ".3f"),
                _cell(pairs.plv_change if pairs else None, ".4f"),
                _cell(pairs.largest_plv_change if pairs else None, ".3f"),
                _cell(pairs.r_change if pairs else None, ".4f"),
                _cell(pairs.largest_r_change if pairs else None, ".3f"),
            ]
            edges = f"{band.low:g}-{band.high:g}"
            yield f"{band.name:<7}{edges:>8} " + " ".join(f"{cell:>9}" for cell in cells)

    def peak_table(self) -> Iterator[str]:
        """One line an EEG channel, under a head: what became of its largest peaks and of its spikes."""
        width = max([len(channel.label) for channel in self.eeg] + [7])
        each = ["amp. %", "worst", "ms", "worst"]
        heads = ["peaks", *each, "spikes", *each, "flattened"]
        yield f"{'channel':<{width}} " + " ".join(f"{head:>9}" for head in heads)
        for channel in self.eeg:
            cells = [*_peak_cells(channel.measures.peaks), *_peak_cells(channel.measures.spikes)]
            cells.append(str(channel.measures.spikes.flattened))
            yield f"{channel.label:<{width}} " + " ".join(f"{cell:>9}" for cell in cells)

    def csv(self) -> str:
        """Return a line a channel, under a line of names; units are those of :class:`Measures`."""
        target = io.StringIO()
        rows = [_flat_row(channel) for channel in self.channels]
        names = list(rows[0]) if rows else ["label"]
        writer = csv.DictWriter(target, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return target.getvalue()


def _with_prd(channel: ChannelEvaluation) -> str:
    error = channel.measures.prd
    return channel.label if error is None else f"{channel.label} (PRD {error:.1f} %)"


def _peak_cells(found: PeakErrors) -> list[str]:
    return [
        str(found.count),
        _cell(found.amplitude_change, "+.1f"),
        _cell(found.worst_amplitude_change, "+.1f"),
        _cell(found.timing_error, ".1f"),
        _cell(found.worst_timing_error, ".1f"),
    ]


def _flat_row(channel: ChannelEvaluation) -> dict[str, Any]:
    """Every figure of a channel by a name of its own: keys of a dictionary are put behind the dictionary's name."""
    row: dict[str, Any] = {field.name: getattr(channel, field.name) for field in fields(channel)[:-1]}
    for name, value in asdict(channel.measures).items():
        if isinstance(value, dict):
            row.update({f"{name}_{key}": part for key, part in value.items()})
        else:
            row[name] = value
    return row


def _cell(value: float | None, form: str) -> str:
    if value is None:
        return "-"
    text = format(value, form)
    return text if float(text) else text.replace("-", "+")  # no minus before a zero
