"""``mdct``, ``klt-mdct`` and ``klt-bands``: a whole recording as one stream, at its own sample rate.

Channels are brought to unit level (mean and level are in the stream), so that one step of the quantiser serves all and
the error is shared out as the PRD of each channel counts it. ``klt-mdct`` then turns them by the recording's KLT and
drops what is not worth its column; ``klt-bands`` has a KLT for each of several bands of frequency, which is more than
was asked of a rival and shows what a classical coder can do. The MDCT's block length is the one of several that costs
least at the step asked for.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from rivals import Rival
from rivals.coefficients import LAGRANGE, decode_coefficients, encode_coefficients
from rivals.fields import Reader, Writer
from rivals.klt import find_basis, read_basis
from rivals.levels import read_levels, with_levels, write_levels
from rivals.mdct import frames_of, inverse_mdct, mdct

HOPS = (0.25, 0.375, 0.5, 0.75, 1.0)
"""Seconds from block to block that are tried."""
_MIDDLE = 2
_FINENESS = 48.0
_CENTROIDS = 3
_CENTROID_UNIT = 128.0


def encode(x: np.ndarray, rate: float, step: float, *, edges: tuple[float, ...] | None) -> bytes:
    """Code a recording.

    Parameters
    ----------
    x : ndarray of int, shape (channels, samples)
        Digital values.
    rate : float
        Hz; not stored.
    step : float
        Of the quantiser, in standard deviations of a channel.
    edges : tuple of float, optional
        Turn channels by the KLT of each band between 0 Hz, these, and half the sample rate; not at all by default.
    """
    fields = Writer()
    fields.unsigned(x.shape[0])
    fields.unsigned(x.shape[1])
    step = float(np.float32(step))
    fields.real(step)
    signals = write_levels(fields, x)
    bands = [] if edges is None else [0.0, *(edge for edge in edges if edge < rate / 2)]
    fields.unsigned(len(bands))
    hops = [max(2 * round(seconds * rate / 2), 2) for seconds in HOPS]
    bases = []
    middle = mdct(signals, hops[_MIDDLE])
    for low, high in _slices(_bins(bands, rate, hops[_MIDDLE]), hops[_MIDDLE]):
        part = middle[..., low:high]
        basis = find_basis(np.einsum("tck,tdk->cd", part, part) / (part.shape[0] * hops[_MIDDLE]), step, _FINENESS)
        count = _worth(basis.columns.T @ part / step, basis.cost())
        basis.first(count).write(fields)
        bases.append(basis.columns[:, :count])
    bodies = [_body(mdct(signals, hop) / step, bases, _bins(bands, rate, hop)) for hop in hops]
    return fields.data() + min(bodies)[1]


def decode(data: bytes) -> np.ndarray:
    """Return the recording as integers [channels, samples]."""
    fields = Reader(data)
    channels, length = fields.unsigned(), fields.unsigned()
    step = fields.real()
    levels = read_levels(fields, channels)
    bases = [read_basis(fields, channels).columns for _ in range(fields.unsigned())]
    hop = fields.unsigned()
    starts = [fields.unsigned() for _ in bases]
    centroids = np.array([0.0, *[fields.signed() / _CENTROID_UNIT for _ in range(_CENTROIDS)]])
    allowed = _allowed(bases, starts, channels, hop)
    q = decode_coefficients(fields.rest(), frames_of(length, hop), allowed)
    coefficients = _turned_back(_restored(q, centroids) * step, bases, starts)
    return with_levels(inverse_mdct(coefficients, length), levels)


def _bins(bands: list[float], rate: float, hop: int) -> list[int]:
    """First bin of each band."""
    return [round(edge * 2 * hop / rate) for edge in bands]


def _slices(starts: list[int], hop: int) -> list[tuple[int, int]]:
    return list(zip(starts, [*starts[1:], hop], strict=False))


def _allowed(bases: list[np.ndarray], starts: list[int], channels: int, hop: int) -> np.ndarray:
    """Which bins of which components there are, [components, hop]."""
    if not bases:
        return np.ones((channels, hop), bool)
    allowed = np.zeros((max(basis.shape[1] for basis in bases), hop), bool)
    for basis, (low, high) in zip(bases, _slices(starts, hop), strict=True):
        allowed[: basis.shape[1], low:high] = True
    return allowed


def _turned(coefficients: np.ndarray, bases: list[np.ndarray], starts: list[int]) -> np.ndarray:
    """Components [frames, components, hop] of channels [frames, C, hop]."""
    hop = coefficients.shape[2]
    if not bases:
        return coefficients
    turned = np.zeros((len(coefficients), max(basis.shape[1] for basis in bases), hop))
    for basis, (low, high) in zip(bases, _slices(starts, hop), strict=True):
        turned[:, : basis.shape[1], low:high] = basis.T @ coefficients[..., low:high]
    return turned


def _turned_back(components: np.ndarray, bases: list[np.ndarray], starts: list[int]) -> np.ndarray:
    """Channels of components."""
    frames, _, hop = components.shape
    if not bases:
        return components
    channels = np.zeros((frames, len(bases[0]), hop))
    for basis, (low, high) in zip(bases, _slices(starts, hop), strict=True):
        channels[..., low:high] = basis @ components[:, : basis.shape[1], low:high]
    return channels


def _worth(components: np.ndarray, column_bits: np.ndarray) -> int:
    """How many components [frames, C, K] to keep: up to the last that saves more error than its bits are worth."""
    magnitudes = np.abs(components)
    kept = magnitudes > 0.65
    gains = ((magnitudes**2 - 1 / 12) * kept).sum(axis=(0, 2))
    bits = 6.0 * kept.sum(axis=(0, 2)) + column_bits
    worth = np.flatnonzero(gains > LAGRANGE * bits)
    return int(worth[-1]) + 1 if len(worth) else 0


def _body(coefficients: np.ndarray, bases: list[np.ndarray], starts: list[int]) -> tuple[float, bytes]:
    """Code with one block length; return what it costs (squared error and bits) and the bytes."""
    hop = coefficients.shape[2]
    components = _turned(coefficients, bases, starts)
    q, data = encode_coefficients(components, _allowed(bases, starts, coefficients.shape[1], hop))
    fields = Writer()
    fields.unsigned(hop)
    for start in starts:
        fields.unsigned(start)
    centroids = np.zeros(_CENTROIDS + 1)
    for magnitude in range(1, _CENTROIDS + 1):
        chosen = np.abs(q) == magnitude if magnitude < _CENTROIDS else np.abs(q) >= magnitude
        offset = float((np.abs(components) - np.abs(q))[chosen].mean()) if chosen.any() else 0.0
        fields.signed(round(offset * _CENTROID_UNIT))
        centroids[magnitude] = round(offset * _CENTROID_UNIT) / _CENTROID_UNIT
    # What the basis leaves out is lost as well: all bodies are compared by the whole.
    error = float((coefficients**2).sum() - (components**2).sum() + ((components - _restored(q, centroids)) ** 2).sum())
    return error + LAGRANGE * 8 * len(data), fields.data() + data


def _restored(q: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Coefficients, in steps, that integers stand for."""
    magnitudes = np.abs(q)
    return np.sign(q) * (magnitudes + centroids[np.minimum(magnitudes, _CENTROIDS)])


_STEPS = (8.0, 5.0, 3.2, 2.0, 1.3, 0.8, 0.5, 0.3, 0.18, 0.1, 0.05, 0.015)
MDCT = Rival("mdct", "MDCT of each channel, context-modelled", _STEPS, partial(encode, edges=None), decode)
KLT_MDCT = Rival("klt-mdct", "the same after a KLT over channels", _STEPS, partial(encode, edges=()), decode)
KLT_BANDS = Rival(
    "klt-bands", "the same with a KLT for each of six bands", _STEPS, partial(encode, edges=(2, 4, 8, 13, 25)), decode
)
