"""Integer arithmetic between data records, samples, model samples and frames (SPEC.md, section 5).

Everything here is exact: no float decides which chunk owns a frame.
"""

from __future__ import annotations

from dataclasses import dataclass


def _ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


@dataclass(frozen=True)
class FrameGrid:
    """Where the frames of one token stream lie in a recording.

    The model sees the signal at ``up / down`` times its own rate; model sample m lies at signal sample
    ``m * down / up``. Frame f is centred on model sample ``f * hop`` and owns the model samples
    ``f * hop - hop // 2`` up to the next frame's first.

    Parameters
    ----------
    samples_per_record, n_records : int
        Of the signals coded in the stream.
    up, down : int
        The resampling ratio, in lowest terms.
    hop : int
        Model samples a frame.
    """

    samples_per_record: int
    n_records: int
    up: int
    down: int
    hop: int

    @property
    def n_samples(self) -> int:
        """Samples of one signal in the whole recording."""
        return self.samples_per_record * self.n_records

    @property
    def n_model_samples(self) -> int:
        """Model samples in the whole recording."""
        return _ceil_div(self.n_samples * self.up, self.down)

    @property
    def n_frames(self) -> int:
        """Frames in the whole recording: the last one is centred on or after the last sample."""
        if self.n_samples == 0:
            return 0
        return _ceil_div(self.n_model_samples, self.hop) + 1

    def frames_of_records(self, first: int, stop: int) -> tuple[int, int]:
        """Frames owned by data records ``first`` up to, not including, `stop`.

        A frame belongs to the record in which its centre lies; frames centred after the last sample belong to
        the last record.
        """
        scale = self.samples_per_record * self.up
        per_frame = self.hop * self.down
        begin = _ceil_div(first * scale, per_frame)
        end = self.n_frames if stop >= self.n_records else _ceil_div(stop * scale, per_frame)
        return min(begin, self.n_frames), end

    def record_of_frame(self, frame: int) -> int:
        """Data record in which a frame's centre lies; may be past the last record."""
        return frame * self.hop * self.down // (self.up * self.samples_per_record)

    def frame_of_model_sample(self, sample: int) -> int:
        """Frame that owns a model sample."""
        return (sample + self.hop // 2) // self.hop

    def model_range(self, first_frame: int, stop_frame: int) -> tuple[int, int]:
        """Model samples owned by a range of frames, clipped to the recording."""
        begin = first_frame * self.hop - self.hop // 2
        end = stop_frame * self.hop - self.hop // 2
        return min(max(begin, 0), self.n_model_samples), min(max(end, 0), self.n_model_samples)

    def knots_of_frames(self, first_frame: int, stop_frame: int, spacing: int) -> tuple[int, int]:
        """Scaling knots that enclose the model samples of a range of frames: first, and one past the last."""
        begin, end = self.model_range(first_frame, stop_frame)
        if end <= begin:
            return begin // spacing, begin // spacing
        return begin // spacing, (end - 1) // spacing + 2
