"""Makes the rivals of the benchmarks importable; their folder stays off the path, as its scripts have common names."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location

from api.recordings import ROOT

_FOLDER = ROOT / "benchmarks" / "rivals"
if "rivals" not in sys.modules:
    _spec = spec_from_file_location("rivals", _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)])
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules["rivals"] = module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["rivals"])
