"""What the container knows of channels that are decoded together: a flag of codecs, a bit a signal, sets of groups."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from synthetic import Group, build_header

from eegzip.formats.eegz.header import CodecEntry, FileHeader, ScalingKind
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.summary import FileSummary, SignalSummary, unpack_summary
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.errors import ContainerError


def joint_header(count: int, samples: int = 256) -> FileHeader:
    """A header of signals of one joint codec, each in a group of its own; no chunks."""
    header = build_header((Group(members=1, samples=samples),) * count, n_records=0)
    codec = CodecEntry("dac-sc", "m", "0" * 64, Fraction(256), 128, 4, 256, ScalingKind.ADAPTIVE, 1024, joint=True)
    groups = tuple(replace(group, codec=0, codebooks=3, up=1, down=1) for group in header.groups)
    return replace(header, codecs=(codec,), groups=groups)


def summary(count: int, refined: tuple[int, ...] | None) -> FileSummary:
    signals = (SignalSummary(0, None, None, None, None, 0),) * count
    return FileSummary(0, 0, 0, 0, signals, refined=refined)


def write(path: Path, header: FileHeader, refined: tuple[int, ...] | None) -> Path:
    with path.open("wb") as file:
        EegzWriter(file, header).finish(summary(len(header.signals), refined))
    return path


def test_header_goes_there_and_back() -> None:
    header = joint_header(3)
    assert header.minor_version == 5
    assert unpack_header(header.pack()) == header
    plain = replace(header, codecs=(replace(header.codecs[0], joint=False),))
    assert plain.minor_version == 4
    assert b"joint" not in plain.pack()


@pytest.mark.parametrize(("scaling", "corner"), [("adaptive", 0.1), ("fixed", 0.0), ("fixed", -1.0), ("fixed", 1e400)])
def test_a_high_pass_goes_with_fixed_scaling_only(scaling: str, corner: float) -> None:
    codec = replace(joint_header(3).codecs[0], joint=False, scaling=ScalingKind.FIXED, knot_spacing=0, highpass=0.1)
    header = replace(joint_header(3), codecs=(codec,))
    assert header.minor_version == 5
    assert unpack_header(header.pack()) == header
    spacing = 256 if scaling == "adaptive" else 0
    wrong = replace(codec, scaling=ScalingKind(scaling), knot_spacing=spacing, highpass=corner)
    with pytest.raises(ContainerError, match=r"high-?pass"):
        unpack_header(replace(header, codecs=(wrong,)).pack())


def test_sets_are_runs_of_at_most_64_alike() -> None:
    header = joint_header(70)
    groups = [replace(group, codebooks=2) if number == 5 else group for number, group in enumerate(header.groups)]
    sets = replace(header, groups=tuple(groups)).joint_sets()
    assert [len(part) for part in sets] == [64, 5, 1]
    assert sets[0] == (*range(5), *range(6, 65))
    assert sets[2] == (5,)
    fast = joint_header(5, samples=2**23 // 60 // 2)
    assert [len(part) for part in fast.joint_sets()] == [2, 2, 1]
    assert replace(header, codecs=(replace(header.codecs[0], joint=False),)).joint_sets() == []


@pytest.mark.parametrize("refined", [(), (0,), (2, 7, 8, 9)])
def test_bits_go_there_and_back(tmp_path: Path, refined: tuple[int, ...]) -> None:
    assert unpack_summary(summary(10, refined).pack()).refined == refined
    with EegzReader(write(tmp_path / "a.eegz", joint_header(10), refined)) as reader:
        assert reader.refined == frozenset(refined)


def test_bits_of_signals_without_a_joint_decoder_are_damage(tmp_path: Path) -> None:
    header = joint_header(2)
    plain = replace(header, codecs=(replace(header.codecs[0], joint=False),))
    with EegzReader(write(tmp_path / "a.eegz", plain, (0,))) as reader:
        assert reader.summary is None
        assert any("have no joint decoder" in problem for problem in reader.problems)


def test_a_codec_that_cant_have_a_joint_decoder_is_refused() -> None:
    header = joint_header(1)
    fixed = replace(header.codecs[0], scaling=ScalingKind.FIXED, knot_spacing=0)
    groups = replace(header.codecs[0], name="dac-mc")
    for codec in (fixed, groups):
        with pytest.raises(ContainerError, match="joint decoder"):
            EegzWriter(io.BytesIO(), replace(header, codecs=(codec,)))
