"""What is hashed: recordings and options, help texts, bad inputs, models, a short training run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Numbers that the clock gives, in what commands print as JSON.
_CLOCK = {"elapsed", "seconds", "seconds_per_second", "time", "speed"}

_EEGMAT = "tests/data/eegmat/Subject16_rest_70s.edf"
_PSG = "tests/data/edf/short_psg.edf"
_GAPS = "tests/data/edf/nihon_kohden_discontinuous.edf"
_BDF = "tests/data/edf/test.bdf"
_SSVEP = "../shared/data/eeg/ssvep_exo/sub07_record-_2012.07.18-09.21.13_.edf"
_CHILD = "../shared/data/eeg/adhd/ADHD_v254.edf"
_VEP = "../shared/data/eeg/vep/co2c0000337.edf"

CASES: list[tuple[str, dict[str, Any]]] = [
    (_EEGMAT, {}),
    (_EEGMAT, {"codebooks": 8}),
    (_EEGMAT, {"model": "eegz-sc-1"}),
    (_EEGMAT, {"model": "eegz-sc-1", "codebooks": 12, "rate": "native"}),
    (_EEGMAT, {"model": "eegz-sc-2", "codebooks": 8}),
    (_EEGMAT, {"model": "dac-sc-compact-1"}),
    (_EEGMAT, {"model": "dac-sc-compact-1", "scaling": "fixed:200uV"}),
    (_EEGMAT, {"bitrate": 60}),
    (_EEGMAT, {"lossless": True}),
    (_EEGMAT, {"max_error": "2uV"}),
    (_EEGMAT, {"max_prd": 5, "keep_tokens": True}),
    (_EEGMAT, {"exact": ["*T3*"], "chunk_seconds": 15}),
    (_PSG, {}),
    (_PSG, {"quality": "clinical"}),
    (_PSG, {"quality": "archive"}),
    (_GAPS, {}),
    (_GAPS, {"min_snr": 26}),
    (_BDF, {}),
    (_BDF, {"quality": "compact"}),
    ("tests/data/edf/test_subsecond.bdf", {"lossless": True}),
    ("tests/data/edf/test_uneven_samp.edf", {}),
    ("tests/data/edf/test_utf8_annotations.edf", {}),
    ("tests/data/edf/chtypes_edf.edf", {"max_error": 1.5, "max_prd": 9}),
    (_SSVEP, {}),
    (_SSVEP, {"groups": "single", "codebooks": 16}),
    (_SSVEP, {"lossless": True}),
    (_CHILD, {}),
    (_CHILD, {"bitrate": 40, "model": "eegz-sc-1"}),
    (_CHILD, {"groups": "random"}),
    (_CHILD, {"max_prd": 10}),
    (_VEP, {"codebooks": 12}),
    (_VEP, {"quality": "clinical"}),
]

BAD: list[list[str]] = [
    ["compress"],
    ["compress", "missing.edf"],
    ["compress", "empty.edf"],
    ["compress", "text.edf"],
    ["compress", "cut.edf", "--lossless", "-f"],
    ["compress", "good.edf", "there.eegz"],
    ["compress", "good.edf", "good.edf", "-f"],
    ["compress", "good.edf", "a.eegz", "-k", "0"],
    ["compress", "good.edf", "a.eegz", "-k", "99"],
    ["compress", "good.edf", "a.eegz", "--model", "nobody"],
    ["compress", "good.edf", "a.eegz", "--bitrate", "-3"],
    ["compress", "good.edf", "a.eegz", "--scaling", "loud"],
    ["compress", "good.edf", "a.eegz", "--groups", "single", "--lossless", "--max-prd", "3"],
    ["compress", "good.edf", "a.eegz", "--max-error", "2 mm"],
    ["compress", "good.edf", "a.eegz", "--rate", "1e9"],
    ["compress", "good.edf", "missing/a.eegz"],
    ["decompress", "missing.eegz"],
    ["decompress", "text.eegz"],
    ["decompress", "torn.eegz", "b.edf"],
    ["decompress", "there.eegz", "b.edf", "--channels", "Nobody"],
    ["decompress", "there.eegz", "b.edf", "--start", "9", "--stop", "3"],
    ["verify", "torn.eegz"],
    ["verify", "text.eegz"],
    ["info", "text.eegz"],
    ["info", "torn.eegz"],
    ["evaluate", "good.edf", "text.eegz"],
    ["evaluate", "good.edf", "empty.edf"],
    ["models", "nobody"],
    ["train", "--out", "run"],
    ["train", "--data", "missing", "--out", "run"],
    ["train", "--data", "synthetic", "--out", "run", "--set", "model.hop=3"],
    ["train", "--data", "synthetic", "--out", "run", "--init", "nobody"],
    ["paint"],
]

HELP = [[], ["compress"], ["decompress"], ["info"], ["verify"], ["evaluate"], ["models"], ["train"]]


def sha256(content: bytes | str) -> str:
    """Return the digest of bytes or of text."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def hashes(root: Path, only: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name and the digest of everything whose name holds a word."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            for source, options in CASES:
                name = _name(source, options)
                if only in name and (root / source).is_file():
                    yield from _case(root / source, options, name)
            if only in "help":
                for words in HELP:
                    yield f"help {' '.join(words)}", sha256(_said(*words, "--help"))
            if only in "bad input":
                _bad_files(root)
                for words in BAD:
                    yield f"bad input: {' '.join(words)}", sha256(_said(*words))
            if only in "models":
                yield from _models()
            if only in "training":
                yield "training", sha256(_training())
        finally:
            os.chdir(before)


