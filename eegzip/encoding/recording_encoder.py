"""Writes a recording chunk by chunk, and measures what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.stream_batch import (
    Bank,
    analysis_of,
    banks_of,
    block_records,
    columns,
    largest_scales,
    sample_reader,
    synthesis_of,
)
from eegzip.encoding.statistics import Survey, trailing_pieces
from eegzip.encoding.target_bitrate import aim
from eegzip.evaluation.fidelity import FidelityMeter
from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.edf.label_patterns import matches
from eegzip.formats.eegz.header import Coding, FileHeader
from eegzip.formats.eegz.reader import chunk_knot_range
from eegzip.formats.eegz.summary import FileSummary, SignalSummary, figure
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.packing import zstd_compress
from eegzip.progress import Progress

if TYPE_CHECKING:
    from eegzip.codecs.runtime import CodecRuntime
    from eegzip.codecs.signal.analysis import Analysis
    from eegzip.codecs.signal.components import Loudness
    from eegzip.codecs.signal.synthesis import Synthesis
    from eegzip.encoding.bounded import LayeredFidelity, LayerWork, Synthesiser


POOR_PRD = 50.0
"""Percent. From here on a channel gets a note: a flat line has 100 %, and half of that is no trace to read."""


@dataclass(frozen=True)
class _BankAtWork:
    bank: Bank
    analysis: Analysis
    synthesis: Synthesis
    meter: FidelityMeter


def _write(
    file: EdfFile,
    survey: Survey,
    header: FileHeader,
    runtime: CodecRuntime | None,
    writer: EegzWriter,
    progress: Progress,
    loudness: list[Loudness],
    bitrate: float | None,
) -> tuple[int, FileSummary]:
    """Write all blocks; return the size of the file and its summary."""
    banks = []
    if runtime is not None:
        errors = dict(zip(header.klts, loudness, strict=True))
        banks = [
            _at_work(file, header, bank, runtime, errors[bank.mixture] if bank.mixture else None)
            for bank in banks_of(header)
        ]
    if bitrate is not None and runtime is not None:
        aim(header, runtime, [(work.bank, work.analysis) for work in banks], bitrate)
    exact = header.exact_signals()
    layers = _layer_work(file, header, lambda chunk: _synthesised(header, banks, chunk))
    layered = iter(()) if layers is None else layers.chunks()
    for chunk in range(header.n_chunks):
        first, stop = header.records_of_chunk(chunk)
        tokens: dict[int, np.ndarray] = {}
        knots: dict[int, np.ndarray] = {}
        for work in banks:
            group = work.bank.groups[0]
            codes = work.analysis.frames(*header.grid(group).frames_of_records(first, stop))
            tokens.update(zip(work.bank.groups, codes, strict=True))
            if header.codecs[header.groups[group].codec].knot_spacing:
                scales = work.analysis.knots(*chunk_knot_range(header, chunk, group))
                knots.update(zip(work.bank.owners(header), scales, strict=True))
        writer.write_chunk(
            [tokens[group] for group in sorted(tokens)],
            [knots[signal] for group in header.groups for signal in group.signals if signal in knots],
            _exact_samples(file, exact, first, stop),
            next(layered, None),
        )
        for work in banks:
            if layers is None:
                _measure(file, header, work, first, stop)
            _forget(header, work, stop)
        progress("compressing", stop, header.n_records)
    for piece in trailing_pieces(file):
        writer.write_trailing(piece)
    summary = _summary(file, survey, writer, banks, {} if layers is None else layers.results())
    return writer.finish(summary), summary


def _layer_work(file: EdfFile, header: FileHeader, synthesise: Synthesiser) -> LayerWork | None:
    if not header.layer_sets:
        return None
    # Only now, as it needs numba, which takes a while to load.
    from eegzip.encoding.bounded import LayerWork

    return LayerWork(file, header, synthesise)


def _synthesised(header: FileHeader, banks: list[_BankAtWork], chunk: int) -> dict[int, tuple[np.ndarray, float]]:
    """What the tokens of a chunk make of each of their signals, and how far another machine's may be off."""
    first, stop = header.records_of_chunk(chunk)
    result = {}
    for work in banks:
        group = work.bank.groups[0]
        per_record = header.signals[work.bank.signals[0]].samples_per_record
        samples = work.synthesis.values(first * per_record, stop * per_record)
        if header.codecs[header.groups[group].codec].knot_spacing:
            scales = largest_scales(header, work.bank, work.analysis.knots(*chunk_knot_range(header, chunk, group)))
        else:
            scales = columns(header, work.bank, "ranges")
        for signal, row, scale in zip(work.bank.signals, samples, scales, strict=True):
            result[signal] = (row, 1 + float(scale) / 1024)
    return result


