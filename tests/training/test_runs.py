"""Whole runs: they learn, stop, go on as if nothing had happened, and leave a model that compress takes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed.run
from api.recordings import SHARED
from tiny_runs import entries, tiny, trained

import eegzip
from eegzip.codecs.checkpoints.checkpoint import add_prior, load_checkpoint
from eegzip.formats.errors import ModelError, OutputExistsError, UsageError
from eegzip.training.api import settings_for, train
from eegzip.training.prior.fit import PriorFit
from eegzip.training.prior.rows import Piece, words_of
from eegzip.training.reporting import artifacts
from eegzip.training.settings.sections import PriorSettings

RECORDING = Path(__file__).parents[1] / "data" / "eegmat"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EEGZIP_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A run for others to start from, which leave it as it is."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("EEGZIP_CACHE", str(tmp_path_factory.mktemp("cache")))
        patched.setattr(artifacts, "plot_curves", lambda *_: None)
        folder = tmp_path_factory.mktemp("runs") / "start"
        trained(folder)
    return folder


def weights(folder):
    return load_checkpoint(folder).state


def assert_same_weights(one, two):
    first, second = weights(one), weights(two)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_learns_and_compress_takes_the_result(tmp_path, drawn):
    report = trained(tmp_path / "run", "run.max_steps=150", "run.validate_every=50", "run.log_every=10")
    assert report.after["prd"] < 0.85 * report.before["prd"]
    assert set(report.people).isdisjoint(report.held_out)
    for name in ("model.safetensors", "config.json", "README.md", "curves.png", "log.jsonl", "last/config.json"):
        assert (tmp_path / "run" / name).is_file(), name
    source = next(RECORDING.glob("*.edf"))
    eegzip.compress(source, tmp_path / "a.eegz", model=tmp_path / "run")
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf", model=tmp_path / "run")
    assert (tmp_path / "a.edf").stat().st_size == source.stat().st_size


def test_a_float16_model_is_measured_as_it_is_stored(tmp_path):
    """A run that starts from the model finds, before its first step, what the model was kept for."""
    kept = trained(tmp_path / "run", "run.weights=float16", "run.max_steps=6", "optimiser.autocast=bfloat16")
    again = trained(tmp_path / "again", f"start.init={tmp_path / 'run'}", "run.max_steps=1")
    assert again.before["prd"] == kept.after["prd"]
    for folder in (tmp_path / "run", tmp_path / "run" / "last"):
        assert all(torch.equal(value, value.half().float()) for value in weights(folder).values())


@pytest.mark.parametrize(
    "assignments",
    [
        (),
        ("quantiser.update=ema", "adversarial.weight=0.1", "optimiser.average=0.9", "optimiser.batch=2"),
        ("model.architecture=dac-mc", "groups.scale=9"),
    ],
    ids=["plain", "ema-and-gan", "dac-mc"],
)
def test_resumed_run_has_the_same_losses_and_weights(tmp_path, assignments):
    trained(tmp_path / "whole", *assignments)
    trained(tmp_path / "parts", *assignments, "run.max_steps=7")
    train(tiny(*assignments), tmp_path / "parts", resume=True)
    assert entries(tmp_path / "parts", "step") == entries(tmp_path / "whole", "step")
    whole = {e["step"]: e for e in entries(tmp_path / "whole", "validation")}
    for entry in entries(tmp_path / "parts", "validation"):
        if entry["step"] in whole:
            assert entry["prd"] == whole[entry["step"]]["prd"]
    assert_same_weights(tmp_path / "parts" / "last", tmp_path / "whole" / "last")


def test_a_new_process_repeats_the_rounding_of_an_old_one(tmp_path):
    """TorchScript once summed gradients otherwise in the first calls of a process; in smaller runs it didn't show."""
    if not (SHARED / "eeg" / "eegmat").is_dir():
        pytest.skip("the larger recordings are not here")

    def process(folder, steps, *more):
        arguments = ["train", "-q", "--out", str(tmp_path / folder), "--max-steps", str(steps), *more]
        subprocess.run([sys.executable, "-I", "-m", "eegzip.cli.main", *arguments], check=True, timeout=200)

    fresh = ["--data", str(SHARED / "eeg" / "eegmat"), "--preset", "compact", "--set", "run.validation_windows=1"]
    process("whole", 6, *fresh)
    process("parts", 3, *fresh)
    process("parts", 6, "--resume")
    assert_same_weights(tmp_path / "parts" / "last", tmp_path / "whole" / "last")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_saves_and_the_run_can_go_on(tmp_path, number):
    """The process is stopped at some step, whichever; the run then ends as one that was never stopped."""
    settings = tiny("run.max_steps=24", "run.validate_every=1000")
    train(settings, tmp_path / "whole")
    (tmp_path / "run").mkdir()
    script = (
        "import sys, json; from eegzip.training.api import train\n"
        "from eegzip.training.reporting import artifacts\n"
        "from eegzip.training.settings.checked import TrainSettings\n"
        "artifacts.plot_curves = lambda *_: None\n"
        "s = TrainSettings().changed(json.loads(sys.argv[1]))\n"
        "sys.exit(train(s, sys.argv[2], watch=lambda v: print(v['step'], flush=True)).stopped_by)"
    )
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", script, json.dumps(settings.to_dict()), str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        text=True,
        # Whoever starts the tests in the background may have had this signal ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for line in child.stdout:
        if int(line) >= 5:
            break
    child.send_signal(number)
    child.communicate(timeout=200)
    assert child.returncode == number
    done = entries(tmp_path / "run", "step")[-1]["step"]
    assert 5 <= done < 24
    train(None, tmp_path / "run", resume=True)
    assert entries(tmp_path / "run", "step") == entries(tmp_path / "whole", "step")
    assert_same_weights(tmp_path / "run" / "last", tmp_path / "whole" / "last")


