"""Bring every channel to the level that a network was trained for, and back again exactly.

The waveform ``x`` (digital units, at the model's rate) becomes ``y = (x - o(t)) / s(t)``. Offset and
scale are given at knots on a time grid of their own and interpolated linearly between them, so neither
the container's chunks nor the network's windows can show in them, and no step can appear in the waveform.
A knot costs two small integers: a scale code ``c`` for ``s = 2**(c/4)`` and an offset code for
``o = code * offset_step``. Everything here is numpy; the reader of a file needs nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eegzip.formats.errors import UsageError

FloatArray = npt.NDArray[np.floating]

# 2**(i/4) written out: libm's pow may differ in its last bit between machines, these can't.
_QUARTER_POWERS = np.array([1.0, 1.189207115002721, 1.4142135623730951, 1.681792830507429])
_EIGHTH_POWER = 1.0905077326652577
MIN_SCALE_CODE = -4
MAX_SCALE_CODE = 123
GAUSSIAN_SPREAD = 1.3489795003921634
"""Interquartile range of a normal distribution of standard deviation 1."""


def scale_of(code: npt.NDArray[np.integer] | int) -> npt.NDArray[np.float64]:
    """Return ``2**(code/4)``, exactly the same float64 on every machine.

    Parameters
    ----------
    code
        Scale codes.
    """
    octave, step = np.divmod(np.asarray(code, dtype=np.int64), 4)
    return np.ldexp(_QUARTER_POWERS[step], octave.astype(np.int32))


def _scale_code_at_least(scale: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the smallest code whose scale is not under ``scale``."""
    code = np.ceil(4.0 * np.log2(np.maximum(scale, 1e-9))).astype(np.int64)
    code = np.clip(code, MIN_SCALE_CODE, MAX_SCALE_CODE)
    # log2 rounds: step back where one less is enough, forward where it is not.
    code -= (code > MIN_SCALE_CODE) & (scale_of(code - 1) >= scale)
    code += (code < MAX_SCALE_CODE) & (scale_of(code) < scale)
    return code


def nearest_scale_code(scale: float) -> int:
    """Return the code whose scale is nearest to ``scale`` in octaves.

    Parameters
    ----------
    scale
        Positive.
    """
    # An eighth of an octave less than the code's own scale is half-way to the one below.
    return int(_scale_code_at_least(np.array([scale / _EIGHTH_POWER]))[0])


