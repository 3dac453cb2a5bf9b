"""An EDF or BDF recording in, an ``.eegz`` file out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eegzip import models
from eegzip.codecs.checkpoints.priors import priors
from eegzip.encoding.klt import mixed
from eegzip.encoding.options import choose, depth_for_bitrate
from eegzip.encoding.plan import least_chunk_seconds, plan
from eegzip.encoding.quality import quality_of
from eegzip.encoding.recording_encoder import _edf_header_bytes, _notes, _write
from eegzip.encoding.statistics import survey_recording
from eegzip.formats.edf import EdfFile
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.errors import UsageError
from eegzip.formats.files import atomic_output, refuse_own_source
from eegzip.progress import Progress
from eegzip.reports import CompressionReport, signal_reports

if TYPE_CHECKING:
    from eegzip.codecs.signal.components import Loudness

DEFAULT_CHUNK_SECONDS = 60.0
LOSSLESS_CHUNK_SECONDS = 120.0
"""Prediction begins anew in every chunk, so longer ones are smaller."""


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


