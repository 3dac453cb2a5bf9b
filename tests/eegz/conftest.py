from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import Group, Recording, build_header, build_recording

from eegzip.formats.eegz.header import ScalingKind


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A name whose beginning no other part of an error sentence would contain by chance."""
    return tmp_path / "recording under test.eegz"


@pytest.fixture
def mixed() -> Recording:
    """Groups of different codecs, rates, depths and scalings; exact signals of every sort; trailing bytes."""
    header = build_header(
        (
            Group(members=2, samples=100, up=32, down=25, hop=64, codebooks=4, size=1000, spacing=100, styles=(5, 1)),
            Group(samples=64, hop=48, codebooks=2, size=65536, spacing=64),
            Group(members=3, samples=200, up=5, down=8, hop=32, codebooks=1, size=2, scaling=ScalingKind.FIXED),
        ),
        exact=(100, 7, 30, 0),
        n_records=11,
        chunk_records=4,
        trailing_bytes=77,
    )
    return build_recording(header, 1)


@pytest.fixture
def bdf() -> Recording:
    """24 bits, nothing lossy, signals predicted where that pays."""
    header = build_header(
        (), exact=(64, 16, 40), sample_bytes=3, n_records=5, chunk_records=2, trailing_bytes=5, predicted=True
    )
    return build_recording(header, 2)