def _at_work(
    file: EdfFile, header: FileHeader, bank: Bank, runtime: CodecRuntime, loudness: Loudness | None
) -> _BankAtWork:
    analysis = analysis_of(header, bank, sample_reader(file, bank), runtime, loudness)
    meter = FidelityMeter(columns(header, bank, "centres"))
    return _BankAtWork(bank, analysis, synthesis_of(header, bank, analysis, runtime), meter)


def _exact_samples(file: EdfFile, signals: list[int], first: int, stop: int) -> dict[int, np.ndarray]:
    if not signals:
        return {}
    block = file.read_records(first, stop)
    return {index: decode_signal(block, file.header, index).reshape(-1) for index in signals}


def _measure(file: EdfFile, header: FileHeader, work: _BankAtWork, first: int, stop: int) -> None:
    """Restore what was just written, as a decoder will, and compare."""
    read = sample_reader(file, work.bank)
    per_record = file.header.signals[work.bank.signals[0]].samples_per_record
    step = block_records(header)
    for begin in range(first, stop, step):
        samples = (begin * per_record, min(begin + step, stop) * per_record)
        work.meter.update(read(*samples), work.synthesis.digital(*samples))


def _forget(header: FileHeader, work: _BankAtWork, stop: int) -> None:
    grid = header.grid(work.bank.groups[0])
    # The decoder may yet look back by a window for the samples before the next chunk's first frame.
    next_frame = grid.frames_of_records(stop, header.n_records)[0]
    work.analysis.forget_before(next_frame - 2 * work.analysis.window_frames)


def _summary(
    file: EdfFile,
    survey: Survey,
    writer: EegzWriter,
    banks: list[_BankAtWork],
    layered: dict[int, LayeredFidelity],
) -> FileSummary:
    measured = {
        signal: fidelity
        for work in banks
        for signal, fidelity in zip(work.bank.signals, work.meter.results(), strict=True)
    }
    measured.update({signal: found.fidelity for signal, found in layered.items()})
    signals = []
    for index, stored in enumerate(writer.signal_bytes):
        fidelity = measured.get(index)
        unit = file.header.signals[index].microvolts_per_digit
        flat = survey.signals[index].flat
        if fidelity is None:
            # Kept exactly: the error is zero by construction; correlation has no meaning for a constant.
            signals.append(
                SignalSummary(round(stored), None if flat else 0.0, None, None if flat else 1.0, unit and 0.0, 0)
            )
        else:
            largest = None if unit is None else abs(unit) * fidelity.largest_error
            found = layered.get(index)
            signals.append(
                SignalSummary(
                    round(stored),
                    figure(fidelity.prd),
                    figure(fidelity.snr),
                    figure(fidelity.r),
                    largest,
                    fidelity.largest_error,
                    None if found is None else figure(found.worst_chunk_prd),
                    None if found is None else found.chunks,
                )
            )
    return FileSummary(
        original_bytes=file.file_size,
        token_bytes=writer.token_bytes,
        exact_bytes=writer.exact_bytes,
        knot_bytes=writer.knot_bytes,
        signals=tuple(signals),
        layer_bytes=writer.layer_bytes if layered else None,
    )


def _edf_header_bytes(header: FileHeader) -> int:
    """Compressed size of the original header, which is content and no overhead of ours."""
    return len(zstd_compress(header.edf_header, 19))


def _notes(header: FileHeader, summary: FileSummary, lossy: Sequence[str], exact: Sequence[str]) -> tuple[str, ...]:
    notes = [
        f"the pattern '{pattern}' names no signal of this recording"
        for pattern in (*lossy, *exact)
        if not any(matches(pattern, signal.label) for signal in header.signals)
    ]
    notes += [
        f"'{signal.label}' is EEG but kept exactly: {signal.reason}"
        for signal in header.signals
        if signal.kind == "eeg" and signal.coding is Coding.EXACT and not signal.kept_as_asked
    ]
    notes += [
        f"little of '{signal.label}' is left (PRD {measured.prd:.0f} %), as happens to noise and to what lies above "
        "the network's band: try --rate native, or keep it with --exact"
        for signal, measured in zip(header.signals, summary.signals, strict=True)
        if measured.prd is not None and measured.prd > POOR_PRD
    ]
    return tuple(notes)
