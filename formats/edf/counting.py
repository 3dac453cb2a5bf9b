"""Count of a file's data records, where header and file size disagree."""

from __future__ import annotations

from eegzip.formats.edf.deviations import Deviation
from eegzip.formats.edf.header import EdfHeader


def count_records(header: EdfHeader, file_size: int) -> tuple[int, tuple[Deviation, ...]]:
    """Decide how many data records a file has.

    With n the number of complete records that the file has room for:

    - declared equal to n: n.
    - declared -1 (EDF+ section 2.1.3 allows it only while recording), 0 or unreadable: n. The writer never
      came to fill the field in, so the size of the file is the only witness.
    - fewer present than declared: n. The file was cut.
    - more present than declared, and the file ends with a whole record: n. A writer was killed before it
      updated the count; junk would hardly be an exact number of records.
    - more present than declared otherwise: the declared count. The rest does not look like records.

    Every byte after the last record is trailing: kept, never interpreted.

    Parameters
    ----------
    header : EdfHeader
        The header.
    file_size : int
        Size of the whole file in bytes.

    Returns
    -------
    n_records : int
        Number of data records.
    deviations : tuple of Deviation
        What this says about the file.
    """
    found: list[Deviation] = []

    def note(message: str) -> None:
        found.append(Deviation(236, "number of data records", f"the field 'number of data records' {message}"))

    declared = header.declared_records
    data_bytes = file_size - len(header.raw)
    present, rest = divmod(data_bytes, header.record_bytes) if header.record_bytes else (0, data_bytes)
    n_records = present
    if declared is not None and declared != present:
        if declared <= 0:
            note(f"is {declared}; the file holds {present} complete data records")
        elif present < declared:
            note(f"is {declared}, but the file is truncated: it holds {present} complete data records")
        elif rest == 0:
            note(f"is {declared}, but the file holds exactly {present} data records")
        else:
            n_records = declared
            note(f"is {declared}; what follows is not a whole number of data records and is kept as trailing bytes")
    trailing_offset = len(header.raw) + n_records * header.record_bytes
    if trailing_offset < file_size:
        found.append(
            Deviation(
                trailing_offset, "trailing bytes", f"{file_size - trailing_offset} bytes follow the last data record"
            )
        )
    return n_records, tuple(found)
