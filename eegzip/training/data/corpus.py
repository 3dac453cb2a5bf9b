"""All recordings of a run: prepared in parallel, then divided by subject."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegzip.formats.errors import BadInputError, EegzipError, OutputError
from eegzip.formats.parallel import cores
from eegzip.training.data.cache import cached, map_waves, read_meta, remembered_entry
from eegzip.training.data.preprocessing import PIECE_SECONDS, Preprocessing
from eegzip.training.data.sources import SourceFile
from eegzip.training.data.subjects import held_out_subjects

if TYPE_CHECKING:
    from eegzip.progress import Progress

# Of a lone subject's recordings, and of audio, the part kept for validation.
_LAST_PART = 3
_EVERY = 5


@dataclass(frozen=True)
class CachedRecording:
    """One recording, or a part of one.

    Attributes
    ----------
    subject, dataset, name : str
        Whose it is, what it was found through, and the file's name.
    path : str
        The file.
    labels : list of str
        Normalised channel names.
    rate : float
        Hz.
    waves : ndarray
        As the network sees them, float32 [C, n], mapped into memory.
    split : str
        ``train``, ``validation``, or empty: not said.
    """

    subject: str
    dataset: str
    name: str
    path: str
    labels: list[str]
    rate: float
    waves: npt.NDArray[np.float32] = field(repr=False)
    split: str = ""

    def part(self, start: int, stop: int) -> CachedRecording:
        """Return the samples from `start` up to `stop`."""
        return replace(self, waves=self.waves[:, start:stop])


@dataclass(frozen=True)
class Corpus:
    """What there is to train on.

    Attributes
    ----------
    recordings : list of CachedRecording
    skipped : list of (str, str)
        Files that can't be used, and why.
    domain : str
        ``eeg`` or ``audio``.
    """

    recordings: list[CachedRecording]
    skipped: list[tuple[str, str]]
    domain: str = "eeg"


def prepare(
    sources: Sequence[SourceFile],
    preprocessing: Preprocessing,
    cache: Path,
    workers: int = 0,
    progress: Progress | None = None,
) -> Corpus:
    """Prepare files, those that the cache lacks in parallel.

    Parameters
    ----------
    sources
        The files.
    preprocessing
        What is done to them.
    cache
        Folder of the cache. It can be interrupted at any time; what was finished stays.
    workers
        Processes; 0: as many as there are cores, 1: none but this one.
    progress
        Called with what is done, how many files are done, and how many there are.

    Raises
    ------
    BadInputError
        Not one file can be used.
    OutputError
        The cache can't be written.
    EegzipError
        A process was ended from outside.
    """
    entries: dict[int, Path] = {}
    skipped: dict[int, str] = {}
    tell = progress or (lambda *_: None)
    for number, source in enumerate(sources):
        entry = remembered_entry(source.path, preprocessing, cache)
        if entry is not None:
            entries[number] = entry
    missing = [number for number in range(len(sources)) if number not in entries]
    if entries:
        tell("preparing", len(entries), len(sources))
    count = min(workers or cores(), len(missing))
    if count <= 1:
        for done, number in enumerate(missing, len(entries) + 1):
            _take(number, _try(sources[number].path, preprocessing, cache), entries, skipped)
            tell("preparing", done, len(sources))
    else:
        # Fresh processes: torch's threads don't survive a fork.
        with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
            waiting = {pool.submit(_try, sources[n].path, preprocessing, cache): n for n in missing}
            try:
                for done, future in enumerate(as_completed(waiting), len(entries) + 1):
                    _take(waiting[future], future.result(), entries, skipped)
                    tell("preparing", done, len(sources))
            except BrokenProcessPool as error:
                raise EegzipError(
                    "a process that prepared recordings was ended from outside, perhaps for want of memory; "
                    "try again with fewer workers (data.workers). What was finished is kept."
                ) from error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    reasons = [(str(sources[number].path), reason) for number, reason in sorted(skipped.items())]
    if not entries:
        told = "; ".join(reason for _, reason in reasons[:3])
        raise BadInputError(f"none of the {len(sources)} files can be trained on: {told}")
    recordings = [_recording(sources[number], entry) for number, entry in sorted(entries.items())]
    return Corpus(recordings, reasons, preprocessing.domain)


def _try(path: Path, preprocessing: Preprocessing, cache: Path) -> Path | str:
    """Return a file's entry, or why there is none."""
    try:
        return cached(path, preprocessing, cache)
    except OutputError:
        # The cache's fault, not the file's: no other file would fare better.
        raise
    except MemoryError:
        return f"{path} takes more memory than there is."
    except EegzipError as error:
        return str(error)


