"""Every truncation and every byte flip of a small file of each kind: refused, or what is left is right, never wrong.

Usage: ``python benchmarks/robustness.py [--every 1] [--salvage] [--jobs 1] [--journal DONE.jsonl] [--out RESULT.md]``

A file of each kind of content is made of a few seconds of recordings in ``tests/data``. It is cut at every length, and
each of its bytes is inverted (all eight bits), one at a time. Whatever a reader then still gives of it - header,
annotations' and other exact samples, tokens, knots, layers, lines, trailing bytes - must be what the whole file gives,
to the bit; anything else must be an error of eegzip's own. Networks are left out: what they make of the same tokens is
the same. With ``--salvage`` they are in: each damaged file is salvaged, too. A signal that is not said to be lost must
be what the whole file restores, to the bit (of one coded in tokens, if it is lost nowhere, as the frames beside a lost
chunk may differ; of one decoded together with others, if none of them is lost); what is said to be lost must be zeros.
With ``--every N`` only each N-th length and byte is tried. The journal records what was done; the same
command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import eegzip
from eegzip.codecs.checkpoints.priors import priors
from eegzip.formats.edf import EdfFile
from eegzip.formats.eegz.header import Coding
from eegzip.formats.eegz.layer_reader import LayerReader
from eegzip.formats.eegz.lines import chunk_lines
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import EegzipError

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
EEG, BDF, GAPS, MAINS = (
    "eegmat/Subject16_rest_70s.edf",
    "edf/test_bdf_stim_channel.bdf",
    "edf/records_back_in_time.edf",
    "lines/line_60_256.edf",
)
KINDS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "tokens of eegz-sc-1": (EEG, 4, {"model": "eegz-sc-1"}),
    "tokens of eegz-sc-2": (EEG, 4, {"model": "eegz-sc-2"}),
    "tokens of eegz-mc-2": (EEG, 4, {"model": "eegz-mc-2"}),
    "tokens of dac-sc-paper": (EEG, 4, {"model": "dac-sc-paper"}),
    "tokens of dac-mc-paper": (EEG, 4, {"model": "dac-mc-paper"}),
    "tokens with lines": (MAINS, 8, {}),
    "lossless EDF": (EEG, 4, {"lossless": True}),
    "lossless BDF": (BDF, 2, {"lossless": True}),
    "lossless EDF+D": (GAPS, 8, {"lossless": True}),
    "--max-prd 9": (EEG, 4, {"max_prd": 9}),
    "--max-error 5uV": (EEG, 4, {"max_error": "5uV"}),
    "--max-error 100nV": (EEG, 4, {"max_error": "100nV"}),
    "--max-prd 20 --keep-tokens": (EEG, 4, {"max_prd": 20, "keep_tokens": True}),
}
WAYS = ("cut", "flip")


def make(kind: str, target: Path) -> None:
    """Compress the first seconds of a kind's recording, in two chunks, with some bytes after the last record."""
    source, records, options = KINDS[kind]
    with EdfFile.open(DATA / source) as file:
        part = file.header.raw + file.read_records(0, min(records, file.n_records)).tobytes() + b"trailing bytes"
        seconds = (file.header.record_duration or 1.0) * records / 2
        short = target.with_suffix(Path(source).suffix)
    short.write_bytes(part)
    eegzip.compress(short, target, overwrite=True, chunk_seconds=seconds, **options)


def parts(reader: EegzReader) -> Iterator[tuple[str, Callable[[], object]]]:
    """All that a file holds, by name, each to be read by itself."""
    header = reader.header
    yield "header", lambda: header.pack()
    yield "trailing", lambda: b"".join(reader.trailing())
    for chunk in range(header.n_chunks):
        for group in range(len(header.groups)):
            yield f"{chunk} tokens {group}", lambda c=chunk, g=group: reader.chunk_tokens(c, g)
        for signal in header.exact_signals():
            yield f"{chunk} exact {signal}", lambda c=chunk, s=signal: reader.chunk_exact(c, s)
        if reader.knot_owners():
            yield f"{chunk} knots", lambda c=chunk: np.concatenate(reader.chunk_knots(c))
        for number in range(len(header.layer_sets)):
            yield f"{chunk} layers {number}", lambda c=chunk, n=number: _layers(reader, c, n)
        for number in range(len(header.line_sets)):
            yield f"{chunk} lines {number}", lambda c=chunk, n=number: chunk_lines(reader, c, n).samples(0, 100)


def _layers(reader: EegzReader, chunk: int, number: int) -> np.ndarray:
    header = reader.header
    first, stop = header.records_of_chunk(chunk)
    entry = header.layer_sets[number]
    count = (stop - first) * header.signals[entry.signals[0]].samples_per_record
    having = {index for group in header.groups for index in group.signals}
    silent = {index: np.zeros(count) for index in having.intersection(entry.signals)}
    restored = LayerReader(reader, chunk, number, silent).restore(entry.signals)
    return np.stack([restored[index] for index in entry.signals])


