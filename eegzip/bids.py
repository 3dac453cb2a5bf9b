"""A BIDS data set as a derivative data set of ``.eegz`` files, and back."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from eegzip._version import __version__
from eegzip.batches.batch import BatchReport
from eegzip.batches.files import RECORDINGS, Job
from eegzip.batches.work import Task
from eegzip.batches.workers import results
from eegzip.formats.errors import BadInputError, EegzipError, OutputError, UsageError
from eegzip.formats.files import atomic_output, sha256_of
from eegzip.formats.json_text import parsed
from eegzip.formats.parallel import cores

DESCRIPTION, IGNORED, ASIDE = "dataset_description.json", ".bidsignore", "sourcedata"
_SUFFIXES = ("_eeg", "_ieeg")
_MARK = "_desc-eegzip"
_LEFT_OUT = frozenset({"derivatives", ASIDE})
"""Folders at the top that are not the data set's own content."""

OnFile = Callable[[str, str | None], None]


def compress_bids(
    dataset: str | Path,
    target: str | Path,
    *,
    jobs: int | None = None,
    on_file: OnFile | None = None,
    **options: Any,
) -> BatchReport:
    """Make a derivative data set: each EDF or BDF recording as an ``.eegz`` file, all else as it is.

    ``sub-01_task-rest_eeg.edf`` becomes ``sub-01_task-rest_desc-eegzip_eeg.eegz``, read back and compared, with a
    sidecar that says what was lost. Sidecars, events, channels, ``participants.tsv`` and all other files are copied
    untouched, but for ``derivatives`` and ``sourcedata``. The same call goes on where it was ended: what is made and
    unchanged stays.

    Parameters
    ----------
    dataset : path-like
        Folder with a ``dataset_description.json``.
    target : path-like
        Folder to make.
    jobs : int, optional
        Files at a time, as in :func:`eegzip.batch`.
    on_file : callable, optional
        Called with each recording, relative to `dataset`, and the sentence of its error or ``None``.
    **options
        Keywords of :func:`eegzip.compress`; lossless by default.

    Returns
    -------
    BatchReport

    Raises
    ------
    UsageError
        `dataset` is no raw BIDS data set, or `target` lies in it elsewhere than below ``derivatives``.
    OutputError
        `target` can't be written.
    """
    from eegzip.encoding.options import CompressionOptions

    source, folder = _checked(dataset, target)
    description = _read(source / DESCRIPTION)
    if description.get("DatasetType", "raw") != "raw":
        raise UsageError(f"{source} is a derivative data set already; name the raw one, or restore it (--restore).")
    options = options or {"lossless": True}
    CompressionOptions.checked(**options)  # once, and not for every file
    recordings = [path for path in _files(source) if _is_recording(path)]
    _refuse_others(folder, folder / ASIDE / DESCRIPTION, source / DESCRIPTION)
    _describe(source, folder, description)
    others = set(_files(source)) - {*recordings, Path(DESCRIPTION), Path(IGNORED)}
    _copy(source, folder, sorted(others))
    settings = _settings(options)
    work = {path: (folder / path).with_name(_marked(path)) for path in recordings}
    for made in work.values():
        made.parent.mkdir(parents=True, exist_ok=True)
    tasks = {
        path: Task(Job.COMPRESS, source / path, 0, made, options, overwrite=True, check=True, leftovers=True)
        for path, made in work.items()
        if not _is_made(source / path, made, settings)
    }

    def note(path: Path, outcome: dict[str, Any]) -> None:
        _write(work[path].with_suffix(".json"), _sidecar(path, settings, outcome))

    return _worked(tasks, len(recordings), jobs, on_file, note)


