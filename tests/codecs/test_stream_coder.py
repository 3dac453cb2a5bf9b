from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import LINEAR, PLAIN, decode, encode, make, multichannel
from small_waves import noise, windows

from eegzip.codecs.channels.grouping import channel_styles
from eegzip.codecs.checkpoints.checkpoint import Checkpoint, save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.inference import build_network
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.stream_coder import GroupCoder
from eegzip.formats.errors import ModelError, UsageError

# Every size that the model takes, unknown names too.
GROUPS = [(1, 2, 3), (4,), (5, 6, 7, 8, 9), (0,), (10, 11), (12, 13), (14, 15, 16, 17), (20, 40, 60, 80, 100), (0,)]


@pytest.fixture(params=["grouped", "grouped_plain"])
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return request.getfixturevalue(request.param)


def rows_of(groups: Sequence[Sequence[int]]) -> list[slice]:
    ends = np.cumsum([len(group) for group in groups])
    return [slice(int(end) - len(group), int(end)) for end, group in zip(ends, groups, strict=True)]


def samples_for(runtime: CodecRuntime, frames: int = 12) -> np.ndarray:
    return noise(sum(map(len, GROUPS)), (frames + 2 * runtime.encoder_context) * runtime.hop)


def padded(codes: np.ndarray, context: int) -> np.ndarray:
    return np.pad(codes, ((0, 0), (0, 0), (context, context)))


def test_a_groups_tokens_and_samples_do_not_depend_on_other_groups(checkpoint: Checkpoint) -> None:
    runtime = CodecRuntime(checkpoint)
    x, rows = samples_for(runtime), rows_of(GROUPS)
    codes = GroupCoder(runtime, GROUPS).encode(x)
    assert codes.shape == (len(GROUPS), runtime.n_codebooks, 12)
    assert len(np.unique(codes)) > runtime.codebook_size // 2
    wave = GroupCoder(runtime, GROUPS).decode(padded(codes, runtime.decoder_context))
    assert wave.shape == (len(x), 12 * runtime.hop)
    for threads, steps in ((1, (1, 4)), (2, (2, 9))):
        runtime = CodecRuntime(checkpoint, threads=threads)
        for step in steps:
            for start in range(0, len(GROUPS), step):
                some = list(range(start, min(start + step, len(GROUPS))))[::-1]
                chosen = np.concatenate([np.arange(len(x))[rows[i]] for i in some])
                coder = GroupCoder(runtime, [GROUPS[i] for i in some])
                assert np.array_equal(coder.encode(x[chosen]), codes[some])
                found = coder.decode(padded(codes[some], runtime.decoder_context))
                assert np.allclose(found, wave[chosen], atol=2e-5)


