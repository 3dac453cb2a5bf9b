"""Runs that take seconds: a tiny network on made-up recordings."""

import json

from eegzip.training.api import settings_for, train

TINY = {
    "data": {"sources": ["synthetic"], "window_seconds": 4.0, "held_out": "0.25"},
    "model": {
        "encoder_dim": 4, "encoder_rates": [4, 8], "decoder_dim": 16, "decoder_rates": [8, 4], "n_codebooks": 3,
        "codebook_size": 32, "codebook_dim": 4, "heads": 8, "reach": 4,
    },
    "quantiser": {"open_steps": 4, "revive_every": 5},
    "optimiser": {"batch": 4, "lr": 3e-3, "warmup": 5},
    "run": {
        "max_steps": 12, "validate_every": 6, "log_every": 1, "validation_windows": 8, "device": "cpu", "threads": 1,
    },
}  # fmt: skip


def tiny(*assignments, **values):
    """Settings of a tiny run, changed by texts and sections."""
    merged = {name: dict(section) for name, section in TINY.items()}
    for name, section in values.items():
        merged.setdefault(name, {}).update(section)
    return settings_for(values=merged, assignments=assignments)


def trained(out, *assignments, **values):
    """Do a tiny run and return its report."""
    return train(tiny(*assignments, **values), out)


def entries(out, kind):
    """Entries of a kind in the log of a run, without what depends on the clock."""
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    clock = ("seconds", "seconds_per_second", "time")
    return [{k: v for k, v in line.items() if k not in clock} for line in lines if line["kind"] == kind]