def restore_bids(
    derivative: str | Path, target: str | Path, *, jobs: int | None = None, on_file: OnFile | None = None
) -> BatchReport:
    """Make the raw data set again of which :func:`compress_bids` made a derivative one.

    Parameters
    ----------
    derivative, target, jobs, on_file
        As for :func:`compress_bids`.

    Returns
    -------
    BatchReport
        Where nothing was lost, all files but those under ``derivatives`` and ``sourcedata`` are the same bytes.

    Raises
    ------
    UsageError
        `derivative` was not made by :func:`compress_bids`.
    OutputError
        `target` can't be written.
    """
    source, folder = _checked(derivative, target)
    if not (source / ASIDE / DESCRIPTION).is_file():
        raise UsageError(f"{source} was not made by 'eegzip bids': {ASIDE}/{DESCRIPTION} is not there.")
    packed = [path for path in _files(source) if path.suffix == ".eegz" and _MARK in path.name]
    _refuse_others(folder, folder / DESCRIPTION, source / ASIDE / DESCRIPTION)
    for name in (DESCRIPTION, IGNORED):
        if (source / ASIDE / name).is_file():
            _copy(source / ASIDE, folder, [Path(name)])
    ours = {*packed, *(path.with_suffix(".json") for path in packed), Path(DESCRIPTION), Path(IGNORED)}
    _copy(source, folder, [path for path in _files(source) if path not in ours])
    tasks = {}
    for path in packed:
        name = _read(source / path.with_suffix(".json")).get("Eegzip", {}).get("SourceName")
        if not isinstance(name, str) or Path(name).name != name or not name.lower().endswith(RECORDINGS):
            raise BadInputError(f"{source / path.with_suffix('.json')} does not say what its recording was called.")
        made = (folder / path).with_name(name)
        made.parent.mkdir(parents=True, exist_ok=True)
        if not made.exists():
            tasks[path] = Task(Job.DECOMPRESS, source / path, 0, made, {}, check=True, leftovers=True)
    return _worked(tasks, len(packed), jobs, on_file, lambda *_: None)


def _checked(dataset: str | Path, target: str | Path) -> tuple[Path, Path]:
    source, folder = Path(dataset), Path(target)
    if not (source / DESCRIPTION).is_file():
        raise UsageError(f"{source} is no BIDS data set: it has no {DESCRIPTION}.")
    inside = folder.absolute().is_relative_to(source.absolute())
    if inside and not folder.absolute().is_relative_to((source / "derivatives").absolute()):
        raise UsageError(f"{folder} lies in the data set; derivatives belong below {source / 'derivatives'}.")
    return source, folder


def _refuse_others(folder: Path, there: Path, wanted: Path) -> None:
    """Refuse a folder that holds something else than an earlier run's result, known by a description that is in it."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not there.is_file() or there.read_bytes() != wanted.read_bytes():
        raise UsageError(f"{folder} is there and holds something else; name a new folder, or an empty one.")


def _files(folder: Path) -> Iterator[Path]:
    """Files of a data set, relative to it; hidden ones aside, but for ``.bidsignore``."""
    for place, folders, names in os.walk(folder):
        here = Path(place).relative_to(folder)
        top = here == Path()
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not (top and name in _LEFT_OUT))
        yield from (here / name for name in sorted(names) if not name.startswith(".") or (top and name == IGNORED))


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() in RECORDINGS and path.stem.endswith(_SUFFIXES)


def _marked(path: Path) -> str:
    """The name of a recording's file: the entity ``desc`` stands last, before what kind of data it is."""
    entities, _, kind = path.stem.rpartition("_")
    return f"{entities}{_MARK}_{kind}.eegz"


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """Options as a sidecar states them: what is left at its default says nothing."""
    said = {key: value for key, value in options.items() if value not in (None, False, (), [])}
    return dict(json.loads(json.dumps(said, default=str)))


def _is_made(recording: Path, made: Path, settings: dict[str, Any]) -> bool:
    """Whether the file and its sidecar are there, whole and of this recording."""
    if not made.is_file() or not made.with_suffix(".json").is_file():
        return False
    stated = _read(made.with_suffix(".json")).get("Eegzip", {})
    if stated.get("Settings") != settings or stated.get("SHA256") != sha256_of(made):
        return False
    return bool(stated.get("SourceSHA256") == sha256_of(recording))


