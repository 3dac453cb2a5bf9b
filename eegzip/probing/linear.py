"""Features of tokens for linear probes."""

from __future__ import annotations

import numpy as np

from eegzip.probing.examples import LabelledTokens


def mean_embeddings(tokens: LabelledTokens) -> np.ndarray:
    """Return the mean over time of each channel's embedding, the sum of its codewords: [windows, C * D]."""
    levels = tokens.codes.shape[2]
    dimensions = tokens.codewords.shape[2]
    # The last row is for no token: -1 takes it.
    tables = np.concatenate([tokens.codewords, np.zeros((len(tokens.codewords), 1, dimensions), np.float32)], axis=1)
    found = [sum(tables[level][codes[:, level]].mean(axis=1) for level in range(levels)) for codes in tokens.codes]
    return np.stack(found).reshape(len(tokens.codes), -1)


def histograms(tokens: LabelledTokens) -> np.ndarray:
    """Return how often each code of each level occurs, as shares over channels and frames: [windows, K * V]."""
    windows, _, levels, _ = tokens.codes.shape
    vocabulary = tokens.codewords.shape[1]
    found = np.zeros((windows, levels, vocabulary + 1))
    for window, codes in enumerate(tokens.codes):
        for level in range(levels):
            # -1, no token, counts at 0 and is left out.
            found[window, level] = np.bincount(codes[:, level].reshape(-1) + 1, minlength=vocabulary + 1)
    return found[:, :, 1:].reshape(windows, -1) / (tokens.codes.shape[1] * tokens.codes.shape[3])
