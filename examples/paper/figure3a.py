"""Figure 3a of the paper: fewer codebooks, taken away after fine-tuning or before it.

    python examples/paper/figure3a.py

*After*: a model fine-tuned with nine codebooks, of which the first n are kept. *Before*: one fine-tuned with n from the
start, a model for each n. All are fine-tuned by the same steps from the same weights.
"""

from __future__ import annotations

from experiment import Experiment, figure, table

# What the paper's text says of the figure, as a multiple of nine codebooks.
PAPER = {9: "1.00", 6: "below 1.10", 3: "about 2"}


def main() -> None:
    """Run from the command line."""
    work = Experiment("figure3a", "Figure 3a: fewer codebooks, before and after fine-tuning")
    own = work.own
    numbers, most = own["codebooks"], max(own["codebooks"])
    tuned = {
        n: work.trained(f"figure3a-{n}", init=own["model"], values=own["values"], more=[f"model.n_codebooks={n}"])
        for n in numbers
    }
    pieces = work.test_pieces()
    losses = {
        "not fine-tuned": {n: work.loss(own["model"], pieces, codebooks=n) for n in numbers},
        "after": {n: work.loss(tuned[most], pieces, codebooks=n) for n in numbers},
        "before": {n: work.loss(tuned[n], pieces) for n in numbers},
    }
    work.say("measured")
    rows = []
    for n in numbers:
        for kind, found in losses.items():
            loss, share = found[n], found[n].spectrogram / found[most].spectrogram
            paper = PAPER.get(n, "-") if kind == "before" else "-"
            figures = [f"{loss.bits:.0f}", f"{loss.spectrogram:.2f}", f"{share:.2f}", paper, f"{loss.prd:.1f}"]
            rows.append([kind, n, *figures])
    canvas, axes = figure(7, 6, 2)
    for axis, part, label in ((axes[0, 0], "spectrogram", "spectrogram loss"), (axes[1, 0], "prd", "PRD %")):
        for kind, style in (("after", "o-"), ("before", "s--")):
            values = [getattr(loss, part) for loss in losses[kind].values()]
            axis.plot(numbers, values, style, label=f"pruned {kind} fine-tuning")
        axis.set(xlabel="codebooks", ylabel=label, xticks=numbers)
        axis.invert_xaxis()
    axes[0, 0].legend()
    canvas.savefig(work.out / "figure3a.png", dpi=110)
    fewer = [n for n in numbers if n != most]
    gains = [
        ", ".join(f"{getattr(losses['after'][n], part) - getattr(losses['before'][n], part):+.2f}" for n in fewer)
        for part in ("spectrogram", "prd")
    ]
    told = (
        f"The paper finds pruning before fine-tuning always better. Here, with {' and '.join(map(str, fewer))} "
        f"codebooks, after less before: spectrogram loss {gains[0]}; PRD {gains[1]}. Above 0: as in the paper."
    )
    heads = ["pruned", "codebooks", "bit/s", "spectrogram loss", "of nine", "the paper's", "PRD %"]
    work.page([*table(heads, rows), "", told], "figure3a.png")


if __name__ == "__main__":
    main()
