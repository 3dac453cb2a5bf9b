"""Labels of recordings: a CSV, or the participants.tsv of BIDS."""

from __future__ import annotations

import csv
from pathlib import Path, PurePath

from eegzip.formats.errors import BadInputError, UsageError

_OF_FILES = ("file", "filename", "path", "recording")
_OF_SUBJECTS = ("participant_id", "subject", "subject_id", "person")
_MISSING = ("", "n/a")


class Labels:
    """What a table says of recordings.

    Parameters
    ----------
    path : path-like
        CSV, or TSV by its ending or by tabs in its first line; UTF-8. A column ``file`` (``filename``, ``path``,
        ``recording``) holds names of files, with or without folders and endings, or a column ``participant_id``
        (``subject``, ``person``) subjects; with both, the latter says whose the files are.
    column : str, optional
        That of the labels; by default ``label``, or the only other one.

    Attributes
    ----------
    column : str

    Raises
    ------
    BadInputError
        It can't be read.
    UsageError
        It has no such columns, or names a file or subject twice with different labels.
    """

    def __init__(self, path: str | Path, column: str | None = None) -> None:
        self.path = Path(path)
        header, rows = self._read()
        lower = {name.strip().lower(): place for place, name in reversed(list(enumerate(header)))}
        file = next((lower[name] for name in _OF_FILES if name in lower), None)
        subject = next((lower[name] for name in _OF_SUBJECTS if name in lower), None)
        if file is None and subject is None:
            raise UsageError(
                f"{path} has no column of files or subjects ({', '.join(_OF_FILES + _OF_SUBJECTS)}); it has: "
                f"{', '.join(header)}."
            )
        self.column, place = self._column(header, column, {file, subject})
        self._by_file: dict[str, str] = {}
        self._subjects: dict[str, str] = {}
        self._by_subject: dict[str, str] = {}
        for row in rows:
            cells = [cell.strip() for cell in row] + [""] * (len(header) - len(row))
            if file is not None:
                name = _bare(cells[file])
                self._put(self._by_file, name, cells[place])
                if subject is not None:
                    self._subjects[name] = cells[subject]
            elif subject is not None:
                self._put(self._by_subject, _without_sub(cells[subject]), cells[place])

    def _read(self) -> tuple[list[str], list[list[str]]]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                first = file.readline()
                file.seek(0)
                tabs = self.path.suffix.lower() == ".tsv" or "\t" in first
                rows = [row for row in csv.reader(file, delimiter="\t" if tabs else ",") if any(row)]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise BadInputError(f"the labels {self.path} can't be read ({error}); check the name.") from error
        if len(rows) < 2:
            raise UsageError(f"the labels {self.path} have no rows below a header.")
        return [cell.strip() for cell in rows[0]], rows[1:]

    def _column(self, header: list[str], wanted: str | None, keys: set[int | None]) -> tuple[str, int]:
        others = [place for place in range(len(header)) if place not in keys]
        named = [place for place in others if header[place] == (wanted or "label")]
        chosen = named or ([] if wanted else others)
        if len(chosen) != 1:
            shown = ", ".join(header[place] for place in others) or "none"
            raise UsageError(
                f"{self.path} has {'no column' if wanted else 'several columns that may be labels, or none:'} "
                + (f"'{wanted}'; there are: {shown}." if wanted else f"{shown}; name one (label=, --label).")
            )
        return header[chosen[0]], chosen[0]

    def _put(self, table: dict[str, str], key: str, label: str) -> None:
        if table.setdefault(key, label) != label:
            raise UsageError(f"{self.path} has two labels for '{key}': {table[key]} and {label}.")

    def subject_of(self, path: PurePath) -> str | None:
        """Return the subject that the table names for a file; ``None`` where it names none."""
        key = self._key(path)
        return None if key is None else self._subjects.get(key) or None

    def of(self, path: PurePath, subject: str) -> str:
        """Return the label of a recording.

        Raises
        ------
        UsageError
            It has none.
        """
        if self._by_subject:
            label = self._by_subject.get(_without_sub(subject), "")
        else:
            key = self._key(path)
            label = "" if key is None else self._by_file[key]
        if label in _MISSING:
            raise UsageError(f"{self.path} has no label for {path} (subject {subject}); add it, or leave the file out.")
        return label

    def _key(self, path: PurePath) -> str | None:
        """The name by which the table knows a file: its last parts, without endings."""
        parts = _bare(path.as_posix()).split("/")
        names = ("/".join(parts[first:]) for first in range(len(parts)))
        found = next((name for name in names if name in self._by_file), None)
        if found is not None:
            return found
        # The table may be of other folders, where the name says it all.
        alike = [name for name in self._by_file if name.rpartition("/")[2] == parts[-1]]
        return alike[0] if len(alike) == 1 else None


def _bare(name: str) -> str:
    """A path without the endings of recordings, which change when they are compressed."""
    name = name.replace("\\", "/").removeprefix("./")
    for ending in (".eegz", ".edf", ".bdf"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name


def _without_sub(subject: str) -> str:
    return subject.removeprefix("sub-")
