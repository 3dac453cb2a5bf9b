"""BioCodec's network: its size, that it looks back only, and its published layout."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from api.causal_models import CAUSAL
from torch import nn

from eegzip.codecs.checkpoints.config import NetworkConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.official_weights import import_descript
from eegzip.codecs.networks.seanet import Memory
from eegzip.formats.errors import ModelError
from eegzip.training.api import planned_model, settings_for
from eegzip.training.initialisation.gains import set_gains
from eegzip.training.quantiser import CodebookKeeper
from eegzip.training.settings.sections import QuantiserSettings

PUBLISHED = NetworkConfig(
    encoder_dim=32,
    encoder_rates=(2, 2, 3),
    latent_dim=128,
    decoder_dim=256,
    decoder_rates=(3, 2, 2),
    n_codebooks=6,
    codebook_size=256,
    codebook_dim=16,
    final_tanh=False,
)


def published_shapes() -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Parameters and buffers of the published EEG model, by their names there."""
    parameters: dict[str, tuple[int, ...]] = {}
    buffers: dict[str, tuple[int, ...]] = {}

    def conv(name: str, outputs: int, inputs: int, taps: int, kind: str = "conv") -> None:
        rows, columns = (outputs, inputs) if kind == "conv" else (inputs, outputs)
        weight = f"{name}.{kind}.{kind}.parametrizations.weight"
        parameters[f"{name}.{kind}.{kind}.bias"] = (outputs,)
        parameters[f"{weight}.original0"] = (rows, 1, 1)
        parameters[f"{weight}.original1"] = (rows, columns, taps)

    def unit(name: str, width: int) -> None:
        conv(f"{name}.block.1", width, width, 3)
        conv(f"{name}.block.3", width, width, 1)

    def lstm(name: str, width: int) -> None:
        for layer in (0, 1):
            for part in ("ih", "hh"):
                parameters[f"{name}.lstm.weight_{part}_l{layer}"] = (4 * width, width)
                parameters[f"{name}.lstm.bias_{part}_l{layer}"] = (4 * width,)

    conv("encoder.model.0", 32, 1, 3)
    for number, width, stride in ((1, 32, 2), (5, 64, 2), (9, 128, 3)):
        unit(f"encoder.model.{number}", width)
        unit(f"encoder.model.{number + 1}", width)
        conv(f"encoder.model.{number + 3}", 2 * width, width, 2 * stride)
    lstm("encoder.model.13", 256)
    conv("encoder.model.15", 128, 256, 3)
    conv("decoder.model.0", 256, 128, 3)
    lstm("decoder.model.1", 256)
    for number, width, stride in ((3, 128, 3), (7, 64, 2), (11, 32, 2)):
        conv(f"decoder.model.{number}", width, 2 * width, 2 * stride, "convtr")
        unit(f"decoder.model.{number + 1}", width)
        unit(f"decoder.model.{number + 2}", width)
    conv("decoder.model.15", 1, 32, 3)
    for level in range(6):
        name = f"quantizer.vq.layers.{level}"
        parameters |= {f"{name}.project_in.weight": (16, 128), f"{name}.project_in.bias": (16,)}
        parameters |= {f"{name}.project_out.weight": (128, 16), f"{name}.project_out.bias": (128,)}
        buffers |= {f"{name}._codebook.inited": (1,), f"{name}._codebook.cluster_size": (256,)}
        buffers |= {f"{name}._codebook.embed": (256, 16), f"{name}._codebook.embed_avg": (256, 16)}
    return parameters, buffers


def drawn() -> dict[str, torch.Tensor]:
    """Published weights of full size, random, as a compiled module names them."""
    random = torch.Generator().manual_seed(5)
    parameters, buffers = published_shapes()
    shapes = (parameters | buffers).items()
    return {f"_orig_mod.{name}": 0.05 * torch.randn(shape, generator=random) for name, shape in shapes}


def saved(path: Path, state: dict[str, torch.Tensor]) -> Path:
    torch.save(
        {"epoch": 20, "model_state_dict": state, "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 1e-4}]},
         "scheduler_state_dict": {"last_epoch": 20}}, path
    )  # fmt: skip
    return path


def size(shapes: dict[str, tuple[int, ...]], beginning: str = "") -> int:
    return sum(int(np.prod(shape)) for name, shape in shapes.items() if name.startswith(beginning))


def test_it_has_as_many_weights_as_the_published_model() -> None:
    network = build(planned_model(settings_for(values={"model": {"architecture": "biocodec"}}), "x"))
    halves = [sum(p.numel() for p in half.parameters()) for half in (network.encoder, network.decoder)]
    assert halves == [1_563_680, 1_563_650]
    codebooks = sum(level.codebook.weight.numel() for level in network.quantizer.quantizers)
    assert sum(p.numel() for p in network.quantizer.parameters()) - codebooks == 25_440
    # The published model's buffers: codebooks, their moving averages, how often each is chosen, and a flag.
    keeper = CodebookKeeper(network, QuantiserSettings(update="ema"))
    averages = sum(value.numel() for value in (*keeper.uses, *keeper.sums))
    assert codebooks + averages + len(network.quantizer.quantizers) == 50_694
    parameters, buffers = published_shapes()
    assert (size(parameters, "encoder"), size(parameters, "decoder")) == (1_563_680, 1_563_650)
    assert (size(parameters, "quantizer"), size(buffers)) == (25_440, 50_694)