def test_small_batches_give_the_same(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = CodecRuntime(checkpoint)
    x = samples_for(runtime)
    codes = GroupCoder(runtime, GROUPS).encode(x)
    monkeypatch.setattr(runtime.network, "batch_samples", 1)
    assert np.array_equal(GroupCoder(runtime, GROUPS).encode(x), codes)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_every_size_of_group_goes_there_and_back(checkpoint: Checkpoint, size: int) -> None:
    runtime = CodecRuntime(checkpoint)
    coder = GroupCoder(runtime, [tuple(range(1, size + 1))])
    assert (coder.n_channels, coder.n_groups) == (size, 1)
    codes = coder.encode(noise(size, (9 + 2 * coder.encoder_context) * runtime.hop), 2)
    assert codes.shape == (1, 2, 9)
    assert codes.dtype == np.uint16
    wave = coder.decode(padded(codes, coder.decoder_context), (coder.decoder_context, coder.decoder_context + 9))
    assert wave.shape == (size, 9 * runtime.hop)
    assert np.isfinite(wave).all()


def test_a_coder_does_what_the_network_does(checkpoint: Checkpoint) -> None:
    runtime, network = CodecRuntime(checkpoint, beam=1), build_network(checkpoint)
    group, context = (3, 9, 30), runtime.encoder_context
    coder = GroupCoder(runtime, [group])
    beyond, hop = coder.decoder_context, runtime.hop
    x = noise(3, (12 + 2 * beyond + 2 * context) * hop)
    styles = torch.tensor([group])
    with torch.inference_mode():
        latent = network.latents(torch.from_numpy(x)[None], styles, torch.ones(1, 3, dtype=torch.bool))
        quantised, codes, *_ = network.quantizer(latent[:, :, context:-context])
        wave = network.waves(quantised, styles)[0].numpy()
    found = coder.encode(x)
    assert (found == codes.numpy()).mean() > 0.99
    decoded = coder.decode(codes.numpy().astype(np.uint16))
    assert np.allclose(decoded, wave[:, beyond * hop : -beyond * hop], atol=1e-4)


def latents_of(runtime: CodecRuntime, x: np.ndarray, group: tuple[int, ...]) -> torch.Tensor:
    """Latents before the quantiser of a stretch, context included."""
    with torch.inference_mode():
        styles, present = torch.tensor([group]), torch.ones(1, len(group), dtype=torch.bool)
        return runtime.network.module.latents(torch.from_numpy(x)[None], styles, present)[0]


def test_random_access_gives_what_the_whole_gives(checkpoint: Checkpoint) -> None:
    runtime, group = CodecRuntime(checkpoint), (2, 7, 41, 90)
    context, hop, frames = runtime.encoder_context, runtime.hop, 120
    # Loud, so that what far frames add to the latents is far above the tolerance in any random network.
    x = 8 * noise(4, (frames + 2 * context) * hop)
    coder = GroupCoder(runtime, [group])
    whole, latent = coder.encode(x), latents_of(runtime, x, group)[:, context:-context]
    for first, last in ((0, 8), (31, 90), (100, 120)):
        part = x[:, first * hop : (last + 2 * context) * hop]
        assert torch.allclose(latents_of(runtime, part, group)[:, context:-context], latent[:, first:last], atol=1e-4)
        assert (coder.encode(part) == whole[:, :, first:last]).mean() > 0.995
        # A reach less, and it is not the same: the context that the runtime asks for is needed.
        short = part[:, 6 * hop : -6 * hop]
        found = latents_of(runtime, short, group)[:, context - 6 : 6 - context]
        assert not torch.allclose(found, latent[:, first:last], atol=1e-4)


def test_decoded_stretches_equal_the_whole(checkpoint: Checkpoint) -> None:
    runtime = CodecRuntime(checkpoint)
    coder = GroupCoder(runtime, [(1, 2), (3,)])
    frames, context, hop = 90, coder.decoder_context, runtime.hop
    codes = np.random.default_rng(5).integers(0, runtime.codebook_size, (2, runtime.n_codebooks, frames))
    codes = np.pad(codes.astype(np.uint16), ((0, 0), (0, 0), (context, context)), constant_values=1)
    whole = coder.decode(codes, (context, context + frames))
    for first, last in ((0, 10), (17, 64), (80, 90)):
        wave = coder.decode(codes[:, :, first : last + 2 * context], (context - first, context - first + frames))
        assert np.allclose(wave, whole[:, first * hop : last * hop], atol=2e-5)


@pytest.mark.parametrize("backbone", [LINEAR, PLAIN], ids=["linear", "plain"])
def test_before_training_single_channels_give_the_backbones_tokens(backbone: ModelConfig, tmp_path: Path) -> None:
    checkpoint = make(tmp_path / "sc", backbone)
    config = multichannel(backbone, reach=1, layers=1)
    network = build(config)
    network.load_backbone(checkpoint.state)
    alone = CodecRuntime(checkpoint)
    together = CodecRuntime(save_checkpoint(tmp_path / "mc", config, network.state_dict()))
    x = noise(7, (30 + 2 * together.encoder_context) * together.hop)
    inner = x[:, together.hop : -together.hop]
    assert together.encoder_context == alone.encoder_context + 1
    # From the very same windows the tokens are the same to the last; a frame of context more changes no sums inside.
    codes = GroupCoder(together, [(i,) for i in range(7)]).encode(x)
    with torch.inference_mode():
        latent = alone.network.module.encoder(torch.from_numpy(x)[:, None])
        context = together.encoder_context
        assert np.array_equal(codes, alone.network.quantise(latent[:, :, context:-context], alone.n_codebooks).numpy())
    assert (codes == encode(alone, inner)).mean() > 0.999
    assert np.array_equal(encode(together, x), codes)
    beyond = alone.decoder_context
    expected = decode(alone, padded(codes, beyond), (beyond, beyond + 30))
    assert np.array_equal(decode(together, padded(codes, beyond), (beyond, beyond + 30)), expected)


def test_single_channel_models_take_groups_of_one_only(linear: Checkpoint) -> None:
    runtime = CodecRuntime(linear)
    x = windows(runtime, noise(3, 320))
    assert np.array_equal(GroupCoder(runtime, [(0,)] * 3).encode(x), encode(runtime, x))
    with pytest.raises(ModelError, match="every channel alone"):
        GroupCoder(runtime, [(0, 0)])


def test_styles_are_found_by_label() -> None:
    vocabulary = multichannel(LINEAR).multichannel.vocabulary  # type: ignore[union-attr]
    for label, name in (
        ("EEG FP1-REF", "Fp1"),
        ("Fp1", "Fp1"),
        ("EEG T3-LE", "T7"),
        ("Fc5.", "FC5"),
        ("FP1-F7", "Fp1-F7"),
        ("T1-REF", "T1"),
        ("EEG EKG1-REF", "EKG1"),
        ("ekg1", "EKG1"),
        ("EEG 26-REF", "26"),
        ("EEG C3P-REF", "C3P"),
        ("EEG LOC-REF", "LOC"),
        ("EEG PG1-LE", "PG1"),
    ):
        assert vocabulary[channel_styles([label], vocabulary)[0] - 1] == name, label
        assert channel_styles([label], vocabulary)[0] > 0
    for label in ("", "EEG", "Resp", "EEG 99-REF", "C3-Fp2"):
        assert channel_styles([label], vocabulary)[0] == 0


def test_wrong_groups_styles_and_shapes_are_refused(grouped: Checkpoint) -> None:
    runtime = CodecRuntime(grouped)
    for groups, words in (([()], "0 channels"), ([(1,), tuple(range(6))], "6 channels"), ([(1, 130)], "styles")):
        with pytest.raises(ModelError, match=words):
            GroupCoder(runtime, groups)
    with pytest.raises(ModelError, match="styles"):
        GroupCoder(runtime, [(-1,)])
    coder = GroupCoder(runtime, [(1, 2), (3,)])
    with pytest.raises(UsageError, match="3 channels"):
        coder.encode(noise(2, 40 * runtime.hop))
    with pytest.raises(UsageError, match="2 groups"):
        coder.decode(np.zeros((3, 1, 40), np.uint16))


def test_no_groups_are_no_trouble(grouped: Checkpoint) -> None:
    runtime = CodecRuntime(grouped)
    coder = GroupCoder(runtime, [])
    assert coder.encode(noise(0, 40 * runtime.hop)).shape[0] == 0


@pytest.mark.parametrize(
    "changes",
    [{"max_channels": 32}, {"reach": 1024}, {"layers": 16}, {"vocabulary": tuple(f"X{i}" for i in range(512))}],
    ids=["max_channels", "reach", "layers", "vocabulary"],
)
def test_a_config_that_promises_more_adapters_than_the_file_holds_builds_nothing(
    grouped: Checkpoint, tmp_path: Path, changes: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    liar = save_checkpoint(tmp_path / "m", multichannel(LINEAR, **changes), grouped.state)
    monkeypatch.setattr("eegzip.codecs.networks.inference.build", lambda *_: pytest.fail("built"))
    with pytest.raises(ModelError, match=r"not those of the network.*(attention|projection|styles)"):
        build_network(liar)
