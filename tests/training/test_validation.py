"""Validation looks at everyone held out, at the same windows each time, and measures what the codec would do."""

import numpy as np
import pytest
import torch

from eegzip.codecs.channels.grouping import random_groups, single_groups
from eegzip.codecs.checkpoints.config import NetworkConfig
from eegzip.codecs.networks.dac import EegDac
from eegzip.training.data.corpus import CachedRecording
from eegzip.training.validation.windows import Validation, chosen_windows

LABELS = ["Fp1", "Fp2", "C3", "C4", "O1", "O2"]


def recording(subject, seconds, seed=0):
    waves = np.random.default_rng(seed).normal(0, 0.2, (len(LABELS), seconds * 256)).astype(np.float32)
    return CachedRecording(subject, "d", subject, subject, LABELS, 256.0, waves)


def alone(labels, _rng):
    return single_groups(labels)


def in_groups(labels, rng):
    return random_groups(labels, 5, rng, scale=9)


@pytest.mark.parametrize("grouping", [alone, in_groups])
def test_everyone_has_an_equal_part(grouping):
    subjects = [recording("a", 400), recording("b", 60), recording("b", 60), recording("c", 90)]
    windows = chosen_windows(subjects, 256 * 10, 24, grouping, seed=1)
    counts = {p: sum(w.recording.subject == p for w in windows) for p in "abc"}
    assert len(windows) == 24
    assert set(counts.values()) == {8}
    assert len({(w.recording.subject, w.channels, w.start, id(w.recording.waves)) for w in windows}) == 24


def test_same_windows_every_time_and_others_by_seed():
    subjects = [recording("a", 400), recording("b", 100)]

    def places(seed):
        return [(w.recording.subject, w.channels, w.start) for w in chosen_windows(subjects, 2560, 20, in_groups, seed)]

    assert places(1) == places(1)
    assert places(1) != places(2)


def test_few_windows_are_all_there_are():
    windows = chosen_windows([recording("a", 25)], 256 * 10, 100, alone, seed=1)
    assert len(windows) == 2 * len(LABELS)
    assert {w.start for w in windows} == {0, 2560}


def test_short_recording_is_mirrored():
    (first, *_) = chosen_windows([recording("a", 5)], 256 * 8, 100, alone, seed=1)
    waves = first.waves(256 * 8)
    assert waves.shape == (1, 256 * 8)
    np.testing.assert_array_equal(waves[0, 1280:1290], waves[0, 1279:1269:-1])


def test_figures_are_those_of_the_network_and_its_depth():
    torch.manual_seed(0)
    shape = NetworkConfig(encoder_dim=4, encoder_rates=(4, 8), decoder_dim=16, decoder_rates=(8, 4), n_codebooks=3)
    network = EegDac(shape, 256.0).eval()
    windows = chosen_windows([recording("a", 30), recording("b", 30)], 1024, 12, alone, seed=1)
    validation = Validation(windows, 1024, 256.0, lambda labels: [0] * len(labels))
    for levels in (1, 3):
        metrics = validation.measure(network, levels)
        errors = []
        for window in windows:
            x = torch.from_numpy(window.waves(1024))[:, None]
            with torch.no_grad():
                z = network.quantizer(network.encoder(x), levels)[0]
                y = network.decoder(z)
            centred = x - x.mean()
            errors.append(float(100 * ((x - y).square().sum() / centred.square().sum()).sqrt()))
        assert metrics["prd"] == pytest.approx(float(np.median(errors)), rel=1e-4)
        assert len(metrics["codebooks"]["usage"]) == levels
        assert set(metrics["people"]) == {"a", "b"}
