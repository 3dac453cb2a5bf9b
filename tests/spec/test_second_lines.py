"""SPEC.md 6.10: lines in and out of bytes, and their samples; a decoder written from the page alone agrees."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from second_lines import lines_of_chunk
from second_prior import read_tables
from second_reader import SecondReader
from second_synthesis import Network

import eegzip
from eegzip.formats.eegz.lines import ChunkLines, LineSet
from eegzip.formats.errors import ContainerError
from eegzip.formats.lines.oscillator import MAX_AMPLITUDE, NO_SWITCH, SINES, Line, cosine, sine
from eegzip.formats.lines.stream import decode_lines, encode_lines


def random_lines(random: np.random.Generator, entry: LineSet, knots: int, largest: int) -> list[Line]:
    """Lines of all kinds: absent ones, absent signals, switches, steady and wild amplitudes."""
    lines = []
    for _ in range(entry.count):
        steady = random.random() < 0.5
        changes = random.integers(-3, 4, knots - 1) * (random.random(knots - 1) < (0.1 if steady else 0.9))
        frequencies = (random.integers(0, 1 << 31) + (np.cumsum(changes) << entry.grain)) & 0xFFFFFFFF
        phases = np.empty(knots, np.int64)
        phases[0] = random.integers(0, 1 << 32)
        for k in range(knots - 1):
            phases[k + 1] = (int(phases[k]) + int(frequencies[k]) * entry.spacing) & 0xFFFFFFFF
        switches = np.where(random.random(knots - 1) < 0.2, random.integers(0, entry.spacing, knots - 1), NO_SWITCH)
        amplitudes = random.integers(-largest, largest + 1, (len(entry.signals), knots, 2))
        if steady:
            amplitudes[:, 1:] = amplitudes[:, :1] + random.integers(-1, 2, amplitudes[:, 1:].shape)
        amplitudes[random.random(len(entry.signals)) < 0.3] = 0
        lines.append(Line(phases, frequencies, switches, amplitudes * int(random.random() < 0.8)))
    return lines


@given(st.integers(0, 1 << 30), st.integers(1, 4), st.integers(1, 3), st.integers(16, 60), st.integers(1, 130))
@settings(max_examples=40)
def test_what_is_written_is_read_by_both_readers(seed: int, signals: int, count: int, spacing: int, n: int) -> None:
    random = np.random.default_rng(seed)
    steps = tuple(int(step) for step in random.integers(1, 400, signals))
    entry = LineSet(tuple(range(signals)), (-32768,) * signals, (32767,) * signals, steps, count, spacing, 5)
    start = int(random.integers(0, 500))
    first, stop = entry.knots_of_samples(start, start + n)
    lines = random_lines(
        random, entry, stop - first, int(random.choice([1, 20, 5000, MAX_AMPLITUDE // max(steps) - 2]))
    )
    data = encode_lines(lines, entry.grain, spacing)
    found = decode_lines(data, count, steps, stop - first, entry.grain, spacing)
    there = [line for line in lines if line.amplitudes.any()]
    assert len(found) == len(there)
    for line, back in zip(there, found, strict=True):
        np.testing.assert_array_equal(line.amplitudes * np.array(steps)[:, None, None], back.amplitudes)
        np.testing.assert_array_equal(line.switches, back.switches)
        np.testing.assert_array_equal(line.phases, back.phases)
    chunk = ChunkLines(entry, first * spacing - start, found)
    whole = chunk.samples(0, n)
    fields = {"spacing": spacing, "steps": steps, "count": count, "grain": entry.grain}
    np.testing.assert_array_equal(whole, lines_of_chunk(data, fields, start, start + n).astype(np.int64))
    # Any part is the same part of the whole, and so is any signal by itself.
    low = int(random.integers(0, n))
    np.testing.assert_array_equal(chunk.samples(low, n), whole[:, low:])
    zeros = np.zeros(n - low, np.int32)
    np.testing.assert_array_equal(chunk.add(zeros, signals - 1, low), np.clip(whole[-1, low:], -32768, 32767))


def test_the_table_of_sines_is_the_same_everywhere() -> None:
    exact = [(1 << 24) * math.sin(2 * math.pi * i / 4096) for i in range(4097)]
    assert min(abs(value % 1 - 0.5) for value in exact) > 5e-5
    np.testing.assert_array_equal(SINES, [round(value) for value in exact])


@given(st.integers(0, (1 << 32) - 1))
@example(326723283)
@settings(max_examples=1000)
def test_sines_between_its_entries(phase: int) -> None:
    # A chord of the table lies at most h^2 / 8 = 4.94 below the arc, the phase's lowest 8 bits are up to 6.29 along
    # its slope; these two are at right angles (sine and cosine): 7.99. Entries are rounded (0.5), the product down (1).
    turn = 2 * math.pi * phase / (1 << 32)
    assert abs(sine(phase) - (1 << 24) * math.sin(turn)) < 9.5
    assert abs(cosine(phase) - (1 << 24) * math.cos(turn)) < 9.5


@given(st.binary(max_size=400), st.integers(1, 16), st.integers(2, 300), st.integers(16, 70))
@settings(max_examples=60)
def test_any_bytes_are_refused_or_give_lines_in_range(data: bytes, count: int, knots: int, spacing: int) -> None:
    steps = (1, 300, 1 << 24)
    try:
        lines = decode_lines(data, count, steps, knots, 31, spacing)
    except ContainerError:
        return
    for line in lines:
        assert line.amplitudes.shape == (3, knots, 2)
        assert np.abs(line.amplitudes).max() <= MAX_AMPLITUDE
        assert line.switches.max() < spacing


def test_bytes_after_the_lines_are_refused() -> None:
    entry = LineSet((0,), (-9,), (9,), (7,), 1, 20, 3)
    data = encode_lines(random_lines(np.random.default_rng(8), entry, 9, 40), 3, 20)
    decode_lines(data, 1, entry.steps, 9, 3, 20)
    with pytest.raises(ContainerError, match="belong to nothing"):
        decode_lines(data + b"anything at all", 1, entry.steps, 9, 3, 20)


def test_a_whole_file_with_lines() -> None:
    """The golden file, from its bytes to its samples; tokens within the tolerance of section 9."""
    golden = Path(__file__).resolve().parents[1] / "golden" / "v1.5"
    folder = eegzip.models.load("eegz-sc-1").folder
    prior = read_tables((folder / "prior.safetensors").read_bytes())
    reader = SecondReader((golden / "tokens.eegz").read_bytes(), prior=prior)
    samples = np.stack(reader.signals(Network(folder))[:3])
    with eegzip.open(golden / "tokens.eegz") as recording:
        digit = recording.edf_header.signals[0].microvolts_per_digit
        values = recording.read()
    offsets = values - samples * digit
    assert np.abs(offsets - np.median(offsets)).max() <= 3 * digit
    with np.load(golden / "lines.npz") as wanted:
        assert np.abs(wanted["tokens_lines"]).max() > 100
        assert np.abs(values - wanted["tokens_values"]).max() <= 3 * digit
