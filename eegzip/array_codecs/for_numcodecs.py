"""A codec of numcodecs, for zarr 2 and for arrays of format 2 in zarr 3."""

from __future__ import annotations

from typing import Any

import numcodecs
import numcodecs.compat
from numcodecs.abc import Codec

from eegzip.formats.packed_array import dumps, loads


class Eegzip(Codec):
    """Lossless compression of chunks of integers, as :func:`eegzip.dumps` does it; for ``compressor=``.

    Parameters
    ----------
    axis : int
        The axis of time.

    Examples
    --------
    >>> import numpy as np
    >>> from eegzip.array_codecs.for_numcodecs import Eegzip
    >>> codec, samples = Eegzip(axis=0), np.arange(600, dtype="<i2").reshape(200, 3)
    >>> bool((codec.decode(codec.encode(samples)) == samples.reshape(-1)).all())
    True
    """

    codec_id = "eegzip"

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def encode(self, buf: Any) -> bytes:
        """Pack a chunk of integers.

        Raises
        ------
        UsageError
            It holds other than integers.
        """
        array = numcodecs.compat.ensure_ndarray(buf)
        axis = self.axis
        if array.flags.f_contiguous and not array.flags.c_contiguous:
            # As it lies in memory, which is what comes back.
            array, axis = array.T, array.ndim - 1 - axis % array.ndim
        return dumps(array, axis=axis if array.ndim else -1)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Unpack a chunk: its values as they lay in memory, shape (values,).

        Raises
        ------
        ContainerError
            It is damaged.
        """
        values = loads(numcodecs.compat.ensure_bytes(buf)).reshape(-1)
        return numcodecs.compat.ndarray_copy(values, out) if out is not None else values

    def get_config(self) -> dict[str, Any]:
        """What is stored with the array."""
        return {"id": self.codec_id, "axis": self.axis}
