"""Text on a terminal, in which nothing of a file's own strings works as a command to the terminal."""

from __future__ import annotations

import unicodedata

import click

_KEPT = frozenset("\n\t")
# Of format characters those that reorder or hide text; others join letters, as some languages want.
_HIDING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def harmless(text: str) -> str:
    """Text with control characters, and what reorders it, written out as escapes; line ends stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter) for letter in text)


def in_one_line(text: object) -> str:
    """Likewise, line ends written out too: for strings out of files that stand in a line of ours."""
    return harmless(str(text)).replace("\n", "\\n").replace("\t", "\\t")


def _shown(letter: str) -> str:
    if letter in _KEPT:
        return letter
    if letter in _HIDING or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp"):
        return letter.encode("unicode_escape").decode("ascii")
    return letter


def say(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text, harmless, on standard output or on standard error."""
    click.echo(harmless(text), err=err, nl=nl)
