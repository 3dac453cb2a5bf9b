"""The second reader as a program restores what the format's first user finds on a disk in twenty years."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import restore
from api.plain_edf import beginning
from second_reader import SecondReader, samples_from_bytes

import eegzip

PROGRAM = Path(restore.__file__)
GOLDEN = PROGRAM.parents[1] / "golden"


@pytest.fixture(scope="module")
def short(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds."""
    return beginning(eegmat, tmp_path_factory.mktemp("short") / "in.edf", 2)


def test_an_archived_file_takes_neither_eegzip_nor_torch(short: Path, tmp_path: Path) -> None:
    eegzip.compress(short, tmp_path / "a.eegz", lossless=True)
    code = (
        f"import runpy, sys; sys.argv = ['restore', {str(tmp_path / 'a.eegz')!r}, {str(tmp_path / 'a.edf')!r}]; "
        f"sys.path.insert(0, {str(PROGRAM.parent)!r}); runpy.run_path({str(PROGRAM)!r}, run_name='__main__'); "
        "assert not {'eegzip', 'torch', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the original's SHA-256" in done.stdout
    assert (tmp_path / "a.edf").read_bytes() == short.read_bytes()


def test_a_default_file(short: Path, tmp_path: Path) -> None:
    eegzip.compress(short, tmp_path / "a.eegz", codebooks=2)
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf")
    restore.main([str(tmp_path / "a.eegz"), str(tmp_path / "b.edf")])
    assert_alike(tmp_path / "a.eegz", tmp_path / "b.edf", tmp_path / "a.edf", 8)


def test_a_file_that_carries_its_model(tmp_path: Path) -> None:
    packed = GOLDEN / "v1.7" / "model" / "model.eegz"
    assert list(SecondReader(packed.read_bytes()).model) == ["config.json", "model.safetensors"]
    eegzip.decompress(packed, tmp_path / "a.edf")
    restore.main([str(packed), str(tmp_path / "b.edf")])
    assert_alike(packed, tmp_path / "b.edf", tmp_path / "a.edf", 1 + 6900 / 1024)


def assert_alike(packed: Path, mine: Path, theirs: Path, tolerance: float) -> None:
    """Header, annotations and other exact signals to the byte, coded ones within the tolerance of section 9."""
    head = SecondReader(packed.read_bytes()).head
    ours, other = mine.read_bytes(), theirs.read_bytes()
    assert len(ours) == len(other)
    begin = len(head["edf_header"])
    assert ours[:begin] == other[:begin]
    records = (samples_from_bytes(data[begin:], head["sample_bytes"]) for data in (ours, other))
    rows = [samples.reshape(head["n_records"], -1) for samples in records]
    place = 0
    for signal in head["signals"]:
        part = slice(place, place := place + signal["samples_per_record"])
        most = 0 if signal["coding"] == "exact" else tolerance
        np.testing.assert_allclose(rows[0][:, part], rows[1][:, part], atol=most)


def test_what_it_can_not_do_it_says(short: Path, tmp_path: Path) -> None:
    eegzip.compress(short, tmp_path / "a.eegz", max_prd=9)
    with pytest.raises(SystemExit, match="layers"):
        restore.main([str(tmp_path / "a.eegz"), str(tmp_path / "b.edf")])
    assert not (tmp_path / "b.edf").exists()
