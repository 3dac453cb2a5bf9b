"""What a recording becomes, against ways of one's own to the same waveforms."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from api.recordings import SHARED
from edf.edf_builder import Builder, Signal

import eegzip
from eegzip.codecs.signal.analysis import Analysis
from eegzip.codecs.signal.scaling import AdaptiveScaling, choose_offset_step
from eegzip.formats.edf import EdfFile
from eegzip.formats.eegz.timeline import FrameGrid
from eegzip.formats.errors import BadInputError, EegzipError
from eegzip.training.data.preprocessing import Preprocessing, high_passed, prepared_rows

PLAIN = Preprocessing(highpass_hz=0)


class Waves(Builder):
    """A file of waveforms given as digital values [records, samples] of each signal."""

    given: tuple = ()

    def values(self):
        return [np.asarray(v).reshape(self.n_records, s.samples) for v, s in zip(self.given, self.signals, strict=True)]


def written(path, waves, rates, labels=None, seconds=None, **signal):
    """Write digital waveforms, one-second records."""
    names = labels or [f"EEG {n}" for n in ("Fp1", "Fp2", "C3", "C4")[: len(waves)]]
    builder = Waves([Signal(n, samples=r, **signal) for n, r in zip(names, rates, strict=True)], seconds or 10)
    builder.given = tuple(waves)
    path.write_bytes(builder.build())
    return path


def noise(count, seed=0, size=300):
    return np.random.default_rng(seed).normal(0, size, count).round().astype(int)


class Prepared:
    """All channels of a file; what one has more than the shortest is left out, as the cache does."""

    def __init__(self, path, preprocessing):
        rows = list(prepared_rows(path, preprocessing))
        shortest = min(len(row) for _, row in rows)
        self.labels = [label for label, _ in rows]
        self.waves = np.stack([row[:shortest] for _, row in rows])


class Heard:
    """An encoder that remembers what it was fed."""

    n_groups, window_frames, encoder_context, causal = 1, 10**6, 1, False

    def encode(self, samples, n_codebooks=None, missing=0):
        self.samples = samples
        return np.zeros((1, 1, samples.shape[1] // 512 - 2), np.uint16)


def test_adaptive_scaling_is_what_compress_feeds_the_encoder(eegmat):
    prepared = Prepared(eegmat, PLAIN)
    with EdfFile.open(eegmat) as file:
        index = next(s.index for s in file.header.signals if "ECG" not in s.label)
        digital = file.read_signal(index, 0, file.n_samples(index)).astype(float)
    total = math.ceil(len(digital) * 256 / 500)
    grid = FrameGrid(len(digital), 1, 64, 125, 512)
    heard = Heard()
    Analysis(
        lambda a, b: digital[None, a:b], grid, heard, AdaptiveScaling(1024, 0.2, 0.9),
        np.zeros(1), choose_offset_step(digital.std()[None]), 1,
    ).frames(0, grid.n_frames)  # fmt: skip
    fed = heard.samples[0, 512 + 256 :]
    inside = slice(1024, total - 1024)
    assert np.abs(fed[inside] - prepared.waves[0, inside]).max() < 1e-6


@pytest.mark.parametrize(("unit", "physical"), [("uV", 3276.8), ("mV", 3.2768)])
def test_fixed_scaling_clips_at_the_limit_whatever_the_unit(tmp_path, unit, physical):
    digital = noise(2560, size=1500)
    bounds = (-physical, physical * 32767 / 32768)
    path = written(tmp_path / "a.edf", [digital], [256], unit=unit, physical=(f"{bounds[0]:.6g}", f"{bounds[1]:.6g}"))
    waves = Prepared(path, Preprocessing(highpass_hz=0, scaling="fixed")).waves[0]
    expected = np.clip(digital * 0.1 / 200, -1, 1)
    assert (np.abs(expected) == 1).any()
    assert np.abs(waves - expected).max() < 1e-3


def test_skipped_seconds_flat_channels_and_different_rates(tmp_path):
    fast, slow = noise(5120), noise(1280, 1)
    path = written(tmp_path / "a.edf", [fast, np.full(2560, 7), slow], [512, 256, 128])
    prepared = Prepared(path, PLAIN)
    assert prepared.labels == ["Fp1", "C3"]
    assert prepared.waves.shape == (2, 2560)
    later = Prepared(path, replace(PLAIN, skip_seconds=3))
    assert later.waves.shape == (2, 1792)
    kept = Prepared(path, replace(PLAIN, drop_empty=False))
    assert kept.labels == ["Fp1", "Fp2", "C3"]
    assert np.isfinite(kept.waves).all()


def test_the_filter_takes_drift_and_leaves_alpha_where_it_is():
    time = np.arange(0, 120, 1 / 256)
    alpha = np.sin(2 * np.pi * 10 * time)
    found = high_passed(alpha + 500 * np.sin(2 * np.pi * 0.005 * time) + 1000, 256, 0.1)
    inside = slice(256 * 20, -256 * 20)
    drift = found - alpha
    assert np.abs(drift[inside]).max() < 5
    only = high_passed(alpha, 256, 0.1)
    assert np.abs(only - alpha)[inside].max() < 1e-3


def test_a_short_recording_and_what_a_filter_leaves_of_a_step_are_finite(tmp_path):
    step = np.r_[np.zeros(256), np.full(256, 5)].astype(int)
    path = written(tmp_path / "a.edf", [step], [256], seconds=2)
    waves = Prepared(path, Preprocessing()).waves
    assert waves.shape == (1, 512)
    assert np.isfinite(waves).all()
    assert np.abs(waves).max() <= 0.9


@pytest.mark.parametrize(
    ("rate", "seconds", "signal", "settings", "sentence"),
    [
        (50, 10, {}, {}, "sampling rate"),
        (256, 10, {"physical": (0, 0)}, {"scaling": "fixed"}, "calibration"),
        (256, 10, {}, {"skip_seconds": 60}, "shorter"),
        (256, 0, {}, {}, "shorter"),
        (256, 10, {}, {"highpass_hz": 200.0}, "high-pass"),
    ],
)
def test_what_can_not_be_used_is_refused_in_a_sentence(tmp_path, rate, seconds, signal, settings, sentence):
    path = tmp_path / "a.edf"
    builder = Waves([Signal("EEG Fp1", samples=rate, **signal)], seconds)
    builder.given = (noise(rate * seconds),)
    path.write_bytes(builder.build())
    with pytest.raises(BadInputError, match=sentence):
        Prepared(path, Preprocessing(**settings))


def test_exact_containers_equal_their_recording(tmp_path, eegmat):
    eegzip.compress(eegmat, tmp_path / "exact.eegz", exact=["*"])
    expected, found = Prepared(eegmat, PLAIN), Prepared(tmp_path / "exact.eegz", PLAIN)
    assert found.labels == expected.labels
    assert np.array_equal(found.waves, expected.waves)


def test_lines_are_taken_out_unless_they_are_to_stay(tmp_path):
    path = Path(__file__).parents[1] / "data" / "lines" / "mains_60_clipped.edf"
    eegzip.compress(path, tmp_path / "a.eegz", lossless=True)

    def mains(waves):
        """Power at 60 Hz over that at 55 Hz, channel by channel; rows of a second hold both whole."""
        seconds = waves.reshape(len(waves), -1, 256)
        power = np.square(np.abs(np.fft.rfft(seconds * np.hanning(256), axis=2))).mean(axis=1)
        return power[:, 60] / power[:, 55]

    left_in = Prepared(path, replace(PLAIN, lines=True)).waves
    taken_out = Prepared(path, PLAIN).waves
    assert mains(left_in).min() > 1000
    assert mains(taken_out).max() < 10
    assert np.array_equal(Prepared(tmp_path / "a.eegz", PLAIN).waves, taken_out)


def test_lossy_containers_are_refused(compressed, eegmat):
    with pytest.raises(BadInputError, match="exactly"):
        Prepared(compressed(eegmat), PLAIN)


@pytest.mark.skipif(not (SHARED / "formats").is_dir(), reason="the development recordings are not here")
def test_odd_files_are_prepared_or_refused_in_a_sentence():
    done, reasons = 0, []
    for path in sorted((SHARED / "formats").iterdir()):
        try:
            prepared = Prepared(path, Preprocessing())
        except EegzipError as error:
            reasons.append(str(error))
        else:
            assert np.isfinite(prepared.waves).all()
            assert len(prepared.labels) == len(prepared.waves)
            done += 1
    assert done > 3
    assert all(reason.endswith(".") and "/" in reason for reason in reasons), reasons


def test_sound_is_mixed_resampled_and_refused_in_a_sentence(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    audio = replace(PLAIN, domain="audio", rate=22050.0, scaling="fixed")
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * 44100) / 44100)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, 0.5 * tone], 1), 44100, subtype="FLOAT")
    prepared = Prepared(tmp_path / "a.wav", audio)
    assert prepared.labels == ["audio"]
    expected = 0.75 * np.sin(2 * np.pi * 440 * np.arange(44100) / 22050)
    assert np.abs(prepared.waves[0] - expected)[100:-100].max() < 1e-3
    level = Prepared(tmp_path / "a.wav", replace(audio, scaling="adaptive")).waves[0]
    assert np.abs(level).max() <= 0.9
    assert np.corrcoef(level, expected)[0, 1] > 0.999
    soundfile.write(tmp_path / "b.wav", tone[:100], 44100)
    (tmp_path / "c.wav").write_bytes(b"no sound")
    for name in ("b.wav", "c.wav"):
        with pytest.raises(BadInputError, match=name):
            Prepared(tmp_path / name, audio)
