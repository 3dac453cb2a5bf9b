"""The house keeps its floors: the contracts of pyproject.toml hold, and their checker sees the whole package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from api.recordings import ROOT

CODE = """
import sys
from importlinter.cli import lint_imports
sys.exit(lint_imports(config_filename=sys.argv[1], no_cache=True))
"""


def lint(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the installed package against a configuration, from a foreign folder."""
    command = [sys.executable, "-c", CODE, str(config)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_every_import_contract_holds(tmp_path: Path) -> None:
    done = lint(ROOT / "pyproject.toml", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_an_import_that_is_forbidden_is_found_in_each_folder(tmp_path: Path) -> None:
    """What lies behind the links eegzip/formats and eegzip/cli is looked at as well."""
    config = tmp_path / "contracts.toml"
    for source, target in (("formats", "zstandard"), ("cli", "click"), ("training", "torch")):
        config.write_text(
            '[tool.importlinter]\nroot_package = "eegzip"\ninclude_external_packages = true\n'
            '[[tool.importlinter.contracts]]\nname = "none"\ntype = "forbidden"\n'
            f'source_modules = ["eegzip.{source}"]\nforbidden_modules = ["{target}"]\n'
        )
        done = lint(config, tmp_path)
        assert done.returncode == 1, done.stdout + done.stderr
        assert f"eegzip.{source} is not allowed to import {target}" in done.stdout
