"""SPEC.md is enough to read what eegzip writes: a reader written from it alone finds the same in the same files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import checkpoint_maker
import msgpack
import numpy as np
import pytest
from second_reader import SecondReader, UnknownFeatureError, blocks_by_index, samples_from_bytes, unmap
from second_synthesis import Network, checkpoint_digest
from zstandard import ZstdCompressor

import eegzip

DATA = Path(__file__).resolve().parents[1] / "data" / "edf"
BUNDLED = sorted(path.parent for path in Path(eegzip.__file__).parent.glob("checkpoints/*/config.json"))
OLDEST = next(folder for folder in BUNDLED if folder.name == "dac-sc-compact-1")
FIRST = "dac-sc-compact-1"


INT, TEXT, LIST = (int,), (str,), (list,)
NONE = type(None)
FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "head": {
        "software": TEXT,
        "edf_header": (bytes,),
        "sample_bytes": INT,
        "record_duration": (float, NONE),
        "n_records": INT,
        "trailing_bytes": INT,
        "source_sha256": TEXT,
        "chunk_records": INT,
        **dict.fromkeys(("deviations", "signals", "codecs", "groups"), LIST),
    },
    "signals": {
        **dict.fromkeys(("label", "unit", "kind", "coding", "reason"), TEXT),
        **dict.fromkeys(("physical_minimum", "physical_maximum", "sample_rate"), (float, NONE)),
        **dict.fromkeys(("digital_minimum", "digital_maximum"), (int, NONE)),
        "samples_per_record": INT,
    },
    "codecs": {
        **dict.fromkeys(("name", "model", "digest", "scaling"), TEXT),
        **dict.fromkeys(("hop", "codebooks", "codebook_size", "knot_spacing"), INT),
        "rate": (list, NONE),
    },
    "groups": {
        **dict.fromkeys(("signals", "centres", "ranges", "lowest", "highest"), LIST),
        **dict.fromkeys(("codec", "codebooks", "up", "down"), INT),
        **dict.fromkeys(("bits_per_second", "bits_per_sample"), (float,)),
    },
    "groups of several": {"styles": LIST},
    "summary": {**dict.fromkeys(("original_bytes", "token_bytes", "exact_bytes", "knot_bytes"), INT), "signals": LIST},
    "line_sets": {
        **dict.fromkeys(("signals", "lowest", "highest", "steps"), LIST),
        **dict.fromkeys(("count", "spacing", "grain"), INT),
    },
    "lines": {"line_set": INT, **dict.fromkeys(("lowest_hz", "highest_hz"), (float, NONE)), "rms": LIST},
    "fidelity": {
        **dict.fromkeys(("stored_bytes", "largest_error_digits"), INT),
        **dict.fromkeys(("prd", "snr", "r", "largest_error_uv"), (float, NONE)),
    },
}


class Case(NamedTuple):
    """A recording, an .eegz file of it, what eegzip restores from that, and what the second reader reads."""

    original: bytes
    path: Path
    packed: bytes
    restored: bytes
    network: Network | None
    reader: SecondReader
    key: str


def with_trailing_bytes(edf: bytes) -> bytes:
    """More than one TAIL block holds; no whole number of data records."""
    return edf + bytes(range(251)) * (5 << 20 >> 8)


def with_noise_after(edf: bytes) -> bytes:
    """Much that takes its place in the file and no time to read."""
    return edf + np.random.default_rng(1).bytes(100_000)


def in_short_records(edf: bytes) -> bytes:
    """The first three signals in records of 0.1 s, ten for one: most hold less than a frame."""
    n_signals, n_records, header_bytes = int(edf[252:256]), int(edf[236:244]), int(edf[184:192])
    fields, at = b"", 256
    for width in (16, 80, 8, 8, 8, 8, 8, 80, 8, 32):
        column = edf[at : at + 3 * width]
        fields += column.replace(b"250", b"25 ") if (width, at) == (8, header_bytes - 40 * n_signals) else column
        at += n_signals * width
    fixed = edf[:184] + b"%-8d%-44s%-8d%-8s%-4d" % (1024, b"", 10 * n_records, b"0.1", 3)
    samples = np.frombuffer(edf[header_bytes:], "<i2").reshape(n_records, -1)[:, :750].reshape(n_records, 3, 10, 25)
    return fixed + fields + samples.swapaxes(1, 2).tobytes()


def first_half(edf: bytes) -> bytes:
    """Half of the data records: the second reader takes its time."""
    header_bytes, n_records = int(edf[184:192]), int(edf[236:244])
    each = (len(edf) - header_bytes) // n_records
    kept = -(-n_records // 2)
    return edf[:236] + b"%-8d" % kept + edf[244 : header_bytes + kept * each]


def first_quarter(edf: bytes) -> bytes:
    return first_half(first_half(edf))


def some_signals(*kept: int) -> Callable[[bytes], bytes]:
    """Of a recording only these signals: the second reader takes its time, above all for exact ones."""

    def change(edf: bytes) -> bytes:
        n_signals, n_records, header_bytes = int(edf[252:256]), int(edf[236:244]), int(edf[184:192])
        fields, at = b"", 256
        for width in (16, 80, 8, 8, 8, 8, 8, 80, 8, 32):
            column = [edf[at + width * signal :][:width] for signal in range(n_signals)]
            fields += b"".join(column[signal] for signal in kept)
            at += n_signals * width
            if at == header_bytes - 32 * n_signals:
                ends = np.cumsum([int(samples) for samples in column]) * (3 if edf[0] == 0xFF else 2)
        records = np.frombuffer(edf[header_bytes:], np.uint8).reshape(n_records, -1)
        parts = np.split(records, ends[:-1], axis=1)
        fixed = edf[:184] + b"%-8d" % (256 + 256 * len(kept)) + edf[192:252] + b"%-4d" % len(kept)
        return fixed + fields + np.concatenate([parts[signal] for signal in kept], axis=1).tobytes()

    return change


def some_signals_of_the_first_half(edf: bytes) -> bytes:
    return some_signals(0, 1, 4, 5, 8, 17, 19, 25)(first_half(edf))


CASES: dict[str, tuple[str, dict[str, Any], Callable[[bytes], bytes]]] = {
    "defaults": ("chtypes_edf.edf", {}, bytes),
    "chunks": (
        "nihon_kohden_discontinuous.edf",
        {"chunk_seconds": 7, "exact": ["EEG [!C]*"]},
        some_signals_of_the_first_half,
    ),
    "codebooks": ("short_psg.edf", {"codebooks": 4, "chunk_seconds": 30, "exact": ["*Fpz*"]}, first_quarter),
    "native": ("test_bdf_stim_channel.bdf", {"rate": "native", "chunk_seconds": 3}, bytes),
    "resampled": ("test_bdf_stim_channel.bdf", {"rate": 100, "chunk_seconds": 1}, bytes),
    "fixed": ("duplicate_channel_labels.edf", {"scaling": "fixed:200uV", "chunk_seconds": 2}, bytes),
    "short records": ("duplicate_channel_labels.edf", {"chunk_seconds": 0.1}, in_short_records),
    "short records, fixed": (
        "duplicate_channel_labels.edf",
        {"chunk_seconds": 0.1, "scaling": "fixed:200uV"},
        in_short_records,
    ),
    "trailing bytes": ("duplicate_channel_labels.edf", {"chunk_seconds": 4}, with_trailing_bytes),
    "other checkpoint": ("duplicate_channel_labels.edf", {"chunk_seconds": 2}, bytes),
    "high-pass": ("duplicate_channel_labels.edf", {"chunk_seconds": 2}, bytes),
    "causal": ("duplicate_channel_labels.edf", {"chunk_seconds": 2}, bytes),
    "groups": ("nihon_kohden_discontinuous.edf", {"chunk_seconds": 7}, bytes),
    "groups, fixed": (
        "chtypes_edf.edf",
        {"chunk_seconds": 2, "scaling": "fixed:200uV", "codebooks": 2, "groups": "manual"},
        bytes,
    ),
    "groups, single": ("duplicate_channel_labels.edf", {"chunk_seconds": 2, "groups": "single"}, bytes),
    "all exact": ("test.bdf", {"exact": ["*"], "chunk_seconds": 0.1}, some_signals(*range(7), 72)),
    "all exact, tail": ("duplicate_channel_labels.edf", {"exact": ["*"], "chunk_seconds": 3}, with_trailing_bytes),
}


PARAMS = list(CASES)
LONG_FILE = "all exact, long"
CASES[LONG_FILE] = ("duplicate_channel_labels.edf", {"exact": ["*"], "chunk_seconds": 3}, with_noise_after)


@pytest.fixture(scope="module", params=PARAMS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(request.param, tmp_path_factory.mktemp("spec"))


def make_case(key: str, folder: Path) -> Case:
    name, options, change = CASES[key]
    source, path, target = folder / f"original{name[-4:]}", folder / "packed.eegz", folder / f"restored{name[-4:]}"
    source.write_bytes(change((DATA / name).read_bytes()))
    groups, other = key.startswith("groups"), None
    if groups or key in ("other checkpoint", "high-pass"):
        highpass = 0.1 if key == "high-pass" else None
        other = checkpoint_maker.make(folder, OLDEST, groups=groups, highpass=highpass)
    elif key == "causal":
        other = checkpoint_maker.make_causal(folder, OLDEST)
    # Tokens in context have a second reader of their own; this model has no prior.
    eegzip.compress(source, path, model=other or FIRST, **options)
    eegzip.decompress(path, target, model=other or FIRST)
    packed = path.read_bytes()
    reader = SecondReader(packed)
    wanted = {codec["digest"] for codec in reader.head["codecs"]}
    networks = [Network(found) for found in ([other] if other else BUNDLED) if checkpoint_digest(found) in wanted]
    assert len(networks) == len(wanted)  # the digest by section 10 is the file's
    return Case(source.read_bytes(), path, packed, target.read_bytes(), networks[0] if networks else None, reader, key)


def columns(case: Case, data: bytes) -> Iterator[np.ndarray]:
    """Samples of every signal, cut out of a recording's bytes."""
    head = case.reader.head
    end = len(data) - head["trailing_bytes"]
    records = samples_from_bytes(data[len(head["edf_header"]) : end], head["sample_bytes"])
    widths = [signal["samples_per_record"] for signal in head["signals"]]
    for part in np.split(records.reshape(head["n_records"], -1), np.cumsum(widths)[:-1], axis=1):
        yield part.ravel()


