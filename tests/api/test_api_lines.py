"""Mains beside the EEG: it comes back, and so does the EEG, in every way of coding; recordings without are as ever."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf, build
from api.recordings import SHIPPED
from api.tones import with_tones
from scipy.signal import butter, sosfiltfilt

import eegzip
from eegzip.decoding.lines import line_samples
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError

SECONDS, RATE = 24, 500
MAINS = [(60.02, 20.0, 0.0), (50.0, 12.0, 9.3)]
WAYS = [
    {"model": "eegz-mc-2"},
    {"model": "eegz-mc-2", "codebooks": 8},
    {"model": "eegz-sc-1"},
    {"model": "dac-sc-compact-1", "codebooks": 8},
    {"max_prd": 9.0},
    {"max_error": "2uV"},
    {"max_prd": 15.0, "keep_tokens": True, "model": "eegz-sc-1"},
]


@pytest.fixture(scope="session")
def plain(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_tones(eegmat, tmp_path_factory.mktemp("tones") / "plain.edf", [], SECONDS)


@pytest.fixture(scope="session")
def noisy(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_tones(eegmat, tmp_path_factory.mktemp("tones") / "noisy.edf", MAINS, SECONDS)


def signals(path: Path) -> np.ndarray:
    edf = PlainEdf.read(path)
    return np.stack([edf.digital(index) for index in range(edf.n_signals)]).astype(float)


def lost(path: Path, back: Path, eeg: np.ndarray) -> float:
    """Error from 1 to 40 Hz over the EEG there, of the worst channel."""
    sos = butter(4, (1, 40), "bandpass", fs=RATE, output="sos")
    error, clean = sosfiltfilt(sos, signals(back) - signals(path)), sosfiltfilt(sos, eeg)
    return float(np.sqrt(np.square(error).sum(axis=1) / np.square(clean).sum(axis=1)).max())


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_the_eeg_and_the_tone_come_back(
    options: dict[str, object],
    plain: Path,
    noisy: Path,
    compressed: Callable[..., Path],
    restored: Callable[[Path], Path],
) -> None:
    eeg = signals(plain)
    without, with_them = compressed(plain, **options), compressed(noisy, **options)
    assert lost(noisy, restored(with_them), eeg) <= 1.2 * lost(plain, restored(without), eeg)
    tone = signals(noisy) - eeg
    came = signals(restored(with_them)) - eeg
    assert np.abs((tone * came).sum(axis=1) / np.square(tone).sum(axis=1) - 1).max() < 0.05
    # Side information of a few bit/s a channel; a short clip has little to share its first knots with.
    with eegzip.open(with_them) as recording:
        info = recording.info
    assert 0 < info["line_bits_per_second"] < 12
    assert [round(line["lowest_hz"]) for line in info["lines"]] == [60, 50]
    assert with_them.stat().st_size < 1.12 * without.stat().st_size + 400
    assert eegzip.verify(with_them, deep=True).intact


def test_a_bound_holds_for_what_is_left_without_the_lines(noisy: Path, plain: Path, compressed, restored) -> None:
    path = compressed(noisy, max_prd=9.0)
    x, y, eeg = signals(noisy), signals(restored(path)), signals(plain)
    error = np.sqrt(np.square(x - y).sum(axis=1))
    deviation = eeg - eeg.mean(axis=1, keepdims=True)
    assert (error <= 0.095 * np.sqrt(np.square(deviation).sum(axis=1))).all()
    path = compressed(noisy, max_error="2uV")
    assert np.abs(x - signals(restored(path))).max() <= 100


@pytest.mark.parametrize("options", [{"model": "eegz-sc-1", "codebooks": 8}, {"max_prd": 9.0}], ids=str)
def test_parts_and_chunks(
    options: dict[str, object],
    noisy: Path,
    compressed: Callable[..., Path],
    restored: Callable[[Path], Path],
    tmp_path: Path,
) -> None:
    whole, pieces = compressed(noisy, chunk_seconds=1000, **options), compressed(noisy, chunk_seconds=7, **options)
    with EegzReader(whole) as one, EegzReader(pieces) as many:
        assert (one.header.n_chunks, many.header.n_chunks) == (1, 4)
        assert one.header.line_sets == many.header.line_sets
        for signal in range(3):
            np.testing.assert_array_equal(line_samples(one, signal), line_samples(many, signal))
    full = signals(restored(pieces))
    with eegzip.open(pieces) as recording:
        part = recording.read(recording.channels[1], start=6.113, stop=15.4)[0] / 0.02
    np.testing.assert_allclose(part, full[1, 3056:7700], atol=1.01)
    eegzip.decompress(pieces, tmp_path / "cut.edf", start=8, stop=11, channels=[PlainEdf.read(noisy).labels[2]])
    np.testing.assert_allclose(signals(tmp_path / "cut.edf")[0], full[2, 8 * RATE : 11 * RATE], atol=1.01)


def test_damage_to_lines_costs_their_chunk(noisy: Path, compressed, restored, tmp_path: Path) -> None:
    whole = compressed(noisy, model="eegz-sc-1", codebooks=8, chunk_seconds=7)
    data = bytearray(whole.read_bytes())
    with EegzReader(whole) as reader:
        place, entry = reader.chunks[1], reader.directory(1).streams[6, 0]
    data[place.payload_offset + entry.offset + 3] ^= 0xFF
    damaged = tmp_path / "damaged.eegz"
    damaged.write_bytes(data)
    assert not eegzip.verify(damaged).intact
    with pytest.raises(ContainerError, match="lines stream 0"):
        eegzip.decompress(damaged, tmp_path / "a.edf")
    report = eegzip.decompress(damaged, tmp_path / "b.edf", salvage=True)
    assert report.lost_records == ((7, 13),)
    full, rest = signals(restored(whole)), signals(tmp_path / "b.edf")
    assert not rest[:, 7 * RATE : 14 * RATE].any()
    np.testing.assert_allclose(rest[:, 20 * RATE :], full[:, 20 * RATE :], atol=1.01)


def test_recordings_without_lines_and_exact_ones_have_none(
    plain: Path, noisy: Path, compressed: Callable[..., Path]
) -> None:
    for path in (
        compressed(plain, model="eegz-sc-1"),
        compressed(noisy, lossless=True),
        compressed(noisy, exact=["*"]),
    ):
        with EegzReader(path) as reader:
            assert not reader.header.line_sets
            assert reader.minor_version < 5
            assert reader.summary is not None
            assert reader.summary.line_bytes is None


def test_mains_that_drive_the_amplifier_to_its_ends(
    compressed: Callable[..., Path], restored: Callable[[Path], Path]
) -> None:
    """Digits that fill 16 bits, clipped: without its lines a signal goes beyond what a sample can take."""
    source = SHIPPED / "lines" / "mains_60_clipped.edf"
    edf = PlainEdf.read(source)
    for options, most in (({}, 0.15), ({"max_prd": 9.0}, 0.09)):
        back = PlainEdf.read(restored(compressed(source, **options)))
        for index in range(19):
            x, y = edf.digital(index).astype(float), back.digital(index)
            assert np.sqrt(np.square(x - y).mean()) <= most * x.std()
            assert y.max() <= x.max()


def test_a_line_beside_almost_nothing(compressed: Callable[..., Path], restored: Callable[[Path], Path]) -> None:
    source = SHIPPED / "lines" / "line_60_256.edf"
    x, y = signals(source)[:3], signals(restored(compressed(source)))[:3]
    assert (np.square(x - y).mean(axis=1) < (0.03 * x.std(axis=1)) ** 2).all()


def test_odd_records_and_rates(
    noisy: Path, compressed: Callable[..., Path], restored: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Knots and records don't meet: 173 samples in 0.7 s."""
    rows = signals(noisy)[:, :11591].reshape(3, -1, 173).astype(np.int64)
    entries: list[dict[str, object]] = [
        {
            "label": f"EEG C{number + 3}",
            "unit": "uV",
            "pmin": -655.36,
            "pmax": 655.34,
            "dmin": -32768,
            "dmax": 32767,
            "values": row,
        }
        for number, row in enumerate(rows)
    ]
    source = build(tmp_path / "odd.edf", entries, duration="0.7")
    whole, pieces = compressed(source, max_prd=9.0), compressed(source, max_prd=9.0, chunk_seconds=5)
    with EegzReader(whole) as one, EegzReader(pieces) as many:
        assert one.header.line_sets[0].spacing == 247
        assert many.header.n_chunks > 5
        np.testing.assert_array_equal(line_samples(one, 1), line_samples(many, 1))
    x, y = signals(source), signals(restored(pieces))
    assert (np.sqrt(np.square(x - y).mean(axis=1)) < 0.09 * x.std(axis=1)).all()
