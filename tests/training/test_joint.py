"""The stage ``joint``: it trains on tokens of people kept apart, stops and goes on to the same, and leaves a model."""

from __future__ import annotations

import os
import signal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from api.joint_models import small_decoder
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main
from eegzip.codecs.checkpoints.checkpoint import load_checkpoint
from eegzip.codecs.networks.joint import neighbours_of
from eegzip.codecs.runtime import CodecRuntime
from eegzip.formats.errors import ModelError, UsageError
from eegzip.training.api import settings_for, train
from eegzip.training.data.sources import SourceFile
from eegzip.training.joint.examples import Draw, Example, noise_table
from eegzip.training.joint.stacks import stacked
from eegzip.training.segments.codec import Codec
from eegzip.training.segments.prepared import at_transform
from eegzip.training.segments.recordings import Part, divided
from eegzip.training.segments.renditions import rendition
from eegzip.training.segments.segments import segments_of
from eegzip.training.settings.sections import JointSettings

SMALL = {
    "start": {"init": "eegz-sc-1"},
    "joint": {"width": 16, "blocks": 1, "heads": 2, "kernel": 3, "crop_frames": 16},
    "optimiser": {"batch": 1, "lr": 2e-3, "warmup": 2},
    "run": {"stages": ["joint"], "max_steps": 4, "validate_every": 4, "log_every": 1, "validation_windows": 1},
}


def small(two_people: Path, cache: Path, **run: object):
    values = {name: dict(section) for name, section in SMALL.items()}
    values["data"] = {"sources": [str(two_people)], "held_out": "Subject02", "cache": str(cache), "workers": 1}
    values["run"].update(run)
    return settings_for(values=values)


