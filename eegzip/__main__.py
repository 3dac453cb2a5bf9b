"""``python -m eegzip``: the command line."""

from __future__ import annotations

from eegzip.cli.main import run

if __name__ == "__main__":
    run()
