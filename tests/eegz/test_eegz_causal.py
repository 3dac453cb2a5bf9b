"""What the container knows of the codec that looks back only."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from synthetic import Group, build_header

from eegzip.formats.eegz.header import CodecEntry, FileHeader, ScalingKind
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.errors import ContainerError

CODEC = CodecEntry("biocodec", "m", "0" * 64, Fraction(250), 12, 6, 256, ScalingKind.FIXED, 0, highpass=0.1)


def header_of(members: int) -> FileHeader:
    """A header of two groups of so many signals each; no chunks."""
    header = build_header((Group(members=members, samples=250),) * 2, n_records=0)
    groups = tuple(replace(group, codec=0, codebooks=6, up=1, down=1, styles=None) for group in header.groups)
    return replace(header, codecs=(CODEC,), groups=groups)


def test_header_goes_there_and_back() -> None:
    header = header_of(1)
    assert header.minor_version == 6
    assert unpack_header(header.pack()) == header


def test_each_signal_is_coded_alone() -> None:
    with pytest.raises(ContainerError, match="codes each alone"):
        unpack_header(header_of(2).pack())


def test_it_has_no_joint_decoder() -> None:
    codec = replace(CODEC, scaling=ScalingKind.ADAPTIVE, knot_spacing=1024, highpass=None, joint=True)
    with pytest.raises(ContainerError, match="joint decoder"):
        unpack_header(replace(header_of(1), codecs=(codec,)).pack())
