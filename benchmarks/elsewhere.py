"""An archive from one bucket into another by a Dask cluster, with deaths; and what a petabyte would take.

Usage: ``python benchmarks/elsewhere.py [--files 100] [--copies 4] [--minutes 30] [--out FILE.md]``

It needs ``eegzip[remote,cluster]`` and moto. An S3 server runs in this process and counts requests by kind; two workers
are processes of their own, and each run is an `eegzip archive` (lossless, checked) in a process of its own.

First: FILES small recordings, 3 of them broken. A worker is killed with SIGKILL when a fifth is done, the run itself
when two fifths are; then the same command is given once more. It ends with an error if any recording is not there once,
with the right hash. Second: COPIES of a recording of MINUTES (that which ships, again and again), for the processor
time of a megabyte; that of a file's own comes from the small ones. The plan is arithmetic on these figures; prices are
arguments, and the defaults no offer of anybody's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "tests" / "data" / "edf" / "SC4001EC-Hypnogram.edf"
RECORDING = ROOT / "examples" / "data" / "eegmat_subject18_arithmetic.edf"


class Requests(logging.Handler):
    """Counts what the server is asked, by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage().split('"')
        if len(words) > 1:
            method, path, *_ = words[1].replace("\x1b[1m", "").split()
            method = method.rsplit("m", 1)[-1]  # the server colours what it says
            self.kinds["LIST" if method == "GET" and "list-type" in path else method] += 1


def processor_seconds() -> float:
    times = os.times()
    return times.user + times.system


def used(client: Any) -> float:
    return sum(client.run(processor_seconds).values())


def archive(source: str, target: str, manifest: Path, cluster: str) -> list[str]:
    words = [sys.executable, "-m", "eegzip", "archive", source, "-o", target, "--manifest", str(manifest)]
    return [*words, "--cluster", cluster, "-q"]


def done(manifest: Path) -> int:
    return manifest.read_bytes().count(b'"state": "done"') if manifest.exists() else 0


def longer(content: bytes, minutes: float) -> bytes:
    """A recording with its data records over and over."""
    header = int(content[184:192])
    times = max(1, round(60 * minutes / (int(content[236:244]) * float(content[244:252]))))
    records = int(content[236:244]) * times
    return content[:236] + f"{records:<8}".encode() + content[244:header] + content[header:] * times


