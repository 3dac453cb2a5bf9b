"""The journal of a training run: one JSON line an entry, and the same numbers for TensorBoard.

``log.jsonl`` is the record that everything else reads (curves, cards, tables of a paper); TensorBoard is a second
view of it and may be absent. A line is written whole and at once, so a killed run loses at most its last line.

What a line holds
-----------------
``kind``
    ``start``, ``resume``, ``step``, ``validation`` or ``event``.
``step``
    Optimiser steps done so far.
``seconds``
    Time that the run has taken, the parts before each resumption included.

and whatever the trainer measured. :mod:`eegzip.training.reporting.curves` understands these names, all optional:

* ``start``: ``name`` (of the model);
* ``step``: ``loss`` (an object: ``total``, ``waveform``, ``stft``, ``spectrogram``, ...), ``usage`` (a list: share of
  each codebook's entries that were used, 0 to 1), ``entropy`` (a list: bits a level), ``lr``, ``seconds_per_second``
  (seconds of one channel seen for each second of time), ``prd`` (percent);
* ``validation``: ``prd`` (percent), ``snr`` (dB), ``spectrogram`` (the paper's loss), ``r`` (an object: a band each).

A number that is not finite becomes ``null``: JSON knows no other, and a reader should see that a loss diverged.
"""

from __future__ import annotations

import json
import logging
import math
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from eegzip.formats.errors import BadInputError, OutputError
from eegzip.formats.files import atomic_output
from eegzip.formats.json_text import parsed

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG = "log.jsonl"
TENSORBOARD = "tensorboard"
KINDS = ("start", "resume", "step", "validation", "event")

_log = logging.getLogger(__name__)


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """Return the entries of a journal, oldest first.

    Parameters
    ----------
    path
        The file ``log.jsonl``. A last line that is cut off (the run was killed, or is writing now) is left out.

    Raises
    ------
    BadInputError
        There is no such file, or a line before the last is no JSON object.
    """
    path = Path(path)
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise BadInputError(f"The journal {path} can't be read: {error.strerror}.") from error
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = parsed(line)
        except ValueError as error:
            if number == len(lines):  # no end of line after it
                break
            raise BadInputError(f"{path}, line {number}, is no JSON; remove the line or the file.") from error
        if not isinstance(entry, dict):
            raise BadInputError(f"{path}, line {number}, is no JSON object; remove the line or the file.")
        entries.append(entry)
    return entries


class Journal:
    """Writes the journal of one run.

    Parameters
    ----------
    folder
        The run's folder; made when missing. A journal that is there already is continued, a cut-off last line
        removed.
    tensorboard
        Whether to write events for TensorBoard too, to ``folder/tensorboard``.

    Raises
    ------
    OutputError
        The folder can't be written.
    """

    def __init__(self, folder: str | Path, tensorboard: bool = True) -> None:
        self.folder = Path(folder)
        self.path = self.folder / LOG
        self._tensorboard = tensorboard
        self._writer: SummaryWriter | None = None
        self._purge_step: int | None = None
        self._before = 0.0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                self._rewrite(read_log(self.path))
            self._file = self.path.open("a", encoding="ascii")
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(f"The journal {self.path} can't be written: {error.strerror}.") from error
        self._began = time.monotonic()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    @property
    def seconds(self) -> float:
        """Time that the run has taken so far, the parts before each resumption included."""
        return self._before + time.monotonic() - self._began

    def begin(self, name: str, settings: dict[str, Any]) -> None:
        """Drop what another run left, and say what this one is to be: the model's name, and all settings."""
        self.truncate_after(-1)
        self.record("start", 0, name=name, settings=settings)

    def record(self, kind: str, step: int, **values: Any) -> None:
        """Append one entry.

        Parameters
        ----------
        kind
            One of :data:`KINDS`.
        step
            Optimiser steps done so far.
        **values
            Numbers, strings, and lists and objects of them; arrays and tensors become lists. ``seconds`` overrides
            the journal's own clock.

        Raises
        ------
        OutputError
            The disk is full, or the file is gone.
        """
        if kind not in KINDS:
            raise ValueError(f"a journal knows no entries of the kind {kind!r}")
        entry = {"kind": kind, "step": int(step), "seconds": round(self.seconds, 3), **_plain(values)}
        try:
            self._file.write(json.dumps(entry, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"The journal {self.path} can't be written: {error.strerror}.") from error
        if kind in ("step", "validation"):
            self._show(kind, int(step), {k: v for k, v in entry.items() if k not in ("kind", "step")})

    def truncate_after(self, step: int) -> None:
        """Forget what was written after ``step``, as a resumed run goes through those steps again.

        Parameters
        ----------
        step
            The last step to be kept: the one of the checkpoint that the run goes on from; -1 to begin anew.
        """
        self._file.flush()
        kept = [entry for entry in read_log(self.path) if entry.get("step", 0) <= step]
        try:
            self._file.close()
            self._rewrite(kept)
            self._file = self.path.open("a", encoding="ascii")
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(f"The journal {self.path} can't be written: {error.strerror}.") from error
        self._began = time.monotonic()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        # TensorBoard can't forget, but hides what a writer that starts at an earlier step has superseded.
        self._purge_step = step + 1

    def close(self) -> None:
        """Write out everything; calling it again does nothing."""
        self._file.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _rewrite(self, entries: list[dict[str, Any]]) -> None:
        """Replace the journal's entries, whole or not at all."""
        with atomic_output(self.path, overwrite=True) as file:
            file.writelines(f"{json.dumps(entry)}\n".encode("ascii") for entry in entries)
        self._before = max((float(e.get("seconds") or 0.0) for e in entries), default=0.0)

    def _show(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """Pass numbers to TensorBoard."""
        if self._tensorboard and self._writer is None:
            self._writer = self._open_writer()
        if self._writer is None:
            return
        for name, number in _flat(kind, values):
            self._writer.add_scalar(name, number, step)

    def _open_writer(self) -> SummaryWriter | None:
        """Return a TensorBoard writer, or ``None``, said once, where TensorBoard doesn't load."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tensorboard and its protobuf predate deprecations of theirs
                from torch.utils.tensorboard import SummaryWriter

                return SummaryWriter(str(self.folder / TENSORBOARD), purge_step=self._purge_step, flush_secs=30)
        except Exception as error:
            # Half a dozen packages stand behind that import, and none of them is needed to train.
            self._tensorboard = False
            if isinstance(error, ImportError):
                error = ImportError(f"{error}; install eegzip[train]")
            _log.warning("no TensorBoard (%s); the journal %s has everything", error, self.path)
            return None


def _plain(value: Any) -> Any:
    """Return a value as strict JSON knows it."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # arrays, tensors and their scalars
        return _plain(value.tolist())
    return str(value)


def _flat(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Yield the numbers of nested objects and lists, named by their path."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(f"{name}/{key}", part)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _flat(f"{name}/{index}", part)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, float(value)
