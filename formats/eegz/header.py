"""The HEAD block: everything that must be known before the first chunk is read (SPEC.md, section 4)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

from eegzip.formats.eegz.klt import KLT
from eegzip.formats.eegz.lines import LineSet
from eegzip.formats.eegz.timeline import FrameGrid
from eegzip.formats.limits import MAX_JOINT_GROUPS, MAX_JOINT_SAMPLES, SMALL_FILE_BYTES
from eegzip.formats.packing import pack_map
from eegzip.formats.tokens.packed import bits_per_token

CAUSAL = "biocodec"
"""Name of the codec whose frames depend on no later ones; files of it are at least of minor version 6."""
MULTICHANNEL = "dac-mc"
"""Name of the codec whose groups have styles; files of it are at least of minor version 1."""

MEASURES = frozenset({"ecg", "eog", "emg", "resp"})
"""Kinds of signals by what they measure; files that name one are at least of minor version 7."""

BREATHING = "resp"
"""Kind of the signals that lie below 0.5 Hz, whose bounds hold for the whole alone."""

ORDINARY_LEVEL = 6
"""Of lossless compression; its files say nothing of a level."""

ANNOTATIONS = "annotations"
"""Kind of the signals that hold text, and are never predicted."""

EEG_PART = "eeg-1"
"""Bounds in percent hold for the EEG part (SPEC.md, section 7.1), too; files that say so are of minor version 5."""


class Reason(str, Enum):
    """Why a signal is coded as it is, where something follows from that; the values are those in files."""

    AS_ASKED = "kept exactly as asked"

    __str__ = str.__str__


class Coding(str, Enum):
    """How a signal is coded; the values are those in files."""

    TOKENS = "tokens"
    EXACT = "exact"
    LAYERS = "layers"

    __str__ = str.__str__


class ScalingKind(str, Enum):
    """How a group is brought to its model's level; the values are those in files."""

    ADAPTIVE = "adaptive"
    FIXED = "fixed"

    __str__ = str.__str__


