"""The examples in docstrings run, in a folder with a recording of five seconds named night.edf."""

from __future__ import annotations

import doctest
import importlib
import shutil
from pathlib import Path

import pytest
from api.recordings import ROOT

import eegzip

PACKAGE = Path(eegzip.__file__).parent
RECORDING = ROOT / "examples" / "data" / "eegmat_subject18_arithmetic.edf"
SECONDS = 5


def _modules() -> list[str]:
    """Names of the modules whose source holds an example."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>> " in path.read_text("utf-8"):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            names.append(".".join(parts).removesuffix(".__init__"))
    return names


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first five data records, of a second each, of the recording that ships; and compressed."""
    raw = RECORDING.read_bytes()
    header_bytes, records = int(raw[184:192]), int(raw[236:244])
    record_bytes = (len(raw) - header_bytes) // records
    folder = tmp_path_factory.mktemp("night")
    short = raw[:236] + f"{SECONDS:<8}".encode() + raw[244 : header_bytes + SECONDS * record_bytes]
    (folder / "night.edf").write_bytes(short)
    eegzip.compress(folder / "night.edf", folder / "night.eegz", lossless=True)
    return folder


@pytest.mark.parametrize("name", _modules())
def test_examples_run(name: str, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    monkeypatch.chdir(tmp_path)
    ran = 0
    for test in finder.find(module, name, globs={"eegzip": eegzip}):
        if not test.examples:
            continue
        for path in tmp_path.iterdir():
            path.unlink()
        shutil.copy(night / "night.edf", tmp_path)
        if "eegzip.compress(" not in "".join(example.source for example in test.examples):
            shutil.copy(night / "night.eegz", tmp_path)
        said: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        assert runner.run(test, out=said.append).failed == 0, "".join(said)
        ran += sum(not example.options.get(doctest.SKIP, False) for example in test.examples)
    assert ran > 0


def test_the_public_functions_have_examples() -> None:
    assert {"eegzip", "eegzip.compression", "eegzip.evaluation.evaluate", "eegzip.recording"} <= set(_modules())
