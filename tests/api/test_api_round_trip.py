"""What comes back is the file that went in, but for the samples that were coded lossily."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf, beginning, build
from api.recordings import EEG_SETS, SHARED, SHIPPED

import eegzip

LARGE = SHIPPED / "lines" / "mains_60_clipped.edf"
shipped = sorted(path for path in SHIPPED.rglob("*") if path.suffix in (".edf", ".bdf") and path != LARGE)
names = {path.name for path in shipped}
development = [path for path in sorted((SHARED / "formats").glob("*.?df")) if path.name not in names]
development += [sorted((SHARED / "eeg" / name).glob("*.edf"))[-1] for name in EEG_SETS if (SHARED / "eeg").is_dir()]
larger = [LARGE, *development]

BEGINNING = 100_000
"""Bytes of the larger recordings; whole ones come back with -m long."""

EEG = {
    "Subject16_rest_70s.edf": ["EEG Fp1", "EEG T3", "EEG O1"],
    "duplicate_channel_labels.edf": ["EEG F1-Ref", "EEG F2-Ref", "EEG F1-Ref"],
    "short_psg.bdf": ["EEG Fpz-Cz", "EEG Pz-Oz"],
    "short_psg.edf": ["EEG Fpz-Cz", "EEG Pz-Oz"],
    "test_bdf_stim_channel.bdf": ["C3", "C4", "Cz"],
    "test_subsecond.edf": ["Fp1"],
    "test_uneven_samp.edf": [],
    "test_utf8_annotations.edf": [],
}


def check_round_trip(source: Path, folder: Path, **options: object) -> tuple[eegzip.CompressionReport, PlainEdf]:
    """Compress, verify, decompress; compare everything that was not coded lossily; return the restored file."""
    before = source.read_bytes()
    target, back = folder / "file.eegz", folder / "back.edf"
    report = eegzip.compress(source, target, **options)  # type: ignore[arg-type]
    found = eegzip.verify(target, deep=True)
    assert found.intact, found.problems
    assert found.problems == ()
    assert eegzip.decompress(target, back).restored_bytes == len(before)
    assert source.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir() if path != source) == ["back.edf", "file.eegz"]
    assert report.original_bytes == len(before)
    assert report.compressed_bytes == target.stat().st_size

    original, restored = PlainEdf(before), PlainEdf.read(back)
    assert [signal.label for signal in report.signals] == original.labels
    lossy = [index for index, signal in enumerate(report.signals) if signal.coding == "tokens"]
    assert not any("Annotations" in original.labels[index] for index in lossy)
    assert restored.without(lossy) == original.without(lossy)
    for index in lossy:
        x, y = original.digital(index), restored.digital(index)
        assert x.min() <= y.min() <= y.max() <= x.max()
        # Some of these recordings hold noise, of which little can be kept; how good the codec is, others test.
        assert np.corrcoef(x, y)[0, 1] > 0.1
    return report, restored


def check_exact(source: Path, folder: Path) -> None:
    """Kept exactly, the whole file comes back byte for byte, and a deep check compares its digest."""
    target, back = folder / "exact.eegz", folder / "exact.edf"
    report = eegzip.compress(source, target, exact=["*"])
    assert report.coded == ()
    assert report.model is None
    assert eegzip.verify(target, deep=True).intact
    eegzip.decompress(target, back)
    assert back.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("source", shipped, ids=lambda path: path.name)
def test_a_recording_comes_back(source: Path, tmp_path: Path) -> None:
    report, _ = check_round_trip(source, tmp_path)
    if source.name in EEG:
        assert [signal.label for signal in report.coded] == EEG[source.name]


# Those of tests/data/edf stand on the shelf (test_shelf.py).
@pytest.mark.parametrize("source", [path for path in shipped if path.parent.name != "edf"], ids=lambda path: path.name)
def test_a_recording_kept_exactly_comes_back_whole(source: Path, tmp_path: Path) -> None:
    check_exact(source, tmp_path)


@pytest.mark.parametrize("source", larger, ids=lambda path: path.name)
def test_the_beginning_of_a_larger_recording_comes_back(source: Path, tmp_path: Path) -> None:
    plain = PlainEdf.read(source)
    seconds = plain.seconds_per_record * max(BEGINNING // plain.record_bytes, 2)
    short = beginning(source, tmp_path / source.name, seconds)
    report, _ = check_round_trip(short, tmp_path)
    if source.parent.name in EEG_SETS:
        assert report.coded
    (tmp_path / "file.eegz").unlink()
    check_exact(short, tmp_path)


@pytest.mark.parametrize("source", larger, ids=lambda path: path.name)
def test_a_larger_recording_comes_back(source: Path, tmp_path: Path) -> None:
    check_round_trip(source, tmp_path)
    check_exact(source, tmp_path)


@pytest.fixture
def brain(eegmat: Path) -> Callable[[int], np.ndarray]:
    """Real EEG as digital values [records, 256], for files that tests build."""
    plain = PlainEdf.read(eegmat)

    def take(channel: int) -> np.ndarray:
        # Every second of 500 samples; a stretch of 256 samples a record is as real for the purpose.
        return plain.digital(channel)[: 40 * 256].reshape(40, 256)

    return take


def signal(label: str, values: np.ndarray, **fields: object) -> dict[str, object]:
    limits = {"unit": "uV", "pmin": -300, "pmax": 300, "dmin": -32768, "dmax": 32767}
    return {"label": label, "values": values, **limits, **fields}


def test_gaps_of_edf_plus_d(brain: Callable[[int], np.ndarray], tmp_path: Path) -> None:
    onsets = [f"+{i if i < 15 else i + 100.5 if i < 30 else i + 4000}" for i in range(40)]
    source = build(
        tmp_path / "gaps.edf", [signal("Fp1", brain(0)), signal("ECG", brain(3))], onsets=onsets, reserved="EDF+D"
    )
    report, _ = check_round_trip(source, tmp_path)
    check_exact(source, tmp_path)
    assert [s.coding for s in report.signals] == ["tokens", "exact", "exact"]
    with eegzip.open(tmp_path / "file.eegz") as recording:
        assert recording.duration == 40
        np.testing.assert_array_equal(recording.record_onsets, [float(onset) for onset in onsets])
        assert [(a.onset, a.duration, a.text) for a in recording.annotations] == [
            (float(onsets[i]), 0.5, f"Grüße {i}") for i in range(0, 40, 5)
        ]


@pytest.mark.parametrize(
    ("declared", "trailing", "n_records"),
    [
        (40, b"", 40),
        (40, b"written by a careless recorder" * 40, 40),
        (-1, b"", 40),
        (-1, bytes(100), 40),
        (45, b"", 40),
        (41, bytes(range(256)), 40),
        (37, b"", 40),
    ],
    ids=["right", "trailing", "-1", "-1 and a truncated record", "5 missing", "the last truncated", "3 not counted"],
)
def test_record_counts_and_trailing_bytes(
    declared: int, trailing: bytes, n_records: int, brain: Callable[[int], np.ndarray], tmp_path: Path
) -> None:
    signals = [signal("C3", brain(0)), signal("O2", brain(2)), signal("Status", brain(3)[:, :4] // 100, unit="")]
    source = build(tmp_path / "count.edf", signals, declared=declared, trailing=trailing)
    report, restored = check_round_trip(source, tmp_path)
    check_exact(source, tmp_path)
    assert restored.declared_records == declared
    assert [s.coding for s in report.signals] == ["tokens", "tokens", "exact"]
    assert (declared == n_records and not trailing) == (report.deviations == ())
    with eegzip.open(tmp_path / "file.eegz") as recording:
        assert recording.info["n_records"] == n_records
        assert recording.info["trailing_bytes"] == len(trailing)


def test_extremes_of_24_bits(brain: Callable[[int], np.ndarray], tmp_path: Path) -> None:
    wide = {"pmin": -262144, "pmax": 262143, "dmin": -8388608, "dmax": 8388607}
    jumps = np.where(np.arange(40 * 16).reshape(40, 16) % 3 == 0, -8388608, 8388607)
    eeg = brain(0) * 20 + 3_000_000
    eeg[5, 7], eeg[20, 9] = 8388607, -8388608
    source = build(
        tmp_path / "wide.bdf", [signal("Cz", eeg, **wide), signal("EXG1", jumps, **wide)], bdf=True, reserved="24BIT"
    )
    report, restored = check_round_trip(source, tmp_path)
    check_exact(source, tmp_path)
    assert [s.coding for s in report.signals] == ["tokens", "exact"]
    # The offset of 94 mV must not cost the EEG its shape, far from the two spikes.
    x, y = (eeg.ravel()[25 * 256 : 38 * 256] for eeg in (eeg, restored.digital(0)))
    assert np.corrcoef(x, y)[0, 1] > 0.9


def test_an_inverted_physical_range(brain: Callable[[int], np.ndarray], tmp_path: Path) -> None:
    source = build(tmp_path / "up.edf", [signal("Pz", brain(1), pmin=300, pmax=-300), signal("ECG", brain(3))])
    report, restored = check_round_trip(source, tmp_path)
    check_exact(source, tmp_path)
    assert report.signals[0].coding == "tokens"
    expected = 300 - (restored.digital(0) + 32768) * 600 / 65535
    with eegzip.open(tmp_path / "file.eegz") as recording:
        np.testing.assert_allclose(recording.read("Pz")[0], expected, rtol=0, atol=1e-9)


def test_signals_of_the_same_label_stay_apart(brain: Callable[[int], np.ndarray], tmp_path: Path) -> None:
    source = build(tmp_path / "twice.edf", [signal("Cz", brain(k)) for k in (0, 2, 0)])
    _, restored = check_round_trip(source, tmp_path)
    check_exact(source, tmp_path)
    same, other = restored.digital(2), restored.digital(1)
    # They are one waveform, so components tell them apart by what is left of their errors only.
    assert np.corrcoef(restored.digital(0), same)[0, 1] > 0.99
    assert np.corrcoef(brain(2).ravel(), other)[0, 1] > 0.9
    with eegzip.open(tmp_path / "file.eegz") as recording:
        assert recording.read("Cz").shape == (3, 40 * 256)
        assert [stream.labels for stream in recording.tokens()] == [("Cz",) * 3] * 3


@pytest.mark.parametrize("n_records", [0, 1])
def test_hardly_any_records(n_records: int, brain: Callable[[int], np.ndarray], tmp_path: Path) -> None:
    source = build(tmp_path / "short.edf", [signal("Cz", brain(0)[:n_records]), signal("ECG", brain(3)[:n_records])])
    # Where tokens are not asked for so short a recording is kept exactly.
    report, _ = check_round_trip(source, tmp_path, quality="tokens")
    check_exact(source, tmp_path)
    assert len(report.coded) == n_records


def test_what_the_codec_cannot_serve_is_kept_exactly_and_says_why(
    brain: Callable[[int], np.ndarray], tmp_path: Path
) -> None:
    flat = np.full((40, 256), 17)
    source = build(
        tmp_path / "odd.edf",
        [signal("Fp1", flat), signal("Fp2", brain(0)[:, :50]), signal("F3", brain(1)), signal("ECG", brain(3))],
    )
    report, _ = check_round_trip(source, tmp_path, lossy=["ECG"], exact=["f?1"])
    assert [s.coding for s in report.signals] == ["exact", "exact", "tokens", "tokens"]
    reasons = [s.reason for s in report.signals]
    assert reasons[0] == "kept exactly as asked"
    assert "50 Hz is under 64 Hz" in reasons[1]
    assert reasons[3] == "coded lossily as asked"
    assert any("'Fp2'" in note for note in report.notes)
    report = eegzip.compress(source, tmp_path / "file.eegz", overwrite=True)
    assert "flat" in report.signals[0].reason


@pytest.mark.parametrize(("unit", "scale"), [("nV", 1e3), ("mV", 1e-3), ("V", 1e-6), ("", 1.0)])
def test_units(unit: str, scale: float, brain: Callable[[int], np.ndarray], tmp_path: Path) -> None:
    bound = f"{300 * scale:.6g}"
    assert len(bound) <= 7
    source = build(tmp_path / "unit.edf", [signal("Cz", brain(0), unit=unit, pmin=f"-{bound}", pmax=bound)])
    report, restored = check_round_trip(source, tmp_path)
    assert report.signals[0].coding == "tokens"
    assert (report.signals[0].largest_error_uv is None) == (unit == "")
    with eegzip.open(tmp_path / "file.eegz") as recording:
        microvolts = -300 + (restored.digital(0) + 32768) * 600 / 65535
        np.testing.assert_allclose(recording.read()[0], microvolts, rtol=1e-9, atol=1e-9)
