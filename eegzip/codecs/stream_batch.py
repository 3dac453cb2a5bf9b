"""Brings a header's groups together with the network that codes them.

Channels of one sample rate are done together, in one batch: that is what makes the network fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.signal.analysis import Analysis, SampleReader
from eegzip.codecs.signal.components import Components, Loudness
from eegzip.codecs.signal.scaling import AdaptiveScaling, FixedScaling, scale_of
from eegzip.codecs.signal.synthesis import Synthesis, TokenSource
from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.eegz.header import FileHeader, ScalingKind
from eegzip.formats.eegz.klt import KLT
from eegzip.formats.eegz.timeline import FrameGrid

if TYPE_CHECKING:
    from eegzip.codecs.runtime import CodecRuntime
    from eegzip.codecs.stream_coder import GroupCoder

BLOCK_SECONDS = 60.0
BANK_SAMPLES = 1 << 23
"""In a block, of signals that are coded together."""


def block_records(header: FileHeader) -> int:
    """Data records that are restored at a time: about a minute, so that memory stays flat."""
    return max(1, round(BLOCK_SECONDS / header.record_duration)) if header.record_duration else 1


@dataclass(frozen=True)
class Bank:
    """Groups whose signals have one sample rate, and so one grid of frames.

    Parameters
    ----------
    groups : tuple of int
        Indices into the header's groups.
    signals : tuple of int
        Their signals, group after group, in the order of each: all for an encoder; for a decoder those that are
        wanted, as a group's signals are decoded one by one from its tokens.
    mixture : KLT or None
        The one that the groups are, all of it: then every group has a waveform of its own, a component, and each
        signal takes them all.
    """

    groups: tuple[int, ...]
    signals: tuple[int, ...]
    mixture: KLT | None = None

    def owners(self, header: FileHeader) -> tuple[int, ...]:
        """The signal in whose name each of the bank's waveforms has its scaling knots."""
        if self.mixture is None:
            return self.signals
        return tuple(header.groups[group].signals[0] for group in self.groups)


def banks_of(header: FileHeader, signals: Sequence[int] | None = None) -> list[Bank]:
    """Sort the groups that hold some signals into banks.

    Parameters
    ----------
    header : FileHeader
    signals : sequence of int, optional
        Only groups with one of these, and of them only these; all by default. Of a mixture all groups, as every
        signal takes them all.
    """
    banks: dict[tuple[FrameGrid, int], list[int]] = {}
    mixed: list[Bank] = []
    wanted = None if signals is None else frozenset(signals)
    for mixture in header.klts:
        owners = (header.groups[group].signals[0] for group in mixture.groups)
        chosen = tuple(signal for signal in owners if wanted is None or signal in wanted)
        if chosen:
            mixed.append(Bank(mixture.groups, chosen, mixture))
    apart = {group for mixture in header.klts for group in mixture.groups}
    for number, group in enumerate(header.groups):
        if number not in apart and (wanted is None or wanted.intersection(group.signals)):
            banks.setdefault((header.grid(number), group.codebooks), []).append(number)
    return mixed + [
        Bank(
            tuple(part),
            tuple(
                signal
                for group in part
                for signal in header.groups[group].signals
                if wanted is None or signal in wanted
            ),
        )
        for groups in banks.values()
        for part in _affordable(header, groups)
    ]


def _affordable(header: FileHeader, groups: list[int]) -> Iterator[list[int]]:
    """Parts of a bank whose samples of a minute don't fill the memory: hundreds of channels at kHz rates would."""
    rate = header.signals[header.groups[groups[0]].signals[0]].sample_rate or 1.0
    most = max(1, int(BANK_SAMPLES / (rate * BLOCK_SECONDS)))
    part: list[int] = []
    taken = 0
    for group in groups:
        size = len(header.groups[group].signals)
        if part and taken + size > most:
            yield part
            part, taken = [], 0
        part.append(group)
        taken += size
    yield part


def _members(header: FileHeader, bank: Bank, signals: Sequence[int]) -> list[list[int]]:
    """For each group of a bank, the places in it of some signals."""
    chosen = frozenset(signals)
    return [
        [place for place, signal in enumerate(header.groups[group].signals) if signal in chosen]
        for group in bank.groups
    ]


