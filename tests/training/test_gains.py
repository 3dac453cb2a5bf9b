"""Untrained gains let a waveform through at its own level, and only gains are touched."""

import pytest
import torch

from eegzip.codecs.checkpoints.config import ModelConfig, MultichannelConfig, NetworkConfig
from eegzip.codecs.networks.build import build
from eegzip.training.initialisation.gains import set_gains
from eegzip.training.quantiser import quantise

SHAPE = NetworkConfig(encoder_dim=8, encoder_rates=(2, 4, 8), decoder_dim=64, decoder_rates=(8, 4, 2), n_codebooks=4)


def through(network, wave):
    styles = torch.zeros(wave.shape[:2], dtype=torch.int64)
    present = torch.ones(wave.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        latent = network.latents(wave, styles, present)
        levels = torch.full((len(wave),), SHAPE.n_codebooks)
        return network.waves(quantise(network, latent, levels, is_open=True).latent, styles, present), styles, present


@pytest.mark.parametrize("multichannel", [None, MultichannelConfig(vocabulary=("Fp1", "Fp2"), heads=2)])
@pytest.mark.parametrize("level", [0.05, 0.3])
def test_output_varies_with_the_input_and_as_much(multichannel, level):
    torch.manual_seed(1)
    architecture = "dac-mc" if multichannel else "dac-sc"
    network = build(ModelConfig("a", 256.0, SHAPE, architecture=architecture, multichannel=multichannel))
    wave = level * torch.randn(8, 1, 64 * 20)
    before, styles, present = through(network, wave)
    untouched = {n: v.clone() for n, v in network.state_dict().items() if not n.endswith("weight_g")}
    set_gains(network, wave, styles, present)
    after, *_ = through(network, wave)
    # What varies from place to place, not what is always there.
    assert float(after.std(dim=2).mean()) == pytest.approx(level, rel=0.3)
    assert abs(float(after.std()) - level) < abs(float(before.std()) - level)
    for name, value in untouched.items():
        assert torch.equal(value, network.state_dict()[name]), name
