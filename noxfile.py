"""The tasks of a developer: ``nox -l`` lists them, ``nox -s lint types test-fast`` runs some.

Sessions run in the environment that nox runs in (``pip install -e '.[dev]'`` made it); nothing is installed again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "test-fast"]

FAST = "not slow and not train and not cli and not spec and not network"
"""What bears no marker of pyproject.toml."""


def _python(session: nox.Session, *words: str) -> None:
    session.run(sys.executable, *words, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, spelling, and who may import whom."""
    _python(session, "-m", "ruff", "check", ".")
    _python(session, "-m", "codespell_lib")
    _python(session, "-m", "pytest", "-q", "-n0", "tests/test_imports.py")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy."""
    _python(session, "-m", "mypy")


@nox.session(name="test-fast")
def test_fast(session: nox.Session) -> None:
    """Run the tests that take about a minute together; arguments after -- go to pytest."""
    _python(session, "-m", "pytest", "-q", "-m", FAST, *session.posargs)


@nox.session
def test(session: nox.Session) -> None:
    """Run the tests, all but the long ones; arguments after -- go to pytest."""
    _python(session, "-m", "pytest", *session.posargs)


@nox.session(name="test-long")
def test_long(session: nox.Session) -> None:
    """Run the tests that the others leave out, as they take minutes; arguments after -- go to pytest."""
    _python(session, "-m", "pytest", "-m", "long", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Run the property tests on examples that no run has seen; what fails becomes an @example of its test."""
    _python(session, "-m", "pytest", "--hypothesis-profile=dice", *(session.posargs or ["-m", "hypothesis"]))


@nox.session(name="fuzz-coverage")
def fuzz_coverage(session: nox.Session) -> None:
    """Fuzz one target, guided by coverage: ``nox -s fuzz-coverage -- container 600`` (seconds); fuzz/README.md."""
    target, seconds = [*session.posargs, *("container", "600")[len(session.posargs) :]][:2]
    new, found = Path("build", "fuzz", target), Path("build", "fuzz", "found")
    for folder in (new, found):
        folder.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-artifact_prefix={found}/"]
    _python(session, "fuzz/run.py", target, str(new), f"fuzz/corpus/{target}", *limits)


@nox.session
def boundscheck(session: nox.Session) -> None:
    """Run the tests of compiled decoders, what is made to hurt them and the fuzzer's seeds with every index checked."""
    session.env["NUMBA_BOUNDSCHECK"] = "1"
    # What was compiled without the checks is not to be taken from the disk.
    session.env["NUMBA_CACHE_DIR"] = session.create_tmp()
    folders = ["attacks", "eegz", "entropy", "golden", "lines", "predictive", "tokens", "transform"]
    _python(session, "-m", "pytest", "-q", *(session.posargs or [f"tests/{folder}" for folder in folders]))
    for seeds in [] if session.posargs else sorted(Path("fuzz", "corpus").iterdir()):
        _python(session, "fuzz/run.py", seeds.name, "--once", *map(str, sorted(seeds.iterdir())))


@nox.session
def coverage(session: nox.Session) -> None:
    """Run every test and say which lines none of them ran. Compiled functions count as far as Python runs them."""
    words = session.posargs or ["tests"]
    _python(session, "-m", "pytest", "-q", "--cov=eegzip", "--cov-report=term-missing:skip-covered", *words)


@nox.session
def bench(session: nox.Session) -> None:
    """Speed on this machine; benchmarks/README.md describes the other measurements."""
    _python(session, "benchmarks/speed.py", "--minutes", "6", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into build/site; a warning is an error. ``nox -s docs -- serve`` shows it while you write."""
    words = session.posargs or ["build", "--strict"]
    _python(session, "-m", "mkdocs", *words)


@nox.session
def identity(session: nox.Session) -> None:
    """Hash all that users get: ``nox -s identity -- hash AFTER.json``, then ``-- compare BEFORE.json AFTER.json``."""
    _python(session, "benchmarks/identity", *(session.posargs or ["--help"]))


@nox.session(venv_backend="venv")
def light(session: nox.Session) -> None:
    """Install without torch, DAC and scipy, in an environment of its own: what it takes, and what it is for."""
    session.install("--no-compile", "-r", "constraints-light.txt")
    session.install("--no-compile", "--no-deps", ".")
    session.run("python", "tests/light/size.py")
    session.run("python", "tests/light/run.py", *session.posargs)


@nox.session
def dist(session: nox.Session) -> None:
    """Build wheel and source archive into dist."""
    _python(session, "-m", "build", "--outdir", str(Path("dist").resolve()))
