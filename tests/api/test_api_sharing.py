"""An open file may be shared: by threads, and by processes however they were started."""

from __future__ import annotations

import multiprocessing
import pickle
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch
from api.plain_edf import PlainEdf
from api.recordings import SHIPPED

import eegzip

KINDS = {"tokens": {"model": "eegz-sc-1"}, "bounded": {"max_prd": 9}, "lossless": {"lossless": True}}
CHANNELS = ["Fp1", "T3", "O1"]
LONGEST_WAIT = 120
"""Seconds until a process counts as hanging; one that does not takes a few."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each kind: three channels of a real recording, 8 s, chunks of 2 s."""
    folder = tmp_path_factory.mktemp("shared")
    plain = PlainEdf.read(next((SHIPPED / "eegmat").glob("*.edf")))
    data = np.stack([plain.digital(index)[: 8 * 500] / 100 for index in range(3)])
    for kind, options in KINDS.items():
        eegzip.compress_array(data, 500, CHANNELS, folder / f"{kind}.eegz", chunk_seconds=2, **options)
    return {kind: folder / f"{kind}.eegz" for kind in KINDS}


@pytest.fixture
def two_torch_threads() -> Iterator[None]:
    """Threads of torch's own are running, which a forked process has not."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.randn(600, 600) @ torch.randn(600, 600)
    yield
    torch.set_num_threads(before)


def everything(recording: eegzip.Recording) -> list[np.ndarray]:
    """Samples of a stretch over two seams of chunks, and tokens where there are any."""
    return [recording.read(["O1", "Fp1"], 1.5, 4.25), *(stream.codes for stream in recording.tokens())]


def answer(recordings: dict[str, eegzip.Recording], end: Connection) -> None:
    end.send({name: everything(recording) for name, recording in recordings.items()})


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_other_processes_read_what_this_one_reads(
    files: dict[str, Path], two_torch_threads: None, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A spawned process runs the main script anew, and the one that runs the tests may not expect that.
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    expected = {}
    for kind, path in files.items():
        with eegzip.open(path) as recording:
            expected[kind] = everything(recording)
    opened = {f"{kind} {when}": eegzip.open(path) for kind, path in files.items() for when in ("opened", "read")}
    for name, recording in opened.items():
        if name.endswith("read"):
            everything(recording)
    context = multiprocessing.get_context(method)
    here, there = context.Pipe()
    process = context.Process(target=answer, args=(opened, there), daemon=True)
    process.start()
    there.close()
    # Meanwhile this process reads the same open files.
    for recording in opened.values():
        everything(recording)
    try:
        assert here.poll(LONGEST_WAIT), "the other process hangs"
        answers = here.recv()
    finally:
        process.kill()
        process.join()
        for recording in opened.values():
            recording.close()
    for name, found in answers.items():
        for one, other in zip(found, expected[name.split()[0]], strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_read_what_one_reads(files: dict[str, Path], kind: str) -> None:
    dice = random.Random(1)
    starts = [dice.randrange(0, 28) / 4 for _ in range(24)]
    with eegzip.open(files[kind]) as recording:
        whole = recording.read()
    with eegzip.open(files[kind]) as shared, ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda start: shared.read(None, start, start + 0.75), starts))
    for start, part in zip(starts, parts, strict=True):
        first = round(start * 500)
        np.testing.assert_array_equal(part, whole[:, first : first + 375])


def test_another_file_of_the_name_is_not_taken_for_it(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "night.eegz"
    path.write_bytes(files["lossless"].read_bytes())
    with eegzip.open(path) as recording:
        pickled = pickle.dumps(recording)
        again = pickle.loads(pickled)
        np.testing.assert_array_equal(again.read(), recording.read())
        again.close()
    path.write_bytes(files["bounded"].read_bytes())
    with pytest.raises(eegzip.ContainerError, match=r"night\.eegz is not the file any more"):
        pickle.loads(pickled)


def test_a_closed_file_says_so(files: dict[str, Path]) -> None:
    recording = eegzip.open(files["lossless"])
    recording.close()
    with pytest.raises(eegzip.UsageError, match="was closed; open it again"):
        recording.read()
