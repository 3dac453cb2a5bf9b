"""DAC in the layout of Hugging Face's transformers: the same tokens and waveforms as under Descript's names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import CliRunner
from torch import nn

from eegzip import models
from eegzip.cli.main import main
from eegzip.codecs.networks.dac import EegDac
from eegzip.codecs.networks.descript import DAC
from eegzip.codecs.networks.official_weights import import_descript
from eegzip.formats.errors import ModelError
from eegzip.training.api import settings_for

# Unlike strides and widths, so that nothing fits in another's place.
KWARGS = {
    "encoder_dim": 4, "encoder_rates": [2, 6, 4], "decoder_dim": 48, "decoder_rates": [4, 6, 2],
    "n_codebooks": 3, "codebook_size": 32, "codebook_dim": 6, "sample_rate": 44100,
}  # fmt: skip
# What transformers 5.24 wrote for such a model.
CONFIG = {
    "architectures": ["DacModel"], "codebook_dim": 6, "codebook_loss_weight": 1.0, "codebook_size": 32,
    "commitment_loss_weight": 0.25, "decoder_hidden_size": 48, "downsampling_ratios": [2, 6, 4], "dtype": "float32",
    "encoder_hidden_size": 4, "hidden_size": 32, "hop_length": 48, "model_type": "dac", "n_codebooks": 3,
    "quantizer_dropout": 0.0, "sampling_rate": 44100, "transformers_version": "5.24.0", "upsampling_ratios": [4, 6, 2],
}  # fmt: skip
PARTS = {"0": "snake1", "1": "conv1", "2": "snake2", "3": "conv2"}
SPELLINGS = {
    "older": {"g": "weight_g", "v": "weight_v"},
    "newer": {"g": "parametrizations.weight.original0", "v": "parametrizations.weight.original1"},
}


def theirs(name: str, depth: int = 3) -> str:
    """Return transformers' name of a weight that Descript's network names so."""
    name = re.sub(r"^decoder\.model\.", "decoder.block.", name)
    if name.startswith("quantizer."):
        return name
    side, _, number, rest = name.split(".", 3)
    whole = {"0": "conv1", str(depth + 1): "snake1", str(depth + 2): "conv2"}
    if number in whole:
        return f"{side}.{whole[number]}.{rest}"
    block, part = f"{side}.block.{int(number) - 1}", rest.split(".")[1]
    alone = {"encoder": {"3": "snake1", "4": "conv1"}, "decoder": {"0": "snake1", "1": "conv_t1"}}[side]
    if part in alone:
        return f"{block}.{alone[part]}.{rest.split('.', 2)[2]}"
    unit = int(part) + (1 if side == "encoder" else -1)
    _, _, _, inner, kind = rest.split(".")
    return f"{block}.res_unit{unit}.{PARTS[inner]}.{kind}"


def written(folder: Path, network: nn.Module, spelling: str = "plain", **config: Any) -> Path:
    """Write a network as transformers would."""
    tensors = {}
    for name, value in network.state_dict().items():
        kind = name.rpartition("_")[2]
        if not name.endswith(("weight_g", "weight_v")):
            tensors[theirs(name)] = value
        elif spelling in SPELLINGS:
            tensors[theirs(name).replace(f"weight_{kind}", SPELLINGS[spelling][kind])] = value
        elif kind == "v":
            module = network.get_submodule(name.removesuffix(".weight_v"))
            tensors[theirs(name).removesuffix("_v")] = torch._weight_norm(value, module.weight_g, 0)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    return folder


@pytest.fixture(scope="module")
def dac() -> nn.Module:
    """A random network, none of whose parts is silent or like another."""
    torch.manual_seed(0)
    network = DAC(**KWARGS).eval()
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("alpha"):
                value.uniform_(0.5, 1.5)
            elif name.endswith("bias"):
                value.normal_(std=0.05)
            elif name.startswith("encoder.") and name.endswith("weight_g"):
                value.mul_(3)
    return network


@pytest.fixture(scope="module")
def wave() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((2, 1, 48 * 50)).astype(np.float32) * 0.3)


def ran(network: Any, wave: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens, and the waveforms that come of them."""
    with torch.inference_mode():
        latent, codes, *_ = network.encode(wave)
        return codes, network.decode(latent)


