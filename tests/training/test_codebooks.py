"""The stage ``codebooks``: fits, rounds, and what a run of it leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main
from eegzip.codecs.checkpoints.checkpoint import load_checkpoint
from eegzip.formats.errors import UsageError
from eegzip.training.api import settings_for, train
from eegzip.training.codebooks import refine
from eegzip.training.codebooks.latents import Latents
from eegzip.training.codebooks.levels import fit_levels
from eegzip.training.codebooks.pool import Drawn, Pool


def latents(width: int = 8, segments: int = 150, seed: int = 2) -> Latents:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(segments, 30, width, generator=generator) * torch.linspace(2, 0.2, width)
    return Latents(rows * torch.rand(segments, 30, 1, generator=generator).mul(2).exp(), torch.ones(segments, 30))


def error(books: torch.Tensor, part: Latents, beam: int) -> float:
    codes = refine.coded(books, part.vectors, len(books), beam)
    return float(part.log_prd(part.vectors - refine.sum_of_codewords(books, codes)).mean())


def test_kmeans_levels_use_all_their_entries() -> None:
    data = latents()
    books = fit_levels(data, 3, 8, 32, seed=0)
    codes = refine.coded(books, data.vectors, 3, 1)
    for level in range(3):
        used = torch.bincount(codes[:, level], minlength=32)
        assert int((used > 0).sum()) == 32
    errors = [error(books[:k], data, 1) for k in (1, 2, 3)]
    assert errors[0] > errors[1] > errors[2]
    assert torch.equal(books, fit_levels(data, 3, 8, 32, seed=0))


def test_levels_have_codewords_where_the_residual_is() -> None:
    books = fit_levels(latents(), 4, 3, 16, seed=0)
    assert all(int(book.any(0).sum()) == 3 for book in books)
    assert books[0].any(0).nonzero()[:, 0].tolist() == [0, 1, 2]
    assert int(books.any(0).any(0).sum()) > 3


def test_joint_refinement_lowers_the_error_of_the_beam_search() -> None:
    data, fresh = latents(), latents(seed=5)
    # From seed 0 k-means goes two ways, by the last bits of floats, and one of them leaves less to gain.
    books = fit_levels(data, 5, 6, 16, seed=1)
    before = error(books, fresh, 4)
    generator = torch.Generator().manual_seed(1)
    better = books
    for _ in range(4):
        better, _ = refine.refined(better, data, 4, generator)
    assert torch.equal(better.any(1), books.any(1))
    assert error(better, fresh, 4) < before - 0.01


def test_quiet_moments_weigh_less_and_predictable_segments_more() -> None:
    rows = torch.ones(2, 4, 3)
    loudness = torch.tensor([[0.5, 0.5, 1.5, 1.5], [1.0, 1.0, 1.0, 1.0]])
    left = torch.cat([rows[:1] * 0.5, rows[1:] * 0.1]).reshape(-1, 3)
    weights = Latents(rows, loudness).weights(left).view(2, 4)
    assert weights[0, 2] == pytest.approx(3 * weights[0, 0])
    assert weights[1, 0] > 5 * weights[0].mean()
    assert Latents(rows, loudness).log_prd(left).exp().tolist() == pytest.approx([0.5, 0.1], rel=1e-4)


def test_sorting_by_use_changes_names_only() -> None:
    data = latents()
    books = fit_levels(data, 3, 8, 16, seed=0)
    after = refine.sorted_by_use(books, data, 2)
    codes = refine.coded(after, data.vectors, 3, 2)
    for level in range(3):
        assert torch.equal(books[level].sort(0).values, after[level].sort(0).values)
        use = torch.bincount(codes[:, level], minlength=16)
        assert torch.equal(use, use.sort(descending=True).values)


def test_small_sets_are_drawn_more_often_than_their_size_says() -> None:
    def drawn(group: str, segments: int, value: float) -> Drawn:
        return Drawn(group, np.full((segments, 5, 4), value, np.float16), np.ones((segments, 5), np.float16), 1.0)

    pool = Pool([drawn("large", 160, 1.0), drawn("small", 10, 2.0), drawn("short", 0, 3.0)])
    some = pool.draw(5000, seed=1, turn=1)
    share = float((some.rows[:, 0, 0].abs() == 2).float().mean())
    assert share == pytest.approx(1 / 3, abs=0.05)  # 10^(1/4) of 10^(1/4) + 160^(1/4)
    assert torch.equal(some.rows, pool.draw(5000, seed=1, turn=1).rows)
    assert not torch.equal(some.rows, pool.draw(5000, seed=1, turn=2).rows)


SCRATCH = {
    "model": {
        "encoder_dim": 4, "encoder_rates": [8, 16], "latent_dim": 128, "decoder_dim": 16, "decoder_rates": [16, 8],
        "n_codebooks": 4, "codebook_size": 16, "codebook_dim": 128, "linear_path": True, "search": "euclid",
        "final_tanh": False, "window_frames": 120, "beam": 4,
    },
    "data": {"scaling": "adaptive", "level_rms": 1.0, "level_peak": 8.0, "held_out": "Subject02", "workers": 1},
    "codebooks": {"frames": 600, "rounds": 2, "dimensions": 16, "renditions": 0},
    "prior": {"steps": 60, "batch": 256, "hidden": 4, "minutes": 1.2, "lr": 0.02},
    "run": {"stages": ["codebooks", "prior"], "validation_windows": 4},
}  # fmt: skip


def settings(two_people: Path, cache: Path, **sections: dict):
    values = {name: {**section, **sections.get(name, {})} for name, section in SCRATCH.items()}
    values["data"] |= {"sources": [str(two_people)], "cache": str(cache)}
    if "start" in sections:
        values["start"] = sections["start"]
        del values["model"]
    return settings_for(values=values)


@pytest.fixture(scope="module")
def made(two_people: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model from nothing: codebooks, then a prior."""
    out = tmp_path_factory.mktemp("made") / "small"
    report = train(settings(two_people, cache), out)
    assert ([stage.stage for stage in report.earlier], report.stage) == (["codebooks"], "prior")
    assert (report.people, report.held_out) == (("Subject01",), ("Subject02",))
    first, second = report.earlier[0], report
    assert first.steps == 2
    assert first.after["prd"] <= first.before["prd"] < 100
    # Held-out tokens take fewer bytes than packed bits: it is the same recording.
    assert second.after["packed_percent"] < second.before["packed_percent"] == 100
    return out


