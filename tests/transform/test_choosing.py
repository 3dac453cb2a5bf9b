"""Quantised values chosen without writing any, and layers found by them, of a real recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eegzip.formats.edf import EdfFile
from eegzip.formats.transform.layer import decode_layer, restored_values, step_size
from eegzip.formats.transform.layer_header import LayerHeader
from eegzip.formats.transform.search.band_planning import plan
from eegzip.formats.transform.search.choosing import quantise_by_costs, quantise_by_estimate
from eegzip.formats.transform.search.fitting import PENALTY, fit_layer
from eegzip.formats.transform.search.layer_encoder import EncodedLayer, analyse, encode_layer, step_code

EXAMPLE = Path(__file__).parents[2] / "examples" / "data" / "eegmat_subject18_arithmetic.edf"


def example(seconds: int = 20) -> np.ndarray:
    with EdfFile.open(EXAMPLE) as file:
        return np.stack([file.read_signal(index, 0, 500 * seconds) for index in range(8)]).astype(np.float64)


@pytest.fixture(scope="module")
def written() -> EncodedLayer:
    samples = example()
    samples -= np.rint(samples.mean(axis=1, keepdims=True))
    coefficients = analyse(samples, 40)
    steps = step_code(0.3 * samples.std(axis=1))
    bands = plan(coefficients / step_size(steps)[:, None, None], 1 / 12)
    members = np.ones(len(samples), bool)
    header = LayerHeader(members, 40, (0,) * len(samples), tuple(map(int, steps)), (), tuple(bands), None)
    return encode_layer(coefficients, samples.shape[1], header, PENALTY)


def error(layer: EncodedLayer, quantised: np.ndarray) -> float:
    return float(np.square(layer.values - restored_values(quantised, list(layer.offsets))).sum())


def test_costs_that_were_noted_choose_what_was_written(written: EncodedLayer) -> None:
    chosen = quantise_by_costs(written.values, written.costs, PENALTY)
    loud = (chosen != 0) | (written.quantised != 0)
    assert loud.sum() > 1000
    assert (chosen == written.quantised)[loud].mean() > 0.95
    assert error(written, chosen) == pytest.approx(error(written, written.quantised), rel=0.01)


def test_an_estimate_is_near_what_is_written(written: EncodedLayer) -> None:
    chosen = quantise_by_estimate(written.values, PENALTY)
    assert error(written, chosen) == pytest.approx(error(written, written.quantised), rel=0.06)
    assert np.abs(chosen - written.quantised).max() <= 2


def test_nothing_known_of_a_coefficient_makes_it_dear() -> None:
    values = np.array([[[0.9, -1.1, 1.9, -2.2, 7.3]]])
    nothing = np.zeros((3, 1, 1, 5), np.float32)
    assert quantise_by_costs(values, nothing, 0.0).tolist() == [[[1, -1, 2, -2, 7]]]
    assert quantise_by_costs(values, nothing, PENALTY).tolist() == [[[0, 0, 2, -2, 7]]]
    assert not quantise_by_estimate(np.zeros((2, 3, 4)), PENALTY).any()


@pytest.mark.parametrize("sums", [False, True])
def test_errors_are_within_their_bounds_and_use_them(sums: bool) -> None:
    """Of signals of their own, and of signals that are nearly sums of others, where no step acts on one alone."""
    samples = example()
    if sums:
        samples[4:] = samples[:4] - np.roll(samples[:4], 1, axis=0)
    bounds = np.maximum(0.1 * samples.std(axis=1), 2.0)

    def judge(restored: np.ndarray) -> np.ndarray:
        errors = np.rint(restored) - samples
        return np.sqrt(np.square(errors).mean(axis=1)) / bounds

    found = fit_layer(samples, np.ones(8, bool), bounds, 500.0, judge)
    assert found is not None
    assert np.array_equal(decode_layer(found.stream, 8, samples.shape[1])[1], found.samples)
    excess = judge(found.samples)
    assert excess.max() <= 1
    assert sums or excess.min() > 0.98
