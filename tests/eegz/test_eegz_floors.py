"""The lowest floor stands on its own: bytes, numpy, zstandard and msgpack, and nothing from above."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import importlib, json, pkgutil, sys
import numba
# numba looks whether scipy is there; what it loads of it is no import of ours.
ours = set(sys.modules)
import eegzip.formats
names = [module.name for module in pkgutil.walk_packages(eegzip.formats.__path__, "eegzip.formats.")]
for name in names:
    importlib.import_module(name)
print(json.dumps([names, sorted(set(sys.modules) - ours)]))
"""


def test_formats_import_no_network_and_no_upper_floor():
    result = subprocess.run([sys.executable, "-I", "-c", CODE], capture_output=True, text=True, timeout=60, check=True)
    names, loaded = json.loads(result.stdout)
    assert {"eegzip.formats.eegz.reader", "eegzip.formats.edf", "eegzip.formats.files"} <= set(names)
    assert {"zstandard", "msgpack"} <= set(loaded)
    heavy = {"torch", "torchaudio", "dac", "scipy", "pyedflib", "mne", "click", "tqdm", "safetensors", "matplotlib"}
    assert heavy & {name.partition(".")[0] for name in loaded} == set()
    above = {name for name in loaded if name.startswith("eegzip.") and not name.startswith("eegzip.formats")}
    assert above <= {"eegzip._version"}
