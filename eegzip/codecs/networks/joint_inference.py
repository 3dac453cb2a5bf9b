"""The decoder that sees all channels, on numpy: :mod:`eegzip.codecs.networks.joint` without gradients and torch.

SPEC.md, section 9.1, with its names. Sums that are large go through :func:`eegzip.formats.fixed_order.product`, so the
number of threads shows in nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eegzip.codecs.checkpoints.checkpoint import JOINT, Checkpoint
from eegzip.codecs.checkpoints.config import JointConfig
from eegzip.codecs.types import FloatArray
from eegzip.formats.entropy.jit import jit
from eegzip.formats.errors import ModelError
from eegzip.formats.fixed_order import gram, product

BANDS = (0, 2, 4, 6, 8, 11, 14, 18, 24, 32, 44, 60, 128)
"""First bin of each band, and the end of the last."""
N_BANDS = len(BANDS) - 1
ITERATIONS = 8
# Share of each covariance that is given up for the sake of its inverse.
SHRINKAGE = 0.03
# Least share of its variance that a decoded band is taken to have kept.
MIN_KEPT = 0.05
MIN_NOISE = 1e-4
_EPSILON = 1e-5

DoubleArray = npt.NDArray[np.float64]


class Neighbours(NamedTuple):
    """What the channels of a window have to do with each other, band by band, float32.

    Attributes
    ----------
    correlations : ndarray, shape (bands, channels, channels)
        Between the channels as they were before coding; zero on the diagonal.
    weights : ndarray, shape (bands, channels, channels)
        That make of decoded coefficients those of the posterior mean.
    left, noise, energy : ndarray, shape (bands, channels)
        Variance of the posterior, of what the channel's own tokens leave, and of what they give.
    """

    correlations: FloatArray
    weights: FloatArray
    left: FloatArray
    noise: FloatArray
    energy: FloatArray


def neighbours_of(decoded: FloatArray, noise: FloatArray) -> Neighbours:
    """Estimate how channels belong together, by expectation maximisation in double precision.

    Parameters
    ----------
    decoded : ndarray, shape (channels, frames, bins)
        Sums of codewords.
    noise : ndarray, shape (channels, frames, bins)
        Expected squared errors of these.
    """
    channels, frames = decoded.shape[:2]
    own = np.eye(channels, dtype=bool)
    parts = [slice(first, stop) for first, stop in pairwise(BANDS)]
    found = np.stack(
        [gram(decoded[:, :, part].reshape(channels, -1)) / (frames * (part.stop - part.start)) for part in parts]
    )
    error = np.stack([noise[:, :, part].astype(np.float64).mean(axis=(1, 2)) for part in parts])
    error = np.maximum(error, MIN_NOISE)
    energy = _diagonals(found)
    variance = energy + error
    size = np.sqrt(variance)
    kept = np.maximum(energy / variance, MIN_KEPT)
    # Errors don't correlate with what was decoded, so coding takes the same share from all of a channel's covariances.
    whole = found / (kept[:, :, None] * kept[:, None] * size[:, :, None] * size[:, None])
    values, vectors = np.linalg.eigh(np.where(own, 1.0, whole))
    whole = (vectors * np.maximum(values, SHRINKAGE)[:, None]) @ vectors.swapaxes(1, 2)
    size = size / np.sqrt(_diagonals(whole))
    whole = whole * size[:, :, None] * size[:, None]
    for _ in range(ITERATIONS):
        sureness = np.maximum(1 / error - 1 / _diagonals(whole), 1e-6)
        posterior = np.linalg.inv(np.linalg.inv(whole) + np.where(own, sureness[:, None], 0.0))
        weights = posterior / error[:, None]
        whole = weights @ found @ weights.swapaxes(1, 2) + posterior
        whole = np.where(own, whole, (1 - SHRINKAGE) * whole)
        whole = 0.5 * (whole + whole.swapaxes(1, 2))
    size = np.sqrt(_diagonals(whole))
    correlations = np.where(own, 0.0, whole / (size[:, :, None] * size[:, None]))
    parts64 = (correlations, weights, _diagonals(posterior), error, energy)
    return Neighbours(*(np.ascontiguousarray(part, np.float32) for part in parts64))


def _diagonals(matrices: DoubleArray) -> DoubleArray:
    return np.diagonal(matrices, axis1=1, axis2=2)


def _banded(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return what weights [bands, channels, channels] make of values [channels, frames, bins]."""
    result = np.empty_like(values)
    for band, (first, stop) in enumerate(pairwise(BANDS)):
        part = values[:, :, first:stop]
        result[:, :, first:stop] = product(weights[band], part.reshape(len(part), -1)).reshape(part.shape)
    return result


