"""Progress of a training run on the screen: a bar on a terminal, a line a validation in a pipe."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from eegzip.cli.saying import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from tqdm import tqdm

    from eegzip.training.settings.sections import RunSettings


class TrainingWatch:
    """Called after every step with its numbers.

    Parameters
    ----------
    limits
        The run's limits, for the time that is left.
    terminal
        Draw a bar.
    lines
        Write a line at every validation.
    begins
        Called once, before the first step is shown.
    """

    def __init__(
        self, limits: RunSettings, *, terminal: bool, lines: bool, begins: Callable[[], None] = lambda: None
    ) -> None:
        self._limits, self._begins = limits, begins
        self._terminal, self._lines = terminal, lines
        self._bar: tqdm[Any] | None = None
        self._seen: dict[str, Any] | None = None
        self._first: tuple[float, float] | None = None
        self._step_before = 0

    def __call__(self, values: dict[str, Any]) -> None:
        """Take note of a step; see :func:`eegzip.training.api.train` for what it holds."""
        step, seconds = int(values["step"]), float(values["seconds"])
        if "stage" in values:  # its bar is that of what is prepared
            if self._lines:
                self._write(f"{values['stage']}, {step}, {clock(seconds)}: {stage_in_words(values)}")
            return
        share = self._share(step, seconds)
        if self._first is None:
            self._begins()
            self._first = (share, seconds)
        checked = values.get("validation") or None
        if checked is not None and checked is not self._seen and self._lines:
            # The validation belongs to the step before: this one's has not been done yet.
            self._write(f"step {self._step_before or step - 1}, {clock(seconds)}: {metrics_in_words(values, checked)}")
        self._seen, self._step_before = checked, step
        if self._terminal:
            self._draw(step, share, seconds, metrics_in_words(values, checked, brief=True))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _share(self, step: int, seconds: float) -> float:
        """How much of the run is done, by the limit that is nearer; 0 without limits."""
        limits = self._limits
        by_steps = step / limits.max_steps if limits.max_steps else 0.0
        by_time = seconds / limits.max_seconds if limits.max_seconds else 0.0
        return min(max(by_steps, by_time), 1.0)

    def left(self, share: float, seconds: float) -> float | None:
        """Seconds left at the pace of this session; ``None`` while nobody knows."""
        first_share, first_seconds = self._first or (share, seconds)
        if share <= first_share:
            return None
        return (1.0 - share) * (seconds - first_seconds) / (share - first_share)

    def _draw(self, step: int, share: float, seconds: float, text: str) -> None:
        from tqdm import tqdm

        if self._bar is None:
            limited = bool(self._limits.max_steps or self._limits.max_seconds)
            shape = "{percentage:3.0f}%|{bar:10}| {desc}" if limited else "{desc}"
            self._bar = tqdm(total=1.0, bar_format=shape, leave=False, file=sys.stderr, dynamic_ncols=True)
        left = self.left(share, seconds)
        when = f"{clock(left)} left" if left is not None else clock(seconds)
        self._bar.set_description_str(f"step {step}, {when}: {text}", refresh=False)
        self._bar.update(share - self._bar.n)

    def _write(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            say(line, err=True)


@contextmanager
def watching(
    limits: RunSettings, *, quiet: bool, verbose: bool, begins: Callable[[], None]
) -> Iterator[TrainingWatch | None]:
    """Yield what shows a run: nothing when quiet, a bar on a terminal, lines in a pipe (and with ``verbose``).

    Parameters
    ----------
    limits
        The run's limits.
    quiet, verbose
        As the user asked.
    begins
        Called once, before the first step is shown.
    """
    if quiet:
        yield None
        return
    terminal = sys.stderr.isatty()
    watch = TrainingWatch(limits, terminal=terminal, lines=verbose or not terminal, begins=begins)
    try:
        yield watch
    finally:
        watch.close()


def metrics_in_words(values: dict[str, Any], checked: dict[str, Any] | None, *, brief: bool = False) -> str:
    """Return the numbers of a step, and of the last validation, in words."""
    if "wiener" in (checked or {}):
        return joint_in_words(values, checked or {})
    parts = [f"loss {number(values.get('loss/total'), 3)}", f"PRD {number(values.get('prd'), 3)} %"]
    if checked:
        unseen = f"held out {number(checked.get('prd'), 3)} %"
        if not brief:
            unseen += f" (SNR {number(checked.get('snr'), 3)} dB, spectrogram {number(checked.get('spectrogram'), 3)})"
        parts.append(unseen)
    used = use_of_codebooks(values) or use_of_codebooks((checked or {}).get("codebooks"))
    if used:
        parts.append(f"codebook use {used}")
    return ", ".join(parts)


def stage_in_words(values: dict[str, Any]) -> str:
    """Return the numbers of a stage without a network."""
    if "loss/total" in values:
        return f"{number(values['loss/total'], 4)} bits a frame"
    return f"PRD of people held out {number(values['validation'].get('prd'), 4)} %"


def joint_in_words(values: dict[str, Any], checked: dict[str, Any]) -> str:
    """Return the same of the stage ``joint``, whose figures are shares of what tokens alone leave."""
    left, closed = number(checked.get("prd"), 4), number(checked.get("wiener"), 4)
    return f"loss {number(values.get('loss/total'), 3)}, held out {left} % of the PRD is left (closed form {closed} %)"


def use_of_codebooks(content: Any) -> str:
    """Return the share of entries in use, least to most over the levels; empty where it is unknown."""
    shares = content.get("usage") if isinstance(content, dict) else None
    if not isinstance(shares, (list, tuple)) or not shares:
        return ""
    least, most = 100 * min(shares), 100 * max(shares)
    return f"{least:.0f} %" if round(least) == round(most) else f"{least:.0f}-{most:.0f} %"


def number(value: Any, digits: int) -> str:
    """Return a number with some digits, or a dash."""
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return "-"
    return f"{value:.{digits}g}"


def clock(seconds: float) -> str:
    """Return a time as a clock shows it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
