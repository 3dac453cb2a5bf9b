from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import LINEAR, PLAIN, decode, encode, latents
from small_waves import noise, windows

from eegzip.codecs.checkpoints.checkpoint import Checkpoint, save_checkpoint
from eegzip.codecs.networks.dac import EegDac, mdct_basis
from eegzip.codecs.networks.descript import DAC
from eegzip.codecs.networks.inference import build_network
from eegzip.codecs.networks.linear_network import LinearNetwork
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.signal.analysis import mirror_indices
from eegzip.codecs.stream_coder import GroupCoder
from eegzip.formats.errors import ModelError, UsageError
from eegzip.formats.tokens.packed import ABSENT


@pytest.fixture(params=["linear", "plain"])
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return request.getfixturevalue(request.param)


def test_default_options_are_exactly_dac(plain: Checkpoint) -> None:
    shape = PLAIN.network
    dac = DAC(
        encoder_dim=shape.encoder_dim,
        encoder_rates=list(shape.encoder_rates),
        decoder_dim=shape.decoder_dim,
        decoder_rates=list(shape.decoder_rates),
        n_codebooks=shape.n_codebooks,
        codebook_size=shape.codebook_size,
        codebook_dim=shape.codebook_dim,
    ).eval()
    dac.load_state_dict(plain.state, strict=True)
    network = build_network(plain)
    assert list(network.state_dict()) == list(dac.state_dict())
    x = torch.from_numpy(noise(2, 400))[:, None]
    with torch.inference_mode():
        ours, theirs = network.encode(x), dac.encode(x)
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])
        assert torch.equal(network.decode(ours[0]), dac.decode(theirs[0]))


def test_runtime_gives_the_tokens_of_the_packages_own_encode(plain: Checkpoint) -> None:
    runtime = CodecRuntime(plain)
    x = windows(runtime, noise(3, 320))
    context = runtime.encoder_context
    with torch.inference_mode():
        codes = build_network(plain).encode(torch.from_numpy(x)[:, None])[1].numpy()
    assert np.array_equal(encode(runtime, x), codes[:, :, context : context + runtime.window_frames])


