"""An EDF or BDF recording in, an ``.eegz`` file out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from eegzip.codecs.checkpoints.priors import priors
from eegzip.encoding.options import CompressionOptions
from eegzip.encoding.plan import codec_for, plan
from eegzip.encoding.recording_encoder import stages_of, write_recording
from eegzip.encoding.statistics import recording_statistics
from eegzip.formats.edf import EdfFile
from eegzip.formats.edf.label_patterns import matches
from eegzip.formats.eegz.header import Coding, FileHeader
from eegzip.formats.eegz.summary import FileSummary
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.files import atomic_output, refuse_own_source
from eegzip.formats.packing import zstd_compress
from eegzip.progress import Progress
from eegzip.reports import CompressionReport, signal_reports

POOR_PRD = 50.0
"""Percent. From here on a channel gets a note: a flat line has 100 %, and half of that is no trace to read."""


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
    >>> report = eegzip.compress("night.edf", "night.eegz")
    >>> print(report.sentence())
    night.edf: 111 kB -> ... kB (...:1); 20 channels at ... bit/s each; ...
    """
    started = time.monotonic()
    report_progress = progress or (lambda *_: None)
    options = CompressionOptions.checked(
        model=model,
        codebooks=codebooks,
        bitrate=bitrate,
        rate=rate,
        scaling=scaling,
        groups=groups,
        lossy=lossy,
        exact=exact,
        max_error=max_error,
        max_prd=max_prd,
        min_snr=min_snr,
        quality=quality,
        keep_tokens=keep_tokens,
        lossless=lossless,
        chunk_seconds=chunk_seconds,
        device=device,
    )
    refuse_own_source(source, target)
    with EdfFile.open(source) as file, atomic_output(Path(target), overwrite=overwrite) as output:
        codec = codec_for(file, options)
        statistics = recording_statistics(file, lambda done: report_progress("reading", done, file.n_records))
        planned = plan(file, statistics, codec, options)
        stages = stages_of(file, statistics, planned)
        writer = EegzWriter(output, planned.header, priors(None if codec is None else codec.checkpoint.folder))
        size, summary = write_recording(file, planned, stages, writer, report_progress)
    model_used = codec.checkpoint if codec is not None and planned.header.groups else None
    return CompressionReport(
        source=str(source),
        target=str(target),
        original_bytes=summary.original_bytes,
        compressed_bytes=size,
        token_bytes=summary.token_bytes,
        exact_bytes=summary.exact_bytes,
        knot_bytes=summary.knot_bytes,
        layer_bytes=summary.layer_bytes,
        line_bytes=summary.line_bytes,
        overhead_bytes=_overhead_bytes(planned.header, summary, size),
        duration=_duration(planned.header),
        elapsed=time.monotonic() - started,
        model=None if model_used is None else model_used.config.name,
        digest=None if model_used is None else model_used.digest,
        signals=signal_reports(planned.header, summary),
        groups=_labels_of_groups(planned.header),
        targets=planned.header.targets,
        deviations=planned.header.deviations,
        notes=_notes(planned.header, summary, (*options.lossy, *options.exact)),
    )


def _duration(header: FileHeader) -> float | None:
    return header.n_records * header.record_duration if header.record_duration else None


def _overhead_bytes(header: FileHeader, summary: FileSummary, size: int) -> int:
    """What is neither a signal's nor the original header's, which is content and no overhead of ours."""
    stored = summary.token_bytes + summary.exact_bytes + (summary.layer_bytes or 0) + (summary.line_bytes or 0)
    return size - stored - len(zstd_compress(header.edf_header, 19))


def _labels_of_groups(header: FileHeader) -> tuple[tuple[str, ...], ...]:
    shared = dict.fromkeys(header.sharing(group) for group in range(len(header.groups)))
    return tuple(tuple(header.signals[index].label for index in signals) for signals in shared)


def _notes(header: FileHeader, summary: FileSummary, patterns: Sequence[str]) -> tuple[str, ...]:
    """What the user should know: patterns that name nothing, EEG kept exactly, channels of which little is left."""
    notes = [
        f"the pattern '{pattern}' names no signal of this recording"
        for pattern in patterns
        if not any(matches(pattern, signal.label) for signal in header.signals)
    ]
    notes += [
        f"'{signal.label}' is EEG but kept exactly: {signal.reason}"
        for signal in header.signals
        if signal.kind == "eeg" and signal.coding is Coding.EXACT and not signal.kept_as_asked
    ]
    notes += [
        f"little of '{signal.label}' is left (PRD {measured.prd:.0f} %), as happens to noise and to muscles: "
        "promise an error with --max-prd, or keep it with --exact"
        for signal, measured in zip(header.signals, summary.signals, strict=True)
        if measured.prd is not None and measured.prd > POOR_PRD
    ]
    return tuple(notes)
