"""The library as programs use it: lazy reading, tokens, annotations, arrays, several processes."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pyedflib
import pytest
from api.plain_edf import PlainEdf

import eegzip


def test_read_gives_what_pyedflib_reads_from_the_restored_file(
    short_psg: Path, eegmat: Path, compressed: Callable[..., Path], restored: Callable[[Path], Path]
) -> None:
    for source in (short_psg, eegmat):
        path = compressed(source)
        with eegzip.open(path) as recording, pyedflib.EdfReader(str(restored(path))) as reader:
            assert recording.channels == reader.getSignalLabels()
            assert recording.duration == reader.getFileDuration()
            for index in range(reader.signals_in_file):
                if PlainEdf.read(source).labels.count(recording.channels[index]) > 1:
                    continue
                scale = {"mV": 1e3}.get(reader.getPhysicalDimension(index), 1.0)
                expected = reader.readSignal(index) * scale
                values = recording.read(recording.channels[index])
                assert values.shape == (1, len(expected))
                # One channel alone may differ from all together by the last digit of float32, and so by one step
                # in the samples that lie halfway between two; hardly any do.
                steps = np.abs(values[0] - expected) / step_of(reader, index, scale)
                assert steps.max() < 1.01
                assert (steps > 1e-6).mean() < 0.01


def step_of(reader: pyedflib.EdfReader, index: int, scale: float) -> float:
    span = reader.getPhysicalMaximum(index) - reader.getPhysicalMinimum(index)
    return abs(span * scale / (reader.getDigitalMaximum(index) - reader.getDigitalMinimum(index)))


def test_read_refuses_what_makes_no_sense(short_psg: Path, compressed: Callable[..., Path]) -> None:
    with eegzip.open(compressed(short_psg)) as recording:
        with pytest.raises(eegzip.UsageError, match="different sample rates"):
            recording.read()
        with pytest.raises(eegzip.UsageError, match="no channel matches 'Oz'; the recording has: EEG Fpz-Cz"):
            recording.read("Oz")
        for start, stop in ((-1, 5), (20, 10), (0, 301), (400, None)):
            with pytest.raises(eegzip.UsageError, match="not within the 300 s"):
                recording.read("Fpz-Cz", start, stop)
        assert recording.read("Fpz-Cz", 10, 10).shape == (1, 0)
        with pytest.raises(eegzip.UsageError, match="kept exactly"):
            recording.tokens("EOG*")


def test_reading_needs_torch_only_for_waveforms(eegmat: Path, compressed: Callable[..., Path]) -> None:
    program = """
import sys, eegzip
with eegzip.open(sys.argv[1]) as recording:
    streams = recording.tokens()
    part = streams[0].slice(10, 30)
    joined = eegzip.concatenate([streams[1].slice(0, 9), streams[1].slice(9, len(streams[1]))])
    assert (joined.codes == streams[1].codes).all()
    recording.annotations, recording.info, recording.channels, recording.record_onsets
    assert recording.read("ECG").shape == (1, 35000)
loaded = {"torch", "dac"} & set(sys.modules)
assert not loaded, loaded
print([s.component for s in streams], streams[0].labels, part.codes.shape[1], part.first_frame, streams[0].codes.dtype)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(compressed(eegmat))], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "[0, 1, 2] ('EEG Fp1', 'EEG T3', 'EEG O1') 20 10 uint16"


