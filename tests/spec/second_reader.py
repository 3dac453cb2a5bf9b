"""A second reader of ``.eegz`` files, written from SPEC.md alone: it shows that the specification is enough.

It favours brevity over speed and memory: a file is read whole, a signal is synthesised whole, and of the limits of
section 11 only sizes are checked. Numbers in brackets are sections of SPEC.md. Nothing of eegzip is used. The network
and the resampling filter are in second_synthesis.py, which alone takes torch; restore.py is the program.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgpack
import numpy as np
import second_blocks
import second_prediction
import zstandard
from second_lines import lines_of_chunk
from second_mixture import rotation
from second_prediction import predicted, references_of
from second_prior import ABSENT, ceil_div, groups_leaned_on, read_in_context
from second_salvage import lost_signals, say_what_is_lost

if TYPE_CHECKING:
    import torch
    from second_synthesis import Network

KNOTS, TOKENS, EXACT, LINES = 0, 1, 2, 6
MODEL_FILES = ("config.json", "model.safetensors", "prior.safetensors", "joint.safetensors")
DICTIONARY = Path(__file__).parents[2] / "formats/small.dictionary"
ROOTS = np.array([1.0, 1.189207115002721, 1.4142135623730951, 1.681792830507429])


class SpecError(ValueError):
    """The file is not what SPEC.md describes."""


class UnknownFeatureError(ValueError):
    """The file asks for something that a reader of versions 1.0 to 1.7 must refuse."""


def need(condition: bool, message: str) -> None:
    """Raise :class:`SpecError` unless `condition` holds."""
    if not condition:
        raise SpecError(message)


def integer(data: bytes) -> int:
    """Little-endian unsigned integer."""
    return int.from_bytes(data, "little")


def unzstd(data: bytes, limit: int, words: zstandard.ZstdCompressionDict | None = None) -> bytes:
    """Decompress one frame that states its size, has no checksum and is followed by nothing."""
    try:
        frame = zstandard.get_frame_parameters(data)
        need(frame.content_size <= limit and not frame.has_checksum, "zstd: no size, too large, or a checksum")
        return zstandard.ZstdDecompressor(dict_data=words).decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise SpecError(f"zstd: {error}") from error


def unmap(payload: bytes) -> dict[str, Any]:
    """Read the map of HEAD, SUMM or INDX (3), in a small file one that takes the dictionary (3.1)."""
    if payload[:1] != b"\x01":
        return msgpack.unpackb(unzstd(payload, 1 << 26))
    words = zstandard.ZstdCompressionDict(DICTIONARY.read_bytes(), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return msgpack.unpackb(unzstd(payload[1:], 1 << 26, words))


def block_at(data: bytes, offset: int, seed: int, *, torn: bool = False) -> tuple[str, int, bytes, int]:
    """Type, sequence number and payload of a block, and where the next one begins (3); of a chunk a `torn` one, too."""
    header = data[offset : offset + 32]
    checksum = crc32(header[:28], 0 if header[4:8] == b"HEAD" else seed)
    need(header[:4] == b"\xe5BLK" and checksum == integer(header[28:]), "no intact block header")
    kind, flags, length = header[4:8].decode("ascii"), header[8], integer(header[16:24])
    if flags > (7 if kind == "HEAD" else 1) or (flags and kind not in ("HEAD", "CHNK", "TAIL", "SUMM", "INDX", "MODL")):
        raise UnknownFeatureError(f"{kind} with flags {flags}")
    payload, after = data[offset + 32 : offset + 32 + length], offset + 32 + length
    intact = crc32(payload) == integer(header[24:28]) or (torn and kind == "CHNK" and len(payload) == length)
    need(length <= 1 << 30 and intact, f"payload of {kind} damaged")
    return kind, integer(header[12:16]), payload, after


def blocks_by_index(data: bytes) -> list[tuple[str, bytes]]:
    """All blocks before the index, as the index lists them (8)."""
    trailer, blocks, seed = data[-16:], [], crc32(block_at(data, 16, 0)[2])
    need(trailer[8:12] == b"ZGEE" and crc32(trailer[:12]) == integer(trailer[12:]), "trailer")
    kind, _, payload, after = block_at(data, end := integer(trailer[:8]), seed)
    need(kind == "INDX" and after == len(data) - 16, "no index before the trailer")
    index = unmap(payload)
    offset, types = index["first_offset"], index["types"].decode("ascii")
    for number, length in enumerate(index["lengths"]):
        kind, sequence, payload, after = block_at(data, offset, seed)
        expected = (types[4 * number : 4 * number + 4], number, length)
        need((kind, sequence, len(payload)) == expected, "block differs from index")
        blocks.append((kind, payload))
        offset = after
    need(offset == end and len(types) == 4 * len(blocks), "index and blocks don't meet")
    return blocks


def blocks_by_scan(data: bytes) -> list[tuple[str, bytes]]:
    """All intact blocks but the index, found by their sync marks, an intact header block first (8)."""
    blocks, offset, seed = [], 16, None
    while (offset := data.find(b"\xe5BLK", offset)) >= 0:
        try:
            need(seed is not None or data[offset + 4 : offset + 8] == b"HEAD", "checksum not known yet")
            kind, _, payload, after = block_at(data, offset, seed or 0, torn=True)
            blocks.append((kind, payload))
            seed, offset = (crc32(payload), 16) if seed is None else (seed, after)  # checksums known: start again
        except SpecError:
            offset += 1
    return [(kind, payload) for kind, payload in blocks if kind != "INDX"]


def read_chunk(payload: bytes, seed: int, *, torn: bool) -> tuple[list[int], dict[tuple[int, int], bytes]]:
    """Number, first record and records of a chunk, and its streams by kind and id (6); of a `torn` one those left."""
    start = 8 + integer(payload[:4])
    directory, streams = iter(payload[8:start]), {}
    need(crc32(payload[8:start], seed) == integer(payload[4:8]), "directory damaged")

    def varint() -> int:
        value = shift = 0
        for byte in directory:
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        need(value < 1 << 64 and byte < 128, "varint")
        return value

    place = [varint() for _ in range(3)]
    for _ in range(varint()):
        kind, ident, length = (varint() for _ in range(3))
        stream, start = payload[start : start + length], start + length
        intact = crc32(stream) == integer(bytes(next(directory) for _ in range(4)))
        need(intact or torn, f"stream {kind}/{ident} damaged")
        need((kind, ident) not in streams, "stream twice")
        if intact:
            streams[kind, ident] = stream
    need(next(directory, None) is None and start == len(payload), "directory and streams don't fill the chunk")
    return place, streams


def from_planes(planes: bytes, n_planes: int, count: int) -> np.ndarray:
    """Zigzagged integers in byte planes (6.1)."""
    need(n_planes <= 4 and len(planes) == n_planes * count, "byte planes")
    rows = np.frombuffer(planes, np.uint8).reshape(n_planes, count).astype(np.int64)
    values = (rows << 8 * np.arange(n_planes)[:, None]).sum(axis=0)
    return (values >> 1) ^ -(values & 1)


def unpack_bits(data: bytes, width: int, count: int) -> np.ndarray:
    """Integers of `width` bits, high bit first, without holes (6.2)."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    need(len(data) == ceil_div(width * count, 8) and not bits[width * count :].any(), "packed bits")
    return bits[: width * count].reshape(count, width).astype(np.int64) @ (1 << np.arange(width)[::-1])


