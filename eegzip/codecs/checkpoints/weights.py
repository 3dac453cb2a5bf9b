"""The file of a checkpoint's weights: where it lies, whether it is whole. No torch.

A model that has the weights of another need not have a second copy of them: in place of ``model.safetensors`` its
folder then has ``weights-of.txt``, which names the folder of that model, beside it.
"""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from eegzip.formats.errors import ModelError
from eegzip.formats.json_text import parsed

WEIGHTS = "model.safetensors"
WEIGHTS_OF = "weights-of.txt"
BUNDLED = Path(__file__).parents[2] / "checkpoints"
"""Folder of the models that come with eegzip."""
# The largest DAC has 77 M parameters (307 MB); room for several times that, not for a memory bomb.
MAX_WEIGHT_BYTES = 2 << 30
# Some hundred tensors, of a hundred bytes each; what a million small things of JSON would take is far more than that.
MAX_HEADER_BYTES = 1 << 20
_MAX_NAME_BYTES = 256
_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def weights_file(folder: Path) -> Path:
    """Return the file of a checkpoint's weights.

    Parameters
    ----------
    folder
        Of the checkpoint. Where it names another model's weights, that model is looked for beside it and then among
        the bundled ones, so that a folder that was copied alone still works.

    Raises
    ------
    ModelError
        There is no such file.
    """
    own = folder / WEIGHTS
    if own.is_file():
        return own
    try:
        with (folder / WEIGHTS_OF).open("rb") as file:
            name = file.read(_MAX_NAME_BYTES).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        raise ModelError(f"{folder} is no eegzip model: it has no {WEIGHTS}.") from None
    # A name, not a path: a stranger's folder must not say which files are read.
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ModelError(f"{folder / WEIGHTS_OF} names no model; get the model again.")
    for parent in (folder.resolve().parent, BUNDLED):
        if (parent / name / WEIGHTS).is_file():
            return parent / name / WEIGHTS
    raise ModelError(
        f"The model in {folder} has the weights of the model {name}, which is not here; put the folder {name} "
        "beside it."
    )


def content_of(path: Path, most: int) -> bytes:
    """Read a file of a model that is no link to what never ends or never begins, a device or a pipe.

    Raises
    ------
    OSError
        It is none, or larger than `most` bytes.
    """
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "No such file", str(path))
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, "File too large", str(path))
    return content


DTYPES = ("F32", "F16")
"""What weights are stored as."""


def check_header(path: Path, dtypes: Collection[str] = DTYPES) -> None:
    """Refuse a weights file that is too large, truncated or of other numbers than these, before it takes memory."""
    with path.open("rb") as file:
        check_open(file, path.stat().st_size, path, dtypes)


def check_open(file: BinaryIO, size: int, path: Path, dtypes: Collection[str] = DTYPES) -> None:
    """Refuse an open weights file, at its beginning, likewise; `path` is what to call it."""
    if size > MAX_WEIGHT_BYTES:
        raise ModelError(f"{path} has {size} bytes; eegzip loads models of at most {MAX_WEIGHT_BYTES}.")
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
    if length > min(MAX_HEADER_BYTES, size - len(start)):
        raise ModelError(f"{path} is truncated or no safetensors file; get the model again.")
    try:
        header = parsed(file.read(length))
        entries = {k: v for k, v in header.items() if k != "__metadata__"}
        kinds = {str(v["dtype"]) for v in entries.values()}
        end = max((int(v["data_offsets"][1]) for v in entries.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(f"{path} is no safetensors file; get the model again.") from error
    others = sorted(kinds - set(dtypes))
    if others:
        allowed = " and ".join(_NAMES[each] for each in dtypes)
        raise ModelError(f"{path} holds numbers other than {allowed} ({', '.join(others)}).")
    if end + length + 8 != size:
        raise ModelError(f"{path} is truncated or has bytes that belong to no tensor; get the model again.")
