"""Tokens decoded ahead of their turn are those decoded in their turn, and so are the errors."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import eegzip
from eegzip.codecs.checkpoints.priors import priors
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError

RECORDING = Path(__file__).parents[1] / "data" / "eegmat" / "Subject16_rest_70s.edf"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("ahead") / "small.eegz"
    eegzip.compress(RECORDING, target, model="eegz-sc-1", codebooks=4, chunk_seconds=20)
    return target


def test_tokens_begun_in_a_pool_are_those_decoded_in_turn(packed: Path) -> None:
    with EegzReader(packed, priors(None)) as plain, EegzReader(packed, priors(None)) as ahead:
        groups = range(len(plain.header.groups))
        with ThreadPoolExecutor(2) as pool:
            for chunk in range(plain.header.n_chunks):
                ahead.begin_tokens(chunk, groups, pool)
        for chunk in range(plain.header.n_chunks):
            for group in groups:
                assert np.array_equal(plain.chunk_tokens(chunk, group), ahead.chunk_tokens(chunk, group))


def test_who_asks_for_damaged_tokens_hears_the_same(packed: Path, tmp_path: Path) -> None:
    with EegzReader(packed, priors(None)) as reader:
        entry = reader.directory(1).streams[StreamKind.TOKENS, 0]
        place = reader.chunks[1].payload_offset + entry.offset + entry.length // 2
    data = bytearray(packed.read_bytes())
    data[place] ^= 255
    damaged = tmp_path / "damaged.eegz"
    damaged.write_bytes(data)
    with EegzReader(damaged, priors(None)) as plain, EegzReader(damaged, priors(None)) as ahead:
        with pytest.raises(ContainerError) as expected:
            plain.chunk_tokens(1, 0)
        with ThreadPoolExecutor(2) as pool:
            ahead.begin_tokens(1, range(len(ahead.header.groups)), pool)
            with pytest.raises(ContainerError) as found:
                ahead.chunk_tokens(1, 0)
        assert str(found.value) == str(expected.value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_waits_for_no_thread_of_its_parent(packed: Path) -> None:
    with EegzReader(packed, priors(None)) as reader, ThreadPoolExecutor(1) as pool:
        reader.chunk_tokens(0, 0)  # compiled by now
        reader.begin_tokens(1, range(len(reader.header.groups)), pool)
        child = os.fork()
        if not child:
            os._exit(0 if reader.chunk_tokens(1, 0).size else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_recording_comes_back_alike_on_any_number_of_cores(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eegzip.formats import parallel

    restored = []
    for count in (1, 2, 4):
        monkeypatch.setattr(parallel, "cores", lambda count=count: count)
        eegzip.decompress(packed, tmp_path / f"{count}.edf")
        restored.append((tmp_path / f"{count}.edf").read_bytes())
    assert restored[0] == restored[1] == restored[2]
