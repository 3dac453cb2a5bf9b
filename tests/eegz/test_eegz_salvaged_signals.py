"""Damage to a stream costs the signals that need it, in its chunk, and no other; what is salvaged says which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pyedflib
import pytest
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main
from eegzip.formats.edf import EdfFile, read_timeline
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.predictive.stream import references_of

DATA = Path(__file__).parents[1] / "data"
ROOMY = DATA / "lines" / "mains_60_clipped.edf"
EEG = DATA / "eegmat" / "Subject16_rest_70s.edf"
MAINS = DATA / "lines" / "line_60_256.edf"
RECORDS = 9
HIT = slice(3, 6)
"""Records of the damaged chunk."""

Stream = tuple[int, int]


def shortened(source: Path, target: Path, records: int = RECORDS) -> Path:
    with EdfFile.open(source) as file:
        raw = bytearray(file.header.raw)
        raw[236:244] = str(records).encode().ljust(8)
        target.write_bytes(bytes(raw) + file.read_records(0, records).tobytes())
    return target


def damage(packed: Path, target: Path, *streams: Stream, chunk: int = 1) -> Path:
    """Invert a byte of some streams of a chunk."""
    data = bytearray(packed.read_bytes())
    with EegzReader(packed) as reader:
        for stream in streams:
            entry = reader.directory(chunk).streams[stream]
            data[reader.chunks[chunk].payload_offset + entry.offset + entry.length // 2] ^= 0xFF
    target.write_bytes(data)
    return target


def rows(path: Path) -> list[np.ndarray]:
    """Samples of all signals, annotations too: [records, samples a record]."""
    with EdfFile.open(path) as file:
        return [
            file.read_signal(index, 0, file.n_records * signal.samples_per_record).reshape(file.n_records, -1)
            for index, signal in enumerate(file.header.signals)
        ]


def labels_of(path: Path) -> list[str]:
    with EdfFile.open(path) as file:
        return [signal.label for signal in file.header.signals]


def exact_dependents(packed: Path, hit: set[int], chunk: int) -> set[int]:
    """Signals whose streams are hit, and all that are predicted from them."""
    with EegzReader(packed) as reader:
        streams = {signal: reader._stream(chunk, StreamKind.EXACT, signal) for signal in reader.header.exact_signals()}
    needs = {s: references_of(data[1:])[0] if data[0] == 3 else [] for s, data in streams.items()}
    found = set(hit)
    while more := {signal for signal, others in needs.items() if found.intersection(others)} - found:
        found |= more
    return found


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A recording with room for annotations, and its file, kept exactly in chunks of 3 s."""
    folder = tmp_path_factory.mktemp("exact")
    source = shortened(ROOMY, folder / "in.edf")
    eegzip.compress(source, folder / "in.eegz", lossless=True, chunk_seconds=3)
    return source, folder / "in.eegz"


def test_three_bad_bytes_cost_the_signals_they_hit(exact: tuple[Path, Path], tmp_path: Path) -> None:
    import mne

    source, packed = exact
    hit = {1, 2}
    lost = exact_dependents(packed, hit, 1)
    labels = labels_of(source)
    assert hit <= lost < set(range(len(labels) - 1))
    damaged, target = damage(packed, tmp_path / "a.eegz", *((StreamKind.EXACT, s) for s in hit)), tmp_path / "a.edf"
    with pytest.raises(eegzip.ContainerError, match="chunk 1"):
        eegzip.decompress(damaged, target)
    assert not target.exists()
    report = eegzip.decompress(damaged, target, salvage=True)
    assert report.lost_records == ()
    assert {found.label: found.records for found in report.lost_signals} == {labels[s]: ((3, 5),) for s in lost}
    for signal, (salvaged, original) in enumerate(zip(rows(target), rows(source), strict=True)):
        if signal in lost:
            assert not salvaged[HIT].any()
            original[HIT] = 0
        if signal < len(labels) - 1:  # annotations have new ones
            np.testing.assert_array_equal(salvaged, original)
    marks = sorted((3.0, 3.0, f"BAD_LOST@@{labels[s]}") for s in lost)
    with pyedflib.EdfReader(str(target)) as file:
        assert sorted(zip(*file.readAnnotations(), strict=True)) == marks
    assert sorted((m.onset, m.duration, m.text) for m in edfio.read_edf(target).annotations) == marks
    (found,) = mne.io.read_raw_edf(target, verbose="error").annotations
    assert (found["onset"], found["duration"], found["description"]) == (3, 3, "BAD_LOST")
    assert set(found["ch_names"]) == {labels[s] for s in lost}


