"""Keys of sealed files: a pass phrase, or 32 bytes that somebody keeps in a file (SPEC.md, section 15)."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, Union

from eegzip.formats.eegz.recent import Recent
from eegzip.formats.errors import BadInputError, UsageError
from eegzip.formats.extras import imported

KEY_BYTES = 32
SALT_BYTES = 16

MIN_COST, COST, MAX_COST = 14, 17, 18
"""Binary logarithm of scrypt's N: 2**17 takes 128 MiB and about half a second. What a file asks for beyond the last is
refused, so that none takes more than 256 MiB."""

MAX_STRETCHING = 1 << 19
"""Sum of N over a file's slots, of which all may have to be tried: two to three seconds of a core."""

_BLOCK, _PARALLEL = 8, 1
_INFO = b"eegzip 1.7 key"
_MAX_PASSPHRASE = 1 << 16
# A file is opened again and again, where a program has thousands at hand; by then the pass phrase was stretched.
_KEPT = 16


@dataclass(frozen=True)
class Key:
    """What opens a sealed file; its secret is in no representation of it.

    Parameters
    ----------
    passphrase : bool
        Whether it is a pass phrase, which has to be stretched.
    secret : bytes
    """

    passphrase: bool
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, key: AnyKey) -> Key:
        """Make a key of whatever stands for one.

        Parameters
        ----------
        key : str, bytes, path-like or Key
            A pass phrase (a str), the 32 bytes of a key, or a file that holds 32 bytes and nothing else.

        Raises
        ------
        UsageError
            It is empty, or of another length.
        BadInputError
            The file can't be read, or holds no key.
        """
        if isinstance(key, Key):
            return key
        if isinstance(key, str):
            # What looks the same is the same, whichever way a keyboard or a system composes letters.
            secret = unicodedata.normalize("NFC", key).encode("utf-8", "surrogatepass")
            if not 0 < len(secret) <= _MAX_PASSPHRASE:
                raise UsageError("a pass phrase has one character at least, and 64 kB at most; choose another.")
            if _names_file(key):
                raise UsageError("that pass phrase is the name of a file; a key file is given as a Path: key=Path(...)")
            return cls(True, secret)
        if isinstance(key, os.PathLike):
            return cls(False, _key_of_file(Path(key)))
        if len(key) != KEY_BYTES:
            raise UsageError(f"a key has {KEY_BYTES} bytes, and not {len(key)}; a pass phrase is a str.")
        return cls(False, bytes(key))

    def stretched(self, salt: bytes, cost: int) -> bytes:
        """The 32 bytes that open a file's own key.

        Parameters
        ----------
        salt : bytes
        cost : int
            Binary logarithm of scrypt's N, with a pass phrase.
        """
        return _made.get((self, salt, cost), _stretch)


def _names_file(text: str) -> bool:
    with suppress(OSError, ValueError):  # what no file can be called
        return Path(text).is_file()
    return False


AnyKey: TypeAlias = Union[str, bytes, "os.PathLike[str]", Key]
"""A pass phrase, the bytes of a key, or the file that holds them."""

_made: Recent[tuple[Key, bytes, int], bytes] = Recent(_KEPT)


def _stretch(how: tuple[Key, bytes, int]) -> bytes:
    key, salt, cost = how
    kdf = "cryptography.hazmat.primitives.kdf"
    if key.passphrase:
        scrypt = imported("encrypt", f"{kdf}.scrypt").Scrypt
        made: bytes = scrypt(salt=salt, length=KEY_BYTES, n=1 << cost, r=_BLOCK, p=_PARALLEL).derive(key.secret)
        return made
    hashes = imported("encrypt", "cryptography.hazmat.primitives.hashes")
    hkdf = imported("encrypt", f"{kdf}.hkdf").HKDF
    found: bytes = hkdf(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, info=_INFO).derive(key.secret)
    return found


def _key_of_file(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise BadInputError(f"{path} is no key file; 'eegzip keygen -o FILE' makes one.")
        with path.open("rb") as file:
            secret = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise BadInputError(f"the key file {path} can't be read ({error.strerror}); check the name.") from error
    if len(secret) != KEY_BYTES:
        raise BadInputError(
            f"{path} is no key file: it has not {KEY_BYTES} bytes. 'eegzip keygen -o FILE' makes one; a file with a "
            "pass phrase is named with --passphrase-file."
        )
    return secret
