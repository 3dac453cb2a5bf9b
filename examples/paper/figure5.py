"""Figure 5 of the paper: five neighbouring channels that DAC-MC codes as one group.

python examples/paper/figure5.py
"""

from __future__ import annotations

import numpy as np
from experiment import Experiment, figure, table

import eegzip
from eegzip.downstream.recordings import read_signals

SHOWN = 6.0
"""Seconds drawn."""


def main() -> None:
    """Run from the command line."""
    work = Experiment("figure5", "Figure 5: five channels as one group")
    own = work.own
    piece = work.piece(work.data / own["file"], own["channels"], work.config["test"]["seconds"])
    groups = work.runs / "figure5-groups.txt"
    groups.write_text(", ".join(own["channels"]) + "\n", encoding="utf-8")
    original = read_signals(piece, own["channels"])
    back = work.restored(own["model"], piece, groups=groups)
    together = read_signals(back, own["channels"])
    measures = {c.label.removeprefix("EEG "): c.measures for c in eegzip.evaluate(piece, back).eeg}
    grouped, alone = (work.loss(own["model"], [piece], groups=how) for how in (groups, "single"))
    canvas, axes = figure(9, 7)
    axis = axes[0, 0]
    first = int((original.values.shape[1] - SHOWN * original.rate) / 2)
    shown = slice(first, first + int(SHOWN * original.rate))
    time = np.arange(original.values[0, shown].size) / original.rate
    apart = 6 * float(np.median(original.values.std(axis=1)))
    for row in range(len(own["channels"])):
        for values, color, what in ((original.values, "0.55", "recorded"), (together.values, "tab:red", "restored")):
            label = what if row == 0 else None
            axis.plot(time, values[row, shown] - row * apart, color=color, linewidth=0.9, label=label)
    axis.set_yticks([-row * apart for row in range(len(own["channels"]))], own["channels"])
    axis.set(xlabel="seconds", xlim=(0, SHOWN), title=f"traces {apart:.0f} uV apart")
    axis.legend(loc="upper right", ncols=2, fontsize="small")
    canvas.savefig(work.out / "figure5.png", dpi=110)
    rows = [[name, f"{m.prd:.0f}", f"{m.r:.2f}"] for name, m in measures.items()]
    told = (
        "The paper shows a figure without numbers. In a group the tokens of one channel stand for five; what "
        f"that costs: PRD {grouped.prd:.0f} % at {grouped.bits:.0f} bit/s a channel, each channel alone "
        f"{alone.prd:.0f} % at {alone.bits:.0f} bit/s."
    )
    work.page([told, "", *table(["channel", "PRD %", "r"], rows)], "figure5.png")


if __name__ == "__main__":
    main()
