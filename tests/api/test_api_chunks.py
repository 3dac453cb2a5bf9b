"""Chunks are a matter of storage: neither tokens nor waveforms know them, and any part is read by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyedflib
import pytest
from api.plain_edf import PlainEdf, beginning
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eegzip
from eegzip.codecs.runtime import CodecRuntime
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.shared_file import SharedFile

CHUNK_SECONDS = (7, 20, 60, 1000)
SECONDS, RATE = 70, 500
EEG = (0, 1, 2)


def tokens_of(path: Path) -> list[np.ndarray]:
    with eegzip.open(path) as recording:
        return [stream.codes for stream in recording.tokens()]


@pytest.mark.parametrize("seconds", CHUNK_SECONDS[:-1])
def test_tokens_and_waveform_do_not_depend_on_the_chunk_length(
    seconds: float, eegmat: Path, compressed: Callable[..., Path], restored: Callable[[Path], Path]
) -> None:
    whole = compressed(eegmat, chunk_seconds=1000)
    pieces = compressed(eegmat, chunk_seconds=seconds)
    with EegzReader(whole) as one, EegzReader(pieces) as many:
        assert one.header.n_chunks == 1
        assert many.header.n_chunks == -(-SECONDS // seconds)
    for a, b in zip(tokens_of(whole), tokens_of(pieces), strict=True):
        np.testing.assert_array_equal(a, b)
        assert len(np.unique(a)) > 50
    a, b = PlainEdf.read(restored(whole)), PlainEdf.read(restored(pieces))
    for index in EEG:
        assert np.abs(a.digital(index) - b.digital(index)).max() <= 1
    # Also the record of what was lost is the same.
    with eegzip.open(whole) as one, eegzip.open(pieces) as many:
        for x, y in zip(one.info["signals"], many.info["signals"], strict=True):
            assert (x["prd"] is None) == (y["prd"] is None) == (x["kind"] == "annotations")
            assert x["prd"] is None or x["prd"] == pytest.approx(y["prd"], rel=1e-5)


@pytest.mark.parametrize("source", ["nihon_kohden_discontinuous.edf", "test_subsecond.bdf", "chtypes_edf.edf"])
def test_other_recordings_too(source: str, eegmat: Path, compressed: Callable[..., Path], tmp_path: Path) -> None:
    path = eegmat.parents[1] / "edf" / source
    if source == "test_subsecond.bdf":
        path = beginning(path, tmp_path / source, 20)
    whole, pieces = compressed(path, chunk_seconds=1000), compressed(path, chunk_seconds=3)
    for a, b in zip(tokens_of(whole), tokens_of(pieces), strict=True):
        np.testing.assert_array_equal(a, b)
    eegzip.decompress(whole, tmp_path / "whole.edf")
    eegzip.decompress(pieces, tmp_path / "pieces.edf")
    a, b = PlainEdf.read(tmp_path / "whole.edf"), PlainEdf.read(tmp_path / "pieces.edf")
    for index in range(a.n_signals):
        assert np.abs(a.digital(index) - b.digital(index)).max() <= 1


def near(seams: list[float], n_samples: int) -> np.ndarray:
    """Which samples lie within half a second of a seam."""
    seconds = (np.arange(n_samples) + 0.5) / RATE
    return (np.abs(seconds[:, None] - np.array(seams)) < 0.5).any(axis=1)


def relative_errors(original: Path, back: Path, index: int) -> np.ndarray:
    """Squared error over the local power of the signal (5 s), so that loud stretches don't decide."""
    x, y = PlainEdf.read(original).digital(index).astype(float), PlainEdf.read(back).digital(index)
    x -= x.mean()
    width = 5 * RATE
    power = np.convolve(np.pad(x**2, width, mode="reflect"), np.ones(2 * width + 1) / (2 * width + 1), "valid")
    return (x - (y - PlainEdf.read(original).digital(index).mean())) ** 2 / power


def test_the_error_at_seams_is_no_larger_than_inside(
    eegmat: Path, compressed: Callable[..., Path], restored: Callable[[Path], Path]
) -> None:
    back = restored(compressed(eegmat, chunk_seconds=7))
    seams = [7.0 * k for k in range(1, 10)]
    errors = np.stack([relative_errors(eegmat, back, index) for index in EEG])
    at_seams = near(seams, errors.shape[1])
    inside = np.sqrt(errors[:, ~at_seams].mean())
    # 27 seconds of error: their root mean square varies by a few percent by chance.
    assert np.sqrt(errors[:, at_seams].mean()) < 1.15 * inside
    # No single seam stands out from what seconds inside are like.
    seconds = np.sqrt(errors.mean(axis=0)[: SECONDS * RATE].reshape(SECONDS, RATE).mean(axis=1))
    for seam in seams:
        window = near([seam], errors.shape[1])
        assert np.sqrt(errors[:, window].mean()) < 1.2 * seconds.max()


