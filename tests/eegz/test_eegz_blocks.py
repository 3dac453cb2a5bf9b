"""The pieces around the streams: chunk directory, header, summary, index, signature, trailer."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import Group, build_header

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.chunk import PREFIX_BYTES, directory_size, pack_chunk, unpack_directory
from eegzip.formats.eegz.header import nominal_bits
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.index import BlockPlace, pack_index, unpack_index
from eegzip.formats.eegz.summary import FileSummary, SignalSummary, unpack_summary
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import (
    pack_map,
)

pytestmark = pytest.mark.filterwarnings("error")
QUICK = settings(max_examples=80)

SIZES = st.one_of(st.sampled_from([2, 3, 255, 256, 257, 1000, 1024, 65535, 65536]), st.integers(2, 65536))


class TestChunkDirectory:
    STREAMS = st.dictionaries(
        st.tuples(st.integers(0, 300), st.integers(0, 20_000)), st.binary(max_size=40), max_size=12
    )

    @QUICK
    @given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 2**40), STREAMS)
    def test_round_trip(self, number, first, n_records, streams):
        payload = pack_chunk(number, first, n_records, streams, number % 7)
        rest = payload[8 : 8 + directory_size(payload[:8])]
        directory = unpack_directory(payload[:8], rest, len(payload), number % 7)
        with pytest.raises(ContainerError, match="wrong checksum"):
            unpack_directory(payload[:8], rest, len(payload), 8)
        assert (directory.number, directory.first_record, directory.n_records) == (number, first, n_records)
        assert list(directory.streams) == list(streams)
        for key, entry in directory.streams.items():
            data = payload[entry.offset : entry.offset + entry.length]
            assert data == streams[key]
            assert entry.crc == zlib.crc32(data)

    def test_every_flipped_bit_is_noticed(self):
        payload = pack_chunk(3, 180, 60, {(0, 0): b"knots", (1, 0): b"tokens", (2, 5): b""}, 99)
        size = directory_size(payload[:8])
        for bit in range(8 * (8 + size)):
            damaged = bytearray(payload)
            damaged[bit // 8] ^= 1 << bit % 8
            prefix, rest = bytes(damaged[:8]), bytes(damaged[8:])
            with pytest.raises(ContainerError):
                unpack_directory(prefix, rest[: directory_size(prefix)], len(payload), 99)

    @pytest.mark.parametrize(
        ("directory", "sentence"),
        [
            (b"\x00\x00\x01\x01\x01\x00\x02abcd\x01", "do not fill"),  # something follows
            (b"\x00\x00\x01\x01\x01\x00\x03abcd", "do not fill"),  # a hole
            (b"\x00\x00\x01\x01\x01\x00\x02ab", "cut short"),
            (b"\x00\x00\x01\x02\x01\x00\x01abcd\x01\x00\x01abcd", "twice"),
            (b"\x00\x00\x01\xff\xff\x7f", "streams, more than"),
            (b"\x00\x00", "variable-length"),
            (b"\x00\x00\x01\x01\x01\x00" + b"\xff" * 9 + b"\x01abcd", "do not fill"),
        ],
    )
    def test_forgeries_with_a_valid_checksum(self, directory, sentence):
        prefix = len(directory).to_bytes(4, "little") + zlib.crc32(directory).to_bytes(4, "little")
        with pytest.raises(ContainerError, match=sentence):
            unpack_directory(prefix, directory, PREFIX_BYTES + len(directory) + 2, 0)

    def test_a_huge_directory_is_refused_before_it_is_read(self):
        with pytest.raises(ContainerError, match="directory of 4294967295 bytes"):
            directory_size(b"\xff" * 8)


class TestHeaderSummaryIndex:
    @QUICK
    @given(
        st.lists(
            st.builds(
                Group,
                members=st.integers(1, 4),
                samples=st.integers(1, 300),
                up=st.integers(1, 50),
                down=st.integers(1, 50),
                hop=st.integers(1, 512),
                codebooks=st.integers(1, 12),
                size=SIZES,
                scaling=st.sampled_from(["adaptive", "fixed"]),
                spacing=st.integers(1, 4096),
            ),
            max_size=4,
        ),
        st.lists(st.integers(0, 300), max_size=4),
        st.sampled_from([2, 3]),
        st.integers(0, 1000),
        st.integers(1, 1000),
        st.one_of(st.none(), st.just(0.0), st.floats(1e-6, 1e6)),
        st.binary(max_size=50),
    )
    def test_header(self, groups, exact, width, n_records, chunk_records, duration, edf_header):
        header = build_header(
            tuple(groups),
            tuple(exact),
            sample_bytes=width,
            n_records=n_records,
            chunk_records=chunk_records,
            record_duration=duration,
            edf_header=edf_header,
        )
        assert unpack_header(header.pack()) == header

    NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))

    @QUICK
    @given(
        st.lists(
            st.builds(
                SignalSummary,
                stored_bytes=st.integers(0, 2**62),
                prd=NUMBERS,
                snr=NUMBERS,
                r=NUMBERS,
                largest_error_uv=NUMBERS,
                largest_error_digits=st.integers(0, 2**32),
            ),
            max_size=4,
        ),
        st.integers(0, 2**62),
    )
    def test_summary(self, signals, size):
        summary = FileSummary(size, 1, 2, 3, tuple(signals))
        assert unpack_summary(summary.pack()) == summary

    @QUICK
    @given(st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.integers(0, 1 << 30)), min_size=1, max_size=40))
    def test_index(self, blocks):
        places, offset = [], 16
        for kind, length in blocks:
            places.append(BlockPlace(kind, offset, length))
            offset += 32 + length
        assert unpack_index(pack_index(places), offset) == places
        with pytest.raises(ContainerError, match="do not fill the file"):
            unpack_index(pack_index(places), offset + 1)
        assert places[0].payload_offset == 48

    @pytest.mark.parametrize(
        "content",
        [
            {},
            {"types": b"HEAD", "first_offset": 16, "lengths": []},
            {"types": b"HEAD", "first_offset": 16, "lengths": [-1]},
            {"types": b"HEAD", "first_offset": 16, "lengths": [1 << 40]},
            {"types": b"HEAD", "first_offset": -16, "lengths": [1]},
            {"types": "HEAD", "first_offset": 16, "lengths": [1]},
            {"types": b"HEAD", "first_offset": 16, "lengths": [True]},
        ],
    )
    def test_index_that_is_none(self, content):
        with pytest.raises(ContainerError, match="index"):
            unpack_index(pack_map(content), 49)

    def test_nominal_bits(self):
        codec = build_header((Group(hop=128, codebooks=9, size=1024),)).codecs[0]
        # 9 x 10 bit a frame of 128 model samples at 256 Hz from 250 Hz: 180 bit/s, 0.72 bit/sample.
        assert nominal_bits(codec, 9, 1, 256 / 250) == pytest.approx(180 / 250)
        assert nominal_bits(codec, 3, 4, 1) == pytest.approx(30 / 128 / 4)


class TestLayout:
    @QUICK
    @given(
        st.binary(min_size=4, max_size=4),
        st.integers(0, 0xFFFF),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
    )
    def test_block_header(self, kind, flags, sequence, length, crc, seed, other):
        header = layout.BlockHeader(kind, flags, sequence, length, crc)
        data = header.pack(seed)
        assert len(data) == 32
        assert layout.unpack_block_header(data, seed) == header
        assert layout.unpack_block_header(data + b"payload", seed) == header
        # A header block's checksum has no seed: it is what the others' seed is made of.
        same = seed == other or kind == b"HEAD"
        assert layout.unpack_block_header(data, other) == (header if same else None)

    def test_every_flipped_bit_of_a_block_header_is_noticed(self):
        data = layout.BlockHeader(b"CHNK", 0, 5, 1234, 99).pack(7)
        for bit in range(8 * 32):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            assert layout.unpack_block_header(bytes(damaged), 7) is None
        for length in range(32):
            assert layout.unpack_block_header(data[:length], 7) is None

    @given(st.integers(0, 2**64 - 1))
    @QUICK
    def test_trailer(self, offset):
        data = layout.pack_trailer(offset)
        assert len(data) == 16
        assert layout.unpack_trailer(data) == offset
        assert layout.unpack_trailer(data + b"x") is None
        assert layout.unpack_trailer(data[1:]) is None

    def test_every_flipped_bit_of_signature_and_trailer_is_noticed(self):
        signature, trailer = layout.pack_signature(), layout.pack_trailer(4711)
        layout.check_signature(signature, "x.eegz")
        for bit in range(8 * 16):
            damaged = bytearray(signature)
            damaged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(ContainerError, match=r"^x\.eegz "):
                layout.check_signature(bytes(damaged), "x.eegz")
            damaged = bytearray(trailer)
            damaged[bit // 8] ^= 1 << bit % 8
            assert layout.unpack_trailer(bytes(damaged)) is None

    @pytest.mark.parametrize("length", range(1, 16))
    def test_a_cut_signature_is_called_cut(self, length):
        with pytest.raises(ContainerError, match=f"ends inside its signature, at byte {length}"):
            layout.check_signature(layout.pack_signature()[:length], "x.eegz")

    @pytest.mark.parametrize(
        ("data", "sentence"),
        [
            (b"", "empty"),
            (b"0       a recording", "not an .eegz file"),
            (b"EDF", "not an .eegz file"),
            (b"PK\x03\x04" * 10, "not an .eegz file"),
        ],
    )
    def test_other_files(self, data, sentence):
        with pytest.raises(ContainerError, match=sentence):
            layout.check_signature(data[:16], "x.eegz")

    def test_a_newer_version(self):
        body = layout.SIGNATURE + bytes([2, 0, 0])
        with pytest.raises(ContainerError, match=r"version 2 of the format.*install a newer eegzip"):
            layout.check_signature(body + zlib.crc32(body).to_bytes(4, "little"), "x.eegz")

    def test_a_newer_minor_version_is_read(self):
        body = layout.SIGNATURE + bytes([1, 9, 0])
        layout.check_signature(body + zlib.crc32(body).to_bytes(4, "little"), "x.eegz")
        assert layout.MINOR_VERSION < 9
