"""Models of groups (DAC-MC): channels that share a token stream, from compression to any part of a recording."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from api.group_models import GROUPS, NAMES, many_channels, save_groups, save_single
from api.plain_edf import PlainEdf, beginning, build
from api.recordings import SHARED

import eegzip
from eegzip.codecs import stream_batch
from eegzip.codecs.checkpoints.config import STANDARD_VOCABULARY
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.stream_coder import GroupCoder
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.reader import EegzReader

RECORDINGS = {
    "eeg/ssvep_exo": 8,
    "eeg/adhd": 19,
    "eeg/eegmat": 20,
    "eeg/vep": 64,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_groups(tmp_path_factory.mktemp("groups") / "tiny-mc").folder


@pytest.fixture(scope="module")
def source(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_channels(tmp_path_factory.mktemp("many") / "nineteen.edf", eegmat, NAMES[19])


@pytest.fixture(scope="module")
def packed(source: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "nineteen.eegz"
    eegzip.compress(source, path, model=model, chunk_seconds=3)
    return path


@pytest.fixture(scope="module")
def whole(packed: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> PlainEdf:
    path = tmp_path_factory.mktemp("whole") / "nineteen.edf"
    eegzip.decompress(packed, path, model=model)
    return PlainEdf.read(path)


def groups_of(path: Path) -> list[tuple[int, ...]]:
    with EegzReader(path) as reader:
        return [group.signals for group in reader.header.groups]


def tokens_of(path: Path) -> dict[tuple[str, ...], np.ndarray]:
    with eegzip.open(path) as recording:
        return {stream.labels: stream.codes for stream in recording.tokens()}


def check_recording(source: Path, folder: Path, model: Path, lossy: int) -> None:
    """Compress in groups, check, restore; every channel comes back, and what is said of it is true."""
    target, back = folder / "file.eegz", folder / "back.edf"
    report = eegzip.compress(source, target, model=model, chunk_seconds=7)
    found = eegzip.verify(target, deep=True, model=model)
    assert found.problems == ()
    eegzip.decompress(target, back, model=model)
    original, restored = PlainEdf.read(source), PlainEdf.read(back)
    coded = [index for index, signal in enumerate(report.signals) if signal.coding == "tokens"]
    assert len(coded) == lossy
    assert restored.without(coded) == original.without(coded)
    groups = groups_of(target)
    assert sorted(index for group in groups for index in group) == coded
    assert len(groups) <= max(math.ceil(lossy / 5), 1) + 4
    assert report.groups == tuple(tuple(original.labels[index] for index in group) for group in groups)
    waves = {}
    for index in coded:
        x, y = original.digital(index), restored.digital(index)
        assert x.min() <= y.min() < y.max() <= x.max()
        error = 100 * math.sqrt(np.sum((x - y) ** 2.0) / np.sum((x - x.mean()) ** 2))
        assert report.signals[index].prd == pytest.approx(error, rel=1e-3)
        waves[index] = y - y.mean()
    for group in groups:
        # Of one stream, and yet not one waveform: the styles speak.
        shapes = [waves[index] / np.abs(waves[index]).max() for index in group]
        assert all(np.abs(shapes[0] - other).max() > 1e-3 for other in shapes[1:])


@pytest.mark.parametrize("count", NAMES)
def test_recordings_of_any_number_of_channels(count: int, eegmat: Path, model: Path, tmp_path: Path) -> None:
    source = many_channels(tmp_path / "many.edf", eegmat, NAMES[count])
    check_recording(source, tmp_path, model, count)


@pytest.mark.parametrize("name", RECORDINGS)
def test_real_recordings(name: str, model: Path, tmp_path: Path) -> None:
    found = sorted((SHARED / name).glob("*.edf"))
    if not found:
        pytest.skip(f"{SHARED / name} is not here")
    # Two chunks, the second of them short.
    start = beginning(found[0], tmp_path / "start.edf", 10 if name != "eeg/vep" else 8)
    check_recording(start, tmp_path, model, RECORDINGS[name])


def test_real_recording_that_is_shipped(eegmat: Path, model: Path, tmp_path: Path) -> None:
    check_recording(eegmat, tmp_path, model, 3)


@pytest.mark.parametrize("seconds", [1, 7, 1000])
def test_tokens_do_not_depend_on_the_chunk_length(
    seconds: float, source: Path, packed: Path, model: Path, whole: PlainEdf, tmp_path: Path
) -> None:
    other, back = tmp_path / "other.eegz", tmp_path / "other.edf"
    eegzip.compress(source, other, model=model, chunk_seconds=seconds)
    a, b = tokens_of(packed), tokens_of(other)
    assert a.keys() == b.keys()
    for labels, codes in a.items():
        np.testing.assert_array_equal(codes, b[labels])
        assert len(np.unique(codes)) > 20
    eegzip.decompress(other, back, model=model)
    restored = PlainEdf.read(back)
    for index in range(20):
        assert np.abs(whole.digital(index) - restored.digital(index)).max() <= (index < 19)


def test_any_part_equals_the_slice_of_the_whole(packed: Path, model: Path, whole: PlainEdf) -> None:
    rng = np.random.default_rng(0)
    with eegzip.open(packed, model=model) as recording:
        for _ in range(12):
            start, stop = sorted(rng.uniform(0, 20, 2))
            wanted = rng.choice(19, size=rng.integers(1, 5), replace=False)
            part = recording.read([whole.labels[index] for index in wanted], start, stop)
            first, last = round(start * 128), round(stop * 128)
            for row, index in zip(part, wanted, strict=True):
                np.testing.assert_allclose(row * 10, whole.digital(index)[first:last], rtol=0, atol=1.01)


def test_a_cut_in_time_and_channels(packed: Path, model: Path, whole: PlainEdf, tmp_path: Path) -> None:
    chosen = ["T3", "T6", "EEG F4-REF", "ecg"]
    eegzip.decompress(packed, tmp_path / "part.edf", start=4.5, stop=11, channels=chosen, model=model)
    part = PlainEdf.read(tmp_path / "part.edf")
    assert part.labels == ["EEG F4-REF", "EEG T3-REF", "EEG T6-REF", "ECG", "EDF Annotations"]
    for new, label in enumerate(part.labels[:4]):
        old = whole.labels.index(label)
        rate = 128 if new < 3 else 100
        difference = part.digital(new) - whole.digital(old)[4 * rate : 11 * rate]
        assert np.abs(difference).max() <= (new < 3)


def test_one_channel_costs_the_decoding_of_one(
    packed: Path, model: Path, whole: PlainEdf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its group the tokens are read, of no other, and its waveform is made, no other."""
    made, read = [], set()
    begin, load_tokens = GroupCoder.__init__, EegzReader._load_tokens
    monkeypatch.setattr(
        GroupCoder, "__init__", lambda self, runtime, groups: made.append(groups) or begin(self, runtime, groups)
    )
    monkeypatch.setattr(
        EegzReader, "_load_tokens", lambda self, chunk, group: read.add(group) or load_tokens(self, chunk, group)
    )
    with eegzip.open(packed, model=model) as recording:
        row = recording.read("C4")[0]
        index = whole.labels.index("EEG C4-REF")
        wanted = [n for n, group in enumerate(recording.info["groups"]) if index in group["signals"]]
    style = STANDARD_VOCABULARY.index("C4") + 1
    np.testing.assert_allclose(row * 10, whole.digital(index), rtol=0, atol=1.01)
    assert [[list(group) for group in groups] for groups in made] == [[[style]]]
    assert read == set(wanted)
    assert len(wanted) == 1


