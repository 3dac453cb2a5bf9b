"""The tables of a prior, as a checkpoint carries them in ``prior.safetensors`` (SPEC.md, section 10.1).

A prior is a small network in integers. Everything that a decoder computes from it is exact, so no machine can decode
differently. The names of the fields are those of the tensors.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import NamedTuple

import numpy as np

from eegzip.formats.errors import ModelError
from eegzip.formats.json_text import parsed
from eegzip.formats.tiles import in_tiles

PRIOR = "prior.safetensors"
"""Name of the file in a checkpoint's folder."""

MAX_PRIOR_BYTES = 64 << 20
MAX_LEVELS, MAX_ENTRIES, MAX_WIDTH, MAX_HIDDEN = 256, 65535, 256, 128
CLASSES = 24
"""Of the energy of what the prediction missed, half an octave each."""

BANDS = 8
"""Kinds of coordinates that a reference speaks for differently."""

MAX_FACTOR = 511
"""Largest magnitude in ``match`` and ``norm``: their sums of products then stay within 32 bits."""

MAX_START = 1 << 20

PAIR_COLUMNS = 64
"""Entries in a tile of pairs."""

_DTYPES: dict[str, np.dtype] = {"I8": np.dtype("<i1"), "I16": np.dtype("<i2"), "I32": np.dtype("<i4")}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_MAX_HEADER = 1 << 16


class PriorTables(NamedTuple):
    """Tables of a prior for K levels of S entries, vectors of D coordinates and H hidden units.

    Where an axis of 2 is named "alone/together", its second half is for streams that have references.

    Attributes
    ----------
    words : ndarray of int16, shape (K, S, D)
        What each entry adds to the vector that a frame stands for.
    match, norm : ndarray of int16, shape (K, D, S)
        What speaks for an entry: along the vector that is still missing, and against entries that are too long.
    rest : ndarray of int32, shape (K, D)
        Variance that deeper levels add; at least 1.
    gain, norm_gain : ndarray of int32, shape (K, 2, D)
        Factors of the two, alone/together; not negative.
    bias : ndarray of int16, shape (K, 2, S)
        What speaks for an entry whatever else is known, in 1/256 of a natural unit.
    own, before, beside : ndarray of int8, shape (K, S, H)
        Into the hidden units: from lower levels' tokens, the previous frame's, and the first reference's.
    energy : ndarray of int8, shape (2, CLASSES, H)
        Likewise from the energy class.
    level : ndarray of int16, shape (K, H)
        Likewise from the level.
    out : ndarray of int8, shape (K, H, S)
        Out of the hidden units.
    start : ndarray of int32, shape (2, D)
        Variance that the first frame begins with, in the middle of its 64 classes; 1 to 2^20.
    lowest_class : ndarray of int32, shape (1,)
        Half-octave of the summed variance that energy class 0 stands for.
    bands : ndarray of int8, shape (D,)
        Band of each coordinate, 0 to BANDS - 1.
    """

    words: np.ndarray
    match: np.ndarray
    norm: np.ndarray
    rest: np.ndarray
    gain: np.ndarray
    norm_gain: np.ndarray
    bias: np.ndarray
    own: np.ndarray
    before: np.ndarray
    beside: np.ndarray
    energy: np.ndarray
    level: np.ndarray
    out: np.ndarray
    start: np.ndarray
    lowest_class: np.ndarray
    bands: np.ndarray


class CodingTables(NamedTuple):
    """The tables as they lie in memory: what sums are made of in one, in the order in which it is gone through.

    Attributes
    ----------
    pairs : ndarray of int16, shape (K, tiles, D + ceil(H / 2), 2 * PAIR_COLUMNS)
        Two numbers for each entry, as :func:`~eegzip.formats.tokens.pair_sums.add_pairs` takes them: ``match`` and
        minus ``norm`` for each coordinate, then ``out`` of each hidden unit of the first half and of one of the second.
    """

    pairs: np.ndarray
    words: np.ndarray
    rest: np.ndarray
    gain: np.ndarray
    norm_gain: np.ndarray
    bias: np.ndarray
    own: np.ndarray
    before: np.ndarray
    beside: np.ndarray
    energy: np.ndarray
    level: np.ndarray
    start: np.ndarray
    lowest_class: np.ndarray
    bands: np.ndarray


_SHARED = [name for name in CodingTables._fields if name != "pairs"]


