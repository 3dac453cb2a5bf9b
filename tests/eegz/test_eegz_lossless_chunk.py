"""Exact signals of a chunk that are predicted from each other, in files and in the hands of a forger."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import build_header, build_recording, check, write

from eegzip.formats import limits
from eegzip.formats.eegz import lossless_ahead
from eegzip.formats.eegz.lossless_ahead import lossless_chunks
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import put_varint
from eegzip.formats.predictive.chunk import PREDICTED_FROM_OTHERS, ExactDecoder
from eegzip.formats.predictive.search.chunk_encoder import ExactEncoder
from eegzip.formats.predictive.search.stream_encoder import encode_predicted, transform
from eegzip.formats.predictive.shape import Shape


def relatives(count: int, signals: int) -> dict[int, np.ndarray]:
    """Signals that share most of what they are."""
    rng = np.random.default_rng(count)
    common = np.cumsum(rng.normal(0, 40, count))
    return {10 + n: np.round(common * (1 + n / 9) + rng.normal(0, 4, count)).astype(np.int32) for n in range(signals)}


def decoder(streams: dict[int, bytes], count: int) -> ExactDecoder:
    return ExactDecoder(streams.__getitem__, dict.fromkeys(streams, (1, count)), 2, lambda error: error)


def naming(*references: int) -> bytes:
    """A predicted stream with these references and little else."""
    out = bytearray([PREDICTED_FROM_OTHERS, len(references)])
    for reference in references:
        put_varint(out, reference)
    return bytes(out) + bytes([0, 16, 1, 1, 9, 8, 0, 0, 0])


def test_relatives_are_smaller_together_and_any_can_be_read_alone():
    signals = relatives(3000, 6)
    streams = ExactEncoder(2, signals).encode(signals)
    assert all(stream[0] == PREDICTED_FROM_OTHERS for stream in streams.values())
    alone = sum(len(ExactEncoder(2, [one]).encode({one: signals[one]})[one]) for one in signals)
    assert sum(map(len, streams.values())) < 0.85 * alone
    for one, values in signals.items():
        assert np.array_equal(decoder(streams, 3000).decode(one)[0], values)


def test_a_chunk_after_another_and_text_beside_it():
    encoder = ExactEncoder(3, [10, 11, 12])
    for count in (500, 500, 70, 3):
        signals = relatives(count, 4)
        streams = encoder.encode(signals)
        assert streams[13][0] != PREDICTED_FROM_OTHERS
        reader = ExactDecoder(streams.__getitem__, dict.fromkeys(streams, (1, count)), 3, lambda error: error)
        assert all(np.array_equal(reader.decode(one)[0], values) for one, values in signals.items())


@pytest.mark.parametrize(
    ("streams", "sentence"),
    [
        ({0: naming(0)}, "predicted from itself"),
        ({0: naming(1), 1: naming(2), 2: naming(0)}, "predicted from itself"),
        ({0: naming(7)}, "a signal of another kind"),
        ({0: naming(1, 1), 1: naming()}, "names a reference twice"),
        ({0: bytes([PREDICTED_FROM_OTHERS, 65])}, "more than the 64 allowed"),
        ({0: bytes([PREDICTED_FROM_OTHERS])}, "cut short"),
        ({0: naming()[:-1]}, "cut short"),
    ],
)
def test_a_forged_stream_is_refused_every_time(streams, sentence):
    reader = decoder(streams, 5)
    for _ in range(2):
        with pytest.raises(ContainerError, match=sentence):
            reader.decode(0)


def test_a_long_chain_is_no_deep_recursion():
    count = 3000
    streams = {number: naming(number + 1) for number in range(count)} | {count: naming()}
    assert np.array_equal(decoder(streams, 4).decode(0)[0], np.zeros(4))


def test_samples_outside_the_range_of_the_file_are_refused():
    stream = encode_predicted(transform(np.arange(80, dtype=np.int32) * 1000), {}, Shape())
    with pytest.raises(ContainerError, match="leaves the range"):
        decoder({0: bytes([PREDICTED_FROM_OTHERS]) + stream}, 80).decode(0)


def test_large_chunks_are_decoded_one_by_one(target, monkeypatch):
    recording = build_recording(build_header((), exact=(64, 64, 40), n_records=9, chunk_records=2), 3)
    target.write_bytes(write(recording))
    asked: list[int] = []
    inner = lossless_ahead.begun_ahead
    monkeypatch.setattr(lossless_ahead, "begun_ahead", lambda *a: asked.append(a[2]) or inner(*a))
    with EegzReader(target) as reader:
        for most, expected in ((1 << 30, 4), (2 * 24 * 2 * 128, 2), (100, 1)):
            monkeypatch.setattr(lossless_ahead, "_MAX_BYTES", most)
            found = list(lossless_chunks(reader, range(5), [0, 1]))
            assert asked.pop() == expected
            assert np.array_equal(found[3][1], recording.chunk_exact(3, 1))


def test_files_with_predicted_signals_say_so_and_come_back(target):
    header = build_header((), exact=(64, 64, 40), n_records=9, chunk_records=2, predicted=True)
    recording = build_recording(header, 3)
    target.write_bytes(write(recording))
    with EegzReader(target) as reader:
        assert check(reader, recording) == set()
        assert reader.minor_version == 4
        assert replace(reader.header, trailing_bytes=limits.SMALL_FILE_BYTES).minor_version == 2
        assert reader.header.predicted
        chunks = list(lossless_chunks(reader, range(5), [0, 2], lambda chunk: [0, 2] if chunk == 3 else []))
    assert not any(values.any() for values in chunks[3].values())
    for number in (0, 1, 2, 4):
        for signal in (0, 2):
            assert np.array_equal(chunks[number][signal], recording.chunk_exact(number, signal))
