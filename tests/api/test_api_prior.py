"""Files whose tokens are coded in context: smaller, the same tokens; and what is said where the model is missing."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import eegzip
from eegzip import models
from eegzip.codecs.checkpoints import priors as provider
from eegzip.codecs.checkpoints.checkpoint import add_prior, load_checkpoint, save_checkpoint
from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.eegz.chunk import StreamKind, pack_chunk
from eegzip.formats.eegz.context_tokens import PriorSource
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.errors import ContainerError, ModelError, UsageError
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.stream import StreamParameters
from eegzip.formats.tokens.tables import PRIOR, TokenPrior, pack_prior

CHUNK = 20


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Priors that other tests loaded are not at hand."""
    before = dict(provider._LOADED)
    provider._LOADED.clear()
    yield
    provider._LOADED.clear()
    provider._LOADED.update(before)


@pytest.fixture(scope="module")
def model(model_with_prior) -> Path:
    return model_with_prior


@pytest.fixture(scope="module")
def prior(model) -> bytes:
    return (model / PRIOR).read_bytes()


@pytest.fixture(scope="module")
def packed(eegmat, model, compressed) -> Path:
    return compressed(eegmat, model=model, chunk_seconds=CHUNK)


@pytest.fixture(scope="module")
def plain(eegmat, compressed) -> Path:
    return compressed(eegmat, model="dac-sc-compact-1", chunk_seconds=CHUNK)


def tokens_of(path: Path, model: Path | None = None) -> list[np.ndarray]:
    with eegzip.open(path, model=model) as recording:
        return [stream.codes for stream in recording.tokens()]


def methods_of(path: Path) -> list[int]:
    with EegzReader(path) as file:
        groups = range(len(file.header.groups))
        return [file._stream(chunk, StreamKind.TOKENS, group)[0] for chunk in file.chunks for group in groups]


def test_the_same_tokens_in_fewer_bytes(packed, plain, model):
    with EegzReader(packed) as file, EegzReader(plain) as other:
        assert file.minor_version == 2
        assert file.header.codecs[0].prior == hashlib.sha256((model / PRIOR).read_bytes()).hexdigest()
        assert other.header.codecs[0].prior is None
        assert file.summary.token_bytes < 0.95 * other.summary.token_bytes
    assert 3 in methods_of(packed)
    assert set(methods_of(plain)) <= {0, 1, 2}
    for codes, wanted in zip(tokens_of(packed, model), tokens_of(plain), strict=True):
        np.testing.assert_array_equal(codes, wanted, strict=True)


def test_the_same_recording_comes_back(packed, plain, model, restored, tmp_path):
    eegzip.decompress(packed, tmp_path / "back.edf", model=model)
    assert (tmp_path / "back.edf").read_bytes() == restored(plain).read_bytes()


def test_one_channel_of_a_few_seconds(packed, plain, model):
    """What it refers to is read along; the samples are those of the whole."""
    with eegzip.open(packed, model=model) as recording, eegzip.open(plain) as other:
        for channel in recording.channels[:3]:
            part = recording.read(channel, start=31.0, stop=38.5)
            np.testing.assert_array_equal(part, other.read(channel, start=31.0, stop=38.5), strict=True)


def test_chunks_may_be_read_in_any_order(packed, plain, model):
    with EegzReader(packed, provider.priors(model)) as file, EegzReader(plain) as other:
        for chunk in reversed(list(file.chunks)):
            for group in reversed(range(len(file.header.groups))):
                codes = file.chunk_tokens(chunk, group)
                np.testing.assert_array_equal(codes, other.chunk_tokens(chunk, group), strict=True)
                assert file.chunk_tokens(chunk, group) is codes


