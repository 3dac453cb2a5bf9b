"""Rows of the overview: a recording each, from a comparison or an archive's record; which of them stand out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Row:
    """A recording.

    Parameters
    ----------
    name : str
        Its file, below the folder that all are in.
    error : str or None
        Why there are no figures, or what is wrong.
    duration : float or None
        Seconds.
    original_bytes, compressed_bytes : int or None
    bits_per_second : float or None
        Of one EEG channel.
    median_prd, worst_prd : float or None
        Of the EEG channels, percent.
    worst_channel : str or None
    eeg_prd : float or None
        The worst of the EEG above 0.5 Hz beside mains, percent.
    worst_second : float or None
        The largest PRD of a second of a channel, percent.
    largest_uv : float or None
        The largest error, uV.
    flattened : int or None
        Spikes that lost half of their height or more, in all EEG channels.
    tier : str or None
        OpenECS-style letter.
    page : str or None
        Its own report, seen from the page.
    outlier : str
        What of it stands out among the others, in words; empty for most.
    score : float
        By how much.
    """

    name: str
    error: str | None = None
    duration: float | None = None
    original_bytes: int | None = None
    compressed_bytes: int | None = None
    bits_per_second: float | None = None
    median_prd: float | None = None
    worst_prd: float | None = None
    worst_channel: str | None = None
    eeg_prd: float | None = None
    worst_second: float | None = None
    largest_uv: float | None = None
    flattened: int | None = None
    tier: str | None = None
    page: str | None = None
    outlier: str = ""
    score: float = 0.0

    @property
    def ratio(self) -> float | None:
        """Original bytes over compressed bytes."""
        if not self.original_bytes or not self.compressed_bytes:
            return None
        return self.original_bytes / self.compressed_bytes


@dataclass(frozen=True)
class Figure:
    """A figure by which recordings are compared.

    Parameters
    ----------
    key, name, unit : str
    bad : int
        1 where more is worse, -1 where less is.
    """

    key: str
    name: str
    unit: str
    bad: int


FIGURES = (
    Figure("worst_prd", "worst PRD", "%", 1),
    Figure("eeg_prd", "worst PRD of the EEG part", "%", 1),
    Figure("worst_second", "worst second", "%", 1),
    Figure("largest_uv", "largest error", "uV", 1),
    Figure("bits_per_second", "bit rate", "bit/s", 1),
    Figure("ratio", "ratio", ":1", -1),
)

_STANDS_OUT = 3.5
"""Modified z-score from which on a value is an outlier (Iglewicz, Hoaglin: How to detect and handle outliers, 1993)."""

_CONSISTENT = 0.6745
_FEWEST = 5
"""Recordings of which it makes sense to ask which of them stands out."""

_MIN_SPREAD = 0.05
"""Least median deviation, as a share: where all are nearly alike, little differences are none."""


def from_evaluation(name: str, found: dict[str, Any], page: str | None = None) -> Row:
    """A row from what :func:`eegzip.evaluate` found, as a dictionary."""
    eeg = [channel for channel in found["channels"] if channel["eeg"]]
    measures = [channel["measures"] for channel in eeg]
    prds = [(m["prd"], c["label"]) for c, m in zip(eeg, measures, strict=True) if m["prd"] is not None]
    worst, label = max(prds, default=(None, None))
    return Row(
        name,
        duration=found["duration"],
        original_bytes=found["original_bytes"],
        compressed_bytes=found["compressed_bytes"],
        bits_per_second=found["bits_per_second"],
        median_prd=median(prd for prd, _ in prds) if prds else None,
        worst_prd=worst,
        worst_channel=label,
        eeg_prd=_most(m["eeg_prd"] for m in measures),
        worst_second=_most(m["worst_second_prd"] for m in measures),
        largest_uv=_most(channel["largest_error_uv"] for channel in eeg),
        flattened=sum(m["spikes"]["flattened"] for m in measures) if measures else None,
        tier=found["tier"]["letter"],
        page=page,
    )


def from_manifest(lines: Iterable[dict[str, Any]]) -> list[Row]:
    """Rows from the last lines about each file; of a recording that was evaluated by what was found then.

    Recordings whose own file is gone are in it as well: what was lost was measured when they were compressed.
    """
    rows: dict[str, Row] = {}
    for line in sorted(lines, key=lambda line: line["job"] != "compress"):
        name, job, state = line["source"], line["job"], line["state"]
        if state == "failed" and job in ("compress", "evaluate", "verify"):
            rows[name] = replace(rows.get(name, Row(name)), error=f"{job}: {line.get('error', 'failed')}")
        elif state == "started" and job == "compress":
            rows[name] = Row(name, error="compress: was begun and not finished")
        elif state == "done" and job == "evaluate":
            rows[name] = from_evaluation(name, line["result"])
        elif state in ("done", "removed") and job == "compress":
            fidelity = line.get("fidelity", {})
            rows[name] = Row(
                name,
                duration=line.get("duration"),
                original_bytes=line.get("source_bytes"),
                compressed_bytes=line.get("target_bytes"),
                median_prd=fidelity.get("median_prd"),
                worst_prd=fidelity.get("worst_prd"),
                worst_channel=fidelity.get("worst_channel"),
                eeg_prd=fidelity.get("worst_eeg_prd"),
            )
    return list(rows.values())


def with_outliers(rows: Sequence[Row]) -> list[Row]:
    """Rows that say what stands out; failures first, then by how far they stand out, then by the worst PRD.

    A figure stands out by its modified z-score, 0.6745 (x - median) / (median of |x - median|), of logarithms where all
    are above 0, above 3.5, to the worse side.
    """
    said: dict[int, list[tuple[float, str]]] = {}
    for figure in FIGURES:
        found = [(i, float(value)) for i, row in enumerate(rows) if (value := getattr(row, figure.key)) is not None]
        if len(found) < _FEWEST:
            continue
        values = np.array([value for _, value in found])
        usual = float(np.median(values))
        if not usual > 0:
            continue
        scaled = np.log(values) if values.min() > 0 else values / usual
        away = figure.bad * (scaled - np.median(scaled))
        scores = _CONSISTENT * away / max(float(np.median(np.abs(away))), _MIN_SPREAD)
        for (index, value), score in zip(found, scores, strict=True):
            if score > _STANDS_OUT:
                text = f"{figure.name} {_figure(value, figure.unit)}, usually {_figure(usual, figure.unit)}"
                said.setdefault(index, []).append((float(score), text))
    marked = []
    for index, row in enumerate(rows):
        reasons = sorted(said.get(index, ()), reverse=True)
        text = "; ".join(reason for _, reason in reasons)
        marked.append(replace(row, outlier=text, score=reasons[0][0] if reasons else 0.0))
    return sorted(marked, key=lambda row: (row.error is None, -row.score, -(row.worst_prd or 0.0), row.name))


def _figure(value: float, unit: str) -> str:
    text = f"{value:.3g}" if value < 1000 else f"{value:.0f}"
    return text + unit if unit.startswith(":") else f"{text} {unit}"


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
