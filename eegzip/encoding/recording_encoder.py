"""Writes a recording chunk by chunk: what its stages give, and in the end what was lost."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from eegzip.encoding.lossless import LosslessStage
from eegzip.encoding.plan import Plan
from eegzip.encoding.stage import SignalFidelity, Stage, joined
from eegzip.encoding.statistics import RecordingStatistics, trailing_pieces
from eegzip.encoding.tokens import TokenStage
from eegzip.formats.edf import EdfFile
from eegzip.formats.eegz.header import BREATHING
from eegzip.formats.eegz.summary import FileSummary, SignalSummary, figure
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.progress import Progress


def stages_of(file: EdfFile, statistics: RecordingStatistics, plan: Plan) -> tuple[Stage, ...]:
    """The ways of coding that a plan asks for, in the order in which they take their turn."""
    header = plan.header
    stages: list[Stage] = []
    tokens = None
    if plan.runtimes:
        tokens = TokenStage(file, header, plan.runtimes, plan.distortions, plan.bitrate, plan.lines)
        stages.append(tokens)
    stages.append(LosslessStage(file, header, statistics))
    if header.layer_sets:
        # Only now, as it needs numba, which takes a while to load.
        from eegzip.encoding.bounded import BoundedStage

        stages.append(BoundedStage(file, header, tokens, plan.lines))
    return tuple(stages)


def write_recording(
    file: EdfFile, plan: Plan, stages: Sequence[Stage], writer: EegzWriter, progress: Progress
) -> tuple[int, FileSummary]:
    """Write all blocks; return the size of the file and its summary.

    Raises
    ------
    EdfError
        The recording is not any more what it was when it was first read.
    """
    header, lines = plan.header, plan.lines
    digest = hashlib.sha256(file.header.raw)
    # A chunk's streams are coded and written while the next chunk's are made. One thread: chunks come in their order.
    with ThreadPoolExecutor(1) as pool:
        writing: Future[None] | None = None
        for chunk in range(header.n_chunks):
            streams = joined(stage.encode(chunk) for stage in stages)
            beside = () if lines is None else lines.streams(header, chunk)
            # The chunk as it was coded just now; the first pass must have seen the same.
            for _, block in file.blocks(*header.records_of_chunk(chunk)):
                digest.update(block.reshape(-1).data)
            if writing is not None:
                writing.result()
                progress("compressing", header.records_of_chunk(chunk - 1)[1], header.n_records)
            writing = pool.submit(
                writer.write_chunk, streams.tokens, streams.knots, streams.exact, streams.bounded, beside
            )
        if writing is not None:
            writing.result()
            progress("compressing", header.n_records, header.n_records)
    for piece in trailing_pieces(file):
        digest.update(piece)
        writer.write_trailing(piece)
    file.refuse_changed()
    if digest.hexdigest() != header.source_sha256:
        raise file.changed()
    fidelities = {signal: found for stage in stages for signal, found in stage.fidelities().items()}
    summary = _summary(file, plan, writer, fidelities)
    return writer.finish(summary), summary


def _summary(file: EdfFile, plan: Plan, writer: EegzWriter, fidelities: Mapping[int, SignalFidelity]) -> FileSummary:
    joint = any(codec.joint for codec in plan.header.codecs)
    signals = []
    for index, stored in enumerate(writer.signal_bytes):
        found, unit = fidelities[index], file.header.signals[index].microvolts_per_digit
        if plan.header.signals[index].kind == BREATHING:
            # It lies below 0.5 Hz: what is above is nothing to judge it by.
            found = replace(found, eeg_prd=None, worst_chunk_eeg_prd=None)
        fidelity = found.fidelity
        signals.append(
            SignalSummary(
                stored_bytes=round(stored),
                prd=figure(fidelity.prd),
                snr=figure(fidelity.snr),
                r=figure(fidelity.r),
                largest_error_uv=None if unit is None else abs(unit) * fidelity.largest_error,
                largest_error_digits=fidelity.largest_error,
                worst_chunk_prd=figure(found.worst_chunk_prd),
                chunks=found.chunks,
                eeg_prd=figure(found.eeg_prd),
                worst_chunk_eeg_prd=figure(found.worst_chunk_eeg_prd),
            )
        )
    return FileSummary(
        original_bytes=file.file_size,
        token_bytes=writer.token_bytes,
        exact_bytes=writer.exact_bytes,
        knot_bytes=writer.knot_bytes,
        signals=tuple(signals),
        layer_bytes=writer.layer_bytes if plan.header.layer_sets else None,
        line_bytes=writer.line_bytes if plan.lines else None,
        lines=plan.lines.summaries() if plan.lines else (),
        refined=tuple(sorted(index for index, found in fidelities.items() if found.refined)) if joint else None,
    )
