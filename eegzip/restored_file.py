"""The EDF or BDF file that an ``.eegz`` file restores to, to be read like any other; only what is read is decoded."""

from __future__ import annotations

import io
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eegzip.codecs.checkpoints.priors import priors
from eegzip.decoding.recording_decoder import RecordingDecoder
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.decoding.timeline import stored_timeline
from eegzip.formats.edf import EdfHeader, Timeline
from eegzip.formats.edf.samples import encode_signal
from eegzip.formats.eegz.edf_envelope import stored_edf_header
from eegzip.formats.eegz.keys import AnyKey, Key
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.recent import Recent
from eegzip.formats.errors import ContainerError, UsageError
from eegzip.formats.remote.path import RemotePath, place_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Thousands of recordings may be at hand in one program, as when a network is trained on them; the system allows about
# a thousand open files, and each remembers what was decoded last.
_OPEN_FILES = 16
_REMEMBERED_BYTES = 16 << 20


class RestoredFile(io.RawIOBase):
    """A file, open for reading, that holds what :func:`eegzip.decompress` would write.

    Samples are decoded chunk by chunk (about a minute) when they are read, and those read last are remembered: memory
    stays flat. It can be pickled and copied; each copy begins at its start. Threads should have a copy each.

    Parameters
    ----------
    path : path-like or URL
        The ``.eegz`` file. It is opened again as needed, so closing costs nothing and many may be at hand.
    signals : iterable of int, optional
        Only these are decoded; the samples of all others read as 0. By default all.
    model, device, alone, key
        As for :func:`eegzip.open`.

    Attributes
    ----------
    name : str
        Where the ``.eegz`` file is.
    size : int
        Bytes of the restored file.

    Raises
    ------
    ContainerError
        It is not an ``.eegz`` file, or its header is damaged. Reading raises it where a chunk is damaged, or where the
        file is another one by then.
    BadInputError
        It can't be opened.

    Examples
    --------
    >>> from eegzip.restored_file import RestoredFile
    >>> with RestoredFile("night.eegz") as edf:
    ...     _ = edf.seek(168)
    ...     edf.read(16)
    b'01.01.1000.00.00'
    """

    def __init__(
        self,
        path: str | Path | RemotePath,
        *,
        signals: Iterable[int] | None = None,
        model: str | Path | None = None,
        device: str = "cpu",
        alone: bool = False,
        key: AnyKey | None = None,
    ) -> None:
        super().__init__()
        # An absolute path, as a process that opens it again may work in another folder.
        place = place_of(path)
        if isinstance(place, Path):
            place = place.absolute()
        self._how = _How(place, model, device, alone, None if key is None else Key.of(key), _stamp(place))
        content = _opened(self._how)
        self._identity = content.identity
        self.name = str(self._how.path)
        self.size = content.size
        count = len(content.edf.signals)
        self._signals = tuple(sorted(set(range(count) if signals is None else signals)))
        if not set(self._signals) <= set(range(count)):
            raise UsageError(f"{path} has the signals 0 to {count - 1}, not all of {self._signals}.")
        self._position = 0

    def of_signals(self, signals: Iterable[int]) -> RestoredFile:
        """Return the same file from its start, with the samples of all but some signals read as 0."""
        other = RestoredFile.__new__(RestoredFile)
        other.__dict__.update(self.__dict__, _signals=tuple(sorted({int(index) for index in signals})), _position=0)
        return other

    @property
    def edf_header(self) -> EdfHeader:
        """The header of the restored file."""
        return self._content().edf

    def timeline(self) -> Timeline:
        """Onsets of the data records, and annotations; decodes the annotation signals."""
        content = self._content()
        return stored_timeline(content.reader, content.edf)

    def _content(self) -> _Content:
        if self.closed:
            raise ValueError(f"{self.name} was closed.")
        content = _opened(self._how)
        if content.identity != self._identity:
            raise ContainerError(f"{self.name} is not the file any more that it was when it was opened; open it again.")
        return content

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Where the next read begins, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Say where the next read begins, from the start, from here or from the end; and return it."""
        origins = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}
        if whence not in origins:
            raise ValueError(f"whence must be 0, 1 or 2, not {whence}.")
        place = origins[whence] + offset
        if place < 0:
            raise ValueError(f"there is no byte {place} in a file.")
        self._position = place
        return place

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer, as far as the file goes, and return the number of bytes."""
        target = memoryview(buffer).cast("B")
        count = self._content().fill(target, self._position, self._signals)
        self._position += count
        return count

    def readall(self) -> bytes:
        """Return the rest of the file."""
        return self.read(max(0, self.size - self._position)) or b""

    def __deepcopy__(self, memo: object) -> RestoredFile:
        """Return another that begins at its start; what was decoded is shared."""
        return self.of_signals(self._signals)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as what it takes to open it again."""
        return _reopened, (self._how, self._identity, self._signals)


class _How(NamedTuple):
    """What it takes to open a file."""

    path: Path | RemotePath
    model: str | Path | None
    device: str
    alone: bool
    key: Key | None
    stamp: tuple[int | str | None, ...]


def _stamp(path: Path | RemotePath) -> tuple[int | str | None, ...]:
    """What tells a file from another that takes its name; nothing where there is none."""
    if isinstance(path, RemotePath):
        status = path.status()
        return status.size, status.mtime_ns, status.etag
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _reopened(how: _How, identity: tuple[int, int], signals: tuple[int, ...]) -> RestoredFile:
    file = RestoredFile(how.path, model=how.model, device=how.device, alone=how.alone, key=how.key)
    file._identity = identity
    file._content()
    return file.of_signals(signals)


class _Content:
    """An open ``.eegz`` file as the bytes that it restores to; threads may share it."""

    def __init__(self, how: _How) -> None:
        self.reader = EegzReader(how.path, priors(how.model), how.key)
        weakref.finalize(self, self.reader.close)
        header = self.reader.header
        self.identity = (self.reader.blocks.seed, self.reader.size)
        self.edf = stored_edf_header(header)
        self._data_end = len(header.edf_header) + header.n_records * header.record_bytes
        self.size = self._data_end + header.trailing_bytes
        self._network = StoredNetwork(self.reader, how.model, how.device)
        self._alone = how.alone
        self._decoders: Recent[tuple[int, ...], RecordingDecoder] = Recent(2)
        chunk_bytes = max(1, header.chunk_records * header.record_bytes)
        self._chunks: Recent[tuple[int, tuple[int, ...]], _Chunk] = Recent(max(1, _REMEMBERED_BYTES // chunk_bytes))

    def fill(self, target: memoryview, offset: int, signals: tuple[int, ...]) -> int:
        """Write the bytes from `offset` on into a buffer, and return how many there are."""
        header = self.reader.header
        target = target[: max(0, min(len(target), self.size - offset))]
        end, data = offset + len(target), len(header.edf_header)
        if offset < data:
            _lay(target, offset, header.edf_header, 0)
        low, high = max(offset, data), min(end, self._data_end)
        if low < high:
            size = header.record_bytes
            for first, records in self._records((low - data) // size, -(-(high - data) // size), signals):
                _lay(target, offset, records.reshape(-1).data, data + first * size)
        if end > self._data_end:
            place = self._data_end
            for piece in self.reader.trailing():
                _lay(target, offset, piece, place)
                place += len(piece)
        return len(target)

    def _records(self, first: int, stop: int, signals: tuple[int, ...]) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        """Data records of each chunk, and the number of the first."""
        header = self.reader.header
        for chunk, samples in self._decoded(first // header.chunk_records, -(-stop // header.chunk_records), signals):
            begin, end = header.records_of_chunk(chunk)
            low, high = max(first, begin), min(stop, end)
            records = np.zeros((high - low, header.record_bytes), np.uint8)
            for index, rows in samples.items():
                records[:, self.edf.signal_slices[index]] = rows[low - begin : high - begin]
            yield low, records

    def _decoded(self, first: int, stop: int, signals: tuple[int, ...]) -> Iterator[tuple[int, _Chunk]]:
        """Chunk after chunk; those that are not remembered are decoded together, as that is done on all cores."""
        while first < stop:
            found = self._chunks.find((first, signals))
            if found is not None:
                yield first, found
                first += 1
                continue
            known = (n for n in range(first + 1, stop) if self._chunks.find((n, signals)) is not None)
            end = next(known, stop)
            yield from self._decode(first, end, signals)
            first = end

    def _decode(self, first: int, stop: int, signals: tuple[int, ...]) -> Iterator[tuple[int, _Chunk]]:
        header = self.reader.header
        decoder = self._decoders.get(
            signals, lambda wanted: RecordingDecoder(self.reader, self._network, wanted, alone=self._alone)
        )
        parts: dict[int, list[npt.NDArray[np.uint8]]] = {}
        records = header.records_of_chunk(first)[0], header.records_of_chunk(stop - 1)[1]
        for begin, end, samples in decoder.blocks(*records):
            for index in samples.keys() & set(signals):
                parts.setdefault(index, []).append(encode_signal(samples[index], header.sample_bytes))
            chunk = begin // header.chunk_records
            if end == header.records_of_chunk(chunk)[1]:
                whole = {index: np.concatenate(rows) for index, rows in parts.items()}
                parts = {}
                yield chunk, self._chunks.keep((chunk, signals), whole)


_Chunk = Mapping[int, npt.NDArray[np.uint8]]
"""Of each wanted signal the bytes of a chunk's samples, of shape (records, bytes)."""

_contents: Recent[_How, _Content] = Recent(_OPEN_FILES)


def _opened(how: _How) -> _Content:
    """The content of a file, opened unless it is open."""
    return _contents.get(how, _Content)


def _lay(target: memoryview, offset: int, piece: bytes | memoryview, place: int) -> None:
    """Copy a piece that begins at the byte `place` of a file into a buffer that begins at `offset`."""
    low, high = max(offset, place), min(offset + len(target), place + len(piece))
    if low < high:
        target[low - offset : high - offset] = piece[low - place : high - place]
