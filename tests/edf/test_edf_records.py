"""Data records, counts, trailing bytes, and the writer."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edf_builder import Builder, Signal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eegzip.formats.edf import EdfFile, EdfWriter, assemble_records, decode_signal, encode_signal, parse_header
from eegzip.formats.errors import BadInputError, EdfError, UsageError

Opened = Callable[[Builder | bytes], EdfFile]


@pytest.mark.parametrize("bdf", [False, True])
def test_samples_come_back(opened: Opened, bdf: bool) -> None:
    builder = Builder([Signal(samples=5), Signal(samples=0), Signal(samples=2)], n_records=4, bdf=bdf)
    with opened(builder) as file:
        block = file.read_records(0, 4)
        assert block.shape == (4, 7 * file.header.sample_bytes)
        for index, values in enumerate(builder.values()):
            np.testing.assert_array_equal(decode_signal(block, file.header, index), values)
            np.testing.assert_array_equal(file.read_signal(index, 0, values.size), values.ravel())
        signals = {i: decode_signal(block, file.header, i) for i in (0, 2)}
        np.testing.assert_array_equal(assemble_records(file.header, signals), block)
        assert decode_signal(file.read_records(2, 2), file.header, 0).shape == (0, 5)
        assert file.deviations == ()


@pytest.mark.parametrize(
    ("declared", "cut", "trailing", "n_records", "trailing_size", "message"),
    [
        (b"3", 0, b"", 3, 0, None),
        (b"-1", 0, b"", 3, 0, "is -1"),
        (b"-1", 5, b"", 2, 7, "is -1"),
        (b"0", 0, b"", 3, 0, "is 0"),
        (b"", 0, b"", 3, 0, "blank"),
        (b"9", 0, b"", 3, 0, "truncated"),
        (b"3", 5, b"", 2, 7, "truncated"),
        (b"1", 0, b"", 3, 0, "exactly 3"),
        (b"1", 0, b"junk", 1, 28, "kept as trailing"),
        (b"3", 0, b"junk", 3, 4, None),
    ],
)
def test_number_of_records(
    opened: Opened, declared: bytes, cut: int, trailing: bytes, n_records: int, trailing_size: int, message: str | None
) -> None:
    data = Builder(fixed={"number of data records": declared}).build()
    data = data[: len(data) - cut] + trailing
    with opened(data) as file:
        assert (file.n_records, file.trailing_size) == (n_records, trailing_size)
        assert file.data_offset == len(file.header.raw)
        rest = file.read_records(0, file.n_records).tobytes() + file.read_trailing()
        assert file.header.raw + rest == data
        found = {d.field: d.message for d in file.deviations}
        assert ("trailing bytes" in found) == (trailing_size > 0)
        if message is not None:
            assert message in found["number of data records"]
        else:
            assert "number of data records" not in found


def test_a_file_without_records(opened: Opened) -> None:
    with opened(Builder(n_records=0)) as file:
        assert (file.n_records, file.trailing_size, file.deviations) == (0, 0, ())
        assert file.read_signal(0, 0, 0).shape == (0,)
        assert list(file.blocks()) == []
    with opened(Builder([], n_records=0, trailing=b"rest")) as file:
        assert (file.n_records, file.read_trailing(), file.read_trailing(1, 3)) == (0, b"rest", b"es")


def test_ranges_outside_are_refused(opened: Opened) -> None:
    with opened(Builder(trailing=b"x")) as file:
        for call in (
            lambda: file.read_records(0, 4),
            lambda: file.read_records(2, 1),
            lambda: file.read_signal(0, -1, 2),
            lambda: file.read_signal(0, 0, 13),
            lambda: file.read_signal(2, 0, 1),
            lambda: file.read_trailing(0, 2),
            lambda: decode_signal(np.zeros((1, 5), np.uint8), file.header, 0),
        ):
            with pytest.raises(UsageError):
                call()


def test_a_file_that_shrinks_is_noticed(opened: Opened) -> None:
    with opened(Builder(n_records=2000)) as file:
        os.truncate(file.path, 1000)
        with pytest.raises(EdfError, match="became shorter"):
            file.read_records(0, 2000)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.edf", Path("a\0b"), Path("/dev/zero")):
        with pytest.raises(BadInputError):
            EdfFile.open(path)
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    with pytest.raises(EdfError, match="device"):
        EdfFile.open(fifo)


def test_every_truncation_is_typed(opened: Opened) -> None:
    data = Builder(n_records=2).build()
    for size in range(len(data)):
        if size < 768:
            with pytest.raises(EdfError, match=f"byte {size}, header|is empty"):
                opened(data[:size]) if size % 97 == 0 else parse_header(data[:size])
        else:
            with opened(data[:size]) as file:
                assert file.n_records == (size - 768) // 12
                assert file.read_trailing() == data[file.trailing_offset : size]


@given(hnp.arrays(np.int32, hnp.array_shapes(max_dims=2), elements=st.integers(-32768, 32767)), st.booleans())
def test_encode_is_the_inverse_of_decode(values: np.ndarray, bdf: bool) -> None:
    values = np.atleast_2d(values) * (256 if bdf else 1)
    header = parse_header(Builder([Signal(samples=values.shape[1])], bdf=bdf).header())
    block = encode_signal(values, header.sample_bytes)
    assert block.dtype == np.uint8
    np.testing.assert_array_equal(decode_signal(block, header, 0), values)


def test_encode_against_the_definition() -> None:
    assert encode_signal(np.array([1, -2, -32768]), 2).tobytes() == b"\x01\x00\xfe\xff\x00\x80"
    assert encode_signal(np.array([1, -2, -(1 << 23)]), 3).tobytes() == b"\x01\0\0\xfe\xff\xff\0\0\x80"
    for values, size in (([32768], 2), ([-32769], 2), ([1 << 23], 3), ([1.0], 2)):
        with pytest.raises(UsageError):
            encode_signal(np.array(values), size)
    with pytest.raises(UsageError):
        encode_signal(5, 2)


def test_assemble_checks_its_signals() -> None:
    header = parse_header(Builder().header())
    good = {0: np.zeros((3, 4), int), 1: np.zeros((3, 2), int)}
    assert assemble_records(header, good).shape == (3, 12)
    for bad in ({0: good[0]}, {0: good[0], 1: good[1][:2]}, {0: good[0], 1: good[0]}):
        with pytest.raises(UsageError):
            assemble_records(header, bad)


def test_writer_keeps_the_order() -> None:
    data = Builder(trailing=b"rest").build()
    out = io.BytesIO()
    writer = EdfWriter(out)
    with pytest.raises(UsageError):
        writer.write_records(np.zeros((1, 12), np.uint8))
    with pytest.raises(UsageError):
        writer.write_trailing(b"")
    with pytest.raises(UsageError):
        writer.write_header(data)
    writer.write_header(data[:768])
    with pytest.raises(UsageError):
        writer.write_header(data[:768])
    with pytest.raises(UsageError):
        writer.write_records(np.zeros((1, 11), np.uint8))
    writer.write_records(np.frombuffer(data[768:804], np.uint8).reshape(3, 12))
    writer.write_trailing(b"rest")
    assert out.getvalue() == data


def test_a_full_disk_is_left_to_who_opened_the_file() -> None:
    with Path("/dev/full").open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
        EdfWriter(stream).write_header(Builder().header())
