"""Line sets that contradict their file are refused with a sentence, before memory is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from api.tones import with_tones
from eegz.test_eegz_layers_hostile import with_streams

from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.lines import chunk_lines
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import pack_map, unpack_map


@pytest.fixture(scope="module")
def lined(eegmat: Path, tmp_path_factory: pytest.TempPathFactory, compressed: Callable[..., Path]) -> Path:
    source = with_tones(eegmat, tmp_path_factory.mktemp("lined") / "a.edf", [(50.0, 20.0, 0.0)], 12)
    return compressed(source, max_prd=9.0, exact=["*O1"])


def changed(path: Path, **entry: object) -> bytes:
    with EegzReader(path) as reader:
        content = unpack_map(reader.header.pack(), "a header")
    content["line_sets"] = [{**content["line_sets"][0], **entry}]
    return pack_map(content)


def test_a_header_with_lines_comes_back(lined: Path) -> None:
    with EegzReader(lined) as reader:
        header = reader.header
        assert reader.minor_version == header.minor_version == 5
        assert reader.summary is not None
        assert len(reader.summary.lines) == header.line_sets[0].count
    assert unpack_header(header.pack()) == header


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"signals": []}, "empty or names a signal"),
        ({"signals": [0, 77]}, "empty or names a signal"),
        ({"signals": [0, 2]}, "can't have lines in common"),
        ({"signals": [0, 0]}, "holds a signal twice"),
        ({"steps": [3]}, "no range and step for each signal"),
        ({"steps": [3, 0]}, "no valid field 'steps'"),
        ({"lowest": [0, 40000]}, "range that its samples can't take"),
        ({"highest": [0, -40000]}, "range that its samples can't take"),
        ({"count": 0}, "no valid field 'count'"),
        ({"count": 17}, "no valid field 'count'"),
        ({"spacing": 15}, "no valid field 'spacing'"),
        ({"spacing": 1 << 17}, "no valid field 'spacing'"),
        ({"grain": 32}, "no valid field 'grain'"),
        ({"count": "1"}, "no valid field 'count'"),
    ],
)
def test_line_sets_that_contradict_the_file_are_refused(lined: Path, entry: dict[str, object], words: str) -> None:
    with pytest.raises(ContainerError, match=words):
        unpack_header(changed(lined, **entry))


def test_more_knots_than_can_be_are_refused(lined: Path) -> None:
    with EegzReader(lined) as reader:
        content = unpack_map(reader.header.pack(), "a header")
    content |= {"n_records": 40000, "chunk_records": 4000}
    content["line_sets"][0] |= {"count": 16, "spacing": 16}
    with pytest.raises(ContainerError, match="more knots of lines a chunk than can be"):
        unpack_header(pack_map(content))


def test_a_chunk_without_its_lines_is_damaged(lined: Path, tmp_path: Path) -> None:
    path = with_streams(lined, lambda streams: streams.pop((6, 0)), tmp_path / "a.eegz")
    with EegzReader(path) as reader, pytest.raises(ContainerError, match="without its lines stream 0"):
        chunk_lines(reader, 0, 0)


def test_a_range_beyond_a_sample_is_for_signals_with_lines_only(lined: Path) -> None:
    with EegzReader(lined) as reader:
        content = unpack_map(reader.header.pack(), "a header")
    content["layer_sets"][0]["highest"] = [60000, 60000]
    unpack_header(pack_map(content))
    content["line_sets"][0] |= {
        name: [content["line_sets"][0][name][0]] for name in ("signals", "lowest", "highest", "steps")
    }
    with pytest.raises(ContainerError, match="range that its samples can't take"):
        unpack_header(pack_map(content))
