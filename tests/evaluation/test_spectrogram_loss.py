"""The spectrogram loss of evaluation is that of training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eegzip.evaluation.spectrogram import spectrogram_losses
from eegzip.evaluation.spectrogram_loss import spectrogram_difference


@pytest.mark.parametrize("length", [17, 100, 1000, 12345, 70_000])
def test_both_give_the_same(length: int) -> None:
    rng = np.random.default_rng(length)
    x = rng.standard_normal(length)
    y = x + 0.1 * rng.standard_normal(length)
    wanted = spectrogram_losses(torch.from_numpy(x[None]), torch.from_numpy(y[None]))[0]
    assert spectrogram_difference(x, y) == pytest.approx(float(wanted), rel=1e-9)
    assert spectrogram_difference(x, x) == 0
