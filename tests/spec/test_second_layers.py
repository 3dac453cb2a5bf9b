"""SPEC.md 6.5 and 6.6: a decoder written from the page alone agrees with eegzip's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf
from spec import second_layers

from eegzip.formats.transform.corrections import encode_corrections
from eegzip.formats.transform.fitting import fit_layer
from eegzip.formats.transform.layer import decode_layer


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


def test_corrections() -> None:
    random = np.random.default_rng(0)
    values = random.integers(-3, 4, 400) * (random.random(400) < 0.2)
    values[100] = -63
    assert second_layers.corrections(encode_corrections(values), 400) == list(values)
