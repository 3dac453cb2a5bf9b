"""Stage ``check``: does the GPU give what the CPU gives?"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from notes import ROOT, Notes, machine

MODELS = ("eegz-sc-1", "eegz-mc-2", "dac-sc-compact-1")
TESTS = "tests/codecs/test_runtime.py::test_cuda_gives_almost_the_same"
LEVELS = 8
"""Codebooks of the comparison of networks."""


def run(options: argparse.Namespace, notes: Notes) -> None:
    """Compare the device with the CPU: the tests, networks by themselves, files."""
    models = MODELS[2:] if options.tiny else MODELS
    recordings = sorted((ROOT / "examples" / "data").glob("*.edf"))
    notes.say(
        f"check will print versions, run {TESTS}, compare the networks of {', '.join(models)} on {options.device} and "
        f"CPU in float32 and bfloat16, and compress {', '.join(r.name for r in recordings)} on both. About 3 minutes."
    )
    notes.table("Machine", ["what", "which"], machine(options.device))
    notes.part("CUDA tests", tests, options, notes)
    notes.part("Networks", networks, models, recordings[0], options, notes)
    notes.part("Files", files, models, recordings, options, notes)


def tests(options: argparse.Namespace, notes: Notes) -> None:
    """Run the tests that need CUDA; where they should run, skipping them is a failure."""
    status, said = notes.command(
        ["-m", "pytest", "-p", "no:cacheprovider", "-n0", "-q", "-rs", "-o", "filterwarnings=default", TESTS]
    )
    notes.text("CUDA tests", "\n".join(said.splitlines()[-8:]))
    notes.say(said.splitlines()[-1])
    if status:
        raise RuntimeError(f"pytest ended with {status}")
    if "skipped" in said and options.device != "cpu":
        raise RuntimeError("the tests were skipped: torch sees no CUDA device")


def windows(path: Path, context: int, size: int, hop: int, rate: float, seconds: float) -> np.ndarray:
    """Return windows [n, length] of the recording's EEG at the model's rate, every channel scaled to unit level."""
    import pyedflib
    from scipy.signal import butter, resample_poly, sosfiltfilt

    from eegzip.codecs.signal.analysis import mirror_indices

    rows = []
    with pyedflib.EdfReader(str(path)) as file:
        for channel in range(file.signals_in_file):
            x = file.readSignal(channel)
            old = file.getSampleFrequency(channel)
            x = resample_poly(x, round(rate), round(old))[: int(seconds * rate)]
            x = sosfiltfilt(butter(2, 0.5, "highpass", fs=rate, output="sos"), x)
            rows.append(x / max(float(x.std()), 1e-9))
    y = np.array(rows, dtype=np.float32)
    parts = []
    for first in range(0, -(-y.shape[1] // hop) + 1, size):
        start = (first - context) * hop - hop // 2
        parts.append(y[:, mirror_indices(y.shape[1], start, start + (size + 2 * context) * hop)])
    return np.concatenate(parts)


def networks(models: tuple[str, ...], recording: Path, options: argparse.Namespace, notes: Notes) -> None:
    """Compare tokens, latents and waveforms, window by window."""
    rows = []
    for name in models:
        rows.append([name, *compared(name, recording, options)])
        notes.say(f"{name}: done")
    columns = [
        "model", "windows", "equal tokens", "latents: largest difference", "largest latent", "waves: PRD to the CPU's",
        "bfloat16: equal tokens", "bfloat16: largest difference of latents", "bfloat16: PRD of decoding",
        "PRD of the codec", "PRD of the codec, all in bfloat16",
    ]  # fmt: skip
    notes.table("Networks", columns, rows)


def compared(name: str, recording: Path, options: argparse.Namespace) -> list[float]:
    """Return the figures of one model: device against CPU, then bfloat16 against float32 on the device."""
    from eegzip import models
    from eegzip.codecs.runtime import CodecRuntime
    from eegzip.codecs.stream_coder import GroupCoder

    checkpoint = models.load(name)
    here, there = CodecRuntime(checkpoint), CodecRuntime(checkpoint, device=options.device)
    seconds = 10.0 if options.tiny else 60.0
    context, hop = here.encoder_context, here.hop
    x = windows(recording, context, here.window_frames, hop, here.rate, seconds)
    alone = [(0,)] * len(x)
    ours, theirs = GroupCoder(here, alone), GroupCoder(there, alone)
    codes, latents = ours.encode_with_latents(x, LEVELS)
    found, their_latents = theirs.encode_with_latents(x, LEVELS)
    wave, their_wave = ours.decode(codes), theirs.decode(codes)
    plain_codes, plain_latents, plain_wave, _ = directly(there, x, codes, half=False)
    half_codes, half_latents, half_wave, half_codec = directly(there, x, codes, half=True)
    inner = slice((context + here.decoder_context) * hop, -(context + here.decoder_context) * hop)
    original = x[:, inner]
    return [
        len(x),
        float((found == codes).mean()),
        float(np.abs(their_latents - latents).max()),
        float(np.abs(latents).max()),
        prd(wave, their_wave),
        float((half_codes == plain_codes).mean()),
        float(np.abs(half_latents - plain_latents).max()),
        prd(plain_wave, half_wave),
        prd(original, wave),
        prd(original, half_codec),
    ]


def directly(runtime: Any, x: np.ndarray, codes: np.ndarray, *, half: bool) -> tuple[np.ndarray, ...]:
    """Return codes and latents of windows, the waves of given codes, and of the codes found, by a bare network."""
    import torch

    from eegzip.codecs.networks.inference import build_network

    network = build_network(runtime.checkpoint).to(runtime.network.device)
    styles = torch.zeros((len(x), 1), dtype=torch.int64, device=runtime.network.device)
    context, decoding, hop, frames = runtime.encoder_context, runtime.decoder_context, runtime.hop, codes.shape[2]

    def decoded(tokens: np.ndarray) -> np.ndarray:
        latent = runtime.network.summed(tokens)
        with torch.autocast(runtime.network.device.type, torch.bfloat16, enabled=half):
            wave = network.decoder(network.styled(latent, styles)[:, 0])
        return wave[:, 0, decoding * hop : (frames - decoding) * hop].float().cpu().numpy()

    with torch.inference_mode():
        wave = torch.from_numpy(x)[:, None].to(runtime.network.device)
        with torch.autocast(runtime.network.device.type, torch.bfloat16, enabled=half):
            latent = network.joined(network.encoder(wave)[:, None], styles, torch.ones_like(styles, dtype=torch.bool))
        latent = latent.float()[:, :, context : context + frames]
        found = runtime.network.quantise(latent, codes.shape[1]).to("cpu", torch.int32).numpy().astype(np.uint16)
        return found, latent.cpu().numpy(), decoded(codes), decoded(found)


def prd(original: np.ndarray, restored: np.ndarray) -> float:
    """Return the error in percent of the root mean square of the original."""
    lost = np.square(restored.astype(np.float64) - original).sum()
    return float(100 * np.sqrt(lost / np.square(original.astype(np.float64)).sum()))


def files(models: tuple[str, ...], recordings: list[Path], options: argparse.Namespace, notes: Notes) -> None:
    """Compress on the device and on the CPU; decompress and measure both on the CPU."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in models:
            for recording in recordings:
                if not options.tiny:  # what is compiled and loaded at the first call is no matter of speed
                    compressed(recording, Path(scratch), name, options.device, options)
                cpu, device = (
                    compressed(recording, Path(scratch), name, where, options) for where in ("cpu", options.device)
                )
                same = [np.mean(a == b) if a.shape == b.shape else 0.0 for a, b in zip(cpu[3], device[3], strict=True)]
                rows.append([name, recording.stem, cpu[0], device[0], float(np.mean(same)), cpu[1], device[1],
                             prd_of(recording, cpu[4]), prd_of(recording, device[4])])  # fmt: skip
    columns = [
        "model", "recording", "bytes CPU", f"bytes {options.device}", "equal tokens", "s CPU", f"s {options.device}",
        "PRD CPU", f"PRD {options.device}",
    ]  # fmt: skip
    notes.table("Files", columns, rows)


def compressed(
    recording: Path, scratch: Path, model: str, device: str, options: argparse.Namespace
) -> tuple[int, float, str, list[np.ndarray], Path]:
    """Return size, seconds, device, tokens, and the recording that the CPU restores."""
    import eegzip

    target, restored = scratch / "tokens.eegz", scratch / f"{device.replace(':', '-')}.edf"
    began = time.monotonic()
    eegzip.compress(
        recording, target, model=model, device=device, overwrite=True, codebooks=3 if options.tiny else None
    )
    seconds = time.monotonic() - began
    with eegzip.open(target, model=model) as file:
        tokens = [stream.codes for stream in file.tokens()]
    eegzip.decompress(target, restored, model=model, overwrite=True)
    return target.stat().st_size, seconds, device, tokens, restored


def prd_of(original: Path, restored: Path) -> float:
    """Return the mean PRD of EEG channels."""
    import eegzip

    found = [c.measures.prd for c in eegzip.evaluate(original, restored).eeg]
    return float(np.mean([value for value in found if value is not None]))
