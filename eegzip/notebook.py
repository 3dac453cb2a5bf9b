"""Notebook views of recordings and reports: a few lines, and a table that opens. Everything is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

CODING_NAMES = {"tokens": "lossy", "layers": "bounded", "exact": "exact"}
"""What a person calls the ways in which a signal is coded."""

_CELL = "padding:1px 8px;text-align:right;white-space:nowrap"
_FIRST = "padding:1px 8px;text-align:left;white-space:nowrap"
_BAD = "color:#c2410c"


def card(
    sentence: str,
    lines: Iterable[str] = (),
    *,
    bad: Iterable[str] = (),
    heads: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
) -> str:
    """Return HTML that a notebook shows in light and dark, and that needs no style sheet.

    Parameters
    ----------
    sentence : str
        The one line that a person reads.
    lines : iterable of str
        More of them, smaller.
    bad : iterable of str
        What is wrong.
    heads : sequence of str
        Of the table; it is left out where there are no rows.
    rows : sequence of sequence of str
        Cells, the first of each row at the left. The table is folded up, as channels may be many.
    """
    parts = [f"<div>{escape(sentence)}</div>"]
    parts += [f'<div style="{_BAD}">{escape(line)}</div>' for line in bad]
    parts += [f'<div style="opacity:.75;font-size:90%">{escape(line)}</div>' for line in lines]
    if rows:
        body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
        count = f"{len(rows)} {heads[0]}{'s' * (len(rows) != 1)}"
        parts.append(
            f'<details><summary style="cursor:pointer">{escape(count)}</summary><div style="overflow-x:auto">'
            f"<table><thead><tr>{_cells('th', heads)}</tr></thead><tbody>{body}</tbody></table></div></details>"
        )
    return f'<div class="eegzip" style="line-height:1.4">{"".join(parts)}</div>'


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "".join(
        f'<{tag} style="{_CELL if column else _FIRST}">{escape(text)}</{tag}>' for column, text in enumerate(texts)
    )


def cell(value: float | None, form: str) -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None else format(value, form)
