"""Makes parts of the benchmarks importable; their folder stays off the path, as its scripts have common names."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location

from api.recordings import ROOT

for _name in ("rivals", "race", "cutting", "noticed"):
    _folder = ROOT / "benchmarks" / _name
    if _name not in sys.modules:
        _spec = (
            spec_from_file_location(_name, _folder / "__init__.py", submodule_search_locations=[str(_folder)])
            if _folder.is_dir()
            else spec_from_file_location(_name, _folder.with_suffix(".py"))
        )
        assert _spec is not None
        assert _spec.loader is not None
        sys.modules[_name] = module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[_name])

# A script that is one module.
_spec = spec_from_file_location("robustness", ROOT / "benchmarks" / "robustness.py")
assert _spec is not None
assert _spec.loader is not None
sys.modules["robustness"] = module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["robustness"])
