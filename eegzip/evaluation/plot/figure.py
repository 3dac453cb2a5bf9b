"""The picture: rows of traces at one scale, seconds below, a scale bar, negative up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from eegzip.formats.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegzip.evaluation.plot.traces import Trace

SCALES = (1, 2, 5, 10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000, 5000, 10000)
"""uV (or whatever the unit is) that a row may be high."""

FORMATS = ("png", "svg")
_USUAL = 6
"""Times the usual size of the traces that a row is high."""

_WIDTH, _ROW, _FRAME = 13.0, 0.3, 1.0
"""Inches: of the picture, of a row, of what is above and below the rows."""

_DPI = 110
_GAP = 0.6
"""Rows between chains of a montage."""

_INK, _OTHER, _GRID = "#1a1d21", "#e4570f", "#d8dde2"


def format_of(path: Path) -> str:
    """Return the format that a file's name asks for.

    Raises
    ------
    UsageError
        It is none that is written.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise UsageError(f"{path}: a plot is written as .png or .svg; give the file such a name.")
    return ending


def scale_of(rows: Sequence[Trace]) -> int:
    """Choose how high a row is: near the usual size of the traces, in a step that people know from their machines."""
    sizes = [float(np.median(np.abs(row.original - np.median(row.original)))) for row in rows if len(row.original)]
    wanted = _USUAL * float(np.median(sizes)) if sizes else 0.0
    return next((scale for scale in SCALES if scale >= wanted), SCALES[-1])


def drawn_figure(rows: Sequence[Trace], title: str, names: Sequence[str], start: float, stop: float) -> Figure:
    """Draw traces over seconds.

    Parameters
    ----------
    rows : sequence of Trace
        From above to below.
    title : str
    names : sequence of str
        What is drawn: the file, or both files.
    start, stop : float
        Seconds of recorded data.

    Returns
    -------
    matplotlib.figure.Figure
    """
    # The canvas is made by hand: pyplot would keep global state and might ask for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    places = np.cumsum([1.0 + _GAP * row.apart for row in rows]) - 1.0
    figure = Figure(figsize=(_WIDTH, _FRAME + _ROW * (places[-1] + 1.5)), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    scale = scale_of(rows)
    for row, place in zip(rows, places, strict=True):
        if not len(row.original):  # of a low rate, in a short stretch
            continue
        middle = float(np.median(row.original))
        pair = ((row.original, _INK, 1.4 if row.other is not None else 0.8), (row.other, _OTHER, 0.7))
        for values, colour, width in pair:
            if values is not None:
                times = start + np.arange(len(values)) / row.rate
                axes.plot(times, place + (values - middle) / scale, color=colour, linewidth=width)
    _frame(axes, rows, places, start, stop)
    _scale_bar(axes, scale, rows, float(places[-1]), start, stop)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10).set_parse_math(False)
    if len(names) > 1:
        legend = [axes.plot([], [], color=colour, label=name)[0] for name, colour in zip(names, (_INK, _OTHER))]  # noqa: B905 - two names
        shown = figure.legend(handles=legend, loc="upper right", ncols=2, frameon=False, fontsize=9)
        for text in shown.get_texts():
            text.set_parse_math(False)
    return figure


def _frame(axes: Axes, rows: Sequence[Trace], places: np.ndarray, start: float, stop: float) -> None:
    """Names of the rows at the left, a line a second, and times below."""
    axes.set_xlim(start, stop)
    # Downwards, so that what is negative points up.
    axes.set_ylim(places[-1] + 1.0, -1.0)
    axes.set_yticks(places, [row.name for row in rows], fontsize=9)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    length = stop - start
    step = next((step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600) if length / step <= 12), length / 10)
    ticks = np.arange(np.ceil(start / step - 1e-9), np.floor(stop / step + 1e-9) + 1) * step
    axes.set_xticks(ticks, [_clock(tick) for tick in ticks], fontsize=9)
    axes.grid(visible=True, axis="x", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _scale_bar(axes: Axes, scale: int, rows: Sequence[Trace], last: float, start: float, stop: float) -> None:
    """A row's height and a second, at the lower right."""
    units = sorted({row.unit for row in rows})
    right = stop - 0.004 * (stop - start)
    axes.plot([right, right], [last - 0.1, last + 0.9], color=_INK, linewidth=2.5, solid_capstyle="butt")
    text = axes.text(
        stop - 0.009 * (stop - start),
        last + 0.5,
        f"{scale} {' or '.join(units)}",
        ha="right",
        va="center",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
    )
    text.set_parse_math(False)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:02.0f}" if rest == round(rest) else f"{rest:04.1f}"
    return f"{hours}:{minutes:02d}:{text}" if hours else f"{minutes}:{text}"


def save(figure: Figure, file: BinaryIO, ending: str) -> None:
    """Write a figure; the same one gives the same bytes."""
    from matplotlib import rc_context

    metadata = {"Date": None, "Creator": "eegzip"} if ending == "svg" else {"Software": "eegzip"}
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "eegzip"}):
        figure.savefig(file, format=ending, metadata=metadata)
