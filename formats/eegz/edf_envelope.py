"""The EDF header of the original recording, as a file stores it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eegzip.formats.edf import EdfHeader, parse_header
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.errors import ContainerError

if TYPE_CHECKING:
    pass


def stored_edf_header(header: FileHeader) -> EdfHeader:
    """Parse the EDF header that a file carries.

    Raises
    ------
    ContainerError
        It contradicts what the container says about it.
    """
    size = len(header.edf_header) + header.record_bytes * header.n_records + header.trailing_bytes
    edf = parse_header(header.edf_header, file_size=size, name="the stored EDF header")
    samples = [signal.samples_per_record for signal in edf.signals]
    if samples != [signal.samples_per_record for signal in header.signals] or edf.sample_bytes != header.sample_bytes:
        raise ContainerError("the stored EDF header contradicts the container's own.")
    return edf
