"""Where output may go."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from eegzip.formats.errors import UsageError


def refuse_own_source(source: str | Path, target: str | Path) -> None:
    """Refuse to write over what is being read, which no option makes sensible.

    Raises
    ------
    UsageError
        Both are one file, by whatever names.
    """
    with suppress(OSError):  # one is not there, so they are two
        if Path(target).samefile(source):
            raise UsageError(f"{target} is the input itself; name another output.")
