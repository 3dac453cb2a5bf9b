"""Who takes part, and one coder's run over one recording."""

from __future__ import annotations

import inspect
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from rivals import all_rivals

import eegzip
from eegzip.evaluation.coded_size import coded_bytes
from eegzip.evaluation.metrics import BANDS, measure
from eegzip.evaluation.tiers import TierMeter
from eegzip.formats.edf import EdfFile, SignalKind, classify_signals
from eegzip.formats.eegz.reader import EegzReader
from race.promise import coarsest, setting_of, worst_prd

DEPTHS = (1, 2, 3, 5, 8, 12, 16, 24, 36, 48, 72, 96)
TARGETS = "eegzip --max-prd"
MAX_PRDS = (20.0, 9.0, 5.0, 2.0)
PROMISING = ("klt-mdct", "klt-bands")
"""Rivals that are also held to what error targets promise."""


def contestants(only: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Names of the coders that can run here, and a sentence for each that can't."""
    found, absent = [*_models()], []
    if "max_prd" in inspect.signature(eegzip.compress).parameters:
        found.append(TARGETS)
    for rival in all_rivals():
        if rival.missing is None:
            found.append(rival.name)
        else:
            absent.append(f"{rival.name} is absent: {rival.missing}.")
    return [name for name in found if not only or name.startswith(tuple(only))], absent


def _models() -> dict[str, str]:
    """Bundled models by their name in the tables, which begins with their architecture."""
    described = [model for model in eegzip.models.describe_all() if model.where == "bundled"]
    return {
        model.name
        if model.name.startswith(str(model.architecture))
        else f"{model.architecture} {model.name}": model.name
        for model in described
    }


def run(coder: str, group: str, path: Path) -> list[dict[str, Any]]:
    """Code a recording at every setting of a coder; return a row each."""
    warnings.filterwarnings("ignore", message=".*weight_norm.*")
    with EdfFile.open(path) as file:
        eeg = [i for i, kind in enumerate(classify_signals(file.header)) if kind is SignalKind.EEG]
        rate = file.header.sample_rate(eeg[0])
        original = np.stack([file.read_signal(i, 0, file.n_samples(i)) for i in eeg])
        edf_bytes = file.header.sample_bytes * original.size
    seconds = original.shape[1] / rate
    rows = []
    for setting, restored, size, rest in _coded(coder, path, eeg, original, rate):
        rows.append(
            {
                "set": group,
                "recording": path.stem,
                "coder": coder,
                "setting": setting,
                "channels": len(eeg),
                "seconds": seconds,
                "coded_bytes": size,
                "bits_per_second": 8 * size / len(eeg) / seconds,
                "bits_per_sample": 8 * size / original.size,
                "ratio": edf_bytes / size,
                **rest,
                **_judged(original, restored, rate, size),
            }
        )
    return rows


def _coded(
    coder: str, path: Path, eeg: list[int], original: np.ndarray, rate: float
) -> Iterator[tuple[str, np.ndarray, int, dict[str, Any]]]:
    """Yield setting, restored samples, coded bytes, and other columns."""
    rival = next((rival for rival in all_rivals() if rival.name == coder), None)
    if rival is None:
        yield from _ours(coder, path, eeg)
        return
    found: dict[float, tuple[np.ndarray, int, dict[str, Any]]] = {}

    def trial(setting: float) -> float:
        started = time.perf_counter()
        data = rival.encode(original, rate, setting)
        encoded = time.perf_counter()
        restored = rival.decode(data)
        times = {"encode_seconds": encoded - started, "decode_seconds": time.perf_counter() - encoded}
        found[setting] = restored, len(data), {"file_ratio": None, **times}
        return worst_prd(original, restored, rate)

    known = {setting: trial(setting) for setting in rival.settings}
    for setting in rival.settings:
        yield f"{setting:g}", *found[setting]
    if coder in PROMISING:
        for target, step in coarsest(trial, known, MAX_PRDS):
            yield setting_of(target), *found[step]


def _ours(coder: str, path: Path, eeg: list[int]) -> Iterator[tuple[str, np.ndarray, int, dict[str, Any]]]:
    if coder == TARGETS:
        options: list[tuple[str, dict[str, Any]]] = [(f"{prd:g} %", {"max_prd": prd}) for prd in MAX_PRDS]
    else:
        model = _models()[coder]
        available = eegzip.models.load(model).config.network.n_codebooks
        depths = [depth for depth in DEPTHS if depth < available] + [available]
        options = [(f"-k {depth}", {"codebooks": depth, "model": model}) for depth in depths]
    with tempfile.TemporaryDirectory(prefix="eegzip-race-") as name:
        coded, back = Path(name) / "coded.eegz", Path(name) / "back.edf"
        for setting, chosen in options:
            started = time.perf_counter()
            report = eegzip.compress(path, coded, overwrite=True, **chosen)
            encoded = time.perf_counter()
            eegzip.decompress(coded, back, overwrite=True)
            times = {"encode_seconds": encoded - started, "decode_seconds": time.perf_counter() - encoded}
            with EdfFile.open(back) as file, EegzReader(coded) as reader:
                restored = np.stack([file.read_signal(i, 0, file.n_samples(i)) for i in eeg])
                size = coded_bytes(reader, eeg)
            yield setting, restored, size, {"file_ratio": report.ratio, **times}


def _judged(original: np.ndarray, restored: np.ndarray, rate: float, size: int) -> dict[str, Any]:
    """Means over channels, the worst channel, and the tier of all."""
    meter = TierMeter()
    found = []
    for x, y in zip(original, restored, strict=True):
        found.append(measure(x, y, rate))
        meter.update(x, y, rate)

    def average(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return mean(known) if known else None

    tier = meter.report(size)
    return {
        "prd": average([m.prd for m in found]),
        "prd_worst_channel": max((m.prd for m in found if m.prd is not None), default=None),
        "prd_worst_second": average([m.worst_second_prd for m in found]),
        "snr": average([m.snr for m in found]),
        "r": average([m.r for m in found]),
        **{
            f"{band}_error": average([None if (e := m.band_power[band]) is None else abs(e) for m in found])
            for band in BANDS
        },
        "spectrogram_loss": average([m.spectrogram_loss for m in found]),
        "tier": tier.letter,
        "tier_by_fidelity": tier.letter_without_ratio,
    }
