"""The tokens of a recording as one array."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eegzip.batches.files import Place
from eegzip.compression import compress
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.eegz.token_stream import TokenStream
from eegzip.formats.errors import UsageError
from eegzip.formats.files import is_eegz
from eegzip.formats.remote.spooled import named_as
from eegzip.formats.tokens.packed import ABSENT
from eegzip.recording import Recording
from eegzip.token_data.sources import Source


@dataclass(frozen=True)
class RecordedTokens:
    """What a recording's tokens are and stand for.

    Parameters
    ----------
    source : Source
    channels : tuple of str
        Of each row; those of a group joined by ``+``; ``component 0`` where they are of the recording's own components.
    codes : ndarray of uint16, shape (C, K, F)
        65535 where a frame has fewer tokens than K.
    times : ndarray of float64, shape (F,)
        Centre of each frame in seconds since the start that the header states, gaps counted.
    duration : float
        Seconds of recorded data.
    frame_rate : float
    vocabulary_size : int
    model, digest : str
    start : str
        Date and time of the header, ISO 8601; empty where it states none.
    """

    source: Source
    channels: tuple[str, ...]
    codes: npt.NDArray[np.uint16]
    times: npt.NDArray[np.float64]
    duration: float
    frame_rate: float
    vocabulary_size: int
    model: str
    digest: str
    start: str


@contextmanager
def coded(
    path: Place, model: str | Path, codebooks: int | None, device: str, key: AnyKey | None = None
) -> Iterator[Recording]:
    """Open a recording that has tokens: a ``.eegz`` file as it is, an EDF or BDF file coded for the occasion."""
    if is_eegz(path):
        # For its prior, where the file is of that model; the bundled and cached ones are found anyway.
        with Recording(path, model=model, key=key) as recording:
            yield recording
        return
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
        target = Path(folder) / "tokens.eegz"
        compress(path, target, model=model, codebooks=codebooks, device=device)
        with named_as(target, str(path)), Recording(target, model=model) as recording:
            yield recording


def tokens_of(
    source: Source,
    model: str | Path,
    codebooks: int | None = None,
    device: str = "cpu",
    key: AnyKey | None = None,
) -> RecordedTokens:
    """Read the tokens of a recording, or make them where it is not compressed.

    Raises
    ------
    UsageError
        It has none, or its channels are of different frame rates or models.
    EegzipError
        It can't be read.
    """
    with coded(source.path, model, codebooks, device, key) as recording:
        streams = streams_of(recording, source.path)
        first = streams[0]
        codes = stacked(streams, source.path)
        if codebooks is not None:
            codes = codes[:, :codebooks]
        begun = recording.edf_header.start
        return RecordedTokens(
            source,
            tuple(row_name(stream) for stream in streams),
            codes,
            _times(recording, first, codes.shape[2]),
            recording.duration or 0.0,
            first.frame_rate or 0.0,
            first.codebook_size,
            first.model,
            first.digest,
            "" if begun is None else begun.isoformat(),
        )


def streams_of(recording: Recording, path: Place, start: float = 0.0, stop: float | None = None) -> list[TokenStream]:
    """Return the token streams of a recording that has some."""
    streams = recording.tokens(None, start, stop)
    if not streams:
        raise UsageError(
            f"{path} holds no tokens: it is kept exactly, or within a bound. Take the EDF file, or compress that anew "
            "(a bound with --keep-tokens)."
        )
    return streams


def row_name(stream: TokenStream) -> str:
    """What a stream is called."""
    return "+".join(stream.labels) if stream.component is None else f"component {stream.component}"


def stacked(streams: Sequence[TokenStream], path: Place) -> npt.NDArray[np.uint16]:
    """Codes [C, K, F] of streams, which must have one frame rate and model; 65535 where a stream has fewer."""
    first = streams[0]
    if any(stream.frame_rate != first.frame_rate or stream.first_frame != first.first_frame for stream in streams):
        raise UsageError(f"the channels of {path} have tokens at different frame rates; they make no common array.")
    if any(stream.digest != first.digest for stream in streams):
        raise UsageError(f"the channels of {path} have tokens of several models; they make no common array.")
    shape = np.max([stream.codes.shape for stream in streams], axis=0)
    codes = np.full((len(streams), *shape), ABSENT, np.uint16)
    for row, stream in zip(codes, streams, strict=True):
        row[: stream.codes.shape[0], : stream.codes.shape[1]] = stream.codes
    return codes


def _times(recording: Recording, stream: TokenStream, frames: int) -> npt.NDArray[np.float64]:
    onsets, rate = recording.record_onsets, stream.frame_rate
    if not rate or not recording.duration or not len(onsets):
        raise UsageError("a recording whose data records have no duration has no times of frames.")
    recorded = (stream.first_frame + np.arange(frames)) / rate
    length = recording.duration / len(onsets)
    record = np.clip((recorded / length + 1e-9).astype(np.int64), 0, len(onsets) - 1)
    times: npt.NDArray[np.float64] = onsets[record] + (recorded - record * length)
    return times
