"""An ``.eegz`` file in, the recording back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from eegzip.codecs.checkpoints.priors import priors
from eegzip.decoding.gaps import LostRecords, ordinary_signals
from eegzip.decoding.losses import NO_LOSSES, Losses, losses_of
from eegzip.decoding.memory import refuse_more_memory
from eegzip.decoding.recording_decoder import RecordingDecoder
from eegzip.decoding.selection import chosen_signals, record_range
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.formats.edf import EdfWriter, assemble_records
from eegzip.formats.edf.annotations import text_signals
from eegzip.formats.edf.cut import Cut, plan_cut
from eegzip.formats.eegz.edf_envelope import stored_edf_header
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError, OutputError, UsageError, naming_memory
from eegzip.formats.files import atomic_output, begins_as_eegz, first_bytes, refuse_own_source
from eegzip.formats.limits import SALVAGED_A_BYTE, SALVAGED_BYTES
from eegzip.formats.remote.path import RemotePath
from eegzip.formats.remote.spooled import Source, Target, local_source, local_target, name_of, path_of
from eegzip.progress import Progress
from eegzip.reports import DecompressionReport, LostSignal


def decompress(
    source: Source,
    target: Target,
    *,
    start: float | None = None,
    stop: float | None = None,
    channels: Sequence[str] = (),
    salvage: bool = False,
    alone: bool = False,
    model: str | Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    max_output: int | None = None,
    max_memory: int | None = None,
    key: AnyKey | None = None,
    progress: Progress | None = None,
) -> DecompressionReport:
    """Restore a recording from an ``.eegz`` file.

    Without `start`, `stop` and `channels` the result is the original file, but for the samples of signals that
    were coded lossily.

    Parameters
    ----------
    source : path-like, URL, bytes or binary file
        The ``.eegz`` file. Of one at a URL, a cut fetches what it needs only.
    target : path-like, URL or binary file
        The EDF or BDF file to make. It appears when it is complete, or not at all; nobody may read it who may not read
        the source, and it keeps the source's time of modification.
    start, stop : float, optional
        Cut in time, in seconds of recorded data (gaps of a discontinuous recording don't count), widened to
        whole data records.
    channels : sequence of str
        Shell patterns for the labels of the channels to restore; all by default. Annotations are always kept.
    salvage : bool
        Restore what is intact of a damaged file; the samples of lost chunks become 0, and those of signals that were
        hit in other chunks. Where the recording has annotations, the times of lost data records are written, and
        ``BAD_LOST`` where they begin; of single signals ``BAD_LOST@@label``.
    alone : bool
        Decode every channel from its own tokens alone, where the model has a joint decoder: a few channels then cost
        nothing but their own tokens, at a larger error than the file states.
    model : path-like, optional
        Folder of the checkpoint, where it is neither bundled nor cached. Its digest must be the file's.
    device : str
    overwrite : bool
        Replace an existing target, unless it is an ``.eegz`` file.
    max_output : int, optional
        Bytes that the restored file may have. Any number by default, but with `salvage`, where lost samples may then
        not be more than 64 MiB and not more than a thousand times the bytes of the damaged file.
    max_memory : int, optional
        Bytes of memory that a chunk may take to be decoded, network and program apart. By default a file is refused
        that asks for more than a thousand times its size and more than 32 MiB and 8 a signal: it was made to hurt, or
        holds next to nothing but flat lines.
    key : str, bytes or path-like, optional
        What opens what is sealed: a pass phrase (a str), 32 bytes, or the file that holds 32 bytes. Without it, a file
        whose identity is sealed is restored as of nobody, and the report says so.
    progress : callable, optional

    Returns
    -------
    DecompressionReport

    Raises
    ------
    ContainerError
        The file is damaged (and `salvage` is false) or not an ``.eegz`` file.
    SealedError
        The file is sealed as a whole and there is no key, or the key does not open it.
    ModelError
        The model that the file names is not at hand.
    OutOfMemoryError
        There is not enough memory, or `max_memory` is not.
    OutputExistsError, OutputError
        The target exists, can't be written, or would be larger than `max_output`.
    UsageError
        An option makes no sense, or the target is an ``.eegz`` file.
    """
    started = time.monotonic()
    report = progress or (lambda *_: None)
    refuse_own_source(source, target)
    if begins_as_eegz(first_bytes(target, 5)):
        raise UsageError(
            f"{name_of(target)} is an .eegz file, which a restored recording never replaces; name another output."
        )
    whole = start is None and stop is None and not channels
    with ExitStack() as stack:
        write = stack.enter_context(local_target(target, overwrite=overwrite))
        # For a part of a file at a URL, parts of it are fetched.
        in_parts = isinstance(path_of(source), RemotePath) and not (whole or salvage)
        read = source if in_parts else stack.enter_context(local_source(source))
        stack.enter_context(naming_memory(name_of(source)))
        reader = stack.enter_context(EegzReader(read, priors(model), key))
        header = reader.header
        reader.max_memory = max_memory
        refuse_more_memory(reader)
        if not salvage and not reader.complete and len(reader.chunks) < header.n_chunks:
            raise ContainerError(f"{reader.path}: {'; '.join(reader.problems)}. Use --salvage to get what is there.")
        first, end = record_range(header, start, stop)
        if not salvage:
            reader.require_chunks(first, end)
        signals = chosen_signals(header, channels) if channels else None
        network = StoredNetwork(reader, model, device)
        origin = read if isinstance(read, Path) else None
        losses = losses_of(reader) if salvage else NO_LOSSES
        _refuse_more_output(reader, (first, end), losses, max_output)
        notes = list(reader.problems)
        if key is not None and reader.sealed is None:
            notes.append("nothing of the file is sealed, so the key says nothing of who made it")
        with atomic_output(write, overwrite=overwrite, source=origin) as output:
            writer = EdfWriter(output)
            if whole:
                decoder = RecordingDecoder(reader, network, losses=losses, alone=alone)
                notes += _write_whole(decoder, writer, report, losses, salvage=salvage)
            else:
                cut = _cut(reader, signals, (first, end), losses)
                decoder = RecordingDecoder(reader, network, list(cut.signals), losses, alone=alone)
                _write_cut(decoder, cut, writer, (first, end), report)
            size = output.tell()
        lost_records, lost_signals = _lost(reader, losses, signals, (first, end))
    return DecompressionReport(
        source=name_of(source),
        target=name_of(target),
        restored_bytes=size,
        n_records=end - first,
        elapsed=time.monotonic() - started,
        lost_records=lost_records,
        lost_signals=lost_signals,
        notes=tuple(notes),
        locked=reader.locked,
    )


def _lost(
    reader: EegzReader, losses: Losses, signals: Sequence[int] | None, records: tuple[int, int]
) -> tuple[tuple[tuple[int, int], ...], tuple[LostSignal, ...]]:
    """Records of which all is lost that was asked for, and elsewhere the signals that are lost."""
    header, edf = reader.header, stored_edf_header(reader.header)
    every = range(len(header.signals))
    chosen = ordinary_signals(header, edf, every if signals is None else signals)
    whole = losses.of_signals(chosen)

    def ranges(chunks: Iterable[int]) -> tuple[tuple[int, int], ...]:
        spans = (header.records_of_chunk(chunk) for chunk in sorted(chunks))
        return tuple((begin, stop - 1) for begin, stop in spans if stop > records[0] and begin < records[1])

    found = {
        signal: ranges(set(losses.of_signals((signal,))).difference(whole)) for signal in (*chosen, *text_signals(edf))
    }
    lost = (LostSignal(signal, header.signals[signal].label, spans) for signal, spans in sorted(found.items()) if spans)
    return ranges(whole), tuple(lost)


def _refuse_more_output(reader: EegzReader, records: tuple[int, int], losses: Losses, most: int | None) -> None:
    """Refuse to write more than is allowed; of a damaged file, whose header may claim anything, not much in zeros."""
    header = reader.header
    whole = len(header.edf_header) + header.record_bytes * (records[1] - records[0]) + header.trailing_bytes
    if most is not None and whole > most:
        raise OutputError(
            f"{reader.path}: restores to {whole} bytes, more than the {most} allowed; allow more with --max-output "
            "(max_output=)."
        )
    zeros = 0
    for chunk in (*losses.chunks, *losses.signals):
        first, stop = header.records_of_chunk(chunk)
        lost = losses.among(range(len(header.signals)), chunk)
        width = header.sample_bytes * sum(header.signals[signal].samples_per_record for signal in lost)
        zeros += width * max(0, min(stop, records[1]) - max(first, records[0]))
    if most is None and zeros > max(SALVAGED_BYTES, SALVAGED_A_BYTE * reader.size):
        raise ContainerError(
            f"{reader.path}: {zeros} bytes of the recording are lost, which is much for a file of {reader.size} bytes; "
            f"where the recording really had so many, allow them with --max-output {whole} (max_output=)."
        )


def _write_whole(
    decoder: RecordingDecoder, writer: EdfWriter, progress: Progress, losses: Losses, *, salvage: bool
) -> list[str]:
    """Write the recording; return what of its end is lost."""
    reader = decoder.reader
    header = reader.header
    edf = stored_edf_header(header)
    writer.write_header(header.edf_header)
    missing = LostRecords(reader, edf, losses, range(len(header.signals))) if losses else None
    for first, stop, samples in decoder.blocks(0, header.n_records):
        block = assemble_records(edf, samples)
        if missing is not None:
            missing.put(first, block)
        writer.write_records(block)
        progress("decompressing", stop, header.n_records)
    try:
        for piece in reader.trailing():
            writer.write_trailing(piece)
    except ContainerError as error:
        if not salvage:
            raise
        return [str(error)]
    return []


def _cut(reader: EegzReader, signals: Sequence[int] | None, records: tuple[int, int], losses: Losses) -> Cut:
    """Plan a recording of some records and signals, all by default."""
    edf = stored_edf_header(reader.header)
    chosen = chosen_signals(reader.header, ["*"]) if signals is None else signals
    return plan_cut(
        edf,
        LostRecords(reader, edf, losses, chosen).timeline,
        first_record=records[0],
        stop_record=records[1],
        signals=chosen,
    )


def _write_cut(
    decoder: RecordingDecoder, cut: Cut, writer: EdfWriter, records: tuple[int, int], progress: Progress
) -> None:
    """Write some records and signals of the recording."""
    writer.write_header(cut.header.raw)
    for begin, stop, samples in decoder.blocks(*records):
        writer.write_records(cut.records(begin, samples, count=stop - begin))
        progress("decompressing", stop - records[0], records[1] - records[0])
