"""A part of a recording at a transform's rate and level, and the cache of what is made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eegzip.formats.errors import EegzipError
from eegzip.formats.files import replaced
from eegzip.training.data.waveforms import at_level, resampled
from eegzip.training.segments.codec import Transform
from eegzip.training.segments.recordings import Part, digital_values
from eegzip.training.segments.renditions import rendition

Arrays = dict[str, npt.NDArray[Any]]


def draws_of(part: Part, seed: int, variant: int) -> np.random.Generator:
    """Return the source of all that is random about a part.

    It is of names and not of places, so that files that come later change no other's draws.
    """
    name = f"{part.group}/{part.source.path.name}/{part.first}"
    return np.random.default_rng([seed, variant, *hashlib.sha256(name.encode()).digest()[:8]])


def at_transform(
    part: Part,
    transform: Transform,
    rng: np.random.Generator,
    variant: int,
    most: int | None = None,
    drift: float = 0.0,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], float]:
    """Return a part's waveforms [channels, samples] as a transform takes them, their scale at every sample, and hours.

    Parameters
    ----------
    part
        Of a file.
    transform
        Whose rate and level they get.
    rng
        Of the rendition.
    variant
        0: the recording itself; else a rendition of it.
    most
        Channels at most.
    drift
        Share of renditions with slow drift.

    Raises
    ------
    EegzipError
        The file can't be read or used.
    """
    x, rate, _ = digital_values(part)
    x = x[:most]
    hours = x.shape[1] / float(rate) / 3600
    x = resampled(x, rate, transform.rate)
    if variant:
        x = rendition(x, transform.rate, rng, drift, hum=part.lines)
    y, scale = at_level(x, transform.scaling)
    return y, scale, hours


def kept(cache: Path, kind: str, part: Part, of: Sequence[object], make: Callable[[], Arrays]) -> Arrays:
    """Return what is made of a part, out of the cache where it is there.

    Parameters
    ----------
    cache
        Its folder.
    kind
        What is made.
    part
        Of a file, known by its path, size and time.
    of
        All else that it depends on.
    make
        Makes it.

    Raises
    ------
    EegzipError
        The cache can't be written.
    """
    stat = part.source.path.stat()
    file = [str(part.source.path.resolve()), stat.st_size, stat.st_mtime_ns, str(part.first), str(part.last)]
    key = hashlib.sha256(json.dumps([file, part.lines, *of, *part.signals]).encode()).hexdigest()[:40]
    entry = cache / f"{kind}-{key}.npz"
    if not entry.is_file():
        made = make()
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with replaced(entry) as path, path.open("wb") as file_out:
                np.savez(file_out, allow_pickle=False, **made)
        except OSError as error:
            raise EegzipError(f"the cache {cache} can't be written: {error.strerror}.") from error
    with np.load(entry, allow_pickle=False) as found:
        return dict(found)
