"""Opening files for reading, with a sentence for each way in which that fails."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from eegzip.formats.errors import BadInputError


def open_for_reading(path: str | Path) -> BinaryIO:
    """Open a file in binary mode.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    binary file

    Raises
    ------
    BadInputError
        It does not exist, is a folder or a pipe, or may not be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise BadInputError(f"{path} is a folder, not a file; name a file in it.")
        file = path.open("rb")
    except FileNotFoundError:
        raise BadInputError(f"{path} does not exist; check the name.") from None
    except PermissionError:
        raise BadInputError(f"{path} may not be read (permission denied); change its permissions or user.") from None
    except OSError as error:
        raise BadInputError(f"{path} can't be opened ({error.strerror or error}).") from error
    if not file.seekable():
        file.close()
        raise BadInputError(f"{path} is a pipe or a device, not a file; save it to a file first.")
    return file
