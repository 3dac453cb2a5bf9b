"""Makes the page on many recordings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from eegzip._version import __version__
from eegzip.batches.files import Found, Job, Place, find, restored_beside
from eegzip.batches.manifest import read_manifest
from eegzip.batches.overview.rows import FIGURES, Row, from_evaluation, from_manifest, with_outliers
from eegzip.batches.work import Task
from eegzip.batches.workers import results
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.errors import BadInputError, OutputError, UsageError
from eegzip.formats.files import atomic_output
from eegzip.formats.parallel import cores
from eegzip.reports import finite

_TEMPLATE = Path(__file__).with_name("template.html")
_PLACE = "/*content*/null"
MANIFEST = ".jsonl"


@dataclass(frozen=True)
class OverviewReport:
    """What :func:`eegzip.overview` found.

    Parameters
    ----------
    target : str
        The page.
    rows : tuple of Row
        A recording each: failures first, then outliers, then by the worst PRD.
    """

    target: str
    rows: tuple[Row, ...]

    @property
    def failed(self) -> int:
        """Recordings that could not be compared, or that failed when they were compressed or checked."""
        return sum(row.error is not None for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {"target": self.target, "rows": [{**asdict(row), "ratio": row.ratio} for row in self.rows]}

    def sentence(self) -> str:
        """The one line that a person reads."""
        parts = [f"{len(self.rows)} recording{'s' * (len(self.rows) != 1)}"]
        prds = [row.worst_prd for row in self.rows if row.worst_prd is not None]
        if prds:
            parts.append(f"worst PRD of a channel {median(prds):.1f} % median, {max(prds):.1f} % at most")
        standing = sum(bool(row.outlier) for row in self.rows)
        parts += [f"{standing} stand{'s' * (standing == 1)} out"] if standing else []
        parts += [f"{self.failed} failed"] if self.failed else []
        return "; ".join(parts)


def overview(
    source: str | Path,
    target: str | Path,
    *,
    others: str | Path | None = None,
    pages: bool = False,
    patient: bool = False,
    jobs: int | None = None,
    model: str | Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    key: AnyKey | None = None,
    on_file: Callable[[int, int], None] | None = None,
) -> OverviewReport:
    """Write one page on many recordings: a table to sort, histograms, and what stands out first.

    Parameters
    ----------
    source : path-like
        A folder, of which every EDF and BDF file below is compared with what was made of it: the ``.eegz`` file of its
        name beside it or in `others`, or the recording of its name in `others`. Or the manifest of
        :func:`eegzip.batch` (``.jsonl``), of which nothing is read but the manifest: what was lost was measured when
        the files were written, or evaluated.
    target : path-like
        The HTML file. It needs nothing else.
    others : path-like, optional
        The folder of the other files, a tree like `source`.
    pages : bool
        Write a report of each pair besides (:func:`eegzip.report`), into a folder beside `target` that is named like
        it, and link them.
    patient : bool
        Show patients and dates on those pages. On the page of all only names of files are shown.
    jobs : int, optional
        Pairs at a time, each in a process of its own; as many as there are cores by default. 0 works in this process.
    model : path-like, optional
        As for :func:`eegzip.decompress`.
    device : str
    overwrite : bool
        Replace existing files.
    key : str, bytes or path-like, optional
        What opens files that are sealed; see :func:`eegzip.decompress`.
    on_file : callable, optional
        Called with how many pairs of how many are done.

    Returns
    -------
    OverviewReport
        A pair that fails costs itself only; its row says why.

    Raises
    ------
    BadInputError
        The manifest can't be read, or there are no recordings.
    UsageError
        `source` is neither a folder nor a manifest, or reports are asked for of a manifest.
    OutputExistsError, OutputError
        The target exists, or can't be written.

    Examples
    --------
    >>> eegzip.overview(".", "all.html").sentence()
    '1 recording; worst PRD of a channel 0.0 % median, 0.0 % at most'
    """
    source, target = Path(source), Path(target)
    found = list(find([source], Job.EVALUATE, recursive=True)) if source.is_dir() else []
    second = None if others is None else Path(others)
    told = [place for item in found for place in (item.source, restored_beside(item, second))] or [source]
    here = [place for place in told if isinstance(place, Path) and place.exists()]
    with atomic_output(target, overwrite=overwrite, also=here) as file:
        if source.is_dir():
            folder = target.with_name(f"{target.stem}-pages") if pages else None
            options = {"patient": patient, "model": model, "device": device, "overwrite": overwrite, "key": key}
            rows = _compared(found, others, folder, jobs, options, on_file or (lambda *_: None))
        elif source.suffix.lower() != MANIFEST:
            raise UsageError(f"{source} is neither a folder nor a manifest ({MANIFEST}); name a folder of recordings.")
        elif pages or others is not None:
            raise UsageError("of a manifest only the figures in it are shown; name the folder for more.")
        else:
            rows = from_manifest(read_manifest(source))
        if not rows:
            raise BadInputError(f"{source}: there are no recordings in it; check the name.")
        report = OverviewReport(str(target), tuple(with_outliers(rows)))
        file.write(_page(report, source).encode())
    return report


def _compared(
    found: list[Found],
    others: str | Path | None,
    folder: Path | None,
    jobs: int | None,
    options: dict[str, Any],
    on_file: Callable[[int, int], None],
) -> list[Row]:
    if folder is not None:
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder} can't be made ({error.strerror}); choose another place.") from error
    second = None if others is None else Path(others)
    tasks = [_task(number, item, second, folder, options) for number, item in enumerate(found, 1)]
    names = {task.source: item.place.as_posix() for task, item in zip(tasks, found, strict=True)}
    rows: dict[Place, Row] = {}
    wanted = min(len(tasks), cores()) if jobs is None else jobs
    for task, outcome in results(tasks, wanted, lambda *_: None):
        page = task.options["page"]
        link = None if page is None else f"{page.parent.name}/{page.name}"
        row = Row(names[task.source], error=outcome.get("error"))
        if outcome["state"] == "done":
            row = from_evaluation(row.name, outcome["result"], link)
        rows[task.source] = row
        on_file(len(rows), len(tasks))
    return [rows[task.source] for task in tasks]


def _task(number: int, item: Found, others: Path | None, folder: Path | None, options: dict[str, Any]) -> Task:
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", item.place.as_posix())[:80]
    page = None if folder is None else folder / f"{number:04d}-{safe}.html"
    return Task(Job.REPORT, item.source, 0, restored_beside(item, others), {**options, "page": page})


def _page(report: OverviewReport, source: Path) -> str:
    content = {
        "version": __version__,
        "title": source.resolve().name,
        "sentence": report.sentence(),
        "rows": report.to_dict()["rows"],
        "figures": [asdict(figure) for figure in FIGURES],
    }
    # Of a tag's end within a text a browser would make the end of the script.
    text = json.dumps(finite(content), allow_nan=False).replace("<", "\\u003c")
    return _TEMPLATE.read_text("utf-8").replace(_PLACE, text)
