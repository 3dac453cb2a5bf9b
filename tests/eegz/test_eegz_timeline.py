"""Integer arithmetic of frames, records, model samples and knots, against a twin that counts with fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from synthetic import Group, build_header

from eegzip.formats.eegz.timeline import FrameGrid

QUICK = settings(max_examples=150)
GRIDS = st.builds(
    FrameGrid,
    samples_per_record=st.integers(1, 60),
    n_records=st.integers(1, 25),
    up=st.integers(1, 12),
    down=st.integers(1, 12),
    hop=st.one_of(st.integers(1, 40), st.sampled_from([64, 500, 10_000])),
)
CHUNKS = st.integers(1, 30)
AWKWARD = FrameGrid(samples_per_record=1, n_records=25, up=1, down=12, hop=7)


def slow_model_samples(grid: FrameGrid) -> int:
    """Model samples lie at multiples of down / up, from 0 to before the end of the signal."""
    count = 0
    while count * grid.down < grid.samples_per_record * grid.n_records * grid.up:
        count += 1
    return count


def slow_frames(grid: FrameGrid) -> int:
    """Frames are centred on multiples of hop; the last is the first that no model sample follows or meets."""
    frame, samples = 0, slow_model_samples(grid)
    while frame * grid.hop < samples:
        frame += 1
    return frame + 1


def slow_owner(grid: FrameGrid, frame: int) -> int:
    centre = Fraction(frame * grid.hop * grid.down, grid.up)
    return min(floor(centre / grid.samples_per_record), grid.n_records - 1)


def chunks(grid: FrameGrid, length: int) -> list[tuple[int, int]]:
    return [(first, min(first + length, grid.n_records)) for first in range(0, grid.n_records, length)]


@QUICK
@given(GRIDS)
@example(AWKWARD)
def test_totals(grid):
    assert grid.n_model_samples == slow_model_samples(grid)
    assert grid.n_frames == slow_frames(grid)
    # A frame whose centre lies on or after the last sample is there, so every sample has one on either side.
    assert (grid.n_frames - 1) * grid.hop >= grid.n_model_samples - 1


@QUICK
@given(GRIDS, CHUNKS)
@example(AWKWARD, 2)
def test_frames_tile_the_recording_and_belong_to_their_record(grid, length):
    owned = []
    for first, stop in chunks(grid, length):
        begin, end = grid.frames_of_records(first, stop)
        assert all(first <= slow_owner(grid, frame) < stop for frame in range(begin, end))
        owned += range(begin, end)
    assert owned == list(range(slow_frames(grid)))


@QUICK
@given(GRIDS, CHUNKS)
@example(AWKWARD, 1)
def test_any_split_of_records_splits_the_frames(grid, length):
    total = grid.frames_of_records(0, grid.n_records)
    assert total == (0, grid.n_frames)
    for first, stop in chunks(grid, length)[:-1]:
        assert grid.frames_of_records(first, stop)[1] == grid.frames_of_records(stop, grid.n_records)[0]


@QUICK
@given(GRIDS, CHUNKS)
@example(AWKWARD, 3)
def test_chunk_of_frame_agrees_with_frames_of_records(grid, length):
    header = build_header(
        (Group(samples=grid.samples_per_record, up=grid.up, down=grid.down, hop=grid.hop),),
        n_records=grid.n_records,
        chunk_records=length,
    )
    assert header.grid(0) == grid
    for chunk in range(header.n_chunks):
        for frame in range(*grid.frames_of_records(*header.records_of_chunk(chunk))):
            assert header.chunk_of_frame(0, frame) == chunk
            record = grid.record_of_frame(frame)
            assert record == floor(Fraction(frame * grid.hop * grid.down, grid.up * grid.samples_per_record))


@QUICK
@given(GRIDS, CHUNKS)
@example(AWKWARD, 4)
def test_model_samples_tile_and_have_one_owner(grid, length):
    samples = []
    for first, stop in chunks(grid, length):
        frames = grid.frames_of_records(first, stop)
        begin, end = grid.model_range(*frames)
        for sample in range(begin, end):
            owner = grid.frame_of_model_sample(sample)
            assert frames[0] <= owner < frames[1]
            # The frame's centre is the nearest one; ties go to the later frame for even hops.
            assert abs(2 * (sample - owner * grid.hop)) <= grid.hop
        samples += range(begin, end)
    assert samples == list(range(slow_model_samples(grid)))


@QUICK
@given(GRIDS, CHUNKS, st.integers(1, 50))
@example(AWKWARD, 5, 1)
def test_knots_enclose_the_samples_of_their_frames(grid, length, spacing):
    everywhere = grid.knots_of_frames(0, grid.n_frames, spacing)
    assert everywhere[0] == 0
    for first, stop in chunks(grid, length):
        frames = grid.frames_of_records(first, stop)
        begin, end = grid.model_range(*frames)
        low, high = grid.knots_of_frames(*frames, spacing)
        if begin == end:
            assert low == high
            continue
        assert low * spacing <= begin
        assert (high - 1) * spacing > end - 1
        # ... and no knot is stored that no sample needs.
        assert (low + 1) * spacing > begin
        assert (high - 2) * spacing <= end - 1
        assert everywhere[0] <= low < high <= everywhere[1]


@pytest.mark.parametrize(("spacing", "knots"), [(1024, 16), (2048, 9)])
def test_an_hour_at_250_hz(spacing, knots):
    grid = FrameGrid(samples_per_record=250, n_records=3600, up=128, down=125, hop=128)
    assert grid.n_model_samples == 3600 * 256
    assert grid.n_frames == 7201
    assert grid.frames_of_records(0, 60) == (0, 120)
    assert grid.frames_of_records(3540, 3600) == (7080, 7201)
    assert grid.knots_of_frames(0, 120, spacing) == (0, knots)


def test_a_recording_without_records():
    grid = FrameGrid(samples_per_record=250, n_records=0, up=1, down=1, hop=128)
    assert (grid.n_model_samples, grid.n_frames) == (0, 0)
    assert grid.frames_of_records(0, 0) == (0, 0)
    assert grid.model_range(0, 0) == (0, 0)