def _band_means(values: FloatArray) -> FloatArray:
    """Means [..., bands] of values [..., bins]."""
    return np.stack([values[..., first:stop].mean(axis=-1) for first, stop in pairwise(BANDS)], axis=-1)


@jit
def _gelu(values: np.ndarray) -> None:
    """Replace x by x (1 + erf(x / sqrt(2))) / 2."""
    for place in range(len(values)):
        x = values[place]
        values[place] = np.float32(x * 0.5 * (1.0 + math.erf(x * 0.7071067811865476)))


class JointRefiner:
    """The network with its weights.

    Parameters
    ----------
    config
        Its shape.
    arrays
        Its weights, float32, by the names that SPEC.md gives them (10.2).

    Attributes
    ----------
    config : JointConfig
    """

    def __init__(self, config: JointConfig, arrays: Mapping[str, FloatArray]) -> None:
        self.config = config
        self._arrays = arrays

    def __call__(self, decoded: FloatArray, depth: npt.NDArray[np.integer]) -> FloatArray:
        """Return refined latents [channels, frames, bins].

        Parameters
        ----------
        decoded : ndarray of float32, shape (channels, frames, bins)
            Sums of codewords.
        depth : ndarray of int, shape (channels, frames)
            How many codewords each is the sum of.
        """
        decoded = np.ascontiguousarray(decoded)
        channels, frames, bins = decoded.shape
        table = self._arrays["noise"]
        noise = table[depth]
        known = neighbours_of(decoded, noise)
        wiener = _banded(known.weights, decoded)
        size = np.sqrt(np.maximum(noise, np.float32(MIN_NOISE)))
        level = np.sqrt(np.maximum(table[0], np.float32(MIN_NOISE)))

        def steady(values: FloatArray) -> FloatArray:
            return np.broadcast_to(np.log(values.T + np.float32(0.1))[:, None], (channels, frames, N_BANDS))

        features = [
            np.arcsinh(decoded / level),
            np.arcsinh((wiener - decoded) / size),
            np.log(_band_means(np.square(decoded)) / known.noise.T[:, None] + np.float32(0.1)),
            steady(known.energy / known.noise),
            steady(known.left / known.noise),
            np.log(_band_means(noise) + np.float32(1e-3)),
        ]
        h = self._linear("first", np.concatenate(features, axis=2))
        apart = np.where(np.eye(channels, dtype=bool), np.float32(0), known.weights)
        # In units of each channel's spread, so that weights mean the same between loud channels and quiet ones.
        spread = np.sqrt(known.energy + known.noise)
        others = apart * (spread[:, None] / spread[:, :, None])
        correlations = known.correlations / np.float32(math.sqrt(channels))
        for number in range(self.config.blocks):
            h = self._block(f"blocks.{number}", h, correlations, others)
        own, shared, trust = np.split(self._linear("last", self._norm("last_norm", h)), [bins, 2 * bins], axis=2)
        trusted = np.repeat(trust, np.diff(BANDS), axis=2) * (wiener - decoded)
        return wiener + trusted + size * own + _banded(apart, size * shared)

    def _block(self, name: str, h: FloatArray, correlations: FloatArray, others: FloatArray) -> FloatArray:
        """Filters along time, mixing across channels, and a perceptron, each added to what comes in."""
        channels, frames = h.shape[:2]
        taps, half = self._arrays[f"{name}.time.weight"][:, 0], self.config.kernel // 2
        rows = np.pad(self._norm(f"{name}.time_norm", h), ((0, 0), (half, half), (0, 0)))
        filtered = np.broadcast_to(self._arrays[f"{name}.time.bias"], h.shape).copy()
        for tap in range(self.config.kernel):
            filtered += rows[:, tap : tap + frames] * taps[:, tap]
        h = h + filtered
        value, gate = np.split(self._linear(f"{name}.value", self._norm(f"{name}.mix_norm", h)), 2, axis=2)
        gated = value / (np.float32(1) + np.exp(-gate))
        heads = gated.reshape(channels, frames, self.config.heads, -1)
        by_correlation, by_weight = (self._arrays[f"{name}.{part}"] for part in ("by_correlation", "by_weight"))
        mixed = np.empty(heads.shape, np.float32)
        for head in range(self.config.heads):
            matrix = np.zeros((channels, channels), np.float32)
            for band in range(N_BANDS):
                matrix += by_correlation[head, band] * correlations[band] + by_weight[head, band] * others[band]
            part = heads[:, :, head]
            mixed[:, :, head] = product(matrix, part.reshape(channels, -1)).reshape(part.shape)
        h = h + self._linear(f"{name}.mixed", mixed.reshape(h.shape))
        inner = self._linear(f"{name}.inner", self._norm(f"{name}.norm", h))
        _gelu(inner.reshape(-1))
        return h + self._linear(f"{name}.outer", inner)

    def _linear(self, name: str, values: FloatArray) -> FloatArray:
        weight, bias = self._arrays[f"{name}.weight"], self._arrays[f"{name}.bias"]
        made: FloatArray = product(values.reshape(-1, weight.shape[1]), weight.T) + bias
        return made.reshape(*values.shape[:-1], -1)

    def _norm(self, name: str, values: FloatArray) -> FloatArray:
        """Layer normalisation."""
        centred = values - values.mean(axis=-1, keepdims=True)
        scale = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        return centred / scale * self._arrays[f"{name}.weight"] + self._arrays[f"{name}.bias"]


