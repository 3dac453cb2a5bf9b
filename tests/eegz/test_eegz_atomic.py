"""Files appear whole or not at all, and nothing is replaced unasked."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from eegzip.formats.errors import EegzipError, OutputError, OutputExistsError, UsageError
from eegzip.formats.files import atomic_output


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_complete(tmp_path):
    target = tmp_path / "out.eegz"
    with atomic_output(target, overwrite=False) as file:
        file.write(b"abcdef")
        file.seek(2)
        file.write(b"X")
        assert not target.exists()
        (temporary,) = names(tmp_path)
        assert temporary.startswith(".out.eegz.")
        assert temporary.endswith(".part")
    assert target.read_bytes() == b"abXdef"
    assert names(tmp_path) == ["out.eegz"]


def test_it_can_be_read_back_while_it_is_written(tmp_path):
    with atomic_output(tmp_path / "out", overwrite=False) as file:
        file.write(b"abc")
        file.seek(0)
        assert file.read() == b"abc"


def test_permissions_are_those_of_any_new_file(tmp_path):
    plain, target = tmp_path / "plain", tmp_path / "out"
    plain.touch()
    with atomic_output(target, overwrite=False):
        pass
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.parametrize("kind", ["file", "empty file", "link", "link to nothing"])
def test_an_existing_file_is_refused(tmp_path, kind):
    target = tmp_path / "out"
    if "link" in kind:
        target.symlink_to(tmp_path / ("real" if kind == "link" else "nothing"))
        if kind == "link":
            (tmp_path / "real").write_bytes(b"precious")
    else:
        target.write_bytes(b"precious" if kind == "file" else b"")
    before = names(tmp_path)
    with (
        pytest.raises(OutputExistsError, match=r"out exists already; use -f") as caught,
        atomic_output(target, overwrite=False) as file,
    ):
        file.write(b"new")
    assert isinstance(caught.value, UsageError)
    assert caught.value.exit_code == 2
    assert names(tmp_path) == before
    if kind == "file":
        assert target.read_bytes() == b"precious"


def test_an_existing_file_is_refused_before_any_work(tmp_path):
    target = tmp_path / "out"
    target.touch()
    with pytest.raises(OutputExistsError), atomic_output(target, overwrite=False):
        pytest.fail("the block was entered")


def test_an_existing_file_is_replaced_on_demand(tmp_path):
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with atomic_output(target, overwrite=True) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["out"]


class CancelledError(BaseException):
    """As asyncio's, which is no Exception."""


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, CancelledError, EegzipError])
@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_is_left_behind_when_the_work_fails(tmp_path, error, overwrite):
    target = tmp_path / "out"
    if overwrite:
        target.write_bytes(b"old")

    def work():
        with atomic_output(target, overwrite=overwrite) as file:
            file.write(b"half")
            raise error("stop")

    with pytest.raises(error, match="stop"):
        work()
    assert names(tmp_path) == (["out"] if overwrite else [])
    if overwrite:
        assert target.read_bytes() == b"old"


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path):
    target = tmp_path / "out"

    def work():
        with atomic_output(target, overwrite=False) as file:
            file.write(b"mine")
            target.write_bytes(b"someone else's")

    with pytest.raises(OutputExistsError):
        work()
    assert target.read_bytes() == b"someone else's"
    assert names(tmp_path) == ["out"]


