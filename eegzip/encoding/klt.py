"""Karhunen-Loeve transform (KLT): the recording's own rotation, in whose components channels are coded.

What it turns a header's groups into is in SPEC.md, section 4.1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.signal.klt import UNIT, Distortion
from eegzip.codecs.signal.scaling import choose_offset_step
from eegzip.codecs.stream_batch import (
    BATCH_SAMPLES,
    BLOCK_SECONDS,
    DigitalSource,
    StreamBatch,
    analysis_of,
    sample_reader,
)
from eegzip.codecs.types import WindowAnalysis
from eegzip.encoding.channel_groups import klt_parts
from eegzip.encoding.kinds import is_as_eeg
from eegzip.encoding.options import CodecChoice
from eegzip.encoding.statistics import RecordingStatistics
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.klt import KLT
from eegzip.formats.limits import MAX_CONTEXT_TOKENS, MAX_GAIN, MAX_TOKENS, MIN_GAIN

if TYPE_CHECKING:
    from eegzip.codecs.runtime import CodecRuntime

_STRETCH_SECONDS = 4.0
# Of a recording, coded as by a model of single channels, to learn what error is to be left.
_CHANNELS, _WINDOWS = 8, 3
MAX_ENERGY = 4.0
"""Times the ordinary energy: what is louder counts no more than that."""

_MIN_RMS = 1.0
_TINY = 1e-12
# Tokens whose worth is that of the last one; how much less is asked of a component's, which takes fewer bits; and the
# least that is asked, of the energy of the error.
_LAST_LEVELS, _LESS, _MIN_MULTIPLIER = 3, 0.75, 0.02
_FINENESS = 1.2
_MIN_STEP = 2.0**-13
# Of the error's level: offsets are coded in steps of an eighth to a quarter of this.
_OFFSET_ROOM = 4.0


def transformed(
    file: DigitalSource, statistics: RecordingStatistics, header: FileHeader, codec: CodecChoice, runtime: CodecRuntime
) -> tuple[FileHeader, dict[KLT, Distortion]]:
    """Give a header the rotations that its groups are to be coded in.

    Parameters
    ----------
    file : DigitalSource
        Read once more.
    statistics : RecordingStatistics
    header : FileHeader
        With a group for each signal.
    codec : CodecChoice
        Of EEG, which alone is rotated.
    runtime : CodecRuntime
        Says which error `codec` leaves when channels are coded alone: the components get the same.

    Returns
    -------
    header : FileHeader
    distortions : dict of KLT to Distortion
        Of the components of each of the header's KLTs.
    """
    groups = list(header.groups)
    group_of = {group.signals[0]: number for number, group in enumerate(groups)}
    eeg = [signal for signal in group_of if is_as_eeg(header.signals[signal].kind)]
    parts = _affordable(header, klt_parts(file.header.signals, eeg, codec))
    if not parts:
        return header, {}
    # Only now, as it needs numba, which takes a while to load.
    from eegzip.formats.eegz.rotation import extend, pack_rotation

    distortions: dict[KLT, Distortion] = {}
    for part in parts:
        gains = np.array([_gain(statistics, signal) for signal in part])
        distortion = _distortion(file, header, StreamBatch(tuple(group_of[i] for i in part), part), gains, runtime)
        rate = header.signals[part[0]].sample_rate or 1.0
        covariance = _covariance(file, part, gains, rate, codec.config.rate)
        columns, levels = find_rotation(covariance, distortion.level / UNIT, extend)
        steps = choose_offset_step(np.maximum(levels * UNIT, _OFFSET_ROOM * distortion.level))
        for signal, step in zip(part, steps, strict=True):
            number = group_of[signal]
            most = codec.config.network.n_codebooks
            groups[number] = replace(groups[number], ranges=(float(step),), codebooks=most)
        klt = KLT(
            tuple(group_of[signal] for signal in part),
            tuple(float(gain) for gain in np.clip(gains / UNIT, MIN_GAIN, MAX_GAIN)),
            pack_rotation(columns),
        )
        distortions[klt] = distortion
    return _short_enough(replace(header, groups=tuple(groups), klts=tuple(distortions))), distortions


def _distortion(
    file: DigitalSource, header: FileHeader, batch: StreamBatch, gains: np.ndarray, runtime: CodecRuntime
) -> Distortion:
    """Error of some of a batch's channels when they are coded alone."""
    chosen = np.unique(np.linspace(0, len(batch.groups) - 1, _CHANNELS).astype(int))
    some = StreamBatch(tuple(batch.groups[i] for i in chosen), tuple(batch.signals[i] for i in chosen))
    analysis = analysis_of(header, some, sample_reader(file, some), runtime)
    return distortion_alone(analysis.probe(_WINDOWS), runtime.level_codewords, gains[chosen])