def columns(header: FileHeader, bank: Bank, field: str) -> np.ndarray:
    """What a field of the groups (``centres``, ``lowest``...) says of each signal of a bank.

    ``ranges`` are those of its waveforms, where they are not the signals'.
    """
    signals = bank.owners(header) if field == "ranges" else bank.signals
    return np.array(
        [
            getattr(header.groups[group], field)[place]
            for group, places in zip(bank.groups, _members(header, bank, signals), strict=True)
            for place in places
        ]
    )


def _rows(header: FileHeader, bank: Bank) -> np.ndarray | None:
    """Matrix [signals, components] that makes a bank's signals of its components; ``None`` where it has none."""
    if bank.mixture is None:
        return None
    owners = bank.owners(header)
    return bank.mixture.to_signals()[[owners.index(signal) for signal in bank.signals]]


def largest_scales(header: FileHeader, bank: Bank, knots: np.ndarray) -> np.ndarray:
    """What the tolerance of each signal of a bank is measured by: the largest scale of some knots.

    Parameters
    ----------
    header : FileHeader
    bank : Bank
    knots : ndarray of int, shape (waveforms, knots, 2)
    """
    scales = scale_of(knots[:, :, 0])
    rows = _rows(header, bank)
    if rows is not None:
        # Here, as it needs numba, which takes a while to load.
        from eegzip.formats.fixed_order import product

        scales = np.sqrt(product(np.square(rows), np.square(scales)))
    result: np.ndarray = scales.max(axis=1, initial=0.0)
    return result


def _coder(header: FileHeader, bank: Bank, runtime: CodecRuntime) -> GroupCoder:
    """The network for a bank's groups; where every channel is coded alone, styles mean nothing."""
    styles = [header.groups[group].styles or (0,) * len(header.groups[group].signals) for group in bank.groups]
    places = _members(header, bank, bank.owners(header))
    return runtime.for_groups([[row[place] for place in part] for row, part in zip(styles, places, strict=True)])


def _scaling(header: FileHeader, bank: Bank, runtime: CodecRuntime) -> AdaptiveScaling | FixedScaling:
    codec = header.codecs[header.groups[bank.groups[0]].codec]
    if codec.scaling is ScalingKind.ADAPTIVE:
        config = runtime.checkpoint.config.scaling
        return AdaptiveScaling(codec.knot_spacing, config.level_rms, config.level_peak)
    return FixedScaling(columns(header, bank, "ranges"), np.zeros(len(bank.signals)))


def analysis_of(
    header: FileHeader, bank: Bank, read: SampleReader, runtime: CodecRuntime, loudness: Loudness | None = None
) -> Analysis:
    """Encoder of a bank, reading its signals' digital values with `read`; components get an error of this loudness."""
    parts = None
    if bank.mixture is not None and loudness is not None:
        parts = Components(bank.mixture.to_components(), loudness)
    return Analysis(
        read,
        header.grid(bank.groups[0]),
        _coder(header, bank, runtime),
        _scaling(header, bank, runtime),
        columns(header, bank, "centres"),
        columns(header, bank, "ranges"),
        header.groups[bank.groups[0]].codebooks,
        parts,
    )


def synthesis_of(header: FileHeader, bank: Bank, source: TokenSource, runtime: CodecRuntime) -> Synthesis:
    """Decoder of a bank, taking tokens and knots from `source`."""
    return Synthesis(
        source,
        header.grid(bank.groups[0]),
        _coder(header, bank, runtime),
        _scaling(header, bank, runtime),
        columns(header, bank, "centres"),
        columns(header, bank, "ranges"),
        columns(header, bank, "lowest"),
        columns(header, bank, "highest"),
        _rows(header, bank),
    )


def sample_reader(file: EdfFile, bank: Bank) -> SampleReader:
    """Reads the digital values of a bank's signals from a recording."""
    per_record = file.header.signals[bank.signals[0]].samples_per_record

    def read(start: int, stop: int) -> np.ndarray:
        first = start // per_record
        block = file.read_records(first, -(-stop // per_record))
        rows = [decode_signal(block, file.header, index).reshape(-1) for index in bank.signals]
        return np.stack(rows)[:, start - first * per_record : stop - first * per_record]

    return read


