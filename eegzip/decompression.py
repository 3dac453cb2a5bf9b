"""An ``.eegz`` file in, the recording back."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegzip.annotations import stored_timeline
from eegzip.coding import Bank, Progress, StoredTokens, banks_of, block_records, load_runtime, synthesis_of
from eegzip.formats.atomic import atomic_output
from eegzip.formats.edf import EdfHeader, EdfWriter, assemble_records, parse_header
from eegzip.formats.edf.cut import Cut, plan_cut
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError, UsageError
from eegzip.paths import refuse_own_source
from eegzip.planning import matches
from eegzip.reports import DecompressionReport

if TYPE_CHECKING:
    from eegzip.codecs.runtime import CodecRuntime
    from eegzip.codecs.synthesis import Synthesis


def stored_edf_header(header: FileHeader) -> EdfHeader:
    """Parse the EDF header that a file carries.

    Raises
    ------
    ContainerError
        It contradicts what the container says about it.
    """
    size = len(header.edf_header) + header.record_bytes * header.n_records + header.trailing_bytes
    edf = parse_header(header.edf_header, file_size=size, name="the stored EDF header")
    samples = [signal.samples_per_record for signal in edf.signals]
    if samples != [signal.samples_per_record for signal in header.signals] or edf.sample_bytes != header.sample_bytes:
        raise ContainerError("the stored EDF header contradicts the container's own.")
    return edf


@dataclass
class Restorer:
    """Restores data records of an open file, block by block.

    Parameters
    ----------
    reader : EegzReader
    signals : sequence of int, optional
        Only these; all by default.
    model : path-like, optional
        Checkpoint to use instead of the one found by digest.
    device : str
    lost : frozenset of int
        Chunks to be left out: their samples become 0.
    runtime : CodecRuntime, optional
        The network, where it is loaded already; loaded when it is needed by default.
    """

    reader: EegzReader
    signals: Sequence[int] | None = None
    model: str | Path | None = None
    device: str = "cpu"
    lost: frozenset[int] = frozenset()
    runtime: CodecRuntime | None = None
    _banks: list[tuple[Bank, Synthesis]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        header = self.reader.header
        banks = banks_of(header, self.signals)
        if not banks:
            return
        runtime = self.runtime = self.runtime or load_runtime(header, self.model, self.device)
        for bank in banks:
            source = StoredTokens(self.reader, bank, self.lost)
            self._banks.append((bank, synthesis_of(header, bank, source, runtime)))

    def blocks(self, first: int, stop: int) -> Iterator[tuple[int, int, dict[int, np.ndarray]]]:
        """Restore the records from `first` up to `stop`.

        Yields
        ------
        first, stop : int
            First record of the block, and the one after its last; no block goes beyond its chunk.
        samples : dict of int to ndarray of int32, shape (records, samples_per_record)
            Digital values of every wanted signal.
        """
        header = self.reader.header
        wanted = range(len(header.signals)) if self.signals is None else self.signals
        exact = [index for index in header.exact_signals() if index in set(wanted)]
        step = block_records(header)
        while first < stop:
            chunk = first // header.chunk_records
            chunk_first, chunk_stop = header.records_of_chunk(chunk)
            kept = {index: self._exact(chunk, index) for index in exact}
            end = min(stop, chunk_stop)
            for begin in range(first, end, step):
                last = min(begin + step, end)
                rows = slice(begin - chunk_first, last - chunk_first)
                samples = {index: values[rows] for index, values in kept.items()}
                samples.update(self._coded(chunk, begin, last, wanted))
                yield begin, last, samples
            first = end

    def _exact(self, chunk: int, index: int) -> np.ndarray:
        if chunk not in self.lost:
            return self.reader.chunk_exact(chunk, index)
        header = self.reader.header
        first, stop = header.records_of_chunk(chunk)
        return np.zeros((stop - first, header.signals[index].samples_per_record), np.int32)

    def _coded(self, chunk: int, begin: int, last: int, wanted: Sequence[int]) -> dict[int, np.ndarray]:
        samples = {}
        for bank, synthesis in self._banks:
            per_record = self.reader.header.signals[bank.signals[0]].samples_per_record
            if chunk in self.lost:
                values = np.zeros((len(bank.signals), (last - begin) * per_record), np.int32)
            else:
                values = synthesis.digital(begin * per_record, last * per_record)
            for row, index in zip(values, bank.signals, strict=True):
                if index in wanted:
                    samples[index] = row.reshape(last - begin, per_record)
        return samples


def damaged_chunks(reader: EegzReader) -> frozenset[int]:
    """Numbers of the chunks that are missing or fail a checksum."""
    bad = set(range(reader.header.n_chunks)) - set(reader.chunks)
    for number, place in reader.chunks.items():
        try:
            reader.payload(place)
            reader.directory(number)
        except ContainerError:
            bad.add(number)
    return frozenset(bad)


def chosen_signals(header: FileHeader, patterns: Sequence[str]) -> list[int]:
    """Signals that patterns name, annotations left out, in the order of the file.

    Raises
    ------
    UsageError
        A pattern names no signal; the sentence lists the labels.
    """
    ordinary = [index for index, signal in enumerate(header.signals) if signal.kind != "annotations"]
    chosen: set[int] = set()
    for pattern in patterns:
        found = [index for index in ordinary if matches(pattern, header.signals[index].label)]
        if not found:
            labels = ", ".join(header.signals[index].label for index in ordinary)
            raise UsageError(f"no channel matches '{pattern}'; the recording has: {labels}.")
        chosen.update(found)
    return sorted(chosen)


def record_range(header: FileHeader, start: float | None, stop: float | None) -> tuple[int, int]:
    """Data records that enclose a range of seconds of recorded time.

    Raises
    ------
    UsageError
        The range is empty or outside the recording, or records have no duration.
    """
    if start is None and stop is None:
        return 0, header.n_records
    duration = header.record_duration
    if not duration:
        raise UsageError("data records of this file have no duration, so it can't be cut by time.")
    length = header.n_records * duration
    begin, end = start or 0.0, length if stop is None else stop
    if not 0 <= begin < end or begin >= length:
        raise UsageError(f"{begin:g} to {end:g} s is not within the {length:g} s of the recording.")
    # A hair of tolerance: 0.3 s at records of 0.1 s is the third boundary, whatever floats say.
    first = int(np.floor(begin / duration + 1e-9))
    return first, min(int(np.ceil(end / duration - 1e-9)), header.n_records)


def decompress(
    source: str | Path,
    target: str | Path,
    *,
    start: float | None = None,
    stop: float | None = None,
    channels: Sequence[str] = (),
    salvage: bool = False,
    model: str | Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> DecompressionReport:
    """Restore a recording from an ``.eegz`` file.

    Without `start`, `stop` and `channels` the result is the original file, but for the samples of signals that
    were coded lossily.

    Parameters
    ----------
    source : path-like
        The ``.eegz`` file.
    target : path-like
        The EDF or BDF file to make. It appears when it is complete, or not at all.
    start, stop : float, optional
        Cut in time, in seconds of recorded data (gaps of a discontinuous recording don't count), widened to
        whole data records.
    channels : sequence of str
        Shell patterns for the labels of the channels to restore; all by default. Annotations are always kept.
    salvage : bool
        Restore what is intact of a damaged file; the samples of lost chunks become 0.
    model : path-like, optional
        Folder of the checkpoint, where it is neither bundled nor cached. Its digest must be the file's.
    device : str
    overwrite : bool
        Replace an existing target.
    progress : callable, optional

    Returns
    -------
    DecompressionReport

    Raises
    ------
    ContainerError
        The file is damaged (and `salvage` is false) or not an ``.eegz`` file.
    ModelError
        The model that the file names is not at hand.
    OutputExistsError, OutputError
        The target exists, or can't be written.
    UsageError
        An option makes no sense.
    """
    started = time.monotonic()
    report = progress or (lambda *_: None)
    refuse_own_source(source, target)
    with EegzReader(source) as reader:
        header = reader.header
        lost = damaged_chunks(reader) if salvage else frozenset[int]()
        if not salvage and not reader.complete and len(reader.chunks) < header.n_chunks:
            raise ContainerError(f"{source}: {'; '.join(reader.problems)}. Use --salvage to get what is there.")
        notes = list(reader.problems)
        whole = start is None and stop is None and not channels
        first, end = record_range(header, start, stop)
        signals = None if not channels else chosen_signals(header, channels)
        with atomic_output(Path(target), overwrite=overwrite) as output:
            writer = EdfWriter(output)
            if whole:
                restorer = Restorer(reader, None, model, device, lost)
                notes += _write_whole(restorer, writer, report, salvage=salvage)
            else:
                restorer = _write_cut(reader, writer, signals, (first, end), model, device, lost, report)
            size = output.tell()
    return DecompressionReport(
        source=str(source),
        target=str(target),
        restored_bytes=size,
        n_records=end - first,
        elapsed=time.monotonic() - started,
        lost_records=tuple(
            (begin, last - 1)
            for begin, last in (header.records_of_chunk(chunk) for chunk in sorted(lost))
            if last > first and begin < end
        ),
        notes=tuple(notes),
    )


def _write_whole(restorer: Restorer, writer: EdfWriter, progress: Progress, *, salvage: bool) -> list[str]:
    """Write the recording; return what of its end is lost."""
    reader = restorer.reader
    header = reader.header
    edf = stored_edf_header(header)
    writer.write_header(header.edf_header)
    for _, stop, samples in restorer.blocks(0, header.n_records):
        writer.write_records(assemble_records(edf, samples))
        progress("decompressing", stop, header.n_records)
    try:
        for piece in reader.trailing():
            writer.write_trailing(piece)
    except ContainerError as error:
        if not salvage:
            raise
        return [str(error)]
    return []


def _write_cut(
    reader: EegzReader,
    writer: EdfWriter,
    signals: Sequence[int] | None,
    records: tuple[int, int],
    model: str | Path | None,
    device: str,
    lost: frozenset[int],
    progress: Progress,
) -> Restorer:
    header = reader.header
    edf = stored_edf_header(header)
    if signals is None:
        signals = chosen_signals(header, ["*"])
    timeline = stored_timeline(reader, edf, lost)
    cut: Cut = plan_cut(edf, timeline, first_record=records[0], stop_record=records[1], signals=signals)
    restorer = Restorer(reader, list(cut.signals), model, device, lost)
    writer.write_header(cut.header.raw)
    for begin, stop, samples in restorer.blocks(*records):
        writer.write_records(cut.records(begin, samples, count=stop - begin))
        progress("decompressing", stop - records[0], records[1] - records[0])
    return restorer


def restored_sha256(restorer: Restorer, progress: Progress) -> str:
    """Digest of the whole restored file, without writing it."""
    reader = restorer.reader
    edf = stored_edf_header(reader.header)
    digest = hashlib.sha256(reader.header.edf_header)
    for _, stop, samples in restorer.blocks(0, reader.header.n_records):
        block = assemble_records(edf, samples)
        digest.update(np.ascontiguousarray(block).reshape(-1).data)
        progress("restoring", stop, reader.header.n_records)
    for piece in reader.trailing():
        digest.update(piece)
    return digest.hexdigest()