@lru_cache(maxsize=1)
def read_back(case: Case) -> bytes:
    """The recording as the second reader finds it: seconds of plain Python, for two tests of a case."""
    return case.reader.recording(case.network)


@lru_cache(maxsize=64)
def scales(case: Case, signal: int) -> np.ndarray:
    """The scale at every sample of a coded signal."""
    return case.reader.coded(signal, case.network)[1]


def assert_same(case: Case, mine: bytes, theirs: bytes, *, skip: Callable[[int], np.ndarray] | None = None) -> None:
    """Identical but for coded samples, and those within the tolerance of section 9; `skip` says which don't count."""
    assert len(mine) == len(theirs)
    if not case.reader.head["groups"]:
        assert mine == theirs
        return
    head = case.reader.head
    owner = case.reader.owners
    begin, end = len(head["edf_header"]), len(mine) - head["trailing_bytes"]
    assert (mine[:begin], mine[end:]) == (theirs[:begin], theirs[end:])
    for signal, (a, b) in enumerate(zip(columns(case, mine), columns(case, theirs), strict=True)):
        difference = np.abs(a - b)
        if signal not in owner:
            assert not difference.any()
            continue
        excess = difference / (1 + scales(case, signal) / 1024)
        assert np.all((excess <= 1) if skip is None else (excess <= 1) | skip(signal))