def read_tokens(stream: bytes, codebooks: int, frames: int, size: int) -> np.ndarray:
    """Tokens, codebooks x frames (6.2)."""
    width, count, method, data = max(1, (size - 1).bit_length()), codebooks * frames, stream[0], stream[1:]
    need(method <= 2, "method of tokens")
    if method == 0:
        tokens = unpack_bits(data, width, count)
    else:
        planes = unzstd(data, 2 * count)
        high = unpack_bits(planes[count:], max(width - 8, 0), count)
        tokens = np.frombuffer(planes[:count], np.uint8) + (high << 8)
    need((tokens < size).all(), "token out of range")
    return tokens.reshape(frames, codebooks).T if method == 2 else tokens.reshape(codebooks, frames)


def samples_from_bytes(data: bytes, width: int) -> np.ndarray:
    """Samples as in an EDF (`width` 2) or BDF (3) file."""
    values = (np.frombuffer(data, np.uint8).reshape(-1, width).astype(np.int64) << 8 * np.arange(width)).sum(axis=1)
    return values - (values >> 8 * width - 1 << 8 * width)


def read_exact(stream: bytes, count: int, width: int) -> np.ndarray:
    """Samples of an exact signal (6.3)."""
    method, data = stream[0], stream[1:]
    need(method <= 1 or (method == 2 and data[0] <= 3), "method of an exact signal")
    if method == 2:
        samples = from_planes(unzstd(data[2:], 4 * count), data[1], count)
        for _ in range(data[0]):
            samples = np.cumsum(samples)
    else:
        samples = samples_from_bytes(unzstd(data, count * width) if method else data, width)
    need(len(samples) == count, "number of exact samples")
    return samples