def coding_tables(tables: PriorTables) -> CodingTables:
    """Return tables as they lie in memory."""
    levels, width, entries = tables.match.shape
    half = -(-tables.out.shape[1] // 2)
    # One level after the other, as all of them at once would be there twice.
    pairs = np.empty((levels, -(-entries // PAIR_COLUMNS), width + half, 2 * PAIR_COLUMNS), np.int16)
    for level in range(levels):
        rows = np.zeros((width + half, entries, 2), np.int16)
        rows[:width, :, 0], rows[:width, :, 1] = tables.match[level], -tables.norm[level]
        out = tables.out[level]
        rows[width:, :, 0], rows[width : width + len(out) - half, :, 1] = out[:half], out[half:]
        pairs[level] = in_tiles(rows.reshape(width + half, -1), 2 * PAIR_COLUMNS)
    return CodingTables(pairs, **{name: getattr(tables, name) for name in _SHARED})


def stored_tables(tables: CodingTables, hidden: int) -> PriorTables:
    """Inverse of :func:`coding_tables`, for so many hidden units."""
    _, entries, width = tables.words.shape
    levels, tiles, rows, wide = tables.pairs.shape
    flat = tables.pairs.transpose(0, 2, 1, 3).reshape(levels, rows, tiles * wide)[:, :, : 2 * entries]
    first, second = flat[:, :, ::2], flat[:, :, 1::2]
    out = np.concatenate([first[:, width:], second[:, width:]], axis=1)[:, :hidden]
    return PriorTables(
        match=first[:, :width].copy(),
        norm=-second[:, :width],
        out=out.astype(np.int8),
        **{name: getattr(tables, name) for name in _SHARED},
    )


def _shapes(levels: int, entries: int, width: int, hidden: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every tensor."""
    return {
        "words": ("I16", (levels, entries, width)),
        "match": ("I16", (levels, width, entries)),
        "norm": ("I16", (levels, width, entries)),
        "rest": ("I32", (levels, width)),
        "gain": ("I32", (levels, 2, width)),
        "norm_gain": ("I32", (levels, 2, width)),
        "bias": ("I16", (levels, 2, entries)),
        "own": ("I8", (levels, entries, hidden)),
        "before": ("I8", (levels, entries, hidden)),
        "beside": ("I8", (levels, entries, hidden)),
        "energy": ("I8", (2, CLASSES, hidden)),
        "level": ("I16", (levels, hidden)),
        "out": ("I8", (levels, hidden, entries)),
        "start": ("I32", (2, width)),
        "lowest_class": ("I32", (1,)),
        "bands": ("I8", (width,)),
    }


class TokenPrior:
    """The tables and their identity.

    Parameters
    ----------
    data : bytes
        Content of ``prior.safetensors``.

    Attributes
    ----------
    tables : CodingTables
    digest : str
        SHA-256 of the file, in hexadecimal.
    levels, entries, width, hidden : int

    Raises
    ------
    ModelError
        The file is not one of a prior, or holds values that could overflow.
    """

    def __init__(self, data: bytes) -> None:
        self.digest = hashlib.sha256(data).hexdigest()
        tensors = _read_tensors(data)
        words, out = tensors["words"], tensors["out"]
        if words.ndim != 3 or out.ndim != 3:
            raise ModelError("the prior has no tables of words; get the model again.")
        self.levels, self.entries, self.width = words.shape
        self.hidden = out.shape[1]
        sizes = (self.levels, self.entries, self.width, self.hidden)
        most = (MAX_LEVELS, MAX_ENTRIES, MAX_WIDTH, MAX_HIDDEN)
        if any(not 1 <= size <= limit for size, limit in zip(sizes, most, strict=True)) or self.entries < 2:
            raise ModelError(f"the prior has tables of a size {sizes} that can't be.")
        for name, (kind, shape) in _shapes(*sizes).items():
            if tensors[name].shape != shape or _NAMES[tensors[name].dtype] != kind:
                raise ModelError(f"the prior's table '{name}' has another shape than the others.")
        stored = PriorTables(**tensors)
        self._check_values(stored)
        self.tables = coding_tables(stored)

    def stored(self) -> PriorTables:
        """Return the tables as the file has them."""
        return stored_tables(self.tables, self.hidden)

    @staticmethod
    def _check_values(tables: PriorTables) -> None:
        factors = max(max(int(table.max()), -int(table.min())) for table in (tables.match, tables.norm))
        least = min(int(tables.rest.min()), int(tables.start.min()), MAX_START + 1 - int(tables.start.max()))
        banded = int(tables.bands.min()) >= 0 and int(tables.bands.max()) < BANDS
        if (
            not banded
            or factors > MAX_FACTOR
            or least < 1
            or min(int(tables.gain.min()), int(tables.norm_gain.min())) < 0
        ):
            raise ModelError("the prior's tables hold values out of range; get the model again.")


def pack_prior(tables: PriorTables) -> bytes:
    """Serialise the tables to the content of ``prior.safetensors``, the same bytes for the same tables."""
    header: dict[str, object] = {}
    parts = []
    offset = 0
    for name, table in zip(PriorTables._fields, tables, strict=True):
        part = np.ascontiguousarray(table).tobytes()
        header[name] = {
            "dtype": _NAMES[table.dtype],
            "shape": list(table.shape),
            "data_offsets": [offset, offset + len(part)],
        }
        parts.append(part)
        offset += len(part)
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def _read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """Read the tables of a safetensors file, and nothing else of it; no two have the same bytes."""
    if len(data) > MAX_PRIOR_BYTES:
        raise ModelError(f"the prior has {len(data)} bytes; {MAX_PRIOR_BYTES} are the most.")
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else _MAX_HEADER + 1
    if length > min(_MAX_HEADER, len(data) - 8):
        raise ModelError("the prior is truncated or no safetensors file; get the model again.")
    body = memoryview(data)[8 + length :]
    tensors = {}
    free = len(body)
    try:
        entries = parsed(data[8 : 8 + length])
        for name in PriorTables._fields:
            entry = entries[name]
            shape = tuple(int(size) for size in entry["shape"])
            begin, end = (int(place) for place in entry["data_offsets"])
            dtype = _DTYPES[entry["dtype"]]
            # Tables that overlap would take more memory than the file: many, of all of it.
            free -= end - begin
            if not 0 <= begin <= end <= len(body) or min(shape, default=1) < 0 or free < 0:
                raise ModelError(
                    f"the prior's table '{name}' lies outside its file or in another; get the model again."
                )
            tensors[name] = np.frombuffer(body[begin:end], dtype).reshape(shape).copy()
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ModelError("the prior is no safetensors file of integers; get the model again.") from error
    return tensors
