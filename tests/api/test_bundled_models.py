"""The models that ship: all load, and the new ones do better than the first on people that no training saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyedflib
import pytest
from api.plain_edf import beginning
from api.recordings import ROOT

import eegzip
from eegzip import models
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.stream_coder import GroupCoder

# Subject 18 of EEGMAT, whom no training saw; 21 channels.
ARITHMETIC = ROOT / "examples" / "data" / "eegmat_subject18_arithmetic.edf"
FIRST, ALONE, COMPONENTS, JOINT = "dac-sc-compact-1", "eegz-sc-1", "eegz-mc-2", "eegz-sc-4"
CAUSAL = "biocodec-1"
NAMES = """
    Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2 A1 A2 Fpz AF7 AF3 AFz AF4 AF8 F5 F1 F2 F6 FT7 FC5 FC3
    FC1 FCz FC2 FC4 FC6 FT8 C5 C1 C2 C6 TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 P5 P1 P2 P6 PO7 PO3 POz PO4 PO8 Oz X1
""".split()  # noqa: SIM905


def recording(path: Path, channels: int, seconds: int = 12) -> Path:
    """Real waveforms under `channels` names, in mixtures where there are more names than waveforms."""
    with pyedflib.EdfReader(str(ARITHMETIC)) as reader:
        rate = int(reader.getSampleFrequency(0))
        real = np.stack([reader.readSignal(i)[: seconds * rate] for i in range(19)])
    mix = np.random.default_rng(channels).dirichlet(np.full(19, 0.3), channels)
    waves = np.concatenate([real, mix @ real])[:channels]
    with pyedflib.EdfWriter(str(path), channels) as writer:
        header = {"dimension": "uV", "sample_frequency": rate, "physical_min": -1000, "physical_max": 1000}
        header |= {"digital_min": -32768, "digital_max": 32767, "transducer": "", "prefilter": ""}
        writer.setSignalHeaders([{"label": name, **header} for name in NAMES[:channels]])
        writer.writeSamples([np.clip(wave, -999, 999) for wave in waves])
    return path


@pytest.mark.parametrize("name", [FIRST, ALONE, COMPONENTS, "eegz-sc-2", JOINT, CAUSAL])
def test_every_bundled_model_loads_and_has_a_card(name: str) -> None:
    described = models.describe(name)
    assert described.where == "bundled"
    assert described.problem is None
    assert described.size < 16_000_000
    assert f"# {name}" in models.card(name)
    runtime = CodecRuntime(models.load(name))
    windows = np.zeros((1, (4 + 2 * runtime.encoder_context) * runtime.hop), np.float32)
    codes = GroupCoder(runtime, [(0,)]).encode(windows)
    assert codes.shape == (1, runtime.n_codebooks, 4)


@pytest.mark.parametrize("codebooks", [3, 8])
def test_the_joint_decoder_takes_error_off_the_same_tokens(tmp_path: Path, codebooks: int) -> None:
    """Someone's arithmetic, whom no training saw: the same bytes but for a few, every channel at least as near."""
    source = recording(tmp_path / "in.edf", 19, seconds=20)
    alone, joint = (
        eegzip.compress(source, tmp_path / f"{name}.eegz", model=name, codebooks=codebooks) for name in (ALONE, JOINT)
    )
    assert joint.token_bytes == alone.token_bytes
    assert joint.compressed_bytes - alone.compressed_bytes < 60
    pairs = [(mine.prd, theirs.prd) for mine, theirs in zip(joint.signals, alone.signals, strict=True)]
    ratios = [mine / theirs for mine, theirs in pairs if mine is not None and theirs]
    assert len(ratios) == 19
    assert max(ratios) <= 1.0001
    assert np.mean(ratios) < 0.95


def test_the_first_model_is_still_the_one_that_old_files_name() -> None:
    assert models.load("a19266f6cac8").config.name == FIRST


@pytest.mark.parametrize("channels", [1, 2, 8, 19, 21, 64])
def test_groups_keep_every_channel(tmp_path: Path, channels: int) -> None:
    source = recording(tmp_path / "in.edf", channels)
    report = eegzip.compress(source, tmp_path / "out.eegz", model=COMPONENTS, codebooks=48)
    grouped = [label for group in report.groups for label in group]
    # X1 is no electrode's name, so it is kept exactly.
    assert sorted(grouped) == sorted(set(NAMES[:channels]) - {"X1"})
    # Up to 64 channels are rotated together.
    assert len(report.groups) == 1
    eegzip.decompress(tmp_path / "out.eegz", tmp_path / "back.edf")
    with pyedflib.EdfReader(str(source)) as before, pyedflib.EdfReader(str(tmp_path / "back.edf")) as after:
        assert after.getSignalLabels() == before.getSignalLabels()
        for index in range(channels):
            x, y = before.readSignal(index), after.readSignal(index)
            assert np.corrcoef(x, y)[0, 1] > 0.9


def errors(source: Path, target: Path, model: str, codebooks: int) -> tuple[float, float]:
    """Bits a second per channel that the tokens take in the file, and the median PRD."""
    report = eegzip.compress(source, target, model=model, codebooks=codebooks, overwrite=True)
    coded = [signal for signal in report.signals if signal.coding == "tokens"]
    assert report.duration
    return 8 * report.token_bytes / len(coded) / report.duration, float(np.median([s.prd for s in coded if s.prd]))


def test_new_models_do_better_than_the_first_with_fewer_bits(tmp_path: Path) -> None:
    source, target = beginning(ARITHMETIC, tmp_path / "in.edf", 30), tmp_path / "out.eegz"
    # 96 and 256 bit/s; twenty channels are one mixture, whose codebooks stand for an error.
    for first, alone, components in ((3, 6, 8), (8, 16, 20)):
        bits, prd = errors(source, target, FIRST, first)
        for model, codebooks in ((ALONE, alone), (COMPONENTS, components)):
            new_bits, new_prd = errors(source, target, model, codebooks)
            assert new_bits < 1.02 * bits
            assert new_prd < prd
