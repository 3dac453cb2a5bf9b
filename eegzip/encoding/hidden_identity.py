"""A recording without what tells whose it is, and what a file of it seals: ``compress --encrypt identity``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from eegzip.anonymising import to_look_at
from eegzip.encoding.statistics import trailing_pieces
from eegzip.formats.edf import EdfFile, EdfWriter
from eegzip.formats.edf.annotations import text_signals
from eegzip.formats.edf.anonymous_header import anonymous_header, at_midnight
from eegzip.formats.edf.anonymous_texts import rewrite_texts
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.identity import Identity, IdentityWriter
from eegzip.formats.eegz.keys import Key
from eegzip.formats.eegz.seals import Seals
from eegzip.formats.errors import UsageError
from eegzip.formats.files import atomic_output, sha256_of
from eegzip.formats.remote.spooled import named_as

_SEALED = (
    "sealed are the fields of patient and recording, date and time, the texts of annotations, and what follows the "
    "last record; samples and the texts of signals are not"
)


class HiddenIdentity:
    """What tells whose a recording is.

    Parameters
    ----------
    file : EdfFile
        The recording.
    copy : Path
        The recording without that.
    key : Key
    notes : tuple of str
        What stays open, and a person should look at.
    """

    def __init__(self, file: EdfFile, copy: Path, key: Key, notes: tuple[str, ...]) -> None:
        self._file, self._key = file, key
        self.copy, self.notes = copy, notes
        self._digest = sha256_of(file.path)
        self._texts = text_signals(file.header)

    @property
    def original_bytes(self) -> int:
        """Of the recording."""
        return self._file.file_size

    def writer(self, header: FileHeader) -> IdentityWriter:
        """What seals it in a new file whose header this is."""

        def texts(chunk: int) -> dict[int, np.ndarray]:
            first, stop = header.records_of_chunk(chunk)
            lengths = {index: header.signals[index].samples_per_record for index in self._texts}
            return {
                index: self._file.read_signal(index, first * length, stop * length) for index, length in lengths.items()
            }

        identity = Identity(
            edf_header=self._file.header.raw,
            source_sha256=self._digest,
            deviations=tuple(str(deviation) for deviation in self._file.deviations),
            trailing_bytes=self._file.trailing_size,
            signals=self._texts,
        )
        return IdentityWriter(Seals.new(self._key), identity, texts, trailing_pieces(self._file))

    def refuse_changed(self) -> None:
        """Refuse a recording that is not what it was; raises :class:`~eegzip.EdfError`."""
        self._file.refuse_changed()
        if sha256_of(self._file.path) != self._digest:
            raise self._file.changed()


@contextmanager
def hidden_identity(source: Path, key: Key) -> Iterator[HiddenIdentity]:
    """Yield what a recording hides, beside a copy without it that goes at the end of the block.

    It is as :func:`eegzip.anonymize` makes it, but without the time of day and the texts of annotations, which come
    back with the key. Texts on transducers stay, as they tell what is EEG.

    Raises
    ------
    UsageError
        It can't be told apart so.
    """
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder, EdfFile.open(source) as file:
        copy = Path(folder) / "unnamed"
        nameless = anonymous_header(file.header, shift_days=None, keep=(), name=str(source))
        header = at_midnight(nameless.header)
        with atomic_output(copy, overwrite=False, source=source) as output:
            writer = EdfWriter(output)
            writer.write_header(header.raw)
            for _, block in file.blocks():
                writer.write_records(rewrite_texts(block, file.header, lambda _: b""))
        copy.touch()  # the time of the source may tell the day
        with EdfFile.open(copy) as open_part:
            same = [signal.samples_per_record for signal in open_part.header.signals] == [
                signal.samples_per_record for signal in file.header.signals
            ]
            if not same or open_part.n_records != file.n_records or len(header.raw) != len(file.header.raw):
                raise UsageError(
                    f"{source}: strays so far from EDF that its identity can't be told apart; seal all of it: "
                    "--encrypt all."
                )
        with named_as(copy, str(source)):
            looks = tuple(f"look at this: {what}" for what in to_look_at(nameless, {}))
            yield HiddenIdentity(file, copy, key, (_SEALED, *looks))
