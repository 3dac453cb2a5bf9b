"""Fixtures of the codec tests."""

from __future__ import annotations

import pytest
from small_models import LINEAR, PLAIN, make, multichannel

from eegzip.codecs.checkpoints.checkpoint import Checkpoint


@pytest.fixture(scope="session")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A random model with every option on."""
    return make(tmp_path_factory.mktemp("linear") / "small", LINEAR)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A random model with every option at DAC's default."""
    return make(tmp_path_factory.mktemp("plain") / "plain", PLAIN)


@pytest.fixture(scope="session")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A random multi-channel model, its adapters far from an identity, with every other option on."""
    return make(tmp_path_factory.mktemp("grouped") / "grouped", multichannel(LINEAR))


@pytest.fixture(scope="session")
def grouped_plain(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A random multi-channel model around DAC as it is."""
    return make(tmp_path_factory.mktemp("grouped_plain") / "grouped_plain", multichannel(PLAIN))
