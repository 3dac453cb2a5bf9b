"""Fuzz one target, guided by coverage: ``python fuzz/run.py container corpus/ -max_total_time=600``.

What follows the target goes to libFuzzer: folders of inputs, to the first of which new ones are added, and options.
``--once FILE...`` runs inputs one after the other without atheris and says what becomes of them.
"""

from __future__ import annotations
import __future__

import functools
import os
import sys
import types
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
_ANNOTATIONS = __future__.annotations.compiler_flag
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]


def once(name: str, files: list[str]) -> None:
    """Run inputs through a target, without a fuzzer."""
    from targets import TARGETS, EegzipError

    for file in files:
        print(f"{file}: ", end="", flush=True)
        try:
            TARGETS[name](Path(file).read_bytes())
            print("read to its end")
        except EegzipError as error:
            print(f"refused: {error}")


def leave_compiled_functions_alone() -> None:
    """Give numba functions as they stand in their files: it can't compile what counts its own branches."""
    from eegzip.formats.entropy import jit

    @functools.cache
    def written(path: str) -> dict[tuple[str, int], types.CodeType]:
        found, left = {}, [compile(Path(path).read_text(), path, "exec", dont_inherit=True, flags=_ANNOTATIONS)]
        while left:
            code = left.pop()
            found[code.co_name, code.co_firstlineno] = code
            left += [part for part in code.co_consts if isinstance(part, types.CodeType)]
        return found

    compiled = jit.jit

    def as_written(function: types.FunctionType) -> object:
        code = function.__code__
        function.__code__ = written(code.co_filename)[code.co_name, code.co_firstlineno]
        return compiled(function)

    jit.jit = as_written


def main() -> None:
    """Read the arguments, and fuzz."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(__doc__)
        return
    if rest[:1] == ["--once"]:
        once(name, rest[1:])
        return
    try:
        import atheris
    except ImportError:
        sys.exit("the fuzzer is not here: pip install atheris (or run inputs with --once).")
    leave_compiled_functions_alone()
    with atheris.instrument_imports(include=["eegzip"]):
        from sections import mutate
        from targets import IN_SECTIONS, TARGETS, try_one

        from eegzip.codecs.checkpoints import registry

    # Models that ship don't change, and would be hashed anew for every file that names one.
    registry.load_checkpoint = functools.cache(registry.load_checkpoint)
    target = TARGETS[name]

    def bytewise(data: bytes, most: int) -> bytes:
        return bytes(atheris.Mutate(data, most))

    how = {}
    if name in IN_SECTIONS:
        how["custom_mutator"] = lambda data, most, seed: mutate(data, most, seed, bytewise)
    elif name == "edf":
        from edf_fields import mutate_fields

        how["custom_mutator"] = lambda data, most, seed: mutate_fields(data, most, seed, bytewise)
    options = ["-timeout=20", "-rss_limit_mb=3000", "-print_final_stats=1", "-reload=0"]
    atheris.Setup([sys.argv[0], *options, *rest], lambda data: try_one(target, data), **how)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
