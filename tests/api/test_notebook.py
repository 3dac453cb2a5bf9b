"""What notebooks show: the sentence, figures of channels, all of it escaped, nothing of the patient."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

import eegzip


class Shown(HTMLParser):
    """Text and tags of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def hostile(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of a recording whose patient has a name, and one of whose labels would be a tag."""
    raw = bytearray(eegmat.read_bytes())
    header, records, signals = int(raw[184:192]), int(raw[236:244]), int(raw[252:256])
    size = (len(raw) - header) // records
    kept = round(8 / float(raw[244:252]))
    raw[8:88] = f"{'P7 F 01-JAN-1980 Jane_Example':<80}".encode()
    raw[236:244] = f"{kept:<8}".encode()
    labels = [bytes(raw[256 + 16 * number : 272 + 16 * number]).strip() for number in range(signals)]
    ecg = next(number for number, label in enumerate(labels) if label.startswith(b"ECG"))
    raw[256 + 16 * ecg : 272 + 16 * ecg] = f"{'<script>&ECG':<16}".encode()
    path = tmp_path_factory.mktemp("notebook") / "a&b.edf"
    path.write_bytes(raw[: header + kept * size])
    return path


def test_reports_and_recordings(hostile: Path, tmp_path: Path) -> None:
    compressed = eegzip.compress(hostile, tmp_path / "a&b.eegz", max_prd=20)
    restored = eegzip.decompress(tmp_path / "a&b.eegz", tmp_path / "back.edf")
    checked = eegzip.verify(tmp_path / "a&b.eegz")
    found = eegzip.evaluate(hostile, tmp_path / "back.edf")
    for report in (compressed, restored, checked, found):
        shown = Shown(report._repr_html_())
        assert shown.texts[0] == report.sentence()
        assert "Jane" not in "".join(shown.texts)
        assert "script" not in shown.tags
    with eegzip.open(tmp_path / "a&b.eegz") as recording:
        assert "Jane_Example" in recording.info["patient"]
        opened = Shown(recording._repr_html_())
    assert opened.texts[0].startswith("a&b.eegz: 4 channels, 500 Hz, 8 s, ")
    assert "Jane" not in "".join(opened.texts)
    assert "1980" not in "".join(opened.texts)
    for shown in (opened, Shown(compressed._repr_html_())):
        begin = shown.texts.index("EEG O1")
        signal = next(signal for signal in compressed.signals if signal.label == "EEG O1")
        assert shown.texts[begin + 1 : begin + 4] == ["bounded", f"{signal.bits_per_second:.0f}", f"{signal.prd:.2f}"]
        assert "<script>&ECG" in shown.texts
    assert f"{found.channels[0].measures.prd:.2f}" in Shown(found._repr_html_()).texts


def test_damage_is_said(hostile: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.eegz"
    eegzip.compress(hostile, path, lossless=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    checked = eegzip.verify(path)
    assert not checked.intact
    shown = Shown(checked._repr_html_())
    assert shown.texts == [checked.sentence(), *checked.problems]
