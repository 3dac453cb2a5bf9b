"""Bounds on errors: what a restored file is like, read by another reader, against what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf, build
from api.recordings import SHARED

import eegzip
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.reader import EegzReader


def chunk_prds(original: Path, restored: Path, index: int, chunk_seconds: float = 60.0) -> list[float]:
    """Error in percent of one signal in each chunk, from the bytes of both files."""
    first, second = PlainEdf.read(original), PlainEdf.read(restored)
    x, y = first.digital(index).astype(float), second.digital(index).astype(float)
    step = round(chunk_seconds / first.seconds_per_record) * first.samples[index]
    prds = []
    for start in range(0, len(x), step):
        part, back = x[start : start + step], y[start : start + step]
        if part.std() > 0:
            prds.append(100 * float(np.sqrt(np.mean((part - back) ** 2)) / part.std()))
        else:
            assert np.array_equal(part, back)
    return prds


def lossy_signals(report: eegzip.CompressionReport) -> list[int]:
    return [index for index, signal in enumerate(report.signals) if signal.coding == "layers"]


@pytest.mark.parametrize("prd", [30.0, 9.0, 2.0])
def test_prd_is_kept_by_every_channel_in_every_chunk(eegmat: Path, tmp_path: Path, prd: float) -> None:
    target, back = tmp_path / "a.eegz", tmp_path / "a.edf"
    report = eegzip.compress(eegmat, target, max_prd=prd)
    eegzip.decompress(target, back)
    coded = lossy_signals(report)
    assert len(coded) == 3
    assert PlainEdf.read(back).without(coded) == PlainEdf.read(eegmat).without(coded)
    for index in coded:
        found = chunk_prds(eegmat, back, index)
        assert len(found) == 2
        assert max(found) <= prd
        assert max(found) == pytest.approx(report.signals[index].worst_chunk_prd)
    # The bound is made use of.
    assert max(max(chunk_prds(eegmat, back, index)) for index in coded) > 0.9 * prd
    assert eegzip.verify(target).intact


def largest_error_uv(original: Path, restored: Path, index: int) -> float:
    first, second = PlainEdf.read(original), PlainEdf.read(restored)
    (pmin, pmax), (dmin, dmax) = (
        (float(first.column(at, 8)[index]), float(first.column(at + 8, 8)[index])) for at in (104, 120)
    )
    scale = (pmax - pmin) / (dmax - dmin)
    return scale * float(np.abs(first.digital(index) - second.digital(index)).max())


@pytest.mark.parametrize("bound", ["20uV", "2 uV", "100nV"])
def test_no_sample_is_further_off_than_the_largest_error(eegmat: Path, tmp_path: Path, bound: str) -> None:
    target, back = tmp_path / "a.eegz", tmp_path / "a.edf"
    report = eegzip.compress(eegmat, target, max_error=bound)
    eegzip.decompress(target, back)
    microvolts = {"20uV": 20.0, "2 uV": 2.0, "100nV": 0.1}[bound]
    found = [largest_error_uv(eegmat, back, index) for index in lossy_signals(report)]
    assert len(found) == 3
    assert 0.9 * microvolts < max(found) <= microvolts * (1 + 1e-9)
    assert eegzip.verify(target).intact


def test_all_bounds_hold_at_once(eegmat: Path, tmp_path: Path) -> None:
    target, back = tmp_path / "a.eegz", tmp_path / "a.edf"
    report = eegzip.compress(eegmat, target, max_error=6, min_snr=14, quality="compact")
    eegzip.decompress(target, back)
    for index in lossy_signals(report):
        assert largest_error_uv(eegmat, back, index) <= 6 * (1 + 1e-9)
        assert max(chunk_prds(eegmat, back, index)) <= 100 * 10 ** (-14 / 20)
    with eegzip.open(target) as recording:
        bounds = {"max_prd": 20.0, "min_snr": 14.0, "max_error_uv": 6.0}
        assert recording.info["targets"] == {**bounds, "measure": "eeg-1"}
        assert recording.info["format"] == "eegz 1.5"


def test_archive_keeps_everything(eegmat: Path, tmp_path: Path) -> None:
    eegzip.compress(eegmat, tmp_path / "a.eegz", quality="archive")
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf")
    assert (tmp_path / "a.edf").read_bytes() == eegmat.read_bytes()


def test_tokens_is_what_is_done_by_default(eegmat: Path, tmp_path: Path, compressed: Callable[..., Path]) -> None:
    eegzip.compress(eegmat, tmp_path / "a.eegz", quality="tokens")
    assert (tmp_path / "a.eegz").read_bytes() == compressed(eegmat).read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"quality": "perfect"}, "there is no quality"),
        ({"max_prd": 0}, "can't be asked for"),
        ({"max_prd": 100}, "nothing would be left"),
        ({"min_snr": 0}, "nothing would be left"),
        ({"max_error": "2Volt"}, "nothing of this EEG, which never moves by more than .* allow less"),
        ({"min_snr": float("nan")}, "can't be asked for"),
        ({"max_error": "2 Hz"}, "no largest error"),
        ({"max_error": "much"}, "no largest error"),
        ({"max_error": -1.0}, "no largest error"),
        ({"quality": "tokens", "max_prd": 9}, "promises no bounds"),
        ({"quality": "archive", "keep_tokens": True}, "no tokens to keep"),
        ({"keep_tokens": True}, "without a bound"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(
    eegmat: Path, tmp_path: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(eegzip.UsageError, match=words):
        eegzip.compress(eegmat, tmp_path / "a.eegz", **options)
    assert not list(tmp_path.iterdir())


def test_a_channel_without_calibration_is_kept_exactly_where_microvolts_count(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    values = np.cumsum(random.integers(-30, 31, (10, 128)), axis=1)
    limits = {"dmin": -32768, "dmax": 32767}
    source = build(
        tmp_path / "a.edf",
        [
            {"label": "EEG C3", "unit": "uV", "pmin": -3276.8, "pmax": 3276.7, **limits, "values": values},
            {"label": "EEG C4", "unit": "", "pmin": -3276.8, "pmax": 3276.7, **limits, "values": values[::-1]},
        ],
    )
    report = eegzip.compress(source, tmp_path / "a.eegz", max_error="1uV")
    assert [signal.coding for signal in report.signals] == ["layers", "exact"]
    assert "calibration" in report.signals[1].reason
    assert any("EEG C4" in note for note in report.notes)
    report = eegzip.compress(source, tmp_path / "b.eegz", max_prd=10)
    assert [signal.coding for signal in report.signals] == ["layers", "layers"]


@pytest.fixture(scope="module")
def with_tokens(eegmat: Path, compressed: Callable[..., Path]) -> Path:
    return compressed(eegmat, max_prd=5.0, keep_tokens=True)


def test_bounds_hold_on_top_of_tokens(eegmat: Path, with_tokens: Path, restored: Callable[[Path], Path]) -> None:
    back = restored(with_tokens)
    ways = set()
    with eegzip.open(with_tokens) as recording:
        for index, signal in enumerate(recording.info["signals"]):
            if signal["coding"] == "layers":
                assert max(chunk_prds(eegmat, back, index)) <= 5.0
                ways |= set(signal["chunks"])
    assert "tokens+layer" in ways
    assert eegzip.verify(with_tokens, deep=True).intact


def test_tokens_that_are_enough_have_no_layer(
    eegmat: Path, compressed: Callable[..., Path], restored: Callable[[Path], Path]
) -> None:
    """SPEC.md, section 9: a chunk whose layer is absent is what its tokens give alone."""
    path = compressed(eegmat, max_prd=40.0, keep_tokens=True)
    back = restored(path)
    with eegzip.open(path) as recording:
        for index, signal in enumerate(recording.info["signals"]):
            if signal["coding"] == "layers":
                assert set(signal["chunks"]) == {"tokens"}
                assert max(chunk_prds(eegmat, back, index)) <= 40.0
    with EegzReader(path) as file:
        kinds = {kind for chunk in file.chunks for kind, _ in file.directory(chunk).streams}
    assert kinds.isdisjoint({StreamKind.FIRST_LAYER, StreamKind.LAYER, StreamKind.RESIDUAL})


def test_tokens_can_be_read_alone(eegmat: Path, with_tokens: Path, compressed: Callable[..., Path]) -> None:
    with eegzip.open(with_tokens) as recording, eegzip.open(compressed(eegmat)) as plain:
        labels = [signal["label"] for signal in recording.info["signals"] if signal["coding"] == "layers"]
        preview = recording.read(layer=0)
        assert np.array_equal(preview, plain.read(labels))
        full = recording.read(labels)
        assert np.abs(full - preview).max() > 0
        assert np.array_equal(recording.read(labels[1], start=50, stop=63, layer=0)[0], preview[1, 25000:31500])
        for stream, other in zip(recording.tokens(), plain.tokens(), strict=True):
            assert np.array_equal(stream.codes, other.codes)
        with pytest.raises(eegzip.UsageError, match="without tokens"):
            recording.read("ECG*", layer=0)
        with pytest.raises(eegzip.UsageError, match="no layer 1"):
            recording.read(layer=1)


def test_a_file_without_tokens_says_so(eegmat: Path, compressed: Callable[..., Path]) -> None:
    with eegzip.open(compressed(eegmat, max_prd=20.0)) as recording:
        assert recording.tokens() == []
        with pytest.raises(eegzip.UsageError, match="no tokens"):
            recording.read(layer=0)


def test_parts_equal_the_whole(eegmat: Path, compressed: Callable[..., Path]) -> None:
    path = compressed(eegmat, max_error="3uV", chunk_seconds=20.0)
    with eegzip.open(path) as recording:
        labels = [signal["label"] for signal in recording.info["signals"] if signal["coding"] == "layers"]
        whole = recording.read(labels)
    for start, stop in ((0, 7), (19.5, 20.5), (39, 62)):
        with eegzip.open(path) as recording:
            part = recording.read(labels[2], start=start, stop=stop)[0]
        assert np.array_equal(part, whole[2, round(500 * start) : round(500 * stop)])


def test_here_and_there_in_a_chunk_decodes_its_layer_once(eegmat: Path, compressed: Callable[..., Path]) -> None:
    with eegzip.open(compressed(eegmat, max_prd=9)) as recording:
        whole = recording.read(["EEG T3", "EEG O1"])
        layer = recording._reader.layers.find((1, 0)) or {}
        assert layer
        for start in (61, 66, 62):
            for row, channel in enumerate(("EEG T3", "EEG O1")):
                part = recording.read(channel, start, start + 2)
                assert np.array_equal(part[0], whole[row, 500 * start : 500 * (start + 2)])
        assert recording._reader.layers.find((1, 0)) is layer
        recording.read("EEG T3", 0, 1)
        assert recording._reader.layers.find((1, 0)) is None
        assert not any(stored.samples.flags.writeable for stored in layer.values())


def test_threads_change_nothing(eegmat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for count in (1, 3):
        monkeypatch.setattr("eegzip.formats.parallel.cores", lambda count=count: count)
        eegzip.compress(eegmat, tmp_path / f"{count}.eegz", max_prd=12, chunk_seconds=10)
        made.append((tmp_path / f"{count}.eegz").read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("adhd/ADHD_v14p.edf", {"max_prd": 9.0}),
        ("vep/co2a0000364.edf", {"max_prd": 5.0}),
        ("vep/co2a0000364.edf", {"max_error": 4.0}),
        ("neonatal/*.edf", {"max_prd": 20.0, "max_error": 30.0}),
        ("eegmat/Subject10_2.edf", {"max_error": 2.0}),
    ],
)
def test_bounds_hold_on_whole_recordings(tmp_path: Path, name: str, options: dict[str, float]) -> None:
    found = sorted((SHARED / "eeg").glob(name))
    if not found:
        pytest.skip(f"{name} is not here")
    target, back = tmp_path / "a.eegz", tmp_path / "a.edf"
    report = eegzip.compress(found[0], target, **options)
    eegzip.decompress(target, back)
    coded = lossy_signals(report)
    assert coded
    assert PlainEdf.read(back).without(coded) == PlainEdf.read(found[0]).without(coded)
    for index in coded:
        if "max_prd" in options:
            assert max(chunk_prds(found[0], back, index), default=0.0) <= options["max_prd"]
        if "max_error" in options:
            assert largest_error_uv(found[0], back, index) <= options["max_error"] * (1 + 1e-9)
