"""What the README, CONTRIBUTING and the pages of docs/ point to is there."""

from __future__ import annotations

import re

import pytest
from api.recordings import ROOT

PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md")),
        *ROOT.glob("benchmarks/results/*.md"),
        *ROOT.glob("docs/**/*.md"),
    ]
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:eegzip|formats|cli|tests|docs|examples|benchmarks|\.ci)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_paths_exist(page) -> None:
    text = page.read_text("utf-8")
    links = [link.partition("#")[0] for link in _LINK.findall(text) if "://" not in link and not link.startswith("#")]
    assert [link for link in links if not (page.parent / link).exists()] == []
    # What a command writes anew need not be there.
    paths = [path for path in _PATH.findall(text) if not path.endswith(".csv")]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_site_has_every_page() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    for page in ROOT.glob("docs/**/*.md"):
        assert page.relative_to(ROOT / "docs").as_posix() in navigation
