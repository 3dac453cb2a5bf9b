"""Decodes token streams together with the streams that they refer to, each once (SPEC.md, section 6.2.2)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import MAX_TOKENS


class StoredStream(NamedTuple):
    """A token stream as it lies in a chunk.

    Parameters
    ----------
    references : tuple of int
        Groups whose tokens it takes to decode it.
    size : int
        Tokens that it holds.
    decode : callable
        Takes the references' tokens by group, and gives its own: uint16, shape (codebooks, frames).
    """

    references: tuple[int, ...]
    size: int
    decode: Callable[[Mapping[int, np.ndarray]], np.ndarray]


class TokenChains:
    """Tokens of streams by chunk and group; what was decoded last is remembered.

    Parameters
    ----------
    load : callable
        ``load(chunk, group)``: the :class:`StoredStream`.
    damaged : callable
        ``damaged(chunk, sentence)``: the error to raise.
    kept : int
        Streams to remember.
    """

    def __init__(
        self, load: Callable[[int, int], StoredStream], damaged: Callable[[int, str], ContainerError], kept: int
    ) -> None:
        self._load = load
        self._damaged = damaged
        self._kept = kept
        self._cache: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()

    def __call__(self, chunk: int, group: int) -> np.ndarray:
        """Tokens of a group in a chunk, not to be written to.

        Raises
        ------
        ContainerError
            This stream, or one that it needs, is damaged; or they refer to each other in a circle, or to more than
            may be.
        """
        known: dict[int, np.ndarray] = {}
        streams: dict[int, StoredStream] = {}
        waiting = [group]
        size = 0
        # A stack of our own: a chain may be as long as there are groups.
        while waiting:
            at = waiting[-1]
            if at not in known and (chunk, at) in self._cache:
                self._cache.move_to_end((chunk, at))
                known[at] = self._cache[chunk, at]
            if at in known:
                waiting.pop()
                continue
            if at not in streams:
                streams[at] = self._load(chunk, at)
                size += streams[at].size
                if size > MAX_TOKENS:
                    raise self._damaged(chunk, f"the tokens of group {group} depend on more than may be")
            missing = [other for other in streams[at].references if other not in known]
            # Whoever was looked at and is not known waits for this one.
            if any(other in streams for other in missing):
                raise self._damaged(chunk, f"the tokens of group {group} refer to one another in a circle")
            if missing:
                waiting += missing
                continue
            known[at] = self._remember((chunk, at), streams[at].decode(known))
        return known[group]

    def _remember(self, key: tuple[int, int], codes: np.ndarray) -> np.ndarray:
        codes.setflags(write=False)
        self._cache[key] = codes
        while len(self._cache) > self._kept:
            self._cache.popitem(last=False)
        return codes
