"""Every way to fail: its exit code, one sentence for a person, and nothing left behind."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from api.plain_edf import beginning

import eegzip

Run = Callable[..., subprocess.CompletedProcess[str]]
Refused = Callable[..., str]


SECONDS = 25


@pytest.fixture(scope="module")
def short(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of three EEG channels and an ECG: what fails takes no longer to fail."""
    return beginning(eegmat, tmp_path_factory.mktemp("short") / "in.edf", SECONDS)


@pytest.fixture(scope="module")
def exact_file(short: Path) -> Path:
    """A file of it that needs no network, in five chunks."""
    eegzip.compress(short, short.with_name("file.eegz"), exact=["*"], chunk_seconds=5)
    return short.with_name("file.eegz")


@pytest.fixture
def folder(short: Path, exact_file: Path, tmp_path: Path) -> Path:
    """A working folder with one recording and one compressed file."""
    shutil.copy(short, tmp_path / "in.edf")
    shutil.copy(exact_file, tmp_path / "file.eegz")
    return tmp_path


READERS = ["decompress", "verify", "info"]


def read(name: str, path: Path, folder: Path) -> list[object]:
    return [name, path, folder / "out.edf"] if name == "decompress" else [name, path]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty (0 bytes)"),
        (b"Dear colleague,\nplease find enclosed\n" * 20, "is not an .eegz file"),
        (b"0       X X X X" + b" " * 500, "is not an .eegz file"),
        (b"\x89EEGZ\n\x1a\n" + bytes(100), "as a transfer in text mode does"),
        (b"\x89EEG", "is not an .eegz file"),
    ],
    ids=["empty", "text", "EDF", "text mode", "four bytes"],
)
def test_what_is_no_eegz_file(name: str, content: bytes, expected: str, refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "file.eegz"
    path.write_bytes(content)
    sentence = refused(1, *read(name, path, tmp_path), folder=tmp_path)
    assert str(path) in sentence
    assert expected in sentence or content == b"\x89EEG"


@pytest.mark.parametrize("part", [0.0001, 0.03, 0.3, 0.7, 0.999])
def test_a_truncated_file(part: float, run: Run, refused: Refused, folder: Path) -> None:
    path = folder / "file.eegz"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    sentence = refused(1, "decompress", path, folder / "out.edf", folder=folder) if part < 0.99 else ""
    assert str(path) in sentence or part > 0.99
    done = run("verify", path)
    assert done.returncode == 1
    if part < 0.001:  # no header, nothing to check
        assert done.stderr.startswith("eegzip: ")
    else:
        assert "DAMAGED" in done.stdout
        assert "the index at the end is missing" in done.stderr
        info = run("info", path)
        assert info.returncode == 0
        assert "PROBLEM" in info.stdout


@pytest.mark.parametrize("place", [3, 20, 60, 0.1, 0.5, 0.9])
def test_a_flipped_bit(place: float, run: Run, refused: Refused, folder: Path) -> None:
    path = folder / "file.eegz"
    data = bytearray(path.read_bytes())
    data[place if isinstance(place, int) else int(len(data) * place)] ^= 16
    path.write_bytes(data)
    done = run("verify", path)
    assert done.returncode == 1
    assert done.stderr
    assert run("verify", "--deep", path).returncode == 1
    if run("decompress", path, folder / "out.edf").returncode == 0:
        # What is there twice may be mended, but then it is mended.
        assert (folder / "out.edf").read_bytes() == (folder / "in.edf").read_bytes()
    else:
        refused(1, "decompress", path, folder / "out.edf", folder=folder)


@pytest.mark.parametrize("name", ["compress", *READERS])
def test_inputs_that_are_no_files(name: str, refused: Refused, folder: Path) -> None:
    arguments = [folder / "out"] if name in ("compress", "decompress") else []
    assert "does not exist" in refused(1, name, folder / "nothing.eegz", *arguments, folder=folder).replace(
        "No such file or directory", "does not exist"
    )
    sentence = refused(1, name, folder, *arguments, folder=folder)
    assert "folder" in sentence or "directory" in sentence
    if Path("/dev/null").exists():
        refused(1, name, "/dev/null", *arguments, folder=folder)


@pytest.mark.parametrize("name", ["compress", *READERS])
def test_an_unreadable_input(name: str, command: str, folder: Path) -> None:
    path = folder / ("in.edf" if name == "compress" else "file.eegz")
    path.chmod(0)
    folder.chmod(0o755)
    arguments = [str(folder / "out")] if name in ("compress", "decompress") else []
    words = [command, name, str(path), *arguments]
    if os.geteuid() == 0:
        words = drop_privileges(words)
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1
    assert "permission denied" in done.stderr.lower()
    assert sorted(p.name for p in folder.iterdir()) == ["file.eegz", "in.edf"]


def drop_privileges(words: list[str]) -> list[str]:
    """The same command without root's right to read and write everything."""
    if shutil.which("setpriv") is None:
        pytest.skip("root may read everything, and there is no setpriv to be someone else")
    prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=0", "--"]
    probe = subprocess.run(
        [*prefix, sys.executable, "-c", "open('/proc/1/mem', 'rb').read(1)"], capture_output=True, check=False
    )
    if probe.returncode == 0:
        pytest.skip("privileges can't be dropped here")
    return [*prefix, *words]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"Dear colleague,\n" * 100, "byte 0"),
        (b"0       " + b"x" * 248, "byte"),
        (b"\x89PNG\r\n\x1a\n" + bytes(4096), "byte 0"),
    ],
    ids=["empty", "text", "nonsense header", "PNG"],
)
@pytest.mark.parametrize("name", ["compress", "info"])
def test_what_is_no_recording(name: str, content: bytes, expected: str, refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "in.edf"
    path.write_bytes(content)
    arguments = [tmp_path / "out.eegz"] if name == "compress" else []
    sentence = refused(1, name, path, *arguments, folder=tmp_path)
    assert expected in sentence
    assert str(path) in sentence


def test_an_eegz_file_is_not_compressed_again(refused: Refused, folder: Path) -> None:
    sentence = refused(1, "compress", folder / "file.eegz", folder / "twice.eegz", folder=folder)
    assert ".eegz" in sentence


@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_an_existing_output(name: str, run: Run, refused: Refused, folder: Path) -> None:
    source = folder / ("in.edf" if name == "compress" else "file.eegz")
    out = folder / "out"
    out.write_text("precious")
    exact = ["--exact", "*"] if name == "compress" else []
    assert "exists already; use -f" in refused(2, name, source, out, *exact, folder=folder)
    assert run(name, "-f", source, out, *exact).returncode == 0
    assert out.stat().st_size > 10_000
    assert "is a folder" in refused(1, name, "-f", source, folder, *exact, folder=folder)


@pytest.mark.parametrize("name", ["compress", "decompress"])
@pytest.mark.parametrize("force", [[], ["-f"]], ids=["", "-f"])
@pytest.mark.parametrize("how", ["same", "other spelling", "symbolic link", "hard link"])
def test_the_output_is_the_input(name: str, force: list[str], how: str, refused: Refused, folder: Path) -> None:
    source = folder / ("in.edf" if name == "compress" else "file.eegz")
    out = source
    if how == "other spelling":
        out = folder / "." / ".." / folder.name / source.name
    elif how == "symbolic link":
        out = folder / "link"
        out.symlink_to(source)
    elif how == "hard link":
        out = folder / "link"
        os.link(source, out)
    assert "is the input itself" in refused(2, name, *force, source, out, folder=folder)


@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_a_folder_that_is_not_there(name: str, refused: Refused, folder: Path) -> None:
    source = folder / ("in.edf" if name == "compress" else "file.eegz")
    sentence = refused(1, name, source, folder / "nowhere" / "out", folder=folder)
    assert "could not be written" in sentence


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["compress", "in.edf", "o.eegz", "--frobnicate"], "--frobnicate"),
        (["compress"], "IN"),
        (["squeeze", "in.edf"], "squeeze"),
        (["compress", "in.edf", "o.eegz", "-k", "0"], "codebooks"),
        (["compress", "in.edf", "o.eegz", "-k", "99"], "codebooks"),
        (["compress", "in.edf", "o.eegz", "-k", "many"], "many"),
        (["compress", "in.edf", "o.eegz", "--rate", "fast"], "rate"),
        (["compress", "in.edf", "o.eegz", "--scaling", "fixed:loud"], "scaling"),
        (["compress", "in.edf", "o.eegz", "--chunk", "0"], "chunk"),
        (["compress", "in.edf", "o.eegz", "--chunk", "nan"], "chunk"),
        (["decompress", "file.eegz", "o.edf", "-c", "Oz"], "no channel matches 'Oz'; the recording has: EEG Fp1"),
        (["decompress", "file.eegz", "o.edf", "--start", "20", "--stop", "20"], "the stop, 20 s, is not after"),
        (["decompress", "file.eegz", "o.edf", "--start", "24", "--stop", "20"], "the stop, 20 s, is not after"),
        (["decompress", "file.eegz", "o.edf", "--start", "-3"], "the start, -3 s, is not within the 25 s"),
        (["decompress", "file.eegz", "o.edf", "--start", "25"], "the start, 25 s, is not within the 25 s"),
        (["decompress", "file.eegz", "o.edf", "--start", "nan"], "nan"),
        (["decompress", "file.eegz", "o.edf", "--stop", "nan"], "nan"),
        (["verify"], "IN"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use(arguments: list[str], expected: str, refused: Refused, folder: Path) -> None:
    assert expected in refused(2, *arguments, folder=folder, cwd=folder)


@pytest.mark.parametrize("model", ["no-such-model", "nowhere/model", ".", "0123456789abcdef0123"])
def test_an_unknown_model(model: str, refused: Refused, folder: Path) -> None:
    sentence = refused(1, "compress", "in.edf", "o.eegz", "-m", model, folder=folder, cwd=folder)
    assert "model" in sentence.lower()


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let this process write files of some bytes only; more is an error, not the signal that would end it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [0, 4096, 16_000])
@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_a_file_that_may_not_grow(name: str, size: int, refused: Refused, folder: Path) -> None:
    source = folder / ("in.edf" if name == "compress" else "file.eegz")
    exact = ["--exact", "*"] if name == "compress" else []
    with files_up_to(size):
        sentence = refused(1, name, source, folder / "out", *exact, folder=folder)
    assert "written (File too large)" in sentence
    # Nor is a file that was there before lost.
    (folder / "out").write_text("precious")
    with files_up_to(size):
        refused(1, name, "-f", source, folder / "out", *exact, folder=folder)
    assert (folder / "out").read_text() == "precious"


