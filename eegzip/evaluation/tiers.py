"""Tiers in the manner of OpenECS 1.0, an open grading of EEG codecs: what is required, and which tier is reached.

What is applied, to the EEG channels of one recording together:

* All channels are pooled: sums run over the samples of all channels, in digital units, as if the channels were
  joined end to end.
* PRD = 100 * sqrt(sum(e**2) / sum(x**2)). **Means are kept**, as the grading has it: a channel far off zero flatters
  it. r is that of the pooled samples.
* So that offset, drift and mains grade nothing, PRD and r must be as good of the EEG part
  (:mod:`~eegzip.evaluation.eeg_part`), pooled alike; bands are those of the EEG part, into which no drift leaks; and N
  asks of the bands what C asks. The grading has none of these.
* Bands: each channel's discrete Fourier transform is masked to delta 1-4, theta 4-8, alpha 8-12, beta 13-30, gamma
  30-100 Hz (lower edge included, upper excluded), for both signals alike; PRD and r of a band are those of what is
  left, pooled. (The grading transforms the joined channels at once; that differs by the seams only.)
* Ratio: bytes of the samples as 64-bit integers over coded bytes. 20:1 so counted is 5:1 against EDF's 16 bits.
* Exact: every sample equal, and a ratio of 0.8. A tier is reached when all its requirements are met; where the coded
  size is not known (two recordings were compared), the ratio is left out and the tier says what fidelity would allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eegzip.evaluation.metrics import correlation, prd

TIER_BANDS = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 12.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 100.0),
}
REFERENCE_BYTES = 8
"""A sample of the grading's reference container."""


@dataclass(frozen=True)
class Tier:
    """What a tier requires.

    Parameters
    ----------
    letter, name : str
    max_prd : float
        Percent.
    min_r, min_ratio : float
    bands : dict of str to (float, float)
        Largest PRD and smallest r of each band.
    """

    letter: str
    name: str
    max_prd: float
    min_r: float
    min_ratio: float
    bands: dict[str, tuple[float, float]]


def _bands(*limits: tuple[float, float]) -> dict[str, tuple[float, float]]:
    return dict(zip(TIER_BANDS, limits, strict=True))


_CLINICAL_BANDS = _bands((5, 0.98), (7, 0.97), (8, 0.96), (12, 0.93), (20, 0.85))

TIERS = (
    Tier("L", "lossless", 0.0, 1.0, 0.8, {}),
    Tier("N", "near-lossless", 5.0, 0.99, 1.0, _CLINICAL_BANDS),
    Tier("C", "clinical", 9.0, 0.95, 20.0, _CLINICAL_BANDS),
    Tier("M", "monitoring", 20.0, 0.85, 100.0, _bands((10, 0.95), (12, 0.93), (15, 0.9), (25, 0.8), (40, 0.6))),
    Tier("A", "alerting", 40.0, 0.7, 200.0, _bands((20, 0.85), (25, 0.8), (30, 0.75), (40, 0.65), (60, 0.4))),
)
NO_TIER = "-"


@dataclass(frozen=True)
class TierReport:
    """Which tier a recording reaches.

    Parameters
    ----------
    letter : str
        ``L``, ``N``, ``C``, ``M``, ``A``, or ``-`` below all of them.
    letter_without_ratio : str
        The same if size were no object.
    prd, r : float or None
        Pooled, as defined here; ``None`` without samples.
    eeg_prd, eeg_r : float or None
        The same of the EEG part.
    ratio : float or None
        64-bit samples over coded bytes; ``None`` where those are not known.
    bands : dict of str to (float, float)
        PRD and r of each band.
    shortfalls : tuple of str
        What the next tier up asks for beyond what was found.
    """

    letter: str
    letter_without_ratio: str
    prd: float | None
    r: float | None
    eeg_prd: float | None
    eeg_r: float | None
    ratio: float | None
    bands: dict[str, tuple[float, float]]
    shortfalls: tuple[str, ...]