def test_makes_a_model_from_nothing_that_compress_takes(made: Path, eegmat: Path, tmp_path: Path) -> None:
    model = load_checkpoint(made)
    assert model.config.prior is not None
    assert "At equal bytes" not in (made / "README.md").read_text()  # nothing to compare with
    report = eegzip.compress(eegmat, tmp_path / "a.eegz", model=made)
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf", model=made)
    assert (tmp_path / "a.edf").stat().st_size == eegmat.stat().st_size
    plain = load_checkpoint(made / "stages" / "codebooks")
    assert plain.config.prior is None
    without = eegzip.compress(eegmat, tmp_path / "b.eegz", model=plain.folder)
    assert report.token_bytes < without.token_bytes


def test_a_stopped_run_goes_on_to_the_same_model(made: Path, two_people: Path, cache: Path, tmp_path: Path) -> None:
    def stop(what: str, done: int, _total: int) -> None:
        if (what, done) in (("refining codebooks", 1), ("fitting the prior", 30)):
            os.kill(os.getpid(), signal.SIGTERM)  # SIGINT is ignored where tests run in the background

    out, wanted = tmp_path / "small", settings(two_people, cache)
    assert train(wanted, out, progress=stop).stopped_by == signal.SIGTERM
    second = train(wanted, out, resume=True, progress=stop)
    assert second.stopped_by == signal.SIGTERM
    assert [(stage.stage, stage.steps) for stage in (*second.earlier, second)] == [("codebooks", 2), ("prior", 30)]
    assert train(wanted, out, resume=True).stopped_by == 0
    assert load_checkpoint(out).digest == load_checkpoint(made).digest


def test_tuning_is_never_for_worse(made: Path, two_people: Path, cache: Path, tmp_path: Path) -> None:
    """On the recordings that it was made for, a round of other recordings finds nothing better, in files at least."""
    wanted = settings(two_people, cache, start={"init": str(made)}, codebooks={"frames": 256, "rounds": 1})
    report = train(wanted, tmp_path / "tuned")
    start, found = load_checkpoint(made), load_checkpoint(tmp_path / "tuned")
    assert report.at_equal_bytes is not None
    card = (tmp_path / "tuned" / "README.md").read_text()
    assert "At equal bytes" in card
    if report.at_equal_bytes >= 0:
        assert found.config.prior == start.config.prior
        assert all(torch.equal(value, found.state[name]) for name, value in start.state.items())
        assert "did no better" in card


def test_new_codebooks_without_a_prior_are_told_so(made: Path, two_people: Path, cache: Path, tmp_path: Path) -> None:
    options = ["train", "--data", str(two_people), "--init", str(made), "--held-out", "Subject02"]
    options += ["--stages", "codebooks"]
    options += ["--set", f"data.cache={cache}", "--set", "codebooks.frames=600", "--set", "codebooks.rounds=3"]
    options += ["--set", "codebooks.renditions=0", "--set", "codebooks.dimensions=16", "--set", "data.workers=1"]
    told = CliRunner().invoke(main, [*options, "--seed", "7", "--out", str(tmp_path / "more")])
    assert told.exit_code == 0, told.output
    better = "at round 0" not in told.output
    assert better == ("--stages codebooks,prior fits one" in told.output)
    assert better == (load_checkpoint(tmp_path / "more").config.prior is None)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"run": {"stages": ["prior", "codebooks"]}}, "in this order"),
        ({"run": {"stages": ["prior"]}}, "needs a model whose tokens it codes"),
        ({"codebooks": {"frames": 300, "dimensions": 500}}, "a latent has 128"),
        ({"model": {"codebook_size": 256}}, "need at least 1024"),
    ],
)
def test_what_cant_be_is_refused(sections: dict, words: str, two_people: Path, cache: Path, tmp_path: Path) -> None:
    values = {name: {**SCRATCH.get(name, {}), **section} for name, section in sections.items()}
    with pytest.raises(UsageError, match=words):
        train(settings(two_people, cache, **values), tmp_path / "no")
