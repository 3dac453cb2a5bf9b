"""eegzip: EEG compression with neural codecs.

>>> import eegzip
>>> compressed = eegzip.compress("night.edf", "night.eegz")
>>> restored = eegzip.decompress("night.eegz", "back.edf")

Names are loaded when they are first used (PEP 562): importing eegzip costs no torch and little time. The list below is
all that is public; ``__init__.pyi`` shows it to type checkers.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from eegzip._version import __version__ as __version__

# By the module that a name comes from; ``open`` is a name for Recording.
_PUBLIC = {
    "eegzip.anonymising": ("AnonymizationReport", "anonymize"),
    "eegzip.arrays": ("compress_array",),
    "eegzip.batches.batch": ("BatchReport", "batch"),
    "eegzip.batches.overview.overview": ("OverviewReport", "overview"),
    "eegzip.bids": ("compress_bids", "restore_bids"),
    "eegzip.compression": ("compress",),
    "eegzip.decompression": ("decompress",),
    "eegzip.evaluation.evaluate": ("evaluate",),
    "eegzip.evaluation.page.content": ("report",),
    "eegzip.evaluation.plot.plot": ("plot",),
    "eegzip.evaluation.report": ("EvaluationReport",),
    "eegzip.formats.eegz.token_stream": ("TokenStream", "concatenate"),
    "eegzip.formats.errors": (
        "BadInputError",
        "ContainerError",
        "EdfError",
        "EegzipError",
        "ModelError",
        "OutOfMemoryError",
        "OutputError",
        "OutputExistsError",
        "SealedError",
        "UsageError",
    ),
    "eegzip.formats.packed_array": ("dumps", "loads"),
    "eegzip.probing.examples": ("LabelledTokens",),
    "eegzip.probing.probe": ("ProbeReport", "probe"),
    "eegzip.probing.training": ("HeadSettings",),
    "eegzip.recording": ("Recording", "open"),
    "eegzip.repairing": ("RepairReport", "repair"),
    "eegzip.reports": ("CompressionReport", "DecompressionReport", "LostSignal", "Verification"),
    "eegzip.token_data.data_set": ("TokenDataset",),
    "eegzip.token_data.export": ("TokenExport", "export_tokens"),
    "eegzip.token_data.sampler": ("TokenSampler",),
    "eegzip.tokenizer.module": ("Tokenizer",),
    "eegzip.tokenizer.scales": ("Scales",),
    "eegzip.training.api": ("TrainingReport", "settings_for", "train"),
    "eegzip.verification": ("verify",),
}
_HOMES = {name: module for module, names in _PUBLIC.items() for name in names}

_MODULES = ("downstream", "mne", "models")
_OF_TORCH = ("TokenDataset", "TokenSampler", "Tokenizer")
"""Classes that are torch's own kind."""

__all__ = sorted([*_HOMES, *_MODULES, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"eegzip.{name}")
    if name in _HOMES:
        if name in _OF_TORCH:
            from eegzip.codecs.extra import require_torch

            require_torch(f"eegzip.{name}")
        return getattr(import_module(_HOMES[name]), "Recording" if name == "open" else name)
    raise AttributeError(f"module 'eegzip' has no attribute '{name}'")


def __dir__() -> list[str]:
    return list(__all__)