def test_tokens_of_a_group_do_not_depend_on_other_channels(
    source: Path, packed: Path, model: Path, tmp_path: Path
) -> None:
    groups = tmp_path / "groups.txt"
    groups.write_text("T3, T4, T5, T6\nP3, P4\n")
    eegzip.compress(source, tmp_path / "few.eegz", model=model, exact=["F*", "C*", "O*"], groups=groups)
    few, many = tokens_of(tmp_path / "few.eegz"), tokens_of(packed)
    labels = tuple(f"EEG {name}-REF" for name in ("T3", "T4", "T5", "T6"))
    assert len(few) == 3
    np.testing.assert_array_equal(few[labels], many[labels])


def test_parts_of_a_batch_that_fit_the_memory_give_the_same(
    source: Path, packed: Path, model: Path, whole: PlainEdf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EegzReader(packed) as reader:
        assert len(stream_batch.batches_of(reader.header)) == 1
        monkeypatch.setattr(stream_batch, "BATCH_SAMPLES", 6 * 128 * 60)
        batches = stream_batch.batches_of(reader.header)
        assert [group for batch in batches for group in batch.groups] == list(range(7))
        assert len(batches) > 3
        assert all(len(batch.signals) <= 6 for batch in batches)
    eegzip.compress(source, tmp_path / "again.eegz", model=model, chunk_seconds=3)
    assert tokens_of(tmp_path / "again.eegz").keys() == tokens_of(packed).keys()
    assert (tmp_path / "again.eegz").read_bytes() == packed.read_bytes()


def test_a_damaged_chunk_costs_its_own_seconds(packed: Path, model: Path, whole: PlainEdf, tmp_path: Path) -> None:
    with EegzReader(packed) as reader:
        place, entry = reader.chunks[3], reader.directory(3).streams[StreamKind.TOKENS, 2]
        hit = reader.header.groups[2].signals
        context = CodecRuntime(eegzip.models.load(model)).decoder_context
    damaged = bytearray(packed.read_bytes())
    damaged[place.payload_offset + entry.offset + entry.length // 2] ^= 64
    path = tmp_path / "damaged.eegz"
    path.write_bytes(damaged)
    with pytest.raises(eegzip.ContainerError, match="seconds 9 to 12"):
        eegzip.decompress(path, tmp_path / "no.edf", model=model)
    report = eegzip.decompress(path, tmp_path / "salvaged.edf", salvage=True, model=model)
    assert report.lost_records == ()
    assert {lost.signal: lost.records for lost in report.lost_signals} == dict.fromkeys(hit, ((9, 11),))
    assert 0 < len(hit) < 19
    salvaged = PlainEdf.read(tmp_path / "salvaged.edf")
    margin = (context + 1) * 32 + 64
    for index in range(19):
        difference = np.abs(salvaged.digital(index) - whole.digital(index))
        if index not in hit:
            assert not difference.any()
            continue
        assert difference[: 9 * 128 - margin].max() <= 1
        assert difference[12 * 128 + margin :].max() <= 1
        assert not salvaged.digital(index)[9 * 128 : 12 * 128].any()


def test_a_channel_alone_is_coded_as_by_its_backbone(source: Path, tmp_path: Path) -> None:
    """The paper's "Single-Channel (DAC-MC)"; as its adapters begin, the model is DAC-SC."""
    single, groups = save_single(tmp_path / "sc").folder, save_groups(tmp_path / "mc", trained=False).folder
    for name, model, more in (("sc", single, {}), ("mc", groups, {"groups": "single"})):
        eegzip.compress(source, tmp_path / f"{name}.eegz", model=model, **more)
        eegzip.decompress(tmp_path / f"{name}.eegz", tmp_path / f"{name}.edf", model=model)
    a, b = tokens_of(tmp_path / "sc.eegz"), tokens_of(tmp_path / "mc.eegz")
    assert list(a) == list(b)
    assert all(len(labels) == 1 for labels in a)
    for labels, codes in a.items():
        np.testing.assert_array_equal(codes, b[labels])
    assert (tmp_path / "sc.edf").read_bytes() == (tmp_path / "mc.edf").read_bytes()


def test_a_file_states_the_lowest_version_that_describes_it(source: Path, model: Path, tmp_path: Path) -> None:
    """So an older reader never meets a file that it can't restore without being told."""
    single = save_single(tmp_path / "single").folder
    cases = {
        "sc": ({"model": single, "lossy": ["*"], "kinds": {"*": "eeg"}}, 0),
        "mc": ({"model": model, "lossy": ["*"], "kinds": {"*": "eeg"}}, 1),
        "kinds": ({"model": single, "lossy": ["*"]}, 7),
        "partly": ({"model": single}, 2),
        "exact": ({"model": model, "exact": ["*"]}, 2),
    }
    for name, (options, version) in cases.items():
        path = tmp_path / f"{name}.eegz"
        eegzip.compress(source, path, **options)
        assert path.read_bytes()[9:11] == bytes([1, version]), name
        with eegzip.open(path) as recording:
            assert recording.info["format"] == f"eegz 1.{version}"
            assert all(("styles" in group) == (name == "mc") for group in recording.info["groups"])


def test_kinds_of_groups(source: Path, packed: Path, model: Path, tmp_path: Path) -> None:
    def made(**options: str | Path) -> tuple[set[frozenset[str]], bytes]:
        report = eegzip.compress(source, tmp_path / "x.eegz", model=model, overwrite=True, **options)
        groups = {frozenset(label[4:-4] for label in group) for group in report.groups}
        return groups, (tmp_path / "x.eegz").read_bytes()

    default, data = made()
    assert (default, data) == made(groups="manual")
    assert default == {
        frozenset(group.split())
        for group in ("F3 F4 F7 F8", "Fp1 Fp2 P3 P4", "T3 T4 T5 T6", "C3 C4 Cz", "O1 O2", "Fz", "Pz")
    }
    drawn = made(groups="random")
    assert drawn == made(groups="random")
    assert drawn[0] != default
    single, _ = made(groups="single")
    assert single == {frozenset([name]) for name in NAMES[19]}
    file = tmp_path / "mine.txt"
    file.write_text("T7, C3, Cz\nFp1, Fp2, ECG\n")
    with pytest.raises(eegzip.UsageError, match=r"mine.txt, line 2: the model can't tell the channel 'ECG'"):
        made(groups=file)
    file.write_text("T7, C3, Cz  # T7 was T3\nFp1, Fp2\nECG\n")
    mine, _ = made(groups=file)
    assert {group for group in mine if len(group) > 1} == {frozenset({"T3", "C3", "Cz"}), frozenset({"Fp1", "Fp2"})}
    assert mine == made(groups=str(file))[0]


def test_a_model_of_groups_may_divide_in_its_own_way(source: Path, tmp_path: Path) -> None:
    small = replace(GROUPS, multichannel=replace(GROUPS.multichannel, max_channels=2, groups="single"))
    model = save_groups(tmp_path / "small", small).folder
    assert len(eegzip.compress(source, tmp_path / "a.eegz", model=model).groups) == 19
    report = eegzip.compress(source, tmp_path / "b.eegz", model=model, groups="manual")
    assert max(len(group) for group in report.groups) == 2
    assert eegzip.verify(tmp_path / "b.eegz", deep=True, model=model).intact


def test_groups_are_refused_of_a_model_that_has_none(source: Path, tmp_path: Path) -> None:
    for groups in ("manual", "random", "some/file.txt"):
        with pytest.raises(eegzip.UsageError, match=r"codes every channel alone \(dac-sc\)"):
            eegzip.compress(source, tmp_path / "no.eegz", model="eegz-sc-1", groups=groups)
    model = save_single(tmp_path / "sc").folder
    eegzip.compress(source, tmp_path / "a.eegz", model=model)
    eegzip.compress(source, tmp_path / "b.eegz", model=model, groups="single")
    assert (tmp_path / "a.eegz").read_bytes() == (tmp_path / "b.eegz").read_bytes()


def test_a_group_is_of_one_rate_and_of_what_is_coded(eegmat: Path, model: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    limits = {"unit": "uV", "pmin": -3276.8, "pmax": 3276.7, "dmin": -32768, "dmax": 32767}

    def noise(label: str, rate: int, *, flat: bool = False) -> dict[str, object]:
        values = np.cumsum(rng.integers(-20, 21, 10 * rate)).reshape(10, rate) * (not flat)
        return {"label": label, "values": values, **limits}

    source = build(
        tmp_path / "mixed.edf",
        [noise("C3", 128), noise("Cz", 256), noise("C4", 128), noise("Pz", 256), noise("C3", 128),
         noise("P3", 128, flat=True), noise("EEG mystery", 128), noise("P4", 128)],
    )  # fmt: skip
    check_recording(source, tmp_path, model, 7)
    # A second C3 and an unknown name are alone, and the flat P3 is kept exactly.
    assert groups_of(tmp_path / "file.eegz") == [(0, 2, 7), (1, 3), (4,), (6,)]
    with EegzReader(tmp_path / "file.eegz") as reader:
        styles = {group.signals: group.styles for group in reader.header.groups}
    assert styles[(6,)] == (0,)
    assert styles[(4,)] == styles[(0, 2, 7)][:1] != (0,)
    file = tmp_path / "groups.txt"
    file.write_text("C3, P3, C4\n")  # P3 is flat and stays out
    eegzip.compress(source, tmp_path / "x.eegz", model=model, groups=file)
    assert groups_of(tmp_path / "x.eegz") == [(0, 2), (1,), (3,), (4,), (6,), (7,)]
    file.write_text("C3, Cz\n")
    with pytest.raises(eegzip.UsageError, match=r"groups.txt: channels of different sample rates .*: C3, Cz"):
        eegzip.compress(source, tmp_path / "y.eegz", model=model, groups=file)


def test_costs_are_shared(packed: Path, model: Path) -> None:
    with eegzip.open(packed) as recording:
        info, streams = recording.info, recording.tokens()
        assert recording.tokens("C4")[0].labels == ("EEG C3-REF", "EEG Cz-REF", "EEG C4-REF")
    nominal = 3 * 6 * 128 / 32  # codebooks, bits, frames a second
    for group, stream in zip(info["groups"], streams, strict=True):
        assert group["bits_per_second"] == pytest.approx(nominal / len(group["signals"]))
        assert len(group["signals"]) == len(stream.labels) == len(group["styles"])
        costs = {info["signals"][index]["bits_per_second"] for index in group["signals"]}
        assert len(costs) == 1
    with EegzReader(packed) as reader:
        stored = sum(signal["stored_bytes"] for signal in info["signals"] if signal["coding"] == "tokens")
        assert stored == pytest.approx(reader.summary.token_bytes, abs=19)


def test_a_file_that_contradicts_its_model_is_refused(packed: Path, model: Path) -> None:
    def strange(header: FileHeader) -> FileHeader:
        groups = (replace(g, styles=tuple(style + 500 for style in g.styles or ())) for g in header.groups)
        return replace(header, groups=tuple(groups))

    def single(header: FileHeader) -> FileHeader:
        return replace(header, codecs=(replace(header.codecs[0], name="dac-sc"),))

    kinds = ((strange, "contradicts its model .* about the channels"), (single, "contradicts its model .* about kind"))
    for change, sentence in kinds:
        with eegzip.open(packed, model=model) as recording:
            recording._reader.header = change(recording._reader.header)
            recording._network = StoredNetwork(recording._reader, model)
            with pytest.raises(eegzip.ModelError, match=sentence):
                recording.read("C4")


def test_a_recording_without_samples(model: Path, tmp_path: Path) -> None:
    limits = {"unit": "uV", "pmin": -1, "pmax": 1, "dmin": -32768, "dmax": 32767}
    source = build(
        tmp_path / "none.edf", [{"label": name, "values": np.zeros((0, 128)), **limits} for name in ("C3", "C4")]
    )
    eegzip.compress(source, tmp_path / "none.eegz", model=model, lossy=["*"])
    eegzip.decompress(tmp_path / "none.eegz", tmp_path / "back.edf", model=model)
    assert (tmp_path / "back.edf").read_bytes() == source.read_bytes()


def test_a_model_that_is_not_the_files_is_refused(packed: Path, tmp_path: Path) -> None:
    other = save_groups(tmp_path / "other", trained=False).folder
    with eegzip.open(packed, model=other) as recording, pytest.raises(eegzip.ModelError, match="is another"):
        recording.read("C4")
    with eegzip.open(packed) as recording, pytest.raises(eegzip.ModelError, match="tiny-mc"):
        recording.read("C4")
    with eegzip.open(packed) as recording:
        assert recording.read("ECG").shape == (1, 2000)
