"""What :func:`eegzip.evaluate` found, as an object for programs and lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eegzip.evaluation.metrics import BANDS, Measures
from eegzip.evaluation.tiers import NO_TIER, TIERS, TierReport
from eegzip.reports import typical_and_worst

_NAMES = {**{tier.letter: tier.name for tier in TIERS}, NO_TIER: "below all tiers"}


@dataclass(frozen=True)
class ChannelEvaluation:
    """One channel.

    Parameters
    ----------
    label : str
    eeg : bool
        Whether it counts among the EEG channels: it seems to be EEG, or it was coded lossily.
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
        changed = [channel.label for channel in others if channel.measures.largest_error]
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


def _cell(value: float | None, form: str) -> str:
    if value is None:
        return "-"
    text = format(value, form)
    return text if float(text) else text.replace("-", "+")  # no minus before a zero
