"""An archive of many files: whatever ends a run, the next one goes on; nothing is lost, doubled or silently wrong."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from api.recordings import SHIPPED

import eegzip
from eegzip.batches.batch import Pace
from eegzip.batches.manifest import Manifest, read_manifest
from eegzip.evaluation.read_back import read_back

Run = Callable[..., subprocess.CompletedProcess[str]]
TINY = SHIPPED / "edf" / "SC4001EC-Hypnogram.edf"
SMALL = SHIPPED / "edf" / "test_uneven_samp.edf"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of recordings: two of one stem, one that is broken, and things that are none."""
    folder = tmp_path / "in"
    (folder / "ward").mkdir(parents=True)
    shutil.copy(TINY, folder / "ward" / "night.edf")
    shutil.copy(TINY.with_suffix(".bdf"), folder / "ward" / "night.bdf")
    (folder / "broken.EDF").write_bytes(b"no recording" * 100)
    (folder / "ward" / "._night.edf").write_bytes(b"of another system")
    (folder / "notes.txt").write_text("notes")
    return folder


def lines(manifest: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in manifest.read_bytes().splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_hundred_files_killed_twice(tmp_path: Path) -> None:
    """97 of 100 are archived, their hashes are right, and the exit code is 1."""
    folder, store = tmp_path / "in", tmp_path / "store"
    content, hashes = TINY.read_bytes(), {}
    for number in range(100):
        source = folder / f"{number % 7}" / f"{number:02d}.edf"
        source.parent.mkdir(parents=True, exist_ok=True)
        broken = number in (5, 50, 95)
        source.write_bytes(content[:300] if broken else content[:8] + f"{number:<80}".encode() + content[88:])
        if not broken:
            hashes[str(source)] = hashlib.sha256(source.read_bytes()).hexdigest()
    manifest = store / "manifest.jsonl"
    words = [sys.executable, "-m", "eegzip", "archive", str(folder), "-o", str(store), "-j", "2", "-q"]
    for enough in (20, 60):
        with subprocess.Popen(words) as process:
            while not manifest.exists() or manifest.read_bytes().count(b'"state": "done"') < enough:
                assert process.poll() is None, "it ended before it could be killed"
                time.sleep(0.01)
            process.kill()
        # A kill may tear a line as well, which is rare; here it happens each time.
        with manifest.open("ab") as file:
            file.write(b'{"manifest": 1, "time": "2026-')
    before = manifest.read_bytes()
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr.count("eegzip: ") == 3
    assert "3 failed" in done.stderr
    assert manifest.read_bytes().startswith(before)
    last = {line["source"]: line for line in read_manifest(manifest)}
    assert sorted(Path(name).stem for name, line in last.items() if line["state"] == "failed") == ["05", "50", "95"]
    archived = {name: line for name, line in last.items() if line["state"] == "done"}
    assert {name: line["source_sha256"] for name, line in archived.items()} == hashes
    assert names(store) == sorted([*(line["target"] for line in archived.values()), "manifest.jsonl"])
    for name, line in archived.items():
        target = store / line["target"]
        assert line["target_sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
        eegzip.decompress(target, tmp_path / "back", overwrite=True)
        assert (tmp_path / "back").read_bytes() == Path(name).read_bytes()


def test_a_tree_there_and_back(run: Run, tree: Path, tmp_path: Path) -> None:
    (tree / "ward" / "night.edf").chmod(0o600)
    (tree / "ward").chmod(0o750)
    store, back = tmp_path / "store", tmp_path / "back"
    done = run("compress", "-r", tree, "-o", store, "-j", "0", "--lossless", "--check")
    assert done.returncode == 1
    assert done.stderr.startswith(f"eegzip: {tree / 'broken.EDF'}: byte 0")
    assert done.stdout.splitlines()[-1].startswith("2 done (")
    assert names(store) == ["ward/night.bdf.eegz", "ward/night.edf.eegz"]
    assert stat.S_IMODE((store / "ward").stat().st_mode) & ~0o750 == 0
    assert stat.S_IMODE((store / "ward" / "night.edf.eegz").stat().st_mode) == 0o600
    assert run("verify", "-r", store, "-j", "0").returncode == 0
    assert run("evaluate", tree / "ward" / "*.edf", "-o", store / "ward", "-j", "0").returncode == 0
    told = run("info", "-r", store, "-j", "0", "--json").stdout.splitlines()
    assert [json.loads(line)["result"]["variant"] for line in told] == ["BDF+C", "EDF+C"]
    assert run("decompress", "-r", store, "-o", back, "-j", "0", "--check").returncode == 0
    for name in ("ward/night.bdf", "ward/night.edf"):
        assert (back / name).read_bytes() == (tree / name).read_bytes()
        assert (back / name).stat().st_mtime_ns == (tree / name).stat().st_mtime_ns


def test_two_paths_are_in_and_out(run: Run, tree: Path, tmp_path: Path) -> None:
    one, two = tree / "ward" / "night.edf", tree / "ward" / "night.bdf"
    before = two.read_bytes()
    assert "compressed data never replace" in run("compress", "-f", one, two).stderr
    assert two.read_bytes() == before
    assert run("compress", one, tmp_path / "x.eegz", "--lossless").returncode == 0
    # With an option for many files both are recordings, and so are three.
    assert run("compress", one, two, "-j", "0", "--lossless").returncode == 0
    assert (tree / "ward" / "night.bdf.eegz").is_file()
    assert run("decompress", tree / "ward" / "night.bdf.eegz", "-f").returncode == 0
    assert two.read_bytes() == before


def test_a_rerun_does_what_is_missing_failed_or_changed(run: Run, tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = ["archive", tree, "-o", store, "-j", "0", "--json"]

    def states() -> dict[str, str]:
        told = map(json.loads, run(*words).stdout.splitlines())
        return {Path(line["source"]).name: line["state"] for line in told}

    assert states() == {"broken.EDF": "failed", "night.edf": "done", "night.bdf": "done"}
    assert states() == {"broken.EDF": "failed", "night.edf": "skipped", "night.bdf": "skipped"}
    shutil.copy(TINY, tree / "broken.EDF")
    (store / "ward" / "night.bdf.eegz").unlink()
    assert states() == {"broken.EDF": "done", "night.edf": "skipped", "night.bdf": "done"}
    data = (tree / "ward" / "night.edf").read_bytes()
    (tree / "ward" / "night.edf").write_bytes(data[:8] + b"someone else".ljust(80) + data[88:])
    assert states() == {"broken.EDF": "skipped", "night.edf": "done", "night.bdf": "skipped"}
    assert read_back(tree / "ward" / "night.edf", store / "ward" / "night.edf.eegz") == "identical"
    words += ["--max-prd", "5"]
    assert set(states().values()) == {"done"}


def test_what_is_not_ours_is_not_replaced(run: Run, tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "ward").mkdir(parents=True)
    (store / "ward" / "night.edf.eegz").write_text("precious")
    for _ in range(2):
        done = run("archive", tree / "ward", tree / "ward" / "night.edf", "-o", store / "ward", "-j", "0")
        assert done.returncode == 1
        assert "night.edf.eegz exists already" in done.stderr
    assert (store / "ward" / "night.edf.eegz").read_text() == "precious"
    skipped = run("compress", "-r", tree / "ward", "-o", store / "ward", "-j", "0", "--skip-existing", "--lossless")
    assert skipped.returncode == 0
    assert "2 done before" in skipped.stdout
    # Two sources of one name: the second is refused, the first is kept.
    shutil.copy(TINY, tree / "night.edf")
    both = [tree / "night.edf", tree / "ward" / "night.edf"]
    same = run("compress", *both, "-o", tmp_path / "x", "-j", "0", "--lossless")
    assert "would be written to" in same.stderr
    assert read_back(tree / "night.edf", tmp_path / "x" / "night.edf.eegz") == "identical"


def test_sources_go_only_after_all_is_proven(run: Run, tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = ["archive", tree, "-o", store, "-j", "0", "--remove-source", "-q"]
    assert run("archive", tree, "-o", store, "-j", "0", "-q").returncode == 1
    damaged = store / "ward" / "night.edf.eegz"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    assert run(*words).returncode == 1
    assert names(tree) == ["broken.EDF", "notes.txt", "ward/._night.edf", "ward/night.edf"]
    damaged.unlink()
    assert run(*words).returncode == 1
    assert names(tree) == ["broken.EDF", "notes.txt", "ward/._night.edf"]
    states = [line["state"] for line in lines(store / "manifest.jsonl") if str(line["source"]).endswith("night.edf")]
    assert states == ["started", "done", "started", "failed", "started", "done", "removed"]
    (tree / "link.edf").symlink_to(TINY)
    assert "is a link, which is not removed" in run(*words).stderr
    assert TINY.is_file()


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"lossless": True}, "identical"), ({"max_prd": 9}, "bounds kept"), ({}, "loss as stated")],
)
def test_a_file_is_held_against_its_source(
    options: dict[str, object], expected: str, tmp_path: Path, compressed: Callable[..., Path]
) -> None:
    source = SHIPPED / "edf" / "chtypes_edf.edf"
    packed = compressed(source, **options)
    assert read_back(source, packed) == expected
    other = tmp_path / "other.edf"
    other.write_bytes(source.read_bytes()[:-1] + b"?")
    with pytest.raises(eegzip.BadInputError, match="another version"):
        read_back(other, packed)


