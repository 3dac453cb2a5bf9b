"""What to do in half an hour with a GPU: stages of some minutes, each of which says first what it will do.

Usage: ``python benchmarks/gpu/stages.py STAGE --out DIR [--data DIR] [--tiny] [--minutes M] ...``, STAGE being check,
speed, train, unpack or join.

Each stage writes ``STAGE.log``, ``STAGE.md`` and ``STAGE.json`` to DIR. README.md beside this file says more.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import check
import speed
import train
from notes import Notes
from pack import unpack
from taking_along import join

ROOT = Path(__file__).resolve().parents[2]


def parsed() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=["check", "speed", "train", "unpack", "join"])
    parser.add_argument("--out", type=Path, required=True, help="folder for what it makes")
    parser.add_argument("--data", type=Path, help="folder of recordings or their parts; join: of results")
    parser.add_argument("--tiny", action="store_true", help="the same at tiny size on the CPU, in less than a minute")
    parser.add_argument("--device", default="", help="cuda by default, cpu with --tiny")
    parser.add_argument("--minutes", type=float, default=8.0, help="train: how long; results are packed after that")
    parser.add_argument("--recipe", help="train: a name in recipes/, or any config; else the presets alone")
    parser.add_argument("--preset", action="append", default=[], help="train: handed on; repeatable")
    parser.add_argument("--init", help="train: handed on")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="train: handed on")
    parser.add_argument("--run", type=Path, help="train: the run's folder, gone on with where it holds a run")
    parser.add_argument("--half", action="store_true", help="train: pack the weights rounded to 16 bits too")
    options = parser.parse_args()
    options.device = options.device or ("cpu" if options.tiny else "cuda")
    return options


def main() -> None:
    """Run from the command line."""
    options = parsed()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.stage in ("unpack", "join") and options.data is None:
        raise SystemExit("name the folder of what is packed: --data FOLDER")
    if options.stage == "join":
        print(f"join: {join(options.data, options.out)}")
        return
    if options.stage == "unpack":
        print(f"unpack: {unpack(options.data, options.out)} recordings in {options.out}")
        return
    notes = Notes(options.out, options.stage)
    began = time.monotonic()
    try:
        {"check": check.run, "speed": speed.run, "train": train.run}[options.stage](options, notes)
    except Exception as error:
        notes.say(f"failed: {type(error).__name__}: {error}")
        raise
    finally:
        notes.results["seconds"] = round(time.monotonic() - began, 1)
        notes.write()
    if notes.failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
