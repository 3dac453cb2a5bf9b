"""Tokens as a data set of PyTorch: windows, subjects, workers, an order that goes on."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from api.plain_edf import PlainEdf
from api.recordings import SHIPPED
from torch.utils.data import DataLoader

import eegzip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four subjects, 8 to 11 s of two channels each, in chunks of 3 s."""
    plain = PlainEdf.read(next((SHIPPED / "eegmat").glob("*.edf")))
    place = tmp_path_factory.mktemp("recordings")
    for number in range(4):
        stop = 4000 * number + 4000 + 500 * number
        data = np.stack([plain.digital(index)[4000 * number : stop] / 100 for index in range(2)])
        path = place / f"sub-0{number}.eegz"
        eegzip.compress_array(data, 500, ["Fp1", "T3"], path, model="eegz-sc-1", codebooks=3, chunk_seconds=3)
    rows = "".join(f"sub-0{number},{'ab'[number % 2]}\n" for number in range(4))
    (place / "labels.csv").write_text("subject,label\n" + rows)
    return place


@pytest.fixture(scope="module")
def data(folder: Path) -> eegzip.TokenDataset:
    return eegzip.TokenDataset(folder, window=2, hop=1, labels=folder / "labels.csv")


def test_windows_are_pieces_of_files(folder: Path, data: eegzip.TokenDataset) -> None:
    assert (data.channels, data.classes, data.frame_rate) == (("Fp1", "T3"), ("a", "b"), 2.0)
    # 17, 19, 21 and 23 frames, windows of 4, every 2.
    assert len(data) == 7 + 8 + 9 + 10
    seen = set()
    for item in data:
        with eegzip.open(item["file"]) as recording:
            whole = np.stack([stream.codes for stream in recording.tokens()])
        first = round(item["start"] * 2)
        np.testing.assert_array_equal(item["codes"], whole[:, :, first : first + 4])
        assert item["codes"].dtype == torch.int64
        assert data.classes[item["label"]] == "ab"[int(item["subject"][-1]) % 2]
        seen.add((item["file"], first))
        if len(seen) == 9:
            break
    assert data.labels.tolist() == [0] * 7 + [1] * 8 + [0] * 9 + [1] * 10
    turned = eegzip.TokenDataset(folder, window=2, channels=["EEG T7-REF"], codebooks=2)
    assert torch.equal(turned[0]["codes"][0], data[0]["codes"][1, :2])
    assert "label" not in turned[0]


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_workers_read_what_one_process_reads(data: eegzip.TokenDataset, start: str) -> None:
    expected = torch.stack([data[item]["codes"] for item in range(0, len(data), 4)])
    part = torch.utils.data.Subset(data, range(0, len(data), 4))
    loader = DataLoader(part, batch_size=3, num_workers=1, multiprocessing_context=start)
    batches = list(loader)
    assert torch.equal(torch.cat([batch["codes"] for batch in batches]), expected)
    assert next(who for batch in batches for who in batch["subject"]) == "sub-00"


def test_subjects_are_split_and_never_shared(data: eegzip.TokenDataset) -> None:
    train, test = data.split(0.75, 0.25, seed=3)
    assert sorted(train.subjects + test.subjects) == list(data.subjects)
    assert (len(train.subjects), len(test.subjects)) == (3, 1)
    assert len(train) + len(test) == len(data)
    assert {item["subject"] for item in test} == set(test.subjects)
    assert data.split(0.75, 0.25, seed=3)[1].subjects == test.subjects
    assert len({data.split(0.75, 0.25, seed=seed)[1].subjects for seed in range(8)}) > 1
    assert [len(part.subjects) for part in data.split(0.98, 0.01, 0.01)] == [2, 1, 1]
    assert test.classes == data.classes
    for shares, sentence in (((0.5, 0.4), "1 together"), ((1.0,), "1 together"), ((0.2,) * 5, "4 subjects can't")):
        with pytest.raises(eegzip.UsageError, match=sentence):
            data.split(*shares)
    with pytest.raises(eegzip.UsageError, match="no recording of sub-09"):
        data.of_subjects(["sub-09"])


def test_an_order_goes_on_where_it_was_left(data: eegzip.TokenDataset) -> None:
    sampler = eegzip.TokenSampler(data, seed=7)
    first = list(sampler)
    assert sorted(first) == list(range(len(data)))
    loader = DataLoader(data, batch_size=4, sampler=sampler)
    seen = []
    for batch in loader:
        seen += batch["start"].tolist()
        sampler.advance(len(batch["start"]))
        if len(seen) == 12:
            break
    again = eegzip.TokenSampler(data, seed=0)
    again.load_state_dict(pickle.loads(pickle.dumps(sampler.state_dict())))
    assert list(again) == first[12:]
    assert len(again) == len(data) - 12
    again.advance(len(again))
    second = list(again)
    assert sorted(second) == sorted(first)
    assert second != first
    assert list(eegzip.TokenSampler(data, shuffle=False)) == list(range(len(data)))
    with pytest.raises(eegzip.UsageError, match="of a data set of 3"):
        again.load_state_dict({**sampler.state_dict(), "size": 3})


def test_files_of_a_manifest(folder: Path, tmp_path: Path, data: eegzip.TokenDataset) -> None:
    lines = [
        {"manifest": 1, "job": "compress", "state": state, "source": f"{number}.edf", "target": str(path)}
        for number, path in enumerate(sorted(folder.glob("*.eegz"))[:3])
        for state in ("started", "done" if number < 2 else "failed")
    ]
    (tmp_path / "manifest.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert eegzip.TokenDataset(tmp_path / "manifest.jsonl", window=2).subjects == ("sub-00", "sub-01")


def test_what_does_not_fit_is_said(folder: Path, tmp_path: Path, eegmat: Path) -> None:
    for options, sentence in (
        ({}, "17 to 23 frames"),
        ({"window": 100}, "no recording is as long"),
        ({"window": 0.1}, "a frame long at least: 0.5 s"),
        ({"window": 2, "channels": ["C3"]}, "has no tokens of C3; it has Fp1, T3"),
        ({"window": 2, "codebooks": 4}, "3 levels of tokens at least; 4"),
    ):
        with pytest.raises(eegzip.UsageError, match=sentence):
            eegzip.TokenDataset(folder, **options)
    with pytest.raises(eegzip.UsageError, match=r"is no \.eegz file"):
        eegzip.TokenDataset([eegmat], window=2)
    with pytest.raises(eegzip.UsageError, match="there is no recording"):
        eegzip.TokenDataset(tmp_path, window=2)


def test_no_network_is_loaded(data: eegzip.TokenDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from eegzip.decoding.stored_tokens import StoredNetwork

    def refuse(_: StoredNetwork) -> None:
        raise AssertionError("a network was asked for")

    monkeypatch.setattr(StoredNetwork, "__call__", refuse)
    fresh = pickle.loads(pickle.dumps(data))
    assert torch.equal(fresh[20]["codes"], data[20]["codes"])
