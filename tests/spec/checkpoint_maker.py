"""Small checkpoints of random weights that use what the bundled one does not (section 10 of SPEC.md).

Groups of signals, codebooks with projections, an activation after the last layer, no linear path, tokens of more than
eight bits, strides that are no powers of two.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from second_synthesis import checkpoint_digest

NETWORK = {
    "encoder_dim": 4,
    "encoder_rates": [6, 4],
    "latent_dim": 12,
    "decoder_dim": 16,
    "decoder_rates": [4, 6],
    "n_codebooks": 3,
    "codebook_size": 1000,
    "codebook_dim": 8,
    "linear_path": False,
    "search": "cosine",
    "final_tanh": True,
}

CAUSAL = {
    "encoder_dim": 4,
    "encoder_rates": [2, 3],
    "latent_dim": 12,
    "decoder_dim": 16,
    "decoder_rates": [3, 2],
    "n_codebooks": 3,
    "codebook_size": 200,
    "codebook_dim": 8,
    "linear_path": False,
    "search": "cosine",
    "final_tanh": False,
}
# Windows of some seconds, so that short recordings have several.
CAUSAL_FRAMES = 130

MULTICHANNEL = {
    "max_channels": 3,
    "heads": 2,
    "layers": 2,
    "reach": 2,
    "vocabulary": "Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2 A1".split(),  # noqa: SIM905
    "groups": "manual",
}


def tensors(options: dict) -> dict[str, torch.Tensor]:
    """Random weights under the names of the Descript Audio Codec."""
    random, made = torch.Generator().manual_seed(1), {}

    def conv(name: str, outputs: int, inputs: int, taps: int, *, transposed: bool = False) -> None:
        rows, columns = (inputs, outputs) if transposed else (outputs, inputs)
        v = 0.3 * torch.randn((rows, columns, taps), generator=random)
        made[f"{name}.weight_v"] = v
        made[f"{name}.weight_g"] = v.norm(dim=(1, 2), keepdim=True) * 0.9
        made[f"{name}.bias"] = 0.1 * torch.randn(outputs, generator=random)

    def snake(name: str, width: int) -> None:
        made[f"{name}.alpha"] = 0.5 + torch.rand((1, width, 1), generator=random)

    def unit(name: str, width: int) -> None:
        snake(f"{name}.block.0", width)
        conv(f"{name}.block.1", width, width, 7)
        snake(f"{name}.block.2", width)
        conv(f"{name}.block.3", width, width, 1)

    width, latent = options["encoder_dim"], options["latent_dim"]
    conv("encoder.block.0", width, 1, 7)
    for number, rate in enumerate(options["encoder_rates"], 1):
        block = f"encoder.block.{number}.block"
        for place in (0, 1, 2):
            unit(f"{block}.{place}", width)
        snake(f"{block}.3", width)
        conv(f"{block}.4", 2 * width, width, 2 * rate)
        width *= 2
    last = len(options["encoder_rates"]) + 1
    snake(f"encoder.block.{last}", width)
    conv(f"encoder.block.{last + 1}", latent, width, 3)
    width = options["decoder_dim"]
    conv("decoder.model.0", width, latent, 7)
    for number, rate in enumerate(options["decoder_rates"], 1):
        block = f"decoder.model.{number}.block"
        snake(f"{block}.0", width)
        conv(f"{block}.1", width // 2, width, 2 * rate, transposed=True)
        width //= 2
        for place in (2, 3, 4):
            unit(f"{block}.{place}", width)
    last = len(options["decoder_rates"]) + 1
    snake(f"decoder.model.{last}", width)
    conv(f"decoder.model.{last + 1}", 1, width, 7)
    size, dim = options["codebook_size"], options["codebook_dim"]
    for level in range(options["n_codebooks"]):
        name = f"quantizer.quantizers.{level}"
        conv(f"{name}.in_proj", dim, latent, 1)
        conv(f"{name}.out_proj", latent, dim, 1)
        made[f"{name}.codebook.weight"] = torch.randn((size, dim), generator=random)
    return made


def adapters(multichannel: dict, width: int) -> dict[str, torch.Tensor]:
    """Random weights of what joins and parts the signals of a group."""
    random = torch.Generator().manual_seed(2)
    names, span = len(multichannel["vocabulary"]) + 1, 2 * multichannel["reach"] + 1
    shapes: dict[str, tuple[int, ...]] = {
        "projection.weight": (width, multichannel["max_channels"] * width),
        "styles.scale": (names, width),
        "styles.bias": (names, width),
    }
    for layer in range(multichannel["layers"]):
        for name, shape in (
            ("channel", (names, width)),
            ("time_bias", (multichannel["heads"], span)),
            ("norm.weight", (width,)),
            ("norm.bias", (width,)),
            ("qkv.weight", (3 * width, width)),
            ("qkv.bias", (3 * width,)),
            ("out.weight", (width, width)),
            ("out.bias", (width,)),
        ):
            shapes[f"attention.{layer}.{name}"] = shape
    return {name: 0.3 * torch.randn(shape, generator=random) for name, shape in shapes.items()}


def causal_tensors(options: dict) -> dict[str, torch.Tensor]:
    """Random weights under the names of section 10.3."""
    random, made = torch.Generator().manual_seed(3), {}

    def drawn(*shape: int, size: float = 0.3) -> torch.Tensor:
        return size * torch.randn(shape, generator=random)

    def conv(name: str, outputs: int, inputs: int, taps: int, *, transposed: bool = False) -> None:
        v = drawn(*((inputs, outputs) if transposed else (outputs, inputs)), taps)
        made[f"{name}.parametrizations.weight.original1"] = v
        made[f"{name}.parametrizations.weight.original0"] = v.norm(dim=(1, 2), keepdim=True) * 0.9
        made[f"{name}.bias"] = drawn(outputs, size=0.1)

    def lstm(name: str, width: int) -> None:
        for layer in (0, 1):
            for kind in ("ih", "hh"):
                made[f"{name}.lstm.weight_{kind}_l{layer}"] = drawn(4 * width, width)
                made[f"{name}.lstm.bias_{kind}_l{layer}"] = drawn(4 * width, size=0.1)

    def units(half: str, number: int, width: int) -> None:
        for place in (number, number + 1):
            conv(f"{half}.model.{place}.block.1.conv", width, width, 3)
            conv(f"{half}.model.{place}.block.3.conv", width, width, 1)

    width, latent, number = options["encoder_dim"], options["latent_dim"], 1
    conv("encoder.model.0.conv", width, 1, 3)
    for rate in options["encoder_rates"]:
        units("encoder", number, width)
        conv(f"encoder.model.{number + 3}.conv", 2 * width, width, 2 * rate)
        width, number = 2 * width, number + 4
    lstm(f"encoder.model.{number}", width)
    conv(f"encoder.model.{number + 2}.conv", latent, width, 3)
    width, number = options["decoder_dim"], 2
    conv("decoder.model.0.conv", width, latent, 3)
    lstm("decoder.model.1", width)
    for rate in options["decoder_rates"]:
        conv(f"decoder.model.{number + 1}.convtr", width // 2, width, 2 * rate, transposed=True)
        width //= 2
        units("decoder", number + 2, width)
        number += 4
    conv(f"decoder.model.{number + 1}.conv", 1, width, 3)
    size, dim = options["codebook_size"], options["codebook_dim"]
    for level in range(options["n_codebooks"]):
        name = f"quantizer.quantizers.{level}"
        made[f"{name}.in_proj.weight"], made[f"{name}.in_proj.bias"] = drawn(dim, latent, 1), drawn(dim)
        made[f"{name}.out_proj.weight"], made[f"{name}.out_proj.bias"] = drawn(latent, dim, 1), drawn(latent)
        made[f"{name}.codebook.weight"] = drawn(size, dim, size=1.0)
    return made


def make_causal(folder: Path, pattern: Path) -> Path:
    """Write a causal checkpoint to `folder`; what is not its network it takes from the one in `pattern`."""
    config = json.loads((pattern / "config.json").read_text("utf-8"))
    scaling = config["scaling"] | {"kind": "robust", "highpass_hz": 0.1, "clamp": 10.0}
    config |= {"name": "causal", "architecture": "biocodec", "network": CAUSAL, "beam": 1, "rate": 250.0}
    config |= {"scaling": scaling, "window_frames": CAUSAL_FRAMES}
    save_file(causal_tensors(CAUSAL), folder / "model.safetensors")
    return _signed(folder, config)


def make(folder: Path, pattern: Path, *, groups: bool = False, highpass: float | None = None) -> Path:
    """Write the checkpoint to `folder`; what is not its network it takes from the one in `pattern`.

    With `highpass` it has a fixed scaling behind such a filter.
    """
    config = json.loads((pattern / "config.json").read_text("utf-8"))
    config |= {"name": "rändom", "network": NETWORK, "beam": 1}
    if highpass is not None:
        config["scaling"] = config["scaling"] | {"kind": "fixed", "highpass_hz": highpass}
    weights = tensors(NETWORK)
    if groups:
        config |= {"architecture": "dac-mc", "multichannel": MULTICHANNEL}
        weights |= adapters(MULTICHANNEL, NETWORK["latent_dim"])
    save_file(weights, folder / "model.safetensors")
    return _signed(folder, config)


def _signed(folder: Path, config: dict) -> Path:
    for _ in range(2):  # the digest leaves itself out
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
        config["digest"] = checkpoint_digest(folder)
    return folder
