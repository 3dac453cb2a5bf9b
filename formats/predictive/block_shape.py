"""How a stream is predicted block by block (SPEC.md, section 6.11)."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from eegzip.formats.predictive.shape import MAX_REGRESSORS, MAX_RIDGE, RIDGE_ONE

SHAPE_BYTES = 7
MIN_BLOCK, MAX_BLOCK = 4, 10
MAX_MEMORY = 15
MAX_TAPS = 64
TAPS_TOGETHER = 4


@dataclass(frozen=True)
class BlockShape:
    """What a sample is predicted from, and how often the weights are learnt anew.

    Parameters
    ----------
    past : int
        Samples of the signal itself, at least 1.
    before, after : int
        Samples of each reference before and after the one at the same time.
    block : int
        Weights stay for 2**block samples.
    memory : int
        All earlier blocks lose 2**-memory of their weight with each new one.
    ridge : int
        How small weights are kept: 2**(ridge - 12) is added to the diagonal of the normal equations.
    taps : int
        Earlier errors by which a prediction is corrected, a multiple of 4.
    """

    past: int
    before: int
    after: int
    block: int
    memory: int
    ridge: int
    taps: int

    def pack(self) -> bytes:
        """Return the bytes that say it in a stream."""
        return bytes(astuple(self))

    @property
    def window(self) -> int:
        """Samples of each reference."""
        return self.before + 1 + self.after

    @property
    def keep(self) -> float:
        """What is left of the weight of earlier blocks with each new one."""
        return 1.0 - 2.0**-self.memory

    @property
    def penalty(self) -> float:
        """What is added to the diagonal of the normal equations."""
        return float(2.0 ** (self.ridge - RIDGE_ONE))

    def regressors(self, references: int) -> int:
        """Number of regressors."""
        return self.past + references * self.window

    def allowed(self, references: int) -> bool:
        """Whether a decoder takes it, with so many references."""
        return (
            self.past >= 1
            and self.regressors(references) <= MAX_REGRESSORS
            and self.window <= MAX_REGRESSORS
            and MIN_BLOCK <= self.block <= MAX_BLOCK
            and 1 <= self.memory <= MAX_MEMORY
            and self.ridge <= MAX_RIDGE
            and self.taps <= MAX_TAPS
            and self.taps % TAPS_TOGETHER == 0
        )
