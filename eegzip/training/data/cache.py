"""Prepared recordings on disk, mapped into memory: each is prepared once, whatever is trained on it.

An entry is a folder named by what it holds: the SHA-256 of the file and that of the preprocessing. It is written under
another name and renamed when it is whole, so an interruption leaves nothing half-made.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eegzip.formats.errors import BadInputError, OutputError
from eegzip.training.data.preprocessing import Preprocessing, prepare_file

WAVES = "waves.npy"
META = "meta.json"
_BLOCK = 1 << 20


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise BadInputError(f"{path} can't be read: {error.strerror}.") from error
    return digest.hexdigest()


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
    entry = cache / f"{file_digest(path)[:32]}-{preprocessing.digest[:32]}"
    if is_whole(entry):
        return entry
    prepared = prepare_file(path, preprocessing)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=cache))
        try:
            np.save(part / WAVES, prepared.waves)
            meta = {"labels": prepared.labels, "rate": prepared.rate, "shape": list(prepared.waves.shape)}
            (part / META).write_text(json.dumps(meta), encoding="utf-8")
            shutil.rmtree(entry, ignore_errors=True)
            part.replace(entry)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            # Another process may have made the same entry meanwhile.
            if not is_whole(entry):
                raise
    except OSError as error:
        raise OutputError(f"the cache {cache} can't be written: {error.strerror}.") from error
    return entry


def is_whole(entry: Path) -> bool:
    """Whether an entry is there and its parts fit each other."""
    try:
        meta = read_meta(entry)
        waves = map_waves(entry)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return list(waves.shape) == meta["shape"] and waves.dtype == np.float32 and len(meta["labels"]) == len(waves)


def read_meta(entry: Path) -> dict[str, Any]:
    """Return labels, rate and shape of an entry."""
    meta: dict[str, Any] = json.loads((entry / META).read_text(encoding="utf-8"))
    return meta


def map_waves(entry: Path) -> npt.NDArray[np.float32]:
    """Return the waveforms of an entry [C, n], mapped into memory."""
    waves: npt.NDArray[np.float32] = np.load(entry / WAVES, mmap_mode="r", allow_pickle=False)
    return waves
