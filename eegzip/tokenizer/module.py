"""EEG tensors to tokens and back, as a module of PyTorch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
from torch import nn

from eegzip.codecs.channels.grouping import grouping_for, styles_for
from eegzip.codecs.checkpoints import registry
from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import ChannelCoding, bits_per_second
from eegzip.codecs.runtime import CodecRuntime
from eegzip.encoding.options import CompressionOptions, choose
from eegzip.formats.edf import EdfHeader
from eegzip.formats.errors import UsageError
from eegzip.tokenizer.batch import gathered, packed, scales_of
from eegzip.tokenizer.decoding import Decoding, grid_of, steady_scales
from eegzip.tokenizer.encoding import encode_recordings
from eegzip.tokenizer.samples import Layout
from eegzip.tokenizer.scales import Scales

if TYPE_CHECKING:
    from eegzip.recording import Recording


_Unit = Literal["channel", "group", "component"]
_UNITS: dict[ChannelCoding, _Unit] = {
    ChannelCoding.SINGLE: "channel",
    ChannelCoding.BY_NAME: "group",
    ChannelCoding.KLT: "component",
}


class Tokenizer(nn.Module):
    """Tokens of EEG tensors, and EEG of tokens; made by :meth:`from_pretrained`.

    It gives the tokens that :func:`eegzip.compress` writes, bit for bit, whatever the size of the batch and the number
    of threads (on a GPU last bits of the network may differ, and with them single tokens). So each recording of a batch
    is coded as a file of its own: mains and other steady tones are taken out, the mean is taken away, and the level is
    followed by scales that are returned beside the tokens. Equality with a file takes the samples of the whole
    recording, of all channels that are tokens there, and `like`, which says how they were rounded.

    It has no parameters and is no part of a ``state_dict``: nothing of it is trained or saved with a model that holds
    it. What it returns are ordinary tensors without gradient.

    **What a row of tokens stands for** follows from the model. Of single channels (``eegz-sc-1``, ``eegz-sc-2``,
    ``eegz-sc-4``, ``dac-sc-compact-1``; `unit` is ``'channel'``) rows are channels: G = C. Of groups (DAC-MC with
    names, ``'group'``) a row is a group of channels, as ``compress`` would group them: the same for all recordings of a
    batch; see :meth:`groups`. Of whole recordings (``eegz-mc-2``, ``'component'``) rows are the components of each
    recording's own rotation, the loudest first, G = C: **a token then means something within its recording only**,
    there is no vocabulary across recordings, and scales, which hold the rotation, are needed to decode. For learning
    across recordings take a model of single channels.

    Parameters
    ----------
    checkpoint : Checkpoint
        As :func:`eegzip.models.load` gives it.

    Attributes
    ----------
    codewords : Tensor of float32, shape (codebooks, vocabulary_size, D)
        What each token adds to a latent; a start for one's own embeddings.

    Examples
    --------
    >>> import torch
    >>> tokenizer = eegzip.Tokenizer.from_pretrained("eegz-sc-1")
    >>> microvolts = 20 * torch.randn(2, 3, 1000)
    >>> codes, scales = tokenizer.encode(microvolts, 250, codebooks=8, return_scales=True)
    >>> codes.shape
    torch.Size([2, 3, 8, 9])
    >>> tokenizer.decode(codes, scales).shape
    torch.Size([2, 3, 1000])
    """

    codewords: torch.Tensor

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self._made: CodecRuntime | None = CodecRuntime(checkpoint)
        # Not persistent: who saves a model that was trained on tokens saves no copy of this.
        self.register_buffer("codewords", torch.tensor(self._made.codebooks), persistent=False)

    @classmethod
    def from_pretrained(cls, model: str | Path, *, revision: str | None = None) -> Tokenizer:
        """Load a tokenizer.

        Parameters
        ----------
        model : str or path-like
            A bundled or cached name, a digest, a folder, or the id of a repository on the Hugging Face hub
            (``'owner/name'``).
        revision : str, optional
            Commit of the repository, 40 hexadecimal digits; of the hub only, and needed there: branches and tags move.

        Raises
        ------
        ModelError
            There is no such model, it is damaged, or it is not what its digest says.
        UsageError
            A repository without a commit, a revision of something that is none, or eegzip[hub] is not installed.
        """
        from eegzip.tokenizer.hub import downloaded, is_repository

        if is_repository(model):
            return cls(registry.load(downloaded(str(model), revision)))
        if revision is not None:
            raise UsageError(f"a revision is of a repository on the hub (owner/name); '{model}' is none.")
        return cls(registry.load(model))

    def save_pretrained(self, folder: str | Path) -> None:
        """Save the model into a folder, whole: weights, config, prior, joint decoder, and a card with the hub's head.

        Parameters
        ----------
        folder : path-like
            Made when missing; it may hold no model yet.

        Raises
        ------
        OutputExistsError, OutputError
            There is a model, or it can't be written.
        """
        from eegzip.tokenizer.hub import save

        save(self.checkpoint, Path(folder))

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload the model, as :meth:`save_pretrained` would save it, to the Hugging Face hub.

        Parameters
        ----------
        repo_id : str
            ``'owner/name'``; made when missing.
        **options
            As of ``huggingface_hub.ModelHubMixin.push_to_hub``: ``private``, ``token``, ``branch``,
            ``commit_message``, ``create_pr``.

        Returns
        -------
        str
            Address of the commit.

        Raises
        ------
        UsageError
            eegzip[hub] is not installed.
        """
        from eegzip.tokenizer.hub import pushed

        return pushed(self.checkpoint, repo_id, **options)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.checkpoint.config.name

    @property
    def digest(self) -> str:
        """SHA-256 over config and weights, in hexadecimal, as files state it."""
        return self.checkpoint.digest

    @property
    def unit(self) -> _Unit:
        """What a row of tokens stands for."""
        return _UNITS[self.checkpoint.config.channel_coding]

    @property
    def sample_rate(self) -> float:
        """Hz at which the network sees signals; others are resampled."""
        return self.checkpoint.config.rate

    @property
    def codebooks(self) -> int:
        """Levels of tokens, K at most."""
        return self.checkpoint.config.network.n_codebooks

    @property
    def vocabulary_size(self) -> int:
        """Entries of each codebook: tokens are 0 to one less; -1 stands for none."""
        return self.checkpoint.config.network.codebook_size

    @property
    def frame_rate(self) -> float:
        """Frames a second: the first is centred on the first sample, the last on the last one or after it."""
        return self.checkpoint.config.rate / self.checkpoint.config.network.hop

    @property
    def bits_per_second(self) -> float:
        """Of a row of tokens at all codebooks, before entropy coding."""
        return bits_per_second(self.checkpoint.config)

    @property
    def _fixed(self) -> bool:
        return self.checkpoint.config.scaling.kind != "adaptive"

    @property
    def _runtime(self) -> CodecRuntime:
        """The network on the device where the module is."""
        device = str(self.codewords.device)
        if self._made is None or self._made.device != device:
            self._made = CodecRuntime(self.checkpoint, device=device)
        return self._made

    def __getstate__(self) -> dict[str, Any]:
        """Leave the network out of pickles and copies: it is made again where it is used."""
        return {**self.__dict__, "_made": None}

    def groups(self, channel_names: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the channels of each row of tokens, as indices into `channel_names`.

        Of components a row is of all channels; it stands at the place of the one channel that is named.
        """
        config = self.checkpoint.config
        if config.adapters is None:
            return [(index,) for index in range(len(channel_names))]
        return [group.channels for group in grouping_for(config, channel_names, config.adapters.groups)]

    @overload
    def encode(
        self,
        x: torch.Tensor,
        sample_rate: float,
        channel_names: Sequence[str] | None = ...,
        *,
        codebooks: int | None = ...,
        like: Recording | EdfHeader | None = ...,
        return_scales: Literal[False] = ...,
    ) -> torch.Tensor: ...

    @overload
    def encode(
        self,
        x: torch.Tensor,
        sample_rate: float,
        channel_names: Sequence[str] | None = ...,
        *,
        codebooks: int | None = ...,
        like: Recording | EdfHeader | None = ...,
        return_scales: Literal[True],
    ) -> tuple[torch.Tensor, Scales]: ...

    def encode(
        self,
        x: torch.Tensor,
        sample_rate: float,
        channel_names: Sequence[str] | None = None,
        *,
        codebooks: int | None = None,
        like: Recording | EdfHeader | None = None,
        return_scales: bool = False,
    ) -> torch.Tensor | tuple[torch.Tensor, Scales]:
        """Encode recordings.

        Parameters
        ----------
        x : Tensor of float, shape (B, C, T)
            In uV; each of the B is a recording by itself. float64 where samples have 24 bits.
        sample_rate : float
            Hz, 64 at least.
        channel_names : sequence of str, optional
            One a channel; needed by models of groups, which know channels by name, and with `like`.
        codebooks : int, optional
            Use the first so many; by default as many as ``compress`` does (384 bit/s a channel). Of components it says
            how large the error is to be, and each takes as many as that is worth.
        like : Recording or EdfHeader, optional
            The recording that the samples are from, as :func:`eegzip.open` gives it. What decides tokens are integers:
            they are rounded to its digits. By default to 1/32 uV.
        return_scales : bool
            Return the scales, too.

        Returns
        -------
        codes : Tensor of int64, shape (B, G, K, F)
            The coarsest level first, on the device of `x`. -1 where a component's frame has no more tokens, and
            for a flat channel among components. (A file keeps flat channels exactly; here they have tokens else.)
        scales : Scales
            What :meth:`decode` needs to restore the level; only with `return_scales`.

        Raises
        ------
        UsageError
            Shape, rate, names or values don't fit.
        """
        self._check_samples(x)
        names = self._names(channel_names, x.shape[1], needed=like is not None)
        # Whatever channels are called, they are what the caller wants tokens of, and make one array.
        options = CompressionOptions.checked(codebooks=codebooks, lossy=("*",), kinds={"*": "eeg"})
        codec = choose(self.checkpoint, options)
        header = like if like is None or isinstance(like, EdfHeader) else like.edf_header
        layout = Layout(names, sample_rate, x.shape[2], header)
        microvolts = x.detach().cpu().numpy().astype(np.float64)
        recordings = [layout.samples(rows) for rows in microvolts]
        coded = encode_recordings(recordings, codec, options, self._runtime)
        frames = grid_of(self._runtime, layout.rate, layout.n_samples).n_frames
        codes = gathered(coded, len(self.groups(names)), frames, self.vocabulary_size).to(x.device)
        return (codes, scales_of(coded, layout)) if return_scales else codes

    forward = encode

    def decode(
        self,
        codes: torch.Tensor,
        scales: Scales | None = None,
        *,
        level: float = 20.0,
        sample_rate: float | None = None,
        channel_names: Sequence[str] | None = None,
        alone: bool = False,
    ) -> torch.Tensor:
        """Decode tokens.

        Parameters
        ----------
        codes : Tensor of int, shape (B, G, k, F)
            Of the first k codebooks; -1 adds nothing.
        scales : Scales, optional
            As :meth:`encode` gave them. Without them, as for tokens that a language model made up, all is of one level;
            components of recordings can't do without.
        level, sample_rate : float, optional
            Without scales: RMS of the result, about, in uV, and its rate in Hz (the network's own by default).
        channel_names : sequence of str, optional
            Without scales, of models of groups.
        alone : bool
            Decode every channel from its own tokens, though the model has a joint decoder (``eegz-sc-4``). A file uses
            it for the channels for which it measured less error; here it serves all.

        Returns
        -------
        Tensor of float32, shape (B, C, T)
            In uV, before rounding to digits, on the device of `codes`. Mains and other steady tones that
            :meth:`encode` took out, and a file puts back, stay out.

        Raises
        ------
        UsageError
            Shapes, names or scales don't fit.
        ModelError
            A token is beyond the vocabulary.
        """
        values = packed(codes, self.name, self.codebooks, self.vocabulary_size)
        batch, rows, _, frames = values.shape
        runtime = self._runtime
        if scales is None:
            names = self._names(channel_names, rows, needed=self.unit == "group")
            if self.unit == "component":
                raise UsageError(
                    f"tokens of {self.name} are of components of one recording, and only the scales that encode(..., "
                    "return_scales=True) gave with them say how channels are made of these; pass scales."
                )
            if not (math.isfinite(level) and level > 0):
                raise UsageError(f"a level must be a positive number of uV, not {level}.")
            rate = Fraction(sample_rate or self.sample_rate).limit_denominator(10**6)
            shape = (batch, len(names), frames)
            scales = steady_scales(runtime, shape, names, rate, level, fixed=self._fixed)
        groups = self.groups(scales.channel_names)
        config = self.checkpoint.config
        decoding = Decoding(runtime, scales, groups, styles_for(config, scales.channel_names), fixed=self._fixed)
        if (len(scales), len(groups), decoding.grid.n_frames) != (batch, rows, frames):
            raise UsageError(
                f"these scales are of {len(scales)} recordings, {len(groups)} rows, {decoding.grid.n_frames} frames, "
                f"the codes of {batch}, {rows} and {frames}; cut batches alike (scales[:n]), and time not at all."
            )
        digits = decoding.digits(values, joint=config.joint is not None and not self._fixed and not alone)
        microvolts = digits * scales.gains[:, None] + scales.offsets[:, None]
        return torch.from_numpy(microvolts.astype(np.float32)).to(codes.device)

    def embed(self, codes: torch.Tensor) -> torch.Tensor:
        """Return what tokens stand for in the network: the sum of their codewords.

        Parameters
        ----------
        codes : Tensor of int, shape (B, G, k, F)
            Of the first k codebooks; -1 adds nothing.

        Returns
        -------
        Tensor of float32, shape (B, G, D, F)

        Raises
        ------
        UsageError
            The shape does not fit.
        ModelError
            A token is beyond the vocabulary.
        """
        values = packed(codes, self.name, self.codebooks, self.vocabulary_size)
        latents = torch.from_numpy(self._runtime.codewords(values.reshape(-1, *values.shape[2:])))
        return latents.reshape(*values.shape[:2], *latents.shape[1:]).to(codes.device)

    def _check_samples(self, x: torch.Tensor) -> None:
        if x.ndim != 3 or not x.numel() or not x.is_floating_point():
            raise UsageError(
                f"samples must be a tensor of floats [recordings, channels, samples] in uV, none of them 0; this one "
                f"is of {x.dtype}, {list(x.shape)}. One recording is x[None]."
            )

    def _names(self, channel_names: Sequence[str] | None, channels: int, *, needed: bool) -> tuple[str, ...]:
        if channel_names is None:
            if needed or self.unit == "group":
                raise UsageError("channel_names are needed here: by them channels are known.")
            # Of no electrodes, so nothing is read into them.
            return tuple(f"{number + 1}" for number in range(channels))
        if isinstance(channel_names, str) or (self.unit != "group" and len(channel_names) != channels):
            raise UsageError(f"channel_names must be {channels} names, one a channel, not {channel_names!r}.")
        return tuple(channel_names)
