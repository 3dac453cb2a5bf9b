"""What the tests of the library and of the command line share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before torch is loaded, here and in every process that tests start. On a machine that does other work, threads
# that wait for each other cost tenfold; tests about threads set their number themselves.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import compiling
import hypothesis
import pytest
from api.recordings import ROOT, SHARED, SHIPPED

import eegzip

sys.path.append(str(ROOT / "benchmarks" / "identity"))
from caps import processor

# The same examples at every run: a red suite is then a change's own doing, not the dice's. New ones: nox -s fuzz.
hypothesis.settings.register_profile("steady", derandomize=True, database=None, deadline=None)
hypothesis.settings.register_profile("dice", max_examples=1000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("steady")


def pytest_report_header() -> list[str]:
    """Say on what the tests run: last bits of floats, and speed, depend on it."""
    return processor().splitlines()


FOLDERS = {
    "api": "slow",  # whole compressions with the bundled models
    "cli": "cli",
    "docs": "slow",
    "examples": "slow",
    "golden": "slow",
    "light": "slow",
    "portability": "slow",
    "probing": "slow",
    "remote": "network",  # servers on this machine
    "spec": "spec",
    "tokenizer": "slow",
    "training": "train",
}
"""Markers of the tests in a folder; of all that it holds."""

MODULES = {
    "test_codebook_reduction": "slow",
    "test_edf_fuzz": "slow",
    "test_eegz_damage": "slow",
    "test_eegz_header_fields": "slow",
    "test_eegz_hostile": "slow",
    "test_eegz_layers_hostile": "slow",
    "test_grouping_random": "slow",
    "test_hub": "network",  # a server on this machine
    "test_official_weights": "network",  # likewise
    "test_rivals": "slow",
    "test_robustness": "slow",
    "test_training_parts": "train",
    "test_transform_steps": "slow",
}
"""Markers of single modules: whole sets of damaged files, many examples."""


LONG = (
    "test_api_chunks.py::test_other_recordings_too[nihon_kohden_discontinuous.edf]",
    "test_api_round_trip.py::test_a_larger_recording_comes_back",
    "test_api_round_trip.py::test_a_recording_comes_back[nihon_kohden_discontinuous.edf]",
    "test_api_targets.py::test_bounds_hold_on_whole_recordings",
    "test_cli_failures.py::test_interrupted[1-129]",
    "test_cli_failures.py::test_interrupted[15-143]",
    "test_cli_train.py::test_a_signal_saves_and_the_run_goes_on[2]",
    "test_eegz_damage.py::test_a_flipped_bit_in_every_byte[1]",
    "test_eegz_damage.py::test_every_truncation[1]",
    "test_official_weights.py::test_the_full_size_layout_imports",
    "test_portability.py::test_an_older_processor_gives_the_same[avx2]",
    "test_portability.py::test_an_older_processor_gives_the_same[sse4]",
    "test_portability.py::test_no_size_of_a_batch_shows",
    "test_runs.py::test_a_new_process_repeats_the_rounding_of_an_old_one",
    "test_runs.py::test_signal_saves_and_the_run_can_go_on[SIGINT]",
    "test_runs.py::test_signal_saves_and_the_run_can_go_on[SIGTERM]",
    "test_runs.py::test_two_processes_do_what_one_does[dac-mc-apart]",
    "test_runs.py::test_two_processes_do_what_one_does[dac-sc]",
)
"""Tests of 3 to 70 seconds of processor time that repeat at full size what shorter ones hold: nox -s test-long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests the markers of their folders, so that quick ones can be run by themselves."""
    for item in items:
        if any(name in item.nodeid for name in LONG):
            item.add_marker("long")
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        for marker in {FOLDERS.get(folder), MODULES.get(item.path.stem)} - {None}:
            item.add_marker(marker)


@pytest.fixture(scope="session", autouse=True)
def compiled_by_turns(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Workers share what they compile."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        compiling.share(tmp_path_factory.getbasetemp().parent / "compiling")


@pytest.fixture(scope="session")
def eegmat() -> Path:
    """70 s of three EEG channels and an ECG at 500 Hz, EDF+C."""
    return SHIPPED / "eegmat" / "Subject16_rest_70s.edf"


@pytest.fixture(scope="session")
def short_psg() -> Path:
    """5 min of two EEG channels at 100 Hz and five auxiliary signals, in records of 30 s."""
    return SHIPPED / "edf" / "short_psg.edf"


@pytest.fixture(scope="session")
def shared_recording() -> Callable[[str], Path]:
    """Path of a development recording; skips the test where it is missing."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.is_file():
            pytest.skip(f"{path} is not here")
        return path

    return find


@pytest.fixture(scope="session")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compress a recording with some options, once a session."""
    folder = tmp_path_factory.mktemp("compressed")
    done: dict[str, Path] = {}

    def make(source: Path, **options: Any) -> Path:
        key = f"{source} {sorted(options.items())}"
        if key not in done:
            target = folder / f"{len(done)}-{source.stem}.eegz"
            eegzip.compress(source, target, **options)
            done[key] = target
        return done[key]

    return make


@pytest.fixture(scope="session")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Decompress a file as a whole, once a session."""
    folder = tmp_path_factory.mktemp("restored")
    done: dict[Path, Path] = {}

    def make(source: Path) -> Path:
        if source not in done:
            done[source] = folder / f"{len(done)}-{source.stem}.edf"
            eegzip.decompress(source, done[source])
        return done[source]

    return make


@pytest.fixture(scope="session")
def model_with_prior(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model with a prior of a few steps on the very recording that tests compress: enough to save bytes."""
    from eegzip.codecs.checkpoints.checkpoint import add_prior
    from eegzip.training.prior.fit import PriorFit
    from eegzip.training.prior.rows import Piece, words_of
    from eegzip.training.settings.sections import PriorSettings

    checkpoint = eegzip.models.load("dac-sc-compact-1")
    target = tmp_path_factory.mktemp("pieces") / "tokens.eegz"
    eegzip.compress(eegmat, target, model=checkpoint.folder)
    with eegzip.open(target) as recording:
        streams = [stream.codes for stream in recording.tokens()]
    wanted = PriorSettings(steps=60, batch=128, hidden=8)
    fit = PriorFit(words_of(checkpoint), [Piece("eegmat", streams)], wanted, seed=1)
    for _ in range(wanted.steps):
        fit.advance()
    folder = tmp_path_factory.mktemp("models") / "with-prior"
    shutil.copytree(checkpoint.folder, folder)
    add_prior(folder, fit.content())
    return folder
