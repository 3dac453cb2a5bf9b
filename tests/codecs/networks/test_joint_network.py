"""The decoder that sees all channels: order, number and signs of channels, its start, and how far it sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from api.joint_models import SHAPE, save_joint, small_decoder

from eegzip.codecs.checkpoints.checkpoint import JOINT, add_joint, load_checkpoint
from eegzip.codecs.networks.joint import joint_decoder, neighbours_of
from eegzip.formats.errors import ModelError


def decoded(channels: int, frames: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents of channels that share much, and how many codewords each is the sum of."""
    torch.manual_seed(3)
    common = torch.randn(2, frames, 128)
    mixing = torch.randn(channels, 2)
    fall = 1 / (1 + torch.arange(128) / 4)
    rows = (torch.einsum("cs,stf->ctf", mixing, common) + 0.3 * torch.randn(channels, frames, 128)) * fall
    return rows, torch.randint(1, 6, (channels, frames))


@pytest.mark.parametrize("channels", [2, 5, 19])
def test_order_of_channels_is_irrelevant(channels: int) -> None:
    decoder = small_decoder(spread=0.2)
    rows, depth = decoded(channels)
    order = torch.randperm(channels)
    straight = decoder(rows, depth)[0]
    shuffled = decoder(rows[order], depth[order])[0]
    torch.testing.assert_close(shuffled, straight[order], rtol=1e-4, atol=1e-4)
    assert (straight - rows).abs().max() > 0.05


def test_untrained_it_gives_the_closed_form() -> None:
    decoder = small_decoder(spread=0.0)
    rows, depth = decoded(6)
    refined, wiener = decoder(rows, depth)
    assert torch.equal(refined, wiener)
    assert (wiener - rows).abs().max() > 0.05


def test_closed_form_comes_nearer_to_what_was_coded() -> None:
    torch.manual_seed(5)
    truth = torch.einsum("cs,stf->ctf", torch.randn(8, 2), torch.randn(2, 100, 128))
    rows = truth + 0.7 * torch.randn(truth.shape)
    found = neighbours_of(rows * 0.8, torch.full(rows.shape, 0.5))
    assert found.correlations.abs().max() <= 1 + 1e-6
    assert torch.equal(found.correlations.diagonal(dim1=1, dim2=2), torch.zeros(12, 8))
    assert (found.left < found.noise).all()


def test_one_channel_alone_stays_what_it_is() -> None:
    rows, depth = decoded(1)
    refined = small_decoder(spread=0.0)(rows, depth)[0]
    torch.testing.assert_close(refined, rows, rtol=1e-3, atol=1e-4)


def test_it_sees_as_far_as_it_says() -> None:
    decoder = small_decoder(spread=0.2)
    rows, depth = decoded(3)
    neighbours = neighbours_of(rows, decoder.noise[depth])
    changed = rows.clone()
    changed[:, 20] += 5
    before, after = (decoder(part, depth, neighbours)[0] for part in (rows, changed))
    differs = ((before - after).abs().amax((0, 2)) > 0).nonzero()[:, 0]
    assert (differs.min(), differs.max()) == (20 - SHAPE.reach, 20 + SHAPE.reach)


def test_weights_belong_to_the_model(tmp_path: Path) -> None:
    saved = save_joint(tmp_path / "one", small_decoder())
    assert saved.digest != load_checkpoint(Path(saved.folder)).config.joint
    loaded = joint_decoder(load_checkpoint(saved.folder))
    assert loaded is not None
    assert torch.equal(loaded.noise, small_decoder().noise)
    content = bytearray((saved.folder / JOINT).read_bytes())
    content[-1] ^= 1
    (saved.folder / JOINT).write_bytes(content)
    with pytest.raises(ModelError, match=r"not the one that config\.json names"):
        load_checkpoint(saved.folder)


def test_other_shapes_are_refused(tmp_path: Path) -> None:
    saved = save_joint(tmp_path / "one", small_decoder())
    wrong = add_joint(saved.folder, replace(SHAPE, width=32), small_decoder().state_dict())
    with pytest.raises(ModelError, match="other weights than those of the decoder"):
        joint_decoder(wrong)
    with pytest.raises(ModelError, match="odd kernel"):
        add_joint(saved.folder, replace(SHAPE, kernel=4), small_decoder().state_dict())
