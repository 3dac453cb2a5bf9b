"""Makes libraries believe in an older processor, by the variables that each of them looks at when it is loaded.

A cap holds for a process that is started with it, and only lowers what the processor has: under a cap, a machine with
AVX-512 computes as one with AVX2 does.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

_NUMPY_AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4"
_NUMPY_ABOVE_SSE4 = f"AVX2 FMA3 F16C {_NUMPY_AVX512} X86_V3"
_GLIBC_ABOVE_SSE4 = "-AVX,-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4,-FMA4_Usable,-AVX512F,-AVX512VL,-AVX512DQ"

CAPS: dict[str, dict[str, str]] = {
    "native": {},
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "OPENBLAS_CORETYPE": "Haswell",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        # The level that an installation brings compiled functions for: those are taken then, as on a machine with AVX2.
        "NUMBA_CPU_NAME": "x86-64-v3",
        "NUMBA_CPU_FEATURES": "",
        "NPY_DISABLE_CPU_FEATURES": _NUMPY_AVX512,
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512DQ",
    },
    "sse4": {
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
        "OPENBLAS_CORETYPE": "Nehalem",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "NUMBA_CPU_NAME": "nehalem",
        "NUMBA_CPU_FEATURES": "+sse4.2,+popcnt",
        "NPY_DISABLE_CPU_FEATURES": _NUMPY_ABOVE_SSE4,
        "GLIBC_TUNABLES": f"glibc.cpu.hwcaps={_GLIBC_ABOVE_SSE4}",
    },
}
"""Environment variables of each cap: of oneDNN, ATen, OpenBLAS, MKL, numba, numpy and the C library's functions."""


def environment(cap: str, base: Mapping[str, str] | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a process that is to run under a cap.

    Parameters
    ----------
    cap
        One of :data:`CAPS`.
    base
        What to start from; this process's environment by default. Caps in it make room.
    **more
        Other variables to set.
    """
    known = {name for cap_variables in CAPS.values() for name in cap_variables}
    inherited = {name: value for name, value in (os.environ if base is None else base).items() if name not in known}
    wanted = dict(CAPS[cap])
    if cap == "avx2" and not lowers(cap):
        # numba would compile everything anew for another name.
        wanted = {name: value for name, value in wanted.items() if not name.startswith("NUMBA")}
    if "NPY_DISABLE_CPU_FEATURES" in wanted:
        wanted = {**wanted, "NPY_DISABLE_CPU_FEATURES": _dispatched(wanted["NPY_DISABLE_CPU_FEATURES"])}
    return {**inherited, **wanted, **more}


def lowers(cap: str) -> bool:
    """Whether a cap takes anything away from this processor."""
    return cap == "sse4" or (cap == "avx2" and "avx512f" in _flags())


def _dispatched(names: str) -> str:
    """Of some names of features, those that this numpy chooses by: it warns about others."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    there = (name for name in names.split() if name in __cpu_dispatch__ and __cpu_features__.get(name))
    return " ".join(there)


def processor() -> str:
    """What this process computes on: processor, caps, and the versions of what does the sums."""
    from importlib.metadata import PackageNotFoundError, version

    lines = [f"processor: {_model()}, {os.cpu_count()} cores; Python {platform.python_version()}"]
    names = sorted({name for variables in CAPS.values() for name in variables} | {"OMP_NUM_THREADS", "MKL_CBWR"})
    lines.append("caps: " + (", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ) or "none"))
    versions = []
    for package in ("torch", "numpy", "scipy", "numba", "llvmlite", "zstandard", "descript-audio-codec"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} not installed")
    return "\n".join([*lines, "versions: " + ", ".join(versions)])


def _model() -> str:
    """Name of the processor and the widest of its vector instructions."""
    flags = _flags()
    widest = next((flag for flag in ("avx512f", "avx2", "avx", "sse4_2") if flag in flags), platform.machine())
    return f"{_facts().get('model name') or platform.processor() or platform.machine()} ({widest})"


def _flags() -> list[str]:
    return _facts().get("flags", "").split()


def _facts() -> dict[str, str]:
    """What Linux says of the first core; nothing elsewhere."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


if __name__ == "__main__":
    print(processor())
