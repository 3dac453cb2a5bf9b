"""What people type by mistake or by habit: it works, or exits with 2 and a sentence, and no recording is ever lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from api.plain_edf import PlainEdf, build
from api.recordings import SHIPPED
from click.shell_completion import ShellComplete

import eegzip
from eegzip.cli.main import main, run
from eegzip.cli.values import seconds

Said = Callable[..., tuple[int, str, str]]
SMALL = SHIPPED / "edf" / "test_uneven_samp.edf"
OTHERS = ("test_edf_stim_channel.edf", "test_bdf_stim_channel.bdf")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """Run the command in this process; return its exit code and what it said on both streams."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["eegzip", *map(str, words)])
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                run()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        shown = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, shown.out, shown.err

    return call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a small recording and its compressed file."""
    shutil.copy(SMALL, tmp_path / "a.edf")
    eegzip.compress(tmp_path / "a.edf", tmp_path / "a.eegz", lossless=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("force", [[], ["-f"]], ids=["", "-f"])
@pytest.mark.parametrize("name", OTHERS)
def test_compressed_data_never_replace_a_recording(name: str, force: list[str], said: Said, folder: Path) -> None:
    """``compress -f *.edf`` where there are exactly two; the name says nothing, the content does."""
    shutil.copy(SHIPPED / "edf" / name, folder / "b.dat")
    code, out, err = said("compress", *force, "a.edf", "b.dat")
    assert (code, out) == (2, "")
    assert err.startswith("eegzip: b.dat is an EDF or BDF recording, which compressed data never replace")
    assert err.count("\n") == 1
    assert (folder / "b.dat").read_bytes() == (SHIPPED / "edf" / name).read_bytes()


def test_a_restored_recording_never_replaces_an_eegz_file(said: Said, folder: Path) -> None:
    before = (folder / "a.eegz").read_bytes()
    (folder / "b.dat").write_bytes(before)
    code, _, err = said("decompress", "-f", "a.eegz", "b.dat")
    assert code == 2
    assert "b.dat is an .eegz file, which a restored recording never replaces" in err
    assert (folder / "b.dat").read_bytes() == before


def test_force_still_replaces_what_it_is_for(said: Said, folder: Path) -> None:
    (folder / "old.eegz").write_bytes((folder / "a.eegz").read_bytes()[:50])
    assert said("compress", "-f", "a.edf", "old.eegz", "--lossless")[0] == 0
    assert (folder / "old.eegz").read_bytes() == (folder / "a.eegz").read_bytes()
    shutil.copy(SHIPPED / "edf" / OTHERS[0], folder / "b.edf")
    assert said("decompress", "-f", "a.eegz", "b.edf")[0] == 0
    assert (folder / "b.edf").read_bytes() == SMALL.read_bytes()


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    """Set the umask for a test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(
    ("mode", "mask", "expected"),
    [
        (0o600, 0o022, 0o600),
        (0o644, 0o022, 0o644),
        (0o644, 0o077, 0o600),
        (0o440, 0o022, 0o440),
        (0o775, 0o022, 0o644),
        (0o666, 0o000, 0o666),
    ],
)
def test_results_are_no_more_readable_than_their_source(
    mode: int, mask: int, expected: int, umask: Callable[[int], int], tmp_path: Path
) -> None:
    umask(mask)
    source, packed, back = tmp_path / "a.edf", tmp_path / "a.eegz", tmp_path / "b.edf"
    shutil.copy(SMALL, source)
    os.utime(source, ns=(10**18, 10**18 + 123_456_789))
    source.chmod(mode)
    while_written: set[int] = set()

    def look(*_: object) -> None:
        while_written.update(stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob(".*.part"))

    eegzip.compress(source, packed, lossless=True, progress=look)
    eegzip.decompress(packed, back, progress=look)
    assert while_written == {0o600}
    for path in (packed, back):
        assert stat.S_IMODE(path.stat().st_mode) == expected
        assert path.stat().st_mtime_ns == 10**18 + 123_456_789
    assert back.read_bytes() == SMALL.read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another group")
