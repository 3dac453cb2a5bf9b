"""Prepared recordings on disk, mapped into memory: each is prepared once, whatever is trained on it.

An entry is a folder named by what it holds: the SHA-256 of the file and that of the preprocessing. It is written under
another name and renamed when it is whole, so an interruption leaves nothing half-made. A file's SHA-256 is noted
with its size and time of change, so that gigabytes need not be read at each start.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eegzip.formats.errors import BadInputError, OutputError
from eegzip.formats.files import sha256_of
from eegzip.formats.json_text import parsed
from eegzip.training.data.preprocessing import Preprocessing, prepared_rows

WAVES = "waves.npy"
META = "meta.json"
_PART = ".part-"
_SEEN = ".digests"
# No file takes a day to prepare.
_STALE_SECONDS = 86400.0
_GRAIN_SECONDS = 2.0


def remembered_entry(path: Path, preprocessing: Preprocessing, cache: Path) -> Path | None:
    """Return the entry of a file that is known from last time, without reading the file, or ``None``."""
    digest = _remembered(path, cache)
    entry = _entry(cache, digest, preprocessing) if digest else None
    return entry if entry and is_whole(entry) else None


def _entry(cache: Path, digest: str, preprocessing: Preprocessing) -> Path:
    return cache / f"{digest[:32]}-{preprocessing.digest[:32]}"


def _note(path: Path, cache: Path) -> Path:
    return cache / _SEEN / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]}.json"


def _remembered(path: Path, cache: Path) -> str:
    """Return the SHA-256 noted for a file where size and time of change are the same still; else nothing."""
    try:
        stat = path.stat()
        known = parsed(_note(path, cache).read_text(encoding="utf-8"))
        same = known["seen"] == [stat.st_size, stat.st_mtime_ns]
        return known["sha256"] if same and re.fullmatch("[0-9a-f]{64}", known["sha256"]) else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _remember(path: Path, cache: Path) -> str:
    """Return the SHA-256 of a file and note it for the next start."""
    try:
        stat = path.stat()
        digest = sha256_of(path)
    except OSError as error:
        raise BadInputError(f"{path} can't be read: {error.strerror}.") from error
    # What has just been changed might change again within the clock's grain.
    if time.time() - stat.st_mtime > _GRAIN_SECONDS:
        # A cache that can only be read is as good, if slower.
        with suppress(OSError):
            note = _note(path, cache)
            note.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=note.parent, prefix=_PART, delete=False) as file:
                json.dump({"seen": [stat.st_size, stat.st_mtime_ns], "sha256": digest}, file)
            Path(file.name).replace(note)
    return digest


def cached(path: Path, preprocessing: Preprocessing, cache: Path) -> Path:
    """Return the entry of a file, made where it is missing or damaged.

    Parameters
    ----------
    path
        The recording.
    preprocessing
        What is done to it.
    cache
        Folder of the cache.

    Raises
    ------
    EegzipError
        The file can't be read or used.
    OutputError
        The cache can't be written.
    """
    entry = _entry(cache, _remembered(path, cache) or _remember(path, cache), preprocessing)
    if is_whole(entry):
        return entry
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _sweep(cache)
        part = Path(tempfile.mkdtemp(prefix=_PART, dir=cache))
        try:
            _fill(part, path, preprocessing)
            shutil.rmtree(entry, ignore_errors=True)
            part.replace(entry)
        except OSError:
            # Another process may have made the same entry meanwhile.
            if not is_whole(entry):
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"the cache {cache} can't be written: {error.strerror or error}.") from error
    return entry


def _fill(part: Path, path: Path, preprocessing: Preprocessing) -> None:
    """Write an entry, one channel in memory at a time: a day of 32 channels would take gigabytes."""
    labels: list[str] = []
    lengths: list[int] = []
    for label, row in prepared_rows(path, preprocessing):
        np.save(part / f"{len(labels)}.npy", row)
        labels.append(label)
        lengths.append(len(row))
    shape = (len(labels), min(lengths))
    waves = np.lib.format.open_memmap(part / WAVES, mode="w+", dtype=np.float32, shape=shape)
    for number in range(len(labels)):
        piece = part / f"{number}.npy"
        waves[number] = np.load(piece, mmap_mode="r", allow_pickle=False)[: shape[1]]
        piece.unlink()
    waves.flush()
    del waves
    meta = {"labels": labels, "rate": preprocessing.rate, "shape": list(shape)}
    (part / META).write_text(json.dumps(meta), encoding="utf-8")


def _sweep(cache: Path) -> None:
    """Remove what interrupted processes left behind; what is young may still be in the making."""
    for part in cache.glob(f"{_PART}*"):
        try:
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(part, ignore_errors=True)
        except OSError:  # Another process was faster.
            continue


def is_whole(entry: Path) -> bool:
    """Whether an entry is there and its parts fit each other."""
    try:
        meta = read_meta(entry)
        waves = map_waves(entry)
        float(meta["rate"])
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return False
    return list(waves.shape) == meta["shape"] and waves.dtype == np.float32 and len(meta["labels"]) == len(waves)


def read_meta(entry: Path) -> dict[str, Any]:
    """Return labels, rate and shape of an entry."""
    meta: dict[str, Any] = parsed((entry / META).read_text(encoding="utf-8"))
    return meta


def map_waves(entry: Path) -> npt.NDArray[np.float32]:
    """Return the waveforms of an entry [C, n], mapped into memory."""
    waves: npt.NDArray[np.float32] = np.load(entry / WAVES, mmap_mode="r", allow_pickle=False)
    return waves