@pytest.mark.parametrize("spelling", ["plain", "older", "newer"])
def test_tokens_and_waveforms_are_those_of_the_network(
    spelling: str, dac: nn.Module, wave: torch.Tensor, tmp_path: Path
) -> None:
    made = import_descript(written(tmp_path / "audio", dac, spelling), tmp_path / "model", rate=512.0)
    assert (made.config.name, made.config.rate, made.config.network.hop) == ("audio", 512.0, 48)
    network = EegDac(made.config.network)
    network.load_state_dict(made.state)
    codes, restored = ran(network.eval(), wave)
    expected_codes, expected = ran(dac, wave)
    assert len(expected_codes.unique()) > 8
    assert torch.equal(codes, expected_codes)
    # Weights without weight norm are rounded once more; near a zero crossing that is of the whole wave's size.
    torch.testing.assert_close(restored, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    if spelling != "plain":  # the very numbers
        assert all(torch.equal(made.state[name], value) for name, value in dac.state_dict().items())


def test_a_silent_row_stays_silent(dac: nn.Module, wave: torch.Tensor, tmp_path: Path) -> None:
    folder = written(tmp_path / "audio", dac)
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    tensors["encoder.conv2.weight"][3] = 0
    safetensors.torch.save_file(tensors, folder / "model.safetensors")
    made = import_descript(folder, tmp_path / "model")
    network = EegDac(made.config.network)
    network.load_state_dict(made.state)
    with torch.inference_mode():
        latent = network.encoder(wave)
    assert torch.equal(latent[:, 3], tensors["encoder.conv2.bias"][3].expand_as(latent[:, 3]))


def test_half_precision_and_defaults_are_read(dac: nn.Module, tmp_path: Path) -> None:
    folder = written(tmp_path / "audio", dac.to(torch.bfloat16), "older")
    dac.to(torch.float32)
    config = json.loads((folder / "config.json").read_text())
    for name in ("upsampling_ratios", "hidden_size"):  # follow from the others
        del config[name]
    (folder / "config.json").write_text(json.dumps(config))
    made = import_descript(folder / "model.safetensors", tmp_path / "model")
    assert made.config.network.decoder_rates == (4, 6, 2)
    assert all(torch.equal(made.state[name], value.bfloat16().float()) for name, value in dac.state_dict().items())


def without(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {k: v for k, v in tensors.items() if k != name}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: without(t, "encoder.conv1.weight"), r"lacks encoder\.conv1\.weight\.$"),
        (lambda t: without(t, "decoder.block.1.res_unit2.snake1.alpha"), r"lacks decoder\.block\.1\.res_unit2\.snake1"),
        (lambda t: {**t, "decoder.conv9.bias": torch.zeros(1)}, r"has decoder\.conv9\.bias, for which there is no"),
        (lambda t: {**t, "encoder.conv1.weight_g": torch.zeros(4, 1, 1)}, r"lacks encoder\.conv1\.weight_v"),
        (lambda t: {**t, "encoder.conv1.bias": torch.zeros(5)}, r"encoder\.conv1\.bias is \[5\], not \[4\]"),
        (lambda t: {}, r"lacks .* and \d+ more"),
        (lambda t: {**t, "encoder.conv1.bias": torch.zeros(4, dtype=torch.int64)}, "numbers other than"),
    ],
)
def test_other_weights_are_refused_by_name(change: Any, expected: str, dac: nn.Module, tmp_path: Path) -> None:
    file = written(tmp_path / "audio", dac) / "model.safetensors"
    safetensors.torch.save_file(change(safetensors.torch.load_file(file)), file)
    with pytest.raises(ModelError, match=expected):
        import_descript(tmp_path / "audio", tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "encodec"}, "of the type 'encodec'; only 'dac'"),
        ({"n_codebooks": "many"}, "n_codebooks in .* is not of the type int"),
        ({"n_codebooks": 4}, r"lacks quantizer\.quantizers\.3\.in_proj"),
        ({"downsampling_ratios": [2, 5, 4]}, "even"),
        ({"codebook_size": 10**9}, "codebook_size is 1000000000"),
        ({"format": "eegzip-model"}, "is an eegzip model already"),
    ],
)
def test_other_configs_are_refused(config: dict[str, Any], expected: str, dac: nn.Module, tmp_path: Path) -> None:
    folder = written(tmp_path / "audio", dac, **config)
    with pytest.raises(ModelError, match=expected):
        import_descript(folder / "model.safetensors", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_only_safetensors_with_a_config_are_opened(dac: nn.Module, tmp_path: Path) -> None:
    folder = written(tmp_path / "audio", dac)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="save_pretrained"):
        import_descript(folder, tmp_path / "model")
    (tmp_path / "alone.safetensors").write_bytes((folder / "pytorch_model.bin").read_bytes())
    with pytest.raises(ModelError, match=r"no config\.json in"):
        import_descript(tmp_path / "alone.safetensors", tmp_path / "model")
    (folder / "model.safetensors").write_bytes((folder / "pytorch_model.bin").read_bytes()[:-9])
    with pytest.raises(ModelError, match="truncated"):
        import_descript(folder, tmp_path / "model")


def test_commands_take_it_and_tell_files_of_one_name_apart(
    dac: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EEGZIP_CACHE", str(tmp_path / "cache"))
    one = written(tmp_path / "one", dac)
    torch.manual_seed(1)
    other = written(tmp_path / "other", DAC(**KWARGS), "newer")
    done = CliRunner().invoke(main, ["models", "import", str(one), str(tmp_path / "model"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["title"] == "one"
    wrong = CliRunner().invoke(main, ["models", str(one), "--json"])
    assert "eegzip models import" in json.loads(wrong.output)["problem"]
    started = settings_for(values={"start": {"init": str(one)}})
    assert (started.model.codebook_size, started.model.encoder_rates) == (32, (2, 6, 4))
    found = [models.imported(path) for path in (one, other / "model.safetensors", one / "model.safetensors")]
    assert [each.config.name for each in found] == ["one", "other", "one"]
    assert found[0].digest == models.load(tmp_path / "model").digest == found[2].digest != found[1].digest