def _name(source: str, options: dict[str, Any]) -> str:
    return f"{Path(source).name} {json.dumps(options)}"


def _case(path: Path, options: dict[str, Any], name: str) -> Iterator[tuple[str, str]]:
    import numpy as np

    import eegzip

    source = Path(f"in{path.suffix}")
    shutil.copyfile(path, source)
    report = eegzip.compress(source, "out.eegz", overwrite=True, **options)
    yield f"{name}: report", sha256(json.dumps(_timeless(report.to_dict()), sort_keys=True))
    yield f"{name}: eegz", sha256(Path("out.eegz").read_bytes())
    eegzip.decompress("out.eegz", f"back{path.suffix}", overwrite=True)
    yield f"{name}: edf", sha256(Path(f"back{path.suffix}").read_bytes())
    with eegzip.open("out.eegz") as recording:
        streams = recording.tokens()
        codes = b"".join(np.ascontiguousarray(stream.codes).tobytes() for stream in streams)
        yield f"{name}: tokens", sha256(codes)
    for words in (["info"], ["verify", "--deep"], ["evaluate", str(source)]):
        yield f"{name}: {words[0]}", sha256(_json(*words, "--json", "out.eegz"))


def _timeless(content: Any) -> Any:
    """Return parsed JSON without what the clock gives."""
    if isinstance(content, dict):
        return {key: _timeless(value) for key, value in content.items() if key not in _CLOCK}
    return [_timeless(value) for value in content] if isinstance(content, list | tuple) else content


def _json(*words: str) -> str:
    """Return what a command prints as JSON, without what the clock gives."""
    from click.testing import CliRunner

    from eegzip.cli.main import main

    done = CliRunner().invoke(main, list(words))
    if done.exit_code:
        return f"{done.exit_code} {done.output} {done.exception}"
    return json.dumps(_timeless(json.loads(done.stdout)), sort_keys=True)


def _said(*words: str) -> str:
    """Return what a command of a process of its own prints, and its exit code."""
    command = [sys.executable, "-m", "eegzip.cli.main", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return f"{done.returncode}\n{done.stdout}\n{done.stderr}"


def _bad_files(root: Path) -> None:
    import eegzip

    good = (root / _EEGMAT).read_bytes()
    Path("good.edf").write_bytes(good)
    Path("cut.edf").write_bytes(good[:700])
    Path("empty.edf").write_bytes(b"")
    Path("text.edf").write_text("This is no recording.\n" * 40)
    Path("text.eegz").write_text("This is no recording.\n" * 40)
    eegzip.compress("good.edf", "there.eegz", lossless=True, overwrite=True)
    whole = Path("there.eegz").read_bytes()
    Path("torn.eegz").write_bytes(whole[: len(whole) // 2])


def _models() -> Iterator[tuple[str, str]]:
    import eegzip

    for name in eegzip.models.available():
        yield f"models: {name}", eegzip.models.load(name).digest


def _training() -> str:
    """Return the log of a run of a few steps, and the digest of what it made."""
    import torch

    import eegzip

    torch.set_num_threads(1)
    settings = eegzip.settings_for(
        values={
            "data": {"sources": ["synthetic"], "window_seconds": 4.0, "held_out": "0.25"},
            "model": {
                "encoder_dim": 4, "encoder_rates": [4, 8], "decoder_dim": 16, "decoder_rates": [8, 4],
                "n_codebooks": 3, "codebook_size": 32, "codebook_dim": 4, "heads": 2, "reach": 4,
            },
            "quantiser": {"open_steps": 4, "revive_every": 5},
            "optimiser": {"batch": 4, "lr": 3e-3, "warmup": 5},
            "run": {
                "max_steps": 12, "validate_every": 6, "log_every": 1, "validation_windows": 8, "device": "cpu",
                "threads": 1,
            },
        }
    )  # fmt: skip
    eegzip.train(settings, Path("trained"))
    lines = [json.loads(line) for line in Path("trained/log.jsonl").read_text().splitlines()]
    kept = [_timeless(line) for line in lines if line["kind"] != "start"]
    weights = [sha256(path.read_bytes()) for path in sorted(Path("trained").rglob("model.safetensors"))]
    return json.dumps([kept, weights], sort_keys=True)
