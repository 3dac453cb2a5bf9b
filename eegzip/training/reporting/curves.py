"""The picture of a training run that goes into the model's folder: drawn from the journal alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegzip.formats.errors import BadInputError
from eegzip.formats.files import atomic_output
from eegzip.training.reporting.journal import read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES = "curves.png"
# Steps are averaged in so many bins at most: more can't be told apart in a panel of this width.
_BINS = 300
_SIZE_INCHES, _DPI = (12.0, 8.0), 110
_MAIN_LOSSES = ("total", "waveform", "stft", "spectrogram", "commitment", "codebook", "adversarial", "feature")

Floats = npt.NDArray[np.float64]
Entries = list[dict[str, Any]]


def plot_curves(log_path: str | Path, out_png: str | Path, name: str | None = None) -> None:
    """Draw losses, validation, use of the codebooks and speed over the steps.

    Parameters
    ----------
    log_path
        The journal (:mod:`eegzip.training.reporting.journal` says what is drawn from it); what it lacks is left out.
    out_png
        The picture, replaced whole or not at all.
    name
        Name of the model, for the title; by default the one in the journal.

    Raises
    ------
    BadInputError
        The journal is missing, damaged, or has neither steps nor validations.
    OutputError
        The picture can't be written.
    """
    # The canvas is made by hand: pyplot would keep global state and might ask for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    entries = read_log(log_path)
    steps = [e for e in entries if e.get("kind") == "step"]
    checks = [e for e in entries if e.get("kind") == "validation"]
    if not steps and not checks:
        raise BadInputError(f"{log_path} has no training steps yet; there is nothing to draw.")
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2, sharex=True)
    figure.suptitle(_title(entries, name))
    _losses(panels[0, 0], steps)
    _validation(panels[0, 1], checks)
    _codebooks(panels[1, 0], steps)
    _pace(panels[1, 1], steps)
    for panel in panels.flat:
        for entry in entries:
            if entry.get("kind") == "resume":
                panel.axvline(entry["step"], color="0.8", linestyle=":", zorder=0)
    for panel in panels[1]:
        panel.set_xlabel("optimiser steps" + (" (dotted: resumed)" if _has(entries, "resume") else ""))
    with atomic_output(Path(out_png), overwrite=True) as file:
        figure.savefig(file, dpi=_DPI, format="png", metadata={"Software": "eegzip"})


def _title(entries: Entries, name: str | None) -> str:
    """Name of the model, steps and time."""
    if name is None:
        name = next((str(e["name"]) for e in entries if e.get("kind") == "start" and e.get("name")), "training")
    last = entries[-1]
    seconds = float(last.get("seconds") or 0.0)
    spent = f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"
    # Dollar signs would start mathematics in matplotlib.
    return f"{name}: {last.get('step', 0)} steps, {spent}".replace("$", r"\$")


def _has(entries: Entries, kind: str) -> bool:
    return any(e.get("kind") == kind for e in entries)


def _number(entry: dict[str, Any], *path: str | int) -> float:
    """Return a number within an entry; NaN where it is missing or null."""
    value: Any = entry
    for key in path:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return np.nan
    return float(value) if isinstance(value, (int, float)) else np.nan


def _series(entries: Entries, *path: str | int) -> tuple[Floats, Floats]:
    """Return steps and values of a number, those left out that are missing."""
    x = np.array([_number(e, "step") for e in entries])
    y = np.array([_number(e, *path) for e in entries])
    kept = np.isfinite(x) & np.isfinite(y)
    return x[kept], y[kept]


def binned(x: Floats, y: Floats, bins: int = _BINS) -> tuple[Floats, Floats]:
    """Return means of runs of neighbouring points, at most ``bins`` of them.

    Parameters
    ----------
    x, y
        Points, in order of ``x``.
    bins
        Most points to be returned.
    """
    if len(x) <= bins:
        return x, y
    edges = np.linspace(0, len(x), bins + 1).astype(int)
    counts = np.diff(edges)
    return np.add.reduceat(x, edges[:-1]) / counts, np.add.reduceat(y, edges[:-1]) / counts


def _line(panel: Axes, points: tuple[Floats, Floats], **style: Any) -> bool:
    """Draw a series when it has points; says whether it had."""
    x, y = binned(*points)
    if not len(x):
        return False
    panel.plot(x, y, marker="." if len(x) < 40 else None, **style)
    return True


def _empty(panel: Axes, what: str) -> None:
    panel.text(0.5, 0.5, f"no {what}", transform=panel.transAxes, ha="center", va="center", color="0.5")


def _losses(panel: Axes, steps: Entries) -> None:
    """Total and parts of the training loss, each as it is before its weight."""
    panel.set_title("training loss")
    found = {str(k) for e in steps if isinstance(e.get("loss"), dict) for k in e["loss"]}
    names = [n for n in _MAIN_LOSSES if n in found]
    for name in names:
        x, y = _series(steps, "loss", name)
        positive = y > 0  # of a logarithmic axis
        wide = {"linewidth": 2.0, "color": "black"} if name == "total" else {"linewidth": 1.0}
        _line(panel, (x[positive], y[positive]), label=name, **wide)
    if not panel.lines:
        _empty(panel, "losses")
        return
    panel.set_yscale("log")
    panel.set_ylabel("loss (no unit)")
    panel.grid(which="major", alpha=0.3)
    low, high = panel.get_ylim()
    panel.set_ylim(low, high * (high / low) ** 0.35)  # room for the names above the lines
    panel.legend(fontsize="small", ncols=4, loc="upper center", columnspacing=1.0, handlelength=1.2)


def _validation(panel: Axes, checks: Entries) -> None:
    """PRD and spectrogram loss on subjects held out, the best PRD marked."""
    panel.set_title("validation, people held out")
    x, y = _series(checks, "prd")
    if not len(x):
        _empty(panel, "validation")
        return
    panel.plot(x, y, marker="o", markersize=4, color="tab:blue", label="PRD")
    best = int(np.argmin(y))
    panel.plot(
        x[best], y[best], marker="*", markersize=13, color="tab:blue", linestyle="", label=f"best PRD: {y[best]:.1f} %"
    )
    panel.set_ylabel("PRD in %", color="tab:blue")
    panel.grid(alpha=0.3)
    handles, labels = panel.get_legend_handles_labels()
    points = _series(checks, "spectrogram")
    if len(points[0]):
        other = panel.twinx()
        (line,) = other.plot(*points, marker="s", markersize=3, color="tab:red", linewidth=1.0, linestyle="--")
        other.set_ylabel("spectrogram loss (no unit)", color="tab:red")
        handles, labels = [*handles, line], [*labels, "spectrogram loss"]
    panel.legend(handles, labels, fontsize="small")


def _levels(steps: Entries, key: str) -> int:
    return max((len(e[key]) for e in steps if isinstance(e.get(key), list)), default=0)


def _codebooks(panel: Axes, steps: Entries) -> None:
    """Use (solid) and entropy (dashed) of each level of the quantiser; colour is the level."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm

    panel.set_title("codebooks, one colour a level (solid: in use, dashed: entropy)", fontsize="medium")
    levels = max(_levels(steps, "usage"), _levels(steps, "entropy"))
    if not levels:
        _empty(panel, "codebook figures")
        return
    colours = colormaps["viridis"].resampled(levels)
    other = panel.twinx()
    for level in range(levels):
        x, y = _series(steps, "usage", level)
        _line(panel, (x, 100 * y), color=colours(level), linewidth=1.2)
        _line(other, _series(steps, "entropy", level), color=colours(level), linewidth=1.0, linestyle="--")
    panel.set_ylim(0, 105)
    panel.set_ylabel("entries in use, in %")
    other.set_ylim(bottom=0)
    other.set_ylabel("entropy in bits")
    panel.grid(alpha=0.3)
    if levels > 1:
        norm = BoundaryNorm(np.arange(0.5, levels + 1), levels)
        ticks: Sequence[int] = range(1, levels + 1, max(1, levels // 6))
        panel.figure.colorbar(
            ScalarMappable(norm, colours), ax=panel, ticks=ticks, label="level", location="left", pad=0.02, aspect=30
        )


def _pace(panel: Axes, steps: Entries) -> None:
    """Learning rate and how fast data go through."""
    panel.set_title("learning rate and pace")
    if _line(panel, _series(steps, "lr"), color="tab:green"):
        panel.set_ylabel("learning rate", color="tab:green")
        panel.set_yscale("log" if min(_series(steps, "lr")[1]) > 0 else "linear")
        panel.grid(alpha=0.3)
    points = _series(steps, "seconds_per_second")
    if len(points[0]):
        other = panel.twinx() if panel.lines else panel
        _line(other, points, color="tab:purple", linewidth=1.0)
        other.set_ylim(0, 1.15 * max(points[1]))
        other.set_ylabel("seconds of a channel per second", color="tab:purple")
    elif not panel.lines:
        _empty(panel, "learning rate")
