"""``eegzip report``: what is on the page is what the recordings hold; it reaches for nothing and shows no patient."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from evaluation.browser import CHROMIUM, looked_at

import eegzip
from eegzip.formats.edf import EdfFile


@pytest.fixture(scope="module")
def recording(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 20 s."""
    raw = eegmat.read_bytes()
    header, records = int(raw[184:192]), int(raw[236:244])
    wanted = round(20 / float(raw[244:252]))
    size = (len(raw) - header) // records
    path = tmp_path_factory.mktemp("recording") / "short.edf"
    path.write_bytes(raw[:236] + f"{wanted:<8}".encode() + raw[244 : header + wanted * size])
    return path


@pytest.fixture(scope="module")
def page(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    eegzip.compress(recording, folder / "bounded.eegz", max_prd=9)
    eegzip.report(recording, folder / "bounded.eegz", folder / "page.html")
    return folder / "page.html"


def content_of(page: Path) -> dict:
    line = next(line for line in page.read_text("utf-8").splitlines() if line.startswith("const D="))
    return json.loads(line.removeprefix("const D=").removesuffix(";"))


def test_traces_are_the_samples(recording: Path, page: Path) -> None:
    """The second page of a channel at 500 Hz, drawn at 200: decoded as the page does it."""
    content = content_of(page)
    assert [channel["name"] for channel in content["channels"]] == ["Fp1", "T7", "O1"]
    assert set(content["traces"]["windows"]) == {str(number) for number in range(2)}
    planes = np.frombuffer(zlib.decompress(base64.b64decode(content["traces"]["windows"]["1"])), np.uint8)
    coded = planes.reshape(2, -1).T.copy().view("<u2").reshape(3, 2, 2000).astype(int)
    values = (coded >> 1) ^ -(coded & 1)
    with EdfFile.open(recording) as file:
        signal = file.header.signals[2]
        samples = file.read_signal(2, 5000, 10000) * signal.microvolts_per_digit
    drawn = np.cumsum(values[2, 0]) * content["traces"]["steps"][2]
    # Every second of those at 100 Hz is a sample of both; what lies above 100 Hz is all that was left out.
    assert np.corrcoef(drawn[::2], samples[::5])[0, 1] > 0.998


def test_promises_sizes_and_errors(recording: Path, page: Path) -> None:
    content = content_of(page)
    assert content["promises"]["rows"]
    assert all(met for *_, met in content["promises"]["rows"])
    sizes = dict(content["sizes"])
    ratios = [float(sizes[f"EEG, against {name}"].split(":")[0]) for name in
              ("16-bit samples (EDF)", "32-bit floats", "64-bit integers (OpenECS)")]  # fmt: skip
    assert ratios == pytest.approx([ratios[0], 2 * ratios[0], 4 * ratios[0]], rel=0.02)
    codes = np.frombuffer(zlib.decompress(base64.b64decode(content["errors"]["uv"])), np.uint8).reshape(3, 2)
    worst, uv, channel = content["chosen"]["worst"][0]
    assert (2 ** (codes[channel, worst] / 16) - 1) / 20 == pytest.approx(uv, rel=0.05)
    assert codes.max() == codes[channel, worst]


def test_nothing_is_fetched_and_nobody_is_named(recording: Path, page: Path, tmp_path: Path) -> None:
    text = page.read_text("utf-8")
    assert text.replace("http://www.w3.org/2000/svg", "").count("://") == 0
    with EdfFile.open(recording) as file:
        patient, said = file.header.patient, file.header.recording
    assert content_of(page)["patient"] is None
    assert said not in text
    eegzip.report(recording, recording, tmp_path / "open.html", patient=True)
    shown = content_of(tmp_path / "open.html")
    assert (shown["patient"]["patient"], shown["patient"]["recording"]) == (patient, said)
    assert shown["promises"]["rows"] == [["every sample", "the same in both", True]]


def test_no_torch_for_what_needs_no_network(recording: Path, page: Path, tmp_path: Path) -> None:
    code = (
        "import sys, eegzip; eegzip.report(*sys.argv[1:4]); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib')))"
    )
    files = [recording, page.with_name("bounded.eegz"), tmp_path / "page.html"]
    assert subprocess.run([sys.executable, "-c", code, *map(str, files)], check=False, timeout=120).returncode == 0


def test_refusals(recording: Path, short_psg: Path, page: Path, tmp_path: Path) -> None:
    with pytest.raises(eegzip.OutputExistsError):
        eegzip.report(recording, recording, page)
    with pytest.raises(eegzip.BadInputError):
        eegzip.report(recording, short_psg, tmp_path / "a.html")
    with pytest.raises(eegzip.UsageError, match="input itself"):
        eegzip.report(recording, recording, recording, overwrite=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_browser_draws_it(page: Path, tmp_path: Path, width: int, *, dark: bool) -> None:
    # Set by the script's last line, after everything was drawn.
    assert looked_at(page, tmp_path, width, dark=dark) == {"ready": "1", "wide": width}
    assert (tmp_path / "shot.png").stat().st_size > 50_000
