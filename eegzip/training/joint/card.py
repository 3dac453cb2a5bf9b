"""The card of a model with a joint decoder: what it is, how it was made, what it takes off the error, and what not."""

from __future__ import annotations

import torch

from eegzip._version import __version__
from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.training.reporting.stage_facts import StageFacts


def joint_card(facts: StageFacts, start: Checkpoint, parameters: int, device: str) -> str:
    """Return the card as Markdown with a YAML front matter.

    Parameters
    ----------
    facts
        Of the stage.
    start
        The model whose tokens it decodes.
    parameters
        Of the decoder.
    device
        That it was trained on.
    """
    config, base, outcome = facts.checkpoint.config, start.config.name, facts.finished.outcome
    name, best = config.name, outcome.best
    settings = facts.settings
    data, optimiser, run, joint = settings.data, settings.optimiser, settings.run, settings.joint
    width, blocks, heads, kernel = joint.width, joint.blocks, joint.heads, joint.kernel
    millions = parameters / 1e6
    if config.joint is not None and start.config.joint is not None:
        began = f"It began as the decoder of `{base}`, with what that had learnt"
    else:
        began = "Its last layer began at zero and is scaled by the table: untrained, it gives the Wiener estimate"
    lines = "" if data.lines else " without mains and other lines, which `compress` takes out before it codes"
    hum = " and hum" if data.lines else ""
    drift = f", {joint.drift:.0%} of them with slow drift and steps of electrodes" if joint.drift else ""
    return f"""{facts.front}

# {name}

Tokens of single channels, decoded with all channels in sight. Encoder, codebooks, tokens and prior are those of
`{base}`: an MDCT with residual codebooks, no trained convolutions. A file's tokens mean the same, and cost the same,
with both. New is the decoder: a network of {millions:.2f} million parameters, trained by gradient, refines each
channel with what the others say. All that a file has of it is a bit a channel: the encoder measures both ways, and a
channel that the network doesn't serve is decoded from its own tokens.

## What it is

* In each window of at most a minute and each of twelve bands, the covariance of the channels is estimated from the
  decoded tokens (expectation maximisation, eight rounds, given a table of errors by depth and bin); the closed-form
  Wiener estimate follows.
* {blocks} blocks, {width} wide, refine it: filters of {kernel} frames along time, mixing across channels by
  {heads} heads whose weights are learned functions of those correlations and Wiener weights, and a perceptron. Any
  montage, any number of channels; their order is irrelevant.
* {began}.

## What it does to people it never saw

PRD in percent of segments held out, measured on latents (an orthonormal transform; loudness counted): of tokens
alone, with the closed form, with the network, and what the network changes.

{_table(best.get("table", {}))}

In the mean of sets and depths the closed form leaves {best.get("wiener", 100):.2f} % of the PRD of tokens alone,
the network {best.get("prd", 100):.2f} %.

## How it was trained

```sh
{facts.run}
```

* {facts.people}
* Each recording as it is{lines}, and {joint.renditions} time(s) a minute of it with another reference, rate and
  gain{hum}{drift}.
* {outcome.step} steps of {optimiser.batch} examples, {outcome.seconds / 60:.0f} minutes on {device}; the
  weights are averages at step {outcome.best_step}.
* AdamW, rate {optimiser.lr:g} falling by a cosine, seed {run.seed}; the loss is the logarithm of what is left of a
  channel's PRD.
* Licence of the data: {facts.licence or "not stated"}.
* eegzip {__version__}, torch {torch.__version__}.

## Limits

* It takes nothing off where channels have nothing in common: a channel by itself is decoded from its own tokens.
* To restore one channel, the tokens of all those coded beside it are read (`eegzip decompress --alone` does without,
  and without the gain).
* What is lost with a chunk of a window costs the rest of that window its refinement.
* It was trained on the sets above only, scalp EEG; it has seen no intracranial recordings.
* Not a medical device; look at both traces before you rely on it.
"""


def _table(cells: dict[str, list[float]]) -> str:
    lines = ["| set | codebooks | tokens alone | closed form | network | change |", "|" + " --- |" * 6]
    for cell, (alone, wiener, refined) in cells.items():
        group, depth = cell.rsplit(" ", 1)
        change = 100 * (refined / alone - 1) if alone else 0.0
        lines.append(f"| {group} | {depth} | {alone:.2f} | {wiener:.2f} | {refined:.2f} | {change:+.1f} % |")
    return "\n".join(lines)
