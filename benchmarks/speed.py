"""How fast, and in how much memory: eegzip beside descript-audio-codec's own encode and decode.

Usage: ``python benchmarks/speed.py [--minutes 10] [--repeat 5] [--hours 24] [--json FILE]``

The input is an EDF file on disk: a synthetic recording of 21 channels at 256 Hz, real EEG mixed anew each minute with
background activity, alpha bursts and artefacts. eegzip's figures contain everything from that file to the .eegz file
and back: reading, scaling, network, search, measuring what was lost, checksums, writing. The reference is the same
network with the same weights, used as users of descript-audio-codec use theirs: ``model.encode(x)`` and
``model.decode(z)`` in eval mode without gradients, weight norm as it comes, on 30 s windows of all channels that are in
memory already.
Both take turns in one process, so that a noisy machine is noisy for both; medians and the ratio are what counts.

Exact compression (``--lossless``) is timed in the same turns. Peak memory and start-up are those of the installed
``eegzip`` command in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from synthetic import CHANNELS, RATE, write_recording

import eegzip

WINDOW = 30 * RATE


def median_seconds(tasks: dict[str, Callable[[], object]], repeat: int) -> dict[str, list[float]]:
    """Run tasks in turns after one warm-up round; return the seconds each took, round by round."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(repeat + 1):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


class Reference:
    """descript-audio-codec's own use of the same network.

    Parameters
    ----------
    windows : ndarray of float32, shape (n, channels, samples)
        Normalised to the level that the network expects.
    """

    def __init__(self, windows: np.ndarray) -> None:
        import torch

        from eegzip.codecs.networks.dac import EegDac

        self._torch = torch
        checkpoint = eegzip.models.load()
        config = checkpoint.config
        self.model = EegDac(config.network, config.rate)
        self.model.load_state_dict(checkpoint.state, strict=True)
        self.model.eval()
        hop = config.network.hop
        usable = windows.shape[2] // hop * hop
        self.windows = [torch.from_numpy(np.ascontiguousarray(w[:, None, :usable])) for w in windows]
        self.latents: list[Any] = []

    def encode(self) -> None:
        """Encode all windows."""
        with self._torch.no_grad():
            self.latents = [self.model.encode(x)[0] for x in self.windows]

    def decode(self) -> None:
        """Decode what was encoded last."""
        with self._torch.no_grad():
            for z in self.latents:
                self.model.decode(z)


def normalised_windows(path: Path) -> np.ndarray:
    """All windows of a recording [n, channels, samples], each channel at unit level."""
    from eegzip.formats.edf import EdfFile, decode_signal

    with EdfFile.open(path) as file:
        block = file.read_records(0, file.n_records)
        x = np.stack([decode_signal(block, file.header, i).reshape(-1) for i in range(CHANNELS)]).astype(np.float32)
    x -= x.mean(axis=1, keepdims=True)
    x /= 2 * x.std(axis=1, keepdims=True)
    n = x.shape[1] // WINDOW
    return x[:, : n * WINDOW].reshape(CHANNELS, n, WINDOW).transpose(1, 0, 2)


def compare(folder: Path, minutes: float, repeat: int) -> dict[str, Any]:
    """Both directions of both, in turns."""
    source, small, back = folder / "source.edf", folder / "small.eegz", folder / "back.edf"
    exact = folder / "exact.eegz"
    write_recording(source, minutes * 60)
    reference = Reference(normalised_windows(source))
    report: list[Any] = []

    def compress() -> None:
        report[:] = [eegzip.compress(source, small, overwrite=True)]

    tasks = {
        "eegzip compress": compress,
        "dac encode": reference.encode,
        "eegzip decompress": lambda: eegzip.decompress(small, back, overwrite=True),
        "dac decode": reference.decode,
        "lossless compress": lambda: eegzip.compress(source, exact, lossless=True, overwrite=True),
        "lossless decompress": lambda: eegzip.decompress(exact, back, overwrite=True),
    }
    seconds = median_seconds(tasks, repeat)
    length = dict.fromkeys(tasks, minutes * 60)
    length["dac encode"] = length["dac decode"] = len(reference.windows) * WINDOW / RATE
    print(f"{minutes:g} min of {CHANNELS} channels at {RATE} Hz: {report[0].sentence()}\n")
    print(f"{'median of ' + str(repeat):<22}{'s':>8}{'samples/s':>14}{'x real time':>13}{'slowest':>10}{'fastest':>10}")
    figures: dict[str, Any] = {}
    for name, runs in seconds.items():
        speed = length[name] / statistics.median(runs)
        figures[name] = {"seconds": runs, "times_real_time": speed, "samples_per_second": speed * CHANNELS * RATE}
        print(
            f"{name:<22}{statistics.median(runs):>8.2f}{speed * CHANNELS * RATE:>14,.0f}{speed:>12.0f}x"
            f"{length[name] / max(runs):>9.0f}x{length[name] / min(runs):>9.0f}x"
        )
    for ours, theirs in (("eegzip compress", "dac encode"), ("eegzip decompress", "dac decode")):
        pairs = zip(seconds[ours], seconds[theirs], strict=True)
        ratio = statistics.median(length[ours] / a / (length[theirs] / b) for a, b in pairs)
        figures[f"{ours} / {theirs}"] = ratio
        print(f"{ours} is {ratio:.2f} times as fast as {theirs}")
    return figures


