"""A second, independent reading of EDF and BDF bytes: fixed places in the header, plain slices, no eegzip.

It only knows files whose header is to the letter, which all recordings of the tests are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class PlainEdf:
    raw: bytes

    @classmethod
    def read(cls, path: Path) -> PlainEdf:
        return cls(path.read_bytes())

    def column(self, before: int, width: int) -> list[str]:
        """One field of all signals; `before` bytes a signal lie between the fixed part and it."""
        start = 256 + before * self.n_signals
        ends = range(start, start + width * self.n_signals, width)
        return [self.raw[at : at + width].decode("latin-1").strip(" \0") for at in ends]

    @property
    def n_signals(self) -> int:
        return int(self.raw[252:256])

    @property
    def header_bytes(self) -> int:
        return 256 * (self.n_signals + 1)

    @property
    def sample_bytes(self) -> int:
        return 3 if self.raw[0] == 0xFF else 2

    @property
    def seconds_per_record(self) -> float:
        return float(self.raw[244:252])

    @property
    def declared_records(self) -> int:
        return int(self.raw[236:244])

    @property
    def labels(self) -> list[str]:
        return self.column(0, 16)

    @property
    def units(self) -> list[str]:
        return self.column(96, 8)

    @property
    def samples(self) -> list[int]:
        return [int(text) for text in self.column(216, 8)]

    @property
    def record_bytes(self) -> int:
        return self.sample_bytes * sum(self.samples)

    @property
    def complete_records(self) -> int:
        """As many as there is room for, whatever the header says."""
        return (len(self.raw) - self.header_bytes) // self.record_bytes

    @property
    def records(self) -> np.ndarray:
        stop = self.header_bytes + self.complete_records * self.record_bytes
        return np.frombuffer(self.raw[self.header_bytes : stop], np.uint8).reshape(-1, self.record_bytes)

    def columns(self, index: int) -> slice:
        """Bytes of a signal within a record."""
        start = self.sample_bytes * sum(self.samples[:index])
        return slice(start, start + self.sample_bytes * self.samples[index])

    def digital(self, index: int) -> np.ndarray:
        """All samples of a signal."""
        raw = np.ascontiguousarray(self.records[:, self.columns(index)]).reshape(-1, self.sample_bytes).astype(np.int64)
        values = sum(raw[:, k] << (8 * k) for k in range(self.sample_bytes))
        limit = 1 << (8 * self.sample_bytes - 1)
        return (values ^ limit) - limit

    def without(self, lossy: list[int]) -> bytes:
        """The whole file with the samples of some signals blanked."""
        records = self.records.copy()
        for index in lossy:
            records[:, self.columns(index)] = 0
        end = self.header_bytes + records.size
        return self.raw[: self.header_bytes] + records.tobytes() + self.raw[end:]


def beginning(source: Path, target: Path, seconds: float) -> Path:
    """Write the first data records of a recording, byte for byte; only their number in the header is another."""
    plain = PlainEdf.read(source)
    count = min(math.ceil(seconds / plain.seconds_per_record), plain.complete_records)
    raw = plain.raw[: plain.header_bytes + count * plain.record_bytes]
    target.write_bytes(raw[:236] + f"{count:<8}".encode() + raw[244:])
    return target


def header(
    signals: list[dict[str, object]],
    n_records: int,
    *,
    bdf: bool = False,
    reserved: str = "",
    duration: str = "1",
) -> bytes:
    """Write a header; each signal has label, unit, physical and digital (pairs) and samples."""
    fields = [
        (8, "0"), (80, "X X X X"), (80, "Startdate 02-MAR-2004 X X X"), (8, "02.03.04"), (8, "05.06.07"),
        (8, 256 * (len(signals) + 1)), (44, reserved), (8, n_records), (8, duration), (4, len(signals)),
    ]  # fmt: skip
    for key, width in (
        ("label", 16), ("transducer", 80), ("unit", 8), ("pmin", 8), ("pmax", 8), ("dmin", 8), ("dmax", 8),
        ("prefilter", 80), ("samples", 8), ("reserved", 32),
    ):  # fmt: skip
        fields += [(width, signal.get(key, "")) for signal in signals]
    raw = b"".join(str(value).encode("latin-1").ljust(width) for width, value in fields)
    assert len(raw) == 256 * (len(signals) + 1), "a field is too long"
    return b"\xffBIOSEMI" + raw[8:] if bdf else raw


def sample_bytes(values: np.ndarray, width: int) -> np.ndarray:
    """Little-endian two's complement, shape (records, samples * width)."""
    parts = [(values.astype(np.int64) >> (8 * k)) & 0xFF for k in range(width)]
    return np.stack(parts, axis=-1).astype(np.uint8).reshape(*values.shape[:-1], values.shape[-1] * width)


def build(
    path: Path,
    signals: list[dict[str, object]],
    *,
    onsets: list[str] | None = None,
    declared: int | None = None,
    bdf: bool = False,
    reserved: str = "",
    duration: str = "1",
    trailing: bytes = b"",
) -> Path:
    """Write a recording; each signal's ``values`` have the shape (records, samples).

    With `onsets` ("+0", "+1.5") an annotation signal is added, whose lists hold an event in every fifth record.
    """
    width = 3 if bdf else 2
    n_records = len(signals[0]["values"])  # type: ignore[arg-type]
    columns = [sample_bytes(np.asarray(signal["values"]), width) for signal in signals]
    signals = [{**signal, "samples": np.asarray(signal["values"]).shape[1]} for signal in signals]
    if onsets is not None:
        lists = [
            f"{onset}\x14\x14\0".encode() + (f"{onset}\x150.5\x14Grüße {i}\x14\0".encode() if i % 5 == 0 else b"")
            for i, onset in enumerate(onsets)
        ]
        length = width * -(-max(map(len, lists)) // width)
        columns.append(np.frombuffer(b"".join(tal.ljust(length, b"\0") for tal in lists), np.uint8).reshape(-1, length))
        limit = 1 << (8 * width - 1)
        signals.append(
            {"label": "BDF Annotations" if bdf else "EDF Annotations", "pmin": -1, "pmax": 1, "dmin": -limit,
             "dmax": limit - 1, "samples": length // width}
        )  # fmt: skip
    head = header(signals, n_records if declared is None else declared, bdf=bdf, reserved=reserved, duration=duration)
    path.write_bytes(head + np.concatenate(columns, axis=1).tobytes() + trailing)
    return path
