"""SPEC.md 4.1 and 9: a reader written from the page alone restores signals that were coded as components."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from second_mixture import rotation
from second_prior import read_tables
from second_reader import SecondReader
from second_synthesis import Network

import eegzip
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.rotation import pack_rotation, unpack_rotation


@pytest.mark.parametrize("size", [1, 2, 5, 19])
def test_rotations(size: int) -> None:
    random = np.random.default_rng(size)
    columns = [np.rint(random.normal(size=n) * 2.0 ** (n / 2)).astype(np.int64) for n in range(size, 0, -1)]
    data = pack_rotation(columns)
    np.testing.assert_allclose(rotation(data, size), unpack_rotation(data, size), atol=1e-13)


def test_samples(eegmat: Path, compressed, restored) -> None:
    path = compressed(eegmat, model="eegz-mc-2", codebooks=1, chunk_seconds=30)
    folder = eegzip.models.resolve("eegz-mc-2")
    network = Network(folder)
    second = SecondReader(path.read_bytes(), prior=read_tables((folder / "prior.safetensors").read_bytes()))
    assert path.read_bytes()[10] == 3
    assert len(second.mixtures) == 3
    with EegzReader(restored_as_eegz(restored(path), path)) as reader:
        for signal in range(3):
            theirs = np.concatenate([reader.chunk_exact(chunk, signal).reshape(-1) for chunk in reader.chunks])
            mine, scale = second.coded(signal, network)
            assert np.all(np.abs(mine - theirs) <= 1 + scale / 1024)


def restored_as_eegz(edf: Path, near: Path) -> Path:
    """The restored recording's digital samples, where a reader of EEGZ finds them."""
    target = near.with_name("restored-exactly.eegz")
    eegzip.compress(edf, target, lossless=True)
    return target
