"""Models with trained convolutions, and every model on a GPU: torch.

On CPUs torch computes each row in one thread; elsewhere rows go in batches whose size shows in no result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import numpy as np
import torch

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.networks.inference import build_network, codewords, prepare_for_inference, ready_network
from eegzip.codecs.networks.network import IndexArray, Network
from eegzip.codecs.quantisation.beam import ResidualSearch
from eegzip.codecs.types import CodeArray, FloatArray
from eegzip.formats.errors import UsageError
from eegzip.formats.processes import PerProcess

# Bytes of activations that one batch may take at a time.
BATCH_BYTES = 256 << 20
DEVICE_BATCH = 64
"""Rows that are done at once on a GPU, where they fit."""


class TorchNetwork(Network):
    """A model as a module of torch.

    Parameters
    ----------
    checkpoint
        The model.
    device
        ``cpu`` or a CUDA device.
    workers
        Rows that are done at a time on a CPU.
    beam
        Hypotheses of the search.

    Raises
    ------
    UsageError
        There is no such device.

    Attributes
    ----------
    module : TokenNetwork
        Prepared for inference.
    device : torch.device
    """

    def __init__(self, checkpoint: Checkpoint, device: str, workers: int, beam: int) -> None:
        shape = checkpoint.config.network
        super().__init__(workers, shape.n_codebooks, shape.codebook_size)
        self._checkpoint = checkpoint
        self._beam = beam
        try:
            self.device = torch.device(device)
            with one_thread():
                if self.device.type == "cpu":
                    self.module = ready_network(checkpoint)
                else:
                    self.module = build_network(checkpoint).to(self.device)
                    prepare_for_inference(self.module)
        except (RuntimeError, AssertionError) as error:
            raise UsageError(f"The device {device!r} can't be used: {str(error).splitlines()[0]}") from error
        self._made_search: ResidualSearch | None = None
        self._making_search = PerProcess(Lock)
        # The widest activation and its temporaries decide how many samples fit into a batch.
        width = max(shape.encoder_dim, shape.decoder_dim >> len(shape.decoder_rates), 8)
        self.batch_samples = max(BATCH_BYTES // (4 * 6 * 2 * width), 1)

    @property
    def codebooks(self) -> FloatArray:
        """What the entries of all codebooks add to the latents, [K, S, D]."""
        with self.working():
            tables: FloatArray = self._tables().cpu().numpy()
        return tables

    def _tables(self) -> torch.Tensor:
        return torch.stack([codewords(quantizer) for quantizer in self.module.quantizer.quantizers])

    def quantise(self, latent: torch.Tensor, levels: int, multipliers: torch.Tensor | None = None) -> torch.Tensor:
        """Return the codes [B, levels, F] of latents [B, D, F]; parameters are those of :meth:`encode`."""
        shape = self._checkpoint.config.network
        if self._beam == 1 and not shape.direct_codebooks:
            codes: torch.Tensor = self.module.quantizer(latent, levels)[1]
            return codes
        rows = latent.transpose(1, 2).reshape(-1, shape.latent_width)
        enough = None if multipliers is None else multipliers.reshape(-1)
        return self._search()(rows, levels, enough).view(len(latent), -1, levels).transpose(1, 2)

    def _search(self) -> ResidualSearch:
        """Return the search among all codebooks; made when first asked for."""
        with self._making_search():
            if self._made_search is None:
                with torch.inference_mode():
                    self._made_search = ResidualSearch(self._tables(), self._beam)
            return self._made_search

    def encode(
        self,
        waves: FloatArray,
        styles: IndexArray,
        inner: slice,
        levels: int,
        multipliers: FloatArray | None = None,
    ) -> tuple[CodeArray, FloatArray]:
        """Return codes and latents, as :meth:`Network.encode` says."""
        rows = torch.from_numpy(waves.reshape(-1, 1, waves.shape[2])).to(self.device)
        latent = self.module.encoder(rows).unflatten(0, styles.shape)
        joined = self._joined(latent, torch.from_numpy(styles).to(self.device))[:, :, inner]
        least = None if multipliers is None else torch.from_numpy(multipliers).to(self.device)
        codes = self.quantise(joined, levels, least).to("cpu", torch.int32).numpy()
        return codes.astype(np.uint16), joined.cpu().numpy()

    def _joined(self, latent: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
        """Return the latent of each group [B, D, F] from those of its channels [B, G, D, F].

        Group by group where channels are mixed, so that matrix products have one shape whatever else is in the batch.
        """
        present = torch.ones_like(styles, dtype=torch.bool)
        if self._checkpoint.config.adapters is None:
            return self.module.joined(latent, styles, present)
        each = zip(latent.split(1), styles.split(1), present.split(1), strict=True)
        return torch.cat([self.module.joined(*group) for group in each])

    def decode(self, codes: CodeArray, styles: IndexArray, first: int, last: int) -> FloatArray:
        """Return waveforms, as :meth:`Network.decode` says."""
        styled = self.module.styled(self.summed(codes), torch.from_numpy(styles).to(self.device))
        latent = styled.flatten(0, 1)
        # After the styles, whose biases would make something of nothing.
        latent[:, :, : max(first, 0)] = 0
        latent[:, :, max(last, 0) :] = 0
        waves: FloatArray = self.module.decoder(latent)[:, 0].cpu().numpy()
        return waves

    def synthesise(self, latents: FloatArray) -> FloatArray:
        """Return the waveforms [B, F * hop] of latents [B, D, F]."""
        rows = torch.from_numpy(np.ascontiguousarray(latents)).to(self.device)
        waves: FloatArray = self.module.decoder(rows)[:, 0].cpu().numpy()
        return waves

    def codewords(self, codes: CodeArray) -> FloatArray:
        """Return the sum of the codewords of codes [B, k, F]: latents [B, D, F]; absent ones add nothing."""
        with self.working():
            latents: FloatArray = self.summed(codes).cpu().numpy()
        return latents

    def summed(self, codes: CodeArray) -> torch.Tensor:
        """Return what :meth:`codewords` does, on the device."""
        there = self.there(codes)
        index = torch.from_numpy(np.where(there, codes, 0).astype(np.int64)).to(self.device)
        present = None if there.all() else torch.from_numpy(there).to(self.device)
        total = torch.zeros((), device=self.device)
        for level in range(codes.shape[1]):
            quantizer = self.module.quantizer.quantizers[level]
            added = quantizer.out_proj(quantizer.decode_code(index[:, level]))
            total = added + total if present is None else added * present[:, level, None] + total
        return total.contiguous()

    def in_batches(self, work: Callable[[int, IndexArray], None], kinds: Sequence[tuple[int, int]]) -> None:
        """Do rows of several kinds in batches of one kind whose size depends on nothing but the length of a row.

        On a CPU every row is done by itself. Elsewhere batches are as large as the memory set aside allows, up to a
        limit, and the last one is filled up with repetitions of its last row.

        Parameters
        ----------
        work
            Does some rows of a kind, given by their numbers.
        kinds
            Number of rows of each kind, and samples in a row.
        """
        with self.working():
            if self.device.type == "cpu":
                super().in_batches(work, kinds)
                return
            for kind, (count, length) in enumerate(kinds):
                size = min(max(self.batch_samples // length, 1), DEVICE_BATCH)
                for start in range(0, count, size):
                    work(kind, np.minimum(np.arange(start, start + size), count - 1))

    @contextmanager
    def in_thread(self) -> Iterator[None]:
        """One thread and inference mode: both are each thread's own."""
        torch.set_num_threads(1)
        with torch.inference_mode():
            yield

    @contextmanager
    def working(self) -> Iterator[None]:
        """Inference mode, float32 without TF32, in one thread."""
        precision = torch.get_float32_matmul_precision()
        if precision != "highest":
            torch.set_float32_matmul_precision("highest")
        try:
            with (
                one_thread(),
                torch.inference_mode(),
                torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
            ):
                yield
        finally:
            if precision != "highest":
                torch.set_float32_matmul_precision(precision)


@contextmanager
def one_thread() -> Iterator[None]:
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