def choose_offset_step(level: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the power of two, not under 2**-4, that is a quarter to an eighth of ``level``.

    Parameters
    ----------
    level
        Typical size of each channel's waveform around its mean, in digital units.
    """
    # frexp's exponent is one more than the floor of the logarithm, and exact.
    exponent = np.frexp(np.maximum(np.asarray(level, dtype=np.float64), 0.5))[1] - 3
    return np.ldexp(1.0, np.maximum(exponent, -4))


@dataclass(frozen=True)
class RobustLevel:
    """Where a signal lies and how large it is, whatever artefacts there are.

    Attributes
    ----------
    median : float
        Median over stretches of their medians.
    spread : float
        Median over stretches of their interquartile ranges; where that is 0, of their standard deviations; else 1.
        Stretch by stretch, as drift would widen that of the whole.
    """

    median: float
    spread: float

    @classmethod
    def of(cls, stretches: Iterable[FloatArray | npt.NDArray[np.integer]]) -> RobustLevel:
        """Measure stretches of a signal, some seconds each."""
        found = []
        for stretch in stretches:
            low, middle, high = np.percentile(stretch, (25, 50, 75))
            found.append((middle, high - low, stretch.std()))
        if not found:
            return cls(0.0, 1.0)
        middle, spread, deviation = (float(value) for value in np.median(found, axis=0))
        return cls(middle, spread or deviation or 1.0)


def normalise(x: FloatArray, offset: FloatArray, scale: FloatArray) -> npt.NDArray[np.float32]:
    """Return ``(x - offset) / scale`` as float32 (computed in float64)."""
    return ((x - offset) / scale).astype(np.float32)


def denormalise(y: FloatArray, offset: FloatArray, scale: FloatArray) -> npt.NDArray[np.float64]:
    """Return ``y * scale + offset`` as float64, the inverse of :func:`normalise`."""
    return y.astype(np.float64) * scale + offset


@dataclass(frozen=True)
class AdaptiveScaling:
    """Offset and scale that follow each channel, at knots ``spacing`` samples apart.

    Attributes
    ----------
    spacing : int
        Model samples between knots; knot ``k`` stands at sample ``k * spacing``.
    level_rms : float
        RMS that the normalised waveform may reach around a knot.
    level_peak : float
        Bound that no normalised sample ever passes.
    """

    spacing: int
    level_rms: float
    level_peak: float

    def __post_init__(self) -> None:
        if self.spacing < 1 or not (self.level_rms > 0 and self.level_peak > 0):
            raise UsageError("A scaling needs a positive spacing, level_rms and level_peak.")

    def n_knots(self, total: int) -> int:
        """Return how many knots a recording of ``total`` model samples has."""
        return -(-total // self.spacing) + 1

    def support(self, first_knot: int, last_knot: int, total: int) -> tuple[int, int]:
        """Return the samples [start, stop) that the knots [first_knot, last_knot) are computed from.

        The scale of a knot bounds the waveform as far as its two neighbours, whose offsets are means that
        reach one spacing further: two spacings on each side.
        """
        reach = 2 * self.spacing
        start = max(first_knot * self.spacing - reach, 0)
        return start, min((last_knot - 1) * self.spacing + reach + 1, total)

    def knots(
        self,
        x: FloatArray,
        start: int,
        first_knot: int,
        last_knot: int,
        total: int,
        offset_step: npt.ArrayLike,
    ) -> npt.NDArray[np.int64]:
        """Return the codes of the knots [first_knot, last_knot).

        A knot's codes depend only on the samples within :meth:`support` of that knot, whatever else is in
        ``x``, so any part of a recording can be done alone.

        Parameters
        ----------
        x
            Samples [C, n] in digital units, the first of them being sample ``start`` of the recording.
        start
            Where ``x`` begins.
        first_knot, last_knot
            Range of knots wanted.
        total
            Length of the recording in model samples.
        offset_step
            Size of one offset code, a power of two for each channel [C].

        Returns
        -------
        ndarray
            Codes [C, knots, 2]: scale code, offset code.
        """
        need = self.support(first_knot, last_knot, total)
        if start > need[0] or start + x.shape[1] < need[1]:
            raise UsageError(f"Knots need the samples {need[0]} to {need[1]} of the recording.")
        step = np.asarray(offset_step, dtype=np.float64).reshape(-1)
        # One knot more on each side: their offsets shape o(t) around the outer knots.
        low, high = max(first_knot - 1, 0), min(last_knot + 1, self.n_knots(total))
        offsets = {k: self._offset_code(x, start, k, total, step) for k in range(low, high)}
        codes = np.empty((x.shape[0], last_knot - first_knot, 2), dtype=np.int64)
        for k in range(first_knot, last_knot):
            codes[:, k - first_knot, 1] = offsets[k]
            codes[:, k - first_knot, 0] = self._scale_code(x, start, k, total, step, offsets)
        return codes

    def _part(self, knot: int, total: int) -> tuple[int, int]:
        """Return the range of the samples within one spacing of a knot."""
        centre = knot * self.spacing
        return max(centre - self.spacing, 0), min(centre + self.spacing + 1, total)

    def _offset_code(
        self, x: FloatArray, start: int, knot: int, total: int, step: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.int64]:
        """Return the offset code of a knot: the mean under a hat window, in steps."""
        a, b = self._part(knot, total)
        # Half a sample wider than the hat, so that a lone sample at its foot still has a weight.
        weight = self.spacing + 0.5 - np.abs(np.arange(a, b) - knot * self.spacing)
        # Not a matrix product: BLAS may order its sum by the number of channels.
        mean = (x[:, a - start : b - start].astype(np.float64) * weight).sum(axis=1) / weight.sum()
        return np.rint(mean / step).astype(np.int64)

    def _scale_code(
        self,
        x: FloatArray,
        start: int,
        knot: int,
        total: int,
        step: npt.NDArray[np.float64],
        offsets: dict[int, npt.NDArray[np.int64]],
    ) -> npt.NDArray[np.int64]:
        """Return the scale code of a knot: enough for RMS and peak within one spacing of it."""
        a, b = self._part(knot, total)
        away = (np.arange(a, b) - knot * self.spacing) / self.spacing
        here = offsets[knot] * step
        # Beyond the outermost knots there are no samples, so a missing neighbour is never weighted.
        before = offsets.get(knot - 1, offsets[knot]) * step
        after = offsets.get(knot + 1, offsets[knot]) * step
        rest, at = np.empty((len(x), b - a)), knot * self.spacing - a
        np.multiply((before - here)[:, None], -away[:at], out=rest[:, :at])
        np.multiply((after - here)[:, None], away[at:], out=rest[:, at:])
        rest += here[:, None]
        np.subtract(x[:, a - start : b - start], rest, out=rest)
        peak = np.maximum(rest.max(axis=1), -rest.min(axis=1))
        rms = np.sqrt(np.square(rest, out=rest).mean(axis=1))
        # A hair above the bound, so that float32 rounding of y can't pass it.
        return _scale_code_at_least(np.maximum(rms / self.level_rms, peak * (1 + 1e-6) / self.level_peak))

    def curves(
        self,
        codes: npt.NDArray[np.integer],
        first_knot: int,
        start: int,
        stop: int,
        offset_step: npt.ArrayLike,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return offset and scale, each [C, stop - start], for the samples [start, stop).

        Samples before the first and after the last knot given take that knot's values.

        Parameters
        ----------
        codes
            Codes [C, K, 2] of the knots from ``first_knot`` on.
        first_knot
            Number of the first of them.
        start, stop
            Range of model samples.
        offset_step
            As given to :meth:`knots`.
        """
        step = np.asarray(offset_step, dtype=np.float64).reshape(-1, 1)
        where = np.arange(start, stop)
        last = codes.shape[1] - 1
        left = np.clip(where // self.spacing - first_knot, 0, last)
        part = np.clip((where - (left + first_knot) * self.spacing) / self.spacing, 0.0, 1.0)
        samples = np.bincount(left, minlength=last + 1)

        def course(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            result = np.repeat(np.diff(values, axis=1, append=values[:, -1:]), samples, axis=1)
            result *= part
            result += np.repeat(values, samples, axis=1)
            return result

        return course(codes[:, :, 1] * step), course(scale_of(codes[:, :, 0]))


@dataclass(frozen=True)
class FixedScaling:
    """One offset and scale for a whole channel, and a bound that clips: the papers' scalings.

    Attributes
    ----------
    limit : ndarray
        The amplitude that becomes 1, for each channel in its digital units.
    centre : ndarray
        The digital value that becomes 0, for each channel.
    clamp : float
        What becomes larger is clipped to it.
    """

    limit: npt.NDArray[np.float64]
    centre: npt.NDArray[np.float64]
    clamp: float = 1.0

    def normalise(self, x: FloatArray) -> npt.NDArray[np.float32]:
        """Return samples [C, n] mapped and clipped."""
        offset, scale = self.curves(0, x.shape[1])
        return np.clip(normalise(x, offset, scale), -self.clamp, self.clamp)

    def curves(self, start: int, stop: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the constant offset and scale, each [C, stop - start]."""
        shape = (len(self.limit), stop - start)
        centre = np.broadcast_to(self.centre[:, None], shape)
        return centre, np.broadcast_to(self.limit[:, None], shape)
