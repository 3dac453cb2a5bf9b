"""Run a checkpoint: waveforms to tokens and back, numpy in and numpy out.

Geometry. At the model's rate, frame ``f`` owns the samples [f*hop - hop/2, f*hop + hop/2) and is centred
on sample ``f*hop``; a recording of n samples has ``ceil(n/hop) + 1`` frames, so that the overlap-add of
the linear path is complete at both ends. Encoding runs on a fixed grid of windows: window w gives the
frames [w*W, (w+1)*W) from those frames' samples and ``encoder_context`` frames' samples on each side, more
than the network can see. The grid belongs to the model, so tokens can't depend on how a file is chunked.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from eegzip.codecs.checkpoint import Checkpoint
from eegzip.codecs.config import MAX_BEAM
from eegzip.codecs.descript import Snake1d
from eegzip.codecs.network import EegDac, decoder_reach, encoder_reach, fuse_weight_norm, skip_silent_branches
from eegzip.codecs.search import ResidualSearch
from eegzip.formats.errors import ModelError, UsageError

FloatArray = npt.NDArray[np.float32]
CodeArray = npt.NDArray[np.uint16]

# Bytes of activations that one batch may take at a time.
BATCH_BYTES = 256 << 20
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


@functools.cache
def tune_malloc() -> None:
    """Keep large freed blocks in the process (glibc on Linux only): page faults cost half the time."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


