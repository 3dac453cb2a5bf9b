"""Run a checkpoint: latents to tokens and back, and rows in batches whose size shows in no result.

Geometry. At the model's rate, frame ``f`` owns the samples [f*hop - hop/2, f*hop + hop/2) and is centred
on sample ``f*hop``; a recording of n samples has ``ceil(n/hop) + 1`` frames, so that the overlap-add of
the linear path is complete at both ends. Encoding runs on a fixed grid of windows: window w gives the
frames [w*W, (w+1)*W) from those frames' samples and ``encoder_context`` frames' samples on each side, more
than the network can see. The grid belongs to the model, so tokens can't depend on how a file is chunked.
Encoding and decoding of channels, alone or in groups, is :mod:`eegzip.codecs.stream_coder`'s matter.

What computes is numpy where a model's transform is linear and the device is the CPU; torch, which takes seconds to
load, where it has trained convolutions or a GPU is asked for.
"""

from __future__ import annotations

from functools import cached_property

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import MAX_BEAM, WARM_UP_FRAMES
from eegzip.codecs.extra import require_torch
from eegzip.codecs.networks.joint_inference import JointRefiner, joint_refiner
from eegzip.codecs.networks.linear_network import LinearNetwork, is_linear
from eegzip.codecs.networks.network import Network
from eegzip.codecs.networks.reach import decoder_reach, encoder_reach
from eegzip.codecs.types import CodeArray, FloatArray
from eegzip.formats.errors import ModelError, UsageError
from eegzip.formats.parallel import cores


def needs_torch(checkpoint: Checkpoint, device: str = "cpu") -> bool:
    """Return whether a model on a device takes torch."""
    return device.partition(":")[0] != "cpu" or not is_linear(checkpoint)


def require(checkpoint: Checkpoint, device: str = "cpu") -> None:
    """Refuse to begin where a model on a device takes packages that are not installed.

    Parameters
    ----------
    checkpoint
        The model.
    device
        Where it is to run.

    Raises
    ------
    UsageError
        The sentence names the extra.
    """
    if needs_torch(checkpoint, device):
        device = "" if device == "cpu" else f" on the device {device!r}"
        require_torch(f"the model {checkpoint.config.name}{device}")


class CodecRuntime:
    """A loaded model on its device; :class:`~eegzip.codecs.stream_coder.GroupCoder` codes windows with it.

    Parameters
    ----------
    checkpoint
        The model.
    device
        ``cpu`` or a CUDA device.
    threads
        Rows that are done at a time on a CPU, each in a thread of its own; by default as many as there are cores.
    beam
        Hypotheses of the search over the codebooks; by default the model's own number. More take longer and
        come a little nearer; the tokens decode alike.

    Raises
    ------
    ModelError
        The weights are not those of the model.
    UsageError
        There is no such device, the beam is out of range, or a package that the model takes is not installed.

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
    device : str
        As asked for.
    network : Network
        What computes.
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
        self.device = device
        self.network = _network(checkpoint, device, threads or cores(), config.beam if beam is None else beam)

    @cached_property
    def joint_decoder(self) -> JointRefiner:
        """The model's decoder that sees all channels; on the CPU, wherever the network is.

        Raises
        ------
        ModelError
            It has none.
        """
        decoder = joint_refiner(self.checkpoint)
        if decoder is None:
            raise ModelError(f"The model {self.checkpoint.config.name} has no joint decoder.")
        return decoder

    @cached_property
    def codebooks(self) -> FloatArray:
        """What the entries of all codebooks add to the latents, [K, S, D]."""
        return self.network.codebooks

    def level_codewords(self, level: int, codes: CodeArray) -> FloatArray:
        """Return what the codes of a level add to the latents, [..., D]."""
        return self.codebooks[level][codes]

    def codewords(self, codes: CodeArray) -> FloatArray:
        """Return the sum of the codewords, projected where the model projects: [B, D, F]; absent ones add nothing."""
        return self.network.codewords(codes)

    def levels(self, n_codebooks: int | None) -> int:
        """Return a number of codebooks, checked; all of them for ``None``."""
        levels = self.n_codebooks if n_codebooks is None else n_codebooks
        if not 1 <= levels <= self.n_codebooks:
            raise UsageError(f"The model has {self.n_codebooks} codebooks; {levels} were asked for.")
        return levels


def _network(checkpoint: Checkpoint, device: str, workers: int, beam: int) -> Network:
    if not needs_torch(checkpoint, device):
        return LinearNetwork(checkpoint, workers, beam)
    require(checkpoint, device)
    # Here, as it takes seconds to load and is not everywhere.
    from eegzip.codecs.networks.torch_network import TorchNetwork

    return TorchNetwork(checkpoint, device, workers, beam)