def test_fields(case: Case) -> None:
    """Every field is in SPEC.md and of the type that it gives, and none is missing."""
    head, summary = case.reader.head, case.reader.summary
    maps = [("head", head), ("summary", summary), *(("fidelity", entry) for entry in summary["signals"])]
    maps += [(name, entry) for name in ("signals", "codecs", "groups") for entry in head[name]]
    maps += [("line_sets", entry) for entry in head.get("line_sets", [])]
    maps += [("lines", entry) for entry in summary.get("lines", [])]
    lined = "line_sets" in head
    for name, fields in maps:
        known = FIELDS[name]
        if name == "groups" and head["codecs"][fields["codec"]]["name"] == "dac-mc":
            known = known | FIELDS["groups of several"]
            assert all(type(style) is int for style in fields["styles"])
        if name == "codecs" and case.key in ("high-pass", "causal"):
            known = known | {"highpass": (float,)}
        if name == "head" and "predicted" in fields:
            known = known | {"predicted": (bool,)}
            assert fields["predicted"] is True
        if name == "head" and lined:
            known = known | {"line_sets": LIST}
        if name == "summary" and lined:
            known = known | {"line_bytes": INT, "lines": LIST}
        assert fields.keys() == known.keys()
        for key, value in fields.items():
            assert type(value) in known[key], (name, key)
    lowest = 2 if "predicted" in head else int(any(codec["name"] == "dac-mc" for codec in head["codecs"]))
    small = summary["original_bytes"] <= 65536
    causal = case.key == "causal"
    assert case.packed[10] == (6 if causal else 5 if lined or case.key == "high-pass" else 4 if small else lowest)
    assert case.packed[16 + 8] == 1 + 2 * small + 4 * lined
    assert all(signal["kind"] in ("eeg", "voltage", "other", "annotations") for signal in head["signals"])