def test_names_from_a_list(run: Run, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("in/ward/night.edf\n\n" + str(tree / "ward" / "night.bdf") + "\nmissing.edf\n")
    done = run("compress", "--files-from", "list", "-o", "store", "-j", "0", "--lossless", cwd=tmp_path)
    assert done.returncode == 1
    assert "missing.edf" in done.stderr
    inside = (tree / "ward" / "night.bdf.eegz").relative_to("/").as_posix()
    assert names(tmp_path / "store") == sorted(["in/ward/night.edf.eegz", inside])
    assert run("compress", tree / "*.bdf", "-r").returncode == 2  # matches nothing
    assert "is a folder" in run("verify", tree, "-j", "0").stderr
    assert run("compress", "-", "-o", tree).returncode == 2


def test_two_runs_don_t_share_a_manifest(run: Run, tree: Path, tmp_path: Path) -> None:
    with Manifest(tmp_path / "manifest.jsonl") as manifest:
        manifest.append("compress", "started", tree / "ward" / "night.edf")
        done = run("compress", "-r", tree, "--manifest", tmp_path / "manifest.jsonl")
        assert done.returncode == 2
        assert "another run writes to the manifest" in done.stderr
    other = tmp_path / "list.txt"
    other.write_text("not a manifest\n")
    assert "is no manifest" in run("compress", "-r", tree, "--manifest", other).stderr
    assert other.read_text() == "not a manifest\n"


def test_a_process_that_dies_costs_its_file(tmp_path: Path) -> None:
    """As one that the system ends for want of memory."""
    for name in ("a", "b"):
        shutil.copy(SMALL, tmp_path / f"{name}.edf")
    killed: list[int] = []

    def kill(_: object) -> None:
        if not killed:
            for path in Path("/proc").glob("[0-9]*/stat"):
                number, rest = int(path.parent.name), path.read_text().rpartition(")")[2].split()
                if int(rest[1]) == os.getpid() and b"spawn_main" in (path.parent / "cmdline").read_bytes():
                    os.kill(number, signal.SIGKILL)
                    killed.append(number)

    if not Path("/proc/self/stat").exists():
        pytest.skip("there is no /proc to find processes in")
    report = eegzip.batch([tmp_path / "a.edf", tmp_path / "b.edf"], jobs=1, lossless=True, on_progress=kill)
    assert len(killed) == 1
    assert (report.done, report.failed) == (1, 1)
    assert "was ended by signal 9" in report.errors[0]
    assert (tmp_path / "b.edf.eegz").is_file()
    assert not (tmp_path / "a.edf.eegz").exists()


def test_how_far_it_is_only_grows(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        shutil.copy(SMALL, tmp_path / f"{name}.edf")
    eegzip.batch([tmp_path / "a.edf"], manifest=tmp_path / "m.jsonl", jobs=0, lossless=True)
    seen: list[tuple[float, float | None]] = []

    def look(*told: object) -> None:
        pace = told[-1]
        assert isinstance(pace, Pace)
        seen.append((pace.bytes_done + pace.bytes_skipped + pace.bytes_under_way, pace.seconds_left()))

    done = eegzip.batch(
        [tmp_path / f"{name}.edf" for name in "abc"], manifest=tmp_path / "m.jsonl", jobs=0, check=False, lossless=True,
        on_file=look, on_progress=look,
    )  # fmt: skip
    size = SMALL.stat().st_size
    places = [place for place, _ in seen]
    assert (done.done, done.skipped) == (2, 1)
    assert places == sorted(places)
    assert (places[0], places[-1]) == (size, 3 * size)
    # What was skipped says nothing about the pace.
    assert Pace(3, 300, bytes_skipped=200, bytes_done=0, started=0).seconds_left() is None
    left = Pace(3, 300, bytes_skipped=200, bytes_done=50, started=time.monotonic() - 10).seconds_left()
    assert left == pytest.approx(10, abs=0.5)