class TierMeter:
    """Adds up what the tiers need, channel by channel."""

    def __init__(self) -> None:
        self._exact = True
        self._whole = np.zeros(7)
        self._eeg = np.zeros(4)
        self._bands = {name: np.zeros(4) for name in TIER_BANDS}

    def update(self, original: np.ndarray, restored: np.ndarray, rate: float) -> None:
        """Take note of a channel: digital values [samples] and their rate in Hz."""
        from scipy.fft import rfft, rfftfreq

        x, y = original.astype(np.float64), restored.astype(np.float64)
        self._exact = self._exact and bool(np.array_equal(original, restored))
        self._whole += [len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y, (x - y) @ (x - y)]
        if not len(x):
            return
        # Here, as it needs numba, which takes a while to load.
        from eegzip.evaluation.eeg_part import eeg_part

        parts = eeg_part(np.stack([original, restored]), rate)
        lost = parts[0] - parts[1]
        self._eeg += [parts[0] @ parts[0], parts[1] @ parts[1], parts[0] @ parts[1], lost @ lost]
        frequencies, spectra = rfftfreq(len(x), 1 / rate), (rfft(parts[0]), rfft(parts[1]))
        # Every bin but the first and, of an even length, the last stands for two.
        weights = np.full(len(frequencies), 2.0 / len(x))
        weights[0] = 1.0 / len(x)
        if len(x) % 2 == 0:
            weights[-1] = 1.0 / len(x)
        for name, (low, high) in TIER_BANDS.items():
            inside = (frequencies >= low) & (frequencies < high)
            a, b, w = spectra[0][inside], spectra[1][inside], weights[inside]
            self._bands[name] += [
                w @ np.abs(a) ** 2, w @ np.abs(b) ** 2, w @ (a.conj() * b).real, w @ np.abs(a - b) ** 2
            ]  # fmt: skip

    def report(self, coded_bytes: int | None) -> TierReport:
        """Grade what was seen; `coded_bytes` is what it was coded to, if that is known."""
        n, sum_x, sum_y, xx, yy, xy, lost = self._whole
        if not n:
            return TierReport(NO_TIER, NO_TIER, None, None, None, None, None, {}, ("there are no EEG samples",))
        prd = _prd(xx, lost)
        r = _r(xx - sum_x**2 / n, yy - sum_y**2 / n, xy - sum_x * sum_y / n, same=self._exact)
        eeg_prd, eeg_r = _prd(self._eeg[0], self._eeg[3]), _r(*self._eeg[:3], same=self._eeg[3] == 0)
        wholes = (("", prd, r), ("EEG part ", eeg_prd, eeg_r))
        bands = {
            name: (_prd(a, e), _r(a, b, ab, same=e == 0))
            for name, (a, b, ab, e) in self._bands.items()
            if a > 0 or b > 0
        }
        ratio = None if coded_bytes is None else REFERENCE_BYTES * n / max(coded_bytes, 1)
        missing = {tier.letter: _shortfalls(tier, wholes, ratio, bands, exact=self._exact) for tier in TIERS}
        fidelity = {tier.letter: _shortfalls(tier, wholes, None, bands, exact=self._exact) for tier in TIERS}
        letters = [tier.letter for tier in TIERS]
        reached = next((i for i, letter in enumerate(letters) if not missing[letter]), len(letters))
        return TierReport(
            letter=[*letters, NO_TIER][reached],
            letter_without_ratio=next((letter for letter in letters if not fidelity[letter]), NO_TIER),
            prd=prd,
            r=r,
            eeg_prd=eeg_prd,
            eeg_r=eeg_r,
            ratio=ratio,
            bands=bands,
            shortfalls=tuple(missing[letters[reached - 1]]) if reached else (),
        )


def _prd(energy: float, lost: float) -> float:
    if energy < 1e-12:
        return 0.0 if lost < 1e-12 else 100.0
    return float(prd(lost, energy))


def _r(xx: float, yy: float, xy: float, *, same: bool) -> float:
    if xx <= 0 or yy <= 0:
        return 1.0 if same else 0.0
    return float(correlation(xy, xx, yy))


def _shortfalls(
    tier: Tier,
    wholes: Sequence[tuple[str, float, float]],
    ratio: float | None,
    bands: dict[str, tuple[float, float]],
    *,
    exact: bool,
) -> Sequence[str]:
    """What a tier asks for beyond what was found, in words."""
    found = []
    if tier.letter == "L":
        found += [] if exact else ["every sample exact"]
    else:
        for of, prd, r in wholes:
            found += [f"{of}PRD {prd:.2f} %, at most {tier.max_prd:g}"] if prd > tier.max_prd else []
            found += [f"{of}r {r:.4f}, at least {tier.min_r:g}"] if r < tier.min_r else []
    if ratio is not None and ratio < tier.min_ratio:
        found.append(f"{ratio:.1f}:1 of 64-bit samples, at least {tier.min_ratio:g}:1")
    for name, (most, least) in tier.bands.items():
        if name in bands:
            band_prd, band_r = bands[name]
            found += [f"{name} PRD {band_prd:.2f} %, at most {most:g}"] if band_prd > most else []
            found += [f"{name} r {band_r:.4f}, at least {least:g}"] if band_r < least else []
    return found