def test_a_process_whose_files_may_not_grow(refused: Refused, folder: Path) -> None:
    """As the shell's ulimit has it: from the start, the signal as Python finds it."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    sentence = refused(1, "decompress", folder / "file.eegz", folder / "out", folder=folder, preexec_fn=limited)
    assert "written (File too large)" in sentence


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 kB."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("only root mounts file systems")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a tmpfs can't be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_a_full_disk(name: str, refused: Refused, short: Path, exact_file: Path, small_disk: Path) -> None:
    source = short if name == "compress" else exact_file
    exact = ["--exact", "*"] if name == "compress" else []
    sentence = refused(1, name, source, small_disk / "out", *exact, folder=small_disk)
    assert "No space left on device" in sentence
    assert list(small_disk.iterdir()) == []
    # Standard input and output go over temporary files: a full temporary folder is no reason for a traceback.
    with source.open("rb") as stream:
        refused(
            1, name, "-", "-", *exact, folder=small_disk, stdin=stream, env={**os.environ, "TMPDIR": str(small_disk)}
        )


def test_a_standard_output_that_is_full(command: str, exact_file: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    for arguments in (["info", exact_file], ["verify", exact_file], ["decompress", exact_file, "-"], ["--help"]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [command, *map(str, arguments)], stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 1, arguments
        assert done.stderr.startswith("eegzip: ")
        assert done.stderr.count("\n") == 1
        assert "No space left on device" in done.stderr


def test_a_reader_that_goes_away(command: str, exact_file: Path) -> None:
    done = subprocess.run(
        f"'{command}' decompress '{exact_file}' - | head -c 100 | wc -c",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "100"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_interrupted(number: int, code: int, command: str, folder: Path) -> None:
    """In the middle of writing, with the network at work on a recording long enough to be interrupted."""
    source = folder / "long.edf"
    data = (folder / "in.edf").read_bytes()
    size = int(data[184:192])
    repeats = 70
    source.write_bytes(data[:236] + str(SECONDS * repeats).encode().ljust(8) + data[244:size] + data[size:] * repeats)
    before = source.read_bytes()
    temporary = folder / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        [command, "compress", str(source), str(folder / "out.eegz")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temporary)},
        # A suite that runs under nohup or in a script's background ignores signals, and so would what it starts.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as process:  # fmt: skip
        try:
            for _ in range(1200):
                # The output is begun as a hidden file: from then on there is something to leave behind.
                if any(path.stat().st_size for path in folder.glob(".out.eegz.*.part")):
                    break
                assert process.poll() is None, "it ended before it could be interrupted"
                time.sleep(0.05)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == code, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    assert sorted(path.name for path in folder.iterdir()) == ["file.eegz", "in.edf", "long.edf", "temporary"]
    # Torch makes an empty folder for its own compiler; there is nothing of ours.
    assert not [path for path in temporary.rglob("*") if not path.name.startswith("torchinductor")]
    assert source.read_bytes() == before
