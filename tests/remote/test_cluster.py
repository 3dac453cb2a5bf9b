"""Many files on a Dask cluster whose workers die."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api.recordings import SHIPPED
from click.testing import CliRunner

import eegzip
from eegzip.batches.manifest import read_manifest
from eegzip.cli.main import main

TINY = SHIPPED / "edf" / "SC4001EC-Hypnogram.edf"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each a process that is started again when it dies."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0, silence_logs=50
    ) as made:
        yield made


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    from distributed import Client

    with Client(cluster, set_as_default=False) as made:
        yield made


def test_a_hundred_files_a_killed_worker_and_a_killed_run(client: Any, tmp_path: Path):
    """97 of 100 are archived, none is lost and none is twice in the record."""
    folder, store = tmp_path / "in", tmp_path / "store"
    content, hashes, broken = TINY.read_bytes(), {}, set()
    for number in range(100):
        source = folder / f"{number % 7}" / f"{number:02d}.edf"
        source.parent.mkdir(parents=True, exist_ok=True)
        if number in (5, 50, 95):
            source.write_bytes(content[:300])
            broken.add(str(source))
            continue
        source.write_bytes(content[:8] + f"{number:<80}".encode() + content[88:])
        hashes[str(source)] = hashlib.sha256(source.read_bytes()).hexdigest()
    finished = 0

    def strike(line: dict[str, Any], _: object) -> None:
        nonlocal finished
        finished += 1
        if finished == 10:
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        if finished == 60:
            raise KeyboardInterrupt

    def run(on_file: Any = None) -> eegzip.BatchReport:
        manifest = store / "manifest.jsonl"
        return eegzip.batch(
            [folder],
            recursive=True,
            output=store,
            manifest=manifest,
            check=True,
            lossless=True,
            client=client,
            on_file=on_file,
        )

    with pytest.raises(KeyboardInterrupt):
        run(strike)
    report = run()
    assert (report.done + report.skipped, report.failed) == (97, 3)
    assert report.skipped >= 55
    last = {line["source"]: line for line in read_manifest(store / "manifest.jsonl")}
    assert {name for name, line in last.items() if line["state"] == "failed"} == broken
    assert {name: line["source_sha256"] for name, line in last.items() if line["state"] == "done"} == hashes
    for line in last.values():
        if line["state"] == "done":
            assert line["target_sha256"] == hashlib.sha256((store / line["target"]).read_bytes()).hexdigest()
            assert line["checked"] == "identical"
    lines = [json.loads(line) for line in (store / "manifest.jsonl").read_bytes().splitlines()]
    assert set(Counter(line["source"] for line in lines if line["state"] == "done").values()) == {1}
    assert len([path for path in store.rglob("*") if path.is_file()]) == 98  # and no half of any
    assert run().skipped == 97


def test_a_file_that_kills_every_worker_fails_alone(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from eegzip.batches import cluster as module

    client.run_on_scheduler(_allow_one_death)
    monkeypatch.setattr(module, "_do", _deadly)
    (tmp_path / "deadly.edf").write_bytes(TINY.read_bytes())
    (tmp_path / "harmless.edf").write_bytes(TINY.read_bytes())
    report = eegzip.batch([str(tmp_path)], recursive=True, client=client, lossless=True)
    assert (report.done, report.failed) == (1, 1)
    assert "deadly.edf: the workers that worked on it were lost" in report.errors[0]


def _allow_one_death(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 1


def _deadly(task: Any) -> dict[str, Any]:
    from eegzip.batches.work import do

    if task.source.name == "deadly.edf":
        os.kill(os.getpid(), signal.SIGKILL)
    return do(task, lambda *_: None)


def test_the_command_line_takes_an_address(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # workers work elsewhere
    Path("night.edf").write_bytes(TINY.read_bytes())
    words = ["compress", "night.edf", "-o", "out", "--lossless", "--cluster"]
    result = CliRunner().invoke(main, [*words, cluster.scheduler_address])
    assert result.exit_code == 0, result.output
    assert eegzip.verify("out/night.edf.eegz").intact
    result = CliRunner().invoke(main, [*words, cluster.scheduler_address, "-j", "2"])
    assert isinstance(result.exception, eegzip.UsageError)


def test_workers_of_another_version_are_refused(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("eegzip.batches.cluster.__version__", "0.0.1")
    (tmp_path / "night.edf").write_bytes(TINY.read_bytes())
    with pytest.raises(eegzip.UsageError, match=r"and this is 0\.0\.1"):
        eegzip.batch([tmp_path / "night.edf"], client=client, lossless=True)
    with pytest.raises(eegzip.UsageError, match="memory of this process"):
        eegzip.batch(["memory://night.edf"], client=client)
