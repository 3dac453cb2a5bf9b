"""A file that carries its model, which version 1.7 added, restores alike for every later version, with nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import eegzip
from eegzip.formats.edf import EdfFile

PATH = Path(__file__).parent / "v1.7" / "model" / "model.eegz"


def test_tokens_and_samples_are_the_same(tmp_path: Path) -> None:
    assert PATH.read_bytes()[9:11] == bytes([1, 7])
    assert eegzip.verify(PATH, deep=True).intact
    eegzip.decompress(PATH, tmp_path / "restored.edf")
    with eegzip.open(PATH) as recording, np.load(PATH.with_suffix(".npz"), allow_pickle=False) as golden:
        np.testing.assert_array_equal(np.stack([s.codes for s in recording.tokens()]), golden["codes"], strict=True)
        with EdfFile.open(tmp_path / "restored.edf") as restored:
            for index, samples in enumerate(golden["samples"]):
                # Within the tolerance of SPEC.md, section 9: the scales are below 6900 digital units.
                np.testing.assert_allclose(restored.read_signal(index, 0, 2000), samples, atol=1 + 6900 / 1024)
