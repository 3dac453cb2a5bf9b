"""Labels as users name them."""

from __future__ import annotations

import pytest

from eegzip.formats.edf.label_patterns import matches, split_patterns


@pytest.mark.parametrize(
    ("text", "patterns"),
    [("C3, Cz", ["C3", "Cz"]), (r"Eye\, left,Cz", ["Eye, left", "Cz"]), ("C3,,Cz", ["C3", "", "Cz"]), ("O?", ["O?"]),
     (r"a\,b\,c", ["a,b,c"])],
)  # fmt: skip
def test_lists(text: str, patterns: list[str]) -> None:
    assert split_patterns(text) == patterns


def test_a_label_with_a_comma_is_named() -> None:
    (pattern,) = split_patterns(r"Eye\, left")
    assert matches(pattern, "Eye, left")
    assert not matches(pattern, "Eye")
