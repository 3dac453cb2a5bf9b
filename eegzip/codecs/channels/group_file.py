"""Files in which somebody wrote down groups of channels: text, a group a line, or JSON."""

from __future__ import annotations

import json
from pathlib import Path

from eegzip.formats.edf.label_patterns import split_patterns
from eegzip.formats.errors import UsageError
from eegzip.formats.json_text import parsed

_MAX_BYTES = 1 << 20


def read_groups(path: str | Path) -> list[tuple[str, list[str]]]:
    """Read the groups of a file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of tuple
        For each group where it stands ("groups.txt, line 3") and its labels.

    Raises
    ------
    UsageError
        The file can't be read, is no text, or names no group.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise UsageError(f"{path}: a file of groups is a short text, this one has more than {_MAX_BYTES} bytes.")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{path}: groups are 'manual', 'random', 'single' or a file, and this file can't be read "
            f"({error.strerror or error})."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is no UTF-8, so this is no file of groups.") from error
    groups = _from_json(path, text) if text.lstrip().startswith(("[", "{")) else _from_lines(path, text)
    if not groups:
        raise UsageError(f"{path}: no group is in this file; write one a line, labels separated by commas.")
    return groups


def _from_lines(path: str | Path, text: str) -> list[tuple[str, list[str]]]:
    groups = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if content:
            labels = split_patterns(content)
            if not all(labels):
                raise UsageError(f"{path}, line {number}: a label is missing beside a comma.")
            groups.append((f"{path}, line {number}", labels))
    return groups


def _from_json(path: str | Path, text: str) -> list[tuple[str, list[str]]]:
    try:
        content = parsed(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}, line {error.lineno}: {error.msg}; this is no JSON.") from error
    except ValueError as error:  # lists too deep, or a number of thousands of digits
        raise UsageError(f"{path}: {error}; groups are a list of lists of labels.") from error
    if not isinstance(content, list):
        raise UsageError(f"{path}, line 1: groups are a list of lists of labels, this is something else.")
    groups = []
    for number, group in enumerate(content, start=1):
        if not (isinstance(group, list) and group and all(isinstance(x, str) and x.strip() for x in group)):
            raise UsageError(f"{path}, group {number}: a group is a list of labels that is not empty.")
        groups.append((f"{path}, group {number}", [label.strip() for label in group]))
    return groups
