from __future__ import annotations

from pathlib import Path

import numpy as np
import pyedflib
import pytest
import torch

from eegzip.codecs.signal.scaling import AdaptiveScaling
from eegzip.recipes import codebooks, dataset, refine
from eegzip.recipes.fit_levels import fit_levels
from eegzip.recipes.latents import Latents, of_channels


def latents(width: int = 8, segments: int = 150, seed: int = 2) -> Latents:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(segments, 30, width, generator=generator) * torch.linspace(2, 0.2, width)
    return Latents(rows * torch.rand(segments, 30, 1, generator=generator).mul(2).exp(), torch.ones(segments, 30))


def error(books: torch.Tensor, part: Latents, beam: int) -> float:
    rows = part.rows.reshape(-1, part.width)
    codes = refine.coded(books, rows, len(books), beam)
    return float(part.log_prd(rows - refine.sum_of_codewords(books[:, :, : part.width], codes)).mean())


def test_kmeans_levels_use_all_their_entries() -> None:
    data = latents()
    books = fit_levels([data], [8] * 3, 32, seed=0)
    codes = refine.coded(books, data.rows.reshape(-1, 8), 3, 1)
    for level in range(3):
        used = torch.bincount(codes[:, level], minlength=32)
        assert int((used > 0).sum()) == 32
    errors = [error(books[:k], data, 1) for k in (1, 2, 3)]
    assert errors[0] > errors[1] > errors[2]
    assert torch.equal(books, fit_levels([data], [8] * 3, 32, seed=0))


def test_levels_have_codewords_where_the_residual_is_and_for_narrow_latents_too() -> None:
    books = fit_levels([latents(8), latents(4, 50)], [3] * 4, 16, seed=0)
    assert all(int(book.any(0).sum()) == 3 for book in books)
    assert books[0].any(0).nonzero()[:, 0].tolist() == [0, 1, 2]
    assert int(books.any(0).any(0).sum()) > 3
    narrow = latents(4, 40, seed=9)
    assert error(books, narrow, 2) < error(books[:1], narrow, 2) < 0


def test_joint_refinement_lowers_the_error_of_the_beam_search() -> None:
    parts = [latents(8), latents(4, 60)]
    # From seed 0 k-means goes two ways, by the last bits of floats, and one of them leaves less to gain.
    books = fit_levels(parts, [6] * 5, 16, seed=1)
    fresh = [latents(8, seed=5), latents(4, 60, seed=6)]
    before = [error(books, part, 4) for part in fresh]
    generator = torch.Generator().manual_seed(1)
    better = books
    for _ in range(4):
        better, _ = refine.refined(better, parts, 4, generator)
    assert torch.equal(better.any(1), books.any(1))
    for part, worse in zip(fresh, before, strict=True):
        assert error(better, part, 4) < worse - 0.01


def test_quiet_moments_weigh_less_and_predictable_segments_more() -> None:
    rows = torch.ones(2, 4, 3)
    loudness = torch.tensor([[0.5, 0.5, 1.5, 1.5], [1.0, 1.0, 1.0, 1.0]])
    left = torch.cat([rows[:1] * 0.5, rows[1:] * 0.1]).reshape(-1, 3)
    weights = Latents(rows, loudness).weights(left).view(2, 4)
    assert weights[0, 2] == pytest.approx(3 * weights[0, 0])
    assert weights[1, 0] > 5 * weights[0].mean()
    assert Latents(rows, loudness).log_prd(left).exp().tolist() == pytest.approx([0.5, 0.1], rel=1e-4)


def test_the_split_is_by_person() -> None:
    assert dataset.is_held_out("eegmat", "Subject16_2")
    assert not dataset.is_held_out("eegmat", "Subject06_1")
    assert dataset.is_held_out("ssvep_exo", "sub07_record-_2012.07.18-09.15.30_")
    assert not dataset.is_held_out("neonatal", "neonatal_demo")


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


def test_recordings_and_samplers(data: Path) -> None:
    scaling = AdaptiveScaling(256, 1.0, 8.0)
    train, held_out = dataset.load(data, 256.0, scaling)
    assert [r.name for r in train] == ["Subject00_1"]
    assert [r.name for r in held_out] == ["Subject16_1"]
    assert train[0].y.shape == (2, 40 * 256)
    variant = dataset.augmented(train[0], 256.0, scaling, np.random.default_rng(1))
    assert np.abs(variant.y).max() <= 8
    assert variant.labels == ("EEG Fp1", "EEG Fp2")
    draw = dataset.Draw([*train, variant], 512, np.random.default_rng(0))
    recording, part = draw()
    assert recording.y[:, part].shape == (2, 512)
    assert of_channels([*train, variant], 256.0, 64, 500, seed=1)[0].rows.shape[1:] == (62, 64)


def test_sorting_by_use_changes_names_only() -> None:
    data = latents()
    books = fit_levels([data], [8] * 3, 16, seed=0)
    after = codebooks.sorted_by_use(books, [data], 2)
    codes = refine.coded(after, data.rows.reshape(-1, 8), 3, 2)
    for level in range(3):
        assert torch.equal(books[level].sort(0).values, after[level].sort(0).values)
        use = torch.bincount(codes[:, level], minlength=16)
        assert torch.equal(use, use.sort(descending=True).values)