def test_root_keeps_the_owner_and_another_group_gains_nothing(umask: Callable[[int], int], tmp_path: Path) -> None:
    source = tmp_path / "a.edf"
    shutil.copy(SMALL, source)
    source.chmod(0o640)
    os.chown(source, 0, 54321)
    eegzip.compress(source, tmp_path / "a.eegz", lossless=True)
    found = (tmp_path / "a.eegz").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 54321, 0o640)
    # Whoever may not give files away, as root without that right: the file is of one's own group, which may not read.
    words = ["setpriv", "--bounding-set=-chown", "--inh-caps=-chown", "--reuid=0", "--", sys.executable, "-m", "eegzip"]
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv to be root without that right")
    subprocess.run([*words, "compress", "--lossless", source, tmp_path / "b.eegz"], check=True, timeout=60)
    found = (tmp_path / "b.eegz").stat()
    assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (os.getegid(), 0o600)


def test_a_redirected_file_is_a_source_as_well(
    said: Said, folder: Path, umask: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.edf").chmod(0o600)
    os.utime(folder / "a.edf", (10**9, 10**9))
    with (folder / "a.edf").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert said("compress", "-", "b.eegz", "--lossless")[0] == 0
    found = (folder / "b.eegz").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime) == (0o600, 10**9)
    assert (folder / "b.eegz").read_bytes() == (folder / "a.eegz").read_bytes()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--lossless -k 8", "--lossless keeps every sample as it is, so --codebooks would change nothing"),
        ("--lossless --max-prd 9", "--lossless keeps every sample as it is, so --max-prd would change nothing"),
        ("--lossless --max-error 2uV", "--max-error would change nothing"),
        ("--lossless --quality compact", "--quality would change nothing"),
        ("--lossless --keep-tokens --max-prd 9", "would change nothing"),
        ("--quality archive --bitrate 100", "--quality archive keeps every sample as it is, so --bitrate"),
        ("--quality archive --max-prd 9", "--quality archive keeps every sample as it is, so --max-prd"),
        ("--max-prd 9 -k 8", "so --codebooks would change nothing; leave one of the two out (--keep-tokens would"),
        ("--quality clinical --groups single", "so --groups would change nothing"),
        ("--exact Xyz", "matches 'Xyz' (--exact); the recording has: "),
        ("--lossy Xyz --max-prd 9", "matches 'Xyz' (--lossy); the recording has: "),
        ("--chunk 1:xx", "'1:xx' is no time; write 90, 90s, 1m30s, 1:30 or 00:01:30."),
    ],
)
def test_options_without_effect_are_refused(words: str, expected: str, said: Said, folder: Path) -> None:
    before = sorted(folder.iterdir())
    code, out, err = said("compress", "a.edf", "b.eegz", *words.split())
    assert (code, out) == (2, "")
    assert expected in err
    assert sorted(folder.iterdir()) == before


def test_options_that_agree_are_taken(said: Said, folder: Path) -> None:
    """Everything exactly, said in three ways, with a pattern that matches and one for all."""
    words = ["--lossless", "--quality", "archive", "--exact", "*", "--lossy", "3Hz*", "--chunk", "2:00"]
    assert said("compress", "a.edf", "b.eegz", *words)[0] == 0
    assert (folder / "b.eegz").read_bytes() == (folder / "a.eegz").read_bytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90), ("90s", 90), ("1.5m", 90), ("1m30s", 90), ("1 min 30 s", 90), ("1:30", 90), ("00:01:30", 90),
        ("0:01:30.25", 90.25), ("100:00:00", 360_000), ("90:00", 5400), ("1h", 3600), (".5", 0.5), ("1e2", 100),
        ("0", 0), ("-3", -3), ("00:00:00", 0),
        ("", None), ("nan", None), ("inf", None), ("1:60", None), ("0:60:00", None), ("1:2:3:4", None), ("noon", None),
        ("30s1m x", None), ("1.5:00", None), ("-1:00", None),
    ],
)  # fmt: skip
def test_times_as_people_write_them(text: str, expected: float | None) -> None:
    assert seconds(text) == expected