@dataclass(frozen=True)
class SignalEntry:
    """One signal of the recording and how it is coded.

    Parameters
    ----------
    label, unit, kind : str
        As in the EDF header (label and unit stripped); kind is ``eeg``, ``voltage``, ``other``,
        ``annotations`` or one of :data:`MEASURES`.
    physical_minimum, physical_maximum : float or None
        In `unit`; ``None`` where the EDF field can't be read.
    digital_minimum, digital_maximum : int or None
        The range that the EDF header declares.
    samples_per_record : int
    sample_rate : float or None
        Hz; ``None`` where data records have no duration.
    coding : Coding
        ``TOKENS`` (lossy, in a group), ``LAYERS`` (lossy, in a layer set and perhaps a group) or ``EXACT``.
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
    coding: Coding
    reason: str

    @property
    def why(self) -> Reason | None:
        """The reason, where it is one that something follows from."""
        return next((reason for reason in Reason if reason.value == self.reason), None)


@dataclass(frozen=True)
class CodecEntry:
    """The network that some groups are coded with.

    Parameters
    ----------
    name : str
        Family: ``dac-sc`` (each signal alone), ``dac-mc`` (groups) or ``biocodec`` (each alone, causally).
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
    scaling : ScalingKind
        ``ADAPTIVE`` (knots in every chunk) or ``FIXED`` (a constant range, clipped).
    knot_spacing : int
        Model samples between knots; 0 for fixed scaling.
    prior : str or None
        SHA-256 of the checkpoint's ``prior.safetensors``, with which tokens may be coded in context; ``None`` where it
        has none.
    joint : bool
        Whether the checkpoint has a decoder that sees all channels, which the summary's `refined` signals take.
    highpass : float or None
        Corner in Hz of the high-pass filter before a fixed scaling: what lies below was taken away; ``None`` where
        there was none.
    """

    name: str
    model: str
    digest: str
    rate: Fraction | None
    hop: int
    codebooks: int
    codebook_size: int
    scaling: ScalingKind
    knot_spacing: int
    prior: str | None = None
    joint: bool = False
    highpass: float | None = None


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
    styles : tuple of int or None
        With the codec ``dac-mc``, one each a signal: the number of its name in the checkpoint's vocabulary, from 1, or
        0 for a name that is not there, which only a signal alone in its group may have. ``None`` with other codecs.
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
    styles: tuple[int, ...] | None = None


@dataclass(frozen=True)
class LayerSet:
    """Signals whose layers are coded together.

    Parameters
    ----------
    signals : tuple of int
        Indices into the recording's signals; all of one sample rate.
    lowest, highest : tuple of int
        Range of each signal's digital values in the original, to which a decoder clips.
    """

    signals: tuple[int, ...]
    lowest: tuple[int, ...]
    highest: tuple[int, ...]


@dataclass(frozen=True)
class Targets:
    """What a writer promised of every signal coded in layers, in every chunk; ``None`` where nothing was.

    Parameters
    ----------
    max_prd : float or None
        Percent, the mean of the chunk removed.
    min_snr : float or None
        dB, likewise.
    max_error_uv : float or None
        Of every sample, in uV.
    measure : str or None
        What `max_prd` and `min_snr` hold for besides the whole: :data:`EEG_PART`; ``None`` in older files and where
        neither is set.
    """

    max_prd: float | None = None
    min_snr: float | None = None
    max_error_uv: float | None = None
    measure: str | None = None

    def prd_bound(self) -> float | None:
        """Error in percent allowed at most, in the mean over a chunk; ``None`` where there is no such bound."""
        bounds = [] if self.max_prd is None else [self.max_prd]
        if self.min_snr is not None:
            bounds.append(100 * 10 ** (-self.min_snr / 20))
        return min(bounds, default=None)


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
    signals, codecs, groups, layer_sets : tuple
        See the entries' own classes.
    targets : Targets or None
        ``None`` without layer sets.
    predicted : bool
        Whether exact signals may be predicted from each other, which readers of version 1.1 can't undo.
    klts : tuple of KLT
        Groups that are coded as components.
    line_sets : tuple of LineSet
        Signals whose lines are kept beside them.
    level : int or None
        How hard the writer tried to make exact signals small, 1 to 9; ``None`` at the ordinary level. Below it signals
        may be predicted by blocks, which readers of version 1.6 can't undo.
    sealed : bool
        Whether this is of the recording without what tells whose it is, which is sealed beside it.
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
    layer_sets: tuple[LayerSet, ...] = ()
    targets: Targets | None = None
    predicted: bool = False
    klts: tuple[KLT, ...] = ()
    line_sets: tuple[LineSet, ...] = ()
    level: int | None = None
    sealed: bool = False

    @property
    def n_chunks(self) -> int:
        """Chunks of a complete file."""
        return -(-self.n_records // self.chunk_records)

    @property
    def record_bytes(self) -> int:
        """Bytes of one data record of the original."""
        return self.sample_bytes * sum(signal.samples_per_record for signal in self.signals)

    @property
    def small(self) -> bool:
        """Whether the original is so small that what describes it could outweigh what is saved.

        The maps of such a file are compressed with a dictionary.
        """
        original = len(self.edf_header) + self.n_records * self.record_bytes + self.trailing_bytes
        return original <= SMALL_FILE_BYTES

    @property
    def all_exact(self) -> bool:
        """Whether every signal is kept exactly."""
        return all(signal.coding is Coding.EXACT for signal in self.signals)

    @property
    def bounds_eeg_part(self) -> bool:
        """Whether what was promised in percent holds for the EEG part, too."""
        return self.targets is not None and self.targets.measure is not None

    @property
    def minor_version(self) -> int:
        """The lowest minor version of the format that describes this content.

        7 with signals of :data:`MEASURES`, a level below the ordinary one or sealed parts; else 6 with ``biocodec``;
        else 5 with lines, bounds on the EEG part, a joint decoder or a high-pass; else 4 where the file is
        :attr:`small`; else 3 with KLTs, or with layers, which are no longer those of 1.2; else 2 with a prior or where
        exact signals may be predicted; else 1 with ``dac-mc``; else 0.
        """
        fast = self.level is not None and self.level < ORDINARY_LEVEL
        if self.sealed or fast or any(signal.kind in MEASURES for signal in self.signals):
            return 7
        if any(codec.name == CAUSAL for codec in self.codecs):
            return 6
        if self.line_sets or self.bounds_eeg_part or any(c.joint or c.highpass is not None for c in self.codecs):
            return 5
        if self.small:
            return 4
        if self.klts or self.layer_sets:
            return 3
        if self.predicted or any(codec.prior is not None for codec in self.codecs):
            return 2
        return int(any(codec.name == MULTICHANNEL for codec in self.codecs))

    def records_of_chunk(self, number: int) -> tuple[int, int]:
        """First record of a chunk and one past its last."""
        first = number * self.chunk_records
        return first, min(first + self.chunk_records, self.n_records)

    def grid(self, group: int) -> FrameGrid:
        """Where the frames of a group lie."""
        entry = self.groups[group]
        samples = self.signals[entry.signals[0]].samples_per_record
        return FrameGrid(samples, self.n_records, entry.up, entry.down, self.codecs[entry.codec].hop)

    def klt_of(self, group: int) -> KLT | None:
        """The KLT that a group belongs to, or ``None``."""
        return next((klt for klt in self.klts if group in klt.groups), None)

    def joint_sets(self) -> list[tuple[int, ...]]:
        """Groups that a joint decoder restores together: those of one codec, grid and depth, in runs.

        A run has at most 64 groups, and fewer where a minute of them would have more than 2^23 samples.
        """
        alike: dict[tuple[int, FrameGrid, int], list[int]] = {}
        for number, group in enumerate(self.groups):
            if self.codecs[group.codec].joint:
                alike.setdefault((group.codec, self.grid(number), group.codebooks), []).append(number)
        sets = []
        for groups in alike.values():
            rate = self.signals[self.groups[groups[0]].signals[0]].sample_rate or 1.0
            most = max(1, min(MAX_JOINT_GROUPS, int(MAX_JOINT_SAMPLES / (60.0 * rate))))
            sets += [tuple(groups[first : first + most]) for first in range(0, len(groups), most)]
        return sets

    def sharing(self, group: int) -> tuple[int, ...]:
        """Signals that a group's tokens are of: its own, or all of its KLT's, in their order there."""
        klt = self.klt_of(group)
        numbers = (group,) if klt is None else klt.groups
        return tuple(signal for number in numbers for signal in self.groups[number].signals)

    def bounds_eeg_part_of(self, signal: int) -> bool:
        """Whether what was promised of a signal in percent holds for its EEG part, too."""
        return self.bounds_eeg_part and self.signals[signal].kind != BREATHING

    def chunk_of_frame(self, group: int, frame: int) -> int:
        """Number of the chunk that owns a frame of a group."""
        return min(self.grid(group).record_of_frame(frame), self.n_records - 1) // self.chunk_records

    def exact_signals(self) -> list[int]:
        """Indices of the signals kept exactly, those without samples left out."""
        return [
            index
            for index, signal in enumerate(self.signals)
            if signal.coding is Coding.EXACT and signal.samples_per_record
        ]

    def pack(self) -> bytes:
        """Serialise to the payload of the HEAD block."""
        content: dict[str, Any] = asdict(self)
        for signal in content["signals"]:
            signal["coding"] = signal["coding"].value
        for codec in content["codecs"]:
            codec["scaling"] = codec["scaling"].value
            rate = codec["rate"]
            codec["rate"] = None if rate is None else [rate.numerator, rate.denominator]
            if codec["prior"] is None:
                # Not nil but absent, as in files of versions 1.0 and 1.1.
                del codec["prior"]
            if not codec["joint"]:
                del codec["joint"]
            if codec["highpass"] is None:
                del codec["highpass"]
        for group in content["groups"]:
            if group["styles"] is None:
                # Not nil but absent, as in files of version 1.0.
                del group["styles"]
        if not self.layer_sets:
            del content["layer_sets"], content["targets"]
        elif content["targets"] and content["targets"]["measure"] is None:
            # Not nil but absent, as in files of versions 1.2 to 1.4.
            del content["targets"]["measure"]
        for name in ("predicted", "sealed"):
            if not content[name]:
                del content[name]
        # The field's name in files of version 1.3 on.
        mixtures = content.pop("klts")
        if mixtures:
            content["mixtures"] = mixtures
        if not self.line_sets:
            del content["line_sets"]
        if self.level is None:
            del content["level"]
        return pack_map(content, self.small)


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
