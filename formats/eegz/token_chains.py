"""Decodes token streams together with the streams that they refer to, each once (SPEC.md, section 6.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from eegzip.formats.eegz.recent import Recent
from eegzip.formats.errors import ContainerError, ModelError
from eegzip.formats.limits import MAX_TOKENS
from eegzip.formats.processes import PerProcess
from eegzip.formats.references import resolve


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
        self._decoded: Recent[tuple[int, int], np.ndarray] = Recent(kept)
        # By chunk. A forked process has none of the threads that work on them.
        self._under_way: PerProcess[dict[int, Future[None]]] = PerProcess(dict)

    def begin(self, chunk: int, groups: Sequence[int], pool: ThreadPoolExecutor) -> None:
        """Read some streams of a chunk, here, and decode them in a thread of a pool.

        Whoever asks for one of them waits for all, and hears then what is wrong with it.
        """
        loaded: dict[int, StoredStream] = {}
        waiting = [group for group in groups if self._decoded.find((chunk, group)) is None]
        try:
            while waiting and sum(stream.size for stream in loaded.values()) <= MAX_TOKENS:
                group = waiting.pop()
                if group not in loaded:
                    loaded[group] = self._load(chunk, group)
                    waiting += loaded[group].references
        except (ContainerError, ModelError):
            return

        def load(_: int, group: int) -> StoredStream:
            return loaded[group]

        def decode() -> None:
            with suppress(ContainerError, ModelError, KeyError):
                for group in groups:
                    self._found(chunk, group, load)

        if loaded:
            self._under_way()[chunk] = pool.submit(decode)

    def __call__(self, chunk: int, group: int) -> np.ndarray:
        """Tokens of a group in a chunk, not to be written to.

        Raises
        ------
        ContainerError
            This stream, or one that it needs, is damaged; or they refer to each other in a circle, or to more than
            may be.
        """
        future = self._under_way().pop(chunk, None)
        if future is not None:
            with suppress(CancelledError):
                future.result()
        return self._found(chunk, group, self._load)

    def _found(self, chunk: int, group: int, load: Callable[[int, int], StoredStream]) -> np.ndarray:
        known: dict[int, np.ndarray] = {}
        streams: dict[int, StoredStream] = {}
        size = 0

        def references(member: int) -> tuple[int, ...]:
            nonlocal size
            streams[member] = load(chunk, member)
            size += streams[member].size
            if size > MAX_TOKENS:
                raise self._damaged(chunk, f"the tokens of group {group} depend on more than may be")
            return streams[member].references

        def is_known(member: int) -> bool:
            if member not in known:
                found = self._decoded.find((chunk, member))
                if found is not None:
                    known[member] = found
            return member in known

        def decode(member: int) -> None:
            codes = streams[member].decode(known)
            codes.setflags(write=False)
            known[member] = self._decoded.keep((chunk, member), codes)

        def circle(_: int) -> ContainerError:
            return self._damaged(chunk, f"the tokens of group {group} refer to one another in a circle")

        resolve(group, references, is_known, decode, circle)
        return known[group]
