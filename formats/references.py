"""Streams that refer to other streams: what one needs comes before it, and nothing comes in a circle."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def resolve(
    wanted: int,
    references: Callable[[int], Sequence[int]],
    is_done: Callable[[int], bool],
    finish: Callable[[int], object],
    circle: Callable[[int], Exception],
) -> None:
    """Finish a stream after all that it refers to, directly or by way of others.

    Parameters
    ----------
    wanted : int
        Number of the stream.
    references : callable
        ``references(number)``: streams that this one refers to. Asked once.
    is_done : callable
        ``is_done(number)``: whether a stream needs nothing more.
    finish : callable
        ``finish(number)``: called when all references of a stream are done; then it is done itself.
    circle : callable
        ``circle(number)``: the error to raise where a stream refers, in the end, to itself.
    """
    waiting = [wanted]
    known: dict[int, Sequence[int]] = {}
    # A stack of our own: a chain may be as long as there are streams.
    while waiting:
        at = waiting[-1]
        if is_done(at):
            waiting.pop()
            continue
        if at not in known:
            known[at] = references(at)
        missing = [other for other in known[at] if not is_done(other)]
        for other in missing:
            # Whatever was looked at and is not done waits for this one.
            if other in known:
                raise circle(other)
        if not missing:
            finish(at)
        waiting += missing