@pytest.mark.parametrize(
    "name",
    ["test_utf8_annotations.edf", "test_subsecond.edf", "test_subsecond.bdf", "SC4001EC-Hypnogram.edf",
     "subsecond_starttime.edf", "duplicate_channel_labels.edf"],
)  # fmt: skip
def test_annotations_are_those_that_pyedflib_reads(name: str, short_psg: Path, compressed: Callable[..., Path]) -> None:
    source = short_psg.with_name(name)
    with pyedflib.EdfReader(str(source)) as reader:
        onsets, durations, texts = reader.readAnnotations()
    with eegzip.open(compressed(source)) as recording:
        annotations = sorted(recording.annotations, key=lambda annotation: annotation.onset)
        # EDF+ counts from the header's whole second, pyedflib from the first sample.
        first = recording.record_onsets[0]
        assert (first > 0) == ("subsecond" in name)
    assert len(annotations) == len(texts)
    expected = sorted(zip(onsets, durations, texts, strict=True), key=lambda item: item[0])
    for annotation, (onset, duration, text) in zip(annotations, expected, strict=True):
        assert annotation.onset == pytest.approx(first + onset, abs=1e-6)
        assert (annotation.duration or 0) == pytest.approx(max(duration, 0), abs=1e-6)
        assert annotation.text == text
    assert annotations or name in ("subsecond_starttime.edf", "duplicate_channel_labels.edf")


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize(
    ("rate", "samples"),
    [(256, 2560), (250, 1111), (199.5, 4000), (128, 100), (512, 513), (1000 / 3, 2001), (256.0123, 5003)],
)
def test_arrays(bits: int, rate: float, samples: int, eegmat: Path, tmp_path: Path) -> None:
    with pyedflib.EdfReader(str(eegmat)) as reader:
        data = np.stack([reader.readSignal(index)[:samples] for index in range(3)])
    data[2] *= 40  # kept exactly, as its name says
    annotations = [(0.25, 0.125, "Augen zu"), (0.3, -1, "Anfall?"), (0.5, 0, "größer")]
    report = eegzip.compress_array(
        data, rate, ["Fp1", "T3", "ECG"], tmp_path / "a.eegz", bits=bits, annotations=annotations,
        start=datetime(2024, 2, 29, 23, 59, 58),
    )  # fmt: skip
    # A hundred samples take fewer bytes exactly than as tokens.
    coding = "exact" if samples == 100 else "tokens"
    assert [signal.coding for signal in report.signals] == [coding, coding, "exact", "exact"]
    back = tmp_path / ("a.edf" if bits == 16 else "a.bdf")
    eegzip.decompress(tmp_path / "a.eegz", back)
    with pyedflib.EdfReader(str(back)) as reader:
        assert reader.getSignalLabels() == ["Fp1", "T3", "ECG"]
        assert reader.getStartdatetime() == datetime(2024, 2, 29, 23, 59, 58)
        assert reader.getSampleFrequency(0) == pytest.approx(rate, rel=1e-6)
        restored = np.stack([reader.readSignal(index) for index in range(3)])
        found = reader.readAnnotations()
    if (rate, samples) in ((199.5, 4000), (512, 513), (256.0123, 5003)):
        # No record of a duration that EDF can state divides such a length: the last value is held to the end.
        assert samples < restored.shape[1] < samples + 10 * rate
        assert (restored[2, samples:] == restored[2, samples - 1]).all()
    else:
        assert restored.shape[1] == samples
    step = 2 * np.ceil(np.abs(data[2]).max()) / (2**bits - 1)
    np.testing.assert_allclose(restored[2, :samples], data[2], rtol=0, atol=step)
    for channel in range(2):
        assert np.corrcoef(restored[channel, :samples], data[channel])[0, 1] > 0.8
    np.testing.assert_allclose(found[0], [0.25, 0.3, 0.5], atol=1e-4)
    assert list(found[2]) == ["Augen zu", "Anfall?", "größer"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [back.name, "a.eegz"]


def test_no_annotation_of_an_array_is_lost(tmp_path: Path) -> None:
    """Far more than data records, longer than pyedflib writes, finer than it tells apart, before and after all."""
    rng = np.random.default_rng(7)
    given = [(0.001 * k, 0.0012345, f"Ereignis {k} " + "ä" * (k % 50)) for k in range(1000)]
    given += [(-1.5, None, "before"), (20.0, 2.0, "after"), (3.0000001, None, "x" * 300)]
    eegzip.compress_array(
        rng.normal(0, 20, (1, 2560)), 256, ["Cz"], tmp_path / "a.eegz", exact=["*"], annotations=given,
        start=datetime(2024, 1, 1, 12, 0, 0, 250_000),
    )  # fmt: skip
    with eegzip.open(tmp_path / "a.eegz") as recording:
        first = recording.record_onsets[0]
        found = [(a.onset - first, a.duration, a.text) for a in recording.annotations]
        assert recording.read().shape == (1, 2560)
    assert sorted(text for *_, text in found) == sorted(text for *_, text in given)
    times = {text: (onset, duration) for onset, duration, text in given}
    for onset, duration, text in found:
        assert onset == pytest.approx(times[text][0], abs=1e-7)
        assert duration == pytest.approx(times[text][1], abs=1e-7)
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf")
    with pyedflib.EdfReader(str(tmp_path / "a.edf")) as reader:
        assert len(reader.readAnnotations()[0]) == len(given)


def test_arrays_that_make_no_sense(tmp_path: Path) -> None:
    data = np.zeros((2, 300))
    data[0, 5] = 1
    for changed, rate, labels, options in (
        (np.where(data > 0, np.nan, data), 256, ["C3", "C4"], {}),
        (np.where(data > 0, np.inf, data), 256, ["C3", "C4"], {}),
        (data, 0, ["C3", "C4"], {}),
        (data, 1e-5, ["C3", "C4"], {}),
        (data, 1e9, ["C3", "C4"], {}),
        (data, float("nan"), ["C3", "C4"], {}),
        (data, 256, ["C3"], {}),
        (data, 256, ["C3", ""], {}),
        (data, 256, ["C3", "a channel of seventeen"], {}),
        (data, 256, ["C3", "Grün"], {}),
        (data * 1e8, 256, ["C3", "C4"], {}),
        (np.zeros((2, 0)), 256, ["C3", "C4"], {}),
        (np.zeros((2, 3, 4)), 256, ["C3", "C4"], {}),
        (data, 256, ["C3", "C4"], {"bits": 12}),
        (data, 256, ["C3", "C4"], {"annotations": [(float("nan"), 0, "x")]}),
        (data, 256, ["C3", "C4"], {"annotations": [(0, 0, "a\x14b")]}),
        (data, 256, ["C3", "C4"], {"annotations": [(0, 0, "")]}),
    ):
        with pytest.raises(eegzip.UsageError):
            eegzip.compress_array(changed, rate, labels, tmp_path / "a.eegz", **options)
    assert list(tmp_path.iterdir()) == []


def test_reports_pickle_and_become_json(eegmat: Path, tmp_path: Path) -> None:
    path = tmp_path / "file.eegz"
    reports = [
        eegzip.compress(eegmat, path),
        eegzip.verify(path),
        eegzip.decompress(path, tmp_path / "back.edf"),
    ]
    for report in reports:
        assert pickle.loads(pickle.dumps(report)) == report
        content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert content["source"] in (str(eegmat), str(path))
        assert "\n" not in report.sentence()


def test_errors_pickle() -> None:
    for name in ("ContainerError", "EdfError", "ModelError", "OutputError", "OutputExistsError", "UsageError"):
        error = getattr(eegzip, name)("a sentence.")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == "a sentence."
        assert isinstance(error, eegzip.EegzipError)


def _compress(arguments: tuple[str, str]) -> str:
    import eegzip

    return str(eegzip.compress(*arguments).sentence())


def test_two_processes_at_once_and_one_later_make_the_same_file(
    eegmat: Path, compressed: Callable[..., Path], tmp_path: Path
) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        sentences = pool.map(_compress, [(str(eegmat), str(tmp_path / f"{k}.eegz")) for k in range(2)], chunksize=1)
    assert sentences[0] == sentences[1]
    contents = [(tmp_path / f"{k}.eegz").read_bytes() for k in range(2)]
    assert contents[0] == contents[1] == compressed(eegmat).read_bytes()
    eegzip.compress(eegmat, tmp_path / "again.eegz")
    assert (tmp_path / "again.eegz").read_bytes() == contents[0]


def test_an_existing_file_is_only_replaced_on_demand(eegmat: Path, tmp_path: Path) -> None:
    path = tmp_path / "file.eegz"
    path.write_text("precious")
    with pytest.raises(eegzip.OutputExistsError, match="exists already"):
        eegzip.compress(eegmat, path, exact=["*"])
    assert path.read_text() == "precious"
    eegzip.compress(eegmat, path, exact=["*"], overwrite=True)
    assert eegzip.verify(path).intact


def test_progress_is_told(eegmat: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []

    def note(what: str, done: int, total: int) -> None:
        told.append((what, done, total))

    eegzip.compress(eegmat, tmp_path / "a.eegz", chunk_seconds=20, progress=note)
    eegzip.verify(tmp_path / "a.eegz", progress=note)
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf", progress=note)
    for what in ("reading", "compressing", "verifying", "decompressing"):
        steps = [(done, total) for name, done, total in told if name == what]
        assert steps[-1] == (70, 70)
        assert steps == sorted(steps)
    assert [done for name, done, _ in told if name == "compressing"] == [20, 40, 60, 70]


def test_type_checkers_see_the_public_names() -> None:
    stub = Path(eegzip.__file__).with_suffix(".pyi")
    shown = set(re.findall(r"^from \S+ import \w+ as (\w+)$|^(\w+) = ", stub.read_text(), re.MULTILINE))
    assert sorted(first or second for first, second in shown) == eegzip.__all__
    for name in eegzip.__all__:
        assert getattr(eegzip, name) is not None
    assert eegzip.open is eegzip.Recording
