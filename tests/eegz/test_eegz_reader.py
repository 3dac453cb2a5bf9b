"""What the writer wrote, the reader gives back: in any order, any part, with or without the index."""

from __future__ import annotations

import gc
import io
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import Group, block_offsets, build_header, build_recording, check, join, split, write

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.header import ScalingKind
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.token_stream import concatenate, read_tokens
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.errors import BadInputError, ContainerError, UsageError
from eegzip.formats.shared_file import SharedFile

QUICK = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

GROUPS = st.builds(
    Group,
    members=st.integers(1, 3),
    samples=st.integers(1, 90),
    up=st.integers(1, 9),
    down=st.integers(1, 9),
    hop=st.integers(1, 70),
    codebooks=st.integers(1, 5),
    size=st.sampled_from([2, 3, 500, 1024, 65536]),
    scaling=st.sampled_from(["adaptive", "fixed"]),
    spacing=st.integers(1, 90),
)


@QUICK
@given(
    st.lists(GROUPS, max_size=3),
    st.lists(st.integers(0, 40), max_size=4),
    st.sampled_from([2, 3]),
    st.integers(0, 9),
    st.integers(1, 12),
    st.integers(0, 200),
    st.integers(0, 2**32 - 1),
)
def test_any_recording_comes_back(target, groups, exact, width, n_records, chunk_records, trailing, seed):
    header = build_header(
        tuple(groups),
        tuple(exact),
        sample_bytes=width,
        n_records=n_records,
        chunk_records=chunk_records,
        trailing_bytes=trailing,
    )
    recording = build_recording(header, seed)
    data = write(recording)
    cut = data[: block_offsets(data)[-1]]
    for content, complete in ((data, True), (cut, False)):
        target.write_bytes(content)
        with EegzReader(target) as file:
            assert file.complete is complete
            assert bool(file.problems) is not complete
            assert check(file, recording) == set()
            assert file.summary == recording.summary
            assert all(problem is None for _, problem in file.verify_blocks())


def test_index_and_scan_find_the_same_blocks(target, mixed):
    data = write(mixed)
    target.write_bytes(data)
    with EegzReader(target) as file:
        indexed = file.blocks.places
        assert (file.complete, file.problems) == (True, [])
    target.write_bytes(data[:-1])
    with EegzReader(target) as file:
        assert file.blocks.places == indexed
        assert file.complete is False
        assert check(file, mixed) == set()
    assert [place.offset for place in indexed] == block_offsets(data)[:-1]
    types = [place.type for place in indexed]
    assert types == [b"HEAD", b"CHNK", b"CHNK", b"CHNK", b"TAIL", b"SUMM"]


def test_blocks_are_numbered_and_only_the_header_is_critical(mixed):
    data = write(mixed)
    first, *others = block_offsets(data)
    head = layout.unpack_block_header(data[first:], 0)
    headers = [head, *(layout.unpack_block_header(data[offset:], head.payload_crc) for offset in others)]
    assert [header.sequence for header in headers] == list(range(len(headers)))
    assert [header.flags for header in headers] == [layout.CRITICAL | layout.DICTIONARY] + [0] * (len(headers) - 1)
    assert headers[-1].type == b"INDX"


def test_tokens_across_chunk_borders(target, mixed):
    target.write_bytes(write(mixed))
    with EegzReader(target) as file:
        for group, wanted in enumerate(mixed.tokens):
            frames = wanted.shape[1]
            for start in range(frames + 1):
                for stop in {start, min(start + 1, frames), min(start + 5, frames), frames}:
                    stream = read_tokens(file, group, start, stop)
                    np.testing.assert_array_equal(stream.codes, wanted[:, start:stop], strict=True)
                    assert (stream.first_frame, len(stream)) == (start, stop - start)


def test_what_a_token_stream_says(target, mixed):
    target.write_bytes(write(mixed))
    with EegzReader(target) as file:
        first, second = read_tokens(file, 0), read_tokens(file, 1)
    assert first.labels == ("G0M0", "G0M1")
    assert first.frame_rate == pytest.approx(100 * 32 / 25 / 64)
    assert second.frame_rate == pytest.approx(64 / 48)
    assert (first.codebook_size, first.model, first.digest) == (1000, "synthetic", "0" * 64)


