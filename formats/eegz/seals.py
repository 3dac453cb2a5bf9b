"""Seals: bytes under AES-256-GCM with a key of the file's own, each bound to its place (SPEC.md, section 15)."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from typing import Any

from eegzip.formats.eegz.fields import Fields
from eegzip.formats.eegz.keys import COST, KEY_BYTES, MAX_COST, MAX_STRETCHING, MIN_COST, SALT_BYTES, AnyKey, Key
from eegzip.formats.errors import ContainerError, SealedError
from eegzip.formats.extras import imported

TAG_BYTES = 16
FILE, IDENTITY, TEXT, TAIL = b"FILE", b"HIDE", b"TEXT", b"TAIL"
"""Kinds of places: a segment of a file that is sealed as a whole, what identifies a recording, the texts of a chunk,
and pieces of what follows the last data record."""

MAX_SLOTS = 8
_NONCE_BYTES = 12
_WRAPPED_BYTES = _NONCE_BYTES + KEY_BYTES + TAG_BYTES
_NAME = b"eegzip 1.7"
_INDEX = struct.Struct("<Q")


def _gcm(key: bytes) -> Any:
    return imported("encrypt", "cryptography.hazmat.primitives.ciphers.aead").AESGCM(key)


def _invalid_tag() -> type[Exception]:
    found: type[Exception] = imported("encrypt", "cryptography.exceptions").InvalidTag
    return found


@dataclass(frozen=True)
class Slot:
    """The file's key, wrapped for one key that opens it.

    Parameters
    ----------
    passphrase : bool
        Whether a pass phrase opens it.
    salt : bytes
    cost : int
        Of stretching; 0 where there is none.
    wrapped : bytes
    """

    passphrase: bool
    salt: bytes
    cost: int
    wrapped: bytes


@dataclass(frozen=True)
class Lock:
    """What a file says in the open about how it is sealed.

    Parameters
    ----------
    file : bytes
        Identity of the file's seals.
    slots : tuple of Slot
        Each opens it.
    """

    file: bytes
    slots: tuple[Slot, ...]

    def fields(self) -> dict[str, Any]:
        """As a map of a block."""
        slots = []
        for slot in self.slots:
            kind = "passphrase" if slot.passphrase else "key"
            cost = {"cost": slot.cost} if slot.passphrase else {}
            slots.append({"kind": kind, "salt": slot.salt, **cost, "wrapped": slot.wrapped})
        return {"file": self.file, "slots": slots}

    @classmethod
    def read(cls, fields: Fields) -> Lock:
        """Take it from a map.

        Raises
        ------
        ContainerError
            A field is missing, of the wrong type or out of range.
        """
        slots = []
        for item in fields.maps("slots", MAX_SLOTS):
            kind = item.text("kind")
            if kind not in ("passphrase", "key"):
                continue  # of a later version; another slot may do
            cost = item.integer("cost", MIN_COST, MAX_COST) if kind == "passphrase" else 0
            salt, wrapped = item.binary("salt"), item.binary("wrapped")
            if len(salt) != SALT_BYTES or len(wrapped) != _WRAPPED_BYTES:
                raise ContainerError("the lock has a salt or a wrapped key of another length than it must have.")
            slots.append(Slot(kind == "passphrase", salt, cost, wrapped))
        if sum(1 << slot.cost for slot in slots if slot.passphrase) > MAX_STRETCHING:
            raise ContainerError("the lock asks for more stretching of pass phrases than it may.")
        file = fields.binary("file")
        if len(file) != SALT_BYTES:
            raise ContainerError("the lock has no identity of 16 bytes.")
        return cls(file, tuple(slots))

    def opened(self, key: AnyKey, name: object) -> Seals:
        """Open it.

        Parameters
        ----------
        key : str, bytes, path-like or Key
        name : object
            Of the file, for errors.

        Raises
        ------
        SealedError
            It is not the key of this file, or the lock was changed.
        """
        own = Key.of(key)
        tried = [slot for slot in self.slots if slot.passphrase == own.passphrase]
        for slot in tried:
            nonce, wrapped = slot.wrapped[:_NONCE_BYTES], slot.wrapped[_NONCE_BYTES:]
            try:
                secret = _gcm(own.stretched(slot.salt, slot.cost)).decrypt(nonce, wrapped, _NAME + self.file)
            except _invalid_tag():
                continue
            return Seals(self, secret)
        wanted = " or ".join(sorted({"a pass phrase" if slot.passphrase else "a key file" for slot in self.slots}))
        given = "pass phrase" if own.passphrase else "key"
        raise SealedError(
            f"{name}: the {given} does not open it"
            + (f"; it takes {wanted}." if not tried and wanted else ". It is another file's, or the file was changed.")
        )


class Seals:
    """Seals and opens bytes of one file, by its own key.

    Parameters
    ----------
    lock : Lock
    secret : bytes
        The file's key.
    """

    def __init__(self, lock: Lock, secret: bytes) -> None:
        self.lock = lock
        self._gcm = _gcm(secret)
        self._sealed: set[bytes] = set()

    @classmethod
    def new(cls, key: AnyKey) -> Seals:
        """Those of a new file, which a key will open."""
        own, file, salt = Key.of(key), secrets.token_bytes(SALT_BYTES), secrets.token_bytes(SALT_BYTES)
        secret, nonce, cost = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(_NONCE_BYTES), COST * own.passphrase
        wrapped = nonce + _gcm(own.stretched(salt, cost)).encrypt(nonce, secret, _NAME + file)
        return cls(Lock(file, (Slot(own.passphrase, salt, cost, wrapped),)), secret)

    def seal(self, kind: bytes, index: int, data: bytes, beside: bytes = b"") -> bytes:
        """Seal what belongs to a place, once: the place is the nonce.

        Parameters
        ----------
        kind : bytes
            :data:`FILE`, :data:`IDENTITY`, :data:`TEXT` or :data:`TAIL`.
        index : int
            Which of its kind.
        data : bytes
        beside : bytes
            What the seal vouches for, besides.

        Returns
        -------
        bytes
            16 more than `data`.
        """
        nonce = kind + _INDEX.pack(index)
        if nonce in self._sealed:
            raise ValueError("a place is sealed twice")
        self._sealed.add(nonce)
        sealed: bytes = self._gcm.encrypt(nonce, data, self._vouched(nonce, beside))
        return sealed

    def open(self, kind: bytes, index: int, sealed: bytes, beside: bytes = b"") -> bytes:
        """Open what :meth:`seal` sealed.

        Raises
        ------
        ContainerError
            It was changed, or belongs to another place or file.
        """
        nonce = kind + _INDEX.pack(index)
        try:
            data: bytes = self._gcm.decrypt(nonce, sealed, self._vouched(nonce, beside))
        except _invalid_tag():
            raise ContainerError("what is sealed there was changed, or belongs elsewhere.") from None
        return data

    def _vouched(self, nonce: bytes, beside: bytes) -> bytes:
        return _NAME + self.lock.file + nonce + beside
