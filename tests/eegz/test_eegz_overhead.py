"""How much of an hour of 21 channels is neither tokens nor exact signals nor the recording's own header."""

from __future__ import annotations

import io

import numpy as np
import pytest
from synthetic import Group, Recording, build_header, build_recording, write

from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.packing import zstd_compress

LABELS = ["Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T3", "C3", "Cz", "C4"]
LABELS += ["T4", "T5", "P3", "Pz", "P4", "T6", "O1", "O2", "A1", "A2"]


def edf_header() -> bytes:
    """A plausible EDF header of 21 signals: it is content, so it must not count as overhead."""
    fields = [
        (16, [f"EEG {label}-REF" for label in LABELS]),
        (80, ["AgAgCl electrode"] * 21),
        (8, ["uV"] * 21),
        (8, ["-3276.8"] * 21),
        (8, ["3276.7"] * 21),
        (8, ["-32768"] * 21),
        (8, ["32767"] * 21),
        (80, ["HP:0.1Hz LP:75Hz N:50Hz"] * 21),
        (8, ["256"] * 21),
        (32, [""] * 21),
    ]
    fixed = "0".ljust(8) + "X X X X".ljust(80) + "Startdate X X X X".ljust(80) + "01.01.2512.00.00" + "5632".ljust(8)
    text = fixed.ljust(236) + "3600".ljust(8) + "1".ljust(8) + "21".ljust(4)
    return (text + "".join(value.ljust(width) for width, values in fields for value in values)).encode("ascii")


def hour(codebooks: int, chunk_seconds: int, spacing: int) -> Recording:
    groups = tuple(Group(samples=256, hop=128, codebooks=codebooks, size=1024, spacing=spacing) for _ in LABELS)
    header = build_header(groups, n_records=3600, chunk_records=chunk_seconds, edf_header=edf_header())
    return build_recording(header, 8)


def overhead(recording: Recording) -> tuple[float, int, int]:
    """Share of the file that is overhead, its bytes, and the bytes of tokens."""
    size = len(write(recording))
    writer = EegzWriter(io.BytesIO(), recording.header)
    for chunk in range(recording.header.n_chunks):
        groups = range(len(recording.header.groups))
        writer.write_chunk([recording.chunk_tokens(chunk, g) for g in groups], recording.chunk_knots(chunk), {})
    own = len(zstd_compress(recording.header.edf_header, 19))
    rest = size - writer.token_bytes - own
    return rest / size, rest, writer.token_bytes


@pytest.mark.parametrize("spacing", [1024, 2048])
def test_under_two_percent_of_an_hour(spacing):
    share, rest, tokens = overhead(hour(9, 60, spacing))
    assert tokens >= 21 * 9 * 7201 * 10 // 8
    assert rest > 60 * (32 + 8 + 21 * 7)
    assert share < 0.02


def test_knots_in_the_test_vary():
    knots = hour(1, 60, 1024).knots
    assert len(knots) == 21
    assert set(np.abs(np.diff(knots[0], axis=0)).reshape(-1).tolist()) == {0, 1}
