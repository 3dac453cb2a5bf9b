"""An EDF or BDF recording in, an ``.eegz`` file out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegzip import models
from eegzip.aiming import aim
from eegzip.choice import choose, depth_for_bitrate
from eegzip.coding import (
    Bank,
    Progress,
    analysis_of,
    banks_of,
    block_records,
    columns,
    largest_scales,
    sample_reader,
    synthesis_of,
)
from eegzip.evaluation.fidelity import FidelityMeter
from eegzip.formats.atomic import atomic_output
from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.eegz.header import EXACT, FileHeader
from eegzip.formats.eegz.packing import zstd_compress
from eegzip.formats.eegz.reader import chunk_knot_range
from eegzip.formats.eegz.summary import FileSummary, SignalSummary, figure
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.errors import UsageError
from eegzip.mixing import mixed
from eegzip.paths import refuse_own_source
from eegzip.planning import least_chunk_seconds, matches, plan
from eegzip.priors import priors
from eegzip.quality import quality_of
from eegzip.reports import KEPT_AS_ASKED, CompressionReport, signal_reports
from eegzip.survey import Survey, survey_recording, trailing_pieces

if TYPE_CHECKING:
    from eegzip.codecs.analysis import Analysis
    from eegzip.codecs.components import Loudness
    from eegzip.codecs.runtime import CodecRuntime
    from eegzip.codecs.synthesis import Synthesis
    from eegzip.layer_work import LayeredFidelity, LayerWork, Synthesiser

DEFAULT_CHUNK_SECONDS = 60.0
LOSSLESS_CHUNK_SECONDS = 120.0
"""Prediction begins anew in every chunk, so longer ones are smaller."""

POOR_PRD = 50.0
"""Percent. From here on a channel gets a note: a flat line has 100 %, and half of that is no trace to read."""


@dataclass(frozen=True)
class _BankAtWork:
    bank: Bank
    analysis: Analysis
    synthesis: Synthesis
    meter: FidelityMeter


def compress(
    source: str | Path,
    target: str | Path,
    *,
    model: str | Path | None = None,
    codebooks: int | None = None,
    bitrate: float | None = None,
    rate: float | str | None = None,
    scaling: str | None = None,
    groups: str | Path | None = None,
    lossy: Sequence[str] = (),
    exact: Sequence[str] = (),
    max_error: float | str | None = None,
    max_prd: float | None = None,
    min_snr: float | None = None,
    quality: str | None = None,
    keep_tokens: bool = False,
    lossless: bool = False,
    chunk_seconds: float | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> CompressionReport:
    """Compress an EDF or BDF recording.

    Parameters
    ----------
    source : path-like
        The recording: EDF, EDF+C, EDF+D, BDF or BDF+.
    target : path-like
        The ``.eegz`` file to make. It appears when it is complete, or not at all.
    model : str or path-like, optional
        Name, digest or folder of a checkpoint; the bundled one by default.
    codebooks : int, optional
        Residual levels to keep, from the first; by default those that cost at most 384 bit/s a channel before entropy
        coding. Fewer are smaller and coarser. Of a model of whole recordings (eegz-mc-2) it says how loud the error is
        to be, as if every channel were coded alone with so many; each component takes as many as that is worth.
    bitrate : float, optional
        Bits of tokens a second and signal to aim at, a mean over signals and time, with a model that has a prior. Each
        frame then gets the tokens that are worth their bits, at most `codebooks` (of components: any number). Takes
        several times longer.
    rate : float or 'native', optional
        Sample rate in Hz at which the network sees the signals; the model's own by default. ``'native'`` does not
        resample.
    scaling : str, optional
        ``'adaptive'`` (follows offset and level, never clips) or ``'fixed:200uV'`` (the paper's: clips there);
        the model's own by default.
    groups : str or path-like, optional
        Which channels are coded together, with a model of groups (DAC-MC); the model's own way by default.
        ``'manual'``: all of one rate with a model of whole recordings, else the paper's tables, else regions of the
        scalp. ``'random'``: the paper's draw, which leaves most channels alone,
        the same at each call. ``'single'``: every channel alone. A file: a group a line, labels separated by commas.
    lossy, exact : sequence of str
        Shell patterns for labels to code lossily or to keep exactly, whatever kind of signal they seem to be.
        `exact` wins.
    max_error : float or str, optional
        No sample of a channel coded lossily may be further off than this: uV, or a text such as ``'2uV'`` or
        ``'0.5 mV'``. It holds for the digital values of the restored file.
    max_prd : float, optional
        Largest error in percent of each channel coded lossily, in every chunk by itself:
        ``100 * sqrt(sum(e**2) / sum((x - mean(x))**2))``.
    min_snr : float, optional
        Least signal-to-noise ratio in dB, likewise; 20 dB are a PRD of 10 %.
    quality : str, optional
        ``'archive'``: everything exactly. ``'clinical'``: as ``max_prd=5``. ``'compact'``: as ``max_prd=20``.
        ``'tokens'``, what is done where nothing is asked for: the tokens of the network, without a bound. With
        bounds besides, all must hold.
    keep_tokens : bool
        Store the tokens too where bounds are met without them, for programs that learn from tokens and for previews.
    lossless : bool
        Keep every signal exactly: what comes back is the same file.
    chunk_seconds : float, optional
        Length of a chunk: what is lost when a part of the file is damaged. 60 s by default, 120 s with `lossless`;
        longer where signals are so slow that a chunk would be next to nothing.
    device : str
        ``'cpu'``, ``'cuda'``, ``'cuda:1'``.
    overwrite : bool
        Replace an existing target.
    progress : callable, optional
        See :data:`Progress`.

    Returns
    -------
    CompressionReport
        Sizes, and the fidelity of every signal, measured by decoding what was written.

    Raises
    ------
    EdfError
        The source can't be read without guessing.
    ModelError
        The model is missing or damaged.
    OutputExistsError, OutputError
        The target exists, or can't be written.
    UsageError
        An option makes no sense.

    Examples
    --------
    >>> report = eegzip.compress("night.edf", "night.eegz")  # doctest: +SKIP
    >>> print(report.sentence())  # doctest: +SKIP
    """
    started = time.monotonic()
    report_progress = progress or (lambda *_: None)
    wanted = quality_of(quality, max_error, max_prd, min_snr, keep_tokens=keep_tokens)
    lossless = lossless or wanted.exact
    if lossless:
        exact = ("*",)
    usual = LOSSLESS_CHUNK_SECONDS if lossless else DEFAULT_CHUNK_SECONDS
    if chunk_seconds is not None and not (chunk_seconds > 0):
        raise UsageError(f"a chunk must be longer than 0 seconds, not {chunk_seconds:g}.")
    if bitrate is not None and not 0 < bitrate < float("inf"):
        raise UsageError(f"a bit rate must be larger than 0 bit/s, not {bitrate:g}.")
    refuse_own_source(source, target)
    checkpoint = models.load(models.DEFAULT_MODEL if model is None else model)
    if bitrate is not None and codebooks is None:
        codebooks = depth_for_bitrate(checkpoint.config, bitrate)
    choice = choose(checkpoint, codebooks, rate, scaling, groups)
    with EdfFile.open(source) as file, atomic_output(Path(target), overwrite=overwrite) as output:
        survey = survey_recording(file, lambda done: report_progress("reading", done, file.n_records))
        header = plan(
            file,
            survey,
            choice if wanted.targets is None or wanted.keep_tokens else None,
            lossy=lossy,
            exact=exact,
            chunk_seconds=max(usual, least_chunk_seconds(file)) if chunk_seconds is None else chunk_seconds,
            targets=wanted.targets,
        )
        runtime = None
        loudness: list[Loudness] = []
        if header.groups:
            # Only now, so that a recording without EEG needs no torch.
            from eegzip.codecs.runtime import CodecRuntime

            runtime = CodecRuntime(checkpoint, device=device)
            header, loudness = mixed(file, survey, header, choice, runtime)
        writer = EegzWriter(output, header, priors(checkpoint.folder))
        size, summary = _write(file, survey, header, runtime, writer, report_progress, loudness, bitrate)
    stored = summary.token_bytes + summary.exact_bytes + (summary.layer_bytes or 0)
    return CompressionReport(
        source=str(source),
        target=str(target),
        original_bytes=summary.original_bytes,
        compressed_bytes=size,
        token_bytes=summary.token_bytes,
        exact_bytes=summary.exact_bytes,
        knot_bytes=summary.knot_bytes,
        layer_bytes=summary.layer_bytes,
        overhead_bytes=size - stored - _edf_header_bytes(header),
        duration=header.n_records * header.record_duration if header.record_duration else None,
        elapsed=time.monotonic() - started,
        model=checkpoint.config.name if header.groups else None,
        digest=checkpoint.digest if header.groups else None,
        signals=signal_reports(header, summary),
        groups=tuple(
            tuple(header.signals[index].label for index in signals)
            for signals in dict.fromkeys(header.sharing(group) for group in range(len(header.groups)))
        ),
        targets=header.targets,
        deviations=header.deviations,
        notes=_notes(header, summary, lossy, exact),
    )


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
        errors = dict(zip(header.mixtures, loudness, strict=True))
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
    from eegzip.layer_work import LayerWork

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
        if signal.kind == "eeg" and signal.coding == EXACT and signal.reason != KEPT_AS_ASKED
    ]
    notes += [
        f"little of '{signal.label}' is left (PRD {measured.prd:.0f} %), as happens to noise and to what lies above "
        "the network's band: try --rate native, or keep it with --exact"
        for signal, measured in zip(header.signals, summary.signals, strict=True)
        if measured.prd is not None and measured.prd > POOR_PRD
    ]
    return tuple(notes)
