"""Run a checkpoint: latents to tokens and back, and rows in batches whose size shows in no result.

Geometry. At the model's rate, frame ``f`` owns the samples [f*hop - hop/2, f*hop + hop/2) and is centred
on sample ``f*hop``; a recording of n samples has ``ceil(n/hop) + 1`` frames, so that the overlap-add of
the linear path is complete at both ends. Encoding runs on a fixed grid of windows: window w gives the
frames [w*W, (w+1)*W) from those frames' samples and ``encoder_context`` frames' samples on each side, more
than the network can see. The grid belongs to the model, so tokens can't depend on how a file is chunked.
Encoding and decoding of channels, alone or in groups, is :mod:`eegzip.codecs.stream_coder`'s matter.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from threading import Lock

import numpy as np
import numpy.typing as npt
import torch

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import MAX_BEAM, WARM_UP_FRAMES
from eegzip.codecs.networks.dac import decoder_reach, encoder_reach
from eegzip.codecs.networks.inference import build_network, codewords, prepare_for_inference, ready_network
from eegzip.codecs.networks.joint import JointDecoder, joint_decoder
from eegzip.codecs.networks.linear import summed_codewords
from eegzip.codecs.quantisation.beam import ResidualSearch
from eegzip.codecs.types import CodeArray, FloatArray
from eegzip.formats.errors import ModelError, UsageError
from eegzip.formats.processes import PerProcess
from eegzip.formats.tokens.packed import ABSENT

# Bytes of activations that one batch may take at a time.
BATCH_BYTES = 256 << 20
DEVICE_BATCH = 64
"""Rows that are done at once on a GPU, where they fit."""

RowIndex = npt.NDArray[np.int64]


class CodecRuntime:
    """A loaded model on its device; :class:`~eegzip.codecs.stream_coder.GroupCoder` codes windows with it.

    Parameters
    ----------
    checkpoint
        The model.
    device
        ``cpu`` or a CUDA device.
    threads
        Rows that are done at a time on a CPU, each in a thread of its own; by default torch's number of threads.
    beam
        Hypotheses of the search over the codebooks; by default the model's own number. More take longer and
        come a little nearer; the tokens decode alike.

    Attributes
    ----------
    rate : float
        Sampling rate in Hz.
    hop : int
        Samples per frame.
    n_codebooks, codebook_size : int
        Of the quantiser.
    window_frames : int
        Frames per window, W.
    encoder_context, decoder_context : int
        Frames on each side that encoder and decoder need to see.
    causal : bool
        Whether frames depend on none after them; then what they need to see lies before them.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str = "cpu",
        threads: int | None = None,
        beam: int | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        config = checkpoint.config
        shape = config.network
        if beam is not None and not (1 <= beam <= MAX_BEAM and (beam == 1 or shape.search == "euclid")):
            raise UsageError(
                f"This model can't be searched with a beam of {beam}; 1 to {MAX_BEAM} is possible "
                "where it searches by Euclidean distance."
            )
        self.rate = config.rate
        self.hop = shape.hop
        self.n_codebooks = shape.n_codebooks
        self.codebook_size = shape.codebook_size
        self.window_frames = config.window_frames
        adapters = config.adapters
        self.causal = config.causal
        if self.causal:
            self.encoder_context = self.decoder_context = WARM_UP_FRAMES
        else:
            self.encoder_context = -(-encoder_reach(shape) // shape.hop)
            if adapters is not None:
                self.encoder_context += adapters.encoder_reach
            self.decoder_context = -(-decoder_reach(shape) // shape.hop)
        self._workers = threads or torch.get_num_threads()
        try:
            self.device = torch.device(device)
            with _one_thread():
                if self.device.type == "cpu":
                    self.network = ready_network(checkpoint)
                else:
                    self.network = build_network(checkpoint).to(self.device)
                    prepare_for_inference(self.network)
        except (RuntimeError, AssertionError) as error:
            raise UsageError(f"The device {device!r} can't be used: {str(error).splitlines()[0]}") from error
        self._beam = config.beam if beam is None else beam
        # Codebooks that lie in the latents need no network.
        self._codebooks: FloatArray | None = None
        if shape.direct_codebooks and self.device.type == "cpu":
            self._codebooks = np.stack([q.codebook.weight.numpy() for q in self.network.quantizer.quantizers])
        self._made_search: ResidualSearch | None = None
        self._making_search = PerProcess(Lock)
        self._pool = PerProcess(self._new_pool)
        # The widest activation and its temporaries decide how many samples fit into a batch.
        width = max(shape.encoder_dim, shape.decoder_dim >> len(shape.decoder_rates), 8)
        self._batch_samples = max(BATCH_BYTES // (4 * 6 * 2 * width), 1)

    def _new_pool(self) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(self._workers)
        weakref.finalize(self, pool.shutdown, wait=False)
        return pool

    @cached_property
    def joint_decoder(self) -> JointDecoder:
        """The model's decoder that sees all channels; on the CPU, wherever the network is.

        Raises
        ------
        ModelError
            It has none.
        """
        with _one_thread():
            decoder = joint_decoder(self.checkpoint)
        if decoder is None:
            raise ModelError(f"The model {self.checkpoint.config.name} has no joint decoder.")
        return decoder

    def level_codewords(self, level: int, codes: CodeArray) -> FloatArray:
        """Return what the codes of a level add to the latents, [..., D]."""
        with self._working():
            table: FloatArray = codewords(self.network.quantizer.quantizers[level]).cpu().numpy()
        return table[codes]

    def levels(self, n_codebooks: int | None) -> int:
        """Return a number of codebooks, checked; all of them for ``None``."""
        levels = self.n_codebooks if n_codebooks is None else n_codebooks
        if not 1 <= levels <= self.n_codebooks:
            raise UsageError(f"The model has {self.n_codebooks} codebooks; {levels} were asked for.")
        return levels

    def quantise(self, latent: torch.Tensor, levels: int, multipliers: torch.Tensor | None = None) -> torch.Tensor:
        """Return the codes [B, levels, F] of latents [B, D, F].

        Parameters
        ----------
        latent
            What is to be coded.
        levels
            How many codebooks to use, the first ones.
        multipliers
            Lagrange multipliers [B, F]: the squared error that a token must take away to be worth it; a frame has no
            others. Only of models whose codebooks lie in the latents.
        """
        shape = self.checkpoint.config.network
        if self._beam == 1 and not shape.direct_codebooks:
            codes: torch.Tensor = self.network.quantizer(latent, levels)[1]
            return codes
        rows = latent.transpose(1, 2).reshape(-1, shape.latent_width)
        enough = None if multipliers is None else multipliers.reshape(-1)
        return self._search()(rows, levels, enough).view(len(latent), -1, levels).transpose(1, 2)

    def _search(self) -> ResidualSearch:
        """Return the search among all codebooks; made when first asked for."""
        with self._making_search():
            if self._made_search is None:
                with torch.inference_mode():
                    codebooks = torch.stack([codewords(q) for q in self.network.quantizer.quantizers])
                self._made_search = ResidualSearch(codebooks, self._beam)
            return self._made_search

    def codewords(self, codes: CodeArray) -> torch.Tensor:
        """Return the sum of the codewords, projected where the model projects: [B, D, F]; absent ones add nothing."""
        if codes.ndim != 3 or not 1 <= codes.shape[1] <= self.n_codebooks:
            raise UsageError(f"Codes must be [B, 1 to {self.n_codebooks}, frames]; shape {codes.shape}.")
        # Of the largest codebooks the last entry has that number; frames of such a model have all tokens.
        there = (codes != ABSENT) | (self.codebook_size > ABSENT)
        largest = int(codes.max(where=there, initial=0))
        if largest >= self.codebook_size:
            raise ModelError(f"A token {largest} is beyond the model's {self.codebook_size} entries.")
        if self._codebooks is not None:
            latents = np.zeros((len(codes), codes.shape[2], self._codebooks.shape[2]), np.float32)
            summed_codewords(self._codebooks, codes, latents)
            return torch.from_numpy(np.ascontiguousarray(latents.transpose(0, 2, 1)))
        index = torch.from_numpy(np.where(there, codes, 0).astype(np.int64)).to(self.device)
        present = None if there.all() else torch.from_numpy(there).to(self.device)
        total = torch.zeros((), device=self.device)
        for level in range(codes.shape[1]):
            quantizer = self.network.quantizer.quantizers[level]
            added = quantizer.out_proj(quantizer.decode_code(index[:, level]))
            total = added + total if present is None else added * present[:, level, None] + total
        return total.contiguous()

    def in_batches(self, work: Callable[[int, RowIndex], None], kinds: Sequence[tuple[int, int]]) -> None:
        """Do rows of several kinds in batches of one kind whose size depends on nothing but the length of a row.

        Libraries choose a layer's kernel, and with it the last bits of what it gives, by the size of the batch and the
        number of threads. So on a CPU every row is done by itself, by one thread; several threads take a row each.
        Elsewhere batches are as large as the memory set aside allows, up to a limit, and the last one is filled up with
        repetitions of its last row.

        Parameters
        ----------
        work
            Does some rows of a kind, given by their numbers.
        kinds
            Number of rows of each kind, and samples in a row.
        """
        with self._working():
            if self.device.type != "cpu":
                for kind, (count, length) in enumerate(kinds):
                    size = min(max(self._batch_samples // length, 1), DEVICE_BATCH)
                    for start in range(0, count, size):
                        work(kind, np.minimum(np.arange(start, start + size), count - 1))
                return

            def alone(job: tuple[int, int]) -> None:
                # torch's number of threads is each thread's own.
                torch.set_num_threads(1)
                with torch.inference_mode():
                    work(job[0], np.array([job[1]]))

            jobs = [(kind, row) for kind, (count, _) in enumerate(kinds) for row in range(count)]
            for _ in self._pool().map(alone, jobs):
                pass

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Inference mode, float32 without TF32, in one thread."""
        precision = torch.get_float32_matmul_precision()
        if precision != "highest":
            torch.set_float32_matmul_precision("highest")
        try:
            with (
                _one_thread(),
                torch.inference_mode(),
                torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
            ):
                yield
        finally:
            if precision != "highest":
                torch.set_float32_matmul_precision(precision)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch compute in the caller's thread alone.

    How many threads there are must not show in what is computed. And in a forked process torch would wait for ever for
    those that it had before the fork.
    """
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if before != 1:
            torch.set_num_threads(before)
