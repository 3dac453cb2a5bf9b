"""The one exception family of eegzip.

Every error carries a sentence for a person: which file, which place in it, and what to do about it.
The command line turns :attr:`EegzipError.exit_code` into its exit status.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class EegzipError(Exception):
    """Base of everything that eegzip raises on purpose; its text is one sentence fit for a user."""

    exit_code = 1


class BadInputError(EegzipError, ValueError):
    """The data are bad: damaged, truncated, not of the format, or not readable without guessing."""


class EdfError(BadInputError):
    """An EDF or BDF file can't be read; the sentence names the byte offset and the header field."""


class ContainerError(BadInputError):
    """An ``.eegz`` file is damaged or asks for something this version does not know."""


class SealedError(BadInputError):
    """An ``.eegz`` file is sealed, and no key was given, or one that does not open it."""


class ModelError(BadInputError):
    """A checkpoint is missing, damaged or not the one that a file asks for."""


class OutOfMemoryError(BadInputError, MemoryError):
    """Reading a file takes more memory than there is, or than was allowed; also a ``MemoryError``."""


class UsageError(EegzipError, ValueError):
    """The caller asked for something that makes no sense (unknown channel, empty time range, bad option)."""

    exit_code = 2


class OutputExistsError(UsageError):
    """The output exists already and overwriting was not asked for."""


class OutputError(EegzipError, OSError):
    """The output could not be written (no space, no permission, no such folder)."""


@contextmanager
def naming_memory(path: object) -> Iterator[None]:
    """Make a ``MemoryError`` of the block an error with a sentence that names the file.

    Raises
    ------
    OutOfMemoryError
        There is not enough memory.
    """
    try:
        yield
    except OutOfMemoryError:
        raise
    except MemoryError as error:
        raise OutOfMemoryError(
            f"{path}: there is not enough memory to read it; read a part of it, or close other programs."
        ) from error
