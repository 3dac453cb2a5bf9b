"""A recording of which some seconds of some channels are read, whatever file it is in."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.checkpoints.priors import priors
from eegzip.decoding.recording_decoder import RecordingDecoder
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.evaluation.drawn import calibration
from eegzip.formats.edf import EdfFile, SignalKind, classify_signals
from eegzip.formats.eegz.edf_envelope import stored_edf_header
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.files import is_eegz
from eegzip.formats.remote.path import RemotePath

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eegzip.formats.edf import EdfHeader
    from eegzip.formats.eegz.keys import AnyKey


class Source:
    """An open recording: EDF or BDF here, ``.eegz`` here or elsewhere; a context manager.

    Attributes
    ----------
    path : str
        What it is called.
    header : EdfHeader
    n_records : int
    eeg : frozenset of int
        Signals that seem to be EEG or were coded lossily.

    Raises
    ------
    EdfError, ContainerError
        It can't be read.
    """

    header: EdfHeader
    n_records: int

    def __init__(
        self, path: Path | RemotePath, name: str, model: str | Path | None, device: str, key: AnyKey | None = None
    ) -> None:
        self.path = name
        self._how = (model, device)
        self._file: EdfFile | EegzReader
        lossy: set[int] = set()
        # What is not there or no file has a better sentence from the reader of EDF.
        if isinstance(path, RemotePath) or (path.is_file() and is_eegz(path)):
            reader = EegzReader(path, priors(model), key)
            self._file = reader
            self.header, self.n_records = stored_edf_header(reader.header), reader.header.n_records
            lossy = {signal for group in reader.header.groups for signal in group.signals}
        else:
            file = EdfFile.open(path)
            self._file, self.header, self.n_records = file, file.header, file.n_records
        kinds = enumerate(classify_signals(self.header))
        self.eeg = frozenset({*lossy, *(index for index, kind in kinds if kind is SignalKind.EEG)})

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def duration(self) -> float | None:
        """Seconds of recorded data; ``None`` where data records have no duration."""
        return self.n_records * (self.header.record_duration or 0.0) or None

    def read(self, signals: Sequence[int], start: float, stop: float) -> list[np.ndarray]:
        """Read seconds of some signals; only the data records that hold them are decoded.

        Returns
        -------
        list of ndarray of float64, shape (samples,)
            In uV where the unit is a voltage.
        """
        duration = self.header.record_duration or 0.0
        records = int(start / duration + 1e-9), min(self.n_records, int(np.ceil(stop / duration - 1e-9)))
        digital = self._records(signals, *records)
        result = []
        for index, values in zip(signals, digital, strict=True):
            signal, rate = self.header.signals[index], self.header.sample_rate(index)
            skipped = records[0] * signal.samples_per_record
            scale, offset = calibration(signal)
            result.append(values[round(start * rate) - skipped : round(stop * rate) - skipped] * scale + offset)
        return result

    def _records(self, signals: Sequence[int], first: int, stop: int) -> list[np.ndarray]:
        """Digital values of whole data records."""
        if isinstance(self._file, EdfFile):
            sizes = [self.header.signals[index].samples_per_record for index in signals]
            file = self._file
            return [file.read_signal(i, first * n, stop * n) for i, n in zip(signals, sizes, strict=True)]
        decoder = RecordingDecoder(self._file, StoredNetwork(self._file, *self._how), tuple(signals))
        parts: list[list[np.ndarray]] = [[] for _ in signals]
        for *_, block in decoder.blocks(first, stop):
            for index, part in zip(signals, parts, strict=True):
                part.append(block[index].reshape(-1))
        return [np.concatenate(part) for part in parts]
