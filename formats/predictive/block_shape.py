"""Shape of a stream that is predicted block by block (SPEC.md, section 6.11)."""

from __future__ import annotations

from dataclasses import dataclass

from eegzip.formats.predictive.shape import Shape

SHAPE_BYTES = 7
MIN_BLOCK, MAX_BLOCK = 4, 10
MAX_BLOCK_MEMORY = 15
MAX_TAPS = 64
TAPS_TOGETHER = 4


@dataclass(frozen=True)
class BlockShape(Shape):
    """What a sample is predicted from, and how often the weights are learnt anew.

    Parameters
    ----------
    past, before, after, ridge : int
        As of :class:`~eegzip.formats.predictive.shape.Shape`.
    memory : int
        All earlier blocks lose 2**-memory of their weight with each new one.
    block : int
        Weights stay for 2**block samples.
    taps : int
        Earlier errors by which a prediction is corrected, a multiple of 4.
    """

    block: int = 7
    taps: int = 0

    def pack(self) -> bytes:
        """Return the bytes that say it in a stream."""
        return bytes((self.past, self.before, self.after, self.block, self.memory, self.ridge, self.taps))

    @classmethod
    def unpack(cls, data: bytes) -> BlockShape:
        """Inverse of :meth:`pack`; whatever the bytes say, :meth:`allowed` or not."""
        past, before, after, block, memory, ridge, taps = data
        return cls(past, before, after, memory, ridge, block, taps)

    def allowed(self, references: int) -> bool:
        """Whether a decoder takes it, with so many references."""
        return (
            super().allowed(references)
            and MIN_BLOCK <= self.block <= MAX_BLOCK
            and self.memory <= MAX_BLOCK_MEMORY
            and self.taps <= MAX_TAPS
            and self.taps % TAPS_TOGETHER == 0
        )
