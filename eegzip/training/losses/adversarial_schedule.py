"""Schedule of the discriminators (paper section 2.3: reduced at first, removed once divergence is seen).

The paper states no rule. Ours ends the phase, for good, when one of these holds for `patience` steps on end:

* the smoothed reconstruction loss lies more than `rise` above the lowest that it had since the phase began;
* the discriminators win: their smoothed loss is under a tenth of what guessing costs them;

or at once when a loss is not finite. The rule looks at smoothed values (a moving average over `patience` steps), as
single batches of EEG differ far more than steps do.
"""

from __future__ import annotations

import math

from eegzip.training.settings.sections import AdversarialSettings

# Least-squares discriminators that answer 0.5 to everything lose 0.25 on real and 0.25 on restored waveforms.
GUESSING = 0.5
_WON = 0.1 * GUESSING
_STATE = ("ended", "reconstruction", "discrimination", "lowest", "seen", "bad")


class AdversarialPhase:
    """Says at every step whether the discriminators take part.

    Parameters
    ----------
    settings
        Steps and rule.
    """

    def __init__(self, settings: AdversarialSettings) -> None:
        self.settings = settings
        self.ended = "never on" if settings.weight == 0 else ""
        self.reconstruction = math.nan
        self.discrimination = math.nan
        self.lowest = math.inf
        self.seen = 0
        self.bad = 0

    def active(self, step: int) -> bool:
        """Whether a step has discriminators."""
        return not self.ended and step >= self.settings.start_step

    def observe(self, step: int, reconstruction: float, discrimination: float) -> str:
        """Take note of a step's losses; return why the phase ends now, or nothing.

        Parameters
        ----------
        step
            Number of the step.
        reconstruction
            Spectrogram plus waveform loss, unweighted.
        discrimination
            The discriminators' loss, mean over them.
        """
        settings = self.settings
        if not (math.isfinite(reconstruction) and math.isfinite(discrimination)):
            return self._end("a loss is not finite")
        if settings.stop_step and step + 1 >= settings.stop_step:
            return self._end(f"step {settings.stop_step} was set as its end")
        self.seen += 1
        part = 1 / min(self.seen, settings.patience)
        self.reconstruction = _moved(self.reconstruction, reconstruction, part)
        self.discrimination = _moved(self.discrimination, discrimination, part)
        if self.seen < settings.patience:
            return ""
        self.lowest = min(self.lowest, self.reconstruction)
        worse = self.reconstruction > (1 + settings.rise) * self.lowest
        won = self.discrimination < _WON
        self.bad = self.bad + 1 if worse or won else 0
        if self.bad < settings.patience:
            return ""
        if worse:
            return self._end(f"the reconstruction loss rose to {self.reconstruction:.4g} from {self.lowest:.4g}")
        return self._end(f"the discriminators win: their loss is {self.discrimination:.4g}")

    def _end(self, reason: str) -> str:
        self.ended = reason
        return reason

    def state(self) -> dict[str, float | int | str]:
        """Return what a resumed run needs."""
        return {name: getattr(self, name) for name in _STATE}

    def load(self, state: dict[str, float | int | str]) -> None:
        """Take up what :meth:`state` gave."""
        for name in _STATE:
            setattr(self, name, state[name])


def _moved(mean: float, value: float, part: float) -> float:
    return value if math.isnan(mean) else mean + part * (value - mean)