@pytest.mark.parametrize(
    "assignments",
    [
        ("model.architecture=dac-sc",),
        ("model.architecture=dac-mc", "groups.scale=9", "quantiser.update=ema", "adversarial.weight=0.1"),
        ("model.architecture=dac-mc", "groups.kind=manual", "start.init=sc"),
    ],
    ids=["dac-sc", "dac-mc-ema-gan", "dac-mc-apart"],
)
def test_two_processes_do_what_one_does(tmp_path, monkeypatch, assignments):
    """Through torchrun, to within the rounding of sums in another order. Adam, whose first steps have one size whatever
    the gradient's, would magnify that from step to step, and rounding to codewords makes jumps of it: the rates are too
    small for either here, while the gradients say that the processes share the work as they should.
    """
    monkeypatch.chdir(tmp_path)
    if "start.init=sc" in assignments:
        trained(tmp_path / "sc", "model.latent_dim=64", "run.max_steps=6")
    values = tiny("run.max_steps=5", "run.validate_every=5", "optimiser.lr=1e-6", "adversarial.lr=1e-7", *assignments)
    train(values, tmp_path / "one")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, json\nfrom eegzip.training.api import train\n"
        "from eegzip.training.reporting import artifacts\n"
        "from eegzip.training.settings.checked import TrainSettings\n"
        "artifacts.plot_curves = lambda *_: None\n"
        "train(TrainSettings().changed(json.loads(sys.argv[1])), sys.argv[2])\n"
    )
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    # What torchrun is, in this process: another would load torch for nothing but to start two more.
    words = ["--standalone", "--nproc-per-node", "2", str(script), json.dumps(values.to_dict()), str(tmp_path / "two")]
    torch.distributed.run.main(words)
    assert entries(tmp_path / "one", "event") == entries(tmp_path / "two", "event")
    one, two = entries(tmp_path / "one", "step"), entries(tmp_path / "two", "step")
    assert len(one) == len(two) == 5
    for a, b in zip(one, two, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-4), a["step"]
        assert b["prd"] == pytest.approx(a["prd"], rel=1e-4), a["step"]
        assert b["gradient"] == pytest.approx(a["gradient"], rel=1e-2), a["step"]


def test_time_limit_ends_a_run(tmp_path):
    # Nothing else would end it.
    report = trained(tmp_path / "run", "run.max_steps=0", "run.max_seconds=2")
    assert report.steps > 0
    assert report.seconds >= 2


