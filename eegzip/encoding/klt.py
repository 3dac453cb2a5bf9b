"""Turns the groups of a header into components of the recording's own rotation (SPEC.md, section 4.1)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.signal.components import LOUDEST, UNIT, Loudness, find_rotation, loudness_alone
from eegzip.codecs.signal.scaling import choose_offset_step
from eegzip.codecs.stream_batch import BANK_SAMPLES, BLOCK_SECONDS, Bank, analysis_of, sample_reader
from eegzip.encoding.channel_groups import mixed_parts
from eegzip.encoding.options import CodecChoice
from eegzip.encoding.statistics import Survey
from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.klt import KLT
from eegzip.formats.limits import MAX_CONTEXT_TOKENS, MAX_GAIN, MAX_TOKENS, MIN_GAIN

if TYPE_CHECKING:
    from eegzip.codecs.runtime import CodecRuntime

_STRETCH_SECONDS = 4.0
# Of a recording, coded as by a model of single channels, to learn how loud the error is to be.
_CHANNELS, _WINDOWS = 8, 3
# Of the error's level: offsets are coded in steps of an eighth to a quarter of this.
_OFFSET_ROOM = 4.0


def mixed(
    file: EdfFile, survey: Survey, header: FileHeader, choice: CodecChoice, runtime: CodecRuntime
) -> tuple[FileHeader, list[Loudness]]:
    """Give a header the rotations that its groups are to be coded in.

    Parameters
    ----------
    file : EdfFile
        Read once more.
    survey : Survey
    header : FileHeader
        With a group for each signal.
    choice : CodecChoice
    runtime : CodecRuntime
        Says how loud the error is that `choice` leaves when channels are coded alone: so loud it will be.

    Returns
    -------
    header : FileHeader
    loudness : list of Loudness
        Of the error of each mixture's components.
    """
    groups = list(header.groups)
    group_of = {group.signals[0]: number for number, group in enumerate(groups)}
    parts = _affordable(header, mixed_parts(file.header.signals, list(group_of), choice))
    if not parts:
        return header, []
    # Only now, as it needs numba, which takes a while to load.
    from eegzip.formats.eegz.rotation import extend, pack_rotation

    mixtures, found = [], []
    for part in parts:
        gains = np.array([_gain(survey, signal) for signal in part])
        loudness = _loudness(file, header, Bank(tuple(group_of[i] for i in part), part), gains, runtime)
        rate = header.signals[part[0]].sample_rate or 1.0
        covariance = _covariance(file, part, gains, rate, choice.config.rate)
        columns, levels = find_rotation(covariance, loudness.level / UNIT, extend)
        steps = choose_offset_step(np.maximum(levels * UNIT, _OFFSET_ROOM * loudness.level))
        for signal, step in zip(part, steps, strict=True):
            number = group_of[signal]
            most = choice.config.network.n_codebooks
            groups[number] = replace(groups[number], ranges=(float(step),), codebooks=most)
        mixtures.append(
            KLT(
                tuple(group_of[signal] for signal in part),
                tuple(float(gain) for gain in np.clip(gains / UNIT, MIN_GAIN, MAX_GAIN)),
                pack_rotation(columns),
            )
        )
        found.append(loudness)
    return _short_enough(replace(header, groups=tuple(groups), klts=tuple(mixtures))), found


def _loudness(file: EdfFile, header: FileHeader, bank: Bank, gains: np.ndarray, runtime: CodecRuntime) -> Loudness:
    """How loud the error of some of a bank's channels is alone."""
    chosen = np.unique(np.linspace(0, len(bank.groups) - 1, _CHANNELS).astype(int))
    some = Bank(tuple(bank.groups[i] for i in chosen), tuple(bank.signals[i] for i in chosen))
    analysis = analysis_of(header, some, sample_reader(file, some), runtime)
    windows = np.unique(np.linspace(0, analysis.n_windows - 1, _WINDOWS).astype(int))
    looks = [analysis.look(int(window)) for window in windows]
    return loudness_alone(looks, runtime.words, gains[chosen])


def _affordable(header: FileHeader, parts: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Smaller parts, of about one size, where a minute of all their samples would fill the memory."""
    found = []
    for part in parts:
        rate = header.signals[part[0]].sample_rate or 1.0
        count = -(-len(part) // max(int(BANK_SAMPLES / (rate * BLOCK_SECONDS)), 1))
        edges = [len(part) * place // count for place in range(count + 1)]
        found += [part[low:high] for low, high in itertools.pairwise(edges) if high - low > 1]
    return found


def _gain(survey: Survey, signal: int) -> float:
    """Ordinary level of a signal, of five binary digits, which compress well."""
    found = survey.signals[signal]
    # A signal that is flat most of the time has no ordinary level; its range will do.
    fraction, exponent = math.frexp(found.level or (found.highest - found.lowest) / 8)
    return math.ldexp(round(fraction * 32) / 32, exponent)


def _covariance(file: EdfFile, signals: Sequence[int], gains: np.ndarray, rate: float, model_rate: float) -> np.ndarray:
    """Covariance of signals relative to their gains, about the mean of each stretch of a few seconds."""
    # Here, as it needs numba, which takes a while to load.
    from eegzip.formats.fixed_order import gram

    coarse = max(int(rate // model_rate), 1)
    length = max(round(_STRETCH_SECONDS * rate / coarse), 2)
    total, weight = np.zeros((len(signals), len(signals))), 0.0
    for _, block in file.blocks():
        rows = np.stack([decode_signal(block, file.header, index).reshape(-1) for index in signals])
        # What lies above the network's band should not decide.
        used = rows.shape[1] // coarse * coarse
        rows = rows[:, :used].reshape(len(signals), -1, coarse).mean(axis=2) / gains[:, None]
        for start in range(0, rows.shape[1], length):
            part = rows[:, start : start + length]
            part = part - part.mean(axis=1, keepdims=True)
            energy = float(np.square(part).sum())
            most = LOUDEST * part.size
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
