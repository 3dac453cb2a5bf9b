"""``mdct`` and ``klt-mdct``: a whole recording as one stream, at its own sample rate.

Channels are brought to unit level (mean and level are in the stream), so that one step of the quantiser serves all and
the error is shared out as the PRD of each channel counts it. ``klt-mdct`` then turns them by the recording's KLT and
drops what is not worth its column. The MDCT's block length is the one of several that costs least at the step asked
for.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from rivals import Rival
from rivals.coefficients import LAGRANGE, decode_coefficients, encode_coefficients
from rivals.fields import Reader, Writer
from rivals.klt import find_basis, read_basis
from rivals.mdct import inverse_mdct, mdct

SECONDS = (0.25, 0.375, 0.5, 0.75, 1.0)
"""Lengths of a block's hop that are tried."""
_FINENESS = 48.0
_LEVELS_AN_OCTAVE = 8
_CENTROIDS = 3
_CENTROID_UNIT = 128.0


def encode(x: np.ndarray, rate: float, step: float, *, turn: bool) -> bytes:
    """Code a recording.

    Parameters
    ----------
    x : ndarray of int, shape (channels, samples)
        Digital values.
    rate : float
        Hz; not stored.
    step : float
        Of the quantiser, in standard deviations of a channel.
    turn : bool
        By the KLT.
    """
    fields = Writer()
    fields.unsigned(x.shape[0])
    fields.unsigned(x.shape[1])
    fields.real(step)
    step = Reader(fields.data()[-4:]).real()
    means = np.rint(x.mean(axis=1)).astype(int)
    levels = np.rint(_LEVELS_AN_OCTAVE * np.log2(np.maximum(x.std(axis=1), 1e-3))).astype(int)
    for mean, level in zip(means, levels, strict=True):
        fields.signed(int(mean))
        fields.signed(int(level))
    signals = (x - means[:, None]) / (2.0 ** (levels / _LEVELS_AN_OCTAVE))[:, None]
    fields.unsigned(int(turn))
    if turn:
        basis = find_basis(signals @ signals.T / signals.shape[1], step, _FINENESS)
        signals = basis.columns.T @ signals
        count = _worth(mdct(signals, _hops(rate)[1]) / step, basis.cost())
        basis.first(count).write(fields)
        signals = signals[:count]
    bodies = [_body(signals, hop, step, shared=turn) for hop in _hops(rate)]
    return fields.data() + min(bodies)[1]


def decode(data: bytes) -> np.ndarray:
    """Return the recording as integers [channels, samples]."""
    fields = Reader(data)
    channels, length = fields.unsigned(), fields.unsigned()
    step = fields.real()
    described = np.array([(fields.signed(), fields.signed()) for _ in range(channels)], float).reshape(channels, 2)
    turned = bool(fields.unsigned())
    basis = read_basis(fields, channels).columns if turned else np.eye(channels)
    hop = fields.unsigned()
    centroids = np.array([0.0, *[fields.signed() / _CENTROID_UNIT for _ in range(_CENTROIDS)]])
    q = decode_coefficients(fields.rest(), basis.shape[1], length, hop, shared=turned)
    signals = basis @ inverse_mdct(_restored(q, centroids) * step, length)
    return np.rint(signals * 2.0 ** (described[:, 1:] / _LEVELS_AN_OCTAVE) + described[:, :1]).astype(np.int64)


def _hops(rate: float) -> list[int]:
    return sorted({max(2 * round(seconds * rate / 2), 2) for seconds in SECONDS})


def _worth(coefficients: np.ndarray, column_bits: np.ndarray) -> int:
    """How many components [frames, C, hop] to keep: up to the last that saves more error than its bits are worth."""
    magnitudes = np.abs(coefficients)
    kept = magnitudes > 0.65
    gains = ((magnitudes**2 - 1 / 12) * kept).sum(axis=(0, 2))
    bits = 6.0 * kept.sum(axis=(0, 2)) + column_bits
    worth = np.flatnonzero(gains > LAGRANGE * bits)
    return int(worth[-1]) + 1 if len(worth) else 0


def _body(signals: np.ndarray, hop: int, step: float, *, shared: bool) -> tuple[float, bytes]:
    """Code with one block length; return what it costs (squared error and bits) and the bytes."""
    coefficients = mdct(signals, hop) / step
    q, data = encode_coefficients(coefficients, shared=shared)
    fields = Writer()
    fields.unsigned(hop)
    centroids = np.zeros(_CENTROIDS + 1)
    for magnitude in range(1, _CENTROIDS + 1):
        chosen = np.abs(q) == magnitude if magnitude < _CENTROIDS else np.abs(q) >= magnitude
        offset = float((np.abs(coefficients) - np.abs(q))[chosen].mean()) if chosen.any() else 0.0
        fields.signed(round(offset * _CENTROID_UNIT))
        centroids[magnitude] = round(offset * _CENTROID_UNIT) / _CENTROID_UNIT
    error = float(((coefficients - _restored(q, centroids)) ** 2).sum())
    return error + LAGRANGE * 8 * len(data), fields.data() + data


def _restored(q: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Coefficients, in steps, that integers stand for."""
    magnitudes = np.abs(q)
    return np.sign(q) * (magnitudes + centroids[np.minimum(magnitudes, _CENTROIDS)])


_STEPS = (8.0, 5.6, 4.0, 2.8, 2.0, 1.4, 1.0, 0.7, 0.5, 0.35, 0.25, 0.18)
MDCT = Rival("mdct", "MDCT of each channel, context-modelled", _STEPS, partial(encode, turn=False), decode)
KLT_MDCT = Rival("klt-mdct", "the same after a KLT over channels", _STEPS, partial(encode, turn=True), decode)
