"""Hash everything that eegzip gives a user, to compare two versions of the code or two processors.

Usage::

    python benchmarks/identity hash BEFORE.json [--only WORD] [--cap avx2|sse4]
    python benchmarks/identity compare BEFORE.json AFTER.json

``hash`` compresses about a dozen recordings with about three dozen sets of options, and writes the SHA-256 of each
file, of its tokens, of the recording that comes back, of what info, verify and evaluate print as JSON; of every help
text; of what is said of bad inputs; of all bundled models; and of the log of a short training run. ``compare`` names
what differs, and fails if anything does. With ``--cap`` the hashing process believes in an older processor. Threads are
fixed. It takes about five minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(Path(__file__).resolve().parents[1])

from identity.caps import CAPS, environment, processor  # noqa: E402 - found only now


def main() -> int:
    """Run one of the two commands."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(prog="identity", description=__doc__, formatter_class=raw)
    commands = parser.add_subparsers(dest="command", required=True)
    hashing = commands.add_parser("hash")
    hashing.add_argument("output", type=Path)
    hashing.add_argument("--only", default="", help="cases whose name holds this word")
    hashing.add_argument("--cap", choices=list(CAPS), default="native")
    comparing = commands.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "compare":
        return compare(arguments.before, arguments.after)
    if os.environ.get("EEGZIP_IDENTITY_CAP") != arguments.cap:
        wanted = environment(arguments.cap, EEGZIP_IDENTITY_CAP=arguments.cap, OMP_NUM_THREADS="1", COLUMNS="100")
        words = [sys.executable, str(Path(__file__).parent), *sys.argv[1:]]
        return subprocess.run(words, env=wanted, check=False).returncode
    from identity.cases import hashes

    print(processor(), file=sys.stderr)
    found: dict[str, str] = {}
    for name, value in hashes(ROOT, arguments.only):
        print(f"{value[:16]}  {name}", file=sys.stderr)
        found[name] = value
    arguments.output.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return 0


def compare(before: Path, after: Path) -> int:
    """Print what differs between two files of hashes; return 1 if anything does."""
    old, new = (json.loads(path.read_text()) for path in (before, after))
    rows = [
        (name, "missing before" if name not in old else "missing after" if name not in new else "differs")
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    for name, what in rows:
        print(f"{what:14}  {name}")
    print(f"{len(rows)} of {len(old.keys() | new.keys())} differ")
    return 1 if rows else 0


if __name__ == "__main__":
    sys.exit(main())
