"""Features and measures of restored recordings, computed once and kept in a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import eegzip
from eegzip.downstream.features import window_features
from eegzip.downstream.recordings import read_signals
from eegzip.downstream.windows import cut_windows
from eegzip.evaluation.coded_size import coded_bytes
from eegzip.evaluation.connectivity import connectivity
from eegzip.evaluation.metrics import BANDS, measure
from eegzip.formats.edf import EdfFile, SignalKind, classify_signals
from eegzip.formats.eegz.reader import EegzReader
from noticed.sets import LabelledSet, Piece

Options = Mapping[str, Any]

MEASURES = {
    "prd": "PRD",
    "r": "correlation (1 - r)",
    "spectrogram": "spectrogram loss",
    "peaks": "height of the largest peaks",
    "plv": "phase locking, 0.5-45 Hz",
    **{f"coherence {band}": f"coherence in {band} (1 - c)" for band in BANDS},
    **{f"power {band}": f"power in {band}" for band in BANDS},
}
"""Each is a loss: 0 where nothing is lost."""


@dataclass(frozen=True)
class Restored:
    """A set as restored in one way.

    Parameters
    ----------
    values : ndarray, shape (examples, features)
    names : list of str
        Of the features.
    bits : float
        Bit/s a channel, mean over recordings; 0 for originals.
    measures : dict of str to float
        Medians over the recordings that were measured.
    """

    values: np.ndarray
    names: list[str]
    bits: float
    measures: dict[str, float]


def restored(of: LabelledSet, chosen: list[Piece], options: Options | None, cache: Path, every: int = 3) -> Restored:
    """Restore all pieces of a set in one way (``None``: as they are); every `every`-th is measured, too."""
    rows, bits, measured, names = [], [], [], []
    for place, piece in enumerate(chosen):
        kept = cache / f"{piece.path.stem}-{_key(options)}.npz"
        if not kept.is_file():
            _work(of, piece, options, kept, measured=options is not None and place % every == 0)
        with np.load(kept) as found:
            rows.append(found["values"])
            bits.append(float(found["bits"]))
            names = json.loads(str(found["names"]))
            measured += [json.loads(str(found["measures"]))] if str(found["measures"]) else []
    medians = {}
    for name in MEASURES:
        values = [row[name] for row in measured if row.get(name) is not None]
        if values:
            medians[name] = float(np.median(values))
    return Restored(np.concatenate(rows), names, float(np.mean(bits)), medians)


def _key(options: Options | None) -> str:
    text = json.dumps(None if options is None else dict(sorted(options.items())), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _work(of: LabelledSet, piece: Piece, options: Options | None, kept: Path, *, measured: bool) -> None:
    """Restore, compute, and put the result where it is looked for, whole."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    back, bits, losses = piece.path, 0.0, {}
    if options is not None:
        coded, back = kept.with_suffix(".eegz"), kept.with_suffix(".edf")
        eegzip.compress(piece.path, coded, overwrite=True, **options)
        model = options.get("model")
        eegzip.decompress(coded, back, model=model, overwrite=True)
        bits = _bits(coded)
        if measured:
            losses = _measured(piece.path, back)
        coded.unlink()
    signals = read_signals(back, of.channels or None)
    windows = cut_windows(signals.values, signals.rate, starts=piece.starts)
    found = window_features(windows, signals.channels)
    values = found.values if of.trials else found.median()[None]
    if options is not None:
        back.unlink()
    part = kept.with_suffix(".part.npz")
    np.savez(
        part, values=values, bits=bits, names=json.dumps(found.names), measures=json.dumps(losses) if losses else ""
    )
    part.replace(kept)


def _bits(coded: Path) -> float:
    with EegzReader(coded) as reader:
        eeg = [index for index, signal in enumerate(reader.header.signals) if signal.kind == "eeg"]
        seconds = reader.header.n_records * (reader.header.record_duration or 1.0)
        return 8 * coded_bytes(reader, eeg) / len(eeg) / seconds


def _measured(original: Path, back: Path) -> dict[str, float | None]:
    with EdfFile.open(original) as one, EdfFile.open(back) as other:
        eeg = [i for i, kind in enumerate(classify_signals(one.header)) if kind is SignalKind.EEG]
        rate = one.header.sample_rate(eeg[0])
        pairs = [[file.read_signal(i, 0, file.n_samples(i)) for file in (one, other)] for i in eeg]
        labels = [one.header.signals[i].label for i in eeg]
    found = [measure(before, after, rate) for before, after in pairs]
    plv = connectivity(labels, np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs]), rate)
    losses = {
        "prd": _mean([m.prd for m in found]),
        "r": _mean([None if m.r is None else 1 - m.r for m in found]),
        "spectrogram": _mean([m.spectrogram_loss for m in found]),
        "peaks": _mean([None if (p := m.peaks.amplitude_change) is None else abs(p) for m in found]),
        "plv": plv["all"].plv_change if "all" in plv else None,
    }
    for band in BANDS:
        shares = [m.coherence[band] for m in found]
        losses[f"coherence {band}"] = _mean([None if share is None else 1 - share for share in shares])
        losses[f"power {band}"] = _mean([None if (p := m.band_power[band]) is None else abs(p) for m in found])
    return losses


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
