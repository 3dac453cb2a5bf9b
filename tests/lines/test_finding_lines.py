"""The encoder's search for lines, on real EEG with tones put in: what is found, and what is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf
from api.tones import DIGIT, microvolts, waves

from eegzip.encoding.lines.finding import find_lines
from eegzip.encoding.lines.removal import RecordingLines
from eegzip.encoding.statistics import SignalStatistics
from eegzip.formats.lines.oscillator import NO_SWITCH

RATE = 500.0


@pytest.fixture(scope="module")
def eeg(eegmat: Path) -> np.ndarray:
    """30 s of three channels, digits of 0.02 uV."""
    edf = PlainEdf.read(eegmat)
    return np.stack([microvolts(edf, index)[2000:17000] for index in range(3)]) / DIGIT


def found_in(values: np.ndarray) -> RecordingLines | None:
    digital = np.rint(values).astype(np.int32)
    statistics = [
        SignalStatistics(int(row.min()), int(row.max()), round(row.mean()), row.std(), int(np.ptp(row)))
        for row in digital
    ]
    read: Callable[[int, int], np.ndarray] = lambda start, stop: digital[:, start:stop]  # noqa: E731
    found = find_lines(read, digital.shape[1], RATE, range(len(digital)), statistics)
    return None if found is None else RecordingLines(*found)


def left(eeg: np.ndarray, tone: np.ndarray) -> tuple[np.ndarray, RecordingLines]:
    """RMS of what of a tone is not taken out, over that of the EEG, second by second; and the lines."""
    lines = found_in(eeg + tone)
    assert lines is not None
    taken = np.zeros(tone.shape)
    n = tone.shape[1]
    taken[list(lines.entry.signals)] = lines.between(0, n).samples(0, n)
    seconds = (tone - taken).reshape(len(eeg), -1, round(RATE))
    return np.sqrt(np.square(seconds).mean(axis=2)) / eeg.std(axis=1, keepdims=True), lines


def test_nothing_is_found_where_nothing_is(eeg: np.ndarray) -> None:
    assert found_in(eeg) is None
    assert found_in(eeg[:, :1500]) is None
    noise = np.random.default_rng(1).normal(0, 300, (5, 20000))
    assert found_in(noise) is None


@pytest.mark.parametrize(
    ("hz", "size", "most"),
    [
        (16.7, 8.0, 0.12),
        (31.3, 40.0, 0.08),
        (49.97, 20.0, 0.06),
        (60.0, 2.0, 0.06),
        (60.04, 60.0, 0.06),
        (115.2, 3.0, 0.06),
    ],
)
def test_steady_tones_are_taken_out_whole(eeg: np.ndarray, hz: float, size: float, most: float) -> None:
    tone = waves(eeg.shape[1], len(eeg), RATE, [(hz, size / DIGIT, 0.0)])
    rest, lines = left(eeg, tone)
    assert np.median(rest) < most
    assert rest.max() < 3 * most
    used = lines.lines[0].frequencies * RATE / (1 << 32)
    assert np.abs(used - hz).max() < 0.05
    # A few bit/s a channel.
    assert 8 * len(lines.stream(0, tone.shape[1])) / 30 / len(eeg) < 8


def test_a_tone_in_one_channel_only(eeg: np.ndarray) -> None:
    tone = waves(eeg.shape[1], len(eeg), RATE, [(50.0, 12 / DIGIT, 0.0)])
    tone[[0, 2]] = 0
    rest, lines = left(eeg, tone)
    assert lines.entry.signals == (1,)
    assert rest.max() < 0.12


def test_a_switch_is_found_to_the_sample(eeg: np.ndarray) -> None:
    tone = waves(eeg.shape[1], len(eeg), RATE, [(50.0, 20 / DIGIT, 13.218)])
    rest, lines = left(eeg, tone)
    assert rest.max() < 0.15
    switches = lines.lines[0].switches
    (place,) = np.flatnonzero(switches != NO_SWITCH)
    assert abs(place * lines.entry.spacing + int(switches[place]) - 13.218 * RATE) < 6
    assert np.abs(lines.lines[0].amplitudes[:, : place - 1]).max() * min(lines.entry.steps) / 256 * DIGIT < 1


def test_a_frequency_that_wanders_is_followed(eeg: np.ndarray) -> None:
    time = np.arange(eeg.shape[1]) / RATE
    turns = 50.02 * time + 0.1 * 40 / (2 * np.pi) * np.sin(2 * np.pi * time / 40)
    tone = (
        np.sqrt(2)
        * 20
        / DIGIT
        * np.array([[0.6], [1.0], [1.4]])
        * np.cos(2 * np.pi * turns + np.array([[0], [1], [4]]))
    )
    rest, _ = left(eeg, tone)
    assert np.median(rest) < 0.06
    assert rest.max() < 0.3


def test_mains_with_harmonics_and_a_screen(eeg: np.ndarray) -> None:
    tones = [(50.01, 20 / DIGIT, 0.0), (100.02, 5 / DIGIT, 0.0), (150.03, 8 / DIGIT, 0.0), (74.9, 6 / DIGIT, 0.0)]
    rest, lines = left(eeg, waves(eeg.shape[1], len(eeg), RATE, tones))
    assert len(lines.lines) == 4
    assert np.median(rest) < 0.06
    assert rest.max() < 0.2


def test_how_signals_are_stored_in_memory_changes_nothing(eeg: np.ndarray) -> None:
    values = eeg + waves(eeg.shape[1], len(eeg), RATE, [(50.0, 20 / DIGIT, 0.0)])
    one, other = found_in(values), found_in(np.asfortranarray(values))
    assert one is not None
    assert other is not None
    n = values.shape[1]
    assert one.entry == other.entry
    assert one.stream(0, n) == other.stream(0, n)
