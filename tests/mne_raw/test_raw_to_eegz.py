"""A Raw of MNE comes back from an .eegz file; integers are not quantised again."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from api.recordings import SHIPPED

import eegzip

mne = pytest.importorskip("mne")

from eegzip.mne import raw_to_eegz, read_raw_eegz  # noqa: E402
from eegzip.mne.lattice import find_step  # noqa: E402

DATE = datetime(2020, 2, 3, 4, 5, 6, tzinfo=timezone.utc)


@pytest.mark.parametrize("name", ["test_utf8_annotations.edf", "test.bdf", "chtypes_edf.edf"])
def test_a_recording_comes_back(name: str, tmp_path: Path) -> None:
    path = SHIPPED / "edf" / name
    raw = (mne.io.read_raw_bdf if path.suffix == ".bdf" else mne.io.read_raw_edf)(path, verbose="error")
    raw_to_eegz(raw, tmp_path / "back.eegz", lossless=True)
    back = read_raw_eegz(tmp_path / "back.eegz", verbose="error")
    np.testing.assert_array_equal(back.get_data(), raw.get_data())
    assert back.ch_names == raw.ch_names
    assert back.annotations == raw.annotations
    assert (back.info["meas_date"], back.info["sfreq"]) == (raw.info["meas_date"], raw.info["sfreq"])


def raw_of(data: np.ndarray, types: list[str], rate: float = 250.0) -> mne.io.RawArray:
    info = mne.create_info([f"{kind}{number}" for number, kind in enumerate(types)], rate, types, verbose="error")
    return mne.io.RawArray(data, info.set_meas_date(DATE), first_samp=50, verbose="error")


def test_integers_of_any_reader_stay_the_same_integers(tmp_path: Path) -> None:
    """As BrainVision has them: a step of 0.0488281 uV, an offset in one channel, counts in another, 24 bits in none."""
    dice = np.random.default_rng(1)
    digits = dice.integers(-30000, 30000, (3, 1000))
    step = np.array([[0.0488281e-6], [0.1e-6], [1.0]])
    raw = raw_of(digits * step + [[0], [0.033e-6], [0]], ["eeg", "eog", "stim"])
    raw.set_annotations(
        mne.Annotations([0.4, 1.2], [0, 0.5], ["here", "there"], orig_time=DATE, ch_names=[(), ("eeg0", "eog1")])
    )
    raw_to_eegz(raw, tmp_path / "raw.eegz", lossless=True)
    with eegzip.open(tmp_path / "raw.eegz") as recording:
        assert not recording.edf_header.is_bdf
    back = read_raw_eegz(tmp_path / "raw.eegz", verbose="error")
    np.testing.assert_array_equal(np.rint((back.get_data() - [[0], [0.033e-6], [0]]) / step), digits)
    # The eight characters of a bound in the header can say no more.
    assert (np.abs(back.get_data() - raw.get_data()) < 0.05 * step).all()
    assert back.info["meas_date"] == DATE.replace(second=6)
    # Times count from the first sample, which is 0.2 s after the date; MNE reads no fractions of a second.
    np.testing.assert_allclose(back.annotations.onset, [0.2, 1.0])
    assert list(back.annotations.description) == ["here", "there"]
    assert [tuple(names) for names in back.annotations.ch_names] == [(), ("eeg0", "eog1")]


def test_wide_integers_make_a_bdf_and_floats_an_edf(tmp_path: Path) -> None:
    dice = np.random.default_rng(2)
    digits = dice.integers(-(1 << 20), 1 << 20, (1, 1000))
    raw_to_eegz(raw_of(digits * 0.03125e-6, ["eeg"]), tmp_path / "wide.eegz", lossless=True)
    back = read_raw_eegz(tmp_path / "wide.eegz", verbose="error").get_data()
    np.testing.assert_array_equal(np.rint(back / 0.03125e-6), digits)
    waves = dice.normal(0, 20e-6, (2, 1000)) * [[1], [1e-4]]
    raw_to_eegz(raw_of(waves, ["eeg", "eeg"]), tmp_path / "waves.eegz", lossless=True)
    back = read_raw_eegz(tmp_path / "waves.eegz", verbose="error")
    assert type(back).__name__ == "RawEegz"
    # Rounded to a digit of 16 bits over each channel's own range.
    assert (np.abs(back.get_data() - waves).max(axis=1) <= np.ptp(waves, axis=1) / 65000).all()


def test_the_types_of_mne_decide_what_may_be_lossy(tmp_path: Path) -> None:
    raw = raw_of(np.random.default_rng(3).normal(0, 20e-6, (2, 1000)), ["eeg", "misc"])
    raw.rename_channels({"eeg0": "C3", "misc1": "C4"})
    report = raw_to_eegz(raw, tmp_path / "types.eegz", max_prd=9)
    assert [signal.label for signal in report.coded] == ["C3"]


def test_what_edf_cannot_state_is_said(tmp_path: Path) -> None:
    raw = raw_of(np.zeros((1, 500)), ["eeg"])
    with pytest.raises(eegzip.UsageError, match="the channel name 'a name of more than sixteen'"):
        raw_to_eegz(raw.copy().rename_channels({"eeg0": "a name of more than sixteen"}), tmp_path / "a.eegz")
    with pytest.raises(eegzip.UsageError, match="NaN"):
        raw_to_eegz(raw_of(np.full((1, 500), np.nan), ["eeg"]), tmp_path / "a.eegz")
    with pytest.raises(eegzip.UsageError, match="not ndarray; arrays go through"):
        raw_to_eegz(np.zeros((1, 500)), tmp_path / "a.eegz")
    with pytest.raises(eegzip.UsageError, match="16 bits"):
        raw_to_eegz(raw, tmp_path / "a.eegz", bits=32)
    assert not list(tmp_path.iterdir())


def test_a_step_is_found_where_there_is_one() -> None:
    dice = np.random.default_rng(4)
    fine = np.finfo(np.float64).eps
    digits = 6 * dice.integers(-500, 500, 300) + 4 * dice.integers(-500, 500, 300)
    assert find_step(digits * 0.1, fine) == pytest.approx(0.2)
    coarse = (digits * 0.1).astype(np.float32).astype(np.float64)
    assert find_step(coarse, np.finfo(np.float32).eps) == pytest.approx(0.2)
    assert find_step(dice.normal(size=300), fine) is None
    assert find_step(np.zeros(300), fine) is None
