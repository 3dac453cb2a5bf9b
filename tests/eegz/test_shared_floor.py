"""What all of formats stands on: references in order, signed integers, work begun ahead, whole files, digests."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegzip.formats.errors import BadInputError
from eegzip.formats.files import is_eegz, replaced, sha256_of
from eegzip.formats.packing import (
    put_signed_varint,
    take_signed_varint,
    unzigzag,
    unzigzagged,
    zigzag,
    zigzagged,
)
from eegzip.formats.parallel import begun_ahead, cores
from eegzip.formats.references import resolve

GRAPHS = st.integers(1, 10).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, size - 1), max_size=3), min_size=size, max_size=size)
)


def in_circle(graph: list[list[int]], at: int, path: tuple[int, ...] = ()) -> bool:
    return at in path or any(in_circle(graph, other, (*path, at)) for other in graph[at])


@given(GRAPHS)
def test_references_come_before_what_refers_to_them(graph: list[list[int]]) -> None:
    done: list[int] = []
    asked: list[int] = []

    def references(number: int) -> list[int]:
        asked.append(number)
        return graph[number]

    if in_circle(graph, 0):
        with pytest.raises(BadInputError, match="circle"):
            resolve(0, references, done.__contains__, done.append, lambda _: BadInputError("a circle"))
    else:
        resolve(0, references, done.__contains__, done.append, lambda _: BadInputError("a circle"))
        assert done[-1] == 0
        assert len(set(done)) == len(done)
        assert all(done.index(other) < done.index(number) for number in done for other in graph[number])
    assert len(set(asked)) == len(asked)


def test_a_chain_may_be_as_long_as_there_are_streams() -> None:
    done: set[int] = set()
    resolve(0, lambda at: [at + 1] if at < 20000 else [], done.__contains__, done.add, lambda _: BadInputError(""))
    assert len(done) == 20001


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_signed_integers_come_back(value: int) -> None:
    out = bytearray(b"x")
    put_signed_varint(out, value)
    assert take_signed_varint(bytes(out), 1) == (value, len(out))
    assert unzigzagged(zigzagged(value)) == value
    many = zigzag(np.array([value]))
    assert many.tolist() == [zigzagged(value)]
    assert unzigzag(many).tolist() == [value]


def test_items_are_begun_ahead_and_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eegzip.formats.parallel.cores", lambda: 3)
    begun: list[int] = []

    def begin(pool: ThreadPoolExecutor, item: int) -> Future[int]:
        begun.append(item)
        return pool.submit(lambda: item * item)

    seen = []
    for future in begun_ahead(range(7), begin, 9):
        seen.append(future.result())
        assert len(begun) == min(len(seen) + 2, 7)
    assert seen == [item * item for item in range(7)]
    assert cores() >= 1


def test_who_stops_half_way_waits_for_nothing() -> None:
    """A generator that nobody wants any more may end anywhere, in a thread that is being started, too."""
    go_on = Event()
    work = begun_ahead(range(9), lambda pool, _: pool.submit(go_on.wait, 60), 2)
    first = next(work)
    work.close()
    assert not first.done()
    go_on.set()
    assert first.result()


def test_an_error_comes_when_its_turn_does() -> None:
    def begin(pool: ThreadPoolExecutor, item: int) -> Future[float]:
        return pool.submit(lambda: 1 / (2 - item))

    results = (future.result() for future in begun_ahead(range(5), begin, 2))
    assert [next(results), next(results)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "state"
    for content in (b"first", b"second"):
        with replaced(path) as part:
            part.write_bytes(content)
        assert path.read_bytes() == content

    def interrupted() -> None:
        with replaced(path) as part:
            part.write_bytes(b"third")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_file_is(tmp_path: Path) -> None:
    for start, wanted in ((b"\x89EEGZ\r\n", True), (b"\x09EEGZ", True), (b"0       ", False), (b"", False)):
        path = tmp_path / "file"
        path.write_bytes(start + bytes(3 << 20))
        assert is_eegz(path) is wanted
        assert sha256_of(path) == hashlib.sha256(start + bytes(3 << 20)).hexdigest()
    with pytest.raises(BadInputError, match="does not exist"):
        is_eegz(tmp_path / "missing")
