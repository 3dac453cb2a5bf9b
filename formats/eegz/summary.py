"""The SUMM block: what was lost, measured while writing (SPEC.md, section 7)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from eegzip.formats.eegz.fields import Fields
from eegzip.formats.limits import MAX_LINES, MAX_SIGNALS
from eegzip.formats.packing import pack_map, unpack_map

_ABSENT_FIELDS = frozenset({"worst_chunk_prd", "chunks", "layer_bytes", "line_bytes", "eeg_prd", "worst_chunk_eeg_prd"})
_WAYS = 64


def figure(value: float | None) -> float | None:
    """Return a measured figure as a file states it, to nine significant digits: what follows is the processor's."""
    return None if value is None else float(f"{value:.9g}")


@dataclass(frozen=True)
class SignalSummary:
    """Cost and fidelity of one signal.

    Parameters
    ----------
    stored_bytes : int
        Bytes of its streams in all chunks; a group's tokens are shared out evenly.
    prd : float or None
        Percentage root-mean-square difference, means removed: 100 * sqrt(sum(e**2) / sum((x - mean(x))**2)).
        0 for exact signals; ``None`` where the original is constant.
    snr : float or None
        dB; ``None`` where there is no error or no signal.
    r : float or None
        Pearson correlation; ``None`` where either is constant.
    largest_error_uv : float or None
        Largest absolute error in uV; ``None`` where the unit is not a voltage.
    largest_error_digits : int
        The same in digital units.
    worst_chunk_prd : float or None
        The largest `prd` of a single chunk, its own mean removed; ``None`` where every chunk is constant, and for
        signals not coded in layers.
    chunks : dict of str to int or None
        How many chunks store the signal in which way; ``None`` for signals not coded in layers.
    eeg_prd, worst_chunk_eeg_prd : float or None
        As `prd` and `worst_chunk_prd`, of the EEG part (SPEC.md, section 7.1) of all chunks and of the worst; in files
        with bounds on it and for signals coded in layers.
    """

    stored_bytes: int
    prd: float | None
    snr: float | None
    r: float | None
    largest_error_uv: float | None
    largest_error_digits: int
    worst_chunk_prd: float | None = None
    chunks: dict[str, int] | None = None
    eeg_prd: float | None = None
    worst_chunk_eeg_prd: float | None = None


@dataclass(frozen=True)
class LineSummary:
    """What one line is like, for people.

    Parameters
    ----------
    line_set : int
        Number of its line set in the header.
    lowest_hz, highest_hz : float or None
        Between which its frequency lies where it is there; ``None`` where data records have no duration.
    rms : tuple of float
        Root of the mean square of what it adds to each signal of the set over the whole recording, in uV where the
        signal's unit is a voltage, else in digital units.
    """

    line_set: int
    lowest_hz: float | None
    highest_hz: float | None
    rms: tuple[float, ...]


@dataclass(frozen=True)
class FileSummary:
    """Content of the SUMM block.

    Parameters
    ----------
    original_bytes : int
        Size of the file that was compressed.
    token_bytes, exact_bytes, knot_bytes : int
        Payloads of all chunks, by kind.
    signals : tuple of SignalSummary
        In the order of the recording's signals.
    layer_bytes : int or None
        Payloads of layers and residuals; ``None`` where the file has no layer sets.
    refined : tuple of int or None
        Signals that the joint decoder restores, ascending; ``None`` where no codec has one.
    line_bytes : int or None
        Payloads of lines; ``None`` where the file has no line sets.
    lines : tuple of LineSummary
        Of all line sets, in their order.
    """

    original_bytes: int
    token_bytes: int
    exact_bytes: int
    knot_bytes: int
    signals: tuple[SignalSummary, ...]
    layer_bytes: int | None = None
    refined: tuple[int, ...] | None = None
    line_bytes: int | None = None
    lines: tuple[LineSummary, ...] = ()

    def pack(self, small: bool = False, *, eeg: bool = True) -> bytes:
        """Serialise to the payload of the SUMM block, of a small file or not, with figures of the EEG part or not."""
        content: dict[str, Any] = asdict(self)
        if not eeg:
            # A file without bounds on it is of a version that did not know it.
            for entry in content["signals"]:
                entry.update(eeg_prd=None, worst_chunk_eeg_prd=None)
        # What files without layers have no use for is absent, as in files of version 1.0.
        for entry in (content, *content["signals"]):
            for key in _ABSENT_FIELDS.intersection(entry):
                if entry[key] is None:
                    del entry[key]
        if self.refined is None:
            del content["refined"]
        else:
            content["refined"] = _as_bits(self.refined, len(self.signals))
        if not self.lines:
            del content["lines"]
        return pack_map(content, small)


def _as_bits(signals: tuple[int, ...], count: int) -> bytes:
    bits = bytearray(-(-count // 8))
    for signal in signals:
        bits[signal // 8] |= 1 << signal % 8
    return bytes(bits)


def _refined(fields: Fields) -> tuple[int, ...] | None:
    if not fields.has("refined"):
        return None
    bits = fields.binary("refined")
    return tuple(signal for signal in range(8 * len(bits)) if bits[signal // 8] >> signal % 8 & 1)


def unpack_summary(payload: bytes) -> FileSummary:
    """Read and check the payload of a SUMM block.

    Raises
    ------
    ContainerError
        A field is missing, of the wrong type or out of range.
    """
    fields = Fields(unpack_map(payload, "the summary"), "summary")
    return FileSummary(
        original_bytes=fields.integer("original_bytes", 0, 1 << 62),
        token_bytes=fields.integer("token_bytes", 0, 1 << 62),
        exact_bytes=fields.integer("exact_bytes", 0, 1 << 62),
        knot_bytes=fields.integer("knot_bytes", 0, 1 << 62),
        signals=tuple(
            SignalSummary(
                stored_bytes=item.integer("stored_bytes", 0, 1 << 62),
                prd=item.optional_number("prd"),
                snr=item.optional_number("snr"),
                r=item.optional_number("r"),
                largest_error_uv=item.optional_number("largest_error_uv"),
                largest_error_digits=item.integer("largest_error_digits", 0, 1 << 32),
                worst_chunk_prd=item.optional_number("worst_chunk_prd"),
                chunks=item.optional_counts("chunks", _WAYS, 1 << 62),
                eeg_prd=item.optional_number("eeg_prd"),
                worst_chunk_eeg_prd=item.optional_number("worst_chunk_eeg_prd"),
            )
            for item in fields.maps("signals", MAX_SIGNALS)
        ),
        layer_bytes=fields.optional_integer("layer_bytes", 0, 1 << 62),
        refined=_refined(fields),
        line_bytes=fields.optional_integer("line_bytes", 0, 1 << 62),
        lines=tuple(
            LineSummary(
                line_set=item.integer("line_set", 0, MAX_SIGNALS),
                lowest_hz=item.optional_number("lowest_hz"),
                highest_hz=item.optional_number("highest_hz"),
                rms=item.numbers("rms", MAX_SIGNALS),
            )
            for item in fields.optional_maps("lines", MAX_SIGNALS * MAX_LINES)
        ),
    )
