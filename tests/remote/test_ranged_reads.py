"""Parts of files on the web are read in few requests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import eegzip
from eegzip.formats.eegz import ranged_file


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of two channels at 64 Hz, lossless, of half a megabyte."""
    drawn = np.random.default_rng(1)
    samples = np.round(np.cumsum(drawn.normal(0, 40, (2, 3600 * 64)), axis=1) % 3000)
    path = tmp_path_factory.mktemp("hour") / "hour.eegz"
    eegzip.compress_array(samples, 64, ["C3", "C4"], path, lossless=True)
    return path


@pytest.mark.parametrize("start", [0, 1800, 1795, 3590])  # 1800: where chunks meet
def test_ten_seconds_of_an_hour_take_three_requests(secure_web, hour, start):
    (secure_web.folder / "hour.eegz").write_bytes(hour.read_bytes())
    with eegzip.open(f"{secure_web.url}/hour.eegz?token=1") as there, eegzip.open(hour) as here:
        found = there.read(["C3", "C4"], start=start, stop=start + 10)
        assert np.array_equal(found, here.read(["C3", "C4"], start=start, stop=start + 10))
    assert len(secure_web.asked) <= 3
    assert all(wanted is not None for _, wanted in secure_web.asked)


def test_tokens_take_three_too_with_those_of_chunks_beside(
    web, eegmat: Path, compressed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    # A short file, opened as if it were a long one.
    monkeypatch.setattr(ranged_file, "_END_BYTES", 3000)
    monkeypatch.setattr(ranged_file, "_MIN_AHEAD", 3000)
    path = compressed(eegmat, codebooks=2, chunk_seconds=10)
    (web.folder / "night.eegz").write_bytes(path.read_bytes())
    with eegzip.open(f"{web.url}/night.eegz") as there, eegzip.open(path) as here:
        channel = here.channels[0]
        assert np.array_equal(there.read(channel, 32, 38), here.read(channel, 32, 38))
    assert len(web.asked) == 3


def test_all_of_a_file_is_read_in_few_requests(web, hour: Path):
    (web.folder / "hour.eegz").write_bytes(hour.read_bytes())
    with eegzip.open(f"{web.url}/hour.eegz") as there, eegzip.open(hour) as here:
        assert np.array_equal(there.read(), here.read())
    assert len(web.asked) <= 3


def test_a_server_without_ranges_costs_the_whole_file(web, hour: Path):
    web.ranges = False
    (web.folder / "hour.eegz").write_bytes(hour.read_bytes())
    with eegzip.open(f"{web.url}/hour.eegz") as there, eegzip.open(hour) as here:
        assert np.array_equal(there.read("C3", 5, 9), here.read("C3", 5, 9))
    assert len(web.asked) == 1


def test_a_damaged_end_does_not_matter(web, hour: Path):
    (web.folder / "cut.eegz").write_bytes(hour.read_bytes()[:-20])
    with eegzip.open(f"{web.url}/cut.eegz") as there, eegzip.open(hour) as here:
        assert not there.info["complete"]
        assert there.info["compressed_bytes"] == hour.stat().st_size - 20
        assert np.array_equal(there.read("C3", 5, 9), here.read("C3", 5, 9))


def test_a_file_that_changes_while_it_is_read_is_noticed(web, hour: Path):
    (web.folder / "hour.eegz").write_bytes(hour.read_bytes())
    with eegzip.open(f"{web.url}/hour.eegz") as there:
        (web.folder / "hour.eegz").write_bytes(hour.read_bytes()[:200_000])
        with pytest.raises(eegzip.BadInputError, match=r"hour\.eegz"):
            there.read("C3", 1800, 1810)


def test_a_cut_fetches_what_it_needs(web, hour: Path, tmp_path: Path):
    (web.folder / "hour.eegz").write_bytes(hour.read_bytes())
    eegzip.decompress(f"{web.url}/hour.eegz", tmp_path / "there.edf", start=1800, stop=1810)
    eegzip.decompress(hour, tmp_path / "here.edf", start=1800, stop=1810)
    assert (tmp_path / "there.edf").read_bytes() == (tmp_path / "here.edf").read_bytes()
    assert len(web.asked) <= 5


def test_mne_reads_urls(web, hour: Path):
    mne = pytest.importorskip("mne")
    (web.folder / "hour.eegz").write_bytes(hour.read_bytes())
    raw = eegzip.mne.read_raw_eegz(f"{web.url}/hour.eegz", verbose="error")
    assert isinstance(raw, mne.io.BaseRaw)
    with eegzip.open(hour) as here:
        assert np.allclose(raw.get_data(tmin=1800, tmax=1810) * 1e6, here.read(start=1800, stop=1810), atol=1e-6)
