"""The one place that imports the Descript Audio Codec package.

``descript-audio-codec`` pulls in ``torchaudio``, which on a CPU-only torch fails to load its CUDA-linked
extension, and then ``import dac`` fails with it although no part of the network uses torchaudio. Where
torchaudio really does not load, an empty placeholder stands in for it while ``dac`` is imported, and is
taken away again. ``dac``'s own loading functions (``DAC.load``, ``dac.utils``, ``DACFile``) are never
used: they execute code found in a checkpoint.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_deprecations() -> Iterator[None]:
    """Keep quiet about deprecations that the package and its dependencies predate; none is ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _import_dac() -> Any:
    """Import ``dac``, whether or not torchaudio can be loaded."""
    stood_in = False
    with without_deprecations():
        try:
            importlib.import_module("torchaudio")
        except (ImportError, OSError):
            for name in [n for n in sys.modules if n == "torchaudio" or n.startswith("torchaudio.")]:
                del sys.modules[name]
            placeholder = types.ModuleType("torchaudio")
            # importlib.util.find_spec raises on a module whose __spec__ is None.
            placeholder.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
            sys.modules["torchaudio"] = placeholder
            stood_in = True
        try:
            module = importlib.import_module("dac")
            importlib.import_module("dac.nn.layers")
            importlib.import_module("dac.nn.quantize")
            importlib.import_module("dac.model.dac")
        finally:
            if stood_in:
                sys.modules.pop("torchaudio", None)
    return module


dac = _import_dac()
DAC = dac.model.dac.DAC
Encoder = dac.model.dac.Encoder
Decoder = dac.model.dac.Decoder
Snake1d = dac.nn.layers.Snake1d
ResidualVectorQuantize = dac.nn.quantize.ResidualVectorQuantize
VectorQuantize = dac.nn.quantize.VectorQuantize
PeriodDiscriminator = dac.model.discriminator.MPD
SpectrogramDiscriminator = dac.model.discriminator.MRD
normalised_conv = dac.model.discriminator.WNConv2d