def test_a_file_that_appears_meanwhile_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "out"
    with atomic_output(target, overwrite=False) as file:
        file.write(b"mine")
    assert target.read_bytes() == b"mine"
    other = tmp_path / "other"
    with pytest.raises(OutputExistsError), atomic_output(other, overwrite=False) as file:
        other.write_bytes(b"someone else's")
    assert other.read_bytes() == b"someone else's"
    assert names(tmp_path) == ["other", "out"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_is_refused(tmp_path, overwrite):
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(OutputError, match=r"out is a folder; name a file"), atomic_output(target, overwrite=overwrite):
        pytest.fail("the block was entered")
    assert names(tmp_path) == ["out"]


def test_a_folder_that_appears_meanwhile(tmp_path):
    target = tmp_path / "out"
    with pytest.raises(OutputError, match="could not be written"), atomic_output(target, overwrite=True):
        target.mkdir()
    assert names(tmp_path) == ["out"]


def test_a_missing_folder(tmp_path):
    with (
        pytest.raises(OutputError, match=r"could not be written \(No such file or directory\)") as caught,
        atomic_output(tmp_path / "missing" / "out", overwrite=False),
    ):
        pytest.fail("the block was entered")
    assert caught.value.exit_code == 1
    assert isinstance(caught.value, OSError)
    assert names(tmp_path) == []


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"), atomic_output(tmp_path / "file" / "out", overwrite=False):
        pytest.fail("the block was entered")


def test_a_name_that_is_too_long(tmp_path):
    with (
        pytest.raises(OutputError, match="could not be written"),
        atomic_output(tmp_path / ("n" * 256), overwrite=False),
    ):
        pytest.fail("the block was entered")


@pytest.mark.parametrize("name", ["n" * 255, "脳" * 85, "𝄞" * 63])
def test_the_longest_names_that_there_are(tmp_path, name):
    with atomic_output(tmp_path / name, overwrite=False) as file:
        file.write(b"x")
    assert names(tmp_path) == [name]


def run(code: str, *arguments: Path) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stderr == ""
    return result.stdout.splitlines()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from eegzip.formats.files import atomic_output
from eegzip.formats.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
target, size, step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
try:
    with atomic_output(target, overwrite=True) as file:
        for _ in range(0, size, step):
            file.write(bytes(step))
except OutputError as error:
    print(error)
    print(sorted(path.name for path in target.parent.iterdir()))
"""


@pytest.mark.parametrize(("size", "step"), [(1_000_000, 1_000_000), (1_000_000, 10), (100_001, 100_001), (100_002, 6)])
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_full_disk(tmp_path, size, step, before):
    """A limit on file size stands in for it: write() fails, at once, late, or only when buffers are flushed."""
    target = tmp_path / "out"
    if before is not None:
        target.write_bytes(before)
    sentence, left = run(FULL_DISK, target, Path(str(size)), Path(str(step)))
    assert sentence == (
        f"{target} could not be written (File too large); nothing was left behind. Free space or choose another place."
    )
    assert left == str(["out"] if before else [])
    assert before is None or target.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_a_device_is_never_replaced(tmp_path):
    """``-o /dev/null`` would otherwise be renamed over by root."""
    with pytest.raises(OutputExistsError), atomic_output(Path("/dev/full"), overwrite=False):
        pytest.fail("the block was entered")


READ_ONLY = """
import os, sys
from pathlib import Path
from eegzip.formats.files import atomic_output
from eegzip.formats.errors import OutputError
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import BadInputError
folder = Path(sys.argv[1])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)  # root may write anywhere; this user may not
for overwrite in (False, True):
    try:
        with atomic_output(folder / "out", overwrite=overwrite):
            print("written")
    except OutputError as error:
        print(error)
try:
    EegzReader(folder / "secret")
except BadInputError as error:
    print(error)
"""


def test_a_read_only_folder_and_an_unreadable_file(tmp_path, tmp_path_factory):
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "secret").touch(mode=0o200)
    folder.chmod(0o555)
    ours = tmp_path_factory.getbasetemp().parent
    if os.getuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in ours.parents):
        pytest.skip(f"this runs as root, who may write anywhere, and no other user can reach {ours}")
    parents = [tmp_path, *(parent for parent in tmp_path.parents if parent.is_relative_to(ours))]
    modes = {parent: stat.S_IMODE(parent.stat().st_mode) for parent in parents}
    try:
        for parent, mode in modes.items():
            parent.chmod(mode | 0o055)  # the other user must get as far as the folder
        lines = run(READ_ONLY, folder)
    finally:
        for parent, mode in modes.items():
            parent.chmod(mode)
        folder.chmod(0o755)
    start = f"{folder / 'out'} could not be written (Permission denied)"
    assert [line[: len(start)] for line in lines[:2]] == [start, start]
    assert lines[2].startswith(f"{folder / 'secret'} may not be read (permission denied)")
    assert names(folder) == ["secret"]
