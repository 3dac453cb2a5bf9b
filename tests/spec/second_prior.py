"""Tokens in context, written from SPEC.md alone (6.2.1, 10.1, 13): slow, and nothing of eegzip in it."""

from __future__ import annotations

import json
import math

import numpy as np
from second_coder import RATES, Decoder, clip, squash, stretch

ABSENT = 65535


def ceil_div(a: int, b: int) -> int:
    """Exact ``ceil(a / b)``."""
    return -(-a // b)


DTYPES = {"I8": "<i1", "I16": "<i2", "I32": "<i4"}


def read_tables(data: bytes) -> dict[str, np.ndarray]:
    """Tensors of `prior.safetensors` (10.1), as int64."""
    length = int.from_bytes(data[:8], "little")
    tables = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tables[name] = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"]).astype(np.int64)
    return tables


class Adaptive:
    """Adaptive probabilities by context, and mixtures of opinions (13.2)."""

    def __init__(self, limit: int) -> None:
        self.limit, self.states = limit, {}

    def value(self, context: object) -> int:
        return self.states.setdefault(context, [32768, 0])[0]

    def learn(self, context: object, decision: int) -> None:
        state = self.states.setdefault(context, [32768, 0])
        state[0] += ((65535 * decision - state[0]) * RATES[state[1]]) >> 16
        state[1] = min(state[1] + 1, self.limit)


def mixed(coder: Decoder, opinions: list[int], weights: list[int], rate: int) -> int:
    """A decision by a mixture, its probability clipped to 32..65504; the weights learn."""
    x = clip(sum(o * w for o, w in zip(opinions, weights, strict=True)) >> 16, -2047, 2047)
    p = clip(squash(x), 32, 65504)
    decision = coder.bit(p)
    for place, opinion in enumerate(opinions):
        moved = weights[place] + ((opinion * (65536 * decision - p) * rate + (1 << 13)) >> 14)
        weights[place] = clip(moved, -(1 << 23), 1 << 23)
    return decision


def groups_leaned_on(data: bytes) -> list[int]:
    """Groups that must be known first."""
    return [int.from_bytes(data[3 + 2 * r : 5 + 2 * r], "little") for r in range(data[2])]


def read_in_context(
    data: bytes, codebooks: int, frames: int, tables: dict[str, np.ndarray], known: list[np.ndarray]
) -> np.ndarray:
    """Tokens of a stream of method 3, after its method byte; `known` are its references' tokens."""
    varying, c, n_references = data[0] & 1, data[1], data[2]
    coder = Decoder(data[3 + 2 * n_references :])
    weights = read_weights(coder, n_references)
    t, words, entries = int(n_references > 0), tables["words"], tables["words"].shape[1]
    bits = max(1, (entries - 1).bit_length())
    variance = np.maximum(1, tables["start"][t] * (181 if c % 2 else 128) * 2 ** (c // 2) >> 16)
    nodes, trust = Adaptive(250), {}
    depths, depth_weights, last, mean = Adaptive(60), [21845] * 3, codebooks, 16 * codebooks
    tokens = np.full((codebooks, frames), ABSENT, np.int64)

    def vector(codes: np.ndarray) -> np.ndarray:
        return sum(
            (words[level, i] for level, i in enumerate(codes) if i != ABSENT), np.zeros(words.shape[2], np.int64)
        )

    for f in range(frames):
        told = [weights[r][tables["bands"]] * vector(codes[:, f]) for r, codes in enumerate(known)]
        prediction = sum(told, np.zeros(words.shape[2], np.int64)) >> 5
        whole = int(variance.sum())
        octave = max(whole.bit_length() - 1, 0)
        half = int(octave > 0 and whole >= 3 << (octave - 1))
        energy = clip(2 * octave + half - int(tables["lowest_class"][0]), 0, 23)
        hidden = tables["energy"][t, energy].copy()
        sources = [("before", tokens[:, f - 1])] if f else []
        for name, codes in [*sources, *([("beside", known[0][:, f])] if t else [])]:
            for level, i in enumerate(codes):
                if i != ABSENT:
                    hidden += tables[name][level, i]
        depth = codebooks
        if varying:
            other = int((known[0][:, f] != ABSENT).sum()) if t else None
            depth = 0
            while depth < codebooks:
                near = clip(depth - last, -4, 4)
                contexts = [
                    ("last", near),
                    ("mean", clip(4 * depth - (mean >> 2), -16, 15)),
                    ("both", near, None if other is None else clip(depth - other, -4, 4)),
                ]
                opinions = [stretch(depths.value(context)) for context in contexts]
                more = mixed(coder, opinions, depth_weights, 12)
                for context in contexts:
                    depths.learn(context, more)
                if not more:
                    break
                depth += 1
            last, mean = depth, mean + depth - (mean >> 4)
        missing = prediction.copy()
        for level in range(depth):
            weight = likelihoods(tables, level, t, missing, variance, hidden)
            weight = np.pad(weight, (0, (1 << bits) - entries))
            node, low, high = 1, 0, 1 << bits
            for digit in range(bits):
                middle = (low + high) // 2
                total, second = int(weight[low:high].sum()), int(weight[middle:high].sum())
                said = stretch(clip(65536 * second // total, 1, 65535) if total else 32768)
                opinions = [said, stretch(nodes.value((level, node)))]
                decision = mixed(coder, opinions, trust.setdefault((level, digit), [65536, 0]), 3)
                nodes.learn((level, node), decision)
                node, low, high = 2 * node + decision, middle if decision else low, high if decision else middle
            if low >= entries:
                raise ValueError("a token is none of its codebook")
            tokens[level, f] = low
            missing -= words[level, low]
            hidden += tables["own"][level, low]
        variance += ((vector(tokens[:, f]) - prediction) ** 2 - variance) >> 3
    return tokens


def read_weights(coder: Decoder, n_references: int) -> np.ndarray:
    """Weights of the references in each band."""
    weights, adaptive = np.zeros((n_references, 8), np.int64), Adaptive(30)

    def decision(context: object) -> int:
        found = coder.bit(clip(adaptive.value(context), 32, 65504))
        adaptive.learn(context, found)
        return found

    for r in range(n_references):
        for b in range(8):
            n = 0
            while n < 126 and decision((min(b, 2), min(n, 15))):
                n += 1
            n = -n if n and decision((min(b, 2), "sign")) else n
            weights[r, b] = clip((int(weights[r, b - 1]) if b else 0) + n, -63, 63)
    return weights


def likelihoods(tables, level, t, missing, variance, hidden) -> np.ndarray:
    """How likely each entry is."""
    spread = variance + tables["rest"][level]
    x = np.clip(missing * tables["gain"][level, t] // spread, -4095, 4095)
    y = np.minimum(tables["norm_gain"][level, t] // spread, 4095)
    z = np.clip(2 * (hidden + tables["level"][level]), 0, 4095)
    score = (x @ tables["match"][level] - y @ tables["norm"][level] + z @ tables["out"][level]) >> 5
    score = score + tables["bias"][level, t]
    return np.array([max(1, round(65536 * math.exp(-min(n, 3071) / 256))) for n in (score.max() - score).tolist()])