def test_the_command_counts_what_is_lost_by_signal(exact: tuple[Path, Path], tmp_path: Path) -> None:
    damaged = damage(exact[1], tmp_path / "a.eegz", (StreamKind.EXACT, 1))
    lost = sorted(exact_dependents(exact[1], {1}, 1))
    labels = labels_of(exact[0])
    arguments = ["decompress", str(damaged), str(tmp_path / "a.edf"), "--salvage"]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["lost_signals"] == [
        {"signal": signal, "label": labels[signal], "records": [[3, 5]]} for signal in lost
    ]
    assert f"lost: {labels[1]} in data records 3 to 5" in done.stderr
    done = CliRunner().invoke(main, [*arguments, "-f"])
    assert f"{len(lost)} signal" in done.stdout
    assert "3 other data records" in done.stdout


def test_damage_to_annotations_costs_them_and_no_samples(exact: tuple[Path, Path], tmp_path: Path) -> None:
    source, packed = exact
    last = len(rows(source)) - 1
    damaged = damage(packed, tmp_path / "a.eegz", (StreamKind.EXACT, last))
    report = eegzip.decompress(damaged, tmp_path / "a.edf", salvage=True)
    assert [(found.signal, found.records) for found in report.lost_signals] == [(last, ((3, 5),))]
    for salvaged, original in list(zip(rows(tmp_path / "a.edf"), rows(source), strict=True))[:-1]:
        np.testing.assert_array_equal(salvaged, original)
    with EdfFile.open(tmp_path / "a.edf") as file:
        found = read_timeline(file)
    np.testing.assert_array_equal(found.onsets, np.arange(RECORDS))
    assert [(mark.onset, mark.duration, mark.text) for mark in found.annotations] == [(3, 3, "ANNOTATIONS_LOST")]
    assert found.deviations == ()


def test_a_cut_tells_of_its_own_signals(exact: tuple[Path, Path], tmp_path: Path) -> None:
    source, packed = exact
    labels = labels_of(source)
    lost = exact_dependents(packed, {1}, 1)
    intact = next(s for s in range(len(labels) - 1) if s not in lost)
    damaged = damage(packed, tmp_path / "a.eegz", (StreamKind.EXACT, 1))
    report = eegzip.decompress(damaged, tmp_path / "a.edf", salvage=True, channels=[labels[intact]])
    assert report.losses == []
    report = eegzip.decompress(damaged, tmp_path / "b.edf", salvage=True, channels=[labels[intact], labels[1]], start=2)
    assert [found.label for found in report.lost_signals] == [labels[1]]
    with EdfFile.open(tmp_path / "b.edf") as file:
        found = read_timeline(file)
    assert [(mark.onset, mark.text) for mark in found.annotations] == [(1, f"BAD_LOST@@{labels[1]}")]
    report = eegzip.decompress(damaged, tmp_path / "c.edf", salvage=True, start=6)
    assert report.losses == []


KINDS: dict[str, tuple[Path, dict[str, Any]]] = {
    "lossless": (ROOMY, {"lossless": True}),
    "tokens": (EEG, {"model": "eegz-sc-1"}),
    "rotated tokens": (EEG, {"model": "eegz-mc-2", "codebooks": 8}),
    "tokens with lines": (MAINS, {"model": "eegz-sc-1"}),
    "residuals": (EEG, {"max_error": "100nV"}),
    "layers on tokens": (EEG, {"max_prd": 20, "keep_tokens": True}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_stream_costs_what_needs_it(kind: str, tmp_path: Path) -> None:
    source, options = KINDS[kind]
    source = shortened(source, tmp_path / "in.edf")
    packed = tmp_path / "in.eegz"
    eegzip.compress(source, packed, chunk_seconds=3, **options)
    eegzip.decompress(packed, tmp_path / "whole.edf")
    whole = rows(tmp_path / "whole.edf")
    with EegzReader(packed) as reader:
        streams, header = list(reader.directory(1).streams), reader.header
        # Of many alike, one after the other costs the same.
        streams = [stream for stream in streams if stream[1] < 2]
    for stream in streams:
        damaged = damage(packed, tmp_path / "damaged.eegz", stream)
        report = eegzip.decompress(damaged, tmp_path / "rest.edf", salvage=True, overwrite=True)
        assert report.losses, stream
        everything = bool(report.lost_records)
        lost = set(range(len(whole))) if everything else {found.signal for found in report.lost_signals}
        if stream[0] in (StreamKind.EXACT, StreamKind.RESIDUAL):
            assert stream[1] in lost
        if stream[0] == StreamKind.TOKENS:
            assert lost.issuperset(header.groups[stream[1]].signals) or kind == "layers on tokens"
        for signal, (salvaged, intact) in enumerate(zip(rows(tmp_path / "rest.edf"), whole, strict=True)):
            if header.signals[signal].kind == "annotations":
                continue
            if signal in lost:
                assert not salvaged[HIT].any()
            else:
                np.testing.assert_array_equal(salvaged, intact)
