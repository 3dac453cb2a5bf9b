"""The interface of a network: rows of waveforms, latents and tokens, whatever computes them, numpy or torch.

Arrays go in, arrays come out. On CPUs every row is done by itself, so what it gives depends neither on the other rows
nor on the number of threads.
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from eegzip.codecs.types import CodeArray, FloatArray
from eegzip.formats.errors import ModelError, UsageError
from eegzip.formats.processes import PerProcess
from eegzip.formats.tokens.packed import ABSENT

IndexArray = npt.NDArray[np.int64]


class Network(ABC):
    """A model's transform, codebooks and search.

    Parameters
    ----------
    workers
        Rows that are done at a time on a CPU, each in a thread of its own.
    n_codebooks, codebook_size
        Of the quantiser.
    """

    def __init__(self, workers: int, n_codebooks: int, codebook_size: int) -> None:
        self.n_codebooks = n_codebooks
        self.codebook_size = codebook_size
        self._workers = workers
        self._pool = PerProcess(self._new_pool)

    def _new_pool(self) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(self._workers)
        weakref.finalize(self, pool.shutdown, wait=False)
        return pool

    @property
    @abstractmethod
    def codebooks(self) -> FloatArray:
        """What the entries of all codebooks add to the latents, [K, S, D]."""

    @abstractmethod
    def encode(
        self,
        waves: FloatArray,
        styles: IndexArray,
        inner: slice,
        levels: int,
        multipliers: FloatArray | None = None,
    ) -> tuple[CodeArray, FloatArray]:
        """Return the codes [B, levels, n] of groups, and the latents [B, D, n] that they stand for.

        Parameters
        ----------
        waves
            Normalised waveforms [B, G, T], T a whole number of hops.
        styles
            Style of each channel [B, G].
        inner
            The n frames that are to be coded; those beside them are there to be seen.
        levels
            How many codebooks to use, the first ones.
        multipliers
            Squared error [B, n] that a token must take away to be worth it; a frame has no others. By default all
            have all. Only of models whose codebooks lie in the latents.
        """

    @abstractmethod
    def decode(self, codes: CodeArray, styles: IndexArray, first: int, last: int) -> FloatArray:
        """Return the waveforms [B * G, F * hop] of codes [B, k, F].

        Frames before `first` and from `last` on don't exist: they count as zero latents.
        """

    @abstractmethod
    def synthesise(self, latents: FloatArray) -> FloatArray:
        """Return the waveforms [B, F * hop] of latents [B, D, F]."""

    @abstractmethod
    def codewords(self, codes: CodeArray) -> FloatArray:
        """Return the sum of the codewords of codes [B, k, F]: latents [B, D, F]; absent ones add nothing."""

    def there(self, codes: CodeArray) -> npt.NDArray[np.bool_]:
        """Return which of the codes are there, once they are found to be the model's.

        Raises
        ------
        ModelError
            A code is beyond the codebooks.
        UsageError
            The shape is not [B, k, F].
        """
        if codes.ndim != 3 or not 1 <= codes.shape[1] <= self.n_codebooks:
            raise UsageError(f"Codes must be [B, 1 to {self.n_codebooks}, frames]; shape {codes.shape}.")
        # Of the largest codebooks the last entry has that number; frames of such a model have all tokens.
        there: npt.NDArray[np.bool_] = (codes != ABSENT) | (self.codebook_size > ABSENT)
        largest = int(codes.max(where=there, initial=0))
        if largest >= self.codebook_size:
            raise ModelError(f"A token {largest} is beyond the model's {self.codebook_size} entries.")
        return there

    def in_batches(self, work: Callable[[int, IndexArray], None], kinds: Sequence[tuple[int, int]]) -> None:
        """Do rows of several kinds, each by itself; several threads take a row each.

        Libraries choose a layer's kernel, and with it the last bits of what it gives, by the size of the batch.

        Parameters
        ----------
        work
            Does some rows of a kind, given by their numbers.
        kinds
            Number of rows of each kind, and samples in a row.
        """

        def alone(job: tuple[int, int]) -> None:
            with self.in_thread():
                work(job[0], np.array([job[1]]))

        jobs = [(kind, row) for kind, (count, _) in enumerate(kinds) for row in range(count)]
        for _ in self._pool().map(alone, jobs):
            pass

    @contextmanager
    def in_thread(self) -> Iterator[None]:
        """What has to hold in a thread that does a row."""
        yield
