"""Holds what lies on the disk against its original, so that the original may go.

Unlike :func:`eegzip.evaluate`, which measures, this decides: exact signals, header and trailing bytes are the same,
bounds are kept, and tokens lose what the file says they lose.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eegzip.codecs.checkpoints.priors import priors
from eegzip.codecs.checkpoints.registry import Models
from eegzip.decoding.lines import line_samples
from eegzip.decoding.recording_decoder import RecordingDecoder, restored_sha256
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.evaluation.eeg_part import eeg_energy
from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.eegz.header import Coding
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import BadInputError
from eegzip.formats.files import forget_cached, sha256_of

_ROUNDING = 1e-6
"""Share by which a figure may be off for want of digits in floats."""

_ANY_MEMORY = 1 << 62
"""Bytes."""

_STATED = 1e-3
"""Share by which the loss of tokens may differ from the one stated, besides the last bits of waveforms."""


def read_back(
    source: str | Path,
    compressed: str | Path,
    *,
    model: Models = None,
    device: str = "cpu",
    key: AnyKey | None = None,
) -> str:
    """Decode an ``.eegz`` file from the disk and compare all of it with the recording that it was made of.

    Parameters
    ----------
    source : path-like
        The recording.
    compressed : path-like
        The file made of it.
    model : str, path-like, or a sequence or mapping of such, optional
        As for :func:`eegzip.decompress`.
    device : str
    key : str, bytes or path-like, optional
        Likewise.

    Returns
    -------
    str
        What was found right: ``'identical'``, ``'bounds kept'`` or ``'loss as stated'``.

    Raises
    ------
    BadInputError
        The file does not hold what it should, or can't be decoded.
    """
    forget_cached(Path(compressed))
    with EegzReader(compressed, priors(model), key) as reader:
        # Of a recording that lies beside it, so it may take what that takes.
        reader.max_memory = _ANY_MEMORY
        if not reader.complete or reader.problems:
            raise BadInputError(f"{compressed}: {'; '.join(reader.problems) or 'is incomplete'}; keep {source}.")
        header = reader.header
        if sha256_of(source) != header.source_sha256:
            raise BadInputError(f"{compressed} was made of another version of {source}; compress it again.")
        decoder = RecordingDecoder(reader, StoredNetwork(reader, model, device))
        if all(signal.coding is Coding.EXACT for signal in header.signals):
            if restored_sha256(decoder, lambda *_: None) != header.source_sha256:
                raise BadInputError(f"{compressed} restores other bytes than {source} has; keep that, report this.")
            return "identical"
        with EdfFile.open(source) as file:
            _Comparison(file, reader, decoder).check()
        return "loss as stated" if header.targets is None else "bounds kept"


class _Comparison:
    """A recording beside what its lossy file restores."""

    def __init__(self, file: EdfFile, reader: EegzReader, decoder: RecordingDecoder) -> None:
        self._file, self._reader, self._decoder = file, reader, decoder
        self._header = reader.header
        self._lossy = [i for i, signal in enumerate(self._header.signals) if signal.coding is not Coding.EXACT]

    def check(self) -> None:
        """Raise :class:`BadInputError` where something is not as it should be."""
        header, file = self._header, self._file
        trailing = b"".join(self._reader.trailing())
        same = header.edf_header == file.header.raw and trailing == file.read_trailing()
        if not same or header.n_records != file.n_records:
            raise self._wrong("the header, the number of records or the bytes after the last record")
        lines = {index: line_samples(self._reader, index) for index in self._lossy}
        rows: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {index: [] for index in self._lossy}
        totals = {index: _Total() for index in self._lossy}
        for first, stop, samples in self._decoder.blocks(0, header.n_records):
            block = file.read_records(first, stop)
            for index, signal in enumerate(header.signals):
                if not signal.samples_per_record:
                    continue
                original = decode_signal(block, file.header, index).reshape(-1)
                restored = samples[index].reshape(-1)
                if index in rows:
                    begin = first * signal.samples_per_record
                    line = lines[index][begin : begin + len(original)]
                    totals[index].add(original, restored)
                    rows[index].append((original - line, restored - line))
                elif not np.array_equal(original, restored):
                    raise self._wrong(f"the exactly kept signal '{signal.label}' in data records {first} to {stop - 1}")
            if stop == header.n_records or stop % header.chunk_records == 0:
                for index, parts in rows.items():
                    original, restored = (np.concatenate(part) for part in zip(*parts, strict=True))
                    self._check_bounds(index, original, restored, stop)
                    parts.clear()
        for index, total in totals.items():
            self._check_stated(index, total)

    def _check_bounds(self, index: int, original: np.ndarray, restored: np.ndarray, stop: int) -> None:
        """Hold the samples of one chunk, less their lines, against what was promised (SPEC.md, section 7)."""
        targets = self._header.targets
        if targets is None or self._header.signals[index].coding is not Coding.LAYERS:
            return
        where = f"the bound of '{self._header.signals[index].label}' in the data records before {stop}"
        error = restored - original
        bound = targets.prd_bound()
        if bound is not None:
            pairs = [(np.square(error.astype(float)).sum(), np.square(original - original.mean()).sum())]
            if self._header.bounds_eeg_part_of(index):
                rate = self._file.header.sample_rate(index)
                pairs.append((float(eeg_energy(error[None], rate)[0]), float(eeg_energy(original[None], rate)[0])))
            for lost, energy in pairs:
                if lost > energy * (bound / 100) ** 2 * (1 + _ROUNDING) + _ROUNDING:
                    raise self._wrong(where)
        unit = self._file.header.signals[index].microvolts_per_digit
        if targets.max_error_uv is not None and unit:
            most = max(targets.max_error_uv * (1 + _ROUNDING), abs(unit) / 2)
            if np.abs(error).max(initial=0) * abs(unit) > most:
                raise self._wrong(where)

    def _check_stated(self, index: int, total: _Total) -> None:
        summary = self._reader.summary
        stated = None if summary is None else summary.signals[index].prd
        if stated is not None and total.energy and total.prd > stated * (1 + _STATED) + total.one_digit:
            label = self._header.signals[index].label
            raise self._wrong(f"the loss of '{label}', PRD {total.prd:.4g} % where {stated:.4g} % is stated,")

    def _wrong(self, what: str) -> BadInputError:
        return BadInputError(
            f"{self._reader.path}: {what} is not as in {self._file.path}; keep the original and report this."
        )


class _Total:
    """Sums over a whole signal."""

    def __init__(self) -> None:
        self._n, self._sum, self._squares, self._error = 0, 0, 0.0, 0.0

    def add(self, original: np.ndarray, restored: np.ndarray) -> None:
        """Take more samples."""
        x = original.astype(np.int64)
        self._n += len(x)
        self._sum += int(x.sum())
        self._squares += float(np.square(x).sum())
        self._error += float(np.square(x - restored).sum())

    @property
    def energy(self) -> float:
        """Sum of squares beside the mean."""
        return max(0.0, self._squares - self._sum**2 / max(self._n, 1))

    @property
    def prd(self) -> float:
        """In percent."""
        return float(100 * np.sqrt(self._error / self.energy))

    @property
    def one_digit(self) -> float:
        """The PRD, in percent, of an error of one digital unit in each sample (SPEC.md, section 9)."""
        return float(100 * np.sqrt(self._n / self.energy))
