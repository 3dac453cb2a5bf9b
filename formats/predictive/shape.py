"""Shape of a prediction: what a sample is predicted from (SPEC.md, section 6.7)."""

from __future__ import annotations

from dataclasses import dataclass

MAX_REGRESSORS = 96
"""Own past samples and samples of references together; bounds a decoder's time."""

MAX_MEMORY = 16
MAX_RIDGE = 24
RIDGE_ONE = 12


@dataclass(frozen=True)
class Shape:
    """What a sample is predicted from, and how the weights are learnt.

    Parameters
    ----------
    past : int
        Samples of the signal itself, at least 1.
    before, after : int
        Samples of each reference before and after the one at the same time.
    memory : int
        All earlier samples lose 2**-memory of their weight with each new one.
    ridge : int
        How small weights are kept: 2**(ridge - 12) is added to the diagonal of the normal equations.
    """

    past: int = 16
    before: int = 4
    after: int = 4
    memory: int = 11
    ridge: int = 7

    def regressors(self, references: int) -> int:
        """Number of regressors."""
        return self.past + references * self.window

    @property
    def window(self) -> int:
        """Samples of each reference."""
        return self.before + 1 + self.after

    @property
    def keep(self) -> float:
        """What is left of the weight of earlier samples with each new one."""
        return 1.0 - 2.0**-self.memory

    @property
    def penalty(self) -> float:
        """What is added to the diagonal of the normal equations."""
        return float(2.0 ** (self.ridge - RIDGE_ONE))

    def allowed(self, references: int) -> bool:
        """Whether a decoder takes it, with so many references."""
        return (
            self.past >= 1
            and self.regressors(references) <= MAX_REGRESSORS
            and self.window <= MAX_REGRESSORS
            and 1 <= self.memory <= MAX_MEMORY
            and self.ridge <= MAX_RIDGE
        )
