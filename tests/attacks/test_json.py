"""JSON that Python's reader chokes on, wherever a file of it is read: thousands of lists, thousands of digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eegzip.batches.manifest import read_manifest
from eegzip.bids import _read as read_sidecar
from eegzip.codecs.channels.group_file import read_groups
from eegzip.formats.errors import EegzipError
from eegzip.training.loop.state import SETTINGS, load_run_settings
from eegzip.training.stages import _FINISHED, _read_finished

DEEP, LONG = b"[" * 100_000, b"9" * 10_000
READERS: list[tuple[str, Callable[[Path], object]]] = [
    ("groups.json", read_groups),
    ("sidecar.json", read_sidecar),
    (SETTINGS, lambda path: load_run_settings(path.parent)),
    (_FINISHED, lambda path: _read_finished(path.parent)),
]


@pytest.mark.parametrize("content", [DEEP, b"[[" + LONG + b"]]"], ids=["deep", "long"])
@pytest.mark.parametrize(("name", "read"), READERS, ids=[name for name, _ in READERS])
def test_it_ends_in_a_sentence(name: str, read: Callable[[Path], object], content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EegzipError, match=name.split(".")[0]):
        read(tmp_path / name)


@pytest.mark.parametrize("content", [DEEP, LONG], ids=["deep", "long"])
def test_a_line_of_a_manifest_that_is_none_counts_as_torn(content: bytes, tmp_path: Path) -> None:
    sound = b'{"manifest": 1, "job": "archive", "state": "done", "source": "a.edf"}\n'
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(sound + b'{"manifest": 1, "a": ' + content + b"}\n")
    assert [line["source"] for line in read_manifest(path)] == ["a.edf"]
