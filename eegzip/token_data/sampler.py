"""An order of windows that can be taken up again where it was left."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

import numpy as np
from torch.utils.data import Sampler

from eegzip.formats.errors import UsageError


class TokenSampler(Sampler[int]):
    """Shuffles a data set, anew in each epoch, and goes on where a run was ended.

    The order follows from seed and epoch alone. Workers of a ``DataLoader`` fetch ahead, so only who trains knows how
    far an epoch has come: say so with :meth:`advance` after each step, and keep :meth:`state_dict` with the model.

    Parameters
    ----------
    data : sized
        The data set.
    seed : int
    shuffle : bool
        Without it windows come in their order.

    Examples
    --------
    >>> sampler = eegzip.TokenSampler(range(8), seed=1)
    >>> first = list(sampler)
    >>> sampler.advance(5)
    >>> again = eegzip.TokenSampler(range(8), seed=1)
    >>> again.load_state_dict(sampler.state_dict())
    >>> list(again) == first[5:]
    True
    """

    def __init__(self, data: Sized, *, seed: int = 0, shuffle: bool = True) -> None:
        self._size = len(data)
        self._seed, self._shuffle = seed, shuffle
        self._epoch = self._done = 0

    def __iter__(self) -> Iterator[int]:
        """Yield what is left of the epoch."""
        order = np.arange(self._size)
        if self._shuffle:
            order = np.random.default_rng([self._seed, self._epoch]).permutation(self._size)
        yield from order[self._done :].tolist()

    def __len__(self) -> int:
        """Return how many windows are left of the epoch."""
        return self._size - self._done

    def advance(self, windows: int) -> None:
        """Take note that so many windows were used; the last of an epoch begin the next.

        Raises
        ------
        UsageError
            There are not so many left.
        """
        if not 0 <= windows <= self._size - self._done:
            left = self._size - self._done
            raise UsageError(f"{windows} windows can't have been used; {left} of the epoch are left.")
        self._done += windows
        if self._done == self._size:
            self._epoch, self._done = self._epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Return where the order is."""
        return {"seed": self._seed, "size": self._size, "epoch": self._epoch, "done": self._done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another sampler of the data set was.

        Raises
        ------
        UsageError
            It was of a data set of another size.
        """
        if state["size"] != self._size:
            raise UsageError(f"the state is of a data set of {state['size']} windows; this one has {self._size}.")
        self._seed, self._epoch, self._done = state["seed"], state["epoch"], state["done"]
