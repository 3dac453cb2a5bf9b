"""What pyproject.toml can't say: a wheel brings compiled functions along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildCompiled(build_py):
    """Copies the package, and compiles it ahead; without that it works as well, but the first calls take a minute."""

    def run(self) -> None:
        """Do both; ``EEGZIP_COMPILE=0`` leaves the second out."""
        super().run()
        if self.editable_mode or os.environ.get("EEGZIP_COMPILE") == "0":
            return
        program = Path(__file__).with_name("compile_ahead.py")
        try:
            subprocess.run([sys.executable, str(program), self.build_lib], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.warn(f"nothing is compiled ahead, so the first calls will take a minute: {error}")


setup(cmdclass={"build_py": BuildCompiled})
