"""Kill -9 at random moments: afterwards the old file, the new one or none, and the next run goes on.

Usage: ``python benchmarks/crashes.py [--times 1000] [--minutes M] [--jobs compress,archive] [--journal DONE.jsonl]
[--out RESULT.md]``

Each job runs in a process forked from this one, in which everything is loaded and compiled, and is killed at a random
moment of the time that it takes when it is left alone. Then the folder is looked at:

- compress and decompress (which replace a file by another): under the final name is the old file, the new one, or
  none where none was; to the byte.
- archive with ``--remove-source``: each recording is where it was, or in the archive, where it decodes to the same
  bytes; whatever lies there under a final name does so; the manifest can be read, and says of no file that it is done
  that is not.
- train, a tenth as often, as it takes longer: settings, state and models are whole or not there.

At most one hidden half-written file a process may be left, and the next run removes it. Every tenth run is let
go to its end: the result must be there, whole, nothing half-written beside it; a resumed training ends with the
weights of one that was never killed. With ``--minutes`` a job ends after so many, and the table says how far it came.
The journal takes the results of several runs, for one table.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import eegzip
from eegzip.batches.batch import batch
from eegzip.batches.manifest import Manifest, read_manifest
from eegzip.formats.edf import EdfFile

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
LET_GO = 10
"""Every so manieth run is not killed."""


class WrongError(Exception):
    """What a kill must never leave."""


class CrashJob(Protocol):
    """Something that is killed."""

    def run(self) -> None:
        """Do the work, in a process that may be killed."""

    def look(self) -> str:
        """Say in a word what a kill left; raise :class:`WrongError` where it must not be."""

    def finish(self) -> None:
        """Look at what a run left that ended by itself, and begin anew."""


def need(condition: bool, sentence: str) -> None:
    if not condition:
        raise WrongError(sentence)


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


def shortened(source: Path, target: Path, first: int, stop: int) -> Path:
    """Some data records of a recording as a recording."""
    with EdfFile.open(source) as file:
        raw = bytearray(file.header.raw)
        raw[236:244] = str(stop - first).encode().ljust(8)
        target.write_bytes(bytes(raw) + file.read_records(first, stop).tobytes())
    return target


class Replacing:
    """Makes one file of either of two, again and again."""

    def __init__(self, folder: Path, make: Callable[[Path, Path], object], sources: list[Path]) -> None:
        self._folder, self._make, self._sources = folder, make, sources
        folder.mkdir()
        self._target = folder / "target"
        self._wanted = []
        for source in sources:
            make(source, self._target)
            self._wanted.append(self._target.read_bytes())
        self._target.unlink()
        self._before: bytes | None = None
        self._ended = 0

    def _next(self) -> int:
        """The source of which there is no file now."""
        return 1 if self._before == self._wanted[0] else 0

    def run(self) -> None:
        self._make(self._sources[self._next()], self._target)

    def look(self) -> str:
        found = self._target.read_bytes() if self._target.exists() else None
        need(found is None or found in self._wanted, f"{self._target} is neither the old file nor the new one")
        need(found is not None or self._before is None, f"{self._target} is gone")
        need(len(leftovers(self._folder)) <= 1, "more than one half-written file is left")
        if found == self._before:
            return "none, as before" if found is None else "old"
        need(found == self._wanted[self._next()], f"{self._target} is another file than was being made")
        self._before = found
        return "new"

    def finish(self) -> None:
        need(self._target.read_bytes() == self._wanted[self._next()], "a run that ended left another file")
        need(not leftovers(self._folder), "a run that ended left a half-written file")
        self._ended += 1
        if self._ended % 3 == 0:  # now and then there is no old file
            self._target.unlink()
        self._before = self._target.read_bytes() if self._target.exists() else None


class Archiving:
    """Archives a folder and removes what it archived."""

    def __init__(self, folder: Path, sources: list[Path]) -> None:
        self._sources, self._in, self._store = sources, folder / "in", folder / "store"
        self._manifest = self._store / "manifest.jsonl"
        self._hashes: dict[str, str] = {}
        self._restored: dict[bytes, str] = {}
        # Once here, so that what a killed process does is the archive's work and not the loading of modules.
        self._begin()
        self.run()
        self._begin()

    def _begin(self) -> None:
        for place in (self._in, self._store):
            shutil.rmtree(place, ignore_errors=True)
        for number, source in enumerate(self._sources):
            target = self._in / f"ward {number % 2}" / f"{number:02d}.edf"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            self._hashes[target.relative_to(self._in).as_posix()] = hashlib.sha256(source.read_bytes()).hexdigest()
        self._store.mkdir()
        self._removed = 0

    def run(self) -> None:
        report = batch(
            [self._in], output=self._store, recursive=True, jobs=0, manifest=self._manifest, check=True,
            remove_source=True, lossless=True,
        )  # fmt: skip
        if report.failed:
            raise WrongError("a recording failed")

    def _digest(self, packed: Path) -> str:
        """SHA-256 of what a file restores to; the same bytes restore to the same."""
        content = packed.read_bytes()
        if content not in self._restored:
            back = self._store.parent / "back"
            eegzip.decompress(packed, back, overwrite=True)
            self._restored[content] = hashlib.sha256(back.read_bytes()).hexdigest()
        return self._restored[content]

    def look(self) -> str:
        recorded: dict[str, str] = {}
        if self._manifest.exists():
            for line in read_manifest(self._manifest):
                source = self._store / line["source"]
                recorded[Path(os.path.normpath(source)).relative_to(self._in).as_posix()] = line["state"]
        removed = 0
        for name, digest in self._hashes.items():
            source, packed = self._in / name, self._store / f"{name}.eegz"
            need(source.exists() or packed.exists(), f"{name} is neither where it was nor in the archive")
            if source.exists():
                need(hashlib.sha256(source.read_bytes()).hexdigest() == digest, f"{name} was changed")
            if packed.exists():
                need(self._digest(packed) == digest, f"{packed} does not restore {name}")
            if not source.exists() or recorded.get(name) in ("done", "removed"):
                need(packed.exists(), f"the manifest says that {name} was archived, and it was not")
            need(source.exists() or recorded.get(name) in ("done", "removed"), f"{name} was removed unrecorded")
            removed += not source.exists()
        need(len(leftovers(self._store)) <= 1, "more than one half-written file is left")
        more, self._removed = removed - self._removed, removed
        return "went on" if more else "as before"

    def finish(self) -> None:
        self.look()
        need(not any(path.is_file() for path in self._in.rglob("*")), "a run that ended left a recording")
        need(not leftovers(self._store), "a run that ended left a half-written file")
        with Manifest(self._manifest):
            pass  # it can be opened to go on
        self._begin()


class Training:
    """Trains a tiny network, and goes on where it was killed."""

    def __init__(self, folder: Path) -> None:
        self._whole, self._out = folder / "whole", folder / "run"
        self._train(self._whole)
        self._wanted = eegzip.models.load(self._whole / "last").digest
        self._state = b""

    @staticmethod
    def _settings() -> Any:
        return eegzip.settings_for(values={
            "data": {"sources": ["synthetic"], "window_seconds": 4.0, "held_out": "0.25"},
            "model": {
                "name": "tiny", "encoder_dim": 4, "encoder_rates": [4, 8], "decoder_dim": 16, "decoder_rates": [8, 4],
                "n_codebooks": 3, "codebook_size": 32, "codebook_dim": 4, "heads": 2, "reach": 4,
            },
            "quantiser": {"open_steps": 4, "revive_every": 5},
            "optimiser": {"batch": 4, "lr": 3e-3, "warmup": 5},
            "run": {
                "max_steps": 8, "validate_every": 2, "log_every": 1, "validation_windows": 1, "device": "cpu",
                "threads": 1,
            },
        })  # fmt: skip

    def _train(self, out: Path) -> None:
        from eegzip.training.reporting import artifacts

        # A picture of the losses takes longer than the run, and no kill of interest falls into it.
        artifacts.plot_curves = lambda *_: None  # type: ignore[assignment]  # to mypy a function's name is no variable
        resume = (out / "state.pt").exists()
        eegzip.train(None if resume else self._settings(), out, resume=resume, overwrite=not resume)

    def run(self) -> None:
        self._train(self._out)

    def look(self) -> str:
        from eegzip.training.loop.state import load_run_settings, load_state

        if (self._out / "settings.json").exists():
            load_run_settings(self._out)
        state = b""
        if (self._out / "state.pt").exists():
            import torch

            load_state(self._out, torch.device("cpu"))
            state = hashlib.sha256((self._out / "state.pt").read_bytes()).digest()
        for folder in (self._out, self._out / "last"):
            if (folder / "config.json").exists():
                need(bool(eegzip.models.load(folder).arrays), f"{folder} holds a model without weights")
        more, self._state = state != self._state, state
        return "went on" if more else "as before"

    def finish(self) -> None:
        self.look()
        found = eegzip.models.load(self._out / "last").digest
        need(found == self._wanted, "a resumed training ended with other weights")
        need(not leftovers(self._out), "a run that ended left a half-written file")
        shutil.rmtree(self._out)
        self._state = b""


def made(name: str, folder: Path) -> CrashJob:
    """A job and its files."""
    folder.mkdir()
    eeg = DATA / "eegmat" / "Subject16_rest_70s.edf"
    # A second each for the archive: the same steps, and most kills fall between files and not within one's coding.
    seconds = 1 if name == "archive" else 4
    parts = [shortened(eeg, folder / f"{n}.edf", seconds * n, seconds * (n + 1)) for n in range(4)]

    def compress(source: Path, target: Path) -> None:
        eegzip.compress(source, target, overwrite=True, **({} if source == parts[0] else {"lossless": True}))

    def decompress(source: Path, target: Path) -> None:
        eegzip.decompress(source, target, overwrite=True)

    if name == "compress":
        return Replacing(folder / "out", compress, parts[:2])
    if name == "decompress":
        packed = [folder / "0.eegz", folder / "1.eegz"]
        for source, target in zip(parts, packed, strict=False):
            compress(source, target)
        return Replacing(folder / "out", decompress, packed)
    if name == "archive":
        return Archiving(folder, parts)
    return Training(folder)


def forked(job: CrashJob, seconds: float | None) -> bool:
    """Run a job in a process of its own and kill it after so many seconds; whether it ended before that."""
    sys.stdout.flush()
    process = os.fork()
    if not process:
        code = 1
        try:
            job.run()
            code = 0
        except BaseException:  # whatever it is, this copy of the program ends here
            traceback.print_exc()
        finally:
            os._exit(code)
    deadline = None if seconds is None else time.monotonic() + seconds
    while deadline is None or time.monotonic() < deadline:
        found, status = os.waitpid(process, 0 if deadline is None else os.WNOHANG)
        if found:
            need(os.waitstatus_to_exitcode(status) == 0, "a run failed after a kill")
            return True
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    need(code in (0, -signal.SIGKILL), "a run failed after a kill")
    return code == 0


def crashed(name: str, folder: Path, times: int, minutes: float, rng: random.Random) -> dict[str, Any]:
    """Kill a job so many times, and count what was left."""
    job = made(name, folder)
    started = time.monotonic()
    found: Counter[str] = Counter()
    wrong: list[str] = []
    lasted: list[float] = []
    kills = half = number = 0
    while kills < times and time.monotonic() < started + 60 * minutes:
        try:
            if number % LET_GO == 0:
                begun = time.monotonic()
                forked(job, None)
                lasted.append(time.monotonic() - begun)
                job.finish()
            else:
                if forked(job, rng.uniform(0, statistics.median(lasted))):
                    found["ended before the kill"] += 1
                    job.finish()
                else:
                    kills += 1
                    half += bool(leftovers(folder))
                    found[job.look()] += 1
        except Exception as error:  # the finding that this is for
            wrong.append(f"run {number}: {type(error).__name__}: {error}")
            if len(wrong) > 20:
                break
        number += 1
    return {
        "job": name, "kills": kills, "half": half, "found": dict(found), "wrong": wrong,
        "seconds": statistics.median(lasted), "took": time.monotonic() - started,
    }  # fmt: skip


def table(results: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    lines = ["| job | a run, s | kills | half-written file left | what was left | wrong |", "| --- " * 6 + "|"]
    for row in results:
        words = ", ".join(f"{count} {word}" for word, count in sorted(row["found"].items()))
        cells = [row["job"], f"{row['seconds']:.2f}", row["kills"], row["half"], words, len(row["wrong"])]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", *(f"- {row['job']}, {sentence}" for row in results for sentence in row["wrong"])]
    return "\n".join(lines).rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", default="compress,decompress,archive,train")
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = []
    if options.journal is not None and options.journal.exists():
        results = [json.loads(line) for line in options.journal.read_text().splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        # Training comes last: whoever loads torch is a worse parent.
        for name in filter(None, options.jobs.split(",")):
            rng = random.Random(f"{options.seed} {name}")
            times = options.times // 10 if name == "train" else options.times
            results.append(crashed(name, Path(folder).resolve() / name, times, options.minutes, rng))
            print(results[-1], flush=True)
            if options.journal is not None:
                with options.journal.open("a") as file:
                    file.write(json.dumps(results[-1]) + "\n")
    text = table(results)
    print(text)
    if options.out is not None:
        about = "# Killed at random\n\n`python benchmarks/crashes.py`; what it does stands in its first lines.\n\n"
        options.out.write_text(about + text + "\n")


if __name__ == "__main__":
    main()
