"""Files that tokens are exported to: they appear whole or not at all, and grow recording by recording."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from eegzip.formats.errors import OutputError, OutputExistsError, UsageError
from eegzip.formats.extras import imported
from eegzip.formats.files import atomic_output, narrow_folder
from eegzip.formats.json_text import parsed
from eegzip.token_data.recorded import RecordedTokens

MARK = "eegzip-tokens"
"""Attribute by which a store is known as one of ours, which may be replaced."""

_PER_RECORDING = {
    "files": lambda each: str(each.source.path),
    "subjects": lambda each: each.source.subject,
    "labels": lambda each: each.source.label or "",
    "starts": lambda each: each.start,
}


class Writer(Protocol):
    """Takes recordings one by one."""

    def add(self, tokens: RecordedTokens) -> None:
        """Write a recording."""

    def finish(self, about: dict[str, Any]) -> None:
        """Write what is of all recordings."""


class _Npz:
    """Arrays ``0/codes``, ``0/channels``, ``0/times``, ``1/codes``... and one array of all recordings for each fact."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._facts: dict[str, list[str]] = {name: [] for name in _PER_RECORDING}

    def add(self, tokens: RecordedTokens) -> None:
        number = len(self._facts["files"])
        self._array(f"{number}/codes", tokens.codes)
        self._array(f"{number}/channels", np.array(tokens.channels))
        self._array(f"{number}/times", tokens.times)
        for name, fact in _PER_RECORDING.items():
            self._facts[name].append(fact(tokens))

    def finish(self, about: dict[str, Any]) -> None:
        for name, values in self._facts.items():
            self._array(name, np.array(values))
        for name, value in about.items():
            self._array(name, np.array(value))

    def _array(self, name: str, array: np.ndarray) -> None:
        entry = zipfile.ZipInfo(f"{name}.npy")  # of 1980: the same tokens make the same bytes
        entry.compress_type = zipfile.ZIP_DEFLATED
        with self._archive.open(entry, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, array, allow_pickle=False)


@contextmanager
def _npz(path: Path, sources: Sequence[Path], *, overwrite: bool) -> Iterator[Writer]:
    with atomic_output(path, overwrite=overwrite, also=sources) as file, zipfile.ZipFile(file, "w") as archive:
        yield _Npz(archive)


class _Parquet:
    """A row for each frame of each channel; what is of all recordings is in the metadata of the schema."""

    def __init__(self, file: Any, arrow: Any, parquet: Any) -> None:
        self._file, self._arrow, self._parquet = file, arrow, parquet
        self._writer: Any = None
        self._schema = arrow.schema(
            [
                *((name, arrow.dictionary(arrow.int32(), arrow.string())) for name in ("file", "subject", "label")),
                ("channel", arrow.dictionary(arrow.int32(), arrow.string())),
                ("frame", arrow.int32()),
                ("time", arrow.float64()),
                ("codes", arrow.list_(arrow.uint16())),
            ]
        )

    def add(self, tokens: RecordedTokens) -> None:
        arrow = self._arrow
        if self._writer is None:
            # The metadata comes first in the schema, and every recording is held to the first one's.
            self._schema = self._schema.with_metadata({MARK: json.dumps(facts_of(tokens))})
            self._writer = self._parquet.ParquetWriter(self._file, self._schema, compression="zstd")
        rows, levels, frames = tokens.codes.shape
        count = rows * frames

        def constant(values: list[str], repeats: int) -> Any:
            index = np.repeat(np.arange(len(values), dtype=np.int32), repeats)
            return arrow.DictionaryArray.from_arrays(index, arrow.array(values, arrow.string()))

        codes = np.ascontiguousarray(tokens.codes.transpose(0, 2, 1)).reshape(-1)
        offsets = np.arange(count + 1, dtype=np.int32) * levels
        source = tokens.source
        columns = [
            constant([str(source.path)], count),
            constant([source.subject], count),
            constant([source.label or ""], count),
            constant(list(tokens.channels), frames),
            arrow.array(np.tile(np.arange(frames, dtype=np.int32), rows)),
            arrow.array(np.tile(tokens.times, rows)),
            arrow.ListArray.from_arrays(arrow.array(offsets), arrow.array(codes)),
        ]
        self._writer.write_table(arrow.Table.from_arrays(columns, schema=self._schema))

    def finish(self, about: dict[str, Any]) -> None:  # noqa: ARG002 - is in the schema already
        self._writer.close()