def test_reading_a_stretch_touches_only_its_chunks(target, mixed, monkeypatch):
    data = write(mixed)
    second, third = block_offsets(data)[2:4]
    target.write_bytes(data)
    touched = []
    original = SharedFile.read_at

    def recording_read(file, offset, size):
        touched.append((offset, offset + size))
        return original(file, offset, size)

    with EegzReader(target) as file:
        monkeypatch.setattr(SharedFile, "read_at", recording_read)
        first, stop = mixed.header.grid(0).frames_of_records(4, 8)
        read_tokens(file, 0, first, stop)
        assert touched
        assert all(second <= start and end <= third for start, end in touched)
        assert sum(end - start for start, end in touched) < (third - second) / 2
        touched.clear()
        read_tokens(file, 0, first, stop)
        assert touched == []


def test_what_the_cache_holds_cannot_be_changed(target, mixed):
    target.write_bytes(write(mixed))
    with EegzReader(target) as file:
        with pytest.raises(ValueError, match="read-only"):
            file.chunk_tokens(0, 0)[0, 0] = 1
        with pytest.raises(ValueError, match="read-only"):
            file.chunk_knots(0)[0][0, 0] = 1
        stream = read_tokens(file, 0)
        stream.codes[:] = 0
        assert check(file, mixed) == set()


@QUICK
@given(st.integers(0, 40), st.integers(0, 40), st.data())
def test_slice_and_concatenate(target, a, b, data):
    recording = build_recording(build_header((Group(samples=64, hop=16, up=1, down=1),), n_records=10), 4)
    target.write_bytes(write(recording))
    whole = recording.tokens[0]
    with EegzReader(target) as file:
        stream = read_tokens(file, 0)
        low, high = sorted((a, b))
        piece = stream.slice(low, high)
        np.testing.assert_array_equal(piece.codes, whole[:, low:high], strict=True)
        assert piece.first_frame == low
        inner = piece.slice(1, len(piece))
        assert inner.first_frame == low + min(1, len(piece))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
        borders = [0, *cuts, len(stream)]
        pieces = [read_tokens(file, 0, x, y) for x, y in itertools.pairwise(borders)]
    joined = concatenate(pieces)
    np.testing.assert_array_equal(joined.codes, whole, strict=True)
    assert joined.first_frame == 0
    np.testing.assert_array_equal(joined.coarse(2).codes, whole[:2], strict=True)


def test_streams_that_do_not_belong_together_are_not_concatenated(target, mixed):
    target.write_bytes(write(mixed))
    with EegzReader(target) as file:
        stream, other = read_tokens(file, 0), read_tokens(file, 1)
    for wrong in ([], [stream, other], [stream, stream.coarse(1)]):
        with pytest.raises(UsageError, match="concatenate"):
            concatenate(wrong)


@pytest.mark.parametrize(
    ("group", "start", "stop"), [(-1, 0, 1), (3, 0, 1), (0, -1, 1), (0, 0, 999), (0, 5, 4), (0, 999, 999)]
)
def test_frames_that_are_not_there(target, mixed, group, start, stop):
    target.write_bytes(write(mixed))
    with EegzReader(target) as file, pytest.raises(UsageError, match="recording under test"):
        read_tokens(file, group, start, stop)


@pytest.mark.parametrize("chunk", [-1, 3, 10**15])
def test_a_chunk_that_is_not_there(target, mixed, chunk):
    target.write_bytes(write(mixed))
    with EegzReader(target) as file:
        for call in (file.chunk_knots, lambda c: file.chunk_tokens(c, 0), lambda c: file.chunk_exact(c, 6)):
            with pytest.raises(ContainerError, match="is missing"):
                call(chunk)