def test_merges_codebooks_in_rounds(tmp_path, start):
    settings = tiny(f"start.init={start}", "start.reduce_to=16,8", "start.reduce_every=5", "run.validate_every=4")
    # Stopped after the first round: the resumed run has to know how far the merging was.
    train(settings.changed({"run": {"max_steps": 4}}), tmp_path / "run")
    assert load_checkpoint(tmp_path / "run" / "last").config.network.codebook_size == 16
    train(settings, tmp_path / "run", resume=True)
    assert load_checkpoint(tmp_path / "run").config.network.codebook_size == 8
    messages = [e["message"] for e in entries(tmp_path / "run", "event")]
    assert ["16" in messages[0], "8" in messages[1]] == [True, True]


def test_smaller_codebook_than_the_start_has_is_one_round_of_merging(tmp_path, start):
    settings = tiny(f"start.init={start}", "model.codebook_size=8")
    assert settings.start.reduce_to == (8,)
    train(settings, tmp_path / "run")
    assert load_checkpoint(tmp_path / "run").config.network.codebook_size == 8


def test_fewer_codebooks_than_the_start_has_are_its_first(tmp_path, start):
    still = ("optimiser.lr=0", "quantiser.update=gradient", "quantiser.revive_every=0")
    train(tiny(f"start.init={start}", "model.n_codebooks=2", *still), tmp_path / "run")
    first, second = weights(start), weights(tmp_path / "run")
    assert load_checkpoint(tmp_path / "run").config.network.n_codebooks == 2
    for name, value in second.items():
        np.testing.assert_allclose(value, first[name], atol=1e-6)


def test_multi_channel_starts_where_single_channel_ended(tmp_path):
    sc = trained(tmp_path / "sc", "run.max_steps=20", "run.validate_every=20")
    mc = trained(tmp_path / "mc", f"start.init={tmp_path / 'sc'}", "model.architecture=dac-mc", "groups.kind=single")
    assert mc.before["prd"] == pytest.approx(sc.after["prd"], rel=0.05)


def test_groups_start_apart_from_a_single_channel_checkpoint(tmp_path):
    trained(tmp_path / "sc", "model.latent_dim=64", "run.max_steps=6")
    groups = [f"start.init={tmp_path / 'sc'}", "model.architecture=dac-mc", "groups.kind=manual"]
    trained(tmp_path / "apart", *groups)
    trained(tmp_path / "mean", *groups, "start.channels=mean")
    apart, mean = (entries(tmp_path / name, "validation") for name in ("apart", "mean"))
    # Before anything, and what the start alone gave.
    assert [entry["step"] for entry in apart] == [0, 0, 6, 12]
    assert [entry["step"] for entry in mean] == [0, 6, 12]
    assert apart[0]["prd"] == mean[0]["prd"]
    assert any(entry["message"].startswith("channels start apart") for entry in entries(tmp_path / "apart", "event"))
    assert not entries(tmp_path / "mean", "event")
    # It starts from the same data whenever it starts, and not again when it goes on.
    trained(tmp_path / "parts", *groups, "run.max_steps=7")
    train(tiny(*groups), tmp_path / "parts", resume=True)
    assert entries(tmp_path / "parts", "step") == entries(tmp_path / "apart", "step")
    assert_same_weights(tmp_path / "parts" / "last", tmp_path / "apart" / "last")
    # A checkpoint of groups has its adapters already.
    trained(tmp_path / "on", f"start.init={tmp_path / 'apart'}", "model.architecture=dac-mc", "run.max_steps=1")
    assert not entries(tmp_path / "on", "event")


def test_shape_and_scaling_come_from_the_start(tmp_path):
    trained(tmp_path / "start", "data.scaling=fixed", "data.rate=128")
    settings = settings_for(values={"start": {"init": str(tmp_path / "start")}})
    assert (settings.model.encoder_dim, settings.data.rate, settings.data.scaling) == (4, 128, "fixed")


def test_existing_run_is_not_overwritten(tmp_path):
    trained(tmp_path / "run", "run.max_steps=1")
    with pytest.raises(OutputExistsError, match="resume"):
        trained(tmp_path / "run")
    with pytest.raises(ModelError, match="resumed"):
        train(None, tmp_path / "nothing", resume=True)
    with pytest.raises(UsageError, match="recordings"):
        train(tiny("data.sources="), tmp_path / "new")


