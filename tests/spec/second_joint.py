"""Signals decoded together, written from SPEC.md alone (9.1, 10.2)."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf

EDGES = (0, 2, 4, 6, 8, 11, 14, 18, 24, 32, 44, 60, 128)
BANDS = [slice(a, b) for a, b in pairwise(EDGES)]


def norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Layer normalisation."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * weight + bias


def wiener(q: np.ndarray, n: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """R, G, the diagonals of S and P, and e, of every band, for latents and errors [channels, frames, bins]."""
    found = []
    for band in BANDS:
        rows = q[:, :, band].reshape(len(q), -1).astype(np.float64)
        s, e = rows @ rows.T / rows.shape[1], np.maximum(n[:, :, band].astype(np.float64).mean(axis=(1, 2)), 1e-4)
        v = s.diagonal() + e
        a = np.maximum(s.diagonal() / v, 0.05)
        m = s / np.outer(a * np.sqrt(v), a * np.sqrt(v))
        np.fill_diagonal(m, 1)
        w, u = np.linalg.eigh(m)
        m = u * np.maximum(w, 0.03) @ u.T
        x = m * np.outer(*[np.sqrt(v / m.diagonal())] * 2)
        for _ in range(8):
            p = np.linalg.inv(np.linalg.inv(x) + np.diag(np.maximum(1 / e - 1 / x.diagonal(), 1e-6)))
            g = p / e
            x = g @ s @ g.T + p
            x = np.where(np.eye(len(x), dtype=bool), x, 0.97 * x)
            x = (x + x.T) / 2
        r = x / np.sqrt(np.outer(x.diagonal(), x.diagonal()))
        np.fill_diagonal(r, 0)
        found.append((r, g, s.diagonal(), p.diagonal(), e))
    return found


class Joint:
    """The joint decoder of a checkpoint."""

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        self.shape, self.longest = config["joint"], config["window_frames"]
        self.tensors = {k: v.astype(np.float64) for k, v in load_file(folder / "joint.safetensors").items()}

    def layer(self, name: str, x: np.ndarray) -> np.ndarray:
        """A linear layer."""
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def norm(self, name: str, x: np.ndarray) -> np.ndarray:
        """A norm."""
        return norm(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def windows(self, q: np.ndarray, k: np.ndarray) -> np.ndarray:
        """Refined latents of latents q [channels, frames, 128] with k [channels, frames] codewords each."""
        count = q.shape[1]
        size = math.ceil(count / math.ceil(count / self.longest))
        reach = self.shape["blocks"] * (self.shape["kernel"] // 2)
        parts = []
        for first in range(0, count, size):
            stop = min(first + size, count)
            low, high = max(first - reach, 0), min(stop + reach, count)
            parts.append(self.refined(q[:, low:high], k[:, low:high])[:, first - low : stop - low])
        return np.concatenate(parts, axis=1)

    def refined(self, q: np.ndarray, k: np.ndarray) -> np.ndarray:
        """Refined latents of a window and the frames beside it."""
        table = self.tensors["noise"]
        n, channels = table[k], len(q)
        bands = wiener(q, n)
        w = np.concatenate([np.einsum("ij,jtd->itd", b[1], q[:, :, s]) for b, s in zip(bands, BANDS, strict=True)], 2)
        size, level = np.sqrt(np.maximum(n, 1e-4)), np.sqrt(np.maximum(table[0], 1e-4))

        def steady(values: list[np.ndarray]) -> np.ndarray:
            return np.repeat(np.log(np.stack(values, axis=1) + 0.1)[:, None], q.shape[1], axis=1)

        loud = np.stack([(q[:, :, s] ** 2).mean(2) / b[4][:, None] for b, s in zip(bands, BANDS, strict=True)], 2)
        quiet = np.stack([n[:, :, s].mean(2) for s in BANDS], 2)
        features = [np.arcsinh(q / level), np.arcsinh((w - q) / size), np.log(loud + 0.1)]
        features += [steady([b[2] / b[4] for b in bands]), steady([b[3] / b[4] for b in bands]), np.log(quiet + 1e-3)]
        h = self.layer("first", np.concatenate(features, axis=2))
        apart = [b[1] * (1 - np.eye(channels)) for b in bands]
        spread = [np.sqrt(b[2] + b[4]) for b in bands]
        alike = [g * v[None] / v[:, None] for g, v in zip(apart, spread, strict=True)]
        for number in range(self.shape["blocks"]):
            h = self.block(f"blocks.{number}", h, [b[0] for b in bands], alike)
        o, p, u = np.split(self.layer("last", self.norm("last_norm", h)), [128, 256], axis=2)
        result = w + np.repeat(u, np.diff(EDGES), axis=2) * (w - q) + size * o
        for g, band in zip(apart, BANDS, strict=True):
            result[:, :, band] += np.einsum("ij,jtd->itd", g, (size * p)[:, :, band])
        return result

    def block(self, name: str, h: np.ndarray, r: list[np.ndarray], alike: list[np.ndarray]) -> np.ndarray:
        """One block."""
        channels, frames, width = h.shape
        taps, half = self.tensors[f"{name}.time.weight"][:, 0], self.shape["kernel"] // 2
        x = np.pad(self.norm(f"{name}.time_norm", h), ((0, 0), (half, half), (0, 0)))
        h = h + sum(x[:, i : i + frames] * taps[:, i] for i in range(2 * half + 1)) + self.tensors[f"{name}.time.bias"]
        x, y = np.split(self.layer(f"{name}.value", self.norm(f"{name}.mix_norm", h)), 2, axis=2)
        z = (x / (1 + np.exp(-y))).reshape(channels, frames, self.shape["heads"], -1)
        a = np.einsum("hb,bij->hij", self.tensors[f"{name}.by_correlation"], np.stack(r)) / np.sqrt(channels)
        a += np.einsum("hb,bij->hij", self.tensors[f"{name}.by_weight"], np.stack(alike))
        h = h + self.layer(f"{name}.mixed", np.einsum("hij,jthk->ithk", a, z).reshape(channels, frames, width))
        x = self.layer(f"{name}.inner", self.norm(f"{name}.norm", h))
        return h + self.layer(f"{name}.outer", x * (1 + erf(x / np.sqrt(2))) / 2)
