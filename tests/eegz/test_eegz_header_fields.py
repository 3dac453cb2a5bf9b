"""A header whose fields lie: each is refused with a sentence that names the file."""

from __future__ import annotations

import io
from dataclasses import replace

import msgpack
import pytest
from hostility import QUICK, memory_below, read_everything, refused
from hypothesis import given
from hypothesis import strategies as st
from synthetic import (
    Block,
    Group,
    Recording,
    build_header,
    build_recording,
    join,
    split,
    write,
)

from eegzip.formats import limits
from eegzip.formats.eegz import layout
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import unpack_map, zstd_compress


class TestHeaderFields:
    @staticmethod
    def forge(recording: Recording, change) -> bytes:
        blocks = split(write(recording))
        content = unpack_map(blocks[0].payload, "it")
        change(content)
        raw = msgpack.packb(content)
        blocks[0] = Block(b"HEAD", zstd_compress(raw, 3), layout.CRITICAL)
        return join(blocks)

    @pytest.mark.parametrize(
        ("where", "key", "value"),
        [
            (None, "sample_bytes", 1),
            (None, "sample_bytes", 4),
            (None, "sample_bytes", "2"),
            (None, "n_records", -1),
            (None, "n_records", (1 << 40) + 1),
            (None, "n_records", 11.0),
            (None, "n_records", True),
            (None, "chunk_records", 0),
            (None, "chunk_records", -4),
            (None, "chunk_records", 1 << 63),
            (None, "trailing_bytes", -1),
            (None, "record_duration", -1.0),
            (None, "record_duration", float("nan")),
            (None, "record_duration", float("inf")),
            (None, "record_duration", "1"),
            (None, "edf_header", "text"),
            (None, "source_sha256", "../../etc/passwd"),
            (None, "deviations", [["nested"]]),
            (None, "deviations", "text"),
            (None, "signals", {}),
            (None, "signals", [1]),
            (None, "signals", []),
            (None, "codecs", []),
            (None, "groups", []),
            (None, "software", None),
            ("signals", "samples_per_record", -1),
            ("signals", "samples_per_record", 0),
            ("signals", "samples_per_record", 1 << 28),
            ("signals", "samples_per_record", 99),
            ("signals", "coding", "magic"),
            ("signals", "coding", "exact"),
            ("signals", "sample_rate", float("nan")),
            ("signals", "physical_minimum", float("-inf")),
            ("signals", "digital_minimum", 1 << 40),
            ("signals", "digital_minimum", 0.5),
            ("signals", "label", b"bytes"),
            ("codecs", "hop", 0),
            ("codecs", "hop", -64),
            ("codecs", "hop", 1 << 40),
            ("codecs", "codebooks", 0),
            ("codecs", "codebooks", 1),
            ("codecs", "codebook_size", 1),
            ("codecs", "codebook_size", 65537),
            ("codecs", "scaling", "magic"),
            ("codecs", "knot_spacing", 0),
            ("codecs", "knot_spacing", -1),
            ("codecs", "rate", [1]),
            ("codecs", "rate", [1, 0]),
            ("codecs", "rate", [0, 1]),
            ("codecs", "rate", [1 << 30, 1]),
            ("codecs", "rate", 256),
            ("codecs", "digest", "g" * 64),
            ("codecs", "digest", "../models"),
            ("groups", "signals", []),
            ("groups", "signals", [0, 0]),
            ("groups", "signals", [0, 2]),
            ("groups", "signals", [0, 99]),
            ("groups", "signals", [-1, 0]),
            ("groups", "signals", [0]),
            ("groups", "codec", 3),
            ("groups", "codec", -1),
            ("groups", "codebooks", 0),
            ("groups", "codebooks", 5),
            ("groups", "up", 0),
            ("groups", "down", -25),
            ("groups", "up", 1 << 25),
            ("groups", "centres", [0.0]),
            ("groups", "centres", [0.0, float("nan")]),
            ("groups", "ranges", [1.0, 0.0]),
            ("groups", "ranges", [1.0, -1.0]),
            ("groups", "ranges", [1.0, float("inf")]),
            ("groups", "lowest", [0, 40000]),
            ("groups", "lowest", [0, -40000]),
            ("groups", "highest", [-32768, 1 << 15]),
            ("groups", "highest", [5]),
            ("groups", "bits_per_second", None),
            ("groups", "styles", None),
            ("groups", "styles", []),
            ("groups", "styles", [5]),
            ("groups", "styles", [5, 1, 2]),
            ("groups", "styles", [5, 5]),
            ("groups", "styles", [0, 5]),
            ("groups", "styles", [5, -1]),
            ("groups", "styles", [5, (1 << 16) + 1]),
            ("groups", "styles", [5, True]),
            ("groups", "styles", [5, 1.0]),
            ("groups", "styles", {5: 1}),
        ],
    )
    def test_a_wrong_field_is_refused(self, target, mixed, where, key, value):
        def change(content):
            (content if where is None else content[where][0])[key] = value

        sentence = refused(target, self.forge(mixed, change))
        assert "header" in sentence
        assert len(sentence) < len(str(target)) + 250

    def test_only_a_signal_alone_may_have_no_style(self, target):
        def header(*styles: int):
            return build_header((Group(members=len(styles), styles=styles),))

        for styles in ((0,), (limits.MAX_STYLE,), (1, 2), (2, 1)):
            recording = build_recording(header(*styles), 3)
            target.write_bytes(write(recording))
            with EegzReader(target) as file:
                assert replace(file.header, trailing_bytes=limits.SMALL_FILE_BYTES).minor_version == 1
                assert file.header.groups[0].styles == styles
                assert read_everything(file) == 0
        with pytest.raises(ContainerError, match="that its codec can't tell apart"):
            EegzWriter(io.BytesIO(), header(3, 0))

    def test_styles_of_another_codec_are_ignored(self, target, mixed):
        """A codec of a later version may use the name for something else."""

        def change(content):
            content["groups"][1]["styles"] = {"anything": [1]}
            content["codecs"][1]["name"] = "dac-xx"

        target.write_bytes(self.forge(mixed, change))
        with EegzReader(target) as file:
            assert [group.styles for group in file.header.groups] == [(5, 1), None, None]
            assert read_everything(file) == 0
            assert "anything" not in str(unpack_map(file.header.pack(), "it"))

    def test_every_field_is_needed(self, target, mixed):
        content = unpack_map(mixed.header.pack(), "it")
        optional = {"record_duration", "rate", "sample_rate"} | {
            f"{kind}_{end}" for kind in ("physical", "digital") for end in ("minimum", "maximum")
        }
        for where in (None, "signals", "codecs", "groups"):
            for key in content if where is None else content[where][0]:

                def change(forged, where=where, key=key):
                    del (forged if where is None else forged[where][0])[key]

                data = self.forge(mixed, change)
                if key in optional:
                    target.write_bytes(data)
                    with EegzReader(target) as file:
                        read_everything(file)
                else:
                    assert key in refused(target, data) or key in ("signals", "codecs", "groups", "digest")

    def test_too_many_tokens_a_chunk(self, target, mixed):
        def change(content):
            content["groups"][0].update(up=1 << 24, down=1)
            content["codecs"][0].update(scaling="fixed", knot_spacing=0)

        refused(target, self.forge(mixed, change), "group 0 of the header declares more tokens a chunk than can be")

    def test_too_many_knots_a_chunk(self, target, mixed):
        def change(content):
            content["groups"][0].update(up=1 << 20, down=1)
            content["codecs"][0].update(hop=1 << 20, knot_spacing=1)

        refused(target, self.forge(mixed, change), "more scaling knots a chunk than can be")

    def test_too_large_records_and_chunks(self, target, bdf):
        def records(content):
            content["signals"][0]["samples_per_record"] = limits.MAX_RECORD_BYTES // 3 + 1

        refused(target, self.forge(bdf, records), "data records of .* bytes, more than can be")

        def chunks(content):
            content["signals"][0]["samples_per_record"] = 1 << 20
            content.update(n_records=1 << 30, chunk_records=1 << 30)

        refused(target, self.forge(bdf, chunks), "chunks larger than can be")

    def test_endless_recordings_cost_nothing(self, target, mixed):
        def change(content):
            content.update(n_records=1 << 40, trailing_bytes=1 << 62)

        target.write_bytes(self.forge(mixed, change))
        with memory_below(8 << 20), EegzReader(target) as file:
            assert any("chunks are missing" in problem for problem in file.problems)
            assert read_everything(file) > 0
            with pytest.raises(ContainerError, match="is missing"):
                file.chunk_tokens(1 << 30, 0)

    HOSTILE = st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([-(1 << 63), -1, 0, 1, 2, 3, 5, 7, 63, 64, 255, 1 << 16, 1 << 20, 1 << 40, (1 << 64) - 1]),
        st.sampled_from([0.0, -0.5, 1e308, -1e308, 1e-320, float("nan"), float("inf"), float("-inf")]),
        st.sampled_from(["", "tokens", "exact", "adaptive", "fixed", "\0", "../..", "x" * 100_000]),
        st.sampled_from([b"", b"\xff" * 64]),
        st.sampled_from([[], {}, [[]], [0] * 100, [{}], {"a": {}}, [-1], [1 << 63], [None, None], [1.5, 2.5]]),
    )

    @QUICK
    @given(st.data())
    def test_any_one_field_changed_to_anything(self, target, mixed, data):
        content = unpack_map(mixed.header.pack(), "it")
        place = content
        while True:
            keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
                break
            place = place[key]
        place[key] = data.draw(self.HOSTILE)
        blocks = split(write(mixed))
        blocks[0] = Block(b"HEAD", zstd_compress(msgpack.packb(content), 1), layout.CRITICAL)
        target.write_bytes(join(blocks, index=data.draw(st.booleans())))
        with memory_below(64 << 20):
            try:
                file = EegzReader(target)
            except ContainerError as error:
                sentence = str(error)
            else:
                with file:
                    read_everything(file)
                    # What is accepted is what a writer could have written.
                    assert unpack_header(file.header.pack()) == file.header
                return
        assert sentence.startswith(str(target))
        assert len(sentence) < len(str(target)) + 250

    @QUICK
    @given(st.recursive(HOSTILE, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner)))
    def test_any_header_at_all(self, target, content):
        head = Block(b"HEAD", zstd_compress(msgpack.packb(content), 1), layout.CRITICAL)
        refused(target, join([head]))
