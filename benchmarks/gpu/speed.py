"""Stage ``speed``: throughput and memory of training, encoding and decoding."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from notes import Notes, machine

PRESETS = ("full", "base", "compact")
SECONDS = 30.0
RATE = 256.0


def run(options: argparse.Namespace, notes: Notes) -> None:
    """Measure all presets on the device."""
    presets = PRESETS[2:] if options.tiny else PRESETS
    batch = 2 if options.tiny else 32
    notes.say(
        f"speed will encode and decode batches of {batch} x {SECONDS:g} s with the networks of {', '.join(presets)} on "
        f"{options.device} in float32 (with and without TF32) and bfloat16, then train a few steps of each preset "
        "(benchmarks/training.py, batch 8). About 4 minutes."
    )
    notes.table("Machine", ["what", "which"], machine(options.device))
    notes.part("Encoding and decoding", coding, presets, batch, options, notes)
    for model, adversarial in (("dac-sc", "0"), ("dac-sc", "0.1"), ("dac-mc", "0")):
        if not options.tiny or (model, adversarial) == ("dac-sc", "0"):
            title = f"Training {model}, adversarial weight {adversarial}"
            notes.part(title, training, model, adversarial, options, notes)


def coding(presets: tuple[str, ...], batch: int, options: argparse.Namespace, notes: Notes) -> None:
    """Measure the networks by themselves, with random weights; arrays begin and end on the device."""
    rows: list[list[Any]] = []
    for preset in presets:
        for precision in ("float32",) if options.tiny else ("float32", "tf32", "bfloat16"):
            rows.append([preset, precision, *coded(preset, precision, batch, options)])
            notes.say(f"{preset}, {precision}: done")
    columns = [
        "preset", "precision", "parameters M", "encode: h of a channel a s", "quantise: h of a channel a s",
        "decode: h of a channel a s", "memory MB",
    ]  # fmt: skip
    notes.table("Encoding and decoding", columns, rows)


def coded(preset: str, precision: str, batch: int, options: argparse.Namespace) -> list[float]:
    """Return parameters, the three throughputs, and memory."""
    import torch

    from eegzip.codecs.networks.build import build
    from eegzip.codecs.networks.inference import prepare_for_inference
    from eegzip.training.api import planned_model, settings_for

    device = torch.device(options.device)
    cuda = device.type == "cuda"
    torch.manual_seed(0)
    network = build(planned_model(settings_for(presets=[preset], values={"data": {"rate": RATE}}), preset)).eval()
    parameters = sum(p.numel() for p in network.parameters()) / 1e6
    network = network.to(device)
    prepare_for_inference(network)
    hop = network.hop_length
    x = torch.randn(batch, 1, int(SECONDS * RATE) // hop * hop, device=device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def rate(work: Callable[[], Any]) -> float:
        rounds = 1 if options.tiny else 10
        for _ in range(0 if options.tiny else 3):
            work()
        if cuda:
            torch.cuda.synchronize()
        began = time.monotonic()
        for _ in range(rounds):
            work()
        if cuda:
            torch.cuda.synchronize()
        return rounds * batch * x.shape[2] / RATE / 3600 / (time.monotonic() - began)

    with torch.inference_mode():
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            latent = network.encoder(x)
            encode = rate(lambda: network.encoder(x))
            decode = rate(lambda: network.decoder(latent))
        exact = latent.float()
        quantise = rate(lambda: network.quantizer(exact))
    memory = torch.cuda.max_memory_allocated() / 1e6 if cuda else 0.0
    return [parameters, encode, quantise, decode, memory]


def training(model: str, adversarial: str, options: argparse.Namespace, notes: Notes) -> None:
    """Measure steps of training in processes of their own."""
    arguments = ["benchmarks/training.py", "--device", options.device, "--model", model, "--adversarial", adversarial]
    arguments += ["--steps", "1", "--batch", "1", "--only", "compact"] if options.tiny else ["--steps", "20"]
    status, said = notes.command(arguments)
    notes.text(f"Training {model}, adversarial weight {adversarial}", "\n".join(said.splitlines()[-12:]))
    for line in said.splitlines()[-8:]:
        notes.say(line)
    if status:
        raise RuntimeError(f"benchmarks/training.py ended with {status}")