def test_nothing_in_a_state_is_run(tmp_path):
    trained(tmp_path / "run", "run.max_steps=1")

    class Payload:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path / 'run-by-pickle'}",))

    torch.save({"network": Payload()}, tmp_path / "run" / "state.pt")
    with pytest.raises(ModelError, match="damaged"):
        train(None, tmp_path / "run", resume=True)
    assert not (tmp_path / "run-by-pickle").exists()


def test_groups_of_a_file_may_name_channels_that_some_recordings_lack(tmp_path):
    (tmp_path / "groups.txt").write_text("Fp1, Fp2, Cz\nC3, C4\nPz\n")
    trained(tmp_path / "run", "model.architecture=dac-mc", f"groups.kind={tmp_path / 'groups.txt'}", "run.max_steps=3")
    assert load_checkpoint(tmp_path / "run").config.architecture == "dac-mc"


def test_segments_too_short_for_discriminators_are_told(tmp_path):
    with pytest.raises(UsageError, match="discriminators"):
        trained(tmp_path / "run", "adversarial.weight=1", "data.window_seconds=2")


@pytest.fixture
def with_prior(start, tmp_path):
    """A run to start from whose model has a prior, of no use but to be kept."""
    folder = tmp_path / "start"
    shutil.copytree(start, folder)
    tokens = np.random.default_rng(0).integers(32, size=(3, 60)).astype(np.uint16)
    words = words_of(load_checkpoint(folder))
    fit = PriorFit(words, [Piece("any", [tokens])], PriorSettings(steps=1, hidden=2), seed=1)
    return add_prior(folder, fit.content())


def test_a_run_that_finds_nothing_better_keeps_the_prior(tmp_path, with_prior):
    wanted = (f"start.init={with_prior.folder}", "optimiser.lr=1", "optimiser.average=0", "run.max_steps=1")
    report = trained(tmp_path / "run", *wanted)
    assert report.best_step == 0
    assert not report.prior_lost
    left = load_checkpoint(tmp_path / "run")
    assert left.config.prior == with_prior.config.prior is not None
    assert all(torch.equal(value, left.state[name]) for name, value in with_prior.state.items())


def test_frozen_parts_stay_and_with_them_the_tokens_and_their_prior(tmp_path, with_prior):
    frozen = ("optimiser.encoder=0", "optimiser.channels=0", "optimiser.quantiser=0")
    report = trained(tmp_path / "run", f"start.init={with_prior.folder}", *frozen, "run.max_steps=24")
    assert report.best_step > 0
    left = load_checkpoint(tmp_path / "run")
    for name, value in with_prior.state.items():
        assert torch.equal(value, left.state[name]) == (not name.startswith("decoder")), name
    assert not report.prior_lost
    assert left.config.prior == with_prior.config.prior is not None


def test_parts_learn_at_rates_of_their_own(tmp_path, start):
    # The first step of Adam changes each weight by the learning rate, whatever its gradient's size.
    wanted = (f"start.init={start}", "optimiser.encoder=0.25", "optimiser.decoder=2", "optimiser.warmup=0")
    trained(tmp_path / "run", *wanted, "optimiser.average=0", "run.max_steps=1", "optimiser.lr=1e-3")
    before, after = weights(start), weights(tmp_path / "run" / "last")
    for part, rate in (("encoder", 0.25e-3), ("decoder", 2e-3)):
        moved = [(after[name] - before[name]).abs() for name in before if name.startswith(part)]
        assert float(torch.cat([each.reshape(-1) for each in moved]).max()) == pytest.approx(rate, rel=0.01)


def test_parts_keep_their_rates_when_a_run_goes_on(tmp_path, start):
    settings = tiny(f"start.init={start}", "optimiser.encoder=0.5", "run.max_steps=6")
    train(settings, tmp_path / "run")
    train(settings.changed({"run": {"max_steps": 8}}), tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match="--init of its last checkpoint"):
        train(settings.changed({"optimiser": {"encoder": 0.1}}), tmp_path / "run", resume=True)


NOTHING = tuple(f"optimiser.{part}=0" for part in ("encoder", "quantiser", "decoder"))


@pytest.mark.parametrize("assignments", [("optimiser.encoder=0",), ("start.init=eegz-sc-1", *NOTHING)])
def test_parts_that_make_no_sense_frozen_are_told(assignments):
    with pytest.raises(UsageError, match=r"optimiser\.encoder"):
        tiny(*assignments)
