"""Files written by every version of the format so far are read as they were written."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zstandard

from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.token_stream import read_tokens
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import SMALL_FILE_BYTES
from eegzip.formats.packing import unpack_map

HERE = Path(__file__).parent
VERSIONS = ["v1", "v1.1"]
"""Of files of random content; those of real recordings have tests of their own."""


def covers(found: Any, wanted: Any) -> bool:
    """Whether everything golden is still there and equal; later versions may add fields."""
    if isinstance(wanted, dict):
        return all(key in found and covers(found[key], value) for key, value in wanted.items())
    if isinstance(found, bytes):
        return found.hex() == wanted
    if isinstance(found, Fraction):
        return [found.numerator, found.denominator] == wanted
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(covers(a, b) for a, b in zip(found, wanted, strict=True))
    return bool(found == wanted)


def load(version: str, name: str) -> dict[str, np.ndarray]:
    with np.load(HERE / version / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


def check_chunks(file: EegzReader, golden: Any, chunks: range) -> int:
    header, arrays = file.header, 0
    for chunk in chunks:
        first, stop = header.records_of_chunk(chunk)
        for signal in header.exact_signals():
            wanted = golden[f"exact{signal}"][first:stop]
            np.testing.assert_array_equal(file.chunk_exact(chunk, signal), wanted, strict=True)
            arrays += 1
        for group in range(len(header.groups)):
            wanted = golden[f"tokens{group}"][:, slice(*header.grid(group).frames_of_records(first, stop))]
            np.testing.assert_array_equal(file.chunk_tokens(chunk, group), wanted, strict=True)
            arrays += 1
        for number in range(len(file.knot_owners())):
            np.testing.assert_array_equal(file.chunk_knots(chunk)[number], golden[f"knots{chunk}_{number}"])
            arrays += 1
    return arrays


def test_there_are_golden_files():
    for version in VERSIONS:
        assert {path.name for path in (HERE / version).iterdir()} >= {"edf.eegz", "bdf.eegz", "errors.json"}
        assert all(path.stat().st_size < 20_000 for path in (HERE / version).iterdir())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["edf", "bdf"])
def test_an_old_file_is_read_as_it_was_written(version, name):
    golden = load(version, name)
    with EegzReader(HERE / version / f"{name}.eegz") as file:
        assert (file.complete, file.problems) == (True, [])
        assert covers(asdict(file.header), json.loads(str(golden["header"])))
        assert covers(asdict(file.summary), json.loads(str(golden["summary"])))
        arrays = check_chunks(file, golden, range(file.header.n_chunks))
        assert arrays == sum(
            len(golden[key]) > 0 for key in golden if key.startswith("knots")
        ) + file.header.n_chunks * (sum(key.startswith(("tokens", "exact")) for key in golden))
        for group in range(len(file.header.groups)):
            np.testing.assert_array_equal(read_tokens(file, group).codes, golden[f"tokens{group}"], strict=True)
        assert b"".join(file.trailing()) == golden["trailing"].tobytes()
        assert [problem for _, problem in file.verify_blocks() if problem] == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["edf", "bdf"])
def test_what_an_old_file_holds_is_written_as_it_was(version, name):
    """A newer version adds nothing to files that don't need it: neither fields nor a higher number."""
    data = (HERE / version / f"{name}.eegz").read_bytes()
    assert data[9:11] == bytes([1, int(version == "v1.1")])
    with EegzReader(HERE / version / f"{name}.eegz") as file:
        stored = unpack_map(file.payload(file.blocks.head), "it")
        # Small files are written with the dictionary of version 1.4, so this one gets a long tail.
        longer = replace(file.header, trailing_bytes=SMALL_FILE_BYTES)
        written = io.BytesIO()
        EegzWriter(written, longer)
    assert written.getvalue()[:16] == data[:16]
    # The same bytes once decompressed; zstd itself may have learnt to pack them better.
    wanted = msgpack.packb(stored | {"trailing_bytes": SMALL_FILE_BYTES}, use_bin_type=True)
    assert zstandard.decompress(longer.pack()) == wanted


@pytest.mark.parametrize("version", VERSIONS)
def test_of_an_old_file_that_was_cut_the_same_is_salvaged(version):
    golden = load(version, "edf")
    sentence = json.loads((HERE / version / "errors.json").read_text())["cut.eegz"]
    with EegzReader(HERE / version / "cut.eegz") as file:
        assert not file.complete
        each = sum(key.startswith(("tokens", "exact", "knots0_")) for key in golden)
        assert check_chunks(file, golden, range(2)) == 2 * each >= 2 * 7
        with pytest.raises(ContainerError) as caught:
            file.chunk_tokens(2, 0)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_error_is_still_that_error(version):
    sentence = json.loads((HERE / version / "errors.json").read_text())["text.eegz"]
    with pytest.raises(ContainerError) as caught:
        EegzReader(HERE / version / "text.eegz")
    assert sentence in str(caught.value)
    assert str(HERE / version / "text.eegz") in str(caught.value)


def test_golden_files_are_never_overwritten():
    folder = HERE / "v1"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = subprocess.run([sys.executable, HERE / "make.py", "v1"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "golden files are written once" in result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