_PREDICTED: dict[tuple[bytes, ...], np.ndarray] = {}


def predicted_once(stream: bytes, n: int, references: list[np.ndarray]) -> np.ndarray:
    """What `predicted` gives: written to be read, it is slow, and several tests read the same streams."""
    key = (stream, n.to_bytes(8, "little"), *(row.tobytes() for row in references))
    if key not in _PREDICTED:
        read = second_blocks.integers if stream[0] == 4 else second_prediction.integers
        _PREDICTED[key] = predicted(stream[1:], n, references, read)
    return _PREDICTED[key]


class SecondReader:
    """An ``.eegz`` file. With `scan` it is read without its index, and blocks may be missing."""

    def __init__(self, data: bytes, *, scan: bool = False, prior: dict[str, np.ndarray] | None = None) -> None:
        self.prior = prior
        need(data[:9] == b"\x89EEGZ\r\n\x1a\n" and crc32(data[:12]) == integer(data[12:16]), "signature")
        need(data[9] == 1, "another major version")
        blocks = blocks_by_scan(data) if scan else blocks_by_index(data)
        need(blocks[0][0] == "HEAD", "HEAD is not the first block")
        self.head = head = unmap(blocks[0][1])
        self.summary = next((unmap(data) for kind, data in blocks if kind == "SUMM"), None)
        self.n_chunks, self.chunks = ceil_div(head["n_records"], head["chunk_records"]), {}
        self.tail, self.known, self.model = b"", {}, {}
        for payload in (payload for kind, payload in blocks if kind == "MODL"):
            if payload[0] < len(MODEL_FILES):
                self.model.setdefault(MODEL_FILES[payload[0]], unzstd(payload[1:], 1 << 24))
        for payload in (payload for kind, payload in blocks if kind == "TAIL"):
            need(integer(payload[:8]) == len(self.tail), "a hole in the trailing bytes")
            self.tail += unzstd(payload[8:], 1 << 22)
        need(len(self.tail) == head["trailing_bytes"], "trailing bytes")
        for payload in (payload for kind, payload in blocks if kind == "CHNK"):
            try:
                (number, first, records), streams = read_chunk(payload, crc32(blocks[0][1]), torn=scan)
            except SpecError:
                if scan:
                    continue  # a chunk whose directory is damaged
                raise
            a, b = self.records(number)
            need((first, records) == (a, b - a) and (scan or number == len(self.chunks)), "place of a chunk")
            self.chunks[number] = streams
        need(scan or len(self.chunks) == self.n_chunks, "number of chunks")
        every = set(range(len(head["signals"])))
        lost = {c: lost_signals(head, self.chunks[c]) if c in self.chunks else every for c in range(self.n_chunks)}
        self.lost = {chunk: signals for chunk, signals in lost.items() if signals}

    def records(self, chunk: int) -> tuple[int, int]:
        """Data records of a chunk, the last not included (5; so are the four below)."""
        each = self.head["chunk_records"]
        return chunk * each, min((chunk + 1) * each, self.head["n_records"])

    def shape(self, group: dict) -> tuple[int, int, int]:
        """Signal samples N, model samples M and frames F of a group."""
        n = self.head["n_records"] * self.head["signals"][group["signals"][0]]["samples_per_record"]
        m = ceil_div(n * group["up"], group["down"])
        return n, m, ceil_div(m, self.codec(group)["hop"]) + 1 if n else 0

    def codec(self, group: dict) -> dict:
        """The codec of a group."""
        return self.head["codecs"][group["codec"]]

    def frames(self, group: dict, chunk: int) -> tuple[int, int]:
        """Frames of a group that a chunk owns, the last not included."""
        step = self.head["signals"][group["signals"][0]]["samples_per_record"] * group["up"]
        a, b = (ceil_div(r * step, self.codec(group)["hop"] * group["down"]) for r in self.records(chunk))
        return a, self.shape(group)[2] if chunk == self.n_chunks - 1 else b

    def knot_range(self, group: dict, chunk: int) -> tuple[int, int]:
        """Knots of a group that a chunk stores, the last not included."""
        hop, spacing = self.codec(group)["hop"], self.codec(group)["knot_spacing"]
        p, q = (min(max(f * hop - hop // 2, 0), self.shape(group)[1]) for f in self.frames(group, chunk))
        return (p // spacing, (q - 1) // spacing + 2) if p < q else (0, 0)

    def tokens(self, number: int) -> np.ndarray:
        """Tokens of a group, codebooks x frames; -1 where they are lost."""
        group = self.head["groups"][number]
        tokens = np.full((group["codebooks"], self.shape(group)[2]), -1, np.int64)
        for chunk, streams in self.chunks.items():
            a, b = self.frames(group, chunk)
            if self.lost.get(chunk, set()).isdisjoint(group["signals"]):
                tokens[:, a:b] = self.chunk_tokens(streams, chunk, number)
        return tokens

    def chunk_tokens(self, streams: dict[tuple[int, int], bytes], chunk: int, number: int) -> np.ndarray:
        """Tokens of a group in a chunk; those that they refer to are read for each anew."""
        group, stream = self.head["groups"][number], streams[TOKENS, number]
        a, b = self.frames(group, chunk)
        if stream[0] != 3:
            return read_tokens(stream, group["codebooks"], b - a, self.codec(group)["codebook_size"])
        need(self.prior is not None, "a prior is needed")
        known = [self.chunk_tokens(streams, chunk, other) for other in groups_leaned_on(stream[1:])]
        return read_in_context(stream[1:], group["codebooks"], b - a, self.prior, known)

    @cached_property
    def knots(self) -> dict[int, np.ndarray]:
        """Scale and offset codes (2 x knots) of signals with adaptive scaling (6.4); 0 where they are lost."""
        groups = [group for group in self.head["groups"] if self.codec(group)["scaling"] == "adaptive"]
        owners = [(signal, group) for group in groups for signal in group["signals"]]
        codes = {s: np.zeros((2, self.shape(g)[1] // self.codec(g)["knot_spacing"] + 2), np.int64) for s, g in owners}
        for chunk, streams in self.chunks.items() if owners else ():
            if (KNOTS, 0) not in streams:
                continue
            ranges = [self.knot_range(group, chunk) for _, group in owners]
            count, stream = 2 * sum(b - a for a, b in ranges), streams[KNOTS, 0]
            steps = from_planes(unzstd(stream[1:], 4 * count), stream[0], count)
            for kind in range(2):
                for (signal, _), (a, b) in zip(owners, ranges, strict=True):
                    codes[signal][kind, a:b], steps = np.cumsum(steps[: b - a]), steps[b - a :]
        return codes

    def exact(self, signal: int) -> np.ndarray:
        """Samples of an exact signal; 0 where they are lost."""
        each = self.head["signals"][signal]["samples_per_record"]
        samples = np.zeros(self.head["n_records"] * each, np.int64)
        for chunk in self.chunks if each else ():
            a, b = (record * each for record in self.records(chunk))
            if signal in self.lost.get(chunk, ()):
                continue
            samples[a:b] = self.exact_chunk(chunk, signal, ())
        return samples

    def exact_chunk(self, chunk: int, signal: int, above: tuple[int, ...]) -> np.ndarray:
        """Samples of an exact signal in a chunk, for the signals `above` that are predicted from it (6.3)."""
        if (chunk, signal) not in self.known:
            entry, stream = self.head["signals"][signal], self.chunks[chunk][EXACT, signal]
            count = (self.records(chunk)[1] - self.records(chunk)[0]) * entry["samples_per_record"]
            if stream[0] in (3, 4):
                need(self.head.get("predicted") is True and signal not in above, "prediction")
                need(stream[0] == 3 or self.head.get("level", 6) < 6, "prediction by blocks")
                others = references_of(stream[1:])[0]
                rows = [self.exact_chunk(chunk, other, (*above, signal)) for other in others]
                samples = predicted_once(stream, count, rows)
            else:
                samples = read_exact(stream, count, self.head["sample_bytes"])
            self.known[chunk, signal] = samples
        return self.known[chunk, signal]

    def curves(self, group: dict, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Scale s(m) and offset o(m) at every model sample of one of a group's signals (9)."""
        m, spacing = np.arange(self.shape(group)[1]), self.codec(group)["knot_spacing"]
        if self.codec(group)["scaling"] == "fixed":
            return np.full(len(m), group["ranges"][place]), np.zeros(len(m))
        scales, offsets = self.knots[group["signals"][place]]
        knots = np.stack([np.ldexp(ROOTS[scales % 4], scales // 4), offsets * group["ranges"][place]])
        k, t = m // spacing, m % spacing / spacing
        s, o = knots[:, k] + (knots[:, k + 1] - knots[:, k]) * t
        return s, o

    @cached_property
    def owners(self) -> dict[int, tuple[int, int]]:
        """The group of every coded signal and its place there (4)."""
        owners = {}
        for number, group in enumerate(self.head["groups"]):
            name, styles = self.codec(group)["name"], group.get("styles", [])
            single = name in ("dac-sc", "biocodec") and len(group["signals"]) == 1
            apart = len(styles) == 1 or (len(set(styles)) == len(styles) and 0 not in styles)
            need(single or (name == "dac-mc" and len(styles) == len(group["signals"]) and apart), "signals of a group")
            owners |= {signal: (number, place) for place, signal in enumerate(group["signals"])}
        return owners

    def coded(self, signal: int, network: Network) -> tuple[np.ndarray, np.ndarray]:
        """Restored samples of a signal in a group, and the scale at each (9)."""
        number, place = self.owners[signal]
        group = self.head["groups"][number]
        n, codec = self.shape(group)[0], self.codec(group)
        need((network.digest, network.kind) == (codec["digest"], codec["name"]), "another checkpoint")
        if n == 0:
            return np.zeros(0, np.int64), np.zeros(0)
        from second_synthesis import resample

        x, s = self.mixed(number, network) if number in self.mixtures else self.waveform(number, place, network)
        x = resample(x, group["down"], group["up"], n) + group["centres"][place]
        samples = np.rint(x).astype(np.int64).clip(group["lowest"][place], group["highest"][place])
        return samples, s[np.arange(n) * group["up"] // group["down"]]

    def waveform(self, number: int, place: int, network: Network) -> tuple[np.ndarray, np.ndarray]:
        """What a group's tokens make of its signal, or of its component, and the scale, at every model sample (9)."""
        group = self.head["groups"][number]
        codec = self.codec(group)
        (s, o), half = self.curves(group, place), codec["hop"] // 2
        style = group["styles"][place] if codec["name"] == "dac-mc" and network.styled else None
        if group["signals"][place] in self.refined:
            wave = network.sounded(self.together(number, network))
        else:
            wave = network.waveform(self.tokens(number), style)
        return wave[half : half + self.shape(group)[1]] * s + o, s

    @cached_property
    def refined(self) -> set[int]:
        """Signals whose bits are set in the summary (7, 9.1)."""
        bits = (self.summary or {}).get("refined", b"")
        found = {i for i in range(8 * len(bits)) if bits[i // 8] >> i % 8 & 1}
        coded = {s for group in self.head["groups"] if self.codec(group).get("joint") for s in group["signals"]}
        need(found <= coded, "a refined signal without a joint decoder")
        return found

    def together(self, number: int, network: Network) -> torch.Tensor:
        """Latents of a group, refined by those of its joint set (9.1)."""
        groups, wanted = self.head["groups"], self.head["groups"][number]

        def kind(group: dict) -> tuple:
            samples = self.head["signals"][group["signals"][0]]["samples_per_record"]
            return group["codec"], samples, group["up"], group["down"], group["codebooks"]

        alike = [i for i, group in enumerate(groups) if kind(group) == kind(wanted)]
        rate = self.head["signals"][wanted["signals"][0]]["sample_rate"] or 1
        most = min(64, max(1, int(2**23 / (60 * rate))))
        run = alike.index(number) // most * most
        members = alike[run : run + most]
        import torch

        if tuple(members) not in self.known:
            tokens = [self.tokens(i) for i in members]
            q = np.stack([network.latents(part, None)[0].numpy().T for part in tokens])
            k = np.stack([(part != ABSENT).sum(axis=0) for part in tokens])
            self.known[tuple(members)] = network.joint.windows(q, k).transpose(0, 2, 1)
        return torch.from_numpy(self.known[tuple(members)][members.index(number)][None]).float()

    @cached_property
    def mixtures(self) -> dict[int, tuple[dict, int]]:
        """The mixture of every group that is in one, and its place there (4)."""
        return {g: (entry, i) for entry in self.head.get("mixtures", []) for i, g in enumerate(entry["groups"])}

    def mixed(self, number: int, network: Network) -> tuple[np.ndarray, np.ndarray]:
        """A signal of a mixture, and what its tolerance is measured by, at every model sample (4.1, 9)."""
        entry, place = self.mixtures[number]
        parts = [self.waveform(group, 0, network) for group in entry["groups"]]
        weights = entry["gains"][place] * rotation(entry["matrix"], len(parts))[place]
        waves, scales = (np.stack(rows) for rows in zip(*parts, strict=True))
        return weights @ waves, np.sqrt(weights**2 @ scales**2)

    def lines(self) -> dict[int, list[tuple[slice, np.ndarray, int, int]]]:
        """Lines of the signals that have some, chunk by chunk: place, samples, and the range of the original (6.10)."""
        found: dict[int, list[tuple[slice, np.ndarray, int, int]]] = {}
        for number, entry in enumerate(self.head.get("line_sets", [])):
            each = self.head["signals"][entry["signals"][0]]["samples_per_record"]
            for chunk, streams in self.chunks.items():
                if (LINES, number) not in streams:
                    continue
                p, q = (record * each for record in self.records(chunk))
                rows = lines_of_chunk(streams[LINES, number], entry, p, q).astype(np.int64)
                columns = (entry["signals"], rows, entry["lowest"], entry["highest"])
                for signal, row, low, high in zip(*columns, strict=True):
                    found.setdefault(signal, []).append((slice(p, q), row, low, high))
        return found

    def with_lines(self, samples: list[np.ndarray]) -> None:
        """Put the lines back into the samples of all signals (9)."""
        for signal, parts in self.lines().items():
            for part, row, low, high in parts:
                samples[signal][part] = (samples[signal][part] + row).clip(low, high)

    def signals(self, network: Network | None = None) -> list[np.ndarray]:
        """Digital samples of every signal; 0 where they are lost."""
        signals = [
            self.coded(i, network)[0] if i in self.owners else self.exact(i) for i in range(len(self.head["signals"]))
        ]
        self.with_lines(signals)
        for chunk, lost in self.lost.items():
            for signal in lost:
                each = self.head["signals"][signal]["samples_per_record"]
                a, b = (record * each for record in self.records(chunk))
                signals[signal][a:b] = 0
        return signals

    def recording(self, network: Network | None = None) -> bytes:
        """The EDF or BDF file: header, records, trailing bytes."""
        n = self.head["n_records"]
        rows = np.concatenate([s.reshape(n, -1) for s in self.signals(network) if s.size] or [np.zeros((0, 0))], axis=1)
        raw = rows.astype("<i4")[..., None].view(np.uint8)[..., : self.head["sample_bytes"]]
        raw = raw.reshape(n, -1)
        say_what_is_lost(self.head, raw, self.lost)
        return self.head["edf_header"] + raw.tobytes() + self.tail
