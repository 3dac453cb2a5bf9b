"""Losses of a damaged file: whole chunks, and of other chunks the signals whose streams were hit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from eegzip.formats.eegz.header import Coding, FileHeader
from eegzip.formats.eegz.layer_reader import LayerReader
from eegzip.formats.eegz.lines import chunk_lines
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError, ModelError


@dataclass(frozen=True)
class Losses:
    """What of a file is left out when the rest is restored; nothing by default.

    Parameters
    ----------
    chunks : frozenset of int
        Chunks of which nothing can be read.
    signals : mapping of int to frozenset of int
        Of other chunks, the signals that can't be restored there: their samples become 0.
    groups : mapping of int to frozenset of int
        Of other chunks, the groups whose tokens can't be read.
    knots : frozenset of int
        Other chunks whose scaling knots can't be read.
    """

    chunks: frozenset[int] = frozenset()
    signals: Mapping[int, frozenset[int]] = field(default_factory=dict)
    groups: Mapping[int, frozenset[int]] = field(default_factory=dict)
    knots: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        """Whether any samples are lost."""
        return bool(self.chunks or self.signals)

    def among(self, signals: Collection[int], chunk: int) -> frozenset[int]:
        """Those of some signals that can't be restored in a chunk."""
        lost = signals if chunk in self.chunks else self.signals.get(chunk, frozenset()).intersection(signals)
        return frozenset(lost)

    def of_signals(self, signals: Collection[int]) -> list[int]:
        """Chunks, in order, in which none of some signals can be restored."""
        wanted = frozenset(signals)
        found = {chunk for chunk, lost in self.signals.items() if wanted and wanted <= lost}
        return sorted(self.chunks | found)

    def of_group(self, group: int) -> frozenset[int]:
        """Chunks in which the tokens of a group can't be read."""
        return self.chunks.union(chunk for chunk, groups in self.groups.items() if group in groups)


NO_LOSSES = Losses()


def losses_of(reader: EegzReader) -> Losses:
    """Find what of a file can't be read.

    Streams of chunks that fail their checksum are decoded, each by itself; chunks that pass are believed.

    Raises
    ------
    ContainerError
        The file claims more chunks than its bytes could ever hold.
    """
    reader.require_records()
    chunks = set(range(reader.header.n_chunks)) - set(reader.chunks)
    signals, groups, knots = {}, {}, set()
    for number, place in reader.chunks.items():
        try:
            reader.directory(number)
        except ContainerError:
            chunks.add(number)
            continue
        try:
            reader.payload(place)
            reader.open_sealed(number)
        except ContainerError:
            tokens, whole = frozenset(_lost_groups(reader, number)), _has_knots(reader, number)
            if tokens:
                groups[number] = tokens
            if not whole:
                knots.add(number)
            lost = frozenset(_lost_signals(reader, number, tokens, knots=whole))
            if lost:
                signals[number] = lost
    return Losses(frozenset(chunks), signals, groups, frozenset(knots))


def _lost_groups(reader: EegzReader, chunk: int) -> Iterator[int]:
    for group in range(len(reader.header.groups)):
        try:
            # Without its model a stream is not decoded: who asks for its samples hears of that.
            with suppress(ModelError):
                reader.chunk_tokens(chunk, group)
        except ContainerError:
            yield group


def _has_knots(reader: EegzReader, chunk: int) -> bool:
    try:
        if reader.knot_owners():
            reader.chunk_knots(chunk)
    except ContainerError:
        return False
    return True


def _lost_signals(reader: EegzReader, chunk: int, groups: Collection[int], *, knots: bool) -> Iterator[int]:
    """Signals of a chunk that can't be restored, some more than once."""
    header = reader.header
    silent = _without_tokens(header, groups)
    if not knots:
        silent.update(owner.signal for owner in reader.knot_owners())
    for signal in silent:
        if header.signals[signal].coding is Coding.TOKENS:
            yield signal
    for signal in header.exact_signals():
        try:
            reader.chunk_exact(chunk, signal)
        except ContainerError:
            yield signal
    yield from _lost_in_layers(reader, chunk, silent)
    for number, lines in enumerate(header.line_sets):
        try:
            chunk_lines(reader, chunk, number)
        except ContainerError:
            yield from lines.signals


def _without_tokens(header: FileHeader, groups: Collection[int]) -> set[int]:
    """Signals that take the tokens of some groups; of a rotation, each signal takes all."""
    taken = set(groups)
    for klt in header.klts:
        if not taken.isdisjoint(klt.groups):
            taken.update(klt.groups)
    return {signal for group in taken for signal in header.groups[group].signals}


def _lost_in_layers(reader: EegzReader, chunk: int, without_tokens: Collection[int]) -> Iterator[int]:
    """Signals of layer sets that can't be restored; what their tokens give does not matter, but whether they do."""
    header = reader.header
    first, stop = header.records_of_chunk(chunk)
    having = {index for group in header.groups for index in group.signals}.difference(without_tokens)
    for number, entry in enumerate(header.layer_sets):
        count = (stop - first) * header.signals[entry.signals[0]].samples_per_record
        silent = {index: np.zeros(count) for index in having.intersection(entry.signals)}
        layers = LayerReader(reader, chunk, number, silent)
        for signal in entry.signals:
            try:
                layers.restore([signal])
            except ContainerError:
                yield signal
