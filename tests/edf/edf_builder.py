"""Builds small EDF and BDF files, right or damaged in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eegzip.formats.edf import encode_signal

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "tests" / "data" / "edf"
SHARED = ROOT.parent / "shared" / "data"

FIXED = {
    "version": 8, "patient": 80, "recording": 80, "start date": 8, "start time": 8, "bytes in header": 8,
    "reserved": 44, "number of data records": 8, "duration of a data record": 8, "number of signals": 4,
}  # fmt: skip
PER_SIGNAL = {
    "label": 16, "transducer": 80, "physical dimension": 8, "physical minimum": 8, "physical maximum": 8,
    "digital minimum": 8, "digital maximum": 8, "prefiltering": 80, "samples per record": 8, "reserved": 32,
}  # fmt: skip


def fixed_offset(name: str) -> int:
    names = list(FIXED)
    return sum(FIXED[n] for n in names[: names.index(name)])


def signal_offset(name: str, index: int, n_signals: int) -> int:
    names = list(PER_SIGNAL)
    return 256 + n_signals * sum(PER_SIGNAL[n] for n in names[: names.index(name)]) + index * PER_SIGNAL[name]


@dataclass
class Signal:
    label: str = "EEG Fp1"
    unit: str = "uV"
    samples: int = 4
    physical: tuple[Any, Any] = (-3276.8, 3276.7)
    digital: tuple[Any, Any] = (-32768, 32767)
    transducer: str = "AgAgCl electrode"


@dataclass
class Builder:
    """One file; `fixed` and `damage` replace whole fields by other bytes."""

    signals: list[Signal] = field(default_factory=lambda: [Signal("EEG Fp1"), Signal("EEG Fp2", samples=2)])
    n_records: int = 3
    bdf: bool = False
    reserved: str = ""
    duration: str = "1"
    tals: list[bytes] = field(default_factory=list)
    fixed: dict[str, bytes] = field(default_factory=dict)
    damage: dict[tuple[str, int], bytes] = field(default_factory=dict)
    trailing: bytes = b""
    seed: int = 0

    def header(self) -> bytes:
        n = len(self.signals)
        values = {
            "version": b"\xffBIOSEMI" if self.bdf else b"0", "patient": b"X X X X", "recording": b"Startdate X X X X",
            "start date": b"02.03.04", "start time": b"05.06.07", "bytes in header": b"%d" % (256 * (n + 1)),
            "reserved": self.reserved.encode(), "number of data records": b"%d" % self.n_records,
            "duration of a data record": self.duration.encode(), "number of signals": b"%d" % n,
        } | self.fixed  # fmt: skip
        out = b"".join(values[name].ljust(width)[:width] for name, width in FIXED.items())
        for name, width in PER_SIGNAL.items():
            for i, s in enumerate(self.signals):
                value = {
                    "label": s.label, "transducer": s.transducer, "physical dimension": s.unit,
                    "physical minimum": s.physical[0], "physical maximum": s.physical[1],
                    "digital minimum": s.digital[0], "digital maximum": s.digital[1], "prefiltering": "",
                    "samples per record": s.samples, "reserved": "",
                }[name]  # fmt: skip
                raw = self.damage.get((name, i), str(value).encode("latin-1"))
                out += raw.ljust(width)[:width]
        return out

    def values(self) -> list[np.ndarray]:
        """Digital values of each signal, (n_records, samples); annotation signals hold the `tals`."""
        rng = np.random.default_rng(self.seed)
        size = 3 if self.bdf else 2
        limit = 1 << (8 * size - 1)
        out = []
        for s in self.signals:
            if s.label.endswith("Annotations"):
                rows = [t.ljust(s.samples * size, b"\0") for t in self.tals]
                assert all(len(r) == s.samples * size for r in rows), "TAL too long for its signal"
                raw = np.frombuffer(b"".join(rows), np.uint8).reshape(self.n_records, s.samples, size).astype(np.int64)
                word = sum(raw[:, :, k] << (8 * k) for k in range(size))
                out.append(np.where(word >= limit, word - 2 * limit, word))
            else:
                out.append(rng.integers(-limit, limit, (self.n_records, s.samples)))
        return out

    def data(self) -> bytes:
        encoded = [encode_signal(v, 3 if self.bdf else 2) for v in self.values()]
        return np.concatenate(encoded, axis=1).tobytes() if encoded else b""

    def build(self) -> bytes:
        return self.header() + self.data() + self.trailing


def annotated(tals: list[bytes], *, variant: str = "EDF+C", samples: int = 20, **rest: Any) -> Builder:
    bdf = variant.startswith("BDF")
    signals = [Signal("EEG Cz"), Signal(f"{variant[:3]} Annotations", "", samples, (-1, 1))]
    return Builder(signals, len(tals), bdf, variant, tals=tals, **rest)
