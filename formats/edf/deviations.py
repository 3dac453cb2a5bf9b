"""Deviations: where a file is readable but not to the letter of the specification."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from eegzip.formats.errors import EdfError


@dataclass(frozen=True)
class Deviation:
    """One place where a file departs from the EDF, EDF+ or BDF specification and was read all the same.

    Attributes
    ----------
    offset : int
        Byte offset in the file of the first field concerned.
    field : str
        Name of the header field, or of the part of the file.
    message : str
        One sentence for a person.
    """

    offset: int
    field: str
    message: str

    def to_dict(self) -> dict[str, int | str]:
        """Return the deviation as plain JSON types.

        Returns
        -------
        dict
            Keys ``offset``, ``field`` and ``message``.
        """
        return {"offset": self.offset, "field": self.field, "message": self.message}

    def __str__(self) -> str:
        return f"byte {self.offset}: {self.message}"


def refusal(name: str, offset: int, field_name: str, message: str) -> EdfError:
    """Build the error for something that can't be read without guessing.

    Parameters
    ----------
    name : str
        Name of the file, for the sentence.
    offset : int
        Byte offset of the field.
    field_name : str
        Name of the field.
    message : str
        What is wrong and, where there is one, the remedy.

    Returns
    -------
    EdfError
        Ready to be raised.
    """
    return EdfError(f"{name}: byte {offset}, {field_name}: {message}")


@dataclass
class _Group:
    offset: int
    example: str
    places: int = 0
    named: list[int] = field(default_factory=list)


class Notes:
    """Collects deviations, one per field and kind: 64 labels padded with NUL bytes are one sentence, not 64.

    Parameters
    ----------
    plural : str
        What the numbered places are called ("signals" in a header, "records" in the data part).
    subject : str
        How a sentence begins, with the name of the field for ``{}``.
    """

    _NAMED = 4

    def __init__(self, plural: str = "signals", subject: str = "the field '{}'") -> None:
        self._plural = plural
        self._subject = subject
        self._groups: dict[tuple[str, str], _Group] = {}

    def add(self, field_name: str, offset: int, message: str, *, place: int | None = None, example: str = "") -> None:
        """Note one deviation, joining it to an earlier one of the same field and message.

        Parameters
        ----------
        field_name : str
            Name of the field.
        offset : int
            Its byte offset.
        message : str
            What is wrong with the field, as a predicate ("is blank").
        place : int, optional
            Number of the signal or record concerned.
        example : str, optional
            What was found; only the first is kept.
        """
        group = self._groups.setdefault((field_name, message), _Group(offset, example))
        if place is not None:
            group.places += 1
            if len(group.named) < self._NAMED:
                group.named.append(place)

    def __iter__(self) -> Iterator[Deviation]:
        for (field_name, message), group in sorted(self._groups.items(), key=lambda item: item[1].offset):
            text = f"{self._subject.format(field_name)} {message}"
            if group.example:
                text += f" (found {group.example})"
            if group.places:
                text += f"; {self._plural} {', '.join(map(str, group.named))}"
                if group.places > len(group.named):
                    text += f" and {group.places - len(group.named)} more"
            yield Deviation(group.offset, field_name, text)
