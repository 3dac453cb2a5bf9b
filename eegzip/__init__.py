"""eegzip: EEG compression with neural codecs.

>>> import eegzip
>>> compressed = eegzip.compress("night.edf", "night.eegz")
>>> restored = eegzip.decompress("night.eegz", "back.edf")

Names are loaded when they are first used (PEP 562): importing eegzip costs no torch and little time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eegzip._version import __version__

if TYPE_CHECKING:
    from eegzip import models
    from eegzip.arrays import compress_array
    from eegzip.compression import compress
    from eegzip.decompression import decompress
    from eegzip.evaluation.evaluate import evaluate
    from eegzip.evaluation.report import EvaluationReport
    from eegzip.formats.eegz.token_stream import TokenStream, concatenate
    from eegzip.formats.errors import (
        BadInputError,
        ContainerError,
        EdfError,
        EegzipError,
        ModelError,
        OutputError,
        OutputExistsError,
        UsageError,
    )
    from eegzip.recording import Recording
    from eegzip.recording import Recording as open  # noqa: A004, N813 - reads as intended: eegzip.open(path)
    from eegzip.reports import CompressionReport, DecompressionReport, Verification
    from eegzip.training.api import TrainingReport, settings_for, train
    from eegzip.verification import verify

__all__ = [
    "BadInputError",
    "CompressionReport",
    "ContainerError",
    "DecompressionReport",
    "EdfError",
    "EegzipError",
    "EvaluationReport",
    "ModelError",
    "OutputError",
    "OutputExistsError",
    "Recording",
    "TokenStream",
    "TrainingReport",
    "UsageError",
    "Verification",
    "__version__",
    "compress",
    "compress_array",
    "concatenate",
    "decompress",
    "evaluate",
    "models",
    "open",
    "settings_for",
    "train",
    "verify",
]

_ERRORS = "eegzip.formats.errors"
_HOMES = {
    "CompressionReport": "eegzip.reports",
    "DecompressionReport": "eegzip.reports",
    "EvaluationReport": "eegzip.evaluation.report",
    "Recording": "eegzip.recording",
    "TokenStream": "eegzip.formats.eegz.token_stream",
    "TrainingReport": "eegzip.training.api",
    "Verification": "eegzip.reports",
    "compress": "eegzip.compression",
    "compress_array": "eegzip.arrays",
    "concatenate": "eegzip.formats.eegz.token_stream",
    "decompress": "eegzip.decompression",
    "evaluate": "eegzip.evaluation.evaluate",
    "settings_for": "eegzip.training.api",
    "train": "eegzip.training.api",
    "verify": "eegzip.verification",
    **{name: _ERRORS for name in __all__ if name.endswith("Error")},
}


def __getattr__(name: str) -> Any:
    if name == "models":
        return import_module("eegzip.models")
    if name == "open":
        return import_module("eegzip.recording").Recording
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'eegzip' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