def _copy(source: Path, folder: Path, paths: list[Path]) -> None:
    for path in paths:
        here, made = source / path, folder / path
        try:
            made.parent.mkdir(parents=True, exist_ok=True)
            with here.open("rb") as file, atomic_output(made, overwrite=True, source=here) as output:
                shutil.copyfileobj(file, output)
        except OSError as error:
            if isinstance(error, EegzipError):
                raise
            raise OutputError(f"{here} can't be copied to {made} ({error.strerror or error}).") from error


def _describe(source: Path, folder: Path, description: dict[str, Any]) -> None:
    """Say what the derivative data set is; what it replaces stays aside."""
    kept = [Path(name) for name in (DESCRIPTION, IGNORED) if (source / name).is_file()]
    _copy(source, folder / ASIDE, kept)
    stated = {key: value for key, value in description.items() if key not in ("DatasetDOI", "GeneratedBy")}
    stated |= {
        "Name": f"{description.get('Name', source.resolve().name)}, compressed",
        "BIDSVersion": description.get("BIDSVersion", "1.10.0"),
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "eegzip", "Version": __version__, "Description": "EEG compression"}],
        "DatasetLinks": {"raw": os.path.relpath(source, folder)},
    }
    _write(folder / DESCRIPTION, stated)
    ignored = (source / IGNORED).read_text("utf-8").splitlines() if (source / IGNORED).is_file() else []
    with atomic_output(folder / IGNORED, overwrite=True) as file:
        file.write("".join(f"{line}\n" for line in [*ignored, "*.eegz", f"*{_MARK}_*.json"]).encode())


def _sidecar(path: Path, settings: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
    lost = outcome["fidelity"]
    return {
        "Description": f"{path.name}, compressed {'without loss' if lost['lossless'] else 'with loss'} by eegzip",
        "Sources": [f"bids:raw:{path.as_posix()}"],
        "Eegzip": {
            "Version": __version__,
            "SourceName": path.name,
            "SourceSHA256": outcome["source_sha256"],
            "SourceBytes": outcome["source_bytes"],
            "SHA256": outcome["target_sha256"],
            "Bytes": outcome["target_bytes"],
            "Settings": settings,
            "Model": outcome["model"],
            "ModelDigest": outcome["model_digest"],
            "Lossless": lost["lossless"],
            "LossyChannels": lost["lossy_channels"],
            "MedianPRDPercent": lost["median_prd"],
            "WorstPRDPercent": lost["worst_prd"],
            "WorstChannel": lost["worst_channel"],
            "Promise": lost["promise"],
            "Checked": outcome["checked"],
        },
    }


def _worked(
    tasks: dict[Path, Task],
    files: int,
    jobs: int | None,
    on_file: OnFile | None,
    note: Callable[[Path, dict[str, Any]], None],
) -> BatchReport:
    """Do all tasks, and report."""
    started, sizes, errors = time.monotonic(), [0, 0], []
    names = {id(task): path for path, task in tasks.items()}
    wanted = min(cores() if jobs is None else jobs, max(1, len(tasks)))
    for task, outcome in results(tasks.values(), wanted, lambda *_: None):
        path, error = names[id(task)], outcome.get("error")
        if error is None:
            sizes[0] += outcome["source_bytes"]
            sizes[1] += outcome["target_bytes"]
            note(path, outcome)
        else:
            errors.append(error)
        if on_file is not None:
            on_file(path.as_posix(), error)
    done, elapsed = len(tasks) - len(errors), time.monotonic() - started
    return BatchReport(done, files - len(tasks), len(errors), sizes[0], sizes[1], elapsed, tuple(errors))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = parsed(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} can't be read as JSON ({error}); mend it.") from error
    if not isinstance(content, dict):
        raise BadInputError(f"{path} is no JSON object; mend it.")
    return content


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_output(path, overwrite=True) as file:
        file.write(json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n")
