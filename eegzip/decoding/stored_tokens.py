"""Tokens and scaling knots out of a file, and the network that they belong to."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.checkpoints import registry
from eegzip.codecs.checkpoints.embedded import embedded_checkpoint
from eegzip.codecs.stream_batch import StreamBatch
from eegzip.decoding.losses import NO_LOSSES, Losses
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ModelError
from eegzip.formats.processes import PerProcess

if TYPE_CHECKING:
    from eegzip.codecs.checkpoints.checkpoint import Checkpoint
    from eegzip.codecs.runtime import CodecRuntime


class StoredTokens:
    """Tokens and knots of a batch, out of a file.

    Parameters
    ----------
    reader : EegzReader
    batch : StreamBatch
    losses : Losses
        What can't be read. Tokens there count as 0, the most ordinary entry of each codebook, and knots as their
        neighbours': good enough as context for the frames next to them.
    """

    def __init__(self, reader: EegzReader, batch: StreamBatch, losses: Losses = NO_LOSSES) -> None:
        self._reader = reader
        self._batch = batch
        self._without_knots = losses.chunks | losses.knots
        self._lost = [losses.of_group(group) for group in batch.groups]
        owners = {owner.signal: place for place, owner in enumerate(reader.knot_owners())}
        self._places = [owners[signal] for signal in batch.owners(reader.header) if signal in owners]

    def frames(self, start: int, stop: int) -> np.ndarray:
        """Tokens [groups, codebooks, frames], uint16."""
        groups = zip(self._batch.groups, self._lost, strict=True)
        return np.stack([self._reader.tokens(group, start, stop, lost) for group, lost in groups])

    def whole(self, start: int, stop: int) -> bool:
        """Whether no tokens of the frames from `start` up to `stop` are lost."""
        header, group = self._reader.header, self._batch.groups[0]
        chunks = range(header.chunk_of_frame(group, start), header.chunk_of_frame(group, stop - 1) + 1)
        return all(lost.isdisjoint(chunks) for lost in self._lost)

    def knots(self, start: int, stop: int) -> np.ndarray:
        """Scaling knots [waveforms, knots, 2], from whichever chunks store them."""
        reader, group = self._reader, self._batch.groups[0]
        result = np.zeros((len(self._places), stop - start, 2), np.int32)
        known = np.zeros(stop - start, bool)
        for number in range(start, stop):
            chunk = None if known[number - start] else self._chunk_with(number)
            if chunk is not None:
                first, end = reader.chunk_knot_range(chunk, group)
                upto = min(end, stop)
                knots = reader.chunk_knots(chunk)
                for row, place in enumerate(self._places):
                    result[row, number - start : upto - start] = knots[place][number - first : upto - first]
                known[number - start : upto - start] = True
        if known.any() and not known.all():
            places = np.arange(stop - start)
            nearest = places[known][np.abs(places[:, None] - places[known]).argmin(axis=1)]
            result = result[:, nearest]
        return result

    def _chunk_with(self, knot: int) -> int | None:
        """A chunk that stores a knot and can be read: its own, or one near by, as knots at seams are stored twice."""
        reader, group = self._reader, self._batch.groups[0]
        header, grid = reader.header, reader.header.grid(group)
        spacing = header.codecs[header.groups[group].codec].knot_spacing
        frame = grid.frame_of_model_sample(min(knot * spacing, grid.n_model_samples - 1))
        own = header.chunk_of_frame(group, frame)
        if own not in self._without_knots:
            return own
        for chunks in (range(own - 1, -1, -1), range(own + 1, header.n_chunks)):
            for chunk in chunks:
                first, end = reader.chunk_knot_range(chunk, group)
                if first == end:
                    continue  # too short for a frame
                if not first <= knot < end:
                    break
                if chunk not in self._without_knots:
                    return chunk
        return None


class StoredNetwork:
    """The networks that a file's tokens belong to, each loaded when it is first called for.

    Parameters
    ----------
    reader : EegzReader
        The file.
    model : path-like, or a sequence or mapping of such, optional
        Checkpoints to look at first; they are found by digest by default, and where they are not at hand in the file
        itself.
    device : str
    """

    def __init__(self, reader: EegzReader, model: registry.Models = None, device: str = "cpu") -> None:
        self._reader = reader
        self._header = reader.header
        self._models = registry.listed(model)
        self._device = device
        self._runtimes: dict[str, CodecRuntime] = {}
        self._loading = PerProcess(Lock)

    def __call__(self, codec: int) -> CodecRuntime:
        """Return the network of one of the header's codecs.

        Raises
        ------
        ModelError
            The model is not at hand, or `model` is another one.
        """
        digest = self._header.codecs[codec].digest
        with self._loading():
            known = self._runtimes.get(digest)
            checkpoint = self.checkpoint(codec) if known is None else known.checkpoint
            # A model may serve several codecs, at several rates, and the file may contradict it in any.
            self.refuse_contradiction(codec, checkpoint)
            if known is None:
                # Here, as it needs numba, which reading a header does not.
                from eegzip.codecs.runtime import CodecRuntime

                known = self._runtimes[digest] = CodecRuntime(checkpoint, device=self._device)
            return known

    def checkpoint(self, number: int) -> Checkpoint:
        """Find the model of one of the header's codecs; no torch is loaded.

        Raises
        ------
        ModelError
            It is not at hand, or another one was named.
        """
        codec = self._header.codecs[number]
        named = [registry.load(model) for model in self._models]
        for checkpoint in named:
            if checkpoint.digest == codec.digest:
                return checkpoint
        known = {other.digest for other in self._header.codecs}
        if len(named) == 1 and named[0].digest not in known:
            raise ModelError(
                f"the file was coded with the model '{codec.model}' (digest {codec.digest[:16]}...), but "
                f"{named[0].folder} is another ({named[0].digest[:16]}...); name the right folder with --model."
            )
        try:
            return registry.load(codec.digest)
        except ModelError as error:
            embedded = embedded_checkpoint(self._reader)
            if embedded is None or embedded.digest != codec.digest:
                raise ModelError(f"the file was coded with the model '{codec.model}': {error}") from error
            return embedded

    def refuse_contradiction(self, number: int, checkpoint: Checkpoint) -> None:
        """Refuse a file that says of a codec's model what the model does not say of itself.

        Raises
        ------
        ModelError
            It does.
        """
        codec = self._header.codecs[number]
        groups = [group for group in self._header.groups if group.codec == number]
        network, adapters = checkpoint.config.network, checkpoint.config.adapters
        stated = (codec.name, codec.hop, codec.codebooks, codec.codebook_size)
        known = (checkpoint.config.architecture, network.hop, network.n_codebooks, network.codebook_size)
        what = None
        if stated != known:
            what = "kind, hop or codebooks"
        elif codec.joint and checkpoint.config.joint is None:
            what = "a joint decoder"
        elif (
            adapters is not None
            and any(
                len(group.signals) > adapters.max_channels or max(group.styles or (0,)) > len(adapters.vocabulary)
                for group in groups
            )
        ) or (adapters is None and any(len(group.signals) > 1 for group in groups)):
            what = "the channels of a group"
        if what is not None:
            raise ModelError(f"the file contradicts its model '{codec.model}' about {what}; it is damaged.")