def test_without_the_model_all_but_tokens_is_there(packed, plain):
    with eegzip.open(packed) as recording:
        assert recording.info["codecs"][0]["model"] == "dac-sc-compact-1"
        with pytest.raises(ModelError, match=r"prior of the model 'dac-sc-compact-1'.*--model"):
            recording.tokens()
        ecg = recording.channels[-1]
        assert recording.read(ecg).shape[0] == 1
    found = eegzip.verify(packed)
    assert (found.intact, found.problems) == (True, ())
    # Short streams are the smaller without a prior, and could be decoded.
    assert found.tokens < sum(codes.size for codes in tokens_of(plain))
    assert len(found.unchecked) == 1
    assert "prior of the model" in found.unchecked[0]
    assert "intact" not in found.sentence()


def test_with_the_model_all_is_checked(packed, model):
    found = eegzip.verify(packed, model=model)
    assert (found.intact, found.unchecked) == (True, ())
    assert found.tokens == sum(codes.size for codes in tokens_of(packed, model))


class TestCheckpoints:
    def test_the_bundled_model_is_what_it_was(self):
        assert models.load("dac-sc-compact-1").digest.startswith("a19266f6cac80d4dd11a9fd928ecbf3fa0b2729dc262d7cf")

    def test_a_prior_makes_another_model_of_it(self, model, prior):
        checkpoint = load_checkpoint(model)
        assert checkpoint.digest != models.load("dac-sc-compact-1").digest
        assert checkpoint.config.prior == TokenPrior(prior).digest

    @pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}" * 99)])
    def test_a_missing_or_other_prior_is_told(self, model, tmp_path, damage):
        folder = tmp_path / "copy"
        shutil.copytree(model, folder)
        damage(folder / PRIOR)
        with pytest.raises(ModelError, match=PRIOR):
            load_checkpoint(folder)

    def test_new_weights_have_no_prior(self, model, tmp_path):
        checkpoint = load_checkpoint(model)
        saved = save_checkpoint(tmp_path / "new", checkpoint.config, checkpoint.state)
        assert saved.config.prior is None
        assert saved.digest == models.load("dac-sc-compact-1").digest

    def test_a_prior_for_other_codebooks_is_refused(self, model, prior, tmp_path):
        folder = tmp_path / "copy"
        shutil.copytree(model, folder)
        tables = TokenPrior(prior).stored()
        fewer = {
            name: table[:-1]
            for name, table in tables._asdict().items()
            if name not in ("energy", "start", "lowest_class", "bands")
        }
        with pytest.raises(ModelError, match="not made for the codebooks"):
            add_prior(folder, pack_prior(tables._replace(**fewer)))
        assert load_checkpoint(folder).digest == load_checkpoint(model).digest


class TestReferences:
    """Chunks whose streams refer to one another as no writer would have it."""

    @staticmethod
    def forged(packed: Path, target: Path, references: dict[int, tuple[int, ...]], priors: PriorSource) -> EegzReader:
        """The file with these references in its first chunk's streams."""
        with EegzReader(packed, priors) as file, target.open("wb") as out:
            writer = EegzWriter(out, file.header, priors)
            first, stop = file.header.records_of_chunk(0)
            streams = dict.fromkeys(file.directory(0).streams)
            for kind, number in streams:
                streams[kind, number] = file._stream(0, StreamKind(kind), number)
            for group, others in references.items():
                streams[StreamKind.TOKENS, group] = b"\x03" + StreamParameters(False, 20, others).pack() + b"\x55" * 99
            writer._block(b"CHNK", pack_chunk(0, first, stop - first, streams, writer._seed))
        return EegzReader(target, priors)

    @pytest.mark.parametrize(
        ("references", "sentence"),
        [
            ({0: (0,)}, "in a circle"),
            ({0: (1,), 1: (2,), 2: (0,)}, "in a circle"),
            ({0: (1, 2), 1: (2,), 2: (1,)}, "in a circle"),
            ({0: (3,)}, "group 3, which is not of its kind"),
            ({0: (65535,)}, "group 65535, which is not of its kind"),
        ],
    )
    def test_impossible_references_are_refused(self, packed, model, tmp_path, references, sentence):
        with self.forged(packed, tmp_path / "forged.eegz", references, provider.priors(model)) as file:
            with pytest.raises(ContainerError, match=sentence) as caught:
                file.chunk_tokens(0, 0)
            assert str(caught.value).startswith(str(tmp_path / "forged.eegz"))

    def test_references_that_branch_and_join_are_read(self, packed, model, tmp_path):
        references: dict[int, tuple[int, ...]] = {0: (2, 1), 1: (2,), 2: ()}
        with self.forged(packed, tmp_path / "forged.eegz", references, provider.priors(model)) as file:
            shape = file.chunk_tokens(0, 0).shape
            assert shape[0] == 11
            assert all(file.chunk_tokens(0, group).shape == shape for group in (1, 2))

    def test_a_header_without_a_prior_has_no_such_streams(self, plain, packed, tmp_path):
        file = self.forged(plain, tmp_path / "forged.eegz", {0: ()}, provider.priors())
        with file, pytest.raises(ContainerError, match="names no prior"):
            file.chunk_tokens(0, 0)


