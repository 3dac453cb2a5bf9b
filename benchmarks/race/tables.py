"""Rows of the race as tables, and the distance to the goal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from eegzip.evaluation.metrics import BANDS
from race.coders import PROMISING, TARGETS
from race.promise import EVERY_CHANNEL

COLUMNS = [
    "set", "recording", "coder", "setting", "channels", "seconds", "coded_bytes", "bits_per_second", "bits_per_sample",
    "ratio", "file_ratio", "prd", "prd_worst_channel", "prd_worst_second", "snr", "r",
    *(f"{band}_error" for band in BANDS), "spectrogram_loss", "tier", "tier_by_fidelity",
    "encode_seconds", "decode_seconds",
]  # fmt: skip
GOAL_RATES = (20, 50, 100, 200, 350, 500)
GOALS = {"DAC-SC": ("dac-sc", "mdct"), "DAC-MC": ("dac-mc", "klt-mdct")}
Row = dict[str, Any]

_SHOWN = {
    "bits_per_second": ("bit/s", ".0f"), "bits_per_sample": ("bit/sample", ".3f"), "ratio": ("ratio", ".1f"),
    "file_ratio": ("file", ".1f"), "prd": ("PRD %", ".1f"), "prd_worst_second": ("worst s %", ".0f"),
    "snr": ("SNR dB", ".1f"), "r": ("r", ".3f"), **{f"{band}_error": (f"{band} %", ".1f") for band in BANDS},
    "spectrogram_loss": ("spectr.", ".2f"),
}  # fmt: skip


def summary(rows: Sequence[Row], coders: Sequence[str]) -> list[str]:
    """Markdown: a line for each set, coder and setting; figures are means over the set's recordings."""
    heads = ["set", "coder", "setting", *(head for head, _ in _SHOWN.values()), "tiers"]
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- |{' --: |' * (len(heads) - 3)} --- |"]
    for group in dict.fromkeys(row["set"] for row in rows):
        for coder in coders:
            here = [row for row in rows if (row["set"], row["coder"]) == (group, coder)]
            for setting in dict.fromkeys(row["setting"] for row in here):
                chosen = [row for row in here if row["setting"] == setting]
                cells = [_mean(chosen, name, form) for name, (_, form) in _SHOWN.items()]
                tiers = " ".join(f"{row['tier']}({row['tier_by_fidelity']})" for row in chosen)
                lines.append(f"| {group} | {coder} | {setting} | {' | '.join(cells)} | {tiers} |")
    return lines


def _mean(rows: Sequence[Row], name: str, form: str) -> str:
    values = [row[name] for row in rows if row[name] is not None]
    return format(float(np.mean(values)), form) if values else "-"


def curve(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Rates and PRDs of one coder on one recording, without points that another beats in both."""
    points = sorted((row["bits_per_second"], row["prd"]) for row in rows if row["prd"])
    kept: list[tuple[float, float]] = []
    for rate, prd in points:
        if not kept or prd < kept[-1][1]:
            kept.append((rate, prd))
    return np.array([rate for rate, _ in kept]), np.array([prd for _, prd in kept])


def prd_at(rows: Sequence[Row], rate: float) -> float | None:
    """PRD at a rate, interpolated between logarithms; ``None`` outside what was measured."""
    rates, prds = curve(rows)
    if not len(rates) or not rates[0] <= rate <= rates[-1]:
        return None
    return float(np.exp(np.interp(np.log(rate), np.log(rates), np.log(prds))))


def rate_at(rows: Sequence[Row], prd: float) -> float | None:
    """The rate at which a PRD is reached, likewise."""
    rates, prds = curve(rows)
    if not len(rates) or not prds[-1] <= prd <= prds[0]:
        return None
    return float(np.exp(np.interp(np.log(prd), np.log(prds[::-1]), np.log(rates[::-1]))))


def _by_recording(rows: Sequence[Row], group: str) -> Iterator[list[Row]]:
    here = [row for row in rows if row["set"] == group]
    for recording in dict.fromkeys(row["recording"] for row in here):
        yield [row for row in here if row["recording"] == recording]


def distances(rows: Sequence[Row]) -> list[str]:
    """Markdown: our PRD over the rival's at the goal's rates, for each set."""
    lines = []
    for ours, (begin, rival) in GOALS.items():
        lines += [
            f"{ours}'s PRD over {rival}'s at equal rate (bit/s a channel); 1 or less is the goal, '-' not measured:",
            "",
        ]
        lines += [f"| set | {' | '.join(map(str, GOAL_RATES))} |", f"| --- |{' --: |' * len(GOAL_RATES)}"]
        for group in dict.fromkeys(row["set"] for row in rows):
            cells = []
            for rate in GOAL_RATES:
                ratios = []
                for here in _by_recording(rows, group):
                    names = {row["coder"] for row in here if row["coder"].startswith(begin)}
                    mine = [prd_at([row for row in here if row["coder"] == name], rate) for name in names]
                    known = [prd for prd in mine if prd is not None]
                    theirs = prd_at([row for row in here if row["coder"] == rival], rate)
                    if known and theirs:
                        ratios.append(min(known) / theirs)
                cells.append(f"{np.exp(np.mean(np.log(ratios))):.2f}" if ratios else "-")
            lines.append(f"| {group} | {' | '.join(cells)} |")
        lines.append("")
    return lines[:-1]


def targets(rows: Sequence[Row]) -> list[str]:
    """Markdown: what error targets cost, over what the strongest rivals take for the same."""
    here = [row for row in rows if row["coder"] == TARGETS]
    settings = list(dict.fromkeys(row["setting"] for row in here))
    lines: list[str] = []
    for rival in PROMISING:
        if not here or not any(row["coder"] == rival for row in rows):
            continue
        lines += [
            f"Bytes of error targets over {rival}'s (with the same promise {rival}, too, keeps every channel within):",
            "",
            f"| set | at | {' | '.join(settings)} |",
            f"| --- | --- |{' --: |' * len(settings)}",
        ]
        for group in dict.fromkeys(row["set"] for row in here):
            for name, compare in (("equal mean PRD", _at_equal_mean), ("the same promise", _at_same_promise)):
                cells = []
                for setting in settings:
                    found = [compare(recording, setting, rival) for recording in _by_recording(rows, group)]
                    ratios = [ratio for ratio in found if ratio is not None]
                    cells.append(f"{np.exp(np.mean(np.log(ratios))):.2f}" if ratios else "-")
                lines.append(f"| {group} | {name} | {' | '.join(cells)} |")
        lines.append("")
    return lines[:-1]


def _of(rows: Sequence[Row], coder: str, setting: str) -> Row | None:
    return next((row for row in rows if (row["coder"], row["setting"]) == (coder, setting)), None)


def _at_equal_mean(rows: Sequence[Row], setting: str, rival: str) -> float | None:
    mine = _of(rows, TARGETS, setting)
    theirs = None if mine is None else rate_at([row for row in rows if row["coder"] == rival], mine["prd"])
    return None if mine is None or theirs is None else float(mine["bits_per_second"] / theirs)


def _at_same_promise(rows: Sequence[Row], setting: str, rival: str) -> float | None:
    mine, theirs = _of(rows, TARGETS, setting), _of(rows, rival, f"{EVERY_CHANNEL} {setting}")
    return None if mine is None or theirs is None else float(mine["bits_per_second"] / theirs["bits_per_second"])
