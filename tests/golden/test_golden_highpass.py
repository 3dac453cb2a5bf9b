"""A file whose model was trained behind a high-pass, which version 1.5 added, says so to every later version."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import eegzip

PATH = Path(__file__).parent / "v1.5" / "highpass.eegz"


def test_tokens_and_corner_are_the_same() -> None:
    assert PATH.read_bytes()[9:11] == bytes([1, 5])
    with eegzip.open(PATH) as recording, np.load(PATH.with_suffix(".npz"), allow_pickle=False) as golden:
        (codec,), groups = recording.info["codecs"], recording.info["groups"]
        assert (codec["highpass"], codec["scaling"]) == (0.1, "fixed")
        codes = np.stack([stream.codes for stream in recording.tokens()])
        np.testing.assert_array_equal(codes, golden["codes"], strict=True)
        np.testing.assert_array_equal([group["centres"] for group in groups], golden["centres"])
