from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from small_models import LINEAR, PLAIN, multichannel, shaken

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.token_network import ADAPTERS
from eegzip.codecs.networks.transfer import start_from, start_from_state
from eegzip.formats.errors import ModelError

GROUPED = multichannel(LINEAR, vocabulary=("Cz", "Pz", "Oz"))


def changed(config: ModelConfig, **changes: Any) -> ModelConfig:
    return replace(config, beam=1, network=replace(config.network, **changes))


@pytest.mark.parametrize("source", [LINEAR, GROUPED], ids=["sc", "mc"])
@pytest.mark.parametrize("target", [LINEAR, GROUPED], ids=["sc", "mc"])
def test_either_architecture_starts_from_either(source: ModelConfig, target: ModelConfig) -> None:
    theirs, network = shaken(source), build(target)
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    start_from_state(network, theirs.state_dict(), source)
    for name, value in network.state_dict().items():
        adapter = name.startswith(ADAPTERS) and source.multichannel is None
        assert torch.equal(value, fresh[name] if adapter else theirs.state_dict()[name]), name


def test_a_checkpoint_folder_is_a_start(linear: Checkpoint, grouped: Checkpoint) -> None:
    network = build(grouped.config)
    start_from(network, linear)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in linear.state.items())
    start_from(network, grouped)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in grouped.state.items())


def test_styles_are_found_by_name_and_new_ones_begin_at_nothing() -> None:
    target = multichannel(LINEAR, vocabulary=("Fz", "oz", "Cz"))
    theirs, network = shaken(GROUPED), build(target)
    fresh = network.state_dict()["attention.1.channel"].clone()
    start_from_state(network, theirs.state_dict(), GROUPED)
    for name in ("styles.scale", "styles.bias", "attention.1.channel"):
        old, new = theirs.state_dict()[name], network.state_dict()[name]
        assert torch.equal(new[[0, 2, 3]], old[[0, 3, 1]])
    assert not network.styles.scale[1].any()  # type: ignore[union-attr, index]
    assert not network.styles.bias[1].any()  # type: ignore[union-attr, index]
    assert torch.equal(network.state_dict()["attention.1.channel"][1], fresh[1])


def test_fewer_codebooks_take_the_first_ones() -> None:
    theirs, network = shaken(PLAIN), build(changed(PLAIN, n_codebooks=2))
    start_from_state(network, theirs.state_dict(), PLAIN)
    for name, value in network.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name]), name


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (changed(PLAIN, n_codebooks=4), "as many or fewer"),
        (changed(PLAIN, codebook_size=16), "vocabulary reduction"),
        (changed(PLAIN, codebook_size=64), "not grown"),
        (changed(PLAIN, encoder_dim=16), "encoder_dim is 8, but .* is 16"),
        (changed(PLAIN, encoder_rates=(4, 2)), "encoder_rates"),
        (changed(PLAIN, codebook_dim=4), "codebook_dim"),
        (changed(PLAIN, linear_path=True), "linear_path"),
    ],
)
def test_other_shapes_are_refused_with_what_to_do(target: ModelConfig, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        start_from_state(build(target), shaken(PLAIN).state_dict(), PLAIN)


def test_the_quantiser_without_projections_is_another_one() -> None:
    projected = changed(PLAIN, search="euclid", codebook_dim=8)
    start_from_state(build(projected), shaken(PLAIN).state_dict(), PLAIN)
    wide = changed(PLAIN, codebook_dim=PLAIN.network.latent_width)
    direct = changed(wide, search="euclid")
    with pytest.raises(ModelError, match="search"):
        start_from_state(build(direct), shaken(wide).state_dict(), wide)


@pytest.mark.parametrize("changes", [{"heads": 4}, {"reach": 4}, {"layers": 1}, {"max_channels": 4}], ids=str)
def test_other_adapters_are_refused(changes: dict) -> None:
    with pytest.raises(ModelError, match=next(iter(changes))):
        start_from_state(build(multichannel(LINEAR, **changes)), shaken(GROUPED).state_dict(), GROUPED)


def test_weights_that_are_not_their_configs_are_refused() -> None:
    state = shaken(GROUPED).state_dict()
    for wrong in (
        {name: value for name, value in state.items() if name != "styles.bias"},
        {**state, "styles.bias": torch.zeros(1, 32)},
        {**state, "styles.more": torch.zeros(1)},
        {**state, "more": torch.zeros(1)},
    ):
        with pytest.raises(ModelError, match="weights are not those"):
            start_from_state(build(GROUPED), wrong, GROUPED)
