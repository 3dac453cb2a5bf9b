from __future__ import annotations

from pathlib import Path

import numpy as np
import pyedflib
import pytest
import torch

from eegzip.codecs.checkpoint import Checkpoint
from eegzip.codecs.runtime import CodecRuntime, build_network
from eegzip.codecs.scaling import AdaptiveScaling
from eegzip.codecs.search import ResidualSearch
from eegzip.training import heldout, kmeans, recordings, refine
from eegzip.training.first_checkpoint import sorted_by_use


def rows(n: int = 6000, dim: int = 8) -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(n, dim) * torch.linspace(2, 0.2, dim) * torch.rand(n, 1).mul(2).exp()


def error(books: torch.Tensor, data: torch.Tensor, beam: int) -> float:
    codes = ResidualSearch(books, beam)(data, len(books))
    return float((data - refine.sum_of_codewords(books, codes)).square().mean())


def test_kmeans_levels_use_all_their_entries() -> None:
    data = rows()
    books = kmeans.fit_levels(data, 3, 32, seed=0)
    codes = ResidualSearch(books, 1)(data, 3)
    for level in range(3):
        used = torch.bincount(codes[:, level], minlength=32)
        assert int((used > 0).sum()) == 32
    errors = [error(books[:k], data, 1) for k in (1, 2, 3)]
    assert errors[0] > errors[1] > errors[2]
    assert torch.equal(books, kmeans.fit_levels(data, 3, 32, seed=0))


def test_joint_refinement_lowers_the_error_of_the_beam_search() -> None:
    data = rows().view(200, 30, 8)
    data = data / data.square().mean((1, 2), keepdim=True).sqrt()
    books = kmeans.fit_levels(data.reshape(-1, 8), 4, 16, seed=0)
    before = error(books, data.reshape(-1, 8), 4)
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        books = refine.refined(books, data, 4, generator)
    assert error(books, data.reshape(-1, 8), 4) < 0.97 * before


def test_the_split_is_by_person() -> None:
    assert recordings.held_out("eegmat", "Subject16_2")
    assert not recordings.held_out("eegmat", "Subject06_1")
    assert recordings.held_out("ssvep_exo", "sub07_record-_2012.07.18-09.15.30_")
    assert not recordings.held_out("neonatal", "neonatal_demo")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A tiny folder of recordings: two people of one set."""
    rng = np.random.default_rng(0)
    for name in ("Subject00_1", "Subject16_1"):
        path = tmp_path / "eegmat" / f"{name}.edf"
        path.parent.mkdir(exist_ok=True)
        writer = pyedflib.EdfWriter(str(path), 3)
        for i, label in enumerate(("EEG Fp1", "EEG Fp2", "ECG ECG")):
            header = {"label": label, "dimension": "uV", "sample_frequency": 128}
            header |= {"physical_min": -500, "physical_max": 500, "digital_min": -32768, "digital_max": 32767}
            writer.setSignalHeader(i, header | {"transducer": "", "prefilter": ""})
        writer.writeSamples([rng.standard_normal(128 * 40).cumsum() for _ in range(3)])
        writer.close()
    return tmp_path


def test_recordings_samplers_and_figures(data: Path, linear: Checkpoint) -> None:
    scaling = AdaptiveScaling(256, 1.0, 8.0)
    train, aside = recordings.load(data, 256.0, scaling)
    assert [r.name for r in train] == ["Subject00_1"]
    assert [r.name for r in aside] == ["Subject16_1"]
    assert train[0].y.shape == (2, 40 * 256)
    variant = recordings.augmented(train[0], 256.0, scaling, np.random.default_rng(1))
    assert np.abs(variant.y).max() <= 8
    batch = recordings.Sampler([*train, variant], 512, seed=0).batch(6)
    assert batch.shape == (6, 512)
    assert batch.dtype == np.float32
    found = heldout.evaluate(CodecRuntime(linear), heldout.excerpts(aside, 2, 10), (1, 4))
    assert set(found["eegmat"]) == {1, 4}


def test_sorting_by_use_changes_names_only(linear: Checkpoint) -> None:
    runtime = CodecRuntime(linear)
    assert runtime.n_codebooks == 4
    sampler = recordings.Sampler(
        [recordings.Waveforms("eegmat", "x", np.zeros((1, 0)), noise(2, 8192), noise(2, 8192))], 1024, seed=0
    )
    state = sorted_by_use(linear.state, build_network(linear), sampler, 2000)
    for level in range(4):
        name = f"quantizer.quantizers.{level}.codebook.weight"
        before, after = linear.state[name], state[name]
        assert not torch.equal(before, after)
        assert torch.equal(before.sort(0).values, after.sort(0).values)


def noise(channels: int, n: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((channels, n)).astype(np.float32)