class FusedSnake(nn.Module):
    """DAC's activation ``x + sin(alpha x)^2 / alpha`` with one temporary instead of five."""

    alpha: torch.Tensor
    inverse: torch.Tensor

    def __init__(self, alpha: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("alpha", alpha.detach())
        self.register_buffer("inverse", (alpha.detach() + 1e-9).reciprocal())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the activation of ``x``."""
        wave = x * self.alpha
        return torch.addcmul(x, wave.sin_().square_(), self.inverse)


def build_network(checkpoint: Checkpoint) -> EegDac:
    """Build the network of a checkpoint and load its weights strictly.

    Parameters
    ----------
    checkpoint
        The checkpoint; its config decides the shapes, its weights must match them exactly.
    """
    config = checkpoint.config
    state = checkpoint.state
    _check_widths(checkpoint)
    network = EegDac(config.network, config.rate)
    try:
        network.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"The weights in {checkpoint.folder} are not those of the network in its config.json: {reason}"
        ) from error
    return network.eval()


def _check_widths(checkpoint: Checkpoint) -> None:
    """Refuse a config whose network would take more memory than its weights, before it is built.

    These tensors bound all others: widths double from layer to layer. Building on torch's meta device would show
    the same, but takes more than a second.
    """
    shape = checkpoint.config.network
    depth = len(shape.encoder_rates)
    expected = {
        "encoder.block.0.weight_v": (shape.encoder_dim, 1, 7),
        f"encoder.block.{depth + 2}.weight_v": (shape.latent_width, shape.encoder_dim << depth, 3),
        "decoder.model.0.weight_v": (shape.decoder_dim, shape.latent_width, 7),
        f"quantizer.quantizers.{shape.n_codebooks - 1}.codebook.weight": (shape.codebook_size, shape.codebook_dim),
    }
    for name, size in expected.items():
        found = tuple(checkpoint.state[name].shape) if name in checkpoint.state else None
        if found != size:
            raise ModelError(
                f"The weights in {checkpoint.folder} are not those of the network in its config.json: {name} is "
                f"{found or 'missing'}, not {size}."
            )


def prepare_for_inference(network: EegDac) -> None:
    """Fuse weight norms and activations and leave out what contributes nothing, in place."""
    fuse_weight_norm(network)
    skip_silent_branches(network)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Snake1d):
                setattr(module, name, FusedSnake(child.alpha))
    network.requires_grad_(False)


class CodecRuntime:
    """A loaded model that encodes windows and decodes frames.

    Parameters
    ----------
    checkpoint
        The model.
    device
        ``cpu`` or a CUDA device.
    threads
        Torch threads to use while working; the process's setting is put back afterwards.
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
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str = "cpu",
        threads: int | None = None,
        beam: int | None = None,
    ) -> None:
        tune_malloc()
        self.checkpoint = checkpoint
        config = checkpoint.config
        shape = config.network
        if beam is not None and not (1 <= beam <= MAX_BEAM and (beam == 1 or shape.direct_codebooks)):
            raise UsageError(
                f"This model can't be searched with a beam of {beam}; 1 to {MAX_BEAM} is possible "
                "where its codebooks lie in the latent space itself."
            )
        self.rate = config.rate
        self.hop = shape.hop
        self.n_codebooks = shape.n_codebooks
        self.codebook_size = shape.codebook_size
        self.window_frames = config.window_frames
        self.encoder_context = -(-encoder_reach(shape) // shape.hop)
        self.decoder_context = -(-decoder_reach(shape) // shape.hop)
        self._workers = threads or torch.get_num_threads()
        try:
            self.device = torch.device(device)
            self.network = build_network(checkpoint).to(self.device)
        except (RuntimeError, AssertionError) as error:
            raise UsageError(f"The device {device!r} can't be used: {str(error).splitlines()[0]}") from error
        prepare_for_inference(self.network)
        self._search: ResidualSearch | None = None
        if shape.direct_codebooks:
            books = torch.stack([q.codebook.weight for q in self.network.quantizer.quantizers])
            self._search = ResidualSearch(books, config.beam if beam is None else beam)
        self._pool = ThreadPoolExecutor(self._workers, initializer=torch.set_num_threads, initargs=(1,))
        # The widest activation and its temporaries decide how many samples fit into a batch.
        width = max(shape.encoder_dim, shape.decoder_dim >> len(shape.decoder_rates), 8)
        self._batch_samples = max(BATCH_BYTES // (4 * 6 * 2 * width), 1)

    def encode(self, samples: FloatArray, n_codebooks: int | None = None) -> CodeArray:
        """Return the codes [B, n_codebooks, n] of windows [B, (n + 2 * encoder_context) * hop].

        Parameters
        ----------
        samples
            Normalised waveforms, context on both sides included.
        n_codebooks
            Use only the first so many codebooks; the search then aims at the best result with these.
        """
        context, length = self.encoder_context, samples.shape[-1]
        frames = length // self.hop - 2 * context
        if samples.ndim != 2 or length % self.hop or frames < 0:
            raise UsageError(
                f"Windows must be of whole frames of {self.hop} samples, with {context} more on each side; "
                f"these have the shape {samples.shape}."
            )
        levels = self._levels(n_codebooks)
        codes = np.empty((len(samples), levels, frames), dtype=np.uint16)

        def encode_batch(part: slice) -> None:
            wave = torch.from_numpy(np.ascontiguousarray(samples[part], dtype=np.float32))
            latent = self.network.encoder(wave[:, None].to(self.device))
            latent = latent[:, :, context : context + frames]
            codes[part] = self._quantise(latent, levels).to("cpu", torch.int32).numpy()

        self._in_batches(encode_batch, len(samples), length)
        return codes

    def decode(self, codes: CodeArray, valid: tuple[int, int] | None = None) -> FloatArray:
        """Return the waveform [B, n * hop] of codes [B, k, n + 2 * decoder_context].

        Parameters
        ----------
        codes
            Codes of the first k codebooks, ``decoder_context`` frames on both sides included.
        valid
            Range [first, last) of the frames given that exist; the others count as zero latents. Frames
            exist between 0 and the recording's number of frames (:mod:`eegzip.formats.eegz.timeline`).
        """
        context = self.decoder_context
        frames = codes.shape[-1]
        n = frames - 2 * context
        if codes.ndim != 3 or n < 0:
            raise UsageError(f"Codes need {context} frames of context on each side; shape {codes.shape}.")
        first, last = valid if valid is not None else (0, frames)
        wave = np.empty((len(codes), n * self.hop), dtype=np.float32)

        def decode_batch(part: slice) -> None:
            latent = self._latents(codes[part])
            latent[:, :, : max(first, 0)] = 0
            latent[:, :, max(last, 0) :] = 0
            out = self.network.decoder(latent)[:, 0, context * self.hop : (context + n) * self.hop]
            wave[part] = out.cpu().numpy()

        self._in_batches(decode_batch, len(codes), frames * self.hop)
        return wave

    def latents(self, codes: CodeArray) -> FloatArray:
        """Return the quantised latents [B, latent_dim, F] that codes [B, k, F] stand for."""
        with self._working():
            result: FloatArray = self._latents(codes).cpu().numpy()
        return result

    def _levels(self, n_codebooks: int | None) -> int:
        """Check a number of codebooks."""
        levels = self.n_codebooks if n_codebooks is None else n_codebooks
        if not 1 <= levels <= self.n_codebooks:
            raise UsageError(f"The model has {self.n_codebooks} codebooks; {levels} were asked for.")
        return levels

    def _quantise(self, latent: torch.Tensor, levels: int) -> torch.Tensor:
        """Return the codes [B, levels, F] of latents [B, D, F]."""
        if self._search is None:
            codes: torch.Tensor = self.network.quantizer(latent, levels)[1]
            return codes
        rows = latent.transpose(1, 2).reshape(-1, latent.shape[1])
        return self._search(rows, levels).view(len(latent), -1, levels).transpose(1, 2)

    def _latents(self, codes: CodeArray) -> torch.Tensor:
        """Return the sum of the codewords, projected where the model projects: [B, D, F]."""
        if codes.ndim != 3 or not 1 <= codes.shape[1] <= self.n_codebooks:
            raise UsageError(f"Codes must be [B, 1 to {self.n_codebooks}, frames]; shape {codes.shape}.")
        if codes.size and int(codes.max()) >= self.codebook_size:
            raise ModelError(f"A token {int(codes.max())} is beyond the model's {self.codebook_size} entries.")
        index = torch.from_numpy(codes.astype(np.int64)).to(self.device)
        quantizers = self.network.quantizer.quantizers
        total = quantizers[0].out_proj(quantizers[0].decode_code(index[:, 0]))
        for level in range(1, codes.shape[1]):
            total = total + quantizers[level].out_proj(quantizers[level].decode_code(index[:, level]))
        return total.contiguous()

    def _in_batches(self, work: Callable[[slice], None], count: int, length: int) -> None:
        """Do `count` rows of `length` samples in batches that fit the memory set aside.

        On a CPU each thread takes batches of its own: sharing every layer among threads makes them wait for one
        another, which costs a quarter of the time on idle cores and most of it on busy ones.
        """
        threads = 1 if self.device.type != "cpu" or count < self._workers else self._workers
        size = min(max(self._batch_samples // length, 1), max(-(-count // threads), 1))
        parts = [slice(start, min(start + size, count)) for start in range(0, count, size)]
        if threads == 1:
            with self._working():
                for part in parts:
                    work(part)
            return

        def alone(part: slice) -> None:
            with torch.inference_mode():
                work(part)

        # torch's number of threads is each thread's own, so the caller's stays as it is.
        for _ in self._pool.map(alone, parts):
            pass

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Inference mode, float32 without TF32, with this runtime's number of threads."""
        before = torch.get_num_threads()
        if self._workers != before:
            torch.set_num_threads(self._workers)
        try:
            with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                yield
        finally:
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)