def _affordable(header: FileHeader, parts: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Smaller parts, of about one size, where a minute of all their samples would fill the memory."""
    found = []
    for part in parts:
        rate = header.signals[part[0]].sample_rate or 1.0
        count = -(-len(part) // max(int(BATCH_SAMPLES / (rate * BLOCK_SECONDS)), 1))
        edges = [len(part) * place // count for place in range(count + 1)]
        found += [part[low:high] for low, high in itertools.pairwise(edges) if high - low > 1]
    return found


def _gain(statistics: RecordingStatistics, signal: int) -> float:
    """Ordinary level of a signal, of five binary digits, which compress well."""
    found = statistics.signals[signal]
    # A signal that is flat most of the time has no ordinary level; its range will do.
    fraction, exponent = math.frexp(found.level or (found.highest - found.lowest) / 8)
    return math.ldexp(round(fraction * 32) / 32, exponent)


def _covariance(
    file: DigitalSource, signals: Sequence[int], gains: np.ndarray, rate: float, model_rate: float
) -> np.ndarray:
    """Covariance of signals relative to their gains, about the mean of each stretch of a few seconds."""
    # Here, as it needs numba, which takes a while to load.
    from eegzip.formats.fixed_order import gram

    coarse = max(int(rate // model_rate), 1)
    length = max(round(_STRETCH_SECONDS * rate / coarse), 2)
    total, weight = np.zeros((len(signals), len(signals))), 0.0
    for first, stop in file.spans():
        rows = file.digital(first, stop, signals)
        used = rows.shape[1] // coarse * coarse
        # Stretch by stretch, as all of them as float64 would be the largest array of a compression.
        for start in range(0, used, length * coarse):
            part = rows[:, start : min(start + length * coarse, used)]
            # What lies above the network's band should not decide.
            part = part.reshape(len(signals), -1, coarse).mean(axis=2) / gains[:, None]
            part -= part.mean(axis=1, keepdims=True)
            energy = float(np.square(part).sum())
            most = MAX_ENERGY * part.size
            share = min(1.0, most / energy) if energy > 0 else 1.0
            total += share * gram(part)
            weight += part.shape[1]
    return total / max(weight, 1.0)


def _short_enough(header: FileHeader) -> FileHeader:
    """Shorter chunks, where streams would hold more tokens than can be coded in context and may depend on another."""
    most = min(MAX_CONTEXT_TOKENS, MAX_TOKENS // len(header.groups))
    for number, group in enumerate(header.groups):
        while header.chunk_records > 1:
            first, stop = header.grid(number).frames_of_records(0, min(header.chunk_records, header.n_records))
            if (stop - first) * group.codebooks <= most:
                break
            header = replace(header, chunk_records=header.chunk_records // 2)
    return header


def distortion_alone(
    windows: Sequence[WindowAnalysis], codewords: Callable[[int, np.ndarray], np.ndarray], gains: np.ndarray
) -> Distortion:
    """Return the error that is left where channels are coded alone, and what their last tokens take away.

    Parameters
    ----------
    windows : sequence of WindowAnalysis
        Of C channels, each a group of its own.
    codewords : callable
        ``codewords(level, codes)``: those of a level, shape (..., D).
    gains : ndarray, shape (C,)
        Ordinary level of each channel, in the units of the scales.
    """
    last = max(windows[0].codes.shape[1] - _LAST_LEVELS, 0)
    left = np.zeros(2)
    for codes, latents, scales in windows:
        worth = np.square(scales / gains[:, None])
        whole = worth * np.square(latents, dtype=np.float64).sum(axis=1)
        # An artefact's error is as loud as the artefact; ordinary frames should decide.
        worth = worth * np.minimum(1.0, MAX_ENERGY * latents.shape[1] / np.maximum(whole, _TINY))
        rest = latents.transpose(0, 2, 1).astype(np.float64)
        for level in range(codes.shape[1]):
            if level == last:
                left[0] += (worth * np.square(rest).sum(axis=2)).sum()
            rest -= codewords(level, codes[:, level])
        left[1] += (worth * np.square(rest).sum(axis=2)).sum()
    # The latents of a frame have the energy of its samples: the linear path is orthonormal.
    width = windows[0].latents.shape[1]
    before, after = UNIT**2 * left / sum(window.scales.size for window in windows)
    rms = max(float(np.sqrt(after / width)), _MIN_RMS)
    taken = (before - after) / (windows[0].codes.shape[1] - last)
    return Distortion(rms, max(_LESS * float(taken), _MIN_MULTIPLIER * width * rms**2))


def find_rotation(
    covariance: np.ndarray,
    noise: float,
    extend: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> tuple[list[np.ndarray], np.ndarray]:
    """Find the integers of a rotation into components of falling variance.

    Parameters
    ----------
    covariance : ndarray, shape (C, C)
        Of channels relative to their levels.
    noise : float
        RMS of the error that is to come, likewise: each column is rounded as coarsely as what leaks from its component
        into others stays below. Columns of components below it become zeros.
    extend : callable
        :func:`eegzip.formats.eegz.rotation.extend`.

    Returns
    -------
    columns : list of ndarray of int64
        Of C, C - 1, ... 1 entries.
    levels : ndarray, shape (C,)
        Standard deviation of each component.
    """
    # Here, as it needs numba, which takes a while to load.
    from eegzip.formats.fixed_order import eigenvectors, product

    complement = np.eye(len(covariance))
    columns: list[np.ndarray] = []
    levels = []
    quiet = False
    for size in range(len(covariance), 0, -1):
        rounded = np.zeros(size, np.int64)
        if not quiet:
            # What rounded columns left: each one takes the loudest direction of it.
            left = product(product(complement.T, covariance), complement)
            variances, vectors = eigenvectors(left)
            deviation = float(np.sqrt(max(variances[-1], 0.0)))
            step = max(noise / max(_FINENESS * deviation, 1e-12), _MIN_STEP)
            rounded = np.rint(vectors[:, -1] / step).astype(np.int64)
            # No direction of what is left is louder than this one, so all columns to come are zeros.
            quiet = step > 2.0
        column, complement = extend(complement, rounded)
        columns.append(rounded)
        along = (covariance * column).sum(axis=1)
        levels.append(float(np.sqrt(max(float((along * column).sum()), 0.0))))
    return columns, np.array(levels)
