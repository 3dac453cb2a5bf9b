"""SPEC.md 6.5, 6.6 and 6.9: a decoder written from the page alone agrees with eegzip's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf
from spec import second_layers

from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.layers import chunk_layer
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.transform.corrections import encode_corrections
from eegzip.formats.transform.layer import decode_layer
from eegzip.formats.transform.search.fitting import fit_layer

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "v1.2"


@pytest.mark.parametrize(("n", "error"), [(500, 3.0), (1501, 40.0), (64, 0.6), (2, 1.0)])
def test_layers_of_real_eeg(eegmat: Path, n: int, error: float) -> None:
    edf = PlainEdf.read(eegmat)
    samples = np.stack([edf.digital(index)[4000 : 4000 + n] for index in range(3)]) / 16.0
    samples[1] += 900
    members = np.array([True, False, True, True, False])
    found = fit_layer(samples, members, np.full(3, error), 500.0, None)
    assert found is not None
    who, decoded = second_layers.layer(found.stream, 5, n)
    assert who == list(members)
    assert np.abs(decoded - found.samples).max() < 2.0**-20
    assert np.array_equal(decode_layer(found.stream, 5, n)[1], found.samples)


def test_layers_of_epochs_joined_end_to_end(eegmat: Path) -> None:
    edf = PlainEdf.read(eegmat)
    trials = [
        np.stack([edf.digital(index)[a : a + 500] for index in range(4)]) for a in (9000, 2000, 16000, 5000, 12000)
    ]
    samples = np.concatenate(trials, axis=1).astype(np.float64)
    found = fit_layer(samples, np.ones(4, bool), samples.std(axis=1) / 10, 500.0, None)
    assert found is not None
    _, decoded = second_layers.layer(found.stream, 4, samples.shape[1])
    assert np.abs(decoded - found.samples).max() < 2.0**-20


def test_layers_of_version_1_2() -> None:
    with EegzReader(GOLDEN / "prd.eegz") as reader:
        entry = reader.header.layer_sets[0]
        first, stop = reader.header.records_of_chunk(1)
        n = (stop - first) * reader.header.signals[entry.signals[0]].samples_per_record
        data = reader.decoded(1, StreamKind.FIRST_LAYER, 0, bytes)
    with EegzReader(GOLDEN / "prd.eegz") as reader:
        layer = chunk_layer(reader, 1, 0)
    who, decoded = second_layers.layer(data[1:], len(entry.signals), n, first=True)
    samples = np.stack([layer[signal].samples for signal in entry.signals])
    assert all(who)
    assert np.abs(decoded - samples).max() < 2.0**-20


def test_corrections() -> None:
    random = np.random.default_rng(0)
    values = random.integers(-3, 4, 400) * (random.random(400) < 0.2)
    values[100] = -63
    assert second_layers.corrections(encode_corrections(values), 400) == list(values)
