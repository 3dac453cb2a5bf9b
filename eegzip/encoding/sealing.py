"""Sealing that a user asks for: what of a file, and by which key; checked before anything is read."""

from __future__ import annotations

from eegzip.formats.eegz.keys import AnyKey, Key
from eegzip.formats.errors import UsageError
from eegzip.formats.extras import require

SEALED = ("identity", "all")
"""What of a file may be sealed."""


def sealing_key(encrypt: str | None, key: AnyKey | None, *, anonymize: bool = False) -> Key | None:
    """The key by which a file is to be sealed, or ``None`` where nothing is.

    Raises
    ------
    UsageError
        Key and wish don't fit together, or a package is missing.
    BadInputError
        The key file can't be read, or holds none.
    """
    if encrypt is None:
        if key is not None:
            raise UsageError("a key seals nothing by itself; say what is sealed: --encrypt identity or all (encrypt=).")
        return None
    if encrypt not in SEALED:
        raise UsageError(f"'{encrypt}' can't be sealed; --encrypt takes {' or '.join(SEALED)}.")
    if key is None:
        raise UsageError("sealing takes a key: a key file or a pass phrase (--key-file, --passphrase-file; key=).")
    if anonymize and encrypt == "identity":
        raise UsageError("--anonymize takes away what --encrypt identity would seal; leave one of them out.")
    require("encrypt", "cryptography", what="sealing needs")
    return Key.of(key)
