"""Many files: one call, one manifest, any number of runs until all is done."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegzip.batches.cluster import results_on
from eegzip.batches.elsewhere import Seen, fields_in, status_fields
from eegzip.batches.files import Found, Job, Place, find, make_folders, restored_beside, target_of
from eegzip.batches.manifest import Line, Manifest
from eegzip.batches.work import Task
from eegzip.batches.workers import results
from eegzip.formats.eegz.keys import Key
from eegzip.formats.errors import EegzipError, OutputError, UsageError
from eegzip.formats.files import sync_folder
from eegzip.formats.parallel import cores
from eegzip.formats.remote.path import RemotePath, place_of, refuse_memory_elsewhere

if TYPE_CHECKING:
    from distributed import Client

_OF_EVERY_LINE = {"manifest", "time", "job", "state", "source"}

OnFile = Callable[[Line, "Pace"], None]
OnProgress = Callable[["Pace"], None]


@dataclass
class Pace:
    """How far a batch is.

    Parameters
    ----------
    files, size : int
        How many files there are, and their bytes.
    done, skipped, failed : int
        How many were done, had been done before, or could not be done.
    bytes_done, bytes_skipped : int
        Bytes of sources that were worked on (well or not), and of those that needed no work.
    bytes_under_way : float
        Of the files that are being worked on, as far as they are.
    started : float
        On the monotonic clock.
    """

    files: int
    size: int
    done: int = 0
    skipped: int = 0
    failed: int = 0
    bytes_done: int = 0
    bytes_skipped: int = 0
    bytes_under_way: float = 0.0
    started: float = 0.0

    def seconds_left(self) -> float | None:
        """Time left at the pace so far, of bytes that took work; ``None`` before there is anything to judge by."""
        worked = self.bytes_done + self.bytes_under_way
        left = self.size - self.bytes_skipped - worked
        elapsed = time.monotonic() - self.started
        return max(0.0, left) * elapsed / worked if worked and elapsed > 1 else None


@dataclass(frozen=True)
class BatchReport:
    """What :func:`eegzip.batch` did.

    Parameters
    ----------
    done, skipped, failed : int
        Files that were done, that had been done before, and that could not be done.
    source_bytes, target_bytes : int
        Of the files that were done.
    elapsed : float
        Seconds.
    errors : tuple of str
        One sentence a failed file.
    """

    done: int
    skipped: int
    failed: int
    source_bytes: int
    target_bytes: int
    elapsed: float
    errors: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """The one line that a person reads."""
        from eegzip.reports import human_size

        sizes = human_size(self.source_bytes)
        if self.target_bytes:
            sizes += f" -> {human_size(self.target_bytes)}"
        before = f"{self.skipped} done before, " if self.skipped else ""
        return f"{self.done} done ({sizes}), {before}{self.failed} failed; {self.elapsed:.1f} s"


def batch(
    paths: Sequence[str | Path | RemotePath],
    *,
    job: str = "compress",
    output: str | Path | RemotePath | None = None,
    recursive: bool = False,
    listed: Iterable[str | Path | RemotePath] = (),
    jobs: int | None = None,
    manifest: str | Path | None = None,
    skip_existing: bool = False,
    overwrite: bool = False,
    check: bool = False,
    remove_source: bool = False,
    client: Client | None = None,
    on_file: OnFile | None = None,
    on_progress: OnProgress | None = None,
    **options: Any,
) -> BatchReport:
    """Do the same to many files, several at a time.

    A file that fails costs itself only. With a manifest, whatever ends a run, the same call goes on where it ended:
    what is missing is done, what failed is tried again, and what changed since (source, result, options) is done anew.

    Parameters
    ----------
    paths : sequence of path-like or URLs
        Files, folders (see `recursive`) and patterns.
    job : str
        ``'compress'``, ``'decompress'``, ``'verify'``, ``'info'`` or ``'evaluate'``.
    output : path-like or URL, optional
        Folder of the results, made where it is missing; trees are mirrored in it. Beside their sources by default.
        Names keep all of the source's (``night.edf.eegz``). To evaluate: where the restored files are.
    recursive : bool
        Take all recordings (or ``.eegz`` files) below folders.
    listed : iterable of path-like or URLs
        More files, whose own folders are kept below `output`.
    jobs : int, optional
        Files at a time, each in a process of its own; as many as there are cores by default. With one file at a time
        all cores work on it. 0 works in this very process.
    manifest : path-like, optional
        The record, a line of JSON a step, here and not at a URL; see :class:`~eegzip.batches.manifest.Manifest`.
    skip_existing : bool
        Leave alone files whose result is there.
    overwrite : bool
        Replace results that are there.
    check : bool
        Read each file written back from the disk, decode it, and compare it with its source.
    remove_source : bool
        Remove sources whose result was written, checked (as `check` does), synced and recorded.
    client : distributed.Client, optional
        A Dask cluster to work on, in place of `jobs`. Its workers must see the files by the same paths or URLs, and
        have this version of eegzip. What a worker was at when it died is done by another.
    on_file : callable, optional
        Called with what is said of each file, as in the manifest, and the :class:`Pace`, when the file is finished.
    on_progress : callable, optional
        Called with the :class:`Pace` in between.
    **options
        Keywords of :func:`eegzip.compress` or whichever function does the job. A `key` is in no manifest; on a cluster
        it must be a file that its workers see, as a pass phrase would travel there.

    Returns
    -------
    BatchReport

    Raises
    ------
    UsageError
        Options contradict one another, a pattern matches nothing, or another run uses the manifest.
    OutputError
        The manifest can't be written.

    Examples
    --------
    >>> report = eegzip.batch(["night.edf"], output="archive", manifest="archive/manifest.jsonl", jobs=0, lossless=True)
    >>> print(report.sentence())
    1 done (... kB -> ... kB), 0 failed; ... s
    """
    kind = _job(job)
    options = _with_key(options, at_once=client is None)
    _refuse_contradictions(kind, options, writes=bool(check or remove_source or skip_existing))
    if client is not None and jobs is not None:
        raise UsageError("a cluster decides by itself how many files are worked on at a time; leave jobs out (-j).")
    if jobs is not None and jobs < 0:
        raise UsageError(f"{jobs} files at a time can't be worked on; say 1 or more.")
    found = list(find(paths, kind, recursive=recursive, listed=listed))
    folder = None if output is None else place_of(output)
    if manifest is not None and isinstance(place_of(manifest), RemotePath):
        raise UsageError(f"the manifest {manifest} must be a file here, as stores have none that grow; copy it there.")
    if client is not None or jobs != 0:
        for place in [item.source for item in found] + [folder or Path()]:
            refuse_memory_elsewhere(place)
    with ExitStack() as stack:
        record = None if manifest is None else stack.enter_context(Manifest(Path(manifest)))
        run = _Run(
            kind,
            folder,
            record,
            options,
            check=check or remove_source,
            skip_existing=skip_existing,
            overwrite=overwrite,
            remove_source=remove_source,
            on_file=on_file or (lambda *_: None),
            on_progress=on_progress or (lambda *_: None),
        )
        return run.all_of(found, client or min(cores() if jobs is None else jobs, max(1, len(found))))


def _with_key(options: dict[str, Any], *, at_once: bool) -> dict[str, Any]:
    """Options whose key was read, once, where it does not go to other machines."""
    key = options.get("key")
    if key is None:
        return {name: value for name, value in options.items() if name != "key"}
    if at_once:
        return {**options, "key": Key.of(key)}
    if not isinstance(key, os.PathLike):
        raise UsageError("a pass phrase is not sent to a cluster; name a key file that its workers see (--key-file).")
    return {**options, "key": Path(key).absolute()}


_OF_THE_FILE = frozenset({"embed_model", "encrypt", "key"})
"""Options of compressing that say nothing of how signals are coded."""


def _job(name: str) -> Job:
    jobs = {job.value: job for job in Job if job is not Job.REPORT}  # that one is eegzip.overview's
    if name not in jobs:
        raise UsageError(f"there is no job '{name}'; there are: {', '.join(jobs)}.")
    return jobs[name]


def _refuse_contradictions(job: Job, options: dict[str, Any], *, writes: bool) -> None:
    if writes and not job.writes:
        raise UsageError(f"{job.value} writes no files, so nothing can be skipped, checked or removed for them.")
    if job is Job.COMPRESS:
        from eegzip.encoding.options import CompressionOptions
        from eegzip.encoding.sealing import sealing_key

        plain = {name: value for name, value in options.items() if name not in _OF_THE_FILE}
        CompressionOptions.checked(**plain)  # once, and not for every file
        sealing_key(options.get("encrypt"), options.get("key"))
    if job is Job.DECOMPRESS and writes:
        parts = [name for name in ("start", "stop", "channels", "salvage", "alone") if options.get(name)]
        if parts:
            raise UsageError(f"a part of a recording is no copy of it; leave out {', '.join(parts)}.")


class _Run:
    """One run over a batch."""

    def __init__(
        self,
        job: Job,
        folder: Place | None,
        manifest: Manifest | None,
        options: dict[str, Any],
        *,
        check: bool,
        skip_existing: bool,
        overwrite: bool,
        remove_source: bool,
        on_file: OnFile,
        on_progress: OnProgress,
    ) -> None:
        self._job, self._folder, self._manifest, self._options = job, folder, manifest, options
        self._check, self._skip_existing, self._overwrite = check, skip_existing, overwrite
        self._remove_source, self._on_file, self._on_progress = remove_source, on_file, on_progress
        # As the manifest gives them back: what is left at its default says nothing.
        said = {name: value for name, value in options.items() if value not in (None, False, (), [])}
        if "key" in said:
            said["key"] = "given"  # what was done without one is done anew with it; what it is, nobody reads here
        self._settings = json.loads(json.dumps(said, default=str))
        self._pace = Pace(0, 0)
        self._under_way: dict[Place, float] = {}
        self._written: dict[Place, Place] = {}
        self._seen = Seen((), folder)
        self._errors: list[str] = []
        self._bytes = [0, 0]

    def all_of(self, found: list[Found], where: int | Client) -> BatchReport:
        """Work on all files, in so many processes or on a cluster."""
        self._seen = Seen(found, self._folder)
        self._pace = Pace(len(found), sum(self._seen.size(item.source) for item in found), started=time.monotonic())
        tasks = self._tasks(found)
        for task, outcome in results(tasks, where, self._tell) if isinstance(where, int) else results_on(where, tasks):
            self._under_way.pop(task.source, None)
            self._pace.bytes_under_way = sum(self._under_way.values())
            self._finish(task, outcome)
        pace = self._pace
        elapsed = time.monotonic() - pace.started
        return BatchReport(
            pace.done, pace.skipped, pace.failed, self._bytes[0], self._bytes[1], elapsed, tuple(self._errors)
        )

    def _tasks(self, found: list[Found]) -> Iterator[Task]:
        for item in found:
            try:
                task = self._task(item)
                if task is not None and task.target is not None and self._job.writes:
                    make_folders(item, task.target, self._folder)
            except (EegzipError, OSError) as error:
                said = str(error) if isinstance(error, EegzipError) else f"{item.source}: {error.strerror or error}."
                failed = Task(self._job, item.source, self._seen.size(item.source))
                self._finish(failed, {"state": "failed", "error": said})
                continue
            if task is None:
                self._skip(item.source)
                continue
            if self._manifest is not None:
                self._manifest.append(self._job.value, "started", item.source, **self._names(task))
            yield task

    def _task(self, item: Found) -> Task | None:
        """What there is to do for a file; ``None`` where nothing is."""
        source, size = item.source, self._seen.size(item.source)
        last = None if self._manifest is None else self._manifest.last(self._job.value, source)
        if last is not None and last["state"] == "removed" and not self._seen.exists(source) and self._is_there(last):
            return None
        if self._job is Job.EVALUATE:
            target: Place | None = restored_beside(item, self._folder)
        else:
            target = target_of(item, self._job, self._folder, self._options.get("key"))
        task = Task(self._job, source, size, target, self._options, overwrite=self._overwrite, check=self._check)
        if target is None or not self._job.writes:
            return None if last is not None and self._same(last, task) else task
        if self._remove_source and source.is_symlink():
            raise UsageError(f"{source} is a link, which is not removed; name the file that it leads to.")
        if self._written.setdefault(target, source) != source:
            raise UsageError(
                f"{source} would be written to {target}, as {self._written[target]} is; name the folder of both (-r)."
            )
        return self._task_that_writes(task, target, last)

    def _task_that_writes(self, task: Task, target: Place, last: Line | None) -> Task | None:
        ours = last is not None and self._names(task).get("target") == last.get("target")
        if ours and last is not None and self._same(last, task) and not self._overwrite:
            if (task.check and "checked" not in last) or self._remove_source:
                return Task(**{**vars(task), "made": last["target_sha256"]})
            return None
        if not ours and self._seen.exists(target) and not self._overwrite:
            if self._skip_existing:
                return None
            raise OutputError(
                f"{target} exists already; use -f (overwrite=True) to replace it, --skip-existing to leave it."
            )
        interrupted = last is not None and last["state"] == "started"
        return Task(**{**vars(task), "overwrite": self._overwrite or ours, "leftovers": interrupted})

    def _same(self, last: Line, task: Task) -> bool:
        """Whether a file was done before, and neither it nor its result nor what is asked for has changed."""
        try:
            now = self._seen.fields(task.source)
        except (OSError, EegzipError):
            return False
        same = last["state"] == "done" and last.get("settings") == self._settings
        return same and fields_in(last) == now and self._is_there(last)

    def _is_there(self, last: Line) -> bool:
        if not self._job.writes or self._manifest is None:
            return not self._job.writes
        return "target" in last and self._seen.size(self._manifest.path_of(last["target"])) == last.get("target_bytes")

    def _names(self, task: Task) -> dict[str, Any]:
        """What a line says of a task before it is done."""
        if task.target is None:
            return {}
        return {"target": str(task.target) if self._manifest is None else self._manifest.name(task.target)}

    def _skip(self, source: Place) -> None:
        self._pace.skipped += 1
        self._pace.bytes_skipped += self._seen.size(source)
        self._on_file({"job": self._job.value, "state": "skipped", "source": str(source)}, self._pace)

    def _finish(self, task: Task, outcome: dict[str, Any]) -> None:
        """Record what came of a file, and only then remove its source, where that is wished."""
        state = outcome.pop("state")
        # A target that is not ours is not named where it failed: the next run would take it for ours.
        names = self._names(task) if state == "done" or task.overwrite or task.leftovers else {}
        fields: dict[str, Any] = {**names, "settings": self._settings, **outcome}
        if state == "done" and task.made is not None and self._manifest is not None:
            last = self._manifest.last(self._job.value, task.source) or {}
            fields = {**{key: value for key, value in last.items() if key not in _OF_EVERY_LINE}, **fields}
        said = self._append(state, task.source, fields)
        self._pace.bytes_done += task.size
        self._pace.done += state == "done"
        self._pace.failed += state != "done"
        if state == "done":
            self._bytes[0] += task.size
            self._bytes[1] += fields.get("target_bytes", 0)
            if self._remove_source:
                said = self._remove(task, fields) or said
        else:
            self._errors.append(outcome["error"])
        self._on_file({**said, "source": str(task.source)}, self._pace)

    def _append(self, state: str, source: Place, fields: dict[str, Any]) -> Line:
        if self._manifest is not None:
            return self._manifest.append(self._job.value, state, source, **fields)
        return {"job": self._job.value, "state": state, "source": str(source), **fields}

    def _remove(self, task: Task, fields: dict[str, Any]) -> Line | None:
        """Remove a source whose result lies on the disk, was compared with it, and is recorded."""
        source = task.source
        try:
            if fields_in(fields) != status_fields(source):
                error = f"{source} changed after it was read, and is kept; run the same command again."
            else:
                source.unlink()
                if isinstance(source, Path):
                    sync_folder(source.parent)
                return self._append("removed", source, fields)
        except (OSError, EegzipError) as found:
            what = (found.strerror if isinstance(found, OSError) else None) or found
            error = f"{source} could not be removed ({what}); its result is complete."
        self._pace.done -= 1
        self._pace.failed += 1
        self._errors.append(error)
        return {"job": self._job.value, "state": "failed", "source": str(source), **fields, "error": error}

    def _tell(self, task: Task, what: str, done: int, total: int) -> None:
        # Only the longest pass over a recording tells how far it is; what comes after it is not done yet.
        if total and what == _MAIN[self._job]:
            part = _BEFORE_CHECK if task.check else 1
            self._under_way[task.source] = part * task.size * done / total
            self._pace.bytes_under_way = sum(self._under_way.values())
        self._on_progress(self._pace)


_BEFORE_CHECK = 0.6
"""Share of the time of a file, about, after which it is written and only to be read back and compared."""

_MAIN = {
    Job.COMPRESS: "compressing",
    Job.DECOMPRESS: "decompressing",
    Job.VERIFY: "verifying",
    Job.INFO: "",
    Job.EVALUATE: "comparing",
}
