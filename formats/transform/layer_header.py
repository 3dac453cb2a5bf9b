"""Header of a layer: all but its coefficients, as bits: version 1.3 (SPEC.md, section 6.9) and of 1.2 (6.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eegzip.formats.entropy.adaptive_bit import put_adaptive_bit, take_adaptive_bit
from eegzip.formats.entropy.binary_coder import put_bits, take_bits
from eegzip.formats.entropy.jit import jit
from eegzip.formats.entropy.mixing import new_probabilities
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import unzigzagged, zigzagged
from eegzip.formats.transform.angles import decode_column, encode_column, new_angle_model
from eegzip.formats.transform.bands import edges
from eegzip.formats.transform.spatial import MAX_WIDTH, Band

STEP_BITS = 14
_PART_BITS = 6
_FIRST_COLUMN_BITS = 7
_FIRST_WIDTH_BITS = 4
_HEAD_BYTES = 1 << 12
_SLOWEST = 60
_CUT, _STOP, _ONWARDS = range(3)


@dataclass(frozen=True)
class LayerHeader:
    """Everything that shapes a layer but its coefficients.

    Parameters
    ----------
    members : ndarray of bool, shape (signals of the set,)
        Which signals the layer holds.
    blocks : int
        Blocks that the chunk is cut into.
    centres : tuple of int
        Subtracted from each member's samples.
    steps : tuple of int
        Code of each member's quantiser step: the step is 2**(code / 128 - 64) digital units.
    parts : tuple of int
        Up to where each component is written, in 63rds of its bins.
    bands : tuple of Band
    cuts : ndarray of bool, shape (blocks - 1,), or None
        Borders between blocks at which nothing overlaps; ``None`` where all do.
    """

    members: np.ndarray
    blocks: int
    centres: tuple[int, ...]
    steps: tuple[int, ...]
    parts: tuple[int, ...]
    bands: tuple[Band, ...]
    cuts: np.ndarray | None = None


def block_size(n_samples: int, blocks: int) -> int:
    """Samples a block: even, and as many as the chunk needs."""
    size = -(-n_samples // blocks)
    return size + (size & 1)


def room_for_layer_header(header: LayerHeader) -> int:
    """Bytes that a header can take at most."""
    angles = sum(4 * MAX_WIDTH * codes.size for band in header.bands for codes in band.angles)
    return _HEAD_BYTES + 64 * len(header.members) + 64 * len(header.bands) + 2 * header.blocks + angles


def put_layer_header(state: np.ndarray, out: np.ndarray, header: LayerHeader) -> None:
    """Write a header as version 1.3 does."""
    for member in header.members:
        put_bits(state, out, int(member), 1)
    _put_number(state, out, header.blocks)
    model = new_probabilities(3)
    put_bits(state, out, int(header.cuts is not None), 1)
    if header.cuts is not None:
        for cut in header.cuts:
            _put(state, out, model, _CUT, int(cut))
    least = min(header.steps)
    width = (max(header.steps) - least).bit_length()
    put_bits(state, out, least, STEP_BITS)
    put_bits(state, out, width, 4)
    for centre, step, part in zip(header.centres, header.steps, header.parts, strict=True):
        _put_number(state, out, zigzagged(centre))
        put_bits(state, out, step - least, width)
        put_bits(state, out, part, _PART_BITS)
    count, angle_model = len(header.steps), new_angle_model()
    stops = iter(edges(header.bands[-1].stop)[1:])
    for number, band in enumerate(header.bands):
        if number:
            _put(state, out, model, _ONWARDS, int(band.onwards))
        put_bits(state, out, len(band.widths), _column_bits(count))
        for width, codes in zip(band.widths, band.angles, strict=True):
            encode_column(state, out, angle_model, band.onwards, width, codes)
        for stop in stops:
            if stop != header.bands[-1].stop:
                _put(state, out, model, _STOP, int(stop == band.stop))
            if stop == band.stop:
                break


def take_layer_header(state: np.ndarray, stream: np.ndarray, signals: int, n_samples: int) -> LayerHeader:
    """Inverse of :func:`put_layer_header`.

    Raises
    ------
    ContainerError
        It contradicts itself.
    """
    members, count, blocks = _take_members(state, stream, signals, n_samples)
    model, cuts = new_probabilities(3), None
    if take_bits(state, stream, 1):
        cuts = _take_cuts(state, stream, model, blocks - 1)
    centres, steps, parts = _take_steps(state, stream, count)
    angle_model, found = new_angle_model(), edges(block_size(n_samples, blocks))
    bands: list[Band] = []
    opened = True
    for number, stop in enumerate(found[1:], 2):
        if opened:
            onwards = bool(bands and _take(state, stream, model, _ONWARDS))
            columns = _columns(int(take_bits(state, stream, _column_bits(count))), count)
            turns = [
                decode_column(state, stream, angle_model, count - 1 - column, onwards=onwards)
                for column in range(columns)
            ]
        opened = number == len(found) or bool(_take(state, stream, model, _STOP))
        if opened:
            bands.append(Band(stop, tuple(width for width, _ in turns), tuple(codes for _, codes in turns), onwards))
    return LayerHeader(members, blocks, centres, steps, parts, tuple(bands), cuts)


def take_first_layer_header(state: np.ndarray, stream: np.ndarray, signals: int, n_samples: int) -> LayerHeader:
    """Read a header as version 1.2 wrote it.

    Raises
    ------
    ContainerError
        It contradicts itself.
    """
    members, count, blocks = _take_members(state, stream, signals, n_samples)
    centres, steps, parts = _take_steps(state, stream, count)
    bins = block_size(n_samples, blocks)
    bands: list[Band] = []
    begin = 0
    while begin < bins:
        stop = begin + _take_number(state, stream)
        columns = _columns(int(take_bits(state, stream, _FIRST_COLUMN_BITS)), count)
        if not begin < stop <= bins:
            raise ContainerError("a layer has a band that does not fit its bins.")
        bands.append(_take_first_band(state, stream, stop, columns, count))
        begin = stop
    return LayerHeader(members, blocks, centres, steps, parts, tuple(bands))


def _column_bits(count: int) -> int:
    return (count - 1).bit_length()


def _columns(columns: int, count: int) -> int:
    if columns > count:
        raise ContainerError("a layer turns more components than it has.")
    return columns


@jit
def _put(state: np.ndarray, out: np.ndarray, model: tuple[np.ndarray, np.ndarray], context: int, bit: int) -> None:
    put_adaptive_bit(state, out, model[0], model[1], context, bit, _SLOWEST)


@jit
def _take(state: np.ndarray, stream: np.ndarray, model: tuple[np.ndarray, np.ndarray], context: int) -> int:
    return take_adaptive_bit(state, stream, model[0], model[1], context, _SLOWEST)


@jit
def _take_cuts(state: np.ndarray, stream: np.ndarray, model: tuple[np.ndarray, np.ndarray], borders: int) -> np.ndarray:
    """Which borders are cut; millions may be said in a few bytes, so not one by one."""
    cuts = np.zeros(borders, np.bool_)
    for border in range(borders):
        cuts[border] = _take(state, stream, model, _CUT) != 0
    return cuts


def _put_number(state: np.ndarray, out: np.ndarray, value: int) -> None:
    """An unsigned integer below 2**31: its number of binary digits in 5 bits, then the digits."""
    put_bits(state, out, value.bit_length(), 5)
    put_bits(state, out, value, value.bit_length())


def _take_number(state: np.ndarray, stream: np.ndarray) -> int:
    return int(take_bits(state, stream, take_bits(state, stream, 5)))


def _take_members(state: np.ndarray, stream: np.ndarray, signals: int, n_samples: int) -> tuple[np.ndarray, int, int]:
    members = np.array([take_bits(state, stream, 1) for _ in range(signals)], bool)
    count = int(members.sum())
    blocks = _take_number(state, stream)
    if not count or not 1 <= blocks <= max(1, n_samples // 2):
        raise ContainerError("a layer holds no signals, or has blocks that its chunk can't be cut into.")
    return members, count, blocks


def _take_steps(
    state: np.ndarray, stream: np.ndarray, count: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Centres, steps and parts."""
    least, width = take_bits(state, stream, STEP_BITS), take_bits(state, stream, 4)
    centres, steps, parts = [], [], []
    for _ in range(count):
        centres.append(unzigzagged(_take_number(state, stream)))
        steps.append(int(least + take_bits(state, stream, width)))
        parts.append(int(take_bits(state, stream, _PART_BITS)))
    if max(steps) >> STEP_BITS:
        raise ContainerError("a layer has a quantiser step beyond measure.")
    return tuple(centres), tuple(steps), tuple(parts)


def _take_first_band(state: np.ndarray, stream: np.ndarray, stop: int, columns: int, count: int) -> Band:
    widths, angles = [], []
    for column in range(columns):
        width = int(take_bits(state, stream, _FIRST_WIDTH_BITS))
        if not width:
            raise ContainerError("a layer has a rotation without angles.")
        half = 1 << (width - 1)
        codes = [take_bits(state, stream, width) - half for _ in range(count - 1 - column)]
        widths.append(width)
        angles.append(np.array(codes, np.int64))
    return Band(stop, tuple(widths), tuple(angles))
