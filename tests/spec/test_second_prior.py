"""SPEC.md 6.2.1 is enough to read tokens in context: a reader written from it alone finds the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from second_prior import read_tables
from second_reader import SecondReader

import eegzip


@pytest.mark.parametrize("options", [{"codebooks": 4, "chunk_seconds": 30}, {"bitrate": 60.0}])
def test_the_second_reader_finds_the_same_tokens(eegmat: Path, model_with_prior: Path, compressed, options) -> None:
    path = compressed(eegmat, model=model_with_prior, **options)
    prior = read_tables((model_with_prior / "prior.safetensors").read_bytes())
    reader = SecondReader(path.read_bytes(), prior=prior)
    with eegzip.open(path, model=model_with_prior) as recording:
        streams = recording.tokens()
    assert len(streams) == 3
    for number, stream in enumerate(streams):
        np.testing.assert_array_equal(reader.tokens(number), stream.codes)
