"""Features of a window's samples: statistics, shape, fractal dimensions, entropy, long memory, chaos.

============================  ==========================================================================================
detrended_fluctuation         slope of log fluctuation over log length of box, boxes of 4 samples to a quarter of the
                              window, each less its straight line (Peng et al., Chaos 5, 1995)
energy                        mean square
fisher_information            sum of (s[i+1] - s[i])**2 / s[i] over the normalised singular values s of the delay
                              embedding with 10 dimensions 4 samples apart (James and Lowe, 2003)
fractal_dimension             Katz's: log n / (log n + log(d / L)), n steps of length L altogether, d the largest
                              distance from the first sample (Comput. Biol. Med. 18, 1988)
higuchi_dimension             Higuchi's, lengths at 1 to 3 samples (Physica D 31, 1988)
hjorth_activity               variance
hjorth_mobility               root of the variance of steps over that of samples
hjorth_complexity             mobility of steps over mobility (Hjorth, EEG Clin. Neurophysiol. 29, 1970)
hurst_exponent                slope of log(range / standard deviation) of cumulated deviations over log length, over all
                              beginnings of the window of 2 samples and more (Hurst 1951)
kurtosis, skewness            standardised; kurtosis less 3
largest_lyapunov              rate, in 1/s, at which neighbours in the delay embedding (4 dimensions 4 samples apart)
                              part over the next 20 samples (Rosenstein, Collins, De Luca, Physica D 65, 1993).
                              Neighbours are at least 13 samples apart in time
line_length                   sum of the magnitudes of steps
maximum, mean, median, minimum
non_linear_energy             mean of x[i]**2 - x[i-1] x[i+1] (Teager, Kaiser)
petrosian_dimension           of the number of changes of sign of steps (Petrosian 1995)
svd_entropy                   entropy in nats of the singular values of fisher_information (Roberts et al. 1999)
zero_crossing                 changes of sign of the window less its mean
zero_crossing_derivative      changes of sign of the steps less their mean
============================  ==========================================================================================

These are the 22 of the library brainfeatures (TNTLFreiburg), written anew from their sources. On purpose otherwise:
there crossings are of the signal less the mean of all windows and channels, Lyapunov's neighbours may be next to each
other in time (which measures how smooth a signal is), and a flat window gives NaN or infinity (here 0, and 1 for
dimensions).
"""

from __future__ import annotations

import numpy as np

from eegzip.downstream.bands import entropy_terms, quotient

OF_TIME = (
    "detrended_fluctuation", "energy", "fisher_information", "fractal_dimension", "higuchi_dimension",
    "hjorth_activity", "hjorth_complexity", "hjorth_mobility", "hurst_exponent", "kurtosis", "largest_lyapunov",
    "line_length", "maximum", "mean", "median", "minimum", "non_linear_energy", "petrosian_dimension", "skewness",
    "svd_entropy", "zero_crossing", "zero_crossing_derivative",
)  # fmt: skip
EMBEDDING = (10, 4)
"""Dimensions, and samples between them, of the singular values."""


def time_features(windows: np.ndarray) -> np.ndarray:
    """Return features [windows, 22, channels] of windows [windows, channels, samples]."""
    # Here, as numba takes a while to load.
    from eegzip.downstream.nonlinear import hurst_exponents, lyapunov_exponents

    x = np.ascontiguousarray(windows, np.float64)
    flat = x.reshape(-1, x.shape[-1])
    centred, steps = x - x.mean(axis=-1, keepdims=True), np.diff(x, axis=-1)
    variance = np.square(centred).mean(axis=-1)
    deviation = np.sqrt(variance)[..., None]
    standard = quotient(centred, deviation)
    singular = singular_shares(x)
    mobility = _mobility(x)
    found = {
        "detrended_fluctuation": fluctuation_slopes(x),
        "energy": np.square(x).mean(axis=-1),
        "fisher_information": quotient(np.square(np.diff(singular, axis=-1)), singular[..., :-1]).sum(axis=-1),
        "fractal_dimension": _katz(x, steps),
        "higuchi_dimension": higuchi_dimensions(x),
        "hjorth_activity": variance,
        "hjorth_complexity": quotient(_mobility(steps), mobility),
        "hjorth_mobility": mobility,
        "hurst_exponent": hurst_exponents(flat).reshape(x.shape[:-1]),
        "kurtosis": np.where(variance > 0, (standard**4).mean(axis=-1) - 3, 0.0),
        "largest_lyapunov": lyapunov_exponents(flat).reshape(x.shape[:-1]),
        "line_length": np.abs(steps).sum(axis=-1),
        "maximum": x.max(axis=-1),
        "mean": x.mean(axis=-1),
        "median": np.median(x, axis=-1),
        "minimum": x.min(axis=-1),
        "non_linear_energy": (np.square(x[..., 1:-1]) - x[..., :-2] * x[..., 2:]).mean(axis=-1),
        "petrosian_dimension": _petrosian(steps),
        "skewness": (standard**3).mean(axis=-1),
        "svd_entropy": entropy_terms(singular).sum(axis=-1),
        "zero_crossing": _crossings(centred),
        "zero_crossing_derivative": _crossings(steps - steps.mean(axis=-1, keepdims=True)),
    }
    return np.stack([found[name] for name in OF_TIME], axis=1)


