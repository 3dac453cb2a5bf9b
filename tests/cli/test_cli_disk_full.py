"""A disk that is full at any moment, and the order in which what is written is brought to the disk."""

from __future__ import annotations

import errno
import io
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from api.recordings import SHIPPED

import eegzip
from eegzip.batches.manifest import read_manifest
from eegzip.cli.main import run
from eegzip.formats.files import replaced

TINY = SHIPPED / "edf" / "SC4001EC-Hypnogram.edf"
CALLS = ("fsync", "link", "replace", "rename")
COMMANDS = ("compress", "decompress", "archive")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sizes of files are limited as on Linux")


class Done(NamedTuple):
    exit_code: object
    stderr: str


def invoke(words: list[str]) -> Done:
    """Run a command in this process, up to its exit code."""
    said = io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(io.StringIO()), redirect_stderr(said):
        patched.setattr(sys, "argv", ["eegzip", *words])
        with pytest.raises(SystemExit) as ended:
            run()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return Done(ended.value.code, said.getvalue())


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes, as on a disk that is full there."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Calls:
    """What is asked of the system about files; the n-th call fails for want of room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: int | None = None) -> None:
        self.made: list[tuple[str, str]] = []
        for name in (*CALLS, "unlink"):
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name), fails))

    def _watched(self, name: str, call: Callable[..., Any], fails: int | None) -> Callable[..., Any]:
        def watched(what: Any, *more: Any, **options: Any) -> Any:
            path = str(Path(f"/proc/self/fd/{what}").readlink()) if isinstance(what, int) else os.fspath(what)
            if name in CALLS and len([1 for made, _ in self.made if made in CALLS]) + 1 == fails:
                self.made.append((name, path))
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.made.append((name, path))
            return call(what, *more, **options)

        return watched

    def order(self, folder: Path) -> list[tuple[str, str]]:
        """Calls about what lies in a folder, hidden files by their ending, without what was not there."""
        kept = []
        for name, path in self.made:
            if path.startswith(str(folder)):
                short = Path(path).relative_to(folder).as_posix()
                kept.append((name, ".part" if short.endswith(".part") else short))
        return kept


@pytest.fixture
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("packed") / "in.eegz"
    eegzip.compress(TINY, target, lossless=True)
    return target


def prepare(command: str, folder: Path, packed: Path) -> list[str]:
    """Files and words of a command."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "in").mkdir(parents=True)
    if command == "archive":
        for number in range(2):
            shutil.copy(TINY, folder / "in" / f"{number}.edf")
        return ["archive", str(folder / "in"), "-o", str(folder / "store"), "-j", "0", "--remove-source", "-q"]
    source = shutil.copy(TINY if command == "compress" else packed, folder / "in")
    return [command, str(source), str(folder / "out"), "-q", *(["--lossless"] if command == "compress" else [])]


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def assert_nothing_lost(command: str, folder: Path, before: dict[str, bytes], done: Done) -> None:
    """After a run that found no room: one sentence, and old files or whole new ones."""
    assert done.exit_code == 1, done
    assert "left on device" in done.stderr or "too large" in done.stderr
    assert all(line.startswith("eegzip: ") or line[0].isdigit() for line in done.stderr.splitlines())
    after = content(folder)
    assert not [name for name in after if name.endswith(".part")]
    if command != "archive":
        assert done.stderr.count("\n") == 1
        assert after == before
        return
    for number in range(2):
        source, target = f"in/{number}.edf", folder / "store" / f"{number}.edf.eegz"
        if target.exists():
            eegzip.decompress(target, folder / "back", overwrite=True)
            assert (folder / "back").read_bytes() == before[source]
            (folder / "back").unlink()
        else:
            assert after[source] == before[source]
    if (folder / "store" / "manifest.jsonl").exists():
        read_manifest(folder / "store" / "manifest.jsonl")


def assert_goes_on(command: str, folder: Path, words: list[str]) -> None:
    """With room again the same command does all."""
    done = invoke(words)
    assert done.exit_code == 0, done
    if command == "archive":
        assert sorted(content(folder)) == ["store/0.edf.eegz", "store/1.edf.eegz", "store/manifest.jsonl"]
    else:
        assert len(content(folder)) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_no_room_for_any_part_of_a_file(command: str, packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    words = prepare(command, folder, packed)
    assert_goes_on(command, folder, words)
    largest = max(len(data) for name, data in content(folder).items() if not name.startswith("in/"))
    for size in range(0, largest, max(1, largest // 9)):
        prepare(command, folder, packed)
        before = content(folder)
        with files_of_at_most(size):
            done = invoke(words)
        assert_nothing_lost(command, folder, before, done)
        assert_goes_on(command, folder, words)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("old", [False, True], ids=["new", "replaced"])
def test_no_room_at_any_call(command: str, packed: Path, tmp_path: Path, *, old: bool) -> None:
    if old and command == "archive":
        pytest.skip("an archive replaces nothing")
    folder, failed = tmp_path / "work", 0
    for number in range(1, 40):
        words = prepare(command, folder, packed)
        if old:
            (folder / "out").write_bytes(b"old")
            words.append("-f")
        before = content(folder)
        with pytest.MonkeyPatch.context() as patched:
            calls = Calls(patched, number)
            done = invoke(words)
        if len([1 for name, _ in calls.made if name in CALLS]) < number:
            break
        if done.exit_code:  # what a folder's sync says is no reason to lose a file
            failed += 1
            assert_nothing_lost(command, folder, before, done)
        assert_goes_on(command, folder, words if command == "archive" or old else [*words, "-f"])
    else:
        pytest.fail("the calls never ended")
    assert failed


@pytest.mark.parametrize("old", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_a_file_is_on_the_disk_before_it_has_its_name(
    command: str, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, old: bool
) -> None:
    folder = tmp_path.resolve() / "work"
    words = prepare(command, folder, packed)
    if old:
        (folder / "out").write_bytes(b"old")
    calls = Calls(monkeypatch)
    assert invoke([*words, "-f"] if old else words).exit_code == 0
    naming = "replace" if old else "link"
    assert calls.order(folder)[:3] == [("fsync", ".part"), (naming, ".part"), ("fsync", ".")]


def test_a_recording_goes_when_all_is_on_the_disk(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path.resolve() / "work"
    words = prepare("archive", folder, packed)
    calls = Calls(monkeypatch)
    assert invoke(words).exit_code == 0
    order = calls.order(folder)
    for number in range(2):
        removed = order.index(("unlink", f"in/{number}.edf"))
        named = max(place for place in range(removed) if order[place] == ("link", ".part"))
        assert order[named - 1] == ("fsync", ".part")
        assert order[named + 1] == ("fsync", "store")
        assert ("fsync", "store/manifest.jsonl") in order[named + 2 : removed]
        assert order[removed + 1] == ("fsync", "in")


def test_states_of_training_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path.resolve()
    calls = Calls(monkeypatch)
    with replaced(folder / "state.pt") as part:
        part.write_bytes(b"state")
    assert calls.order(folder)[:3] == [("fsync", ".part"), ("replace", ".part"), ("fsync", ".")]