def test_tokens(case: Case) -> None:
    with eegzip.open(case.path) as recording:
        streams = recording.tokens()
        assert len(streams) == len(case.reader.head["groups"])
        for number, stream in enumerate(streams):
            np.testing.assert_array_equal(stream.codes, case.reader.tokens(number))


def test_samples(case: Case) -> None:
    assert_same(case, read_back(case), case.restored)


def test_the_rest_is_the_original(case: Case) -> None:
    head, mine = case.reader.head, read_back(case)
    assert hashlib.sha256(case.original).hexdigest() == head["source_sha256"]
    assert mine[: len(head["edf_header"])] == case.original[: len(head["edf_header"])]
    assert case.reader.tail == case.original[len(case.original) - head["trailing_bytes"] :]
    for signal, mine_, original in zip(head["signals"], columns(case, mine), columns(case, case.original), strict=True):
        assert signal["coding"] == "tokens" or np.array_equal(mine_, original)
    if not head["codecs"]:
        assert mine == case.original


def test_summary(case: Case) -> None:
    head, summary, reader = case.reader.head, case.reader.summary, case.reader
    assert summary["original_bytes"] == len(case.original)
    streams = [(kind, len(stream)) for chunk in reader.chunks.values() for (kind, _), stream in chunk.items()]
    for kind, name in enumerate(("knot_bytes", "token_bytes", "exact_bytes")):
        assert summary[name] == sum(length for k, length in streams if k == kind)
    number = {signal: group for signal, (group, _) in reader.owners.items()}
    pairs = zip(columns(case, case.original), columns(case, case.restored), strict=True)
    for signal, ((x, y), entry) in enumerate(zip(pairs, summary["signals"], strict=True)):
        key = (1, number[signal]) if signal in number else (2, signal)
        sharers = len(head["groups"][number[signal]]["signals"]) if signal in number else 1
        stored = sum(len(chunk.get(key, b"")) for chunk in reader.chunks.values()) / sharers
        for place, lines in enumerate(head.get("line_sets", [])):
            if signal in lines["signals"]:
                length = sum(len(chunk[6, place]) for chunk in reader.chunks.values())
                stored += length / len(lines["signals"])
        assert entry["stored_bytes"] == pytest.approx(stored, abs=0.5)
        if signal not in number:
            assert entry["largest_error_digits"] == 0
            continue
        error, spread = y - x, np.sqrt(np.sum((x - x.mean()) ** 2))
        slack = 1 + scales(case, signal).max() / 1024
        assert abs(entry["largest_error_digits"] - np.abs(error).max()) <= slack
        if spread:
            prd = 100 * np.sqrt(np.sum(error.astype(float) ** 2)) / spread
            assert entry["prd"] == pytest.approx(prd, rel=0.01)
            assert entry["snr"] == pytest.approx(-20 * np.log10(entry["prd"] / 100))
        else:
            assert entry["prd"] is None


