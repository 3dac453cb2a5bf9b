"""The same bits on every processor: for any batch, split, number of threads and address, in every process.

Processes are made to believe in older processors (:mod:`caps`): libraries then choose the kernels that they would
choose there. Models whose transform is linear, exact compression and bounds give the same file; a network's restored
samples may differ as SPEC.md, section 9, allows.

Compiling everything anew for an older processor takes a minute. So libraries believe in it in one test, while compiled
functions are those that are there; in another, one way of coding is compiled for it; and ``-m long`` has all of both.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from caps import CAPS, environment, lowers, processor

import eegzip
from eegzip.formats.edf import EdfFile, decode_signal

# Under the lowest cap everything is compiled anew, and a slow machine may take minutes.
pytestmark = pytest.mark.timeout(900)

PROBE = Path(__file__).with_name("probe.py")
SECONDS = 16
SAME_FILES = ("sc", "sc-bitrate", "mc", "bounded", "lossless", "fast")
SAME_TOKENS = (*SAME_FILES[:3], "compact")
LIBRARIES = " libraries"
"""After a cap's name: it holds for all but compiled functions."""
LOSSLESS = """
import sys
import eegzip
eegzip.compress(sys.argv[1], sys.argv[2] + "/lossless.eegz", lossless=True)
eegzip.decompress(sys.argv[2] + "/lossless.eegz", sys.argv[2] + "/lossless.edf")
assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def recording(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first seconds of a real recording."""
    folder = tmp_path_factory.mktemp("short")
    eegzip.compress(eegmat, folder / "whole.eegz", lossless=True)
    eegzip.decompress(folder / "whole.eegz", folder / "short.edf", stop=SECONDS)
    return folder / "short.edf"


@pytest.fixture(scope="module")
def computed(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of what a process under a cap made of the recording, once a cap."""
    made: dict[str, Path] = {}

    def compute(cap: str) -> Path:
        if cap not in made:
            made[cap] = tmp_path_factory.mktemp(f"cap-{cap}")
            probe(cap, recording, made[cap])
        return made[cap]

    return compute


def probe(cap: str, recording: Path, folder: Path, *more: str) -> None:
    """Let a process under a cap compute; it finds no differences within itself."""
    under(cap, str(PROBE), str(recording), str(folder), *more)


def under(cap: str, *words: str) -> None:
    """Let a process of Python do something under a cap."""
    variables = environment(cap.removesuffix(LIBRARIES), OMP_NUM_THREADS="2")
    if cap.endswith(LIBRARIES):
        variables = {name: value for name, value in variables.items() if not name.startswith("NUMBA_CPU")}
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", *words],
        capture_output=True, text=True, check=False, timeout=800, env=variables,
    )  # fmt: skip
    assert done.returncode == 0, f"under the cap '{cap}':\n{done.stdout}{done.stderr[-3000:]}\n{processor()}"


def kept(one: Path, other: Path) -> str:
    """Say what differs and on what machine, and where both files are kept."""
    folder = Path(sys.prefix) / "portability-failures"
    folder.mkdir(exist_ok=True)
    names = [shutil.copyfile(path, folder / f"{path.parent.name}-{path.name}").name for path in (one, other)]
    return f"{one.name} differs; both are kept as {' and '.join(names)} in {folder}\n{processor()}"


def tokens(path: Path) -> list[np.ndarray]:
    with eegzip.open(path) as file:
        return [stream.codes for stream in file.tokens()]


def samples(path: Path) -> np.ndarray:
    with EdfFile.open(path) as file:
        block = file.read_records(0, file.n_records)
        signals = [index for index, signal in enumerate(file.header.signals) if not signal.is_annotations]
        return np.stack([decode_signal(block, file.header, index).reshape(-1) for index in signals])


@pytest.mark.parametrize("cap", ["avx2", "sse4" + LIBRARIES, "sse4"])
def test_an_older_processor_gives_the_same(computed: Callable[[str], Path], cap: str) -> None:
    if not lowers(cap.removesuffix(LIBRARIES)):
        pytest.skip("the processor is that old itself")
    here, there = computed("native"), computed(cap)
    for name in SAME_TOKENS:
        one, other = here / f"{name}.eegz", there / f"{name}.eegz"
        pairs = zip(tokens(one), tokens(other), strict=True)
        assert all(np.array_equal(ours, theirs) for ours, theirs in pairs), kept(one, other)
    for name in SAME_FILES:
        for suffix in (".eegz", ".edf"):
            one, other = here / f"{name}{suffix}", there / f"{name}{suffix}"
            assert one.read_bytes() == other.read_bytes(), kept(one, other)
    one, other = here / "compact.edf", there / "compact.edf"
    # A scale over 1024 besides, says SPEC.md; networks of float32 come nearer.
    assert np.abs(samples(one) - samples(other)).max() <= 1, kept(one, other)


def test_what_is_compiled_for_an_older_processor_gives_the_same(
    computed: Callable[[str], Path], recording: Path, tmp_path: Path
) -> None:
    """Where everything else is older, too; samples predicted from each other, in floats, show a last bit at once."""
    under("sse4", "-c", LOSSLESS, str(recording), str(tmp_path))
    for name in ("lossless.eegz", "lossless.edf"):
        one, other = computed("native") / name, tmp_path / name
        assert one.read_bytes() == other.read_bytes(), kept(one, other)


@pytest.mark.parametrize("cap", CAPS)
def test_no_size_of_a_batch_shows(cap: str, recording: Path, tmp_path: Path) -> None:
    """Each from 1 to 20; the other tests try a few of them."""
    probe(cap, recording, tmp_path, "every")


def test_a_fresh_process_gives_the_same(computed: Callable[[str], Path], recording: Path, tmp_path: Path) -> None:
    eegzip.compress(recording, tmp_path / "mc.eegz")
    assert (tmp_path / "mc.eegz").read_bytes() == (computed("native") / "mc.eegz").read_bytes()
