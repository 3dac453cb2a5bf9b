"""The ways of coding side by side: each signal is one stage's, in every kind of file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eegzip.codecs.checkpoints.priors import priors
from eegzip.decoding.recording_decoder import stages_of
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.formats.eegz.reader import EegzReader


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({"model": "dac-sc-compact-1"}, {"tokens", "exact"}),
        ({"max_prd": 9, "keep_tokens": True, "model": "dac-sc-compact-1"}, {"tokens", "exact", "layers"}),
        ({"max_prd": 9}, {"exact", "layers"}),
        ({"lossless": True}, {"exact"}),
    ],
    ids=["tokens", "bounded on tokens", "bounded", "lossless"],
)
def test_each_signal_is_restored_by_one_stage_and_each_stream_is_verified(
    options: dict[str, Any], kinds: set[str], eegmat: Path, compressed: Callable[..., Path]
) -> None:
    with EegzReader(compressed(eegmat, **options), priors()) as reader:
        header = reader.header
        stages = stages_of(reader, StoredNetwork(reader))
        restored = Counter[int]()
        checked = Counter[str]()
        for stage in stages:
            (samples,) = stage.restore([0])
            for signal, values in samples(1, 3).items():
                restored[signal] += 1
                assert values.shape == (2, header.signals[signal].samples_per_record)
            for check in stage.verify(0):
                assert check.problem is None
                assert check.unchecked is None
                checked[check.kind] += 1
        assert restored == Counter(range(len(header.signals)))
        assert set(checked) == kinds
        assert checked["tokens"] == len(header.groups)