def test_the_tokens_do_not_depend_on_the_chunk_length(target):
    grid = {"samples": 100, "up": 32, "down": 25, "hop": 60}
    groups = (Group(**grid), Group(**grid, scaling=ScalingKind.FIXED))
    reference = build_recording(build_header(groups, n_records=13, chunk_records=13), 5)
    for length in range(1, 15):
        header = build_header(groups, n_records=13, chunk_records=length)
        recording = build_recording(header, 5)
        target.write_bytes(write(recording))
        with EegzReader(target) as file:
            assert file.header.n_chunks == -(-13 // length)
            for group in (0, 1):
                np.testing.assert_array_equal(read_tokens(file, group).codes, reference.tokens[group], strict=True)


def test_trailing_bytes_in_several_pieces(target):
    recording = build_recording(build_header((), (3,), trailing_bytes=1000), 6)
    target.write_bytes(write(recording, pieces=300))
    with EegzReader(target) as file:
        assert [len(piece) for piece in file.trailing()] == [300, 300, 300, 100]
        assert check(file, recording) == set()


@pytest.mark.parametrize("change", ["lost", "doubled", "swapped"])
def test_pieces_of_trailing_bytes_never_take_each_others_place(target, change):
    recording = build_recording(build_header((), (3,), trailing_bytes=1200), 6)
    blocks = split(write(recording, pieces=300))
    tails = [number for number, block in enumerate(blocks) if block.type == layout.TAIL]
    if change == "lost":
        del blocks[tails[1]]
    elif change == "doubled":
        blocks.insert(tails[1], blocks[tails[1]])
    else:
        blocks[tails[1]], blocks[tails[2]] = blocks[tails[2]], blocks[tails[1]]
    target.write_bytes(join(blocks))
    with EegzReader(target) as file:
        assert check(file, recording) == (set() if change == "doubled" else {"trailing"})


def test_a_reader_lets_go_of_its_file(target, mixed):
    target.write_bytes(write(mixed))
    with EegzReader(target) as file:
        file.chunk_tokens(0, 0)
    with pytest.raises(ValueError, match="closed"):
        file.chunk_tokens(1, 0)
    target.write_bytes(b"no such thing")
    with pytest.raises(ContainerError):
        EegzReader(target)
    gc.collect()  # an unclosed file would be a warning, and warnings are errors


class TestFilesThatCannotBeOpened:
    def test_absent(self, target):
        with pytest.raises(BadInputError, match=r"recording under test\.eegz does not exist"):
            EegzReader(target)

    def test_folder(self, tmp_path):
        with pytest.raises(BadInputError, match="is a folder"):
            EegzReader(tmp_path)

    def test_empty(self, target):
        target.touch()
        with pytest.raises(ContainerError, match=r"recording under test\.eegz is empty"):
            EegzReader(target)

    def test_name_too_long(self, tmp_path):
        with pytest.raises(BadInputError, match="can't be opened"):
            EegzReader(tmp_path / ("n" * 300))

    def test_pipe(self, tmp_path):
        import os

        reading, writing = os.pipe()
        try:
            with pytest.raises(BadInputError, match="is a pipe"):
                EegzReader(f"/dev/fd/{reading}")
        finally:
            os.close(reading)
            os.close(writing)


def test_the_writer_refuses_a_header_that_no_reader_would_take(mixed):
    from dataclasses import replace

    for wrong in (
        replace(mixed.header, chunk_records=0),
        replace(mixed.header, record_duration=float("nan")),
        replace(mixed.header, source_sha256="?"),
        replace(mixed.header, groups=mixed.header.groups[:-1]),
    ):
        file = io.BytesIO()
        with pytest.raises(ContainerError):
            EegzWriter(file, wrong)
        assert file.getvalue() == b""


def test_the_writer_counts_what_it_writes(mixed):
    file = io.BytesIO()
    writer = EegzWriter(file, mixed.header)
    for chunk in range(mixed.header.n_chunks):
        writer.write_chunk(
            [mixed.chunk_tokens(chunk, group) for group in range(3)],
            mixed.chunk_knots(chunk),
            {signal: mixed.chunk_exact(chunk, signal).reshape(-1) for signal in mixed.exact},
        )
    chunks = sum(len(block.payload) for block in split(file.getvalue()) if block.type == layout.CHUNK)
    streams = writer.token_bytes + writer.exact_bytes + writer.knot_bytes
    # Chunk prefix 8, four varints, and a line of 6 to 9 bytes for each of seven streams.
    assert 3 * (8 + 4 + 7 * 7) <= chunks - streams <= 3 * (8 + 5 + 7 * 9)
    assert sum(writer.signal_bytes) == pytest.approx(writer.token_bytes + writer.exact_bytes)
    assert writer.signal_bytes[0] == writer.signal_bytes[1] > 0
