"""``eegzip.evaluate``: the same figures by every way in, and a refusal of what can't be compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import eegzip
from eegzip.formats.eegz.reader import EegzReader


def test_a_file_and_what_it_restores_to_are_judged_alike(
    eegmat: Path, compressed: Callable[..., Path], restored: Callable[[Path], Path]
) -> None:
    coded = compressed(eegmat)
    from_file, from_recording = eegzip.evaluate(eegmat, coded), eegzip.evaluate(eegmat, restored(coded))
    assert from_file.channels == from_recording.channels
    assert from_file.tier.bands == from_recording.tier.bands
    assert from_recording.compressed_bytes is from_recording.coded_bytes is from_recording.tier.ratio is None
    assert from_recording.tier.letter == from_file.tier.letter_without_ratio


def test_it_finds_what_the_file_says(eegmat: Path, compressed: Callable[..., Path]) -> None:
    coded = compressed(eegmat)
    report = eegzip.evaluate(eegmat, coded)
    with eegzip.open(coded) as recording:
        said = {signal["label"]: signal for signal in recording.info["signals"]}
    assert [channel.label for channel in report.channels] == [n for n in said if said[n]["kind"] != "annotations"]
    for channel in report.channels:
        entry = said[channel.label]
        assert channel.eeg == (entry["coding"] == "tokens")
        assert channel.measures.prd == pytest.approx(entry["prd"])
        assert channel.measures.r == pytest.approx(entry["r"])
        assert channel.largest_error_uv == pytest.approx(entry["largest_error_uv"])
    assert "all other channels are exact" in report.sentence()


def test_coded_bytes_are_what_the_channels_take(eegmat: Path, compressed: Callable[..., Path]) -> None:
    coded = compressed(eegmat)
    report = eegzip.evaluate(eegmat, coded)
    with EegzReader(coded) as reader:
        assert reader.summary is not None
        payload = reader.summary.token_bytes + reader.summary.knot_bytes
        entries = sum(len(reader.directory(chunk).streams) for chunk in reader.chunks)
        # An entry of a directory takes 7 to 12 bytes, a directory 8 and a few more.
        assert 7 * entries <= report.coded_bytes - payload <= 12 * entries + 20 * len(reader.chunks)
    assert report.coded_bytes < report.compressed_bytes == coded.stat().st_size
    assert report.bits_per_second == pytest.approx(8 * report.coded_bytes / report.duration / len(report.eeg))


def test_exact_is_lossless(eegmat: Path, compressed: Callable[..., Path]) -> None:
    report = eegzip.evaluate(eegmat, compressed(eegmat, exact=["*"]))
    assert report.tier.letter == "L"
    assert {channel.measures.prd for channel in report.channels} == {0}
    assert len(report.eeg) == 3
    assert eegzip.evaluate(eegmat, eegmat).tier.letter == "L"


def test_bdf_and_uneven_rates(compressed: Callable[..., Path], short_psg: Path) -> None:
    report = eegzip.evaluate(short_psg, compressed(short_psg))
    assert len({channel.sample_rate for channel in report.channels}) > 1
    assert all(channel.measures.largest_error == 0 for channel in report.channels if not channel.eeg)


def test_other_recordings_are_refused(
    eegmat: Path, short_psg: Path, compressed: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(eegzip.BadInputError, match="own original"):
        eegzip.evaluate(short_psg, compressed(eegmat))
    part = tmp_path / "part.edf"
    eegzip.decompress(compressed(eegmat, exact=["*"]), part, start=0, stop=10)
    with pytest.raises(eegzip.BadInputError, match="data records"):
        eegzip.evaluate(eegmat, part)
    other = tmp_path / "other.edf"
    content = bytearray(eegmat.read_bytes())
    content[256:260] = b"XYZ "
    other.write_bytes(content)
    with pytest.raises(eegzip.BadInputError, match="label"):
        eegzip.evaluate(eegmat, other)
    with pytest.raises(eegzip.EdfError):
        eegzip.evaluate(tmp_path / "none.edf", part)