def damaged(data: bytes, way: str, place: int) -> bytes:
    """A file cut at a place, or with the byte there inverted."""
    if way == "cut":
        return data[:place]
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def salvage(path: Path, target: Path, whole: list[np.ndarray] | None) -> str | None:
    """Salvage a damaged file; what is wrong with the result, if anything. `whole` is what the intact file restores."""
    try:
        report = eegzip.decompress(path, target, salvage=True, overwrite=True)
        with EegzReader(path, priors()) as reader:
            header, summary = reader.header, reader.summary
    except EegzipError:
        return None
    rows = restored_rows(target)
    if whole is None or len(rows) != len(whole):
        return "wrong: salvaged another recording"
    everywhere = {record for first, last in report.lost_records for record in range(first, last + 1)}
    lost = {found.signal: set(everywhere) for found in report.lost_signals}
    for found in report.lost_signals:
        lost[found.signal].update(record for first, last in found.records for record in range(first, last + 1))
    joint = any(codec.joint for codec in header.codecs) and (bool(lost or everywhere) or summary is None)
    for index, signal in enumerate(header.signals):
        if signal.kind == "annotations":
            continue
        gone = sorted(lost.get(index, everywhere))
        if rows[index][gone].any():
            return f"wrong: signal {index} is not 0 where it is lost"
        kept = np.setdiff1d(np.arange(header.n_records), gone)
        same = np.array_equal(rows[index][kept], whole[index][kept])
        if not same and (signal.coding is Coding.EXACT or (not gone and not joint)):
            return f"wrong: salvaged signal {index}"
    return None


def restored_rows(path: Path) -> list[np.ndarray]:
    """Digital values [records, samples a record] of all signals."""
    with EdfFile.open(path) as file:
        return [
            file.read_signal(index, 0, file.n_records * signal.samples_per_record).reshape(file.n_records, -1)
            for index, signal in enumerate(file.header.signals)
        ]


def outcome(path: Path, expected: dict[str, bytes]) -> str:
    """What became of a damaged file: ``refused``, ``parts``, ``whole``, or in words what is wrong."""
    right = 0
    try:
        with EegzReader(path, priors()) as reader:
            for name, read in parts(reader):
                try:
                    found = read()
                except EegzipError:
                    continue
                if _bytes(found) != expected.get(name):
                    return f"wrong: {name}"
                right += 1
    except EegzipError:
        return "refused"
    except Exception as error:  # the finding that this is for
        return f"untyped: {type(error).__name__}: {error}"
    return "whole" if right == len(expected) else "parts"


def _bytes(content: object) -> bytes:
    return content if isinstance(content, bytes) else np.asarray(content).tobytes()


def contents(path: Path) -> dict[str, bytes]:
    """All that an intact file holds, by name."""
    with EegzReader(path, priors()) as reader:
        return {name: _bytes(read()) for name, read in parts(reader)}


def tried(kind: str, way: str, every: int, salvaging: bool = False) -> dict[str, Any]:
    """Damage a file of a kind in one way everywhere, and count what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        whole, path = Path(folder) / "whole.eegz", Path(folder) / "damaged.eegz"
        make(kind, whole)
        data, expected = whole.read_bytes(), contents(whole)
        back, rows = Path(folder) / "back", None
        if salvaging:
            eegzip.decompress(whole, back)
            rows = restored_rows(back)
        counts: dict[str, int] = {}
        slowest = 0.0
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for place in range(0, len(data), every):
            path.write_bytes(damaged(data, way, place))
            started = time.process_time()
            found = outcome(path, expected)
            if salvaging and found in ("parts", "whole"):
                try:
                    found = salvage(path, back, rows) or found
                except Exception as error:  # the finding that this is for
                    found = f"untyped: salvage: {type(error).__name__}: {error}"
            slowest = max(slowest, time.process_time() - started)
            counts[found] = counts.get(found, 0) + 1
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    return {
        "kind": kind, "way": way, "every": every, "bytes": len(data), "slowest": slowest, "grown_mb": grown / 1024,
        "counts": counts,
    }  # fmt: skip


def table(results: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    heads = ["file", "bytes", "damage", "tried", "refused", "parts left, all right", "whole", "wrong samples"]
    heads += ["errors not ours", "slowest, s", "memory, MB"]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    totals = {"tried": 0, "wrong": 0, "untyped": 0}
    for found in results:
        counts = found["counts"]
        of = {start: sum(n for name, n in counts.items() if name.startswith(start)) for start in ("wrong", "untyped")}
        of["tried"] = sum(counts.values())
        for name in totals:
            totals[name] += of[name]
        damage = "cut" if found["way"] == "cut" else "byte inverted"
        cells = [found["kind"], found["bytes"], damage + (f", 1 in {found['every']}" if found["every"] > 1 else "")]
        cells += [of["tried"], *(counts.get(name, 0) for name in ("refused", "parts", "whole")), of["wrong"]]
        cells += [of["untyped"], f"{found['slowest']:.2f}", f"{found['grown_mb']:.0f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines.append(
        f"\n{totals['tried']} damaged files: {totals['wrong']} with wrong samples, {totals['untyped']} with errors "
        "that are not eegzip's own."
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--salvage", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = []
    if options.journal is not None and options.journal.exists():
        results = [json.loads(line) for line in options.journal.read_text().splitlines()]
    done = {(found["kind"], found["way"], found["every"]) for found in results}
    missing = [(kind, way) for kind in KINDS for way in WAYS if (kind, way, options.every) not in done]
    with ProcessPoolExecutor(options.jobs) as pool:
        more = [options.every] * len(missing), [options.salvage] * len(missing)
        for found in pool.map(tried, *zip(*missing, strict=True), *more) if missing else ():
            results.append(found)
            print(json.dumps(found), flush=True)
            if options.journal is not None:
                with options.journal.open("a") as file:
                    file.write(json.dumps(found) + "\n")
    text = table(results)
    print(text)
    if options.out is not None:
        command = f"python benchmarks/robustness.py --every {options.every}" + " --salvage" * options.salvage
        about = f"# Damage everywhere\n\n`{command}`; what it does stands in its first lines.\n\n"
        options.out.write_text(about + text + "\n")


if __name__ == "__main__":
    main()
