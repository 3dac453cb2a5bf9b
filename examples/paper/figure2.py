"""Figure 2 of the paper: a channel as it was recorded, and as codecs before and after fine-tuning restore it.

    python examples/paper/figure2.py

The codec that knows audio only is the run that table1a.py makes; without it its panel is left out.
"""

from __future__ import annotations

import numpy as np
from experiment import Experiment, figure, table

import eegzip
from eegzip.downstream.recordings import read_signals

BAND_NAMES = ("delta", "theta", "alpha", "beta")
SHOWN = 8.0
"""Seconds drawn."""


def main() -> None:
    """Run from the command line."""
    work = Experiment("figure2", "Figure 2: a channel before and after")
    own = work.own
    piece = work.piece(work.data / own["file"], [own["channel"]], work.config["test"]["seconds"])
    heard = own["pretrained"] or str(work.runs / "table1a-audio" / "last")
    models: dict[str, tuple[str, dict[str, int]]] = {own["label"]: (own["tuned"], {})}
    if own["pretrained"] or (work.runs / "table1a-audio" / "done").is_file():
        # As in table 1a: at the rate of audio, EEG would get 172 times the tokens.
        models = {"trained on audio only": (heard, {"rate": 256}), **models}
    original = read_signals(piece)
    rows, drawn = [], {}
    for name, (model, options) in models.items():
        back = work.restored(model, piece, **options)
        drawn[name] = read_signals(back).values[0]
        measures = eegzip.evaluate(piece, back).eeg[0].measures
        bands = [f"{measures.coherence[band]:.2f}" for band in BAND_NAMES]
        rows.append([name, f"{measures.prd:.0f}", f"{measures.r:.2f}", f"{measures.spectrogram_loss:.2f}", *bands])
        work.say(name)
    canvas, axes = figure(9, 2.4 * len(drawn), len(drawn))
    first = int((original.values.shape[1] - SHOWN * original.rate) / 2)
    shown = slice(first, first + int(SHOWN * original.rate))
    time = np.arange(original.values[0, shown].size) / original.rate
    for axis, (name, values) in zip(axes[:, 0], drawn.items(), strict=True):
        axis.plot(time, original.values[0, shown], color="0.6", linewidth=1.0, label="recorded")
        axis.plot(time, values[shown], color="tab:red", linewidth=0.9, label="restored")
        axis.set(title=name, ylabel="uV", xlim=(0, SHOWN))
        axis.legend(loc="upper right", ncols=2, fontsize="small")
    axes[-1, 0].set_xlabel("seconds")
    canvas.savefig(work.out / "figure2.png", dpi=110)
    told = (
        f"Channel {own['channel']} of a person whom neither model saw. The paper shows a figure without numbers, in "
        "which the restored signal follows the recorded one closely. Coherence says how much of a band comes back."
    )
    heads = ["codec", "PRD %", "r", "spectrogram loss", *(f"coherence {band}" for band in BAND_NAMES)]
    work.page([told, "", *table(heads, rows)], "figure2.png")


if __name__ == "__main__":
    main()