def in_a_process(arguments: list[str]) -> tuple[float, float]:
    """Run a command; return its seconds and its peak memory in MB."""
    # The peak of all children is kept by the system, so each command gets a parent of its own.
    program = (
        "import resource,subprocess,sys,time;t=time.perf_counter();"
        "r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL).returncode;"
        "print(time.perf_counter()-t,resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);sys.exit(r)"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak = done.stdout.split()
    # Kilobytes, but bytes on macOS.
    return float(seconds), float(peak) / (1e6 if sys.platform == "darwin" else 1e3)


def eegzip_command() -> list[str]:
    """The command of the same environment."""
    script = Path(sys.executable).parent / "eegzip"
    return [str(script)] if script.exists() else [sys.executable, "-c", "from eegzip.cli.main import run; run()"]


def memory(folder: Path, hours: list[float]) -> list[dict[str, Any]]:
    """Peak memory of both commands at several lengths, by tokens and exactly: flat, if memory is constant."""
    rows = []
    print(f"\n{'length':<18}{'EDF MB':>9}{'eegz MB':>9}{'compress':>12}{'peak MB':>9}{'decompress':>12}{'peak MB':>9}")
    for length in hours:
        source, small, back = folder / "long.edf", folder / "long.eegz", folder / "long-back.edf"
        write_recording(source, length * 3600)
        command = eegzip_command()
        for way, options in (("tokens", []), ("lossless", ["--lossless"])):
            there, peak_there = in_a_process([*command, "compress", "-q", "-f", *options, str(source), str(small)])
            again, peak_again = in_a_process([*command, "decompress", "-q", "-f", str(small), str(back)])
            if source.stat().st_size != back.stat().st_size:
                raise SystemExit(f"{length:g} h: the restored file has another size than the original")
            row = {
                "way": way,
                "hours": length,
                "edf_mb": source.stat().st_size / 1e6,
                "eegz_mb": small.stat().st_size / 1e6,
                "compress_seconds": there,
                "compress_peak_mb": peak_there,
                "decompress_seconds": again,
                "decompress_peak_mb": peak_again,
            }
            rows.append(row)
            print(
                f"{f'{length:g} h, {way}':<18}{row['edf_mb']:>9.1f}{row['eegz_mb']:>9.2f}"
                f"{length * 3600 / there:>11.0f}x{peak_there:>9.0f}{length * 3600 / again:>11.0f}x{peak_again:>9.0f}",
                flush=True,
            )
        for path in (source, small, back):
            path.unlink()
    return rows


def reference_memory(minutes: float) -> float:
    """Peak memory in MB of the reference alone, in a process of its own."""
    command = [sys.executable, __file__, "--reference-only", "--minutes", str(minutes)]
    return in_a_process(command)[1]


def startup(folder: Path) -> dict[str, float]:
    """Seconds of commands on next to nothing: what every call pays before the first sample."""
    source, small, back = folder / "second.edf", folder / "second.eegz", folder / "second-back.edf"
    write_recording(source, 2)
    command = eegzip_command()
    calls = {
        "eegzip --help": ["--help"],
        "compress 2 s": ["compress", "-q", "-f", str(source), str(small)],
        "info": ["info", str(small)],
        "verify": ["verify", str(small)],
        "decompress 2 s": ["decompress", "-q", "-f", str(small), str(back)],
    }
    print("\nstart-up, a process each:")
    found = {}
    for name, arguments in calls.items():
        found[name] = statistics.median(in_a_process([*command, *arguments])[0] for _ in range(3))
        print(f"{name:<22}{found[name]:>8.2f} s")
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed and memory of eegzip beside descript-audio-codec.")
    parser.add_argument("--minutes", type=float, default=10, help="length for the comparison of speeds (10)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds (5)")
    parser.add_argument(
        "--hours", type=float, nargs="*", default=[0.25, 1], help="lengths for the peak memory, as 1 4 24 (0.25 1)"
    )
    parser.add_argument("--threads", type=int, help="torch threads (torch's default)")
    parser.add_argument("--json", type=Path, help="write every figure there")
    parser.add_argument("--reference-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.minutes < 0.5:
        parser.error("--minutes must be 0.5 or more: the reference takes windows of 30 s")

    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(prefix="eegzip-speed-") as name:
        folder = Path(name)
        if options.reference_only:
            write_recording(folder / "source.edf", options.minutes * 60)
            reference = Reference(normalised_windows(folder / "source.edf"))
            reference.encode()
            reference.decode()
            return
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
        machine = {
            "machine": platform.platform(),
            "cpus": os.cpu_count(),
            "torch": torch.__version__,
            "torch_threads": torch.get_num_threads(),
            "load_before": load,
            "eegzip": eegzip.__version__,
            "model": eegzip.models.DEFAULT_MODEL,
        }
        print("  ".join(f"{key} {value}" for key, value in machine.items()))
        if load > 0.5:
            print("note: the machine is busy with something else; only the ratios mean anything.")
        figures = {"machine": machine, "speed": compare(folder, options.minutes, options.repeat)}
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        figures["reference_peak_mb"] = reference_memory(min(options.minutes, 5))
        print(f"peak memory: dac alone {figures['reference_peak_mb']:.0f} MB, this process with both {own:.0f} MB")
        figures["startup_seconds"] = startup(folder)
        figures["memory"] = memory(folder, options.hours)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    # descript-audio-codec predates torch's deprecation of weight_norm.
    warnings.filterwarnings("ignore", message=".*weight_norm.*")
    main()