def test_groups_share_their_tokens(case: Case) -> None:
    """The cases of groups hold what they are there for: several signals a stream, and signals alone."""
    sizes = {len(group["signals"]) for group in case.reader.head["groups"]}
    assert (max(sizes, default=1) > 1) == (case.key in ("groups", "groups, fixed"))


def test_without_index(case: Case) -> None:
    end = int.from_bytes(case.packed[-16:-8], "little")
    for data in (case.packed[:end], case.packed[: end + 40]):
        reader = SecondReader(data, scan=True)
        assert reader.head == case.reader.head
        assert reader.summary == case.reader.summary
        assert reader.chunks == case.reader.chunks
        assert reader.tail == case.reader.tail


@pytest.mark.parametrize("key", ["resampled", "chunks", "groups", "all exact, tail"])
def test_damaged_chunk(key: str, tmp_path: Path) -> None:
    case = make_case(key, tmp_path)
    lost = case.reader.n_chunks // 2
    offset = 16 + sum(32 + len(payload) for _, payload in blocks_by_index(case.packed)[: 1 + lost])
    payload = blocks_by_index(case.packed)[1 + lost][1]
    directory = 8 + int.from_bytes(payload[:4], "little")
    streams = {"first stream": directory, "middle": (directory + len(payload)) // 2, "last stream": len(payload) - 1}
    for where, place in {"header": -30, "directory": 8, **streams}.items():
        damaged = bytearray(case.packed)
        damaged[offset + 32 + place] ^= 16
        reader = SecondReader(bytes(damaged), scan=True)
        if where in streams:
            assert len(reader.chunks[lost]) == len(case.reader.chunks[lost]) - 1
        else:
            assert set(reader.chunks) == set(case.reader.chunks) - {lost}
        assert set(reader.lost) == {lost}
        assert_salvaged_alike(case, bytes(damaged), reader, lost, tmp_path)


def assert_salvaged_alike(case: Case, damaged: bytes, reader: SecondReader, lost: int, folder: Path) -> None:
    """What both readers make of a file with a damaged chunk is the same, but for the context of lost samples."""
    head = case.reader.head
    case.path.write_bytes(damaged)
    other = folder if (folder / "config.json").exists() else None
    eegzip.decompress(case.path, folder / "salvaged", salvage=True, model=other, overwrite=True)
    theirs = (folder / "salvaged").read_bytes()

    def context(signal: int) -> np.ndarray:
        each, frames = head["signals"][signal]["samples_per_record"], 20
        a, b = (record * each for record in case.reader.records(lost))
        n = np.arange(head["n_records"] * each)
        if signal not in reader.lost[lost]:
            return np.zeros(len(n), bool)
        group = head["groups"][case.reader.owners[signal][0]]
        margin = frames * head["codecs"][0]["hop"] * group["down"] // group["up"]
        return (n >= a - margin) & (n < b + margin) & ~((n >= a) & (n < b))

    assert_same(case, reader.recording(case.network), theirs, skip=context)


def test_damaged_head(tmp_path: Path) -> None:
    case = make_case(LONG_FILE, tmp_path)
    assert [kind for kind, _ in blocks_by_index(case.packed)].count("HEAD") == 2
    damaged = bytearray(case.packed)
    damaged[100] ^= 1
    assert SecondReader(bytes(damaged), scan=True).recording() == case.original
    case.path.write_bytes(damaged)
    eegzip.decompress(case.path, tmp_path / "salvaged", salvage=True)
    assert (tmp_path / "salvaged").read_bytes() == case.original


def test_blocks_of_another_file_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ours, other = make_case("all exact", tmp_path / "a"), make_case("all exact, tail", tmp_path / "b")
    reader = SecondReader(ours.packed + other.packed, scan=True)
    assert reader.recording() == ours.original


def packed_map(fields: dict[str, Any]) -> bytes:
    return ZstdCompressor().compress(msgpack.packb(fields))


def pack(blocks: list[tuple[str, int, bytes]], minor: int) -> bytes:
    """A file of these blocks (type, flags, payload) by sections 2, 3, 6 and 8."""
    start, seed = b"\x89EEGZ\r\n\x1a\n" + bytes([1, minor, 0]), crc32(blocks[0][2])
    data = start + crc32(start).to_bytes(4, "little")
    index = {
        "types": "".join(kind for kind, _, _ in blocks).encode(),
        "lengths": [len(payload) for _, _, payload in blocks],
        "first_offset": 16,
        "later": None,
    }
    for number, (kind, flags, payload) in enumerate([*blocks, ("INDX", 0, packed_map(index))]):
        if kind == "CHNK":
            directory = payload[8 : 8 + int.from_bytes(payload[:4], "little")]
            payload = payload[:4] + crc32(directory, seed).to_bytes(4, "little") + payload[8:]
        end = len(data).to_bytes(8, "little")
        header = b"\xe5BLK" + kind.encode() + flags.to_bytes(2, "little") + bytes(2) + number.to_bytes(4, "little")
        header += len(payload).to_bytes(8, "little") + crc32(payload).to_bytes(4, "little")
        data += header + crc32(header, 0 if kind == "HEAD" else seed).to_bytes(4, "little") + payload
    return data + end + b"ZGEE" + crc32(end + b"ZGEE").to_bytes(4, "little")


def test_files_of_later_minor_versions(tmp_path: Path) -> None:
    case = make_case("all exact, tail", tmp_path)
    blocks = [(kind, int(kind == "HEAD"), payload) for kind, payload in blocks_by_index(case.packed)]
    head = unmap(blocks[0][2]) | {"later": [{"a": 1}]}
    blocks[0] = ("HEAD", 0x0103, packed_map(head))
    blocks.insert(2, ("XTRA", 0x8000, b"anything"))
    case.path.write_bytes(pack(blocks, 7))
    assert SecondReader(case.path.read_bytes()).recording() == case.original
    assert SecondReader(case.path.read_bytes(), scan=True).recording() == case.original
    eegzip.decompress(case.path, tmp_path / "later")
    assert (tmp_path / "later").read_bytes() == case.original
    for kind, flags in (("XTRA", 1), ("XTRA", 2), ("CHNK", 0x80)):
        refused = [*blocks[:2], (kind, flags, blocks[1][2]), *blocks[2:]]
        case.path.write_bytes(pack(refused, 7))
        for scan in (False, True):
            with pytest.raises(UnknownFeatureError):
                SecondReader(case.path.read_bytes(), scan=scan)
        with pytest.raises(eegzip.ContainerError):
            eegzip.decompress(case.path, tmp_path / "refused")
