"""The card of a model whose tokens got new tables by the stage ``prior``."""

from __future__ import annotations

from eegzip.training.reporting.stage_facts import StageFacts


def prior_card(facts: StageFacts) -> str:
    """Return the card as Markdown with a YAML front matter."""
    config, outcome, wanted = facts.checkpoint.config, facts.finished.outcome, facts.settings.prior
    base = facts.start.config.name if facts.start else config.name
    if outcome.best_step:
        kept = f"`prior.safetensors` is the result of {outcome.step} steps of {wanted.batch} frames."
    else:
        kept = f"No fewer bytes came of {outcome.step} steps, so the model codes its tokens as `{base}` does."
    what = "components of whole recordings" if wanted.components else "tokens"
    return f"""{facts.front}

# {config.name}

Weights and tokens of `{base}`, with tables of its own that code {what} in context (SPEC.md, section 10.1).

## What it takes on people it never saw

Bytes of their tokens: as packed bits, as `{base}` codes them, and with the new tables.

{_table(outcome.last.get("table", {}))}

In the mean of sets {outcome.best["packed_percent"]:.1f} % of packed bits.

## How it was made

{kept}

{facts.made(outcome.seconds / 60)}

## Limits

* Not a medical device; look at both traces before you rely on it.
"""


def _table(table: dict[str, dict[str, int]]) -> str:
    lines = ["| set | packed | before | after | change |", "|" + " --- |" * 5]
    for group, row in table.items():
        change = 100 * (row["after"] / row["before"] - 1)
        lines.append(f"| {group} | {row['packed']} | {row['before']} | {row['after']} | {change:+.1f} % |")
    return "\n".join(lines)
