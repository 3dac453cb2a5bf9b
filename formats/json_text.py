"""JSON of files that anybody may have written."""

from __future__ import annotations

import json
from typing import Any


def parsed(text: str | bytes) -> Any:
    """Return what a JSON text says.

    Raises
    ------
    ValueError
        It is no JSON, or lists lie within lists within thousands of lists, which :func:`json.loads` leaves to Python.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("lists within lists within lists") from error
