"""From a file to waveforms as the network sees them.

The paper's steps (section 2.2), each an option: leave out the noisy start, leave out empty channels, filter, resample,
clip and scale. Filter, resampling and scaling are the codec's own, so training and use can't differ in them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eegzip.codecs.signal.highpass import HighPass
from eegzip.codecs.signal.scaling import AdaptiveScaling, FixedScaling, RobustLevel
from eegzip.encoding.lines.removal import RecordingLines
from eegzip.encoding.statistics import LEVEL_SECONDS
from eegzip.formats.edf import (
    EdfFile,
    EdfHeader,
    SignalHeader,
    SignalKind,
    classify_signals,
    normalise_channel_name,
    parse_header,
)
from eegzip.formats.edf.label_patterns import matches
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import BadInputError
from eegzip.training.data.lines import line_values, lines_of
from eegzip.training.data.waveforms import at_level, resampled
from eegzip.training.settings.sections import DataSettings

# A change in what this module makes of a file must change what the cache looks for.
VERSION = 2
_LOWEST_RATE = 64.0
# Audio has no subjects; stretches of each file are kept for validation instead.
PIECE_SECONDS = 10.0

Wave = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a recording; see :class:`eegzip.training.settings.sections.DataSettings` for each."""

    domain: str = "eeg"
    skip_seconds: float = 0.0
    drop_empty: bool = True
    lines: bool = False
    rate: float = 256.0
    highpass_hz: float = 0.1
    scaling: str = "adaptive"
    limit_uv: float = 200.0
    spacing: int = 1024
    level_rms: float = 0.2
    level_peak: float = 0.9
    clamp: float = 10.0
    signals: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: DataSettings) -> Preprocessing:
        """Return the part of a run's settings that decides what a recording becomes."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})

    @property
    def adaptive_scaling(self) -> AdaptiveScaling:
        """The codec's adaptive scaling with these settings."""
        return AdaptiveScaling(self.spacing, self.level_rms, self.level_peak)

    def robust_scaling(self, x: npt.NDArray[np.integer] | Wave, rate: float) -> FixedScaling:
        """Return the codec's robust scaling of a signal [n], as it is before any filter."""
        size = max(round(LEVEL_SECONDS * rate), 1)
        level = RobustLevel.of(x[start : start + size] for start in range(0, len(x), size))
        # A filter has taken the offset away.
        centre = 0.0 if self.highpass_hz else level.median
        return FixedScaling(np.array([level.spread]), np.array([centre]), self.clamp)

    @property
    def digest(self) -> str:
        """SHA-256 of these settings, in hexadecimal: a cache's key."""
        text = json.dumps([VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Channel:
    """A channel of a file, its samples not read yet.

    Attributes
    ----------
    signal : SignalHeader
    rate : Fraction
        In Hz; 0 where it is not known.
    length : int
        Samples.
    read : callable
        Gives its digital values, int32 [n], from one sample up to another.
    """

    signal: SignalHeader
    rate: Fraction
    length: int
    read: Callable[[int, int], npt.NDArray[np.int32]]

    def whole(self) -> npt.NDArray[np.int32]:
        """All of its digital values, int32 [n]."""
        return self.read(0, self.length)


def prepared_rows(path: Path, preprocessing: Preprocessing) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Yield normalised name and waveform [n] of each channel of a file, at least one; lengths may differ a little.

    Raises
    ------
    BadInputError
        Nothing in it can be trained on; the sentence says why.
    EegzipError
        It can't be read.
    """
    if preprocessing.domain == "audio":
        yield "audio", _audio(path, preprocessing)
        return
    empty = True
    reasons: dict[str, None] = {}
    with EegzReader(path) if path.suffix.lower() == ".eegz" else EdfFile.open(path) as file:
        patterns = preprocessing.signals
        channels = exact_channels(file, patterns) if isinstance(file, EegzReader) else edf_channels(file, patterns)
        lines = {} if preprocessing.lines else lines_of(channels)
        for place, channel in enumerate(channels):
            reason = _obstacle(channel, preprocessing)
            wave = None if reason else _wave(channel, preprocessing, lines.get(place))
            if wave is None:
                reasons[reason or "empty, or shorter than what is skipped"] = None
                continue
            empty = False
            yield normalise_channel_name(channel.signal.label), wave
    if empty:
        raise BadInputError(f"{path} has no channel to train on: {'; '.join(reasons) or 'none is EEG'}.")


def _wanted(header: EdfHeader, patterns: Sequence[str]) -> list[bool]:
    """Whether each signal is to be trained on: one that a pattern names; without patterns, EEG."""
    kinds = classify_signals(header)
    if not patterns:
        return [kind is SignalKind.EEG for kind in kinds]
    signals = zip(header.signals, kinds, strict=True)
    return [
        kind is not SignalKind.ANNOTATIONS and any(matches(pattern, signal.label) for pattern in patterns)
        for signal, kind in signals
    ]


def edf_channels(file: EdfFile, patterns: Sequence[str] = ()) -> list[Channel]:
    """Return the signals of a recording that `patterns` name; without any, its EEG."""
    return [
        Channel(
            s,
            file.header.sample_rate_exact(s.index) or Fraction(0),
            file.n_samples(s.index),
            partial(file.read_signal, s.index),
        )
        for s, wanted in zip(file.header.signals, _wanted(file.header, patterns), strict=True)
        if wanted
    ]


def exact_channels(reader: EegzReader, patterns: Sequence[str] = ()) -> list[Channel]:
    """Channels that a container keeps exactly: lossy ones would teach a codec its own errors."""
    header = reader.header
    size = len(header.edf_header) + header.record_bytes * header.n_records + header.trailing_bytes
    edf = parse_header(header.edf_header, file_size=size, name=str(reader.path))
    exact = set(header.exact_signals())

    def read(index: int, start: int, stop: int) -> npt.NDArray[np.int32]:
        per_record = header.signals[index].samples_per_record
        parts = [np.zeros(0, np.int32)]
        for chunk in range(header.n_chunks):
            first, end = (record * per_record for record in header.records_of_chunk(chunk))
            if first < stop and start < end:
                values = reader.chunk_exact(chunk, index).reshape(-1)
                parts.append(values[max(start - first, 0) : stop - first])
        return np.concatenate(parts)

    chosen = [s for s, wanted in zip(edf.signals, _wanted(edf, patterns), strict=True) if wanted and s.index in exact]
    if not chosen:
        what = "signal of these names" if patterns else "EEG"
        raise BadInputError(
            f"{reader.path} keeps no {what} exactly; a codec should not be trained on another's errors."
        )
    return [
        Channel(
            s,
            edf.sample_rate_exact(s.index) or Fraction(0),
            header.n_records * header.signals[s.index].samples_per_record,
            partial(read, s.index),
        )
        for s in chosen
    ]


def _obstacle(channel: Channel, preprocessing: Preprocessing) -> str:
    """Why a channel can't be used, or nothing."""
    if not channel.rate or channel.rate < _LOWEST_RATE:
        return f"a sampling rate of {float(channel.rate):g} Hz, under {_LOWEST_RATE:g}"
    if 2 * preprocessing.highpass_hz >= channel.rate:
        return f"a sampling rate of {float(channel.rate):g} Hz, too low for the high-pass filter"
    if preprocessing.scaling == "fixed" and _calibration(channel.signal) is None:
        return "no calibration in uV, which a fixed scaling needs"
    return ""


def _calibration(header: SignalHeader) -> tuple[float, float] | None:
    """Return microvolts a digit and the digital value of zero, where they are known."""
    if header.microvolts_per_digit is None or header.gain is None or header.offset is None:
        return None
    return header.microvolts_per_digit, -header.offset / header.gain


def _wave(
    channel: Channel, preprocessing: Preprocessing, lines: RecordingLines | None
) -> npt.NDArray[np.float32] | None:
    """Return a channel without its lines as the network sees it [n], or ``None`` where there is nothing."""
    digital = channel.whole()
    if lines is not None:
        digital = (digital - line_values(lines, len(digital))).astype(np.int32)
    digital = digital[round(preprocessing.skip_seconds * channel.rate) :]
    if len(digital) < channel.rate or (preprocessing.drop_empty and digital.min() == digital.max()):
        return None
    x = high_passed(digital.astype(np.float64), float(channel.rate), preprocessing.highpass_hz)
    robust = preprocessing.robust_scaling(digital, float(channel.rate)) if preprocessing.scaling == "robust" else None
    x = resampled(x[None], channel.rate, preprocessing.rate)
    if robust is not None:
        return robust.normalise(x)[0]
    calibration = _calibration(channel.signal)
    if preprocessing.scaling == "adaptive" or calibration is None:
        return at_level(x, preprocessing.adaptive_scaling)[0][0]
    limit = np.array([abs(preprocessing.limit_uv / calibration[0])])
    # A filter has taken the offset away; without one it is the recording's own zero that counts.
    centre = np.array([0.0 if preprocessing.highpass_hz else calibration[1]])
    return FixedScaling(limit, centre).normalise(x)[0]


def high_passed(x: Wave, rate: float, corner: float) -> Wave:
    """Return a waveform [n] without what lies below a corner in Hz."""
    return HighPass(rate, corner).whole((x - x.mean())[None])[0] if corner else x


def _audio(path: Path, preprocessing: Preprocessing) -> npt.NDArray[np.float32]:
    """Return a sound file, mixed to one channel, at the rate wished for."""
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (RuntimeError, OSError) as error:
        raise BadInputError(f"{path} can't be read as audio: {error}.") from error
    x = samples.mean(axis=1)[round(preprocessing.skip_seconds * rate) :]
    if len(x) < rate:
        raise BadInputError(f"{path} is shorter than a second.")
    if 2 * preprocessing.highpass_hz >= rate:
        raise BadInputError(f"{path} has {rate} samples a second, too few for the high-pass that is wished for.")
    x = high_passed(x, rate, preprocessing.highpass_hz)
    if rate != preprocessing.rate:
        x = resampled(x[None], rate, preprocessing.rate)[0]
    if preprocessing.scaling == "adaptive":
        # As digital values of 16 bits: the scaling's steps are made for integers.
        wave = at_level(x[None] * 2.0**15, preprocessing.adaptive_scaling)[0][0]
    else:
        wave = np.clip(x, -1, 1).astype(np.float32)
    return wave
