"""Figure 3b of the paper: upsampling from 256 to 512 Hz, and half the vocabulary, merged at once or in rounds.

    python examples/paper/figure3b.py

Each is fine-tuned by the same steps from the same weights, and measured with its first n codebooks.
"""

from __future__ import annotations

import json

from experiment import Experiment, figure, table

RATES = (512, 256)


def main() -> None:
    """Run from the command line."""
    work = Experiment("figure3b", "Figure 3b: sample rate and vocabulary")
    own = work.own
    half = own["rounds"][-1]
    vocabularies = {
        "1024": [],
        f"{half} at once": [f"model.codebook_size={half}"],
        f"{half} in rounds": [
            f"start.reduce_to={json.dumps(own['rounds'])}",
            f"start.reduce_every={own['round_steps']}",
            f"model.codebook_size={half}",
        ],
    }
    pieces = work.test_pieces()
    losses = {}
    for rate in RATES:
        for name, more in vocabularies.items():
            run = f"figure3b-{rate}-{name.replace(' ', '-')}"
            model = work.trained(run, init=own["model"], values=own["values"], more=[f"data.rate={rate}", *more])
            losses[rate, name] = {n: work.loss(model, pieces, codebooks=n) for n in own["codebooks"]}
            work.say(f"{run}: measured")
    rows = [
        [f"{rate} Hz", name, n, f"{loss.bits:.0f}", f"{loss.spectrogram:.2f}", f"{loss.prd:.1f}"]
        for (rate, name), found in losses.items()
        for n, loss in found.items()
    ]
    canvas, axes = figure(7, 7, 2)
    for axis, part, label in ((axes[0, 0], "spectrogram", "spectrogram loss"), (axes[1, 0], "prd", "PRD %")):
        for (rate, name), found in losses.items():
            style = ("o-" if rate == RATES[0] else "o--", {"1024": "tab:blue"}.get(name, "tab:orange"))
            color = "tab:green" if name.endswith("rounds") else style[1]
            bits, values = ([getattr(loss, of) for loss in found.values()] for of in ("bits", part))
            axis.plot(bits, values, style[0], color=color, label=f"{rate} Hz, {name}")
        axis.set(xlabel="bit/s of tokens a channel", ylabel=label)
    axes[0, 0].legend(fontsize="small")
    canvas.savefig(work.out / "figure3b.png", dpi=110)
    most = max(own["codebooks"])

    def change(one: tuple[int, str], other: tuple[int, str]) -> str:
        a, b = losses[one][most], losses[other][most]
        return f"spectrogram loss {a.spectrogram - b.spectrogram:+.2f}, PRD {a.prd - b.prd:+.1f}"

    full, once, rounds = (512, "1024"), (512, f"{half} at once"), (512, f"{half} in rounds")
    told = (
        "The paper: upsampling is marginally better; half the vocabulary is worse, unless it is reached in rounds with "
        f"fine-tuning between them. Here with {most} codebooks: 512 Hz less 256 Hz, {change(full, (256, '1024'))}; "
        f"{half} entries at once less 1024, {change(once, full)}; in rounds less 1024, {change(rounds, full)}."
    )
    heads = ["rate", "vocabulary", "codebooks", "bit/s", "spectrogram loss", "PRD %"]
    work.page([*table(heads, rows), "", told], "figure3b.png")


if __name__ == "__main__":
    main()
