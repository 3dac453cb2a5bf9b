"""From tokens and scales to samples, without a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from eegzip.codecs.joint_latents import JointLatents
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.signal.resampling import network_ratio
from eegzip.codecs.signal.scaling import GAUSSIAN_SPREAD, AdaptiveScaling, FixedScaling, nearest_scale_code
from eegzip.codecs.signal.synthesis import Synthesis
from eegzip.codecs.stream_batch import BATCH_SAMPLES, BLOCK_SECONDS
from eegzip.codecs.stream_coder import GroupCoder
from eegzip.formats.eegz.klt import KLT
from eegzip.formats.eegz.timeline import FrameGrid
from eegzip.formats.errors import UsageError
from eegzip.formats.limits import MAX_JOINT_GROUPS, MAX_JOINT_SAMPLES
from eegzip.formats.tokens.packed import ABSENT
from eegzip.tokenizer.samples import RESOLUTION
from eegzip.tokenizer.scales import Scales


class _Stored:
    """Tokens and knots in memory."""

    def __init__(self, codes: npt.NDArray[np.uint16], knots: npt.NDArray[np.int64]) -> None:
        self._codes, self._knots = codes, knots

    def frames(self, start: int, stop: int) -> np.ndarray:
        return self._codes[:, :, start:stop]

    def knots(self, start: int, stop: int) -> np.ndarray:
        return self._knots[:, start:stop]

    def whole(self, start: int, stop: int) -> bool:
        return stop >= start


class _Joined:
    """Latents of several joint sets, one after another."""

    def __init__(self, parts: Sequence[JointLatents]) -> None:
        self._parts = parts

    def frames(self, start: int, stop: int) -> np.ndarray:
        return np.concatenate([part.frames(start, stop) for part in self._parts])


class Decoding:
    """Restores samples of a batch of recordings.

    Parameters
    ----------
    runtime : CodecRuntime
    scales : Scales
    groups : sequence of sequence of int
        Channels that share a stream of tokens, for each stream.
    styles : sequence of int
        Of each channel.
    fixed : bool
        Whether the scaling is a fixed one.
    """

    def __init__(
        self,
        runtime: CodecRuntime,
        scales: Scales,
        groups: Sequence[Sequence[int]],
        styles: Sequence[int],
        *,
        fixed: bool,
    ) -> None:
        self._runtime, self._scales, self._groups, self._styles = runtime, scales, groups, styles
        self._fixed = fixed
        self.grid = grid_of(runtime, scales.sample_rate, scales.n_samples)

    def digits(self, codes: npt.NDArray[np.uint16], *, joint: bool) -> npt.NDArray[np.float64]:
        """Restore digits [B, C, T], before rounding, of codes [B, G, K, F].

        Parameters
        ----------
        codes : ndarray of uint16
        joint : bool
            Use the model's joint decoder.
        """
        scales = self._scales
        result = np.repeat(scales.centres[:, :, None], scales.n_samples, axis=2)
        plain = []
        for number, klts in enumerate(scales.klts):
            rotated: set[int] = set()
            for signals, klt in klts:
                result[number, list(signals)] = self._rotated(codes[number], number, signals, klt)
                rotated.update(signals)
            rest = [group for group, members in enumerate(self._groups) if rotated.isdisjoint(members)]
            if klts or self._of_components:
                # A flat channel has neither part in a rotation nor tokens.
                rest = [group for group in rest if (codes[number, group] != ABSENT).any()]
            if rest:
                plain.append((number, rest))
        for part in self._affordable(plain):
            values = self._together(codes, part, joint=joint)
            row = 0
            for number, rest in part:
                members = [channel for group in rest for channel in self._groups[group]]
                result[number, members] = values[row : row + len(members)]
                row += len(members)
        return np.clip(result, scales.limits[:, :, :1], scales.limits[:, :, 1:])

    @property
    def _of_components(self) -> bool:
        config = self._runtime.checkpoint.config
        return config.multichannel is not None and config.adapters is None

    def _rotated(self, codes: np.ndarray, number: int, signals: Sequence[int], klt: KLT) -> np.ndarray:
        scales, chosen = self._scales, list(signals)
        source = _Stored(codes[chosen], scales.knots[number, chosen])
        coder = GroupCoder(self._runtime, [(0,)] * len(chosen))
        centres, steps = scales.centres[number, chosen], scales.steps[number, chosen]
        return self._values(Synthesis(
            source, self.grid, coder, self._scaling(steps), centres, steps, *_unclipped(len(chosen)), klt.to_signals()
        ))  # fmt: skip

    def _together(self, codes: np.ndarray, part: Sequence[tuple[int, list[int]]], *, joint: bool) -> np.ndarray:
        """Samples of streams of several recordings as one batch: each knows of no other."""
        scales, runtime = self._scales, self._runtime
        members = [[channel for group in rest for channel in self._groups[group]] for _, rest in part]
        numbers = [number for number, _ in part]
        knots, centres, steps = (
            np.concatenate([of[number, chosen] for number, chosen in zip(numbers, members, strict=True)])
            for of in (scales.knots, scales.centres, scales.steps)
        )
        source = _Stored(np.concatenate([codes[number, rest] for number, rest in part]), knots)
        styles = [[self._styles[channel] for channel in self._groups[group]] for _, rest in part for group in rest]
        latents = None
        if joint:
            latents = _Joined([
                JointLatents(_Stored(codes[number, some], knots), self.grid, runtime, *2 * [range(len(some))])
                for number, rest in part
                for some in self._joint_sets(rest)
            ])  # fmt: skip
        return self._values(Synthesis(
            source, self.grid, GroupCoder(runtime, styles), self._scaling(steps), centres, steps,
            *_unclipped(len(centres)), None, latents,
        ))  # fmt: skip

    def _joint_sets(self, channels: Sequence[int]) -> Iterator[list[int]]:
        """Channels that a joint decoder restores together; as :meth:`FileHeader.joint_sets` says."""
        most = max(1, min(MAX_JOINT_GROUPS, int(MAX_JOINT_SAMPLES / (60.0 * float(self._scales.sample_rate)))))
        for first in range(0, len(channels), most):
            yield list(channels[first : first + most])

    def _scaling(self, steps: np.ndarray) -> AdaptiveScaling | FixedScaling:
        config = self._runtime.checkpoint.config.scaling
        if self._fixed:
            return FixedScaling(steps, np.zeros(len(steps)))
        return AdaptiveScaling(config.spacing, config.level_rms, config.level_peak)

    def _values(self, synthesis: Synthesis) -> np.ndarray:
        block = max(1, round(BLOCK_SECONDS * float(self._scales.sample_rate)))
        edges = range(0, self._scales.n_samples, block)
        return np.concatenate([synthesis.values(a, min(a + block, self._scales.n_samples)) for a in edges], axis=1)

    def _affordable(self, plain: Sequence[tuple[int, list[int]]]) -> Iterator[list[tuple[int, list[int]]]]:
        """As many recordings at once as memory allows."""
        length = min(self._scales.n_samples, int(BLOCK_SECONDS * self._scales.sample_rate))
        most = max(1, BATCH_SAMPLES // max(length * len(self._styles), 1))
        for first in range(0, len(plain), most):
            yield list(plain[first : first + most])


def grid_of(runtime: CodecRuntime, sample_rate: Fraction, n_samples: int) -> FrameGrid:
    """Where the frames of a recording lie."""
    ratio = network_ratio(sample_rate, Fraction(runtime.rate).limit_denominator(1000))
    return FrameGrid(1, n_samples, ratio.numerator, ratio.denominator, runtime.hop)


def steady_scales(
    runtime: CodecRuntime,
    shape: tuple[int, int, int],
    names: Sequence[str],
    rate: Fraction,
    level: float,
    *,
    fixed: bool,
) -> Scales:
    """Scales of one level throughout, for tokens that no recording stands behind.

    Parameters
    ----------
    runtime : CodecRuntime
    shape : (B, C, F)
        Recordings, channels, frames.
    names : sequence of str
        Of the channels.
    rate : Fraction
        Hz of the samples to come.
    level : float
        Their RMS, about, in uV; means nothing with a scaling that is fixed in uV.
    fixed : bool
        Whether each channel has one scale throughout.

    Raises
    ------
    UsageError
        Fewer than two frames, which stand for no samples.
    """
    batch, channels, frames = shape
    config = runtime.checkpoint.config.scaling
    one = grid_of(runtime, rate, 1)
    n_samples = (frames - 1) * runtime.hop * one.down // one.up
    if n_samples < 1:
        raise UsageError(f"{frames} frames stand for no samples; the last one is centred after the last sample.")
    count = -(-grid_of(runtime, rate, n_samples).n_model_samples // config.spacing) + 1
    knots = np.zeros((batch, channels, 0 if fixed else count, 2), np.int64)
    if not fixed:
        knots[..., 0] = nearest_scale_code(level / config.level_rms / RESOLUTION)
    unit = config.limit_uv if config.kind == "fixed" else GAUSSIAN_SPREAD * level
    steps = np.full((batch, channels), unit / RESOLUTION if fixed else 1.0)
    return Scales(
        tuple(names), rate, n_samples, knots, steps, np.zeros((batch, channels)),
        np.broadcast_to([-np.inf, np.inf], (batch, channels, 2)), np.full(channels, RESOLUTION), np.zeros(channels),
        ((),) * batch,
    )  # fmt: skip


def _unclipped(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest digits, which only rounded samples are held to."""
    limit = np.full(channels, 1 << 30)
    return -limit, limit
