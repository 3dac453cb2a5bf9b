"""Where the recordings for tests lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "tests" / "data"
# The development recordings lie beside a checkout, not in it: tests on them are skipped where they are missing.
SHARED = ROOT.parent / "shared" / "data"
EEG_SETS = ("adhd", "eegmat", "neonatal", "ssvep_exo", "vep")