def with_deaths(system: Any, client: Any, cluster: str, files: int, manifest: Path) -> str:
    content, hashes, broken = TINY.read_bytes(), {}, {files // 20, files // 2, files - 5}
    for number in range(files):
        name = f"recordings/in/{number % 7}/{number:03d}.edf"
        data = content[:300] if number in broken else content[:8] + f"{number:<80}".encode() + content[88:]
        system.pipe_file(name, data)
        if number not in broken:
            hashes[f"s3://{name}"] = hashlib.sha256(data).hexdigest()
    words = archive("s3://recordings/in", "s3://recordings/out", manifest, cluster)
    with subprocess.Popen(words) as process:
        for enough, kill in ((files // 5, None), (2 * files // 5, process)):
            while done(manifest) < enough:
                assert process.poll() is None, "it ended before it could be killed"
                time.sleep(0.05)
            if kill is None:
                os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
            else:
                kill.kill()
    ended = subprocess.run(words, check=False, stderr=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in manifest.read_bytes().splitlines()]
    last = {line["source"]: line for line in lines}
    archived = {name: line for name, line in last.items() if line["state"] == "done"}
    system.invalidate_cache()
    stored = {f"s3://{name}" for name in system.find("recordings/out")}
    assert {name: line["source_sha256"] for name, line in archived.items()} == hashes
    assert {line["target"] for line in archived.values()} == stored
    for line in archived.values():
        assert hashlib.sha256(system.cat_file(line["target"])).hexdigest() == line["target_sha256"]
    assert ended.returncode == 1
    assert ended.stderr.count("eegzip: ") == 3
    twice = [name for name, count in Counter(x["source"] for x in lines if x["state"] == "done").items() if count > 1]
    return (
        f"{files} files, {len(broken)} broken; a worker killed, the run killed, given again: {len(archived)} archived, "
        f"{len(stored)} objects, all hashes right, {len(twice)} done twice, exit code {ended.returncode}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--core-hour", type=float, default=0.04, help="price of a core for an hour")
    parser.add_argument("--writes", type=float, default=0.005, help="price of 1000 PUT or LIST")
    parser.add_argument("--reads", type=float, default=0.0004, help="price of 1000 GET or HEAD")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    from distributed import Client, LocalCluster
    from moto.server import ThreadedMotoServer

    requests, log = Requests(), logging.getLogger("werkzeug")
    log.handlers, log.propagate = [requests], False
    log.setLevel(logging.INFO)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=True)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    os.environ |= {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    import s3fs

    system = s3fs.S3FileSystem()
    system.mkdir("recordings")
    with (
        tempfile.TemporaryDirectory() as place,
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0, silence_logs=50
        ) as made,
        Client(made, set_as_default=False) as client,
    ):
        said = with_deaths(system, client, made.scheduler_address, options.files, Path(place) / "deaths.jsonl")
        figures = {}
        long = longer(RECORDING.read_bytes(), options.minutes)
        for name, content, count in (
            ("warm", long, 2),
            ("small", TINY.read_bytes(), 50),
            ("long", long, options.copies),
        ):
            for number in range(count):
                system.pipe_file(f"recordings/{name}/{number}.edf", content)
            before, spent, started = requests.kinds.copy(), used(client), time.perf_counter()
            manifest = Path(place) / f"{name}.jsonl"
            words = archive(f"s3://recordings/{name}", f"s3://recordings/{name}-out", manifest, made.scheduler_address)
            subprocess.run(words, check=True)
            asked, spent = requests.kinds - before, used(client) - spent
            sizes = [json.loads(line) for line in manifest.read_bytes().splitlines() if b'"state": "done"' in line]
            figures[name] = {
                "files": count,
                "bytes": len(content),
                "ratio": len(content) / sizes[0]["target_bytes"],
                "cpu": spent / count,
                "wall": (time.perf_counter() - started) / count,
                "asked": {kind: number / count for kind, number in sorted(asked.items())},
            }
    server.stop()
    text = report(said, figures, options)
    print(text)
    if options.out is not None:
        options.out.write_text(
            f"# From bucket to bucket by a cluster\n\n`python benchmarks/elsewhere.py`\n\n{text}", "utf-8"
        )


def report(said: str, figures: dict[str, dict[str, Any]], options: argparse.Namespace) -> str:
    small, long = figures["small"], figures["long"]
    megabyte = max(0.0, long["cpu"] - small["cpu"]) / ((long["bytes"] - small["bytes"]) / 1e6)
    lines = [f"{said} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.", ""]
    lines += [
        "| files | size | ratio | processor s a file | wall s a file | requests a file |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in ("small", "long"):
        each = figures[name]
        asked = ", ".join(f"{kind} {number:.2f}" for kind, number in each["asked"].items())
        lines.append(
            f"| {each['files']} {name} | {each['bytes'] / 1e6:.2f} MB | {each['ratio']:.2f} | {each['cpu']:.2f} | "
            f"{each['wall']:.2f} | {asked} |"
        )
    lines += ["", f"So a file takes {small['cpu']:.3f} s of a core, and each megabyte {megabyte:.3f} s.", ""]
    lines += [
        "A petabyte, lossless, each file checked:",
        "",
        "| size of a file | files | core hours | hours on 1000 cores | requests | price |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    reads = sum(long["asked"].get(kind, 0) for kind in ("GET", "HEAD"))
    writes = sum(long["asked"].get(kind, 0) for kind in ("PUT", "POST"))
    for size in (1, 30, 230, 2000):
        files = 1e9 / size
        hours = files * (small["cpu"] + megabyte * size) / 3600
        lists = files / 1000 * 2
        price = hours * options.core_hour + files * reads * options.reads / 1000
        price += (files * writes + lists) * options.writes / 1000
        row = f"| {size} MB | {files:.3g} | {hours:.3g} | {hours / 1000:.3g} |"
        lines.append(f"{row} {files * (reads + writes) + lists:.3g} | {price:.3g} |")
    prices = f"core hours x {options.core_hour} + reads x {options.reads} / 1000 + writes x {options.writes} / 1000"
    lines += ["", f"Price: {prices}, without storage and transfer; put in your own."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
