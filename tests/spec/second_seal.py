"""Sealed parts, for the second reader: section 15 of SPEC.md, of which alone this was written."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from typing import Any
from zlib import crc32

import msgpack
from second_reader import EXACT, SecondReader, SpecError, block_at, blocks_by_index, integer, need, unmap, unzstd

SEALED_EXACT = 18


def slot_key(slot: dict[str, Any], key: str | bytes) -> bytes:
    """The key of a slot (15.1): scrypt of a pass phrase, or HKDF-SHA-256 of 32 bytes."""
    if isinstance(key, str):
        need(14 <= slot["cost"] <= 18, "cost")
        text = unicodedata.normalize("NFC", key).encode()
        return hashlib.scrypt(text, salt=slot["salt"], n=2 ** slot["cost"], r=8, p=1, maxmem=1 << 29, dklen=32)
    extracted = hmac.digest(slot["salt"], key, "sha256")
    return hmac.digest(extracted, b"eegzip 1.7 key\x01", "sha256")


class Seals:
    """Opens what a lock keeps (15.1, 15.2)."""

    def __init__(self, lock: dict[str, Any], key: str | bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.name = b"eegzip 1.7" + lock["file"]
        kind = "passphrase" if isinstance(key, str) else "key"
        slot = next(slot for slot in lock["slots"] if slot["kind"] == kind)
        wrapped = slot["wrapped"]
        need(len(wrapped) == 60 and len(lock["file"]) == len(slot["salt"]) == 16 and len(lock["slots"]) <= 8, "lock")
        self.gcm = AESGCM(AESGCM(slot_key(slot, key)).decrypt(wrapped[:12], wrapped[12:], self.name))

    def open(self, kind: bytes, index: int, sealed: bytes, beside: bytes = b"") -> bytes:
        """What is sealed at a place."""
        from cryptography.exceptions import InvalidTag

        nonce = kind + index.to_bytes(8, "little")
        try:
            return self.gcm.decrypt(nonce, sealed, self.name + nonce + beside)
        except InvalidTag:
            raise SpecError(f"{kind} {index} does not open") from None


def within(data: bytes, key: str | bytes) -> bytes:
    """The file within one that is sealed as a whole (15.4)."""
    header = data[16:48]
    need(header[:8] == b"\xe5BLKHEAD" and header[8] == 0x81 and data[10] == 7, "a file sealed as a whole")
    need(crc32(header[:28]) == integer(header[28:]), "block header")
    block = 32 + integer(header[16:24])
    payload, copy = data[48 : 16 + block], data[len(data) - block :]
    need(crc32(payload) == integer(header[24:28]), "lock")
    need(copy[32:] == payload and copy[12:16] == b"\1\0\0\0" and copy[8] == 0x81, "copy of the lock")
    seals = Seals(msgpack.unpackb(unzstd(payload, 1 << 26)), key)
    stored = data[16 + block : len(data) - block]
    segments = [stored[place : place + 65552] for place in range(0, len(stored), 65552)]
    last = len(segments) - 1
    return b"".join(seals.open(b"FILE", i, part, bytes([i == last])) for i, part in enumerate(segments))


class SealedReader(SecondReader):
    """A file whose identity is sealed, with the key (15.3)."""

    def __init__(self, data: bytes, key: str | bytes) -> None:
        super().__init__(data)
        need(self.head["sealed"] is True and not self.tail, "a sealed identity")
        blocks = blocks_by_index(data)
        head = block_at(data, 16, 0)[2]
        locks = [payload[1:] for kind, payload in blocks if kind == "SEAL" and payload[:1] == b"\0"]
        need(bool(locks), "no SEAL block")
        lock = unmap(locks[0])
        seals = Seals(lock, key)
        identity = unmap(seals.open(b"HIDE", 0, lock["sealed"], hashlib.sha256(head).digest()))
        need(len(identity["edf_header"]) == len(self.head["edf_header"]), "length of the header")
        for number, streams in self.chunks.items():
            for signal in identity["signals"]:
                need((SEALED_EXACT, signal) in streams, "a sealed stream is missing")
                place = number * 2**16 + signal
                streams[EXACT, signal] = seals.open(b"TEXT", place, streams[SEALED_EXACT, signal])
        pieces = [payload[1:] for kind, payload in blocks if kind == "SEAL" and payload[:1] == b"\1"]
        for number, sealed in enumerate(pieces):
            piece = seals.open(b"TAIL", number, sealed)
            need(integer(piece[:8]) == len(self.tail), "a hole in the trailing bytes")
            self.tail += unzstd(piece[8:], 1 << 22)
        need(len(self.tail) == identity["trailing_bytes"], "trailing bytes")
        self.head |= {name: identity[name] for name in ("edf_header", "source_sha256", "deviations", "trailing_bytes")}
