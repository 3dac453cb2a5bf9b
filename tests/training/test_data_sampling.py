"""Batches are functions of seed and step."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from training.test_data_corpus import made

from eegzip.training.data.sampling import Sampler, segment_of

LABELS = ("Fp1", "Fp2", "C3", "C4", "O1")


def pairs(labels, rng):
    order = rng.permutation(len(labels))
    return [tuple(int(i) for i in order[k : k + 2]) for k in range(0, len(labels), 2)]


def sampler(seed=1, recordings=None, length=512):
    recordings = recordings or [made("a", 20, labels=LABELS), made("b", 5, labels=LABELS[:3]), made("c", 1)]
    return Sampler(recordings, length, 3, pairs, seed)


def same(a, b):
    return np.array_equal(a.wave, b.wave) and np.array_equal(a.present, b.present) and a.labels == b.labels


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.integers(0, 10**9), st.integers(1, 9), st.data())
def test_any_rows_are_those_of_the_whole_batch(seed, step, size, data):
    whole = sampler(seed).batch(step, size)
    first = data.draw(st.integers(0, size - 1))
    count = data.draw(st.integers(1, size - first))
    other = sampler(seed)
    other.batch(step + 1, size)
    part = other.batch(step, size, first, count)
    assert np.array_equal(part.wave, whole.wave[first : first + count])
    assert np.array_equal(part.present, whole.present[first : first + count])
    assert part.labels == whole.labels[first : first + count]


def test_seeds_and_steps_differ():
    assert not same(sampler(1).batch(5, 8), sampler(2).batch(5, 8))
    assert not same(sampler(1).batch(5, 8), sampler(1).batch(6, 8))


def test_rows_are_stretches_of_the_recording_up_to_sign_and_padded_to_the_limit():
    recording = made("a", 20, labels=LABELS)
    batch = sampler(recordings=[recording]).batch(0, 40)
    signs = set()
    for wave, present, labels in zip(batch.wave, batch.present, batch.labels, strict=True):
        assert present.tolist() == [i < len(labels) for i in range(3)]
        assert not wave[~present].any()
        sign = 1 if wave[0, -1] > 0 else -1
        signs.add(sign)
        for row, label in zip(sign * wave, labels, strict=False):
            start = int(row[0] - recording.waves[LABELS.index(label), 0])
            assert np.array_equal(row, recording.waves[LABELS.index(label), start : start + 512])
    assert signs == {1, -1}


def test_what_a_short_recording_lacks_is_mirrored():
    recording = made("c", 1)
    found = segment_of(recording, (0,), 0, 600)[0]
    own = recording.waves[0]
    assert np.array_equal(found, np.r_[own, own[::-1], own[:88]])


def test_people_are_drawn_by_the_root_of_what_there_is_of_them():
    recordings = [made("a", 90, labels=("A",)), made("a", 70, labels=("A",)), made("b", 10, labels=("B",))]
    labels = [row[0] for row in sampler(recordings=recordings, length=64).batch(0, 1500).labels]
    # The root of 160 s against that of 10 s: four to one.
    assert abs(labels.count("B") / 1500 - 0.2) < 0.04
