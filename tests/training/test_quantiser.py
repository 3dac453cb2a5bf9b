"""The quantiser in training: what it rounds to is what the codec will store, and its codebooks stay in use."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.codecs.checkpoints.config import NetworkConfig
from eegzip.codecs.networks.dac import EegDac
from eegzip.training.initialisation.codebooks import start_codebooks
from eegzip.training.quantiser import CodebookKeeper, drawn_depths, quantise
from eegzip.training.settings.sections import QuantiserSettings

SHAPE = {"encoder_dim": 4, "encoder_rates": (2, 4), "decoder_dim": 8, "decoder_rates": (4, 2)}
KINDS = {
    "dac": NetworkConfig(**SHAPE, n_codebooks=3, codebook_size=16, codebook_dim=4),
    "euclid": NetworkConfig(**SHAPE, n_codebooks=3, codebook_size=16, codebook_dim=16, search="euclid"),
}


def network_of(kind, seed=0):
    torch.manual_seed(seed)
    return EegDac(KINDS[kind], 256.0)


def latents(seed, batch=4, frames=50):
    # Correlated, as latents are: some directions matter far more than others.
    spread = torch.logspace(0, -2, 16)[:, None]
    return torch.randn(batch, 16, frames, generator=torch.Generator().manual_seed(seed)) * spread


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_rounds_as_dac_does(kind, levels):
    network, z = network_of(kind).eval(), latents(1)
    with torch.no_grad():
        theirs, codes = network.quantizer(z, levels)[:2]
        found = quantise(network, z, torch.full((len(z),), levels))
    assert torch.equal(found.codes[:, :levels], codes)
    torch.testing.assert_close(found.latent, theirs)


def test_each_row_uses_its_own_depth():
    network, z = network_of("dac").eval(), latents(2, batch=3)
    with torch.no_grad():
        mixed = quantise(network, z, torch.tensor([1, 2, 3])).latent
        for row, depth in enumerate((1, 2, 3)):
            alone = quantise(network, z[row : row + 1], torch.tensor([depth])).latent
            torch.testing.assert_close(mixed[row : row + 1], alone)


def test_gradient_passes_the_rounding_and_both_losses_move_their_own_side():
    network, z = network_of("dac"), latents(3).requires_grad_()
    found = quantise(network, z, torch.full((4,), 3))
    (by_sum,) = torch.autograd.grad(found.latent.sum(), z, retain_graph=True)
    assert by_sum.abs().sum() > 0
    book = network.quantizer.quantizers[0].codebook.weight
    assert torch.autograd.grad(found.commitment, book, retain_graph=True, allow_unused=True)[0] is None
    assert torch.autograd.grad(found.codebook, book, retain_graph=True)[0].abs().sum() > 0


def test_open_quantiser_does_not_round():
    network, z = network_of("euclid"), latents(4)
    found = quantise(network, z, torch.full((4,), 3), is_open=True)
    assert torch.equal(found.latent, z)


def test_open_quantiser_holds_vectors_at_the_size_of_codewords():
    network = network_of("euclid")
    small, large = (quantise(network, size * latents(4), torch.full((4,), 3), is_open=True) for size in (0.01, 100))
    assert float(small.commitment) == 0
    assert float(large.commitment) > 100


@given(st.integers(1, 64), st.integers(1, 9), st.floats(0, 1), st.integers(0, 100))
@settings(max_examples=50)
def test_depths_are_drawn_for_the_stated_share(batch, levels, dropout, seed):
    depth = drawn_depths(batch, levels, dropout, torch.Generator().manual_seed(seed))
    few = math.ceil(batch * dropout)
    assert bool((depth[few:] == levels).all())
    assert bool(((depth >= 1) & (depth <= levels)).all())


def test_small_batches_have_their_share_of_shallow_rows():
    rows = [int(drawn_depths(1, 1000, 0.25, torch.Generator().manual_seed(seed))) for seed in range(400)]
    shallow = sum(depth < 1000 for depth in rows) / len(rows)
    assert 0.18 < shallow < 0.32


@pytest.mark.parametrize("kind", KINDS)
def test_kmeans_start_codes_better_and_uses_all_entries(kind):
    network, z = network_of(kind), latents(5, batch=32)
    depth = torch.full((32,), 3)

    def error():
        with torch.no_grad():
            found = quantise(network, z, depth)
        used = [len(torch.unique(found.codes[:, level])) for level in range(3)]
        return float((found.latent - z).square().mean() / z.square().mean()), min(used)

    before, _ = error()
    start_codebooks(network, z, seed=1)
    after, used = error()
    assert before > 0.5
    assert after < 0.2
    assert used >= 14
    # Vectors that it was not started from fare nearly as well.
    with torch.no_grad():
        other = latents(6, batch=32)
        found = quantise(network, other, depth)
    assert float((found.latent - other).square().mean() / other.square().mean()) < 0.3


@pytest.mark.parametrize("update", ["gradient", "ema"])
def test_dead_entries_are_revived_with_vectors_of_the_batch(update):
    network = network_of("euclid")
    keeper = CodebookKeeper(network, QuantiserSettings(update=update, ema_decay=0.5, revive_below=0.1))
    book = network.quantizer.quantizers[0].codebook.weight
    with torch.no_grad():
        book[8:] = 1e3  # nothing lies there
    optimiser = torch.optim.Adam([book])
    average = {"quantizer.quantizers.0.codebook.weight": book.detach().clone()}
    depth = torch.full((8,), 3)
    for step in range(12):
        found = quantise(network, latents(step, batch=8), depth)
        keeper.update(network, found.codes, found.rows, depth)
    alive = book[:8].detach().clone()
    revived = keeper.revive(network, found.rows, optimiser, average, torch.Generator().manual_seed(1))
    assert revived[0] >= 8
    assert float(book.detach().abs().max()) < 100
    rows = found.rows[0].reshape(-1, 16)
    assert bool((torch.cdist(book[8:], rows).min(1).values < 1e-2).all())
    torch.testing.assert_close(average["quantizer.quantizers.0.codebook.weight"][8:], book[8:])
    assert torch.equal(book[:8], alive) or revived[0] > 8
    z = latents(99, batch=8)
    assert len(torch.unique(quantise(network, z, depth).codes[:, 0])) > 8


def test_moving_averages_bring_codebooks_to_what_chooses_them():
    network = network_of("euclid", seed=3)
    keeper = CodebookKeeper(network, QuantiserSettings(update="ema", ema_decay=0.8))
    z, depth = latents(7, batch=64), torch.full((64,), 3)
    errors = []
    for _ in range(40):
        found = quantise(network, z, depth)
        errors.append(float(found.commitment.detach()))
        keeper.update(network, found.codes, found.rows, depth)
    assert errors[-1] < 0.7 * errors[0]
    assert np.isfinite(errors).all()


def test_state_of_the_keeper_survives():
    network = network_of("dac")
    found = quantise(network, latents(1), torch.full((4,), 3))
    one, two = (CodebookKeeper(network, QuantiserSettings(update="ema")) for _ in range(2))
    one.update(network, found.codes, found.rows, torch.full((4,), 3))
    two.load(one.state())
    for a, b in zip([*one.uses, *one.sums], [*two.uses, *two.sums], strict=True):
        assert torch.equal(a, b)
