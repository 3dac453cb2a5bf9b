"""Content of the page: facts, sizes, promises, figures of channels; and the page itself, made of its template."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eegzip._version import __version__
from eegzip.codecs.channels.positions import unit_positions
from eegzip.codecs.channels.vocabulary import style_name
from eegzip.codecs.extra import require_scipy
from eegzip.evaluation.drawn import calibration, drawable, drawn, unit_of
from eegzip.evaluation.evaluate import judge
from eegzip.evaluation.page import pictures
from eegzip.evaluation.sides import read_side, refuse_other
from eegzip.formats.errors import UsageError
from eegzip.formats.files import atomic_output, refuse_own_source
from eegzip.formats.remote.spooled import files_here, local_target
from eegzip.reports import finite, human_size, promise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eegzip.evaluation.report import EvaluationReport
    from eegzip.evaluation.sides import Side
    from eegzip.formats.eegz.keys import AnyKey
    from eegzip.progress import Progress

TEMPLATE = Path(__file__).with_name("template.html")
_PLACE = "/*content*/null"
_FAR = 1.0
"""Distance on the unit sphere from which on two electrodes are no neighbours: A2-A1 is of no place between the ears."""


def report(
    original: str | Path,
    other: str | Path,
    target: str | Path,
    *,
    patient: bool = False,
    model: str | Path | None = None,
    device: str = "cpu",
    key: AnyKey | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> EvaluationReport:
    """Write a page on how far a recording is from its original: one HTML file that needs nothing else.

    Parameters
    ----------
    original, other : path-like or URL
        EDF, BDF or ``.eegz``, of the same recording.
    target : path-like or URL
        The HTML file.
    patient : bool
        Show the header's patient and recording fields and the date. Names of the files are shown in any case.
    model : path-like, optional
        As for :func:`eegzip.decompress`.
    device : str
    key : str, bytes or path-like, optional
        What opens files that are sealed as a whole, as in :func:`eegzip.open`.
    overwrite : bool
        Replace an existing target.
    progress : callable, optional

    Returns
    -------
    EvaluationReport
        The same figures; the spectrogram loss, which needs torch, is left out.

    Raises
    ------
    EdfError, ContainerError, ModelError, SealedError
        One of them can't be read.
    BadInputError
        They are not of the same recording.
    UsageError
        Data records have no duration, the target is one of the inputs, or scipy is missing.
    OutputExistsError, OutputError
        The target exists, or can't be written.

    Examples
    --------
    >>> found = eegzip.report("night.edf", "night.eegz", "night.html")
    """
    require_scipy("a report")
    show = progress or (lambda *_: None)
    for source in (original, other):
        refuse_own_source(source, target)
    first = read_side(original, model, device, show, key)
    files = files_here(original, other)
    with (
        local_target(target, overwrite=overwrite) as write,
        atomic_output(write, overwrite=overwrite, source=next(iter(files), None), also=files[1:]) as file,
    ):
        second = read_side(other, model, device, show, key)
        refuse_other(first, second)
        if not first.duration:
            raise UsageError(f"{original}: its data records have no duration, so there is no time to draw over.")
        found = judge(first, second, show, spectrogram=False)
        file.write(page_of(first, second, found, patient=patient).encode())
    return found


def page_of(original: Side, other: Side, found: EvaluationReport, *, patient: bool) -> str:
    """Return the page as text."""
    # Of a tag's end within a text a browser would make the end of the script.
    content = finite(_content(original, other, found, patient=patient))
    text = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    return TEMPLATE.read_text("utf-8").replace(_PLACE, text)


def _content(original: Side, other: Side, found: EvaluationReport, *, patient: bool) -> dict[str, Any]:
    seconds = original.duration or 0.0
    chosen = drawn(original.header, original.eeg | other.eeg)
    pairs = [_pair(original, other, index) for index in chosen]
    errors, percents = pictures.window_errors(pairs, seconds)
    windows = pictures.chosen_windows(errors) if pairs else {"worst": [], "typical": []}
    first = [*windows["worst"], *windows["typical"]]
    header = original.header
    return {
        "version": __version__,
        "files": [Path(original.path).name, Path(other.path).name],
        "patient": _patient(original) if patient else None,
        "sentence": found.sentence(),
        "tier": found.tier_line(),
        "seconds": seconds,
        "gaps": header.is_discontinuous,
        "sizes": _sizes(original, other, found),
        "promises": _promises(original, other),
        "window": pictures.WINDOW,
        "channels": [_channel(original, other, found, index) for index in chosen],
        "others": len(found.channels) - len(chosen),
        "bands": list(found.to_dict()["bands"]),
        "errors": {"uv": _codes(errors), "percent": _codes(percents), "windows": errors.shape[1]},
        "chosen": {
            name: [[i, round(float(errors[:, i].max()), 2), int(errors[:, i].argmax())] for i in numbers]
            for name, numbers in windows.items()
        },
        "traces": pictures.traces(pairs, first, errors.shape[1]),
        "spectra": pictures.spectra(pairs),
        "spectrograms": pictures.spectrograms(pairs, seconds),
    }


def _codes(values: np.ndarray) -> str:
    """Figures as bytes, 16 log2(1 + 20 x): in steps of 4 %, from 0.05 on; 255 is at least 3000, or unknown."""
    codes = np.rint(16 * np.log2(1 + 20 * np.nan_to_num(values, nan=np.inf)).clip(max=15.94))
    return pictures.packed(codes.astype(np.uint8))


def _pair(original: Side, other: Side, index: int) -> pictures.ChannelPair:
    signal = original.header.signals[index]
    scale, offset = calibration(signal)
    both = ((side.samples[index] * scale + offset).astype(np.float32) for side in (original, other))
    return pictures.ChannelPair(signal.label, original.header.sample_rate(index), *both)


def _channel(original: Side, other: Side, found: EvaluationReport, index: int) -> dict[str, Any]:
    signal = original.header.signals[index]
    channel = found.channels[drawable(original.header).index(index)]
    measures = channel.measures
    stored = other.signals or original.signals
    return {
        "label": signal.label,
        "name": style_name(signal.label),
        "unit": unit_of(signal),
        "place": _place(style_name(signal.label)),
        "bits": None if stored is None else stored[index].bits_per_second,
        "coding": None if stored is None else stored[index].coding,
        "prd": measures.prd,
        "eeg_prd": measures.eeg_prd,
        "snr": measures.snr,
        "r": measures.r,
        "worst_second": measures.worst_second_prd,
        "largest": channel.largest_error_uv,
        "band_power": measures.band_power,
        "coherence": measures.coherence,
        "spikes": measures.spikes.count,
        "spike_change": measures.spikes.amplitude_change,
        "flattened": measures.spikes.flattened,
        "peak_change": measures.peaks.amplitude_change,
    }


def _place(name: str) -> list[float] | None:
    """Where a channel lies on the map, seen from above, the ears at 1; a bipolar one half-way between neighbours."""
    ends = [name] if "-" not in name else name.split("-")
    found = [place for end in ends if (place := unit_positions([end]).get(end)) is not None]
    if len(found) != len(ends) or len(found) > 2 or float(np.linalg.norm(found[0] - found[-1])) > _FAR:
        return None
    flat = []
    for place in found:
        away = math.acos(max(-1.0, min(1.0, float(place[2])))) / (math.pi / 2)
        size = math.hypot(float(place[0]), float(place[1])) or 1.0
        flat.append([away * float(place[0]) / size, away * float(place[1]) / size])
    return [round(sum(values) / len(values), 4) for values in zip(*flat, strict=True)]


def _patient(original: Side) -> dict[str, str]:
    header = original.header
    start = header.start.isoformat(" ") if header.start else "unknown"
    return {"patient": header.patient, "recording": header.recording, "start": start}


def _sizes(original: Side, other: Side, found: EvaluationReport) -> list[list[str]]:
    """Rows of two: what, how much."""
    rows = [[f"{Path(side.path).name}", human_size(side.size)] for side in (original, other)]
    if found.compressed_bytes is None or found.coded_bytes is None:
        return rows
    rows.append(["file over file", f"{found.original_bytes / found.compressed_bytes:.1f}:1"])
    rows.append(["of which stands for EEG", human_size(found.coded_bytes)])
    count = round(8 * found.coded_bytes / found.bits_per_sample) if found.bits_per_sample else 0
    for name, size in (("16-bit samples (EDF)", 2), ("32-bit floats", 4), ("64-bit integers (OpenECS)", 8)):
        rows.append([f"EEG, against {name}", f"{size * count / max(1, found.coded_bytes):.1f}:1"])
    if found.bits_per_second is not None:
        rows.append(["a channel", f"{found.bits_per_second:.0f} bit/s, {found.bits_per_sample:.2f} bit a sample"])
    return rows


def _promises(original: Side, other: Side) -> dict[str, Any]:
    """What was promised, what was found, and whether that is within it."""
    same = all(np.array_equal(original.samples[i], other.samples[i]) for i in original.samples)
    if same:
        return {"promised": promise(other.targets), "rows": [["every sample", "the same in both", True]]}
    if other.targets is None or other.signals is None:
        return {"promised": "nothing", "rows": []}
    bounded = [signal for signal in other.signals if signal.coding == "layers"]
    targets, rows = other.targets, []
    whole = _most([signal.worst_chunk_prd for signal in bounded])
    part = _most([signal.worst_chunk_eeg_prd for signal in bounded]) if targets.measure is not None else None
    limits = [] if targets.max_prd is None else [(f"PRD at most {targets.max_prd:g} %", targets.max_prd)]
    if targets.min_snr is not None:
        limits.append((f"SNR at least {targets.min_snr:g} dB", 100 * 10 ** (-targets.min_snr / 20)))
    for text, limit in limits:
        for of, worst in (("", whole), (", EEG part", part)):
            if worst is not None:
                rows.append([text + of, f"worst chunk {worst:.2f} %", worst <= limit * (1 + 1e-9)])
    largest = _most([signal.largest_error_uv for signal in bounded])
    if targets.max_error_uv is not None and largest is not None:
        fits = largest <= targets.max_error_uv * (1 + 1e-9)
        rows.append([f"no error above {targets.max_error_uv:g} uV", f"largest {largest:.3g} uV", fits])
    return {"promised": promise(targets), "rows": rows}


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
