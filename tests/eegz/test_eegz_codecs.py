"""Every pair of encoder and decoder gives back what went in."""

from __future__ import annotations

import msgpack
import numpy as np
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eegzip.formats.eegz.knots import decode_knots, encode_knots
from eegzip.formats.eegz.tail import pack_tail, unpack_tail
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import (
    byte_planes,
    join_byte_planes,
    pack_map,
    put_varint,
    take_varint,
    unpack_map,
    unzigzag,
    zigzag,
    zstd_compress,
    zstd_decompress,
)
from eegzip.formats.predictive.fixed import decode_exact, encode_exact
from eegzip.formats.tokens.packed import bits_per_token, decode_tokens, encode_tokens

pytestmark = pytest.mark.filterwarnings("error")
QUICK = settings(max_examples=80)

SIZES = st.one_of(st.sampled_from([2, 3, 255, 256, 257, 1000, 1024, 65535, 65536]), st.integers(2, 65536))


class TestTokens:
    @QUICK
    @given(SIZES, st.integers(1, 12), st.integers(0, 150), st.integers(0, 2**32 - 1), st.booleans())
    def test_round_trip_and_growth(self, size, codebooks, frames, seed, skewed):
        rng = np.random.default_rng(seed)
        codes = rng.integers(0, size, (codebooks, frames))
        if skewed:
            codes = np.minimum(codes, rng.integers(0, size, (codebooks, 1)))
        data = encode_tokens(codes.astype(np.uint16), size)
        np.testing.assert_array_equal(
            decode_tokens(data, codebooks, frames, size), codes.astype(np.uint16), strict=True
        )
        bits = (size - 1).bit_length()
        assert len(data) <= 1 + -(-codebooks * frames * bits // 8)

    @pytest.mark.parametrize("method", [0, 1, 2])
    def test_every_method_is_reached_and_decodes(self, method):
        rng = np.random.default_rng(0)
        runs = [np.roll(np.repeat(rng.integers(0, 1024, 12), 10), level) for level in range(9)]
        frames = rng.integers(0, 1024, (9, 8))[:, rng.integers(0, 8, 120)]
        codes = [rng.integers(0, 1024, (9, 120)), np.stack(runs), frames][method].astype(np.uint16)
        data = encode_tokens(codes, 1024)
        assert data[0] == method
        np.testing.assert_array_equal(decode_tokens(data, *codes.shape, 1024), codes, strict=True)

    def test_more_tokens_than_are_unpacked_at_a_time(self):
        codes = np.random.default_rng(1).integers(0, 777, (3, 70_001)).astype(np.uint16)
        np.testing.assert_array_equal(decode_tokens(encode_tokens(codes, 777), 3, 70_001, 777), codes, strict=True)

    def test_bits(self):
        assert [bits_per_token(n) for n in (2, 3, 4, 5, 256, 257, 1024, 1025, 65536)] == [1, 2, 2, 3, 8, 9, 10, 11, 16]

    @pytest.mark.parametrize("size", [3, 1000])
    def test_an_index_outside_the_codebook_is_refused(self, size):
        data = encode_tokens(np.full((2, 5), size, np.uint16), size + 1)
        assert bits_per_token(size) == bits_per_token(size + 1)
        with pytest.raises(ContainerError, match=f"a token is {size}, outside its codebook of {size} entries"):
            decode_tokens(data, 2, 5, size)

    @pytest.mark.parametrize("method", [0, 1, 2])
    @pytest.mark.parametrize("frames", [5, 7])
    def test_another_count_is_refused(self, method, frames):
        codes = np.random.default_rng(3).integers(0, 1024, (2, 6)).astype(np.uint16)
        planes = (codes & 255).astype(np.uint8).tobytes() + bytes(3)
        data = encode_tokens(codes, 1024) if method == 0 else bytes([method]) + zstd_compress(planes, 3)
        assert data[0] == method
        with pytest.raises(ContainerError, match=r"where|holds"):
            decode_tokens(data, 2, frames, 1024)

    @pytest.mark.parametrize("data", [b"", b"\x03", b"\xff123"])
    def test_an_unknown_method_is_refused(self, data):
        with pytest.raises(ContainerError, match="method that this version does not know"):
            decode_tokens(data, 1, 1, 1024)


class TestExact:
    @QUICK
    @given(st.sampled_from([2, 3]), st.data())
    def test_any_values(self, width, data):
        limit = 1 << (8 * width - 1)
        values = data.draw(
            arrays(
                np.int32,
                st.integers(0, 60),
                elements=st.one_of(st.integers(-limit, limit - 1), st.sampled_from([-limit, limit - 1, 0])),
            )
        )
        self.check(values, width)

    @pytest.mark.parametrize("width", [2, 3])
    @pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 1000])
    @pytest.mark.parametrize("kind", ["noise", "zero", "constant", "lowest", "highest", "flip", "step", "walk", "text"])
    def test_kinds(self, width, n, kind):
        rng = np.random.default_rng(n)
        limit = 1 << (8 * width - 1)
        values = {
            "noise": rng.integers(-limit, limit, n),
            "zero": np.zeros(n),
            "constant": np.full(n, -77),
            "lowest": np.full(n, -limit),
            "highest": np.full(n, limit - 1),
            "flip": np.where(np.arange(n) % 2, limit - 1, -limit),
            "step": np.where(np.arange(n) < n // 2, -limit, limit - 1),
            "walk": np.clip(np.cumsum(rng.integers(-20, 21, n)), -limit, limit - 1),
            "text": np.frombuffer((b"+12.5\x15300\x14Sleep stage W\x14\x00" * (n + 1))[: 2 * n], "<i2"),
        }[kind].astype(np.int32)
        data = self.check(values, width)
        if n == 1000 and kind not in ("noise", "walk"):
            assert len(data) < 100
        if n == 1000 and kind == "walk":
            assert data[0] == 2  # prediction pays
            assert len(data) < 0.5 * n * width if width == 2 else len(data) < 0.4 * n * width

    @staticmethod
    def check(values: np.ndarray, width: int) -> bytes:
        data = encode_exact(values, width)
        np.testing.assert_array_equal(decode_exact(data, len(values), width), values, strict=True)
        assert len(data) <= 1 + width * len(values)
        return data

    @pytest.mark.parametrize("order", [0, 1, 2, 3])
    def test_every_predictor_is_reached(self, order):
        t = np.arange(-400, 400)
        rng = np.random.default_rng(0)
        noise = rng.integers(-60, 61, 800)
        values = {
            0: noise,
            1: np.cumsum(noise),
            2: 20 * t + np.cumsum(np.cumsum(rng.integers(-3, 4, 800))),
            3: np.cumsum(np.cumsum(np.cumsum(rng.integers(-1, 2, 800)))),
        }[order]
        values = np.clip(values, -(1 << 23), (1 << 23) - 1).astype(np.int32)
        data = self.check(values, 3)
        assert data[:2] == bytes([2, order])

    def test_wrong_counts_are_refused(self):
        walk = np.cumsum(np.random.default_rng(0).integers(-20, 21, 500)).astype(np.int32)
        noise = np.random.default_rng(0).integers(-(1 << 15), 1 << 15, 500).astype(np.int32)
        text = np.frombuffer(b"abcdefg\0" * 125, "<i2").astype(np.int32)
        methods = set()
        for values in (walk, noise, text):
            data = encode_exact(values, 2)
            methods.add(data[0])
            for count in (0, 499, 501, 1 << 40):
                with pytest.raises(ContainerError):
                    decode_exact(data, count, 2)
        assert methods == {0, 1, 2}

    @pytest.mark.parametrize("data", [b"", b"\x03", b"\x02", b"\x02\x00", b"\x02\x04\x01abc", b"\x02\x01\x05abc"])
    def test_unknown_methods_are_refused(self, data):
        with pytest.raises(ContainerError, match="method that this version does not know"):
            decode_exact(data, 3, 2)

    def test_values_that_the_sample_size_cannot_hold_are_refused(self):
        planes = byte_planes(zigzag(np.array([1 << 15])))
        with pytest.raises(ContainerError, match="leaves the range"):
            decode_exact(bytes([2, 0, planes[0]]) + zstd_compress(planes[1:], 3), 1, 2)


class TestKnots:
    @QUICK
    @given(
        st.lists(
            st.integers(0, 20).flatmap(lambda n: arrays(np.int64, (n, 2), elements=st.integers(-(2**29), 2**29))),
            max_size=6,
        )
    )
    @example([])
    @example([np.zeros((0, 2), np.int64)])
    def test_round_trip(self, channels):
        decoded = decode_knots(encode_knots(channels), [len(codes) for codes in channels])
        assert len(decoded) == len(channels)
        for found, wanted in zip(decoded, channels, strict=True):
            np.testing.assert_array_equal(found, wanted)

    def test_steady_knots_cost_next_to_nothing(self):
        steady = [np.tile([31, -4], (60, 1)) for _ in range(21)]
        assert len(encode_knots(steady)) < 80

    @pytest.mark.parametrize("counts", [[], [2], [3, 1], [4]])
    def test_another_number_of_knots_is_refused(self, counts):
        with pytest.raises(ContainerError):
            decode_knots(encode_knots([np.array([[1, 2], [3, 4], [5, 6]])]), counts)

    @pytest.mark.parametrize("data", [b"", b"\x05abc"])
    def test_an_unknown_method_is_refused(self, data):
        with pytest.raises(ContainerError, match="method"):
            decode_knots(data, [1])


class TestPacking:
    @QUICK
    @given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
    def test_varint(self, values):
        out = bytearray()
        for value in values:
            put_varint(out, value)
        position, found = 0, []
        while position < len(out):
            value, position = take_varint(bytes(out), position)
            found.append(value)
        assert found == values

    @pytest.mark.parametrize("value", [0, 127, 128, 2**63, 2**64 - 1])
    def test_varint_edges(self, value):
        out = bytearray()
        put_varint(out, value)
        assert take_varint(bytes(out), 0) == (value, len(out))
        assert len(out) == max(1, -(-value.bit_length() // 7))

    @pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9, b"\xff" * 10 + b"\x01", b"\xff" * 9 + b"\x02"])
    def test_varint_cut_short_or_too_long(self, data):
        with pytest.raises(ContainerError, match="variable-length"):
            take_varint(data, 0)

    @QUICK
    @given(arrays(np.int64, st.integers(0, 30), elements=st.integers(-(2**62), 2**62)))
    def test_zigzag(self, values):
        coded = zigzag(values)
        np.testing.assert_array_equal(unzigzag(coded), values)
        slow = [2 * v if v >= 0 else -2 * v - 1 for v in values.tolist()]
        assert coded.tolist() == slow

    @QUICK
    @given(
        st.integers(0, 32).flatmap(lambda b: arrays(np.uint64, st.integers(0, 30), elements=st.integers(0, 2**b - 1)))
    )
    def test_byte_planes(self, values):
        data = byte_planes(values)
        largest = max(values.tolist(), default=0)
        assert data[0] == -(-largest.bit_length() // 8)
        assert len(data) == 1 + data[0] * len(values)
        np.testing.assert_array_equal(join_byte_planes(data, len(values)), values)

    def test_byte_planes_are_planes(self):
        assert byte_planes(np.array([0x0102, 0x0304])) == bytes([2, 0x02, 0x04, 0x01, 0x03])

    @pytest.mark.parametrize(("data", "size"), [(b"", 0), (b"\x05", 0), (b"\x01ab", 1), (b"\x02ab", 2)])
    def test_byte_planes_of_a_wrong_size(self, data, size):
        with pytest.raises(ContainerError, match="wrong size"):
            join_byte_planes(data, size)

    SCALARS = st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(), st.binary()
    )

    @QUICK
    @given(
        st.dictionaries(
            st.text(max_size=8),
            st.one_of(
                SCALARS, st.lists(SCALARS, max_size=20), st.lists(st.dictionaries(st.text(), SCALARS), max_size=18)
            ),
            max_size=20,
        )
    )
    @example({"all widths": [b"x" * 10, b"x" * 300, b"x" * 70_000, "x" * 20, "x" * 200, "x" * 300, "x" * 70_000]})
    @example({"lists": [[0] * 15, [0] * 16, [0] * 65_535, [0] * 65_536], "map": {str(i): i for i in range(65_536)}})
    @example({"numbers": [127, 128, 255, 256, 65_535, 65_536, 2**32, -1, -32, -33, -128, -129, -40_000, -(2**40), 0.5]})
    def test_map(self, content):
        assert unpack_map(pack_map(content), "it") == content

    def test_single_precision_is_read_too(self):
        assert unpack_map(zstd_compress(msgpack.packb({"a": 0.5}, use_single_float=True), 3), "it") == {"a": 0.5}

    @QUICK
    @given(st.binary(max_size=300))
    def test_bytes_that_are_no_map_are_refused_or_a_map(self, raw):
        try:
            content = unpack_map(zstd_compress(raw, 1), "it")
        except ContainerError as error:
            sentence = str(error)
        else:
            assert content == msgpack.unpackb(raw)
            assert isinstance(content, dict)
            return
        assert sentence.startswith("it ")

    @pytest.mark.parametrize(
        "content", [1, [1], None, {1: 2}, {"a": msgpack.ExtType(4, b"1")}, {"a": msgpack.Timestamp(1)}]
    )
    def test_msgpack_that_is_no_map_with_text_keys_is_refused(self, content):
        with pytest.raises(ContainerError, match=r"^it "):
            unpack_map(zstd_compress(msgpack.packb(content), 1), "it")

    @QUICK
    @given(st.binary(max_size=500))
    def test_zstd(self, data):
        packed = zstd_compress(data, 3)
        assert zstd_decompress(packed, len(data), "it") == data
        for size in {0, len(data) - 1, len(data) + 1, 1 << 40} - {len(data)}:
            with pytest.raises(ContainerError, match=f"where {size} belong"):
                zstd_decompress(packed, size, "it")
        with pytest.raises(ContainerError, match="it "):
            zstd_decompress(packed + b"more", len(data), "it")
        with pytest.raises(ContainerError, match="it "):
            zstd_decompress(packed[:-1], len(data), "it")

    def test_zstd_frames_are_bare(self):
        parameters = zstandard.get_frame_parameters(zstd_compress(b"abc" * 100, 19))
        assert (parameters.content_size, parameters.has_checksum, parameters.dict_id) == (300, False, 0)

    @QUICK
    @given(st.integers(0, 2**62), st.binary(max_size=100))
    def test_tail(self, offset, piece):
        assert unpack_tail(pack_tail(offset, piece)) == (offset, piece)

    @pytest.mark.parametrize("payload", [b"", b"1234567", b"12345678", b"12345678no zstd frame"])
    def test_tail_that_is_none(self, payload):
        with pytest.raises(ContainerError, match="trailing bytes"):
            unpack_tail(payload)
