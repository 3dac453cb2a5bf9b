"""All features of windows: 8,631 of 21 channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eegzip.downstream import spectra
from eegzip.downstream.phase import locking
from eegzip.downstream.time_domain import OF_TIME, time_features
from eegzip.formats.errors import UsageError

DOMAINS = ("cwt", "dwt", "dft", "phase", "time")
"""In the order of the columns."""

_AT_ONCE = 16
"""Windows computed together: what memory holds."""


@dataclass(frozen=True)
class Features:
    """Features of windows.

    Parameters
    ----------
    names : tuple of str
        Of the columns: ``'dft.power.8-13.EEG O1'``, ``'phase.locking.8-13.EEG O1-EEG O2'``, ``'time.kurtosis.EEG O1'``.
        Bands are in Hz; scales of the CWT have their centre frequency, levels of the DWT their name.
    values : ndarray of float64, shape (windows, features)
    """

    names: tuple[str, ...]
    values: np.ndarray

    def median(self) -> np.ndarray:
        """Return the median over windows [features]: what stands for a recording."""
        return np.asarray(np.median(self.values, axis=0))

    def of(self, *domains: str) -> Features:
        """Return the columns of some domains."""
        chosen = [place for place, name in enumerate(self.names) if name.partition(".")[0] in domains]
        return Features(tuple(self.names[place] for place in chosen), self.values[:, chosen])


def window_features(
    windows: np.ndarray, channels: Sequence[str] | None = None, domains: Sequence[str] = DOMAINS
) -> Features:
    """Compute features of windows.

    Parameters
    ----------
    windows : ndarray, shape (windows, channels, samples)
        In uV at 100 Hz; see :func:`~eegzip.downstream.windows.cut_windows`.
    channels : sequence of str, optional
        Their labels; numbers from 1 by default.
    domains : sequence of str
        Some of ``'cwt'``, ``'dwt'``, ``'dft'``, ``'phase'``, ``'time'``.

    Returns
    -------
    Features
        Columns in the order of :data:`DOMAINS`; all are finite.

    Raises
    ------
    UsageError
        A domain is none, labels are not as many as channels, samples are not finite, or PyWavelets is missing
        (``eegzip[downstream]``).

    Examples
    --------
    >>> import numpy as np
    >>> from eegzip.downstream import window_features
    >>> alpha = 20 * np.sin(2 * np.pi * 10 * np.arange(600) / 100)
    >>> found = window_features(np.stack([alpha, -alpha])[None], ["O1", "O2"], ["dft", "phase"])
    >>> float(found.values[0, found.names.index("dft.peak_frequency.8-13.O1")])
    10.0
    """
    wrong = sorted(set(domains) - set(DOMAINS))
    if wrong:
        raise UsageError(f"there is no domain {', '.join(wrong)}; there are {', '.join(DOMAINS)}.")
    labels = [str(n + 1) for n in range(windows.shape[1])] if channels is None else list(channels)
    if len(labels) != windows.shape[1]:
        raise UsageError(f"{len(labels)} labels don't name the {windows.shape[1]} channels of these windows.")
    if not np.isfinite(windows).all():
        raise UsageError("windows hold samples that are not finite; leave those windows out.")
    names = tuple(feature_names(labels, domains))
    values = np.empty((len(windows), len(names)))
    for first in range(0, len(windows), _AT_ONCE):
        part = np.asarray(windows[first : first + _AT_ONCE], np.float64)
        values[first : first + _AT_ONCE] = _row(part, domains)
    return Features(names, values)


def feature_names(channels: Sequence[str], domains: Sequence[str] = DOMAINS) -> Iterator[str]:
    """Yield the names of the features of channels, in order."""
    for domain in (domain for domain in DOMAINS if domain in domains):
        if domain == "time":
            yield from (f"time.{figure}.{channel}" for figure in OF_TIME for channel in channels)
        elif domain == "phase":
            pairs = [f"{a}-{b}" for n, a in enumerate(channels) for b in channels[n + 1 :]]
            yield from (f"phase.locking.{band}.{pair}" for band in spectra.DFT_BANDS for pair in pairs)
        else:
            figures, bands = {
                "cwt": (spectra.OF_WAVELETS, spectra.CWT_SCALES),
                "dwt": (spectra.OF_WAVELETS, spectra.DWT_LEVELS),
                "dft": (spectra.OF_FOURIER, spectra.DFT_BANDS),
            }[domain]
            yield from (f"{domain}.{f}.{band}.{channel}" for f in figures for band in bands for channel in channels)


def _row(windows: np.ndarray, domains: Sequence[str]) -> np.ndarray:
    weighted = spectra.weighted(windows)
    compute = {
        "cwt": lambda: spectra.cwt_features(weighted),
        "dwt": lambda: spectra.dwt_features(weighted),
        "dft": lambda: spectra.fourier_features(weighted),
        "phase": lambda: locking(windows),
        "time": lambda: time_features(windows),
    }
    parts = [compute[domain]().reshape(len(windows), -1) for domain in DOMAINS if domain in domains]
    return np.concatenate(parts, axis=1)
