"""Tokens of a group over any stretch of time, as plain arrays: read, slice, concatenate - without a network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import UsageError


@dataclass(frozen=True)
class TokenStream:
    """Residual-vector-quantisation indices of one group of signals.

    Parameters
    ----------
    codes : ndarray of uint16, shape (codebooks, frames)
        Indices, coarse level first; 65535 in the upper levels of frames that have fewer tokens.
    labels : tuple of str
        Signals that the group codes together, or those of its KLT.
    first_frame : int
        Number of the first frame in the recording.
    frame_rate : float or None
        Frames a second; ``None`` where the recording's records have no duration.
    codebook_size : int
        Entries of each codebook.
    model, digest : str
        The checkpoint that gives the indices their meaning.
    component : int or None
        Where `labels` are coded as components of a rotation: which one this is, from 0, the loudest first.
    weights : tuple of float or None
        Then what it adds to each of `labels`, in digital units.
    """

    codes: np.ndarray
    labels: tuple[str, ...]
    first_frame: int
    frame_rate: float | None
    codebook_size: int
    model: str
    digest: str
    component: int | None = None
    weights: tuple[float, ...] | None = None

    def __len__(self) -> int:
        """Return the number of frames."""
        return int(self.codes.shape[1])

    def slice(self, start: int, stop: int) -> TokenStream:
        """Return the frames from `start` up to `stop`, counted within this stream."""
        start, stop, _ = slice(start, stop).indices(len(self))
        return replace(self, codes=self.codes[:, start:stop], first_frame=self.first_frame + start)

    def coarse(self, codebooks: int) -> TokenStream:
        """Return the first levels only; they are a valid, coarser stream of the same model."""
        return replace(self, codes=self.codes[:codebooks])


def _identity(stream: TokenStream) -> tuple[object, ...]:
    return (
        stream.digest,
        stream.labels,
        stream.component,
        stream.weights,
        int(stream.codes.shape[0]),
        stream.frame_rate,
    )


def concatenate(streams: list[TokenStream]) -> TokenStream:
    """Join streams of one model end to end in time.

    Parameters
    ----------
    streams : list of TokenStream
        At least one; all of the same model, depth, signals and frame rate.

    Raises
    ------
    UsageError
        The list is empty, or models, depths, signals or frame rates differ.
    """
    if not streams:
        raise UsageError("there are no token streams to concatenate.")
    first = streams[0]
    for other in streams[1:]:
        if _identity(other) != _identity(first):
            raise UsageError("token streams of different models, depths, signals or rates can't be concatenated.")
    return replace(first, codes=np.concatenate([stream.codes for stream in streams], axis=1))


def read_tokens(reader: EegzReader, group: int, start: int = 0, stop: int | None = None) -> TokenStream:
    """Read the tokens of a group from frame `start` up to `stop`, touching only the chunks that hold them.

    Parameters
    ----------
    reader : EegzReader
    group : int
        Index into the header's groups.
    start, stop : int
        Frame numbers in the recording; `stop` defaults to the end.

    Returns
    -------
    TokenStream

    Raises
    ------
    ContainerError
        A chunk is missing or damaged.
    UsageError
        There is no such group or no such frame.
    """
    header = reader.header
    if not 0 <= group < len(header.groups):
        raise UsageError(f"{reader.path} has {len(header.groups)} token streams; there is no number {group}.")
    entry, grid = header.groups[group], header.grid(group)
    codec = header.codecs[entry.codec]
    stop = grid.n_frames if stop is None else stop
    if not 0 <= start <= stop <= grid.n_frames:
        raise UsageError(f"{reader.path} has frames 0 to {grid.n_frames}; {start} to {stop} is not among them.")
    rate = header.signals[entry.signals[0]].sample_rate
    klt = header.klt_of(group)
    component = None if klt is None else klt.groups.index(group)
    return TokenStream(
        codes=reader.tokens(group, start, stop),
        labels=tuple(header.signals[index].label for index in header.sharing(group)),
        first_frame=start,
        frame_rate=None if rate is None else rate * entry.up / (entry.down * codec.hop),
        codebook_size=codec.codebook_size,
        model=codec.model,
        digest=codec.digest,
        component=component,
        weights=None if klt is None else tuple(float(weight) for weight in klt.to_signals()[:, component]),
    )
