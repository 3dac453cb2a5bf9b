"""Description of files, ready for JSON: ``.eegz`` files, and recordings before they are compressed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, TypedDict

from eegzip.formats.edf import EdfFile, EdfHeader, judge_as_told, read_timeline
from eegzip.formats.eegz.embedded import embedded_names
from eegzip.formats.eegz.header import Coding, FileHeader
from eegzip.formats.eegz.layout import MAJOR_VERSION, MODEL
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.summary import FileSummary
from eegzip.formats.remote.spooled import Source, local_source, name_of
from eegzip.reports import signal_reports


class EdfSignalInfo(TypedDict):
    """One signal of an EDF or BDF recording.

    Attributes
    ----------
    label, unit : str
        As in the header.
    kind : str
        ``eeg``, ``ecg``, ``eog``, ``emg``, ``resp``, ``voltage`` (another), ``other`` or ``annotations``.
    why : str
        A few words on why; only what is EEG is coded lossily unless asked for.
    sample_rate : float or None
        Hz.
    samples_per_record : int
    physical_minimum, physical_maximum : float or None
    digital_minimum, digital_maximum : int or None
    """

    label: str
    unit: str
    kind: str
    why: str
    sample_rate: float | None
    samples_per_record: int
    physical_minimum: float | None
    physical_maximum: float | None
    digital_minimum: int | None
    digital_maximum: int | None


class RecordingInfo(TypedDict):
    """What there is to say of any recording.

    Attributes
    ----------
    path : str
    original_bytes : int or None
        Size of the EDF or BDF file; ``None`` where a damaged file no longer says.
    variant : str
        ``EDF``, ``EDF+C``, ``BDF``...
    patient, recording : str
        As in the header.
    start : str or None
        Date and time, ISO 8601.
    duration : float or None
        Seconds of recorded data, gaps not counted.
    n_records : int
    record_duration : float or None
        Seconds.
    trailing_bytes : int
        After the last complete record.
    deviations : list of str
        Where the recording strays from the letter of EDF.
    """

    path: str
    original_bytes: int | None
    variant: str
    patient: str
    recording: str
    start: str | None
    duration: float | None
    n_records: int
    record_duration: float | None
    trailing_bytes: int
    deviations: list[str]


class EdfInfo(RecordingInfo):
    """An EDF or BDF recording.

    Attributes
    ----------
    signals : list of EdfSignalInfo
    """

    signals: list[EdfSignalInfo]


class EegzInfo(RecordingInfo):
    """An ``.eegz`` file.

    Attributes
    ----------
    format, software : str
        Version of the format, and what wrote the file.
    sealed : str or None
        ``identity`` or ``all``, where that is sealed.
    locked : bool
        Whether the identity is sealed and there was no key: what is said is of nobody.
    complete : bool
        Whether the file has its end.
    problems : list of str
        What was wrong with it when it was opened.
    compressed_bytes : int
    ratio : float or None
        Original bytes over compressed bytes.
    source_sha256 : str
        Digest of the original.
    chunk_records, chunks : int
        Data records of a chunk, and chunks.
    codecs : list of dict
        The networks: fields of :class:`~eegzip.formats.eegz.header.CodecEntry`, the rate in Hz.
    groups : list of dict
        The token streams: fields of :class:`~eegzip.formats.eegz.header.GroupEntry` that are set.
    mixtures : list of dict
        Groups that are components of one rotation: ``groups``, ``signals``, ``gains``, ``matrix_bytes``.
    joint : list of dict
        Signals that a joint decoder restores together: ``signals``, whose tokens it takes, and ``refined``, those that
        it serves.
    signals : list of dict
        Fields of :class:`~eegzip.formats.eegz.header.SignalEntry`, of which the kind is closer where a label says
        more; ``model`` and ``model_rate``, the name of the model that gave tokens and the rate in Hz at which it saw
        them, ``None`` where it gave none; and fields of :class:`~eegzip.reports.SignalReport` where the file says what
        was lost.
    level : int or None
        Of lossless compression, where it is not the ordinary one.
    targets : dict or None
        What was promised: fields of :class:`~eegzip.formats.eegz.header.Targets`.
    lines : list of dict
        Mains and other lines that are kept beside channels: ``lowest_hz`` and ``highest_hz``, between which the
        frequency lies; ``rms``, the size of the line in each channel that has it, in uV (in digital units where the
        channel's unit is not a voltage).
    line_bits_per_second : float or None
        What all lines cost a channel that has any.
    embedded_model : dict or None
        The model that the file carries: its ``files``, by name, and their stored ``bytes`` together.
    """

    format: str
    software: str
    sealed: str | None
    locked: bool
    complete: bool
    problems: list[str]
    compressed_bytes: int
    ratio: float | None
    source_sha256: str
    chunk_records: int
    chunks: int
    codecs: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    mixtures: list[dict[str, Any]]
    joint: list[dict[str, Any]]
    signals: list[dict[str, Any]]
    level: int | None
    targets: dict[str, Any] | None
    lines: list[dict[str, Any]]
    line_bits_per_second: float | None
    embedded_model: dict[str, Any] | None


def without_patient(content: EdfInfo | EegzInfo) -> dict[str, Any]:
    """What a file says of itself without the fields that tell whose it is and of when: these are ``None``."""
    return {**content, "patient": None, "recording": None, "start": None}


def edf_info(path: Source) -> EdfInfo:
    """Read what an EDF or BDF recording says of itself, and how eegzip takes its signals.

    Raises
    ------
    EdfError
        It can't be read.
    """
    with local_source(path) as place, EdfFile.open(place) as file:
        header = file.header
        return EdfInfo(
            path=name_of(path),
            original_bytes=file.file_size,
            variant=header.variant,
            patient=header.patient,
            recording=header.recording,
            start=header.start.isoformat() if header.start else None,
            duration=file.n_records * header.record_duration if header.record_duration else None,
            n_records=file.n_records,
            record_duration=header.record_duration,
            trailing_bytes=file.trailing_size,
            deviations=[str(deviation) for deviation in (*file.deviations, *read_timeline(file).deviations)],
            signals=[
                EdfSignalInfo(
                    label=signal.label,
                    unit=signal.unit,
                    kind=verdict.kind.value,
                    why=verdict.why,
                    sample_rate=header.sample_rate(signal.index) or None,
                    samples_per_record=signal.samples_per_record,
                    physical_minimum=signal.physical_minimum,
                    physical_maximum=signal.physical_maximum,
                    digital_minimum=signal.digital_minimum,
                    digital_maximum=signal.digital_maximum,
                )
                for signal, verdict in zip(header.signals, judge_as_told(header), strict=True)
            ],
        )


def eegz_info(reader: EegzReader, edf: EdfHeader) -> EegzInfo:
    """Collect what an open ``.eegz`` file says of itself; `edf` is the header of the recording that it carries."""
    header, summary = reader.header, reader.summary
    signals = _signals(header, edf)
    if summary:
        for entry, report in zip(signals, signal_reports(header, summary), strict=True):
            entry.update({key: value for key, value in asdict(report).items() if key not in entry})
    return EegzInfo(
        path=str(reader.path),
        format=f"eegz {MAJOR_VERSION}.{reader.minor_version}",
        software=header.software,
        sealed=reader.sealed,
        locked=reader.locked,
        complete=reader.complete,
        problems=list(reader.problems),
        compressed_bytes=reader.size,
        original_bytes=summary.original_bytes if summary else None,
        ratio=summary.original_bytes / reader.size if summary else None,
        source_sha256=header.source_sha256,
        variant=edf.variant,
        patient=edf.patient,
        recording=edf.recording,
        start=edf.start.isoformat() if edf.start else None,
        duration=header.n_records * header.record_duration if header.record_duration else None,
        n_records=header.n_records,
        record_duration=header.record_duration,
        trailing_bytes=header.trailing_bytes,
        deviations=list(header.deviations),
        chunk_records=header.chunk_records,
        chunks=len(reader.chunks),
        codecs=[
            {**asdict(codec), "rate": None if codec.rate is None else float(codec.rate)} for codec in header.codecs
        ],
        groups=[{key: value for key, value in asdict(group).items() if value is not None} for group in header.groups],
        mixtures=[
            {
                "groups": list(klt.groups),
                "signals": list(header.sharing(klt.groups[0])),
                "gains": list(klt.gains),
                "matrix_bytes": len(klt.matrix),
            }
            for klt in header.klts
        ],
        joint=[
            {
                "signals": [header.groups[group].signals[0] for group in groups],
                "refined": sorted(reader.refined.intersection(header.groups[group].signals[0] for group in groups)),
            }
            for groups in header.joint_sets()
        ],
        signals=signals,
        level=header.level,
        targets=None if header.targets is None else asdict(header.targets),
        lines=_lines(header, summary),
        line_bits_per_second=_line_bits(header, summary),
        embedded_model=_embedded(reader),
    )


def _signals(header: FileHeader, edf: EdfHeader) -> list[dict[str, Any]]:
    """What the header says of its signals, and what their labels say."""
    codecs = {signal: header.codecs[group.codec] for group in header.groups for signal in group.signals}
    found = []
    for index, (signal, verdict) in enumerate(zip(header.signals, judge_as_told(edf), strict=True)):
        # A file calls what it keeps exactly by what it is not.
        vague = signal.kind in ("voltage", "other") and signal.coding is Coding.EXACT
        fields = {**asdict(signal), "kind": verdict.kind.value if vague else signal.kind}
        codec, rate = codecs.get(index), signal.sample_rate
        if codec is not None and codec.rate is not None:
            rate = float(codec.rate)
        found.append({**fields, "model": codec and codec.model, "model_rate": codec and rate})
    return found


def _embedded(reader: EegzReader) -> dict[str, Any] | None:
    names = embedded_names(reader)
    size = sum(place.length for place in reader.blocks.places if place.type == MODEL)
    return {"files": names, "bytes": size} if names else None


def _lines(header: FileHeader, summary: FileSummary | None) -> list[dict[str, Any]]:
    """Lines as the summary tells of them."""
    return [
        {
            "lowest_hz": line.lowest_hz,
            "highest_hz": line.highest_hz,
            "rms": {
                header.signals[signal].label: size
                for signal, size in zip(header.line_sets[line.line_set].signals, line.rms, strict=False)
                if size
            },
        }
        for line in (summary.lines if summary else ())
        if line.line_set < len(header.line_sets)
    ]


def _line_bits(header: FileHeader, summary: FileSummary | None) -> float | None:
    seconds = header.n_records * (header.record_duration or 0.0)
    having = sum(len(entry.signals) for entry in header.line_sets)
    if summary is None or summary.line_bytes is None or not seconds or not having:
        return None
    return 8 * summary.line_bytes / seconds / having