@contextmanager
def _parquet(path: Path, sources: Sequence[Path], *, overwrite: bool) -> Iterator[Writer]:
    arrow, parquet = imported("parquet", "pyarrow"), imported("parquet", "pyarrow.parquet")
    with atomic_output(path, overwrite=overwrite, also=sources) as file:
        yield _Parquet(file, arrow, parquet)


class _Zarr:
    """A group for each recording, ``0``, ``1``, ..., with ``codes`` and ``times``; facts are attributes."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._count = 0

    def add(self, tokens: RecordedTokens) -> None:
        group = self._root.create_group(str(self._count))
        codes = group.create_array("codes", shape=tokens.codes.shape, dtype=tokens.codes.dtype)
        codes[...] = tokens.codes
        times = group.create_array("times", shape=tokens.times.shape, dtype=tokens.times.dtype)
        times[...] = tokens.times
        source = tokens.source
        group.attrs.update(
            file=str(source.path),
            subject=source.subject,
            label=source.label or "",
            start=tokens.start,
            channels=list(tokens.channels),
        )
        self._count += 1

    def finish(self, about: dict[str, Any]) -> None:
        self._root.attrs.update({MARK: 1, "recordings": self._count, **about})


@contextmanager
def _zarr(path: Path, sources: Sequence[Path], *, overwrite: bool) -> Iterator[Writer]:
    zarr = imported("zarr", "zarr")
    if path.exists() or path.is_symlink():
        if not overwrite:
            raise OutputExistsError(f"{path} exists already; use -f to replace it, or name another output.")
        if not _is_ours(path):
            raise UsageError(f"{path} is no store that eegzip wrote, so it is not replaced; name another output.")
    temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}.part")
    try:
        temporary.mkdir()
        root = zarr.open_group(str(temporary), mode="w")  # makes the folder anew
        narrow_folder(temporary, sources)
        yield _Zarr(root)
        old = path.with_name(f"{temporary.name}.old")
        if path.exists():
            path.rename(old)
        temporary.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{path} can't be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_ours(path: Path) -> bool:
    try:
        return MARK in parsed((path / "zarr.json").read_bytes())["attributes"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def facts_of(tokens: RecordedTokens) -> dict[str, Any]:
    """What all recordings of an export have in common."""
    return {
        "model": tokens.model,
        "digest": tokens.digest,
        "vocabulary_size": tokens.vocabulary_size,
        "frame_rate": tokens.frame_rate,
    }


_WRITERS: dict[str, Callable[..., AbstractContextManager[Writer]]] = {"npz": _npz, "zarr": _zarr, "parquet": _parquet}
KINDS = tuple(_WRITERS)


def kind_of(path: Path, kind: str | None) -> str:
    """Return the kind of an output: as asked for, else by its ending.

    Raises
    ------
    UsageError
        There is no such kind.
    """
    wanted = path.suffix.lower().removeprefix(".") if kind is None else kind
    if wanted not in _WRITERS:
        raise UsageError(f"'{wanted or path.name}' is no kind of export; there are {', '.join(KINDS)}.")
    return wanted


def writer(path: Path, kind: str, sources: Sequence[Path], *, overwrite: bool) -> AbstractContextManager[Writer]:
    """Open an output of a kind, made of some files: who may not read them all may not read it."""
    return _WRITERS[kind](path, sources, overwrite=overwrite)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(os.path.getsize(Path(place, name)) for place, _, names in os.walk(path) for name in names)  # noqa: PTH202
    return path.stat().st_size
