"""A file of a causal model, which version 1.6 added, has the same tokens and scales for every later version."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import eegzip

PATH = Path(__file__).parent / "v1.6" / "causal.eegz"


def test_tokens_and_scales_are_the_same() -> None:
    assert PATH.read_bytes()[9:11] == bytes([1, 6])
    with eegzip.open(PATH) as recording, np.load(PATH.with_suffix(".npz"), allow_pickle=False) as golden:
        (codec,), groups = recording.info["codecs"], recording.info["groups"]
        assert (codec["name"], codec["scaling"], codec["highpass"]) == ("biocodec", "fixed", 0.1)
        codes = np.stack([stream.codes for stream in recording.tokens()])
        np.testing.assert_array_equal(codes, golden["codes"], strict=True)
        for name in ("centres", "ranges"):
            np.testing.assert_array_equal([group[name] for group in groups], golden[name])
