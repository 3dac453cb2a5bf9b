"""Brings a header's groups together with the network that codes them.

Channels of one sample rate are done together, in one batch: that is what makes the network fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegzip import models
from eegzip.codecs.analysis import Analysis, SampleReader
from eegzip.codecs.components import Components, Loudness
from eegzip.codecs.scaling import AdaptiveScaling, FixedScaling, scale_of
from eegzip.codecs.synthesis import Synthesis, TokenSource
from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.eegz.header import ADAPTIVE, FileHeader
from eegzip.formats.eegz.mixtures import Mixture
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.timeline import FrameGrid
from eegzip.formats.errors import ModelError

if TYPE_CHECKING:
    from eegzip.codecs.group_coder import GroupCoder
    from eegzip.codecs.runtime import CodecRuntime

BLOCK_SECONDS = 60.0
BANK_SAMPLES = 1 << 23
"""In a block, of signals that are coded together."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many data records are done, and how many there are."""


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
    mixture : Mixture or None
        The one that the groups are, all of it: then every group has a waveform of its own, a component, and each
        signal takes them all.
    """

    groups: tuple[int, ...]
    signals: tuple[int, ...]
    mixture: Mixture | None = None

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
    for mixture in header.mixtures:
        owners = (header.groups[group].signals[0] for group in mixture.groups)
        chosen = tuple(signal for signal in owners if wanted is None or signal in wanted)
        if chosen:
            mixed.append(Bank(mixture.groups, chosen, mixture))
    apart = {group for mixture in header.mixtures for group in mixture.groups}
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
    if codec.scaling == ADAPTIVE:
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


class StoredTokens:
    """Tokens and knots of a bank, out of a file.

    Parameters
    ----------
    reader : EegzReader
    bank : Bank
    lost : frozenset of int
        Chunks that can't be read. Their tokens count as 0, the most ordinary entry of each codebook, and their
        knots as their neighbours': good enough as context for the frames next to them.
    """

    def __init__(self, reader: EegzReader, bank: Bank, lost: frozenset[int] = frozenset()) -> None:
        self._reader = reader
        self._bank = bank
        self._lost = lost
        owners = {owner.signal: place for place, owner in enumerate(reader.knot_owners())}
        self._places = [owners[signal] for signal in bank.owners(reader.header) if signal in owners]

    def frames(self, start: int, stop: int) -> np.ndarray:
        """Tokens [groups, codebooks, frames], uint16."""
        return np.stack([self._reader.tokens(group, start, stop, self._lost) for group in self._bank.groups])

    def knots(self, start: int, stop: int) -> np.ndarray:
        """Scaling knots [waveforms, knots, 2], from whichever chunks store them."""
        reader, group = self._reader, self._bank.groups[0]
        result = np.zeros((len(self._places), stop - start, 2), np.int32)
        known = np.zeros(stop - start, bool)
        for number in range(start, stop):
            chunk = None if known[number - start] else self._chunk_with(number)
            if chunk is not None:
                first, end = reader.chunk_knot_range(chunk, group)
                upto = min(end, stop)
                knots = reader.chunk_knots(chunk)
                for row, place in enumerate(self._places):
                    result[row, number - start : upto - start] = knots[place][number - first : upto - first]
                known[number - start : upto - start] = True
        if known.any() and not known.all():
            places = np.arange(stop - start)
            nearest = places[known][np.abs(places[:, None] - places[known]).argmin(axis=1)]
            result = result[:, nearest]
        return result

    def _chunk_with(self, knot: int) -> int | None:
        """A chunk that stores a knot and can be read: its own, or one near by, as knots at seams are stored twice."""
        reader, group = self._reader, self._bank.groups[0]
        header, grid = reader.header, reader.header.grid(group)
        spacing = header.codecs[header.groups[group].codec].knot_spacing
        frame = grid.frame_of_model_sample(min(knot * spacing, grid.n_model_samples - 1))
        own = header.chunk_of_frame(group, frame)
        if own not in self._lost:
            return own
        for chunks in (range(own - 1, -1, -1), range(own + 1, header.n_chunks)):
            for chunk in chunks:
                first, end = reader.chunk_knot_range(chunk, group)
                if first == end:
                    continue  # too short for a frame
                if not first <= knot < end:
                    break
                if chunk not in self._lost:
                    return chunk
        return None


def load_runtime(header: FileHeader, model: str | Path | None, device: str) -> CodecRuntime:
    """Load the network that a file's tokens belong to.

    Parameters
    ----------
    header : FileHeader
    model : path-like or None
        Checkpoint to use; found by digest when ``None``.
    device : str

    Raises
    ------
    ModelError
        The model is not at hand, or `model` is another one.
    """
    # Here, so that reading tokens and exact signals needs no torch.
    from eegzip.codecs.runtime import CodecRuntime

    codec = header.codecs[0]
    try:
        checkpoint = models.load(codec.digest if model is None else model)
    except ModelError as error:
        if model is not None:
            raise
        raise ModelError(f"the file was coded with the model '{codec.model}': {error}") from error
    if checkpoint.digest != codec.digest:
        raise ModelError(
            f"the file was coded with the model '{codec.model}' (digest {codec.digest[:16]}...), but "
            f"{checkpoint.folder} is another ({checkpoint.digest[:16]}...); name the right folder with --model."
        )
    network = checkpoint.config.network
    stated = (codec.name, codec.hop, codec.codebooks, codec.codebook_size)
    known = (checkpoint.config.architecture, network.hop, network.n_codebooks, network.codebook_size)
    if stated != known:
        raise ModelError(f"the file contradicts its model '{codec.model}' about kind, hop or codebooks; it is damaged.")
    return CodecRuntime(checkpoint, device=device)