def _shapes(config: JointConfig, depths: int, bins: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights (SPEC.md, section 10.2)."""
    width = config.width
    shapes: dict[str, tuple[int, ...]] = {
        "noise": (depths + 1, bins),
        "first.weight": (width, 2 * bins + 4 * N_BANDS), "first.bias": (width,),
        "last_norm.weight": (width,), "last_norm.bias": (width,),
        "last.weight": (2 * bins + N_BANDS, width), "last.bias": (2 * bins + N_BANDS,),
    }  # fmt: skip
    for number in range(config.blocks):
        block: dict[str, tuple[int, ...]] = {
            "time.weight": (width, 1, config.kernel), "time.bias": (width,),
            "value.weight": (2 * width, width), "value.bias": (2 * width,),
            "by_correlation": (config.heads, N_BANDS), "by_weight": (config.heads, N_BANDS),
            "mixed.weight": (width, width), "mixed.bias": (width,),
            "inner.weight": (2 * width, width), "inner.bias": (2 * width,),
            "outer.weight": (width, 2 * width), "outer.bias": (width,),
        }  # fmt: skip
        for norm in ("time_norm", "mix_norm", "norm"):
            block |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
        shapes |= {f"blocks.{number}.{name}": shape for name, shape in block.items()}
    return shapes


def joint_refiner(checkpoint: Checkpoint) -> JointRefiner | None:
    """Return a model's joint decoder with its weights; ``None`` where it has none.

    Raises
    ------
    ModelError
        Its weights are not those of the decoder in its config.
    """
    config = checkpoint.config
    if config.joint is None:
        return None
    found = {name: value.shape for name, value in checkpoint.joint_arrays.items()}
    wanted = _shapes(config.joint, config.network.n_codebooks, config.network.latent_width)
    others = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if others:
        raise ModelError(
            f"{checkpoint.folder / JOINT} holds other weights than those of the decoder in its config.json: "
            f"{', '.join(others[:3])}."
        )
    return JointRefiner(config.joint, checkpoint.joint_arrays)
