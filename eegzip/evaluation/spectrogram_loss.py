"""The paper's spectrogram loss, made exact: its definition, and its value for waveforms on numpy.

The paper (section 2.3) replaces DAC's mel loss by "a standard spectrogram loss" and says no more. Here it is DAC's
multi-scale mel loss with the mel filterbank left out. For waveforms x and y of T samples, as the network sees them:

* window lengths w = 32, 64, 128, 256, 512, 1024, 2048 samples; those with T <= w / 2 are left out;
* S_w: magnitude of the short-time Fourier transform with a periodic Hann window of w samples (not normalised: the
  plain sum over windowed samples), hop w / 4, the waveform mirrored by w / 2 samples at both ends without repeating
  the end itself, so that frame i is centred on sample i * w / 4; 1 + floor(T / (w / 4)) frames, w / 2 + 1 bins;
* the loss is the sum over w of the mean, over bins and frames, of
  |log10 max(S_w(x), 1e-5) - log10 max(S_w(y), 1e-5)|.

A difference of 1 in one scale is a factor of 10 in magnitude (20 dB), on average over time and frequency. The window
lengths are DAC's own, in samples: the codec feeds EEG at audio's framing, so they bear the same relation to its hop of
512 samples, and at 256 Hz they last from 1/8 s (a spike) to 8 s (slow waves).

For training :mod:`eegzip.evaluation.spectrogram` has the same with gradients.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WINDOWS = (32, 64, 128, 256, 512, 1024, 2048)
FLOOR = 1e-5
_BLOCK_SAMPLES = 1 << 18

Waveform = npt.NDArray[np.float64]


def spectrogram_difference(x: Waveform, y: Waveform) -> float:
    """Return the spectrogram loss of two waveforms.

    Parameters
    ----------
    x, y : ndarray of float64, shape (T,)
        T more than half of the shortest window.
    """
    return sum(_of_window(x, y, window) for window in WINDOWS if len(x) > window // 2)


def _of_window(x: Waveform, y: Waveform, window: int) -> float:
    """Mean over frames and bins of the difference of logarithms, in blocks, so that memory stays flat."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frames = [
        np.lib.stride_tricks.sliding_window_view(np.pad(wave, window // 2, mode="reflect"), window)[:: window // 4]
        for wave in (x, y)
    ]
    count, step, total = len(frames[0]), _BLOCK_SAMPLES // window, 0.0
    for start in range(0, count, step):
        logs = [np.log10(np.maximum(np.abs(np.fft.rfft(part[start : start + step] * hann)), FLOOR)) for part in frames]
        total += float(np.abs(logs[0] - logs[1]).sum())
    return total / (count * (window // 2 + 1))