def singular_shares(x: np.ndarray) -> np.ndarray:
    """Return the singular values [..., 10] of the delay embedding of signals [..., samples], falling, of sum 1."""
    dimensions, delay = EMBEDDING
    rows = x.shape[-1] - (dimensions - 1) * delay
    embedded = np.stack([x[..., k * delay : k * delay + rows] for k in range(dimensions)], axis=-2)
    # The singular values of so high a matrix are the roots of the eigenvalues of its small product with itself.
    squares = np.linalg.eigvalsh(embedded @ embedded.swapaxes(-1, -2))[..., ::-1]
    values = np.sqrt(np.maximum(squares, 0.0))
    return quotient(values, values.sum(axis=-1, keepdims=True))


def fluctuation_slopes(x: np.ndarray) -> np.ndarray:
    """Return the exponent of detrended fluctuation analysis of signals [..., samples]."""
    size = x.shape[-1]
    profile = np.cumsum(x - x.mean(axis=-1, keepdims=True), axis=-1)
    lengths = np.unique(np.geomspace(4, size // 4, 12).astype(int))
    fluctuations = np.empty((*x.shape[:-1], len(lengths)))
    for place, length in enumerate(lengths):
        boxes = size // length
        parts = profile[..., : boxes * length].reshape(*x.shape[:-1], boxes, length)
        parts = parts - parts.mean(axis=-1, keepdims=True)
        ramp = np.arange(length) - (length - 1) / 2
        lines = (parts @ ramp / (ramp @ ramp))[..., None] * ramp
        fluctuations[..., place] = np.sqrt(np.square(parts - lines).mean(axis=(-2, -1)))
    return _slopes(np.log(lengths), fluctuations)


def higuchi_dimensions(x: np.ndarray, largest: int = 3) -> np.ndarray:
    """Return Higuchi's fractal dimension of signals [..., samples]."""
    size = x.shape[-1]
    lengths = np.empty((*x.shape[:-1], largest))
    for k in range(1, largest + 1):
        curves = []
        for first in range(k):
            steps = (size - 1 - first) // k
            length = np.abs(np.diff(x[..., first::k][..., : steps + 1], axis=-1)).sum(axis=-1)
            curves.append(length * (size - 1) / (steps * k) / k)
        lengths[..., k - 1] = np.mean(curves, axis=0)
    found = _slopes(-np.log(np.arange(1, largest + 1)), lengths)
    return np.where((lengths > 0).all(axis=-1), found, 1.0)


def _slopes(at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Slopes of the logarithms of values [..., points] over `at`; 0 where one of them is 0."""
    good = (values > 0).all(axis=-1, keepdims=True)
    logs = np.log(np.where(good, values, 1.0))
    centred = at - at.mean()
    return np.asarray(logs @ centred / (centred @ centred))


def _mobility(x: np.ndarray) -> np.ndarray:
    return np.sqrt(quotient(np.diff(x, axis=-1).var(axis=-1), x.var(axis=-1)))


def _katz(x: np.ndarray, steps: np.ndarray) -> np.ndarray:
    length = np.abs(steps).sum(axis=-1)
    reach = np.abs(x - x[..., :1]).max(axis=-1)
    count = np.log(steps.shape[-1])
    return np.asarray(count / (count + np.log(np.where(length > 0, reach, 1.0) / np.where(length > 0, length, 1.0))))


def _petrosian(steps: np.ndarray) -> np.ndarray:
    size = steps.shape[-1] + 1
    changes = (steps[..., 1:] * steps[..., :-1] < 0).sum(axis=-1)
    return np.asarray(np.log10(size) / (np.log10(size) + np.log10(size / (size + 0.4 * changes))))


def _crossings(x: np.ndarray) -> np.ndarray:
    """How often the sign changes; 0 belongs to what is above."""
    return np.asarray((np.diff(x >= 0, axis=-1)).sum(axis=-1), np.float64)
