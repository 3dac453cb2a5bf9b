"""A recording to be compared, whatever file it is in: EDF or BDF, or an ``.eegz`` file restored in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from eegzip.codecs.checkpoints.priors import priors
from eegzip.decoding.recording_decoder import RecordingDecoder
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.evaluation.coded_size import coded_bytes
from eegzip.formats.edf import EdfFile, SignalKind, classify_signals
from eegzip.formats.eegz.edf_envelope import stored_edf_header
from eegzip.formats.eegz.header import MEASURES
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import BadInputError, naming_memory
from eegzip.formats.files import is_eegz
from eegzip.formats.remote.spooled import Source, local_source, name_of

if TYPE_CHECKING:
    from eegzip.formats.edf import EdfHeader
    from eegzip.formats.eegz.header import Targets
    from eegzip.progress import Progress
    from eegzip.reports import SignalReport


@dataclass(frozen=True)
class Side:
    """A recording with all its samples: 4 bytes each in memory.

    Parameters
    ----------
    path : str
    header : EdfHeader
    n_records : int
    size : int
        Bytes of the file.
    eeg : frozenset of int
        Signals that seem to be EEG or were coded lossily.
    samples : dict of int to ndarray of int32, shape (samples,)
        Digital values of every signal.
    original_bytes : int or None
        Size of the EDF or BDF file: this one, or the one it was made of, where the file says.
    coded_bytes : int or None
        What of an ``.eegz`` file stands for its EEG; ``None`` for other files, as for the next.
    signals : tuple of SignalReport or None
        What the file says of its signals.
    targets : Targets or None
        What it promises.
    """

    path: str
    header: EdfHeader
    n_records: int
    size: int
    eeg: frozenset[int]
    samples: dict[int, np.ndarray]
    original_bytes: int | None
    coded_bytes: int | None = None
    signals: tuple[SignalReport, ...] | None = None
    targets: Targets | None = None

    @property
    def duration(self) -> float | None:
        """Seconds of recorded data; ``None`` where data records have no duration."""
        return self.n_records * (self.header.record_duration or 0.0) or None


def read_side(
    path: Source, model: str | Path | None, device: str, progress: Progress, key: AnyKey | None = None
) -> Side:
    """Read a recording, or restore it from an ``.eegz`` file; `key` opens one that is sealed as a whole.

    Raises
    ------
    EdfError, ContainerError, ModelError
        It can't be read.
    """
    with local_source(path) as place:
        return replace(_read_local(place, model, device, progress, key), path=name_of(path))


def _read_local(path: Path, model: str | Path | None, device: str, progress: Progress, key: AnyKey | None) -> Side:
    # What is not there or no file has a better sentence from the reader of EDF.
    if not (path.is_file() and is_eegz(path)):
        with EdfFile.open(path) as file:
            kinds = classify_signals(file.header)
            return Side(
                path=str(path),
                header=file.header,
                n_records=file.n_records,
                size=file.file_size,
                eeg=frozenset(index for index, kind in enumerate(kinds) if kind is SignalKind.EEG),
                samples={index: file.read_signal(index, 0, file.n_samples(index)) for index in range(len(kinds))},
                original_bytes=file.file_size,
            )
    from eegzip.reports import signal_reports

    with naming_memory(path), EegzReader(path, priors(model), key) as reader:
        reader.require_chunks(0, reader.header.n_records)
        header = stored_edf_header(reader.header)
        kinds = classify_signals(header)
        # What says to be an ECG or the like has its figures, but no part in those of EEG.
        signals = reader.header.signals
        lossy = {s for group in reader.header.groups for s in group.signals if signals[s].kind not in MEASURES}
        eeg = frozenset({*lossy, *(index for index, kind in enumerate(kinds) if kind is SignalKind.EEG)})
        summary = reader.summary
        return Side(
            path=str(path),
            header=header,
            n_records=reader.header.n_records,
            size=reader.size,
            eeg=eeg,
            samples=_restored(RecordingDecoder(reader, StoredNetwork(reader, model, device)), progress),
            original_bytes=summary.original_bytes if summary else None,
            coded_bytes=coded_bytes(reader, sorted(eeg)),
            signals=signal_reports(reader.header, summary) if summary else None,
            targets=reader.header.targets,
        )


def _restored(decoder: RecordingDecoder, progress: Progress) -> dict[int, np.ndarray]:
    header = decoder.reader.header
    samples = {
        index: np.empty((header.n_records, signal.samples_per_record), np.int32)
        for index, signal in enumerate(header.signals)
    }
    for first, stop, block in decoder.blocks(0, header.n_records):
        for index, values in block.items():
            samples[index][first:stop] = values
        progress("restoring", stop, header.n_records)
    return {index: values.reshape(-1) for index, values in samples.items()}


class Compared(Protocol):
    """What tells whether two recordings may be compared."""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def header(self) -> EdfHeader:
        """Its header as EDF or BDF."""

    @property
    def n_records(self) -> int:
        """How many data records it has."""


def refuse_other(first: Compared, second: Compared) -> None:
    """Refuse to compare recordings whose samples don't mean the same.

    Raises
    ------
    BadInputError
        Channels, rates, calibration or number of records differ.
    """
    signals = first.header.signals
    if len(second.header.signals) != len(signals):
        raise BadInputError(
            f"{second.path}: has {len(second.header.signals)} signals and {first.path} has {len(signals)}; compare a "
            "recording with its own original, and restore it as a whole."
        )
    for ours, theirs in zip(signals, second.header.signals, strict=True):
        same = ours.label == theirs.label and ours.samples_per_record == theirs.samples_per_record
        if not same or (ours.gain, ours.offset) != (theirs.gain, theirs.offset):
            raise BadInputError(
                f"{second.path}: signal {ours.index} ('{theirs.label}') differs from that of {first.path} "
                f"('{ours.label}') in label, rate or calibration; compare a recording with its own original."
            )
    if second.n_records != first.n_records:
        raise BadInputError(
            f"{second.path}: has {second.n_records} data records and {first.path} has {first.n_records}; "
            "compare whole recordings."
        )
