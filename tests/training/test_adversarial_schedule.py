"""The adversarial phase ends when, and only when, its stated rule says so."""

import json
import math

import numpy as np

from eegzip.training.losses.adversarial_schedule import GUESSING, AdversarialPhase
from eegzip.training.settings.sections import AdversarialSettings

ON = AdversarialSettings(weight=0.1, patience=20)


def run(phase, losses):
    """Feed losses; return step and reason of the end, or None."""
    for step, (reconstruction, discrimination) in enumerate(losses):
        why = phase.observe(step, reconstruction, discrimination)
        if why:
            return step, why
    return None


def noisy(level, seed, count=400):
    return level * np.random.default_rng(seed).uniform(0.8, 1.2, count)


def test_without_weight_there_is_no_phase():
    assert not AdversarialPhase(AdversarialSettings(weight=0)).active(0)


def test_waits_for_its_first_step():
    phase = AdversarialPhase(AdversarialSettings(weight=1, start_step=5))
    assert [phase.active(step) for step in (0, 4, 5, 6)] == [False, False, True, True]


def test_goes_on_while_losses_are_noisy_but_fall():
    losses = zip(noisy(1.0, 1) * np.linspace(1, 0.5, 400), noisy(GUESSING * 0.8, 2), strict=True)
    phase = AdversarialPhase(ON)
    assert run(phase, losses) is None
    assert phase.active(400)


def test_ends_when_reconstruction_diverges():
    rise = np.concatenate([np.ones(200), np.linspace(1, 3, 200)])
    step, why = run(AdversarialPhase(ON), zip(noisy(1.0, 1) * rise, noisy(GUESSING * 0.8, 2), strict=True))
    assert 200 < step < 300
    assert "reconstruction" in why


def test_ends_when_the_discriminators_win():
    winning = np.concatenate([np.full(100, GUESSING), np.full(300, 0.01)])
    step, why = run(AdversarialPhase(ON), zip(noisy(1.0, 1), winning, strict=True))
    assert 100 < step < 250
    assert "discriminators win" in why


def test_ends_at_once_when_a_loss_is_not_finite():
    assert AdversarialPhase(ON).observe(0, math.nan, 0.4)
    phase = AdversarialPhase(ON)
    assert phase.observe(0, 1.0, math.inf)
    assert not phase.active(1)


def test_ends_at_a_set_step():
    assert run(AdversarialPhase(AdversarialSettings(weight=1, stop_step=7)), [(1.0, 0.5)] * 20)[0] == 6


def test_goes_on_after_a_resumption_as_if_nothing_had_happened():
    losses = list(zip(noisy(1.0, 1) * np.concatenate([np.ones(150), np.full(250, 2.0)]), noisy(0.4, 2), strict=True))
    whole = run(AdversarialPhase(ON), losses)
    first = AdversarialPhase(ON)
    assert run(first, losses[:100]) is None
    second = AdversarialPhase(ON)
    second.load(json.loads(json.dumps(first.state())))
    step, why = run(second, losses[100:])
    assert (step + 100, why) == whole