def rate_of(path: Path) -> float:
    """Bits of tokens a second and signal."""
    with EegzReader(path) as file:
        return 8 * file.summary.token_bytes / (file.header.n_records * file.header.record_duration) / 3


@pytest.fixture(scope="module")
def three(eegmat, model, compressed) -> Path:
    return compressed(eegmat, model=model, codebooks=3)


@pytest.fixture(scope="module")
def aimed(eegmat, model, compressed, three) -> Path:
    return compressed(eegmat, model=model, bitrate=rate_of(three))


class TestBitrate:
    def test_the_tokens_take_what_was_asked_for(self, aimed, three):
        assert rate_of(aimed) == pytest.approx(rate_of(three), rel=0.03)

    def test_frames_have_depths_of_their_own(self, aimed, model):
        for codes in tokens_of(aimed, model):
            there = codes != ABSENT
            assert (there[:-1] >= there[1:]).all()
            assert len(np.unique(there.sum(axis=0))) > 2
            assert (codes[there] < 256).all()

    def test_about_as_good_as_codebooks_that_take_as_much(self, aimed, three):
        """On a steady recording, by a prior of few steps; the errors in percent of all channels together."""
        sums = []
        for path in (aimed, three):
            with EegzReader(path) as file:
                sums.append(sum(signal.prd**2 for signal in file.summary.signals[:3]))
        assert sums[0] <= 1.03 * sums[1]

    def test_the_file_says_what_it_lost(self, aimed, eegmat, model, tmp_path):
        eegzip.decompress(aimed, tmp_path / "back.edf", model=model)
        with EegzReader(aimed) as file:
            said = [signal.prd for signal in file.summary.signals[:3]]
        with EdfFile.open(eegmat) as before, EdfFile.open(tmp_path / "back.edf") as after:
            for index, wanted in enumerate(said):
                x, y = (
                    decode_signal(f.read_records(0, f.n_records), f.header, index).reshape(-1).astype(float)
                    for f in (before, after)
                )
                prd = 100 * np.sqrt(np.square(y - x).sum() / np.square(x - x.mean()).sum())
                assert prd == pytest.approx(wanted, rel=1e-3)

    @pytest.mark.parametrize("bitrate", [0.0, -5.0, float("nan"), float("inf")])
    def test_impossible_rates_are_refused(self, eegmat, model, tmp_path, bitrate):
        with pytest.raises(UsageError, match="bit rate"):
            eegzip.compress(eegmat, tmp_path / "no.eegz", model=model, bitrate=bitrate)
        assert list(tmp_path.iterdir()) == []

    def test_a_model_without_a_prior_is_refused(self, eegmat, tmp_path):
        with pytest.raises(UsageError, match="no prior"):
            eegzip.compress(eegmat, tmp_path / "no.eegz", model="dac-sc-compact-1", bitrate=90)
