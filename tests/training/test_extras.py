"""Packages of the extra [train] that are missing are told before any work."""

import sys

import pytest
from tiny_runs import tiny

from eegzip.cli import main
from eegzip.formats.errors import UsageError
from eegzip.training.api import train
from eegzip.training.settings.presets import load_settings


@pytest.mark.parametrize("name", ["yaml", "matplotlib"])
def test_a_run_without_its_packages_does_not_begin(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(UsageError, match=rf"'{name}'.*install eegzip\[train\]"):
        train(tiny(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_audio_needs_its_reader_and_eeg_does_not(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.setitem(sys.modules, "yaml", None)
    sounds = {"domain": "audio", "sources": [str(tmp_path / "nothing")]}
    with pytest.raises(UsageError, match="'yaml'"):
        train(tiny(), tmp_path / "run")
    monkeypatch.delitem(sys.modules, "yaml")
    with pytest.raises(UsageError, match="'soundfile'"):
        train(tiny(data=sounds), tmp_path / "run")


def test_settings_in_yaml_need_its_reader(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "a.yaml").write_text("run: {seed: 1}\n")
    with pytest.raises(UsageError, match=r"install eegzip\[train\]"):
        load_settings(tmp_path / "a.yaml")


def test_the_command_says_so_and_ends_with_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(sys, "argv", ["eegzip", "train", "--data", "synthetic", "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("install eegzip[train].")
    assert not (tmp_path / "run").exists()
