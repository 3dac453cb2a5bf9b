"""Change the sampling rate by a rational factor, any part of a recording by itself.

Output sample ``m`` stands at input time ``m * down / up`` and is one dot product of a fixed windowed-sinc
filter with the input samples around it, taken in one order whatever else is computed. So resampling in
windows of any size gives bit for bit what resampling at once gives.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from eegzip.formats.errors import UsageError

# 80 dB takes a Kaiser beta of 7.86; a little more leaves room for the polyphase branches.
_KAISER_BETA = 8.6
# Lobes of the sinc to either side, at the lower of the two rates: the transition from 0.9 to 1.1 Nyquist.
_HALF_LOBES = 32
_TAP_UNIT = 2.0**-32
_PIECE = 1 << 17
"""Taps that are computed at a time: of extreme ratios there are millions."""
MAX_FACTOR = 65536
# Odd record durations give rates such as 249.9996 Hz; a ratio of small integers is near enough for a network.
_MAX_NETWORK_TERM = 4096


def network_ratio(rate: Fraction, network_rate: Fraction) -> Fraction:
    """Return by which factor a signal is resampled for a network.

    Parameters
    ----------
    rate, network_rate
        Sampling rates in Hz.
    """
    return (network_rate / rate).limit_denominator(_MAX_NETWORK_TERM)


def rate_ratio(rate_in: float | Fraction, rate_out: float | Fraction) -> tuple[int, int]:
    """Return ``(up, down)`` with ``rate_out / rate_in = up / down``.

    Parameters
    ----------
    rate_in, rate_out
        Sampling rates in Hz.
    """
    if not (rate_in > 0 and rate_out > 0):
        raise UsageError("Sampling rates must be positive.")
    ratio = (Fraction(rate_out) / Fraction(rate_in)).limit_denominator(MAX_FACTOR)
    if not 0 < ratio.numerator <= MAX_FACTOR:
        raise UsageError(f"Resampling from {float(rate_in)} to {float(rate_out)} Hz is beyond eegzip's range.")
    return ratio.numerator, ratio.denominator


class Resampler:
    """Windowed-sinc resampler by ``up / down``: stateless, linear-phase, unity gain at DC.

    Parameters
    ----------
    up, down
        The factor; common divisors are taken out.
    """

    def __init__(self, up: int, down: int) -> None:
        if up < 1 or down < 1:
            raise UsageError("A resampling factor must be positive.")
        ratio = Fraction(up, down)
        self.up, self.down = ratio.numerator, ratio.denominator
        wide = max(self.up, self.down)
        self.reach = _HALF_LOBES * wide
        if wide == 1:
            self._filter = np.ones(1)
            self.reach = 0
            return
        taps = np.empty(2 * self.reach + 1)
        for begin in range(-self.reach, self.reach + 1, _PIECE):
            places = np.arange(begin, min(begin + _PIECE, self.reach + 1))
            # As numpy's kaiser, which takes ten times the memory of what it gives.
            window = np.i0(_KAISER_BETA * np.sqrt(1 - (places / self.reach) ** 2.0)) / np.i0(_KAISER_BETA)
            taps[begin + self.reach :][: len(places)] = np.sinc(places / wide) * window
        taps *= self.up / taps.sum()
        # Each branch sums to one by itself: a constant stays a constant, without ripple at the input's rate.
        for phase in range(self.up):
            branch = taps[phase :: self.up] / taps[phase :: self.up].sum()
            # Whole multiples of a tiny number, -190 dB: the last bits of sine and Bessel functions are the processor's.
            branch = np.rint(branch / _TAP_UNIT) * _TAP_UNIT
            branch[np.argmax(branch)] += 1.0 - branch.sum()
            taps[phase :: self.up] = branch
        self._filter = taps

    def output_length(self, n: int) -> int:
        """Return how many output samples lie within a recording of ``n`` input samples."""
        return -(-n * self.up // self.down)

    def input_range(self, out_start: int, out_stop: int) -> tuple[int, int]:
        """Return the input samples [start, stop) that the outputs [out_start, out_stop) depend on.

        They may lie before 0 or past the end; what stands there is the caller's choice.
        """
        first = out_start * self.down - self.reach
        last = (out_stop - 1) * self.down + self.reach
        return -(-first // self.up), last // self.up + 1

    def resample(
        self, x: npt.NDArray[np.floating], x_start: int, out_start: int, out_stop: int
    ) -> npt.NDArray[np.float64]:
        """Return the output samples [out_start, out_stop) as float64 [C, n].

        Parameters
        ----------
        x
            Input samples [C, n], the first of them being input sample ``x_start``.
        x_start
            Where ``x`` begins.
        out_start, out_stop
            Range of outputs; :meth:`input_range` says what ``x`` must cover.
        """
        start, stop = self.input_range(out_start, out_stop)
        if x_start > start or x_start + x.shape[1] < stop:
            raise UsageError(f"The resampler needs the input samples {start} to {stop}.")
        count = out_stop - out_start
        part = np.ascontiguousarray(x[:, start - x_start : stop - x_start], dtype=np.float64)
        if self.reach == 0:
            return part
        if count <= 0:
            return np.zeros((x.shape[0], 0))
        # Here, as it needs numba, which takes a while to load.
        from eegzip.codecs.signal.polyphase import resampled

        return resampled(part, self._filter, self.up, self.down, out_start, count, start)
