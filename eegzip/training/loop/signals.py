"""End of a run: its limits, and the signals that ask it to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass
class StopRequest:
    """Whether, and by which signal, the run was asked to stop.

    Attributes
    ----------
    signal : int
        Number of the signal; 0: none came.
    """

    signal: int = 0


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Take note of Ctrl-C and SIGTERM instead of dying of them, so that a step is finished and the state saved.

    A second signal does what it always did. Outside the main thread signals can't be caught, and are left alone.
    """
    request = StopRequest()
    before: dict[int, object] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal = number
        signal.signal(number, before[number])  # type: ignore[arg-type]

    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue
        try:
            before[number] = signal.getsignal(number)
            signal.signal(number, note)
        except ValueError:
            del before[number]
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
