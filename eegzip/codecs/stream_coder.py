"""Groups of channels to tokens and back: one stream of tokens a group.

What a group gives depends on its own channels alone. Encoder and decoder work on batches of groups of one size; what
mixes channels is done group by group, so that its matrix products have the same shape whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegzip.codecs.types import CodeArray, FloatArray
from eegzip.formats.errors import ModelError, UsageError

if TYPE_CHECKING:
    from eegzip.codecs.networks.network import IndexArray
    from eegzip.codecs.runtime import CodecRuntime


class GroupCoder:
    """Encoder and decoder of the channels of some groups; as one batch.

    Parameters
    ----------
    runtime
        The model.
    groups
        The style of each channel of each group, in the order of the rows that it will get. Where every channel is
        coded alone, groups of one; the styles then mean nothing.

    Attributes
    ----------
    n_channels : int
        Channels of all groups, which are the rows that it takes and gives, group after group.
    n_groups : int
        Streams of tokens.
    window_frames, encoder_context, decoder_context : int
        As of the runtime.
    causal : bool
        Likewise; then windows have context before them only.

    Raises
    ------
    ModelError
        The model knows no such groups or styles.
    """

    def __init__(self, runtime: CodecRuntime, groups: Sequence[Sequence[int]]) -> None:
        sizes = np.array([len(group) for group in groups], dtype=np.int64)
        self._check(runtime, groups)
        self._runtime = runtime
        self.n_groups = len(groups)
        self.n_channels = int(sizes.sum())
        self.window_frames = runtime.window_frames
        self.encoder_context = runtime.encoder_context
        self.decoder_context = runtime.decoder_context
        self.causal = runtime.causal
        first = np.cumsum(sizes) - sizes
        # For each size: which groups are that large, their rows [groups, size] and styles [groups, size].
        self._members = [np.flatnonzero(sizes == size) for size in np.unique(sizes)]
        self._rows = [first[members][:, None] + np.arange(sizes[members[0]]) for members in self._members]
        self._styles = [np.array([groups[int(i)] for i in members], np.int64) for members in self._members]

    @staticmethod
    def _check(runtime: CodecRuntime, groups: Sequence[Sequence[int]]) -> None:
        """Refuse groups that the model can't code."""
        adapters = runtime.checkpoint.config.adapters
        most = 1 if adapters is None else adapters.max_channels
        for group in groups:
            if not 1 <= len(group) <= most:
                raise ModelError(
                    f"A group has {len(group)} channels; the model {runtime.checkpoint.config.name} codes "
                    + ("every channel alone." if adapters is None else f"1 to {most} channels as one.")
                )
            if adapters is not None and not all(0 <= style <= len(adapters.vocabulary) for style in group):
                raise ModelError(
                    f"The styles {list(group)} are not all of the model's, 0 to {len(adapters.vocabulary)}."
                )

    def encode(
        self,
        samples: FloatArray,
        n_codebooks: int | None = None,
        multipliers: npt.NDArray[np.float64] | None = None,
        missing: int = 0,
    ) -> CodeArray:
        """Return the codes [groups, n_codebooks, n] of windows [channels, (n + 2 * encoder_context) * hop].

        Parameters
        ----------
        samples
            Normalised waveforms, context on both sides included.
        n_codebooks
            Use only the first so many codebooks; the search then aims at the best result with these.
        multipliers
            Lagrange multipliers [groups, n]: the squared error in the latents that a token must take away to be worth
            it. Frames have no others; by default all have all.
        missing
            Frames of the context before that lie before the recording: a causal network begins after them, as it would
            on a stream; to others they are samples like any.
        """
        return self._encode(samples, n_codebooks, None, multipliers, missing)

    def encode_with_latents(
        self, samples: FloatArray, n_codebooks: int | None = None, missing: int = 0
    ) -> tuple[CodeArray, FloatArray]:
        """Return the codes as :meth:`encode` does, and the latents [groups, D, n] that they stand for."""
        frames = max(samples.shape[-1] // self._runtime.hop - 2 * self.encoder_context, 0)
        width = self._runtime.checkpoint.config.network.latent_width
        latents = np.empty((self.n_groups, width, frames), dtype=np.float32)
        return self._encode(samples, n_codebooks, latents, None, missing), latents

    def _encode(
        self,
        samples: FloatArray,
        n_codebooks: int | None,
        latents: FloatArray | None,
        multipliers: npt.NDArray[np.float64] | None,
        missing: int,
    ) -> CodeArray:
        runtime, context, length = self._runtime, self.encoder_context, samples.shape[-1]
        frames = length // runtime.hop - 2 * context
        if samples.ndim != 2 or len(samples) != self.n_channels or length % runtime.hop or frames < 0:
            raise UsageError(
                f"Windows must be of {self.n_channels} channels and whole frames of {runtime.hop} samples, with "
                f"{context} more on each side; these have the shape {samples.shape}."
            )
        levels = runtime.levels(n_codebooks)
        codes = np.empty((self.n_groups, levels, frames), dtype=np.uint16)
        begin = 0
        if self.causal:
            begin, length = min(missing, context), (context + frames) * runtime.hop

        def encode_batch(kind: int, part: IndexArray) -> None:
            rows, styles = self._rows[kind][part], self._styles[kind][part]
            members = self._members[kind][part]
            waves = np.ascontiguousarray(samples[rows, begin * runtime.hop : length], dtype=np.float32)
            least = None if multipliers is None else multipliers[members].astype(np.float32)
            inner = slice(context - begin, context - begin + frames)
            codes[members], found = runtime.network.encode(waves, styles, inner, levels, least)
            if latents is not None:
                latents[members] = found

        runtime.network.in_batches(encode_batch, [(len(rows), rows.shape[1] * length) for rows in self._rows])
        return codes

    def decode(self, codes: CodeArray, valid: tuple[int, int] | None = None) -> FloatArray:
        """Return the waveforms [channels, n * hop] of codes [groups, k, n + 2 * decoder_context].

        Parameters
        ----------
        codes
            Codes of the first k codebooks, ``decoder_context`` frames on both sides included.
        valid
            Range [first, last) of the frames given that exist; the others count as zero latents. Frames
            exist between 0 and the recording's number of frames (:mod:`eegzip.formats.eegz.timeline`).
        """
        runtime, context = self._runtime, self.decoder_context
        frames = codes.shape[-1]
        n = frames - 2 * context
        if codes.ndim != 3 or len(codes) != self.n_groups or n < 0:
            raise UsageError(
                f"Codes must be of {self.n_groups} groups, with {context} frames of context on each side; these have "
                f"the shape {codes.shape}."
            )
        first, last = valid if valid is not None else (0, frames)
        wave = np.empty((self.n_channels, n * runtime.hop), dtype=np.float32)
        begin, stop = 0, frames
        if self.causal:
            # It begins with the first frame there is; later ones don't show.
            begin, stop = min(max(first, 0), context), frames - context

        def decode_batch(kind: int, part: IndexArray) -> None:
            rows, styles = self._rows[kind][part], self._styles[kind][part]
            shown = codes[self._members[kind][part], :, begin:stop]
            made = runtime.network.decode(shown, styles, first - begin, last - begin)
            wave[rows.reshape(-1)] = made[:, (context - begin) * runtime.hop :][:, : n * runtime.hop]

        sizes = [(len(rows), rows.shape[1] * (stop - begin) * runtime.hop) for rows in self._rows]
        runtime.network.in_batches(decode_batch, sizes)
        return wave

    def synthesise(self, latents: FloatArray) -> FloatArray:
        """Return the waveforms [channels, n * hop] of latents [channels, D, n + 2 * decoder_context].

        Those of codes without styles are what :meth:`decode` makes of the codes, to the bit.

        Parameters
        ----------
        latents
            Zero where frames don't exist.
        """
        runtime, context, frames = self._runtime, self.decoder_context, latents.shape[-1]
        hop, n = runtime.hop, frames - 2 * context
        wave = np.empty((self.n_channels, n * hop), dtype=np.float32)

        def synthesise_batch(_kind: int, part: IndexArray) -> None:
            made = runtime.network.synthesise(latents[part])
            wave[part] = made[:, context * hop : (context + n) * hop]

        runtime.network.in_batches(synthesise_batch, [(self.n_channels, frames * hop)])
        return wave
