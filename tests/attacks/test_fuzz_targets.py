"""The fuzzer's targets (fuzz/) go with the code: each reads a seed to its end, and what is changed is really read."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
sys.path.append(str(FUZZ))
import sections as parts  # noqa: E402 - in the folder of the fuzzer
from targets import TARGETS  # noqa: E402

from eegzip.formats.eegz.reader import EegzReader  # noqa: E402
from eegzip.formats.errors import EegzipError  # noqa: E402

SEEDS = {name: min((FUZZ / "corpus" / name).iterdir(), key=lambda path: path.stat().st_size) for name in TARGETS}


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_is_read_to_its_end(name: str) -> None:
    TARGETS[name](SEEDS[name].read_bytes())


def test_a_file_comes_out_of_its_parts_as_it_was() -> None:
    golden = FUZZ.parent / "tests" / "golden" / "v1" / "edf.eegz"
    again = parts.put_together(parts.unpack(parts.pack(parts.take_apart(golden.read_bytes()))))
    with EegzReader(golden) as one, EegzReader(again) as other:
        assert one.header == other.header
        assert one.summary == other.summary
        assert b"".join(one.trailing()) == b"".join(other.trailing())
        for chunk in one.chunks:
            for signal in one.header.exact_signals():
                assert (one.chunk_exact(chunk, signal) == other.chunk_exact(chunk, signal)).all()


def test_changes_end_in_a_sentence_and_pass_the_checksums() -> None:
    """Some hundred changes of a small file: of those that are refused, none is for a checksum."""
    seed, dice, refused = (FUZZ / "corpus" / "container" / "v1.2-exact24").read_bytes(), random.Random(1), set()

    def bytewise(data: bytes, most: int) -> bytes:
        changed = bytearray(data)
        for _ in range(dice.choice((1, 2, 8))):
            if changed:
                changed[dice.randrange(len(changed))] = dice.randrange(256)
        return bytes(changed[:most])

    for number in range(120):
        file = parts.put_together(parts.unpack(parts.mutate(seed, 1 << 20, number, bytewise)))
        try:
            with EegzReader(file) as reader:
                for chunk in reader.chunks:
                    for signal in reader.header.exact_signals():
                        reader.chunk_exact(chunk, signal)
        except EegzipError as error:
            refused.add(str(error))
    assert len(refused) > 10
    assert not [sentence for sentence in refused if "checksum" in sentence]
