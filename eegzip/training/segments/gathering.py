"""Gathering of what a stage makes of every recording, by several threads, those held out apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from eegzip.codecs.checkpoints.registry import cache_dir
from eegzip.formats.errors import BadInputError, EegzipError
from eegzip.formats.parallel import cores
from eegzip.training.data.sources import find_sources
from eegzip.training.outcome import FinishedRun, Outcome
from eegzip.training.segments.recordings import Part, divided
from eegzip.training.settings.checked import TrainSettings

if TYPE_CHECKING:
    from eegzip.progress import Progress


class _Timed(Protocol):
    """What says how many hours of recording it was made of."""

    @property
    def hours(self) -> float: ...


Made = TypeVar("Made", bound=_Timed)


@dataclass(frozen=True)
class Gathered(Generic[Made]):
    """What came of recordings.

    Attributes
    ----------
    train, validation : list
        Of both sides.
    parts : list of Part
        Those that could be used.
    hours : float
        Of these.
    skipped : list of (str, str)
        Files that could not be used, and why.
    """

    train: list[Made]
    validation: list[Made]
    parts: list[Part]
    hours: float
    skipped: list[tuple[str, str]]

    @property
    def files(self) -> int:
        """How many could be used."""
        return len({part.source.path for part in self.parts})

    def finished(self, outcome: Outcome) -> FinishedRun:
        """Return what a stage that worked on these leaves to report."""
        subjects, held_out = (
            sorted({part.source.subject for part in self.parts if part.held_out is side}) for side in (False, True)
        )
        return FinishedRun(outcome, subjects, held_out, self.skipped)


def parts_of(settings: TrainSettings) -> list[Part]:
    """Return the parts of recordings that settings name."""
    data = settings.data
    found = divided(find_sources(data.sources, data.domain, data.person_regex), data.held_out, settings.run.seed)
    return [replace(part, signals=tuple(data.signals), lines=data.lines) for part in found]


def cache_of(settings: TrainSettings) -> Path:
    """Return the folder of what is prepared."""
    return Path(settings.data.cache) if settings.data.cache else cache_dir() / "training"


def gathered(
    jobs: Sequence[tuple[Part, int]],
    make: Callable[[Part, int], Made],
    workers: int,
    what: str,
    progress: Progress | None,
) -> Gathered[Made]:
    """Return what is made of each part, in the order of the jobs.

    Parameters
    ----------
    jobs
        A part and the number of its variant, each.
    make
        Makes it; should spend its time outside Python.
    workers
        Threads; 0: as many as there are cores.
    what, progress
        What to tell, and to whom.

    Raises
    ------
    BadInputError
        Nothing is left to train on, or to validate with.
    """
    train: list[Made] = []
    validation: list[Made] = []
    used: dict[Part, float] = {}
    skipped: dict[str, str] = {}

    def made(job: tuple[Part, int]) -> Made | EegzipError:
        try:
            return make(*job)
        except EegzipError as error:
            return error

    with ThreadPoolExecutor(workers or cores()) as pool:
        for number, ((part, _), found) in enumerate(zip(jobs, pool.map(made, jobs), strict=True), 1):
            if progress is not None:
                progress(what, number, len(jobs))
            if isinstance(found, EegzipError):
                skipped[str(part.source.path)] = str(found)
                continue
            used.setdefault(part, found.hours)
            (validation if part.held_out else train).append(found)
    if not train or not validation:
        side = "train on" if not train else "validate with"
        reasons = "; ".join(list(skipped.values())[:3])
        raise BadInputError(f"there is nothing to {side}" + (f": {reasons}" if reasons else "."))
    return Gathered(train, validation, list(used), sum(used.values()), list(skipped.items()))
