"""The HEAD block: everything that must be known before the first chunk is read (SPEC.md, section 4)."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from eegzip.formats.eegz import limits
from eegzip.formats.eegz.fields import Fields
from eegzip.formats.eegz.packing import pack_map, unpack_map
from eegzip.formats.eegz.timeline import FrameGrid
from eegzip.formats.eegz.tokens import bits_per_token
from eegzip.formats.errors import ContainerError

TOKENS, EXACT = "tokens", "exact"
ADAPTIVE, FIXED = "adaptive", "fixed"


@dataclass(frozen=True)
class SignalEntry:
    """One signal of the recording and how it is coded.

    Parameters
    ----------
    label, unit, kind : str
        As in the EDF header (label and unit stripped); kind is ``eeg``, ``voltage``, ``other`` or ``annotations``.
    physical_minimum, physical_maximum : float or None
        In `unit`; ``None`` where the EDF field can't be read.
    digital_minimum, digital_maximum : int or None
        The range that the EDF header declares.
    samples_per_record : int
    sample_rate : float or None
        Hz; ``None`` where data records have no duration.
    coding : str
        ``tokens`` (lossy, in a group) or ``exact``.
    reason : str
        Why, in words for a person.
    """

    label: str
    unit: str
    kind: str
    physical_minimum: float | None
    physical_maximum: float | None
    digital_minimum: int | None
    digital_maximum: int | None
    samples_per_record: int
    sample_rate: float | None
    coding: str
    reason: str


@dataclass(frozen=True)
class CodecEntry:
    """The network that some groups are coded with.

    Parameters
    ----------
    name : str
        Family, for instance ``dac-sc``.
    model : str
        Name of the checkpoint.
    digest : str
        SHA-256 of its configuration and weights, 64 hexadecimal digits.
    rate : Fraction or None
        Sample rate that the signals were resampled to, in Hz; ``None`` when each kept its own.
    hop : int
        Model samples a frame.
    codebooks, codebook_size : int
        Of the checkpoint; a group may use fewer codebooks.
    scaling : str
        ``adaptive`` (knots in every chunk) or ``fixed`` (a constant range, clipped).
    knot_spacing : int
        Model samples between knots; 0 for fixed scaling.
    """

    name: str
    model: str
    digest: str
    rate: Fraction | None
    hop: int
    codebooks: int
    codebook_size: int
    scaling: str
    knot_spacing: int


@dataclass(frozen=True)
class GroupEntry:
    """Signals that share one token stream.

    Parameters
    ----------
    signals : tuple of int
        Indices into the recording's signals, in the order that the codec sees them.
    codec : int
        Index into the header's codecs.
    codebooks : int
        Residual levels that are stored.
    up, down : int
        Resampling ratio from the signals' own rate to the model's, in lowest terms.
    centres, ranges : tuple of float
        One each a signal, in digital units. Adaptive scaling: ``centres`` are subtracted before anything else and
        ``ranges`` are the steps of the offset codes (powers of two). Fixed scaling: the value that becomes 0 and
        the distance from it that becomes 1.
    lowest, highest : tuple of int
        Range of each signal's digital values in the original; a decoder clips to it, which can only bring a
        sample nearer to the original.
    bits_per_second, bits_per_sample : float
        Nominal cost of one signal: bits of its share of the stream before zstd, a second and a sample of the
        original.
    """

    signals: tuple[int, ...]
    codec: int
    codebooks: int
    up: int
    down: int
    centres: tuple[float, ...]
    ranges: tuple[float, ...]
    lowest: tuple[int, ...]
    highest: tuple[int, ...]
    bits_per_second: float
    bits_per_sample: float


@dataclass(frozen=True)
class FileHeader:
    """Content of the HEAD block.

    Parameters
    ----------
    software : str
        Name and version of the writer.
    edf_header : bytes
        The recording's own header, verbatim.
    sample_bytes : int
        2 for EDF, 3 for BDF.
    record_duration : float or None
        Seconds.
    n_records : int
        Complete data records.
    trailing_bytes : int
        Bytes after the last complete record.
    source_sha256 : str
        Digest of the whole original file.
    deviations : tuple of str
        Where the original strays from the letter of EDF.
    chunk_records : int
        Data records a chunk; the last may hold fewer.
    signals, codecs, groups : tuple
        See the entries' own classes.
    """

    software: str
    edf_header: bytes
    sample_bytes: int
    record_duration: float | None
    n_records: int
    trailing_bytes: int
    source_sha256: str
    deviations: tuple[str, ...]
    chunk_records: int
    signals: tuple[SignalEntry, ...]
    codecs: tuple[CodecEntry, ...]
    groups: tuple[GroupEntry, ...]

    @property
    def n_chunks(self) -> int:
        """Chunks of a complete file."""
        return -(-self.n_records // self.chunk_records)

    @property
    def record_bytes(self) -> int:
        """Bytes of one data record of the original."""
        return self.sample_bytes * sum(signal.samples_per_record for signal in self.signals)

    def records_of_chunk(self, number: int) -> tuple[int, int]:
        """First record of a chunk and one past its last."""
        first = number * self.chunk_records
        return first, min(first + self.chunk_records, self.n_records)

    def grid(self, group: int) -> FrameGrid:
        """Where the frames of a group lie."""
        entry = self.groups[group]
        samples = self.signals[entry.signals[0]].samples_per_record
        return FrameGrid(samples, self.n_records, entry.up, entry.down, self.codecs[entry.codec].hop)

    def chunk_of_frame(self, group: int, frame: int) -> int:
        """Number of the chunk that owns a frame of a group."""
        return min(self.grid(group).record_of_frame(frame), self.n_records - 1) // self.chunk_records

    def exact_signals(self) -> list[int]:
        """Indices of the signals kept exactly, those without samples left out."""
        return [
            index for index, signal in enumerate(self.signals) if signal.coding == EXACT and signal.samples_per_record
        ]

    def pack(self) -> bytes:
        """Serialise to the payload of the HEAD block."""
        content: dict[str, Any] = asdict(self)
        for codec in content["codecs"]:
            rate = codec["rate"]
            codec["rate"] = None if rate is None else [rate.numerator, rate.denominator]
        return pack_map(content)


def nominal_bits(codec: CodecEntry, codebooks: int, n_signals: int, ratio: Fraction) -> float:
    """Bits per original sample and signal that the tokens of a group take before zstd.

    Parameters
    ----------
    codec : CodecEntry
    codebooks : int
        Levels stored.
    n_signals : int
        Signals in the group.
    ratio : Fraction
        Model samples per original sample.
    """
    per_frame = codebooks * bits_per_token(codec.codebook_size)
    return float(Fraction(per_frame, codec.hop * n_signals) * ratio)


def unpack_header(payload: bytes) -> FileHeader:
    """Read and check the payload of a HEAD block.

    Raises
    ------
    ContainerError
        A field is missing, of the wrong type, out of range, or contradicts another.
    """
    fields = Fields(unpack_map(payload, "the header"), "header")
    signals = tuple(_signal(item) for item in fields.maps("signals", limits.MAX_SIGNALS))
    codecs = tuple(_codec(item) for item in fields.maps("codecs", limits.MAX_SIGNALS))
    header = FileHeader(
        software=fields.text("software"),
        edf_header=fields.binary("edf_header"),
        sample_bytes=fields.integer("sample_bytes", 2, 3),
        record_duration=fields.optional_number("record_duration"),
        n_records=fields.integer("n_records", 0, limits.MAX_RECORDS),
        trailing_bytes=fields.integer("trailing_bytes", 0, 1 << 62),
        source_sha256=_digest(fields, "source_sha256"),
        deviations=fields.texts("deviations", 1 << 20),
        chunk_records=fields.integer("chunk_records", 1, limits.MAX_RECORDS),
        signals=signals,
        codecs=codecs,
        groups=tuple(_group(item) for item in fields.maps("groups", limits.MAX_SIGNALS)),
    )
    _check(header)
    return header


def _signal(fields: Fields) -> SignalEntry:
    coding = fields.text("coding")
    if coding not in (TOKENS, EXACT):
        raise ContainerError(f"the header codes a signal as '{coding}', which this version does not know.")
    return SignalEntry(
        label=fields.text("label"),
        unit=fields.text("unit"),
        kind=fields.text("kind"),
        physical_minimum=fields.optional_number("physical_minimum"),
        physical_maximum=fields.optional_number("physical_maximum"),
        digital_minimum=fields.optional_integer("digital_minimum", -(1 << 31), 1 << 31),
        digital_maximum=fields.optional_integer("digital_maximum", -(1 << 31), 1 << 31),
        samples_per_record=fields.integer("samples_per_record", 0, limits.MAX_RECORD_BYTES),
        sample_rate=fields.optional_number("sample_rate"),
        coding=coding,
        reason=fields.text("reason"),
    )


def _codec(fields: Fields) -> CodecEntry:
    scaling = fields.text("scaling")
    if scaling not in (ADAPTIVE, FIXED):
        raise ContainerError(f"the header names the scaling '{scaling}', which this version does not know.")
    return CodecEntry(
        name=fields.text("name"),
        model=fields.text("model"),
        digest=_digest(fields, "digest"),
        rate=fields.optional_fraction("rate", limits.MAX_RATIO),
        hop=fields.integer("hop", 1, limits.MAX_HOP),
        codebooks=fields.integer("codebooks", 1, limits.MAX_CODEBOOKS),
        codebook_size=fields.integer("codebook_size", 2, limits.MAX_CODEBOOK_SIZE),
        scaling=scaling,
        knot_spacing=fields.integer("knot_spacing", *((1, limits.MAX_HOP) if scaling == ADAPTIVE else (0, 0))),
    )


def _digest(fields: Fields, key: str) -> str:
    value = fields.text(key)
    if not re.fullmatch("[0-9a-f]{64}", value):
        raise ContainerError(f"the header's field '{key}' is not a SHA-256 of 64 hexadecimal digits.")
    return value


def _group(fields: Fields) -> GroupEntry:
    return GroupEntry(
        signals=fields.integers("signals", limits.MAX_SIGNALS, 0, limits.MAX_SIGNALS),
        codec=fields.integer("codec", 0, limits.MAX_SIGNALS),
        codebooks=fields.integer("codebooks", 1, limits.MAX_CODEBOOKS),
        up=fields.integer("up", 1, limits.MAX_RATIO),
        down=fields.integer("down", 1, limits.MAX_RATIO),
        centres=fields.numbers("centres", limits.MAX_SIGNALS),
        ranges=fields.numbers("ranges", limits.MAX_SIGNALS),
        lowest=fields.integers("lowest", limits.MAX_SIGNALS, -(1 << 23), 1 << 23),
        highest=fields.integers("highest", limits.MAX_SIGNALS, -(1 << 23), 1 << 23),
        bits_per_second=fields.number("bits_per_second"),
        bits_per_sample=fields.number("bits_per_sample"),
    )


def _check(header: FileHeader) -> None:
    """Refuse a header whose parts contradict one another or ask for more than the limits."""
    if header.record_bytes > limits.MAX_RECORD_BYTES:
        raise ContainerError(f"the header declares data records of {header.record_bytes} bytes, more than can be.")
    if header.n_records and header.record_bytes * min(header.chunk_records, header.n_records) > limits.MAX_RECORD_BYTES:
        raise ContainerError("the header declares chunks larger than can be.")
    if header.record_duration is not None and header.record_duration < 0:
        raise ContainerError(f"the header declares data records of {header.record_duration:g} seconds.")
    grouped: set[int] = set()
    knots = 0
    for number, group in enumerate(header.groups):
        if group.codec >= len(header.codecs) or not group.signals or max(group.signals) >= len(header.signals):
            raise ContainerError(f"group {number} of the header names a codec or signal that is not there.")
        if group.codebooks > header.codecs[group.codec].codebooks:
            raise ContainerError(f"group {number} of the header uses more codebooks than its codec has.")
        per_signal = (group.centres, group.ranges, group.lowest, group.highest)
        if any(len(values) != len(group.signals) for values in per_signal) or min(group.ranges) <= 0:
            raise ContainerError(f"group {number} of the header has no valid centre and range for each signal.")
        limit = 1 << (8 * header.sample_bytes - 1)
        for low, high in zip(group.lowest, group.highest, strict=True):
            if not -limit <= low <= high < limit:
                raise ContainerError(f"group {number} of the header has a range that its samples can't take.")
        members = [header.signals[index] for index in group.signals]
        if any(m.coding != TOKENS or m.samples_per_record != members[0].samples_per_record for m in members):
            raise ContainerError(f"group {number} of the header holds signals that can't share a stream.")
        repeated = len(set(group.signals)) < len(group.signals) or grouped.intersection(group.signals)
        if members[0].samples_per_record == 0 or repeated:
            raise ContainerError(f"group {number} of the header holds an empty signal, or one that is grouped already.")
        grouped.update(group.signals)
        grid, codec = header.grid(number), header.codecs[group.codec]
        first, stop = grid.frames_of_records(0, min(header.chunk_records, header.n_records))
        if (stop - first) * group.codebooks > limits.MAX_TOKENS:
            raise ContainerError(f"group {number} of the header declares more tokens a chunk than can be.")
        if codec.scaling == ADAPTIVE:
            begin, end = grid.knots_of_frames(first, stop, codec.knot_spacing)
            knots += (end - begin) * len(group.signals)
    if knots > limits.MAX_KNOTS:
        raise ContainerError("the header declares more scaling knots a chunk than can be.")
    if grouped != {index for index, signal in enumerate(header.signals) if signal.coding == TOKENS}:
        raise ContainerError("the header codes a signal with tokens but puts it in no group.")
