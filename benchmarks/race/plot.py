"""The race as a picture: a panel a set, rate along, what is lost upwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from race.coders import TARGETS

_RATES = (10, 20, 50, 100, 200, 500, 1000)
_PRDS = (2, 5, 10, 20, 50, 100)
# The first that a name begins with; an earlier model, for old files, pale beside its successor.
_OURS = {
    "dac-sc-compact": "#f0a8a8",
    "dac-sc": "#d62728",
    "dac-mc": "#8c1aff",
    TARGETS: "#ff7f0e",
}
_RIVALS = {
    "mdct": "#1f3b57",
    "klt-mdct": "#2b7bba",
    "klt-bands": "#8fc1e8",
    "wavelet": "#7fa37f",
    "opus": "#9a9a9a",
    "mp3": "#c0a080",
}


def _look(coder: str) -> dict[str, Any]:
    for name, colour in _OURS.items():
        if coder.startswith(name):
            return {"color": colour, "linewidth": 2.4, "marker": "o", "markersize": 4.5, "zorder": 3}
    return {"color": _RIVALS.get(coder, "#555555"), "linewidth": 1.3, "marker": ".", "markersize": 4, "zorder": 2}


def draw(rows: Sequence[dict[str, Any]], coders: Sequence[str], path: Path) -> None:
    """Draw all sets; where a set has several recordings, each setting is at the geometric mean of rates and PRDs."""
    groups = list(dict.fromkeys(row["set"] for row in rows))
    columns = min(len(groups), 3)
    lines = -(-len(groups) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(4.6 * columns, 3.9 * lines), squeeze=False, layout="constrained"
    )
    for axis, group in zip(axes.flat, groups, strict=False):
        for coder in coders:
            here = [row for row in rows if (row["set"], row["coder"]) == (group, coder) and row["prd"]]
            settings = dict.fromkeys(row["setting"] for row in here)
            points = [
                [
                    np.exp(np.mean(np.log([row[name] for row in here if row["setting"] == setting])))
                    for setting in settings
                ]
                for name in ("bits_per_second", "prd")
            ]
            axis.plot(*points, label=coder, **_look(coder))
        count = len({row["recording"] for row in rows if row["set"] == group})
        axis.set(
            xscale="log",
            yscale="log",
            title=f"{group} ({count} recording{'s' * (count != 1)})",
            xlim=(10, 1000),
            ylim=(2, 100),
        )
        for place, values in ((axis.xaxis, _RATES), (axis.yaxis, _PRDS)):
            place.set_major_locator(FixedLocator(values))
            place.set_minor_locator(NullLocator())
            place.set_major_formatter(ScalarFormatter())
        axis.grid(color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
    for axis in axes[-1]:
        axis.set_xlabel("bit/s a channel")
    for axis in axes[:, 0]:
        axis.set_ylabel("PRD % (mean over channels)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    spare = axes.flat[len(groups)] if len(groups) < axes.size else None
    for axis in axes.flat[len(groups) :]:
        axis.axis("off")
    if spare is not None:
        spare.legend(handles, labels, loc="center", frameon=False, title="lower and further left is better")
    else:
        axes[0, 0].legend(handles, labels, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
