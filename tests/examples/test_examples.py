"""Every program in examples/ runs, from a foreign folder, and says what it should."""

import json
import os
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
RECORDING = EXAMPLES / "data" / "eegmat_subject18_arithmetic.edf"
MAX_LOSS = 25.0  # percent PRD; a straight line has 100, the shipped model about half of this


def run(name: str, folder: Path, *arguments: str | Path, code: int = 0, apart: bool = False) -> str:
    """Run an example in a folder of its own; return what it prints.

    In this process, which has loaded torch already; in one of its own where that could matter.
    """
    words = [str(EXAMPLES / name), *map(str, arguments)]
    if apart:
        done = subprocess.run(
            [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout
    out, err, left, here = StringIO(), StringIO(), 0, Path.cwd()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
        patched.setattr(sys, "argv", words)
        os.chdir(folder)
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as end:
            left = end.code or 0
        finally:
            os.chdir(here)
    assert left == code, err.getvalue()
    assert "Traceback" not in err.getvalue()
    return out.getvalue()


def test_every_example_has_a_test() -> None:
    programs = {path.name for path in EXAMPLES.glob("*.py")}
    assert programs == set(re.findall(r'run\("(\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))


def test_the_recording_that_ships_is_the_one_its_readme_names() -> None:
    from hashlib import sha256

    readme = (RECORDING.parent / "README.md").read_text(encoding="utf-8")
    assert sha256(RECORDING.read_bytes()).hexdigest() in readme
    assert RECORDING.stat().st_size < 1_500_000


def test_compress_and_read_back(tmp_path: Path) -> None:
    output = run("compress_and_read_back.py", tmp_path, apart=True)
    ratio = float(re.search(r"\(([\d.]+):1\)", output)[1])
    assert ratio > 5
    assert "same size as the original: True" in output
    rows = re.findall(r"^(.{16})(tokens|exact)\s+(\d+)\s+([\d.]+)\s+([\d.]+)$", output, re.MULTILINE)
    assert len(rows) == 21
    for label, coding, rate, stored, measured in rows:
        # What the file says about itself is what an independent reader finds.
        assert float(stored) == pytest.approx(float(measured), abs=0.011), label
        if coding == "exact":
            assert (label.strip(), float(measured)) == ("ECG ECG", 0.0)
        else:
            assert 0 < float(measured) < MAX_LOSS, label
            assert int(rate) < 1000, label


def test_read_ten_seconds(tmp_path: Path) -> None:
    import numpy as np
    import pyedflib

    output = run("read_ten_seconds.py", tmp_path)
    assert "array (3, 5000) in uV" in output
    with pyedflib.EdfReader(str(RECORDING)) as original:
        labels = original.getSignalLabels()
        for name in ("C3", "Cz", "C4"):
            values = original.readSignal(labels.index(f"EEG {name}"), 10_000, 5_000)
            printed = float(re.search(rf"^{name}: .* deviation ([\d.]+) uV$", output, re.MULTILINE)[1])
            assert printed == pytest.approx(np.std(values), rel=0.05), name


def test_tokens_as_tensor(tmp_path: Path) -> None:
    output = run("tokens_as_tensor.py", tmp_path)
    shape = re.search(r"tensor \((\d+), (\d+), (\d+)\) torch.int64, values (\d+) to (\d+)", output)
    channels, codebooks, frames, least, largest = map(int, shape.groups())
    entries = int(re.search(r"(\d+) entries a codebook", output)[1])
    rate = float(re.search(r"([\d.]+) frames a second", output)[1])
    assert channels == 20
    assert 0 <= least < largest < entries
    assert frames == pytest.approx(62 * rate, abs=2)
    assert "cut at frame 40 and joined: the same True" in output
    assert f"coarse: (4, {frames})" in output
    assert f"({channels}, {4 * frames})" in output
    assert codebooks >= 4


def test_archive_pipeline(tmp_path: Path) -> None:
    import eegzip

    folder, store = tmp_path / "in", tmp_path / "store"
    (folder / "ward").mkdir(parents=True)
    content = RECORDING.read_bytes()
    good = folder / "ward" / "night.edf"
    good.write_bytes(content)
    (folder / "broken.EDF").write_bytes(content[:1000])
    (folder / "notes.txt").write_text("no recording")

    output = run("archive_pipeline.py", tmp_path, folder, store, code=1)
    assert "2 recordings, 1 failed" in output
    assert good.read_bytes() == content, "originals are never touched"
    assert {path.name for path in store.rglob("*") if path.is_file()} == {"manifest.jsonl", "night.edf.eegz"}
    assert eegzip.verify(store / "ward" / "night.edf.eegz").intact
    first = {line["source"]: line for line in map(json.loads, (store / "manifest.jsonl").read_text().splitlines())}
    assert set(first) == {"broken.EDF", "ward/night.edf"}
    assert "ends within its header" in first["broken.EDF"]["error"]
    done = first["ward/night.edf"]
    assert done["status"] == "archived"
    assert done["original_bytes"] == len(content) > 5 * done["compressed_bytes"]
    assert 0 < done["worst_prd"] < MAX_LOSS

    (folder / "broken.EDF").unlink()
    before = (store / "ward" / "night.edf.eegz").stat().st_mtime_ns
    output = run("archive_pipeline.py", tmp_path, folder, store)
    assert "1 recordings, 0 failed" in output
    assert (store / "ward" / "night.edf.eegz").stat().st_mtime_ns == before
    assert json.loads((store / "manifest.jsonl").read_text().splitlines()[-1])["status"] == "skipped"


def test_plot_original_and_restored(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    output = run("plot_original_and_restored.py", tmp_path, RECORDING, tmp_path / "traces.png", apart=True)
    assert "EEG Fp1, EEG C3, EEG Pz, EEG O1" in output
    assert (tmp_path / "traces.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "traces.png").stat().st_size > 20_000


def test_train_on_tokens(tmp_path: Path) -> None:
    """Pieces of one recording for four people, three steps: it runs, and what it dreams opens."""
    import pyedflib

    raw = RECORDING.read_bytes()
    head, records = int(raw[184:192]), int(raw[236:244])
    size = (len(raw) - head) // records
    for number, name in enumerate(("A_1", "A_2", "B_1", "B_2")):
        part = raw[head + 10 * number * size : head + 10 * (number + 1) * size]
        (tmp_path / f"{name}.edf").write_bytes(raw[:236] + f"{10:<8}".encode() + raw[244:head] + part)
    options = ["--recordings", "4", "--steps", "3", "--dream-seconds", "2"]
    output = run("train_on_tokens.py", tmp_path, tmp_path, *options)
    bits, accuracy = re.search(r"held out: ([\d.]+) bits a token .*, (\d+) % balanced", output).groups()
    assert 5 < float(bits) < 9
    assert 0 <= int(accuracy) <= 100
    with pyedflib.EdfReader(str(tmp_path / "dream.edf")) as reader:
        assert (reader.signals_in_file, reader.getNSamples()[0], reader.getSampleFrequency(0)) == (20, 512, 256)
        assert reader.getPhysicalDimension(0) == "uV"
