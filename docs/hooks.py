"""What the site takes from outside docs/, so that each text stands in one place and its links work here and there.

SPEC.md, CONTRIBUTING.md and their like, tables of measurements and the cards of models become pages at the same path.
Links between them are relative to the repository; they are turned into links relative to the site.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

import click
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
TAKEN = (
    "SPEC.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "benchmarks/results/*.md",
    "benchmarks/results/*.png",
    "benchmarks/results/*.json",
    "eegzip/checkpoints/*/README.md",
    "examples/*.py",
)
_LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")


def on_files(files: Files, config: Any) -> Files:
    """Add the files from outside docs/."""
    for pattern in TAKEN:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links that are relative to the repository into links of the site."""
    inside = Path(page.file.abs_src_path).is_relative_to(ROOT / "docs")
    here = PurePosixPath("docs" if inside else "", page.file.src_uri).parent

    def turned(found: re.Match[str]) -> str:
        before, target, after = found.groups()
        if "://" in target or target.startswith(("mailto:", "/")):
            return found[0]
        in_repository = normpath(here / target)
        on_site = in_repository.removeprefix("docs/")
        return before + relpath(on_site, str(PurePosixPath(page.file.src_uri).parent)) + after

    return _LINK.sub(turned, markdown.replace("<!-- help of every command -->", _help()))


def _help() -> str:
    """Return what ``--help`` prints, for every command and the commands below it."""
    from eegzip.cli.main import main

    parts: list[str] = []

    def describe(command: click.Command, names: tuple[str, ...], parent: click.Context | None = None) -> None:
        settings = {**command.context_settings, "max_content_width": 88, "terminal_width": 88}
        context = click.Context(command, parent=parent, info_name=names[-1], **settings)
        parts.append(f"{'#' * min(3, len(names) + 1)} {' '.join(names)}\n\n```text\n{command.get_help(context)}\n```\n")
        for name, below in sorted(getattr(command, "commands", {}).items()):
            describe(below, (*names, name), context)

    describe(main, ("eegzip",))
    return "\n".join(parts)
