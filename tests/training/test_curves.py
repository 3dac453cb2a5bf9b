"""The picture of a run."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from eegzip.formats.errors import BadInputError, OutputError
from eegzip.training.reporting.curves import binned, plot_curves
from eegzip.training.reporting.journal import Journal


def written(folder: Path, steps: int, levels: int = 9) -> Path:
    """Write the journal of a run that never happened."""
    with Journal(folder, tensorboard=False) as journal:
        journal.record("start", 0, name="a $name with _marks")
        for step in range(1, steps + 1):
            fading = float(np.exp(-step / steps))
            journal.record(
                "step", step, seconds=step * 0.5, lr=1e-3 * fading, seconds_per_second=500.0,
                loss={"total": fading, "waveform": 0.5 * fading, "stft": None, "adversarial": 0.0},
                usage=[0.9] * levels, entropy=[5.0] * levels,
            )  # fmt: skip
            if step % 10 == 0:
                journal.record("validation", step, prd=90 * fading, spectrogram=fading, snr=3.0)
        journal.record("resume", steps)
    return folder / "log.jsonl"


def pixels(path: Path) -> np.ndarray:
    """Decode a picture as strangers do, by its chunks: RGBA [height, width, 4] without filters undone is enough."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    assert (depth, colour) == (8, 6)
    body, place = b"", 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            body += data[place + 8 : place + 8 + length]
        place += length + 12
    raw = np.frombuffer(zlib.decompress(body), np.uint8)
    return raw.reshape(height, 1 + 4 * width)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The picture of twenty steps."""
    folder = tmp_path_factory.mktemp("drawn")
    plot_curves(written(folder, 20), folder / "curves.png", name="same")
    return folder / "curves.png"


def sane(out: Path) -> None:
    """It has the size of a picture."""
    height, row = pixels(out).shape
    assert 800 <= height <= 2000
    assert 1000 <= row // 4 <= 3000
    assert 20_000 < out.stat().st_size < 1_000_000
    assert sorted(p.name for p in out.parent.iterdir()) == ["curves.png", "log.jsonl"]


@pytest.mark.parametrize(("steps", "codebooks"), [(1, 1), (700, 32)])
def test_it_is_a_picture_of_a_sane_size(steps: int, codebooks: int, tmp_path: Path) -> None:
    out = tmp_path / "curves.png"
    plot_curves(written(tmp_path, steps, codebooks), out)
    sane(out)


def test_the_curves_are_of_the_log(drawn: Path, tmp_path: Path) -> None:
    sane(drawn)
    again, other = tmp_path / "1.png", tmp_path / "2.png"
    plot_curves(drawn.with_name("log.jsonl"), again, name="same")
    assert drawn.read_bytes() == again.read_bytes()
    plot_curves(written(tmp_path / "other", 40), other, name="same")
    assert drawn.read_bytes() != other.read_bytes()


def test_a_log_of_little_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    for number, record in enumerate(
        (("step", {}), ("step", {"loss": {"total": None}}), ("validation", {"prd": 12.0}), ("step", {"lr": 0.0}))
    ):
        folder = tmp_path / str(number)
        with Journal(folder, tensorboard=False) as journal:
            journal.record(record[0], 1, **record[1])
        plot_curves(folder / "log.jsonl", folder / "curves.png")
        assert pixels(folder / "curves.png").size


def test_nothing_to_draw_and_nowhere_to_draw_are_sentences(tmp_path: Path) -> None:
    with Journal(tmp_path, tensorboard=False) as journal:
        journal.record("start", 0)
    with pytest.raises(BadInputError, match="no training steps yet"):
        plot_curves(tmp_path / "log.jsonl", tmp_path / "a.png")
    with pytest.raises(BadInputError, match="can't be read"):
        plot_curves(tmp_path / "none.jsonl", tmp_path / "a.png")
    with pytest.raises(OutputError, match="could not be written"):
        plot_curves(written(tmp_path, 3), tmp_path / "none" / "a.png")


def test_pyplot_and_its_global_state_are_left_alone(tmp_path: Path) -> None:
    log = written(tmp_path, 3)
    code = (
        "import sys; from eegzip.training.reporting.curves import plot_curves\n"
        f"plot_curves({str(log)!r}, {str(tmp_path / 'a.png')!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, timeout=60)


def test_bins_keep_means() -> None:
    x, y = np.arange(1000.0), np.random.default_rng(0).normal(size=1000)
    few_x, few_y = binned(x, y, 10)
    assert len(few_x) == 10
    assert np.allclose(few_x, [i * 100 + 49.5 for i in range(10)])
    assert np.allclose(few_y, y.reshape(10, 100).mean(1))
    same_x, same_y = binned(x[:10], y[:10], 10)
    assert np.array_equal(same_x, x[:10])
    assert np.array_equal(same_y, y[:10])
