"""Work on one file of a batch, in whichever process, and its entry in the manifest."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from eegzip._version import __version__
from eegzip.batches.elsewhere import status_fields, work_elsewhere
from eegzip.batches.files import Job, Place
from eegzip.formats.errors import BadInputError, EegzipError
from eegzip.formats.files import forget_cached, remove_leftovers, sha256_of, sync_folder
from eegzip.formats.remote.path import RemotePath

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Task:
    """One file to be worked on; travels to another process.

    Parameters
    ----------
    job : Job
    source : Path or RemotePath
    size : int
        Bytes, for who wants to know how much is left.
    target : Path, RemotePath or None
        The file to make, where one is made; what `source` is compared with, where that is the job.
    options : dict
        Keywords of the function that does the job.
    overwrite : bool
        Whether `target` may be replaced.
    check : bool
        Whether the file made is read back from the disk and compared.
    made : str or None
        SHA-256 of `target`, where it was made before and is only to be checked.
    leftovers : bool
        Whether a killed run may have left something half-written beside `target`.
    """

    job: Job
    source: Place
    size: int
    target: Place | None = None
    options: dict[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    check: bool = False
    made: str | None = None
    leftovers: bool = False


@dataclass(frozen=True)
class LocalTask(Task):
    """One whose files are here."""

    source: Path
    target: Path | None = None


def do(task: Task, progress: Progress) -> dict[str, Any]:
    """Work on one file; return what is to be said of it: its ``state``, ``done`` or ``failed``, the ``error``..."""
    try:
        work = _JOBS[task.job]
        if isinstance(task.source, RemotePath) or isinstance(task.target, RemotePath):
            return {"state": "done", **work_elsewhere(task, progress, work)}
        return {"state": "done", **work(LocalTask(**vars(task)), progress)}
    except EegzipError as error:
        return {"state": "failed", "error": str(error)}
    except MemoryError:
        return {"state": "failed", "error": f"{task.source}: there is not enough memory; work on fewer at a time (-j)."}
    except OSError as error:
        what = error.strerror or str(error)
        return {"state": "failed", "error": f"{task.source}: the operating system refused ({what})."}
    except Exception as error:  # one file must not cost the others
        what = f"{type(error).__name__}: {error}"
        return {"state": "failed", "error": f"{task.source}: failed as nobody foresaw ({what}); report this."}


def _compress(task: LocalTask, progress: Progress) -> dict[str, Any]:
    from eegzip.compression import compress
    from eegzip.evaluation.read_back import read_back
    from eegzip.formats.eegz.reader import EegzReader

    target = _target(task)
    before = _status(task.source)
    fields: dict[str, Any] = {}
    if task.made is None:
        report = compress(task.source, target, overwrite=task.overwrite, progress=progress, **task.options)
        fields = {
            "duration": report.duration,
            "elapsed": round(report.elapsed, 3),
            "model": report.model,
            "model_digest": report.digest,
            "fidelity": _fidelity(report),
            "deviations": list(report.deviations),
            "notes": list(report.notes),
        }
    elif sha256_of(target) != task.made:
        raise BadInputError(f"{target} is not what the manifest says was written; keep {task.source}.")
    try:
        with EegzReader(target, key=task.options.get("key")) as reader:
            digest = reader.header.source_sha256
        if task.check:
            places = {key: task.options[key] for key in ("model", "device", "key") if key in task.options}
            fields["checked"] = read_back(task.source, target, **places)
        _unchanged(task.source, before)
    except EegzipError:
        if task.made is None:  # a file that doesn't hold what it should is no archive
            _withdraw(target)
        raise
    return {**before, "source_sha256": digest, **_target_fields(target), **fields}


def _fidelity(report: Any) -> dict[str, Any]:
    """What was lost, in a few figures; the file itself knows more."""
    from eegzip.reports import promise

    prds = [(signal.prd, signal.label) for signal in report.coded if signal.prd is not None]
    eeg = [signal.eeg_prd for signal in report.coded if signal.eeg_prd is not None]
    worst, label = max(prds, default=(None, None))
    return {
        "lossless": not report.coded,
        "lossy_channels": len(report.coded),
        "median_prd": median(prd for prd, _ in prds) if prds else None,
        "worst_prd": worst,
        "worst_channel": label,
        "worst_eeg_prd": max(eeg, default=None),
        "promise": None if report.targets is None else promise(report.targets),
    }


def _decompress(task: LocalTask, progress: Progress) -> dict[str, Any]:
    from eegzip.decompression import decompress

    target = _target(task)
    before = _status(task.source)
    fields: dict[str, Any] = {}
    if task.made is None:
        report = decompress(task.source, target, overwrite=task.overwrite, progress=progress, **task.options)
        fields = {"elapsed": round(report.elapsed, 3), "notes": list(report.notes)}
        if report.losses:
            fields["lost_records"] = [list(lost) for lost in report.lost_records]
            fields["lost_signals"] = [asdict(lost) for lost in report.lost_signals]
            fields |= {"state": "failed", "error": f"{task.source}: is damaged; what was intact of it is in {target}."}
    fields |= _target_fields(target)
    if task.check:
        _check_restored(task, fields["target_sha256"])
        fields["checked"] = "as the compressed file says"
    _unchanged(task.source, before)
    return {**before, "source_sha256": sha256_of(task.source), **fields}


def _check_restored(task: LocalTask, found: str) -> None:
    """Decode once more and compare with what lies on the disk."""
    from eegzip.codecs.checkpoints.priors import priors
    from eegzip.decoding.recording_decoder import RecordingDecoder, restored_sha256
    from eegzip.decoding.stored_tokens import StoredNetwork
    from eegzip.formats.eegz.reader import EegzReader

    model, device = task.options.get("model"), task.options.get("device", "cpu")
    with EegzReader(task.source, priors(model), task.options.get("key")) as reader:
        decoder = RecordingDecoder(reader, StoredNetwork(reader, model, device))
        if restored_sha256(decoder, lambda *_: None) != found:
            raise BadInputError(f"{task.target} is not what {task.source} restores; keep the compressed file.")


def _verify(task: LocalTask, progress: Progress) -> dict[str, Any]:
    from eegzip.verification import verify

    before = _status(task.source)
    found = verify(task.source, progress=progress, **task.options)
    fields = {**before, "result": found.to_dict()}
    if not found.intact:
        fields |= {"state": "failed", "error": f"{task.source}: DAMAGED: {'; '.join(found.problems)}"}
    return fields


def _info(task: LocalTask, progress: Progress) -> dict[str, Any]:  # noqa: ARG001 - as its like
    from eegzip.formats.files import is_eegz
    from eegzip.info import without_patient

    before = _status(task.source)
    shown: Callable[[Any], dict[str, Any]] = dict if task.options.get("patient") else without_patient
    if is_eegz(task.source) or task.source.suffix.lower() == ".eegz":
        from eegzip.recording import Recording

        with Recording(task.source, key=task.options.get("key")) as recording:
            return {**before, "result": shown(recording.info)}
    from eegzip.info import edf_info

    return {**before, "result": shown(edf_info(task.source))}


def _evaluate(task: LocalTask, progress: Progress) -> dict[str, Any]:
    from eegzip.evaluation.evaluate import evaluate

    before = _status(task.source)
    found = evaluate(task.source, _target(task), progress=progress, **task.options)
    return {**before, "result": found.to_dict(), "sentence": found.sentence(), "tier": found.tier_line()}


def _report(task: LocalTask, progress: Progress) -> dict[str, Any]:
    """Measure a pair as a report does, which loads no torch where nothing has tokens; write the report if asked."""
    options = dict(task.options)
    page, other = options.pop("page"), _target(task)
    if page is not None:
        from eegzip.evaluation.page.content import report

        return {"result": report(task.source, other, page, progress=progress, **options).to_dict()}
    from eegzip.codecs.extra import require_scipy
    from eegzip.evaluation.evaluate import judge
    from eegzip.evaluation.sides import read_side, refuse_other

    require_scipy("a report")
    model, device, key = (options[name] for name in ("model", "device", "key"))
    first, second = (read_side(path, model, device, progress, key) for path in (task.source, other))
    refuse_other(first, second)
    return {"result": judge(first, second, progress, spectrogram=False).to_dict()}


_JOBS: dict[Job, Callable[[LocalTask, Progress], dict[str, Any]]] = {
    Job.COMPRESS: _compress,
    Job.DECOMPRESS: _decompress,
    Job.VERIFY: _verify,
    Job.INFO: _info,
    Job.EVALUATE: _evaluate,
    Job.REPORT: _report,
}


def _target(task: LocalTask) -> Path:
    assert task.target is not None  # noqa: S101 - of these jobs each task has one
    if task.leftovers:
        remove_leftovers(task.target)
    return task.target


def _status(path: Path) -> dict[str, Any]:
    from eegzip.formats.files import open_for_reading

    open_for_reading(path).close()  # says in a sentence what is wrong
    return {**status_fields(path), "software": f"eegzip {__version__}"}


def _unchanged(source: Path, before: dict[str, Any]) -> None:
    if any(before[key] != value for key, value in status_fields(source).items()):
        raise BadInputError(f"{source} changed while it was read; run the same command again when nobody writes to it.")


def _target_fields(target: Path) -> dict[str, Any]:
    forget_cached(target)
    return {"target_bytes": target.stat().st_size, "target_sha256": sha256_of(target)}


def _withdraw(target: Path) -> None:
    with suppress(OSError):
        os.unlink(target)  # noqa: PTH108
        sync_folder(target.parent)