@pytest.fixture(scope="module")
def run(two_people: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "small"
    report = train(small(two_people, cache), out)
    assert (report.people, report.held_out, report.steps) == (("Subject01",), ("Subject02",), 4)
    assert report.after["prd"] < 100
    return out


def test_leaves_a_model_that_compress_takes(run: Path, eegmat: Path, tmp_path: Path) -> None:
    base, model = eegzip.models.load("eegz-sc-1"), load_checkpoint(run)
    assert model.config.joint is not None
    assert model.config.prior == base.config.prior
    assert not (run / "model.safetensors").exists()
    assert not (run / "prior.safetensors").exists()
    assert "people it never saw" in (run / "README.md").read_text()
    eegzip.compress(eegmat, tmp_path / "a.eegz", model=run, codebooks=3)
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf", model=run)
    assert (tmp_path / "a.edf").stat().st_size == eegmat.stat().st_size


def test_a_stopped_run_goes_on_to_the_same_model(run: Path, two_people: Path, cache: Path, tmp_path: Path) -> None:
    def stop(values: dict) -> None:
        if values["step"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)  # SIGINT is ignored where tests run in the background

    settings = small(two_people, cache)
    assert train(settings, tmp_path / "small", watch=stop).stopped_by == signal.SIGTERM
    report = train(settings, tmp_path / "small", resume=True)
    assert report.steps == 4
    one, other = (load_checkpoint(path).joint_state for path in (run, tmp_path / "small"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_it_goes_on_from_a_model_that_has_a_decoder(run: Path, two_people: Path, cache: Path, tmp_path: Path) -> None:
    values = {"start": {"init": str(run)}, "data": {"sources": [str(two_people)], "cache": str(cache), "workers": 1}}
    settings = settings_for(values={**SMALL, **values, "run": {**SMALL["run"], "max_steps": 1}})
    report = train(settings, tmp_path / "tuned")
    first = train(small(two_people, cache), tmp_path / "as it was", watch=None).after
    assert first is not None
    # Of the start itself, which is never left for worse.
    assert report.before["prd"] == first["prd"]
    assert report.after["prd"] <= report.before["prd"] < 100
    assert "began as the decoder of" in (tmp_path / "tuned" / "README.md").read_text()


def test_where_no_step_does_better_the_start_stays(run: Path, two_people: Path, cache: Path, tmp_path: Path) -> None:
    options = ["--init", str(run), "--held-out", "Subject02", "--stages", "joint", "--max-steps", "2", "--lr", "1"]
    options += ["--set", f"data.cache={cache}", "--set", "data.workers=1", "--set", "run.validation_windows=1"]
    told = CliRunner().invoke(main, ["train", "--data", str(two_people), "--out", str(tmp_path / "tuned"), *options])
    assert told.exit_code == 0, told.output
    assert "no step did better, so the model is the start" in told.output
    one, other = (load_checkpoint(path).joint_state for path in (run, tmp_path / "tuned"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_command_line_refuses_what_cant_be(two_people: Path, tmp_path: Path) -> None:
    options = ["train", "--data", str(two_people), "--out", str(tmp_path / "no"), "--stages", "joint"]
    for more, words in (
        (["--max-steps", "1"], "needs a model whose tokens it decodes"),
        (["--init", "eegz-sc-1"], "give --max-steps or --max-time"),
        (["--init", "eegz-mc-2", "--max-steps", "1", "-q"], "models of single channels"),
    ):
        told = CliRunner().invoke(main, [*options, *more])
        assert told.exit_code != 0
        assert words in str(told.exception)


def test_sets_of_one_subject_are_divided_by_time() -> None:
    sources = [SourceFile(Path(f"{name}.edf"), name.rsplit("/", 1)[-1], "x") for name in ("a/s1", "a/s2", "b/s3")]
    parts = divided(sources, "s2", 1)
    assert [(p.source.subject, p.held_out, p.first, p.last) for p in parts] == [
        ("s1", False, 0, 1), ("s2", True, 0, 1), ("s3", False, 0, Fraction(2, 3)), ("s3", True, Fraction(2, 3), 1),
    ]  # fmt: skip


def test_segments_hold_the_tokens_that_compress_finds(eegmat: Path, cache: Path) -> None:
    checkpoint = eegzip.models.load("eegz-sc-1")
    codec = Codec(checkpoint)
    part = divided([SourceFile(eegmat, "s", "x", "validation"), SourceFile(eegmat, "t", "x", "train")], "0", 1)[0]
    found = segments_of(part, codec, cache, seed=1)
    segments, hours = found.segments, found.hours
    assert hours == pytest.approx(70 / 3600, rel=0.01)
    latents = segments[0].latents.float()
    runtime = CodecRuntime(checkpoint)
    found = runtime.network.quantise(latents.transpose(1, 2).numpy(), 3).transpose(0, 2, 1)
    # Latents are kept in half precision, so a close call may go the other way.
    assert (found == segments[0].codes[3]).mean() > 0.95
    errors = [float((codec.decoded(codes) - latents).square().mean()) for codes in segments[0].codes.values()]
    assert errors == sorted(errors, reverse=True)


def test_segments_are_without_lines_as_what_compress_codes() -> None:
    path = Path(__file__).parents[1] / "data" / "lines" / "mains_60_clipped.edf"
    codec = Codec(eegzip.models.load("eegz-sc-1"))

    def mains(*, lines: bool) -> float:
        """Energy about 60 Hz over that of 56 Hz."""
        part = Part(SourceFile(path, "s", "x"), "x", held_out=False, lines=lines)
        y, _, _ = at_transform(part, codec, np.random.default_rng(1), 0)
        energy = codec.analysed(y).square().mean((0, 1))
        return float(energy[58:62].max() / energy[56])

    assert mains(lines=True) > 1000
    assert mains(lines=False) < 5


def test_errors_expected_fall_with_depth(eegmat: Path, cache: Path) -> None:
    codec = Codec(eegzip.models.load("eegz-sc-1"))
    part = divided([SourceFile(eegmat, "s", "x", "validation"), SourceFile(eegmat, "t", "x", "train")], "0", 1)[0]
    segments = segments_of(part, codec, cache, seed=1).segments
    table = noise_table(segments, codec)
    assert table.shape == (49, 128)
    assert (table[1:].sum(1).diff() <= 0).all()
    draw = Draw(segments, codec, table, JointSettings(), seed=3)
    one, again, other = draw(5, 0), draw(5, 0), draw(6, 0)
    assert torch.equal(one.decoded, again.decoded)
    assert one.decoded.shape != other.decoded.shape or not torch.equal(one.decoded, other.decoded)


def test_examples_laid_on_one_another_give_what_each_gives_alone(eegmat: Path, cache: Path) -> None:
    codec = Codec(eegzip.models.load("eegz-sc-1"))
    part = divided([SourceFile(eegmat, "s", "x", "validation"), SourceFile(eegmat, "t", "x", "train")], "0", 1)[0]
    segments = segments_of(part, codec, cache, seed=1).segments
    decoder = small_decoder(spread=0.2)
    segment, (depth, codes) = segments[0], next(iter(segments[0].codes.items()))
    examples = []
    for channels in (3, 1, 2):
        rows = codec.decoded(codes[:channels])
        neighbours = neighbours_of(rows, decoder.noise[depth].expand(rows.shape))
        latents, loudness = segment.latents[:channels].float(), segment.loudness[:channels]
        examples.append(Example(latents, rows, loudness, depth, neighbours))
    whole = stacked(examples)
    depths = whole.depth[:, None, None].expand(whole.loudness.shape)
    together = decoder(whole.decoded, depths, whole.neighbours, whole.channels)[0]
    for example, found in zip(examples, together, strict=True):
        depth = torch.full(example.loudness.shape, example.depth)
        alone = decoder(example.decoded, depth, example.neighbours)[0]
        torch.testing.assert_close(found[: len(alone)], alone, rtol=1e-4, atol=1e-5)
        assert torch.isfinite(found).all()


def test_renditions_keep_channels_and_differ() -> None:
    x = np.random.default_rng(1).normal(size=(5, 256 * 20)) * 50
    made = [rendition(x, 256.0, np.random.default_rng(seed)) for seed in range(4)]
    assert all(len(rows) == 5 and np.isfinite(rows).all() for rows in made)
    assert len({rows.shape[1] for rows in made}) > 1


@pytest.mark.parametrize("seed", range(4))
def test_renditions_with_drift_have_all_else_alike(seed: int) -> None:
    """What is added is slow, and neither nothing nor everything; the same draws give the same rendition otherwise."""
    x = np.random.default_rng(1).normal(size=(5, 256 * 60)) * 50
    clean, drifting, again = (rendition(x, 256.0, np.random.default_rng(seed), drift) for drift in (0.0, 1.0, 1.0))
    np.testing.assert_array_equal(drifting, again)
    added = drifting - clean
    assert (added.std(axis=1) > 0.1 * clean.std(axis=1)).all()
    power = np.square(np.abs(np.fft.rfft(added - added.mean(axis=1, keepdims=True)))).sum(axis=0)
    slow = np.fft.rfftfreq(added.shape[1], 1 / 256.0) < 4
    assert power[slow].sum() > 0.8 * power.sum()


def test_other_models_are_refused() -> None:
    with pytest.raises(ModelError, match="single channels"):
        Codec(eegzip.models.load("eegz-mc-2"))
    with pytest.raises(UsageError, match="needs a model"):
        settings_for(values={"run": {"stages": ["joint"], "max_steps": 1}})
