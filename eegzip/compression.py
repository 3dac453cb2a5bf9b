"""An EDF or BDF recording in, an ``.eegz`` file out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from eegzip.anonymising import anonymous_copy
from eegzip.codecs.checkpoints.embedded import files_to_embed
from eegzip.codecs.checkpoints.priors import priors
from eegzip.encoding.hidden_identity import HiddenIdentity, hidden_identity
from eegzip.encoding.notes import notes_of
from eegzip.encoding.options import CompressionOptions
from eegzip.encoding.plan import Plan, codecs_for, plan
from eegzip.encoding.recording_encoder import stages_of, write_recording
from eegzip.encoding.sealing import sealing_key
from eegzip.encoding.statistics import RecordingStatistics, recording_statistics
from eegzip.formats.edf import EdfFile, judge_as_told
from eegzip.formats.edf.label_patterns import matches
from eegzip.formats.edf.layout import FIXED_BYTES, begins_as_recording
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.keys import AnyKey, Key
from eegzip.formats.eegz.sealed_file import SealingWriter
from eegzip.formats.eegz.seals import Seals
from eegzip.formats.eegz.summary import FileSummary
from eegzip.formats.eegz.writer import EegzWriter, Writable
from eegzip.formats.errors import UsageError
from eegzip.formats.files import atomic_output, first_bytes, refuse_own_source
from eegzip.formats.packing import zstd_compress
from eegzip.formats.remote.spooled import Source, Target, local_source, local_target, name_of, named_as
from eegzip.progress import Progress
from eegzip.reports import CompressionReport, signal_reports


def compress(
    source: Source,
    target: Target,
    *,
    model: str | Path | Mapping[str, str | Path] | None = None,
    codebooks: int | None = None,
    bitrate: float | None = None,
    rate: float | str | None = None,
    scaling: str | None = None,
    groups: str | Path | None = None,
    lossy: Sequence[str] = (),
    exact: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    max_error: float | str | None = None,
    max_prd: float | None = None,
    min_snr: float | None = None,
    quality: str | None = None,
    keep_tokens: bool = False,
    lossless: bool = False,
    level: int | None = None,
    chunk_seconds: float | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    verify: bool = False,
    anonymize: bool = False,
    encrypt: str | None = None,
    key: AnyKey | None = None,
    embed_model: bool = False,
    progress: Progress | None = None,
) -> CompressionReport:
    """Compress an EDF or BDF recording.

    Parameters
    ----------
    source : path-like, URL, bytes or binary file
        The recording: EDF, EDF+C, EDF+D, BDF or BDF+.
    target : path-like, URL or binary file
        The ``.eegz`` file to make. It appears when it is complete, or not at all; nobody may read it who may not read
        the source, and it keeps the source's time of modification.
    model : str, path-like or mapping, optional
        Name, digest or folder of a checkpoint; the bundled one by default. A mapping gives kinds of signals models of
        their own: ``{"ecg": "my-ecg"}``; those that it does not name have that of ``"eeg"``, or the bundled one.
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
        `exact` wins. Kinds other than EEG are coded each signal alone, at their own sample rate where that is above
        the model's.
    kinds : mapping of str to str, optional
        Shell patterns for labels, and what those signals are: ``eeg``, ``ecg``, ``eog``, ``emg``, ``resp`` or
        ``other``. By default labels say it. EEG is coded lossily, others where `lossy` names them. Of several patterns
        for a signal the last counts.
    max_error : float or str, optional
        No sample of a channel coded lossily may be further off than this: uV, or a text such as ``'2uV'`` or
        ``'0.5 mV'``. It holds for the digital values of the restored file.
    max_prd : float, optional
        Largest error in percent of each channel coded lossily, in every chunk by itself, below 100:
        ``100 * sqrt(sum(e**2) / sum((x - mean(x))**2))``. It holds a second time, for the EEG parts of error and
        signal alone, which lie above 0.5 Hz and beside the mains lines (SPEC.md, section 7.1).
    min_snr : float, optional
        Least signal-to-noise ratio in dB, above 0, likewise; 20 dB are a PRD of 10 %.
    quality : str, optional
        ``'archive'``: everything exactly. ``'clinical'``: as ``max_prd=5``. ``'compact'``: as ``max_prd=20``.
        ``'tokens'``, what is done where nothing is asked for: the tokens of the network, without a bound. With
        bounds besides, all must hold.
    keep_tokens : bool
        Store the tokens too where bounds are met without them, for programs that learn from tokens and for previews.
    lossless : bool
        Keep every signal exactly: what comes back is the same file.
    level : int, optional
        With `lossless`: from 1, the fastest, to 9, the smallest; 6 where nothing is said. Any version from the one that
        wrote it on reads all of them.
    chunk_seconds : float, optional
        Length of a chunk: what is lost when a part of the file is damaged. 60 s by default, 120 s where all is exact;
        longer where signals are so slow that a chunk would be next to nothing.
    device : str
        ``'cpu'``, ``'cuda'``, ``'cuda:1'``.
    overwrite : bool
        Replace an existing target, unless it is a recording.
    verify : bool
        Read the file back from the disk and compare all of it with the source before it takes its name: exact signals,
        header and trailing bytes, bounds, and that tokens lose what the file says.
    anonymize : bool
        Compress what :func:`eegzip.anonymize` makes of the source with its defaults; the notes of the report say what
        that was, and digests are of it.
    encrypt : {'identity', 'all'}, optional
        ``'identity'``: what tells whose the recording is and of when is sealed: the fields of its header, the texts of
        annotations, what follows the last record. Everything else is read without the key, as of nobody. ``'all'``:
        nothing is read without the key. Takes eegzip[encrypt]; two files of one recording are not the same bytes.
    key : str, bytes or path-like, optional
        What opens the sealed parts: a pass phrase (a str), 32 bytes, or the file that holds 32 bytes. Without it they
        are lost.
    embed_model : bool
        Let the file carry the model that its tokens belong to, so that whoever has the file needs nothing else. The
        model may have 16 MiB; a file that holds no tokens carries none.
    progress : callable, optional
        See :data:`Progress`.

    Returns
    -------
    CompressionReport
        Sizes, and the fidelity of every signal, measured by decoding what was written.

    Raises
    ------
    EdfError
        The source can't be read without guessing, or changed while it was read.
    BadInputError
        With `verify`: what was written does not hold what it should.
    ModelError
        The model is missing or damaged.
    OutputExistsError, OutputError
        The target exists, or can't be written.
    UsageError
        An option makes no sense, contradicts another, or would leave nothing of the EEG; a pattern names no signal;
        the target is a recording.

    Examples
    --------
    >>> report = eegzip.compress("night.edf", "night.eegz")
    >>> print(report.sentence())
    night.edf: 111 kB -> ... kB (...:1); 20 channels at ... bit/s each; ...
    """
    started = time.monotonic()
    sealed_by = sealing_key(encrypt, key, anonymize=anonymize)
    options = CompressionOptions.checked(
        model=model,
        codebooks=codebooks,
        bitrate=bitrate,
        rate=rate,
        scaling=scaling,
        groups=groups,
        lossy=lossy,
        exact=exact,
        kinds=kinds,
        max_error=max_error,
        max_prd=max_prd,
        min_snr=min_snr,
        quality=quality,
        keep_tokens=keep_tokens,
        lossless=lossless,
        level=level,
        chunk_seconds=chunk_seconds,
        device=device,
    )
    refuse_own_source(source, target)
    _refuse_recording(target)
    with ExitStack() as stack:
        write = stack.enter_context(local_target(target, overwrite=overwrite))
        read = stack.enter_context(local_source(source))
        said: tuple[str, ...] = ()
        hidden = None
        if anonymize:
            read, anonymized = stack.enter_context(anonymous_copy(read))
            said = anonymized.notes()
        original = read
        if sealed_by is not None and encrypt == "identity":
            hidden = stack.enter_context(hidden_identity(read, sealed_by))
            read, said = hidden.copy, hidden.notes
        file = stack.enter_context(EdfFile.open(read))
        _refuse_unknown_labels(file, lossy, exact, list(kinds or ()))

        def check(written: Path) -> None:
            # Here, as it needs numba, which finding a name does not.
            from eegzip.evaluation.read_back import read_back

            with named_as(written, name_of(target)):
                read_back(original, written, model=model, device=device, key=sealed_by)

        report = _compress(
            file,
            write,
            options,
            progress or (lambda *_: None),
            overwrite=overwrite,
            check=check if verify else None,
            sealing=None if sealed_by is None else _Sealing(sealed_by, hidden),
            embed_model=embed_model,
        )
    elapsed = time.monotonic() - started
    notes = (*said, *report.notes)
    return replace(report, source=name_of(source), target=name_of(target), elapsed=elapsed, notes=notes)


def _compress(
    file: EdfFile,
    target: Path,
    options: CompressionOptions,
    report_progress: Progress,
    *,
    overwrite: bool,
    check: Callable[[Path], None] | None,
    sealing: _Sealing | None,
    embed_model: bool,
) -> CompressionReport:
    """Compress one local file to another, which is checked before it is in its place."""
    hidden = None if sealing is None else sealing.hidden
    with atomic_output(target, overwrite=overwrite, source=file.path, check=check) as output:
        verdicts = judge_as_told(file.header, options.kinds)
        codecs = codecs_for(file, options)
        statistics = recording_statistics(
            file, lambda done: report_progress("reading", done, file.n_records), levels=not options.lossless
        )
        planned = _marked(plan(file, statistics, codecs, options), hidden)
        header = planned.header
        stages = stages_of(file, statistics, planned)
        carried = _model_to_carry(planned) if embed_model and header.groups else {}
        sink: Writable = output
        if sealing is not None and hidden is None:
            sink = SealingWriter(output, Seals.new(sealing.key))
        # What may be written in another way is not written out before that is known.
        draft = BytesIO() if header.small and not options.wants_tokens and not header.all_exact else None
        sources = priors([runtime.checkpoint.folder for runtime in planned.runtimes])
        identity = None if hidden is None else hidden.writer(header)
        writer = EegzWriter(sink if draft is None else draft, header, sources, identity, carried)
        model_bytes = writer.model_bytes
        _, summary = write_recording(file, planned, stages, writer, report_progress)
        notes: tuple[str, ...] = ()
        if draft is not None:
            content, exactly = draft.getvalue(), _exact_file(file, statistics, options, hidden)
            if len(exactly.content) <= len(content) - model_bytes:
                content, header, summary, model_bytes = exactly.content, exactly.header, exactly.summary, 0
                notes = ("everything is kept exactly, as that takes fewer bytes of so short a recording",)
            sink.write(content)
        if isinstance(sink, SealingWriter):
            sink.finish()
        if hidden is not None:
            hidden.refuse_changed()
            summary = replace(summary, original_bytes=hidden.original_bytes)
        size = output.tell()
    if embed_model and not model_bytes:
        notes = (*notes, "the file carries no model, as it holds no tokens of one")
    model_used = planned.runtimes[0].checkpoint if header.groups else None
    return CompressionReport(
        source=str(file.path),
        target=str(target),
        original_bytes=summary.original_bytes,
        compressed_bytes=size,
        token_bytes=summary.token_bytes,
        exact_bytes=summary.exact_bytes,
        knot_bytes=summary.knot_bytes,
        layer_bytes=summary.layer_bytes,
        line_bytes=summary.line_bytes,
        overhead_bytes=_overhead_bytes(header, summary, size - model_bytes),
        model_bytes=model_bytes,
        duration=_duration(header),
        elapsed=0.0,  # of a file elsewhere, fetching counts as well
        model=None if model_used is None else model_used.config.name,
        digest=None if model_used is None else model_used.digest,
        signals=signal_reports(header, summary),
        groups=_labels_of_groups(header),
        targets=header.targets,
        deviations=header.deviations,
        notes=(*notes, *notes_of(header, summary, verdicts, options)),
    )


class _Sealing(NamedTuple):
    """By what key a file is sealed, and what of it, where that is not all."""

    key: Key
    hidden: HiddenIdentity | None


def _model_to_carry(planned: Plan) -> dict[str, bytes]:
    """Files of the one model of a plan."""
    models = {runtime.checkpoint.digest: runtime.checkpoint for runtime in planned.runtimes}
    if len(models) > 1:
        names = ", ".join(sorted(checkpoint.config.name for checkpoint in models.values()))
        raise UsageError(f"a file carries one model, and this one would need {names}; name one for all kinds.")
    return files_to_embed(planned.runtimes[0].checkpoint)


def _marked(planned: Plan, hidden: HiddenIdentity | None) -> Plan:
    """The plan of a file that has a sealed identity beside it, where it has."""
    return planned if hidden is None else replace(planned, header=replace(planned.header, sealed=True))


class _ExactFile(NamedTuple):
    content: bytes
    header: FileHeader
    summary: FileSummary


def _exact_file(
    file: EdfFile, statistics: RecordingStatistics, options: CompressionOptions, hidden: HiddenIdentity | None
) -> _ExactFile:
    """Keep everything exactly instead, which takes fewer bytes where there is next to nothing to code."""
    planned, output = _marked(plan(file, statistics, None, options.exactly()), hidden), BytesIO()
    identity = None if hidden is None else hidden.writer(planned.header)
    writer = EegzWriter(output, planned.header, identity=identity)
    _, summary = write_recording(file, planned, stages_of(file, statistics, planned), writer, lambda *_: None)
    return _ExactFile(output.getvalue(), planned.header, summary)


def _refuse_recording(target: Target) -> None:
    """Refuse to replace a recording by compressed data: ``compress *.edf`` takes the second of two for the output."""
    if begins_as_recording(first_bytes(target, FIXED_BYTES)):
        raise UsageError(
            f"{name_of(target)} is an EDF or BDF recording, which compressed data never replace; name another output. "
            "Several recordings are compressed one by one, each to an output of its own."
        )


def _refuse_unknown_labels(file: EdfFile, lossy: Sequence[str], exact: Sequence[str], kinds: Sequence[str]) -> None:
    """Refuse patterns that name nothing: behind a slip of the pen a channel would be coded as nobody wants it."""
    labels = [signal.label for signal in file.header.signals]
    for option, patterns in (("--lossy", lossy), ("--exact", exact), ("--kind", kinds)):
        for pattern in patterns:
            if pattern != "*" and not any(matches(pattern, label) for label in labels):
                raise UsageError(
                    f"no signal of {file.path} matches '{pattern}' ({option}); the recording has: {', '.join(labels)}."
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
