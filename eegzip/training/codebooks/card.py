"""The card of a model whose codebooks were made by the stage ``codebooks``."""

from __future__ import annotations

from eegzip.training.reporting.stage_facts import StageFacts


def codebooks_card(facts: StageFacts) -> str:
    """Return the card as Markdown with a YAML front matter."""
    config, outcome = facts.checkpoint.config, facts.finished.outcome
    shape, wanted = config.network, facts.settings.codebooks
    if facts.start is None:
        began = (
            "k-means of each level on what the levels before leave, in the "
            f"{wanted.dimensions} dimensions that need it most"
        )
    else:
        began = f"the codebooks of `{facts.start.config.name}`"
    if facts.start is not None and not outcome.best_step:
        kept = "No round did better on people held out, so codebooks and prior are those that it began with."
    else:
        kept = f"The best round on people held out was {outcome.best_step} of {outcome.step}."
    return f"""{facts.front}

# {config.name}

A transform codec with learned codebooks: every channel alone, {config.rate:g} Hz, an MDCT of {shape.hop} bands,
{shape.n_codebooks} codebooks of {shape.codebook_size} entries in its space, searched with a beam of {config.beam}.
There are no trained convolutions.

## What it leaves of people it never saw

PRD in percent of latents (an orthonormal transform; loudness counted), geometric means over segments of 16 s.

{_table(outcome.first.get("table", {}), outcome.best.get("table", {}), tuned=facts.start is not None)}

## How it was made

Began with {began}; then {outcome.step} rounds that refine all codebooks together under the codec's own search,
{wanted.frames} fresh latents each. {kept}

{facts.made(outcome.seconds / 60)}

## Limits

* Above {config.rate / 2:g} Hz nothing is kept. Wide-band noise is not compressible.
* Not a medical device; look at both traces before you rely on it.
"""


def _table(first: dict[str, float], best: dict[str, float], *, tuned: bool) -> str:
    lines = [f"| set | codebooks | {'at the start' if tuned else 'k-means'} | refined |", "|" + " --- |" * 4]
    for cell, value in best.items():
        group, depth = cell.rsplit(" ", 1)
        lines.append(f"| {group} | {depth} | {first.get(cell, value):.2f} | {value:.2f} |")
    return "\n".join(lines)
