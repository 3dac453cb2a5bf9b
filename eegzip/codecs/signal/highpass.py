"""The paper's high-pass filter (section 2.2), any part of a recording by itself.

Butterworth of order 2, forwards and backwards, so that no wave is moved. Such a filter sees the whole recording, but
what is farther away than some of its corner's periods changes nothing that matters. So a recording is filtered in
blocks at fixed places, with a margin on both sides: what comes out depends on the recording alone, not on what is asked
for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from eegzip.codecs.extra import require_scipy

Samples = npt.NDArray[np.float64]
Reader = Callable[[int, int], np.ndarray]

_ORDER = 2
_BLOCK_SECONDS = 60.0
# In periods of the corner. A margin's end is felt by exp(-2 pi 4 / sqrt(2)) = 2e-8 of what was there.
_MARGIN = 4.0
# Of the recording turned about its first and its last sample, beyond them.
_EXTENSION = 3.0


class HighPass:
    """Takes away what lies below a corner.

    Parameters
    ----------
    rate : float
        Of the signals, in Hz.
    corner : float
        In Hz, below half the rate; there, half of the power of each of both passes is left.
    """

    def __init__(self, rate: float, corner: float) -> None:
        require_scipy("the model's high-pass filter")
        # Here, as scipy.signal takes most of a second to import.
        from scipy.signal import butter

        self._sections = butter(_ORDER, corner, "highpass", fs=rate, output="sos")
        self._margin = int(np.ceil(_MARGIN * rate / corner))
        self._extension = int(_EXTENSION * rate / corner)
        self._block = max(round(_BLOCK_SECONDS * rate), 1)

    def whole(self, x: Samples) -> Samples:
        """Return whole recordings [C, n], filtered."""
        return self._filtered(x, begins=True, ends=True)

    def reader(self, read: Reader, total: int) -> Reader:
        """Return what reads the filtered samples of a recording.

        Parameters
        ----------
        read
            Gives the samples [C, stop - start] of the recording from start up to stop.
        total
            Samples of the recording.

        Returns
        -------
        callable
            Gives float64 samples likewise, the same ones whatever is read with them.
        """
        known: dict[int, Samples] = {}

        def block(number: int) -> Samples:
            start, stop = number * self._block, min((number + 1) * self._block, total)
            low, high = max(start - self._margin, 0), min(stop + self._margin, total)
            part = self._filtered(read(low, high).astype(np.float64), begins=low == 0, ends=high == total)
            return part[:, start - low : stop - low]

        def filtered(start: int, stop: int) -> np.ndarray:
            first = start // self._block
            wanted = range(first, max(-(-stop // self._block), first + 1))
            for number in [number for number in known if number not in wanted]:
                del known[number]
            for number in wanted:
                if number not in known:
                    known[number] = block(number)
            parts = np.concatenate([known[number] for number in wanted], axis=1)
            return parts[:, start - first * self._block : stop - first * self._block]

        return filtered

    def _filtered(self, x: Samples, *, begins: bool, ends: bool) -> Samples:
        """Return samples filtered; where they are a recording's first or last ones, it goes on turned about them."""
        from scipy.signal import sosfiltfilt

        more = min(self._extension, x.shape[1] - 1)
        before = 2 * x[:, :1] - x[:, more:0:-1] if begins else x[:, :0]
        after = 2 * x[:, -1:] - x[:, -2 : -more - 2 : -1] if ends else x[:, :0]
        # The recursion takes each row by itself, in the order of time: a signal's samples don't depend on others'.
        found: Samples = sosfiltfilt(self._sections, np.concatenate([before, x, after], axis=1), axis=1, padtype=None)
        return found[:, before.shape[1] : before.shape[1] + x.shape[1]]