def test_a_cut_between_times_on_a_clock(said: Said, folder: Path, short_psg: Path) -> None:
    eegzip.compress(short_psg, folder / "p.eegz", lossless=True)
    assert said("decompress", "p.eegz", "one.edf", "--start", "00:01:00", "--stop", "1m30s")[0] == 0
    assert said("decompress", "p.eegz", "two.edf", "--start", "60", "--stop", "90")[0] == 0
    assert (folder / "one.edf").read_bytes() == (folder / "two.edf").read_bytes()
    assert PlainEdf.read(folder / "one.edf").complete_records == 1
    code, _, err = said("decompress", "p.eegz", "x.edf", "--start", "1:xx")
    assert code == 2
    assert "'1:xx' is no time; write 90, 90s, 1m30s, 1:30 or 00:01:30." in err


@pytest.mark.parametrize("name", ["a.edf", "a.eegz"])
def test_info_of_standard_input(name: str, said: Said, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (folder / name).open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        code, out, _ = said("info", "-", "--json")
    piped, named = json.loads(out), json.loads(said("info", name, "--json")[1])
    assert code == 0
    assert piped.pop("path") == "standard input"
    assert named.pop("path") == name
    assert piped == named


def test_standard_input_is_verified(said: Said, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, wanted, expected in (("a.eegz", 0, "standard input: intact; "), ("a.edf", 1, "standard input")):
        with (folder / name).open() as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            code, out, err = said("verify", "-")
        assert code == wanted
        assert expected in out + err
        assert "eegzip-" not in out + err


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["compress"], "file"), (["compress", "a.edf"], "file"), (["compress", "a.edf", "--model"], "dir"),
        (["compress", "a.edf", "--groups"], "file"), (["decompress"], "file"), (["decompress", "a.eegz"], "file"),
        (["info"], "file"), (["verify", "a.eegz"], "file"), (["evaluate"], "file"), (["models", "import"], "file"),
        (["models", "show"], "dir"), (["train", "--data"], "file"), (["train", "--out"], "dir"),
    ],
)  # fmt: skip
def test_a_shell_completes_names_of_files(words: list[str], kind: str) -> None:
    found = ShellComplete(main, {}, "eegzip", "_EEGZIP_COMPLETE").get_completions(words, "ni")
    assert [(item.type, item.value) for item in found] == [(kind, "ni")]


def test_a_label_with_a_comma(said: Said, folder: Path) -> None:
    rng = PlainEdf.read(SMALL).digital(0)[:200].reshape(2, 100)
    signals = [{"label": label, "values": rng + place} for place, label in enumerate(("Fp1,A1", "Fp1", "A1", "O1"))]
    build(folder / "comma.edf", signals)
    eegzip.compress(folder / "comma.edf", folder / "comma.eegz", lossless=True)
    for wanted, expected in (
        (r"Fp1\,A1", ["Fp1,A1"]),
        (r"o1,fp1\,*", ["Fp1,A1", "O1"]),
        ("Fp1,A1", ["Fp1", "A1"]),
    ):
        assert said("decompress", "-f", "comma.eegz", "cut.edf", "-c", wanted)[0] == 0
        assert PlainEdf.read(folder / "cut.edf").labels == expected


def test_the_package_runs_as_a_module(folder: Path) -> None:
    words = [sys.executable, "-m", "eegzip"]
    done = subprocess.run([*words, "info", "a.eegz"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("a.eegz: ")
    done = subprocess.run([*words, "info", "b.eegz"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("eegzip: b.eegz does not exist")
