"""Levels of lossless compression: every one gives the same bytes back, and the ladder is one."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from api.recordings import SHIPPED

import eegzip
from eegzip.encoding.options import LEVELS
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.header import ORDINARY_LEVEL
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import UsageError
from eegzip.formats.predictive.search.efforts import BLOCK_EFFORTS, EFFORTS, ORDINARY

CHANNELS = ["EEG Fp1", "EEG T3", "EEG O1", "ECG ECG"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of some channels of a real recording, with annotations."""
    folder = tmp_path_factory.mktemp("levels")
    eegzip.compress(SHIPPED / "eegmat" / "Subject16_rest_70s.edf", folder / "whole.eegz", lossless=True, level=1)
    eegzip.decompress(folder / "whole.eegz", folder / "part.edf", start=5, stop=15, channels=CHANNELS)
    return folder / "part.edf"


def methods(path: Path) -> set[int]:
    """How the exact signals of a file are coded."""
    with EegzReader(path) as file:
        found = set()
        for chunk, place in file.chunks.items():
            payload, entries = file.payload(place), file.directory(chunk).streams.values()
            found |= {payload[entry.offset] for entry in entries if entry.kind == StreamKind.EXACT}
        return found


def test_all_levels_are_lossless_and_each_is_smaller_than_the_one_before(recording: Path, tmp_path: Path) -> None:
    sizes = []
    for level in LEVELS:
        packed, back = tmp_path / f"{level}.eegz", tmp_path / f"{level}.edf"
        report = eegzip.compress(recording, packed, lossless=True, level=level)
        eegzip.decompress(packed, back)
        assert back.read_bytes() == recording.read_bytes()
        assert report.compressed_bytes == packed.stat().st_size
        with eegzip.open(packed) as opened:
            assert opened.info["level"] == (None if level == 6 else level)
            assert opened.info["format"] == ("eegz 1.7" if level < 6 else "eegz 1.4")
        sizes.append(packed.stat().st_size)
    for faster, smaller in pairwise(sizes):
        assert smaller < 1.01 * faster  # of ten seconds; the benchmark has whole recordings
    assert sizes[-1] < sizes[5] < sizes[0]


def test_the_ordinary_level_is_what_it_was_before_there_were_levels(recording: Path, tmp_path: Path) -> None:
    eegzip.compress(recording, tmp_path / "said.eegz", lossless=True, level=6)
    eegzip.compress(recording, tmp_path / "unsaid.eegz", lossless=True)
    assert (tmp_path / "said.eegz").read_bytes() == (tmp_path / "unsaid.eegz").read_bytes()
    assert 4 not in methods(tmp_path / "unsaid.eegz")


@pytest.mark.parametrize("level", [1, 4])
def test_chunks_stand_alone_and_the_same_bytes_come_out_each_time(recording: Path, tmp_path: Path, level: int) -> None:
    for name in ("one", "two"):
        eegzip.compress(recording, tmp_path / name, lossless=True, level=level, chunk_seconds=3)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert 4 in methods(tmp_path / "one")
    eegzip.decompress(tmp_path / "one", tmp_path / "part.edf", start=6, stop=9, channels=["EEG O1"])
    eegzip.compress(recording, tmp_path / "whole", lossless=True)
    with eegzip.open(tmp_path / "whole") as whole, eegzip.open(tmp_path / "one") as one:
        np.testing.assert_array_equal(one.read(["EEG O1"], 6, 9), whole.read(["EEG O1"], 6, 9))


def test_what_a_grid_makes_certain_costs_nothing_at_any_level(tmp_path: Path) -> None:
    """Chunk after chunk the grid is known, moves with the signal, and is looked for anew where it no longer fits."""
    rng = np.random.default_rng(5)
    walk = np.cumsum(rng.normal(0, 3, (3, 6000)), axis=1).round()
    rows = np.trunc(walk * 36.8 + 2.2)
    rows[1, 3000:] = np.trunc(walk[1, 3000:] * 20.3)
    rows[2] = np.repeat(walk[2, :3000], 2)
    eegzip.compress_array(rows, 200, ["C3", "C4", "Cz"], tmp_path / "rows.eegz", lossless=True)
    eegzip.decompress(tmp_path / "rows.eegz", tmp_path / "rows.edf")
    sizes = {}
    for level in (1, 6):
        target = tmp_path / f"{level}.eegz"
        eegzip.compress(tmp_path / "rows.edf", target, lossless=True, level=level, chunk_seconds=5)
        eegzip.decompress(target, tmp_path / "back.edf", overwrite=True)
        assert hashlib.sha256((tmp_path / "back.edf").read_bytes()).digest() == (
            hashlib.sha256((tmp_path / "rows.edf").read_bytes()).digest()
        )
        with eegzip.open(target) as opened:
            sizes[level] = sum(signal["stored_bytes"] for signal in opened.info["signals"])
    assert sizes[1] < 1.05 * sizes[6]


def test_a_level_is_a_number_of_lossless_compression(recording: Path, tmp_path: Path) -> None:
    for options in ({"lossless": True, "level": 0}, {"lossless": True, "level": 10}, {"lossless": True, "level": True}):
        with pytest.raises(UsageError, match="there is no level"):
            eegzip.compress(recording, tmp_path / "out.eegz", **options)
    for options in ({}, {"max_prd": 9.0}, {"quality": "compact"}):
        with pytest.raises(UsageError, match="--lossless"):
            eegzip.compress(recording, tmp_path / "out.eegz", level=1, **options)
    assert not (tmp_path / "out.eegz").exists()
    assert eegzip.compress(recording, tmp_path / "out.eegz", quality="archive", level=1).compressed_bytes


def test_what_levels_take_is_what_the_format_allows() -> None:
    for effort in (ORDINARY, *EFFORTS.values(), *BLOCK_EFFORTS.values()):
        assert all(shape.allowed(most) for shape, most in effort.shapes)
    assert {*BLOCK_EFFORTS, ORDINARY_LEVEL, *EFFORTS} == set(LEVELS)
