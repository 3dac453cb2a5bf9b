"""Compiles what a wheel brings along: ``python compile_ahead.py FOLDER``, FOLDER holding the package ``eegzip``.

Short artificial recordings go there and back in every way, and what numba compiled for that is moved to
``eegzip/compiled``, filed by what processors have in common in place of this machine's own. So the first call after an
installation waits for no compiler. setup.py runs this; it takes about a minute and a half of processor time.
"""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_WAYS: tuple[dict[str, Any], ...] = (
    {"lossless": True},
    {"lossless": True, "level": 1},
    {"codebooks": 6},
    {"model": "eegz-sc-1", "codebooks": 6},
    {"model": "eegz-sc-2", "codebooks": 4},
    {"max_prd": 9.0},
    {"max_error": "3uV"},
    {"bitrate": 60.0},
    {"max_prd": 9.0, "keep_tokens": True, "codebooks": 4},
)
_LABELS = ("EEG Fp1", "EEG C3", "EEG O1", "ECG", "Status")


def run_everything() -> None:
    """Compress recordings of a few seconds in every way, and restore them."""
    import numpy as np

    import eegzip
    from eegzip.formats.tokens.search.whole_streams import variances

    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packed, edf, back = folder / "a.eegz", folder / "a.edf", folder / "b.edf"
        for bits, rate, seconds in ((16, 200, 70), (24, 256, 12)):
            times = np.arange(rate * seconds) / rate
            rows = np.cumsum(rng.standard_normal((len(_LABELS), len(times))), axis=1) * 3
            rows[:3] += 15 * np.sin(2 * np.pi * 50 * times) + 20 * rng.standard_normal(len(times))
            rows[4] = np.arange(len(times)) // rate % 4
            # Whole numbers, and a channel that counts in tens.
            rows = np.rint(rows)
            rows[3] = 10 * np.rint(rows[3] / 10)
            eegzip.compress_array(rows, rate, _LABELS, packed, bits=bits, lossless=True, overwrite=True)
            eegzip.decompress(packed, edf, overwrite=True)
            for options in _WAYS:
                eegzip.compress(edf, packed, overwrite=True, **options)
                eegzip.decompress(packed, back, overwrite=True)
                eegzip.verify(packed, deep=True)
                with eegzip.open(packed) as recording:
                    recording.read(recording.channels[:1], 1, 3)
    # What priors are trained on, which takes torch.
    frames = np.zeros((3, 8), np.int64)
    variances(frames, frames, np.zeros(8, np.int32), 0)


def move(package: Path) -> int:
    """File what numba keeps beside the sources under ``compiled``; return how many functions that are."""
    from eegzip.formats.entropy.brought import brought_key, level, stamp

    found = sorted(package.rglob("__pycache__/*.nbi"))
    for index in found:
        source = index.parents[1] / (index.name.split(".", 1)[0] + ".py")
        target = package / "compiled" / source.parent.relative_to(package)
        target.mkdir(parents=True, exist_ok=True)
        with index.open("rb") as file:
            version = pickle.load(file)
            _, overloads = pickle.load(file)
        filed = {brought_key(key, level()): data for key, data in overloads.items()}
        (target / index.name).write_bytes(pickle.dumps(version) + pickle.dumps((stamp(source), filed)))
        index.unlink()
        for data in overloads.values():
            shutil.move(index.with_name(data), target / data)
    return len(found)


def main(folder: Path) -> None:
    """Run everything for processors of this machine's level, in a process that compiles for these."""
    # In place of this file's folder, where the sources lie.
    sys.path[0] = str(folder)
    if os.environ.get("NUMBA_CPU_NAME"):
        run_everything()
        return
    from eegzip.formats.entropy.brought import level

    shutil.rmtree(folder / "eegzip" / "compiled", ignore_errors=True)
    for kept in folder.rglob("__pycache__/*.nb?"):
        kept.unlink()
    settings = {"NUMBA_CPU_NAME": level(), "NUMBA_CPU_FEATURES": ""}
    subprocess.run([sys.executable, __file__, str(folder)], env={**os.environ, **settings}, check=True)
    print(f"{move(folder / 'eegzip')} functions compiled for {level()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