def test_nor_where_two_windows_of_the_network_meet(
    eegmat: Path, compressed: Callable[..., Path], restored: Callable[[Path], Path]
) -> None:
    """The network's windows, not chunks, are where context could run out."""
    from eegzip import models
    from eegzip.codecs.signal.analysis import window_size

    path = compressed(eegmat, chunk_seconds=1000)
    with EegzReader(path) as reader:
        grid = reader.header.grid(0)
    config = models.load().config
    size = window_size(grid.n_frames, config.window_frames)
    seams = [(frame * grid.hop - grid.hop // 2) / config.rate for frame in range(size, grid.n_frames, size)]
    assert seams, "the recording must be longer than a window"
    errors = np.stack([relative_errors(eegmat, restored(path), index) for index in EEG])
    at_seams = near(seams, errors.shape[1])
    seconds = np.sqrt(errors[:, : SECONDS * RATE].reshape(3 * SECONDS, RATE).mean(axis=1))
    assert np.sqrt(errors[:, at_seams].mean()) < np.quantile(seconds, 0.95)


@pytest.fixture(scope="module")
def opened(eegmat: Path, compressed: Callable[..., Path]) -> Iterator[eegzip.Recording]:
    with eegzip.open(compressed(eegmat, chunk_seconds=7)) as recording:
        yield recording


@given(
    start=st.floats(0, SECONDS),
    length=st.floats(0, 30),
    channels=st.lists(st.sampled_from(["Fp1", "T3", "O1", "ECG"]), unique=True),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_part_equals_the_slice_of_the_whole(
    opened: eegzip.Recording,
    eegmat: Path,
    compressed: Callable[..., Path],
    restored: Callable[[Path], Path],
    start: float,
    length: float,
    channels: list[str],
) -> None:
    path = compressed(eegmat, chunk_seconds=7)
    plain = PlainEdf.read(restored(path))
    stop = min(start + length, SECONDS)
    names = [label.split()[-1] for label in plain.labels[:4]]
    wanted = [names.index(name) for name in channels or names]
    part = opened.read(channels or None, start, stop)
    first, last = round(start * RATE), round(stop * RATE)
    assert part.shape == (len(wanted), last - first)
    for row, index in enumerate(wanted):
        gain = scale(plain, index)
        np.testing.assert_allclose(part[row], physical(plain, index)[first:last], rtol=0, atol=1.01 * gain)
        if index == 3:
            np.testing.assert_allclose(part[row], physical(plain, index)[first:last], rtol=1e-12, atol=1e-9)


def bounds(plain: PlainEdf, index: int) -> tuple[float, float, float, float]:
    columns = [plain.column(before, 8) for before in (104, 112, 120, 128)]
    pmin, pmax, dmin, dmax = (float(column[index]) for column in columns)
    microvolts = {"uV": 1, "mV": 1000}[plain.units[index]]
    return pmin * microvolts, pmax * microvolts, dmin, dmax


def scale(plain: PlainEdf, index: int) -> float:
    pmin, pmax, dmin, dmax = bounds(plain, index)
    return abs((pmax - pmin) / (dmax - dmin))


def physical(plain: PlainEdf, index: int) -> np.ndarray:
    pmin, pmax, dmin, dmax = bounds(plain, index)
    return pmin + (plain.digital(index) - dmin) * (pmax - pmin) / (dmax - dmin)


def test_only_the_chunks_that_are_needed_are_read(
    eegmat: Path, compressed: Callable[..., Path], tmp_path: Path
) -> None:
    """All other chunks are destroyed, and the stretch still comes back as before."""
    path = compressed(eegmat, chunk_seconds=7)
    with eegzip.open(path) as recording:
        expected = recording.read(["T3", "ECG"], 31, 33)
        frames = recording.tokens("T3")[0]
    with EegzReader(path) as reader:
        places = {number: (place.payload_offset, place.length) for number, place in reader.chunks.items()}
        context = CodecRuntime(eegzip.models.load()).decoder_context * reader.header.codecs[0].hop / 256
    # Windows of the network reach over chunks: what a stretch needs is its window and the context on both sides.
    size = 70 / 2
    needed = range(int(max(0 - context, 0) // 7), int((size + context + 1) // 7) + 1)
    damaged = bytearray(path.read_bytes())
    spoilt = [number for number in places if number not in needed]
    assert spoilt, "the recording is too short to show anything"
    spoilt_ones = "|".join(map(str, spoilt))
    for number in spoilt:
        offset, length = places[number]
        damaged[offset : offset + length] = bytes(length)
    other = tmp_path / "damaged.eegz"
    other.write_bytes(damaged)
    with eegzip.open(other) as recording:
        np.testing.assert_array_equal(recording.read(["T3", "ECG"], 31, 33), expected)
        with pytest.raises(eegzip.ContainerError, match=rf"chunk ({spoilt_ones}) .*is damaged"):
            recording.read(["T3"], 69, 70)
        with pytest.raises(eegzip.ContainerError, match="is damaged"):
            recording.tokens("T3")
    assert len(frames) > 0


def test_reading_one_second_reads_few_bytes(
    shared_recording: Callable[[str], Path], compressed: Callable[..., Path]
) -> None:
    source = shared_recording("eeg/neonatal/neonatal_demo.edf")
    path = compressed(source, chunk_seconds=20)
    with eegzip.open(path) as recording:
        file = CountingFile(recording._reader._file)
        recording._reader._file = file
        one = recording.read([recording.channels[2]], 300, 301)
    assert one.shape == (1, 256)
    assert 0 < file.bytes_read < 0.1 * path.stat().st_size


class CountingFile:
    def __init__(self, file: SharedFile) -> None:
        self._file = file
        self.bytes_read = 0

    def read_at(self, offset: int, size: int) -> bytes:
        data = self._file.read_at(offset, size)
        self.bytes_read += len(data)
        return data

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def test_tokens_do_not_depend_on_the_other_channels(eegmat: Path, compressed: Callable[..., Path]) -> None:
    together = tokens_of(compressed(eegmat, model="eegz-sc-1", chunk_seconds=1000))
    for index, name in enumerate(["Fp1", "T3", "O1"]):
        rest = [other for other in ("Fp1", "T3", "O1") if other != name]
        (alone,) = tokens_of(compressed(eegmat, model="eegz-sc-1", exact=rest))
        np.testing.assert_array_equal(alone, together[index])


def test_tokens_do_not_depend_on_the_number_of_threads(
    eegmat: Path, compressed: Callable[..., Path], tmp_path: Path
) -> None:
    import torch

    before = torch.get_num_threads()
    files = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            files.append(tmp_path / f"{threads}.eegz")
            eegzip.compress(eegmat, files[-1])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for a, b in zip(tokens_of(files[0]), tokens_of(files[1]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_cut_equals_the_slice_of_the_whole(
    eegmat: Path, compressed: Callable[..., Path], restored: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = compressed(eegmat, chunk_seconds=20)
    whole = PlainEdf.read(restored(path))
    report = eegzip.decompress(path, tmp_path / "part.edf", start=12.5, stop=44, channels=["T3", "ecg"])
    part = PlainEdf.read(tmp_path / "part.edf")
    assert report.n_records == part.complete_records == 32
    assert part.labels == ["EEG T3", "ECG ECG", "EDF Annotations"]
    for new, old in enumerate((1, 3)):
        difference = part.digital(new) - whole.digital(old)[12 * RATE : 44 * RATE]
        assert np.abs(difference).max() <= (1 if new == 0 else 0)


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": True, "level": 9}, {"max_prd": 9.0}, {}])
def test_what_is_written_is_restored_however_small_it_is(tmp_path: Path, options: dict[str, Any]) -> None:
    """Flat channels of 20 kHz are a kilobyte: chunks of a minute would be taken for a file that was made to hurt."""
    flat = np.zeros((2, 20_000 * 70))
    eegzip.compress_array(flat, 20_000, ["EEG C3", "EEG C4"], tmp_path / "flat.eegz", **options)
    assert (tmp_path / "flat.eegz").stat().st_size < 4000
    assert eegzip.verify(tmp_path / "flat.eegz").intact
    eegzip.decompress(tmp_path / "flat.eegz", tmp_path / "flat.edf")
    with pyedflib.EdfReader(str(tmp_path / "flat.edf")) as reader:
        assert not reader.readSignal(1, digital=True).any()