def test_the_published_layout_imports_and_training_starts_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EEGZIP_CACHE", str(tmp_path / "cache"))
    state = drawn()
    path = saved(tmp_path / "biocodec_ckpt.pt", state)
    checkpoint = import_descript(path, tmp_path / "model")
    assert checkpoint.config.network == PUBLISHED
    assert (checkpoint.config.rate, checkpoint.config.architecture) == (250.0, "biocodec")
    assert checkpoint.config.name == "biocodec_ckpt"
    weights = checkpoint.state
    theirs = "_orig_mod.decoder.model.4.block.3.conv.conv.parametrizations.weight.original1"
    assert torch.equal(weights["decoder.model.4.block.3.conv.parametrizations.weight.original1"], state[theirs])
    # A level as linear layers, and the nearest by cosine.
    level = "_orig_mod.quantizer.vq.layers.0"
    vectors = torch.randn((1, 128, 50), generator=torch.Generator().manual_seed(1))
    entering = vectors[0].T @ state[f"{level}.project_in.weight"].T + state[f"{level}.project_in.bias"]
    book = state[f"{level}._codebook.embed"]
    wanted = nn.functional.cosine_similarity(entering[:, None], book[None], dim=2).argmax(1)
    network = build(checkpoint.config)
    network.load_state_dict(weights)
    restored, codes = network.quantizer(vectors, 1)
    assert torch.equal(codes[0, 0], wanted)
    out = book[wanted] @ state[f"{level}.project_out.weight"].T + state[f"{level}.project_out.bias"]
    torch.testing.assert_close(restored[0].T, out, rtol=1e-4, atol=1e-5)
    settings = settings_for(values={"start": {"init": str(path)}})
    assert (settings.model.architecture, settings.losses.waveform_kind) == ("biocodec", "huber")
    assert (settings.data.rate, settings.data.scaling, settings.data.highpass_hz) == (250.0, "robust", 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("_orig_mod.encoder.model.13.lstm.bias_hh_l1"), "lstm.bias_hh_l1"),
        (lambda s: s.pop("_orig_mod.quantizer.vq.layers.3._codebook.inited"), r"layers\.3\._codebook\.inited"),
        (lambda s: s.update({"_orig_mod.quantizer.vq.layers.0.extra": torch.zeros(1)}), "extra has no place"),
        (lambda s: s.update({"_orig_mod.more.weight": torch.zeros(1)}), "more.weight"),
        (lambda s: s.update({"_orig_mod.decoder.model.15.conv.conv.bias": torch.zeros(2)}), "size mismatch"),
        (lambda s: s.pop("_orig_mod.encoder.model.0.conv.conv.parametrizations.weight.original1"), "is missing"),
    ],
)
def test_other_weights_are_refused(tmp_path: Path, change, message: str) -> None:
    state = drawn()
    change(state)
    with pytest.raises(ModelError, match=message):
        import_descript(saved(tmp_path / "w.pt", state), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_nothing_in_a_published_file_is_run(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "was run",)

    with (tmp_path / "w.pt").open("wb") as file:
        pickle.dump({"model_state_dict": Payload()}, file)
    with pytest.raises(ModelError):
        import_descript(tmp_path / "w.pt", tmp_path / "model")
    assert not (tmp_path / "was run").exists()


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A small network at a level where every layer says something."""
    torch.manual_seed(2)
    made = build(CAUSAL).eval()
    wave = torch.randn((4, 1, 600), generator=torch.Generator().manual_seed(3))
    set_gains(made, wave, torch.zeros((4, 1), dtype=torch.int64), torch.ones((4, 1), dtype=torch.bool))
    return made.requires_grad_(False)


def test_nothing_depends_on_what_comes_later(network: nn.Module) -> None:
    wave = torch.randn((1, 1, 240), generator=torch.Generator().manual_seed(0))
    other = wave.clone()
    other[..., 120:] += 1.0
    latents, changed = network.encoder(wave), network.encoder(other)
    assert torch.equal(latents[..., :20], changed[..., :20])
    assert not torch.equal(latents[..., 20], changed[..., 20])
    sound, changed = network.decoder(latents), network.decoder(changed)
    assert sound.shape == wave.shape
    assert torch.equal(sound[..., :120], changed[..., :120])
    # What came long before is remembered.
    other = wave.clone()
    other[..., :6] += 1.0
    assert not torch.equal(latents[..., -1], network.encoder(other)[..., -1])


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_blocks_give_what_the_whole_gives(network: nn.Module, half: str) -> None:
    part, hop = getattr(network, half), 6 if half == "encoder" else 1
    width = 1 if half == "encoder" else 12
    x = torch.randn((2, width, 60 * hop), generator=torch.Generator().manual_seed(6))
    memory: Memory = {}
    blocks = [part(piece, memory) for piece in x.split([5 * hop, hop, 30 * hop, 2 * hop, 22 * hop], -1)]
    torch.testing.assert_close(torch.cat(blocks, -1), part(x), rtol=1e-5, atol=1e-5)