def _take(number: int, outcome: Path | str, entries: dict[int, Path], skipped: dict[int, str]) -> None:
    if isinstance(outcome, Path):
        entries[number] = outcome
    else:
        skipped[number] = outcome


def _recording(source: SourceFile, entry: Path) -> CachedRecording:
    meta = read_meta(entry)
    return CachedRecording(
        subject=source.subject,
        dataset=source.dataset,
        name=source.path.name,
        path=str(source.path),
        labels=[str(label) for label in meta["labels"]],
        rate=float(meta["rate"]),
        waves=map_waves(entry),
        split=source.split,
    )


def divide(corpus: Corpus, held_out: str, seed: int) -> tuple[list[CachedRecording], list[CachedRecording]]:
    """Return who is trained on and who is kept for validation: by subject, never by window.

    Where the sources say so themselves, they decide. A lone subject has only time to divide by: the last third of each
    recording is kept. So has audio, which is of no subject: every fifth stretch of ten seconds is kept.

    Parameters
    ----------
    corpus
        All recordings.
    held_out
        As in :func:`~eegzip.training.data.subjects.held_out_people`.
    seed
        Of the choice.

    Raises
    ------
    BadInputError
        The sources put one subject on both sides, or leave one side empty.
    UsageError
        `held_out` makes no sense.
    """
    recordings = corpus.recordings
    if corpus.domain == "audio":
        return _pieces(recordings)
    if any(r.split for r in recordings):
        return _as_stated(recordings)
    chosen = held_out_subjects((r.subject for r in recordings), held_out, seed)
    if not chosen:
        cuts = [r.waves.shape[1] * (_LAST_PART - 1) // _LAST_PART for r in recordings]
        first = [r.part(0, cut) for r, cut in zip(recordings, cuts, strict=True)]
        return first, [r.part(cut, r.waves.shape[1]) for r, cut in zip(recordings, cuts, strict=True)]
    train = [r for r in recordings if r.subject not in chosen]
    return train, [r for r in recordings if r.subject in chosen]


def _as_stated(recordings: Sequence[CachedRecording]) -> tuple[list[CachedRecording], list[CachedRecording]]:
    train = [r for r in recordings if r.split != "validation"]
    validation = [r for r in recordings if r.split == "validation"]
    both = sorted({r.subject for r in train} & {r.subject for r in validation})
    if both:
        raise BadInputError(f"the manifest puts {', '.join(both[:5])} on both sides; people must be kept apart.")
    if not train or not validation:
        raise BadInputError("the manifest leaves one side of the split empty.")
    return train, validation


def _pieces(recordings: Sequence[CachedRecording]) -> tuple[list[CachedRecording], list[CachedRecording]]:
    train: list[CachedRecording] = []
    validation: list[CachedRecording] = []
    for recording in recordings:
        size = round(PIECE_SECONDS * recording.rate)
        for number in range(max(recording.waves.shape[1] // size, 1)):
            piece = recording.part(number * size, (number + 1) * size)
            (validation if number % _EVERY == _EVERY - 1 else train).append(piece)
    if not validation and len(train) > 1:
        validation.append(train.pop())
    elif not validation:
        lone = train.pop()
        length = lone.waves.shape[1]
        cut = length * (_LAST_PART - 1) // _LAST_PART
        train, validation = [lone.part(0, cut)], [lone.part(cut, length)]
    return train, validation
