"""Identity: what tells whose a recording is, sealed within a file of the rest of it (SPEC.md, section 15.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.fields import Fields
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.seals import IDENTITY, TAIL, TEXT, Lock, Seals
from eegzip.formats.eegz.tail import pack_tail
from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import MAX_OBJECTS, MAX_SIGNALS
from eegzip.formats.packing import pack_map, unpack_map
from eegzip.formats.predictive.fixed import encode_exact

LOCK, PIECE = b"\x00", b"\x01"
"""First byte of a SEAL block: the lock and the identity, or a piece of the trailing bytes."""
_SIGNALS = 1 << 16


@dataclass(frozen=True)
class Identity:
    """What a file of the recording without it hides.

    Parameters
    ----------
    edf_header : bytes
        The recording's own header; data records lie in it as in the open one.
    source_sha256 : str
        Digest of the whole recording, in hexadecimal.
    deviations : tuple of str
        Where the recording strays from the letter of EDF.
    trailing_bytes : int
        Bytes after the last complete record.
    signals : tuple of int
        Signals whose samples are sealed: those that hold text.
    """

    edf_header: bytes
    source_sha256: str
    deviations: tuple[str, ...]
    trailing_bytes: int
    signals: tuple[int, ...]

    @classmethod
    def read(cls, content: bytes, header: FileHeader) -> Identity:
        """Take it from what was sealed.

        Raises
        ------
        ContainerError
            A field is missing, of the wrong type or out of range.
        """
        fields = Fields(unpack_map(content, "the sealed identity"), "sealed identity")
        signals = fields.integers("signals", MAX_SIGNALS, 0, len(header.signals) - 1)
        if not set(signals) <= set(header.exact_signals()):
            raise ContainerError("the sealed identity names a signal that is not kept exactly.")
        edf_header = fields.binary("edf_header")
        if len(edf_header) != len(header.edf_header):
            raise ContainerError("the sealed header has another length than the open one.")
        return cls(
            edf_header=edf_header,
            source_sha256=fields.text("source_sha256"),
            deviations=fields.texts("deviations", MAX_OBJECTS),
            trailing_bytes=fields.integer("trailing_bytes", 0, 1 << 62),
            signals=signals,
        )


def place_of_text(chunk: int, signal: int) -> int:
    """Number of the place of a signal's samples in a chunk, for its seal."""
    return chunk * _SIGNALS + signal


def lock_of(payload: bytes) -> tuple[Lock, bytes] | None:
    """Lock and sealed identity of a SEAL block, or ``None`` where it holds something else.

    Raises
    ------
    ContainerError
        It is not what it must be.
    """
    if payload[:1] != LOCK:
        return None
    fields = Fields(unpack_map(payload[1:], "the lock"), "lock")
    return Lock.read(fields), fields.binary("sealed")


def opened_identity(seals: Seals, sealed: bytes, head: bytes, header: FileHeader) -> Identity:
    """Open the sealed identity; `head` is the payload of the header block, which it vouches for.

    Raises
    ------
    ContainerError
        It or the header block was changed.
    """
    return Identity.read(seals.open(IDENTITY, 0, sealed, hashlib.sha256(head).digest()), header)


class IdentityWriter:
    """Gives a writer the sealed parts of its file.

    Parameters
    ----------
    seals : Seals
        Of a new file.
    identity : Identity
    texts : callable
        ``texts(chunk)``: digital samples of the signals that are sealed, by signal, int32.
    trailing : iterable of bytes
        What follows the last complete record, in pieces as of TAIL blocks.
    """

    def __init__(
        self,
        seals: Seals,
        identity: Identity,
        texts: Callable[[int], Mapping[int, np.ndarray]],
        trailing: Iterable[bytes],
    ) -> None:
        self._seals, self._identity, self._texts, self._trailing = seals, identity, texts, trailing

    def lock(self, head: bytes, *, small: bool) -> bytes:
        """Payload of the SEAL block with the identity; `head` is that of the header block."""
        content = pack_map({**asdict(self._identity), "deviations": list(self._identity.deviations)}, small)
        sealed = self._seals.seal(IDENTITY, 0, content, hashlib.sha256(head).digest())
        return LOCK + pack_map({**self._seals.lock.fields(), "sealed": sealed}, small)

    def streams(self, chunk: int, width: int) -> dict[tuple[int, int], bytes]:
        """Sealed streams of a chunk; `width` is the bytes of a sample."""
        return {
            (StreamKind.SEALED_EXACT, signal): self._seals.seal(
                TEXT, place_of_text(chunk, signal), encode_exact(samples, width)
            )
            for signal, samples in self._texts(chunk).items()
        }

    def pieces(self) -> Iterator[bytes]:
        """Payloads of the SEAL blocks with the trailing bytes."""
        offset = 0
        for number, piece in enumerate(self._trailing):
            yield PIECE + self._seals.seal(TAIL, number, pack_tail(offset, piece))
            offset += len(piece)
