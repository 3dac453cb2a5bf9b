"""What tests of hostile files share: bombs, memory limits, and how a refusal is recognised."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, settings
from synthetic import (
    attempt,
)

from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError

QUICK = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak / 2**20:.1f} MiB were taken"


def bomb(size: int) -> bytes:
    """A zstd frame of 17 bytes that declares `size` bytes of content and holds none."""
    frame = b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little") + b"\x01\x00\x00"
    assert zstandard.frame_content_size(frame) == size
    return frame


def refused(path: Path, data: bytes, sentence: str | None = None) -> str:
    path.write_bytes(data)
    with pytest.raises(ContainerError, match=sentence) as caught:
        EegzReader(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).count(str(path)) == 1
    return str(caught.value)


def read_everything(reader: EegzReader) -> int:
    """Try all that a header promises of the chunks that are there; return how much was refused."""
    header, errors = reader.header, 0
    attempts = [
        *((reader.chunk_tokens, chunk, group) for chunk in reader.chunks for group in range(len(header.groups))),
        *((reader.chunk_exact, chunk, signal) for chunk in reader.chunks for signal in header.exact_signals()),
        *((reader.chunk_knots, chunk) for chunk in reader.chunks if reader.knot_owners()),
        (lambda: list(reader.trailing()),),
        (lambda: list(reader.verify_blocks()),),
    ]
    for call, *arguments in attempts:
        errors += attempt(reader, lambda call=call, arguments=arguments: (call(*arguments),)) is None
    return errors
