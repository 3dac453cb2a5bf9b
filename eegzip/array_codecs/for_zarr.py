"""A codec of zarr 3, from arrays to bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zarr.abc.codec import ArrayBytesCodec

from eegzip.formats.errors import ContainerError, UsageError
from eegzip.formats.packed_array import dumps, loads


@dataclass(frozen=True)
class EegzipCodec(ArrayBytesCodec):
    """Lossless compression of chunks of integers, as :func:`eegzip.dumps` does it; for ``serializer=``.

    It compresses, so ``compressors=None`` belongs beside it.

    Parameters
    ----------
    axis : int
        The axis of time.
    """

    is_fixed_size = False

    axis: int = -1

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EegzipCodec:
        """Make the codec that an array's metadata state."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """What an array's metadata state."""
        return {"name": "eegzip", "configuration": {"axis": self.axis}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, **_: Any) -> None:
        """Refuse arrays that hold other than integers, when they are made.

        Raises
        ------
        UsageError
        """
        kind = dtype.to_native_dtype().kind
        if kind not in "biu":
            raise UsageError("the codec 'eegzip' is for integers; take another one, or round and scale first.")
        if shape and not -len(shape) <= self.axis < len(shape):
            raise UsageError(f"an array of {len(shape)} dimensions has no axis {self.axis}.")

    async def _encode_single(self, chunk_array: Any, chunk_spec: Any) -> Any:
        data = await asyncio.to_thread(dumps, chunk_array.as_numpy_array(), axis=self.axis)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        values = await asyncio.to_thread(loads, chunk_bytes.to_bytes())
        dtype = chunk_spec.dtype.to_native_dtype()
        if values.dtype != dtype.newbyteorder(values.dtype.byteorder) or values.shape != tuple(chunk_spec.shape):
            raise ContainerError(f"a chunk holds {values.dtype} of {values.shape}, and not what the array states.")
        return chunk_spec.prototype.nd_buffer.from_numpy_array(values.astype(dtype, copy=False))

    def compute_encoded_size(self, input_byte_length: int, _chunk_spec: Any) -> int:
        """Not to be known beforehand; of codecs that are asked, zarr wants this error."""
        raise NotImplementedError
