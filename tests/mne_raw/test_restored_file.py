"""The restored file, read in any order, is what decompress writes."""

from __future__ import annotations

import copy
import io
import os
import pickle
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf
from api.recordings import ROOT, SHIPPED

import eegzip
from eegzip.restored_file import RestoredFile


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """Three channels of a real recording, 4 s in chunks of 2 s with something behind them; and what is restored."""
    folder = tmp_path_factory.mktemp("restored")
    plain = PlainEdf.read(next((SHIPPED / "eegmat").glob("*.edf")))
    data = np.stack([plain.digital(index)[: 4 * 500] / 100 for index in range(3)])
    eegzip.compress_array(
        data, 500, ["Fp1", "T3", "ECG"], folder / "plain.eegz", annotations=[(1.5, None, "eyes open")], lossless=True
    )
    eegzip.decompress(folder / "plain.eegz", folder / "plain.edf")
    with (folder / "plain.edf").open("ab") as file:
        file.write(b"left over")
    eegzip.compress(folder / "plain.edf", folder / "night.eegz", chunk_seconds=2, lossless=True)
    eegzip.decompress(folder / "night.eegz", folder / "night.edf")
    return folder / "night.eegz", (folder / "night.edf").read_bytes()


def test_any_stretch_is_that_of_the_restored_file(pair: tuple[Path, bytes]) -> None:
    path, expected = pair
    dice = random.Random(1)
    with RestoredFile(path) as file:
        assert file.size == len(expected) == file.seek(0, os.SEEK_END)
        assert file.read() == b""
        for _ in range(60):
            place, count = dice.randrange(len(expected) + 9), dice.choice((1, 300, 5000, 1 << 20))
            assert file.seek(place) == place
            assert file.read(count) == expected[place : place + count]
            assert file.tell() == min(place + count, max(place, len(expected)))
        file.seek(-9, os.SEEK_END)
        assert io.BufferedReader(file).read() == b"left over"


@pytest.mark.parametrize("name", ["v1.2/both", "v1.5/joint", "v1.3/components"])
def test_tokens_and_layers_come_back_as_they_do_else(name: str, tmp_path: Path) -> None:
    path = ROOT / "tests" / "golden" / f"{name}.eegz"
    eegzip.decompress(path, tmp_path / "restored")
    expected = (tmp_path / "restored").read_bytes()
    with RestoredFile(path) as file:
        file.seek(len(expected) // 2)
        assert file.read(5000) == expected[len(expected) // 2 :][:5000]
        file.seek(0)
        assert file.read() == expected


def test_threads_and_copies_read_the_same(pair: tuple[Path, bytes]) -> None:
    path, expected = pair
    file = RestoredFile(path)
    copies = [copy.deepcopy(file), pickle.loads(pickle.dumps(file)), *(file.of_signals(range(4)) for _ in range(2))]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda one: one.read(), copies)) == [expected] * 4


def test_only_some_signals_are_decoded(pair: tuple[Path, bytes]) -> None:
    path, expected = pair
    file = RestoredFile(path)
    header = file.edf_header
    wanted = 2
    found = file.of_signals([wanted]).read()
    start, end = len(header.raw), len(expected) - len(b"left over")
    records = np.frombuffer(found[start:end], np.uint8).reshape(-1, header.record_bytes).copy()
    whole = np.frombuffer(expected[start:end], np.uint8).reshape(-1, header.record_bytes)
    where = header.signal_slices[wanted]
    np.testing.assert_array_equal(records[:, where], whole[:, where])
    records[:, where] = 0
    assert not records.any()
    assert (found[:start], found[end:]) == (expected[:start], expected[end:])


def test_more_files_than_stay_open(compressed: Callable[..., Path], tmp_path: Path) -> None:
    """A file that was closed meanwhile is opened again, and another one of its name is not taken for it."""
    small = compressed(SHIPPED / "edf" / "test_utf8_annotations.edf", lossless=True).read_bytes()
    paths = [tmp_path / f"{number}.eegz" for number in range(20)]
    for path in paths:
        path.write_bytes(small)
    files = [RestoredFile(path) for path in paths]
    assert len({file.read() for file in files + files}) == 2  # the second time there is nothing left
    other = compressed(SHIPPED / "edf" / "short_psg.bdf", lossless=True)
    pickled = pickle.dumps(files[0])
    paths[0].write_bytes(other.read_bytes())
    with pytest.raises(eegzip.ContainerError, match=r"0\.eegz is not the file any more"):
        pickle.loads(pickled)
    assert RestoredFile(paths[0]).read(8) == b"\xffBIOSEMI"


def test_damage_and_misuse_are_said(pair: tuple[Path, bytes], tmp_path: Path) -> None:
    path, _ = pair
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    (tmp_path / "night.eegz").write_bytes(damaged)
    with RestoredFile(tmp_path / "night.eegz") as file, pytest.raises(eegzip.ContainerError, match=r"chunk .*damaged"):
        file.read()
    with pytest.raises(eegzip.UsageError, match="has the signals 0 to 3"):
        RestoredFile(path, signals=[4])
    with pytest.raises(eegzip.BadInputError, match="does not exist"):
        RestoredFile(tmp_path / "nothing.eegz")
    file = RestoredFile(path)
    with pytest.raises(ValueError, match="no byte -1"):
        file.seek(-1)
    with pytest.raises(ValueError, match="whence"):
        file.seek(0, 3)
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