def test_linear_path_alone_is_perfect() -> None:
    basis = mdct_basis(16).double()
    network = EegDac(LINEAR.network, 256.0).eval()
    x = torch.from_numpy(noise(2, 320))[:, None]
    with torch.inference_mode():
        y = network.decode(network.encoder(x))
    assert torch.allclose(basis @ basis.T, torch.eye(16, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(y[:, :, 32:-32], x[:, :, 32:-32], atol=1e-5)


def test_windows_equal_the_whole(checkpoint: Checkpoint) -> None:
    runtime = CodecRuntime(checkpoint)
    y = noise(2, 3 * runtime.window_frames * runtime.hop)
    hop, size, context = runtime.hop, runtime.window_frames, runtime.encoder_context
    with torch.inference_mode():
        start = -context * hop - hop // 2
        total = 3 * size * hop + 2 * context * hop
        x = y[:, mirror_indices(y.shape[1], start, start + total)]
        z = runtime.network.module.encoder(torch.from_numpy(x)[:, None])[:, :, context:-context]
        parts = runtime.network.module.encoder(torch.from_numpy(windows(runtime, y)[:6])[:, None])
        parts = parts[:, :, context : context + size].reshape(3, 2, -1, size)
    joined = torch.cat(list(parts), dim=2)
    assert torch.allclose(joined, z[:, :, : joined.shape[2]], atol=2e-5)


def test_tokens_do_not_depend_on_batch_or_threads(checkpoint: Checkpoint) -> None:
    runtime = CodecRuntime(checkpoint)
    x = windows(runtime, noise(5, 2 * runtime.window_frames * runtime.hop))
    expected = encode(runtime, x)
    for threads in (1, 2):
        runtime = CodecRuntime(checkpoint, threads=threads)
        for batch in (1, 4, len(x)):
            codes = np.concatenate([encode(runtime, x[i : i + batch]) for i in range(0, len(x), batch)])
            assert np.array_equal(codes, expected)


def test_decoded_frames_do_not_depend_on_the_window(checkpoint: Checkpoint) -> None:
    runtime = CodecRuntime(checkpoint)
    frames, context, hop = 90, runtime.decoder_context, runtime.hop
    rng = np.random.default_rng(5)
    shape = (2, runtime.n_codebooks, frames)
    codes = rng.integers(0, runtime.codebook_size, shape).astype(np.uint16)
    padded = np.pad(codes, ((0, 0), (0, 0), (context, context)), constant_values=1)
    whole = decode(runtime, padded, (context, context + frames))
    assert whole.shape == (2, frames * hop)
    for first, last in ((0, 10), (17, 64), (80, 90)):
        part = padded[:, :, first : last + 2 * context]
        wave = decode(runtime, part, (context - first, context - first + frames))
        assert np.allclose(wave, whole[:, first * hop : last * hop], atol=2e-5)


def test_contexts_cover_all_that_the_network_sees(checkpoint: Checkpoint) -> None:
    runtime = CodecRuntime(checkpoint)
    hop, context = runtime.hop, runtime.encoder_context
    frames = 2 * context + 1
    x = torch.zeros(1, 1, frames * hop, requires_grad=True)
    with torch.inference_mode(False):
        network = build_network(checkpoint)
        network.encoder(x + torch.randn_like(x))[0, :, context].sum().backward()
        seen = x.grad[0, 0].nonzero()[:, 0]  # type: ignore[index]
        assert seen.min() > 0
        assert seen.max() < frames * hop - 1
        context = runtime.decoder_context
        z = torch.randn(1, network.latent_dim, 2 * context + 3, requires_grad=True)
        wave = network.decoder(z)[0, 0]
        wave[(context + 1) * hop : (context + 2) * hop].sum().backward()
        seen = z.grad[0].abs().sum(0).nonzero()[:, 0]  # type: ignore[index]
        assert seen.min() >= 1
        assert seen.max() <= 2 * context + 1


def test_fewer_codebooks(linear: Checkpoint, plain: Checkpoint) -> None:
    greedy = CodecRuntime(plain)
    x = windows(greedy, noise(2, 320))
    assert np.array_equal(encode(greedy, x, 2), encode(greedy, x)[:, :2])
    beam = CodecRuntime(linear)
    x = windows(beam, noise(2, 1200))
    codes = encode(beam, x, 2)
    assert codes.shape[1] == 2
    found = latents(beam, codes)
    assert found.shape == (2, LINEAR.network.latent_width, beam.window_frames)
    with torch.inference_mode():
        z = beam.network.module.encoder(torch.from_numpy(x)[:, None])
    z = z[:, :, beam.encoder_context : beam.encoder_context + beam.window_frames].numpy()
    cut = latents(beam, encode(beam, x)[:, :2])
    assert np.square(found - z).sum() <= np.square(cut - z).sum()


def test_absent_tokens_add_nothing(linear: Checkpoint, plain: Checkpoint) -> None:
    for checkpoint in (linear, plain):
        runtime = CodecRuntime(checkpoint)
        codes = encode(runtime, windows(runtime, noise(2, 1000))[:2])
        depths = np.random.default_rng(4).integers(1, codes.shape[1] + 1, codes.shape[2])
        fewer = np.where(np.arange(codes.shape[1])[:, None] < depths, codes, ABSENT).astype(np.uint16)
        found = latents(runtime, fewer)
        for depth in np.unique(depths):
            wanted = latents(runtime, np.ascontiguousarray(codes[:, :depth]))
            np.testing.assert_array_equal(found[:, :, depths == depth], wanted[:, :, depths == depth])
        silence = np.full_like(codes, ABSENT)
        assert not latents(runtime, silence).any()
        assert decode(runtime, silence).shape[0] == 2


def test_another_beam(linear: Checkpoint, plain: Checkpoint) -> None:
    x = windows(CodecRuntime(linear), noise(2, 1200))
    wide, narrow = CodecRuntime(linear, beam=8), CodecRuntime(linear, beam=1)
    assert np.array_equal(encode(narrow, x, 2), encode(narrow, x)[:, :2])
    assert not np.array_equal(encode(wide, x), encode(narrow, x))
    for model, beam in ((linear, 0), (linear, 65), (plain, 2)):
        with pytest.raises(UsageError, match="beam"):
            CodecRuntime(model, beam=beam)


def test_silent_branches_are_left_out_without_a_trace(tmp_path: Path) -> None:
    network = EegDac(LINEAR.network, LINEAR.rate)
    runtime = CodecRuntime(save_checkpoint(tmp_path / "m", LINEAR, network.state_dict()))
    assert isinstance(runtime.network, LinearNetwork)
    x, whole, alone = noise(3, 3200)[:, None], slice(None), np.zeros((3, 1), np.int64)
    exact = network.double()
    _, z = runtime.network.encode(x, alone, whole, 1)
    wave = runtime.network.synthesise(z)
    with torch.inference_mode():
        wanted, back = exact.encoder(torch.from_numpy(x).double()), exact.decoder(torch.from_numpy(z).double())
    # As near as float32 comes in sums of so many terms.
    np.testing.assert_allclose(z, wanted.numpy(), rtol=0, atol=4e-6)
    np.testing.assert_allclose(wave, back[:, 0].numpy(), rtol=0, atol=4e-6)
    rows = [runtime.network.encode(row[None], alone[:1], whole, 1)[1] for row in x]
    assert np.array_equal(np.concatenate(rows), z)
    assert np.array_equal(np.concatenate([runtime.network.synthesise(row[None]) for row in z]), wave)


def test_frames_and_mirror() -> None:
    assert mirror_indices(4, -5, 9).tolist() == [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert mirror_indices(1, -2, 3).tolist() == [0, 0, 0, 0, 0]


def test_wrong_shapes_and_tokens_are_refused(linear: Checkpoint) -> None:
    runtime = CodecRuntime(linear)
    with pytest.raises(UsageError, match="samples"):
        encode(runtime, noise(1, 100))
    with pytest.raises(UsageError, match="codebooks"):
        encode(runtime, windows(runtime, noise(1, 100)), 5)
    with pytest.raises(ModelError, match="beyond"):
        latents(runtime, np.full((1, 1, 3), 64, dtype=np.uint16))
    with pytest.raises(UsageError):
        decode(runtime, np.zeros((1, 1, 3), dtype=np.uint16))
    with pytest.raises(UsageError, match="device"):
        CodecRuntime(linear, device="nonsense")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_almost_the_same(linear: Checkpoint, grouped: Checkpoint) -> None:
    here, there = CodecRuntime(linear), CodecRuntime(linear, device="cuda")
    x = windows(here, noise(4, 2560))
    (ours, latent), (theirs, other) = (
        GroupCoder(runtime, [(0,)] * len(x)).encode_with_latents(x, here.n_codebooks) for runtime in (here, there)
    )
    assert np.allclose(latent, other, atol=1e-4)
    # The search on the CPU keeps the best hypotheses, that on a card the best of each group of codewords, so some
    # tokens differ; they come as near.
    error, found = (np.square(latent - latents(here, codes)).mean() for codes in (ours, theirs))
    assert found == pytest.approx(error, rel=0.01)
    assert (ours == theirs).mean() > 0.95
    assert np.allclose(decode(here, ours), decode(there, ours), atol=1e-4)
    ours, theirs = (GroupCoder(CodecRuntime(grouped, device=device), [(1, 2, 3), (4,)]) for device in ("cpu", "cuda"))
    x = noise(4, (40 + 2 * ours.encoder_context) * here.hop)
    codes = ours.encode(x)
    assert (codes == theirs.encode(x)).mean() > 0.95
    assert np.allclose(ours.decode(codes), theirs.decode(codes), atol=1e-4)
