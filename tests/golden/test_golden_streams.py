"""The streams that version 1.2 added are decoded by every later version as they were when they were written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import eegzip
from eegzip.formats.eegz.reader import EegzReader

FOLDER = Path(__file__).parent / "v1.2"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "streams.npz", allow_pickle=False) as file:
        return dict(file)


def steps_uv(path: Path) -> np.ndarray:
    """Microvolts that each channel's digital unit stands for, as a column."""
    with eegzip.open(path) as recording:
        signals = [signal for signal in recording.edf_header.signals if not signal.is_annotations]
    return np.array([abs(signal.microvolts_per_digit or 1.0) for signal in signals])[:, None]


def test_files_are_small_and_of_this_version():
    names = {"exact", "exact24", "error", "prd", "tokens", "both"}
    assert {path.stem for path in FOLDER.glob("*.eegz")} == names
    for name in names:
        path = FOLDER / f"{name}.eegz"
        assert path.stat().st_size < 80_000
        assert path.read_bytes()[9:11] == bytes([1, 2])


@pytest.mark.parametrize("name", ["exact", "exact24"])
def test_what_was_exact_is_the_original_byte_for_byte(name, tmp_path):
    """The file carries the original's SHA-256, so the answer is not the code's own."""
    eegzip.decompress(FOLDER / f"{name}.eegz", tmp_path / "back")
    with EegzReader(FOLDER / f"{name}.eegz") as file:
        assert hashlib.sha256((tmp_path / "back").read_bytes()).hexdigest() == file.header.source_sha256
        assert file.header.predicted


@pytest.mark.parametrize("name", ["error", "prd", "both", "tokens"])
def test_layers_and_tokens_give_the_same_samples(name, golden):
    """Layers may differ by a digital unit on another machine, tokens by the tolerance of SPEC.md, section 9."""
    path = FOLDER / f"{name}.eegz"
    with eegzip.open(path) as recording:
        values = recording.read()
    wanted = golden[f"{name}_values"]
    units = 1 + (np.abs(wanted).max() / steps_uv(path).min() / 1024 if name in ("both", "tokens") else 0)
    assert np.abs(values - wanted).max() <= (units * steps_uv(path)).max() * 1.000001


@pytest.mark.parametrize("name", ["both", "tokens"])
def test_tokens_are_the_same_integers(name, golden):
    with eegzip.open(FOLDER / f"{name}.eegz") as recording:
        codes = np.stack([stream.codes for stream in recording.tokens()])
    np.testing.assert_array_equal(codes, golden[f"{name}_codes"], strict=True)


def test_every_kind_of_new_stream_is_among_them():
    kinds: dict[str, set[int]] = {}
    for path in FOLDER.glob("*.eegz"):
        with EegzReader(path) as file:
            kinds[path.stem] = {kind for chunk in file.chunks for kind, _ in file.directory(chunk).streams}
    assert {kind for found in kinds.values() for kind in found} == {0, 1, 2, 3, 4}
