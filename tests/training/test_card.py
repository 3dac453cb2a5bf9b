"""The model card: its front matter is YAML that the hub takes, its figures are those of the config."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace

import pytest
import yaml

from eegzip.codecs.checkpoints.config import ModelConfig, MultichannelConfig, NetworkConfig, ScalingConfig
from eegzip.training.reporting.card import model_card
from eegzip.training.reporting.card_facts import CardFacts, ModelMetrics

COMPACT = NetworkConfig(
    encoder_dim=16, encoder_rates=(2, 4, 8, 8), decoder_dim=384, decoder_rates=(8, 8, 4, 2), n_codebooks=9,
    codebook_size=1024, codebook_dim=8,
)  # fmt: skip
SINGLE = ModelConfig("first", 256.0, COMPACT)
GROUPS = ModelConfig(
    "groups", 256.0, COMPACT, architecture="dac-mc",
    multichannel=MultichannelConfig(max_channels=5, vocabulary=("Fp1", "Fp2", "Cz")),
)  # fmt: skip
FACTS = CardFacts(
    config=SINGLE,
    parameters=4_902_858,
    sources=("data/eeg", "a `ticked` folder"),
    files=12,
    hours=3.456,
    subjects_trained=("sub-03", "sub-01"),
    subjects_held_out=("sub-02",),
    ids_from_files=True,
    skipped=(("broken.edf", "broken.edf: it has | no\nheader <b>"),),
    licence="CC BY 4.0",
    recording_rates=(500.0, 250.0, 500.0),
    command=("eegzip", "train", "--data", "my data", "--out", "run"),
    seed=17,
    steps=1234,
    seconds=1300.0,
    before=ModelMetrics(prd=98.76, snr=0.11, spectrogram=1.5, r={"alpha": 0.1}),
    after=ModelMetrics(prd=32.14, snr=9.87, spectrogram=0.25, r={"alpha": 0.91, "beta": 0.8}),
    torch_version="2.13",
)


def parts(card: str) -> tuple[dict[str, object], str]:
    """Front matter and body, as the hub splits them."""
    found = re.fullmatch(r"---\n(.*?)\n---\n(.*)", card, re.DOTALL)
    assert found
    return yaml.safe_load(found[1]), found[2]


def section(card: str, title: str) -> str:
    """Text under a heading."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", card, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def test_the_front_matter_is_what_the_hub_reads() -> None:
    front, body = parts(model_card(FACTS))
    assert front == {
        "license": "cc-by-4.0",
        "library_name": "eegzip",
        "tags": ["eeg", "compression", "neural-codec", "rvq"],
    }
    assert body.startswith("\n# first\n")
    assert "![Loss curves](curves.png)" in body


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("", {"license": "unknown"}),
        ("MIT", {"license": "mit"}),
        ("cc0-1.0", {"license": "cc0-1.0"}),
        ("DUA of our hospital: ask!", {"license": "other", "license_name": "dua-of-our-hospital-ask"}),
        ("ä: 'ö'\n- x", {"license": "other", "license_name": "x"}),
        ("???", {"license": "other", "license_name": "see-card"}),
    ],
)
def test_a_licence_is_what_was_stated_and_no_more(stated: str, expected: dict[str, str]) -> None:
    card = model_card(replace(FACTS, licence=stated))
    front, _ = parts(card)
    assert {k: v for k, v in front.items() if k.startswith("license")} == expected
    text = section(card, "Licence of the data")
    assert (" ".join(stated.split()) in text) if stated else ("Not stated" in text)


def test_the_rate_is_that_of_the_config() -> None:
    text = section(model_card(FACTS), "What it is")
    # 256 Hz and strides of 2, 4, 8, 8: half a frame a second; nine tokens of ten bits each.
    assert "0.5 frames/s x 9 tokens x log2(1024) = 10 bit: 45 bit/s for each channel" in text
    assert f"{256 * 16 / 45:.1f}:1" in text
    assert "5 bit/s per channel each" in text
    assert "strides 2, 4, 8, 8" in text
    assert "strides 8, 8, 4, 2" in text
    assert "9 codebooks of 1024 x 8" in text
    assert "4.90 million" in text
    odd = replace(SINGLE, rate=512.0, network=replace(COMPACT, n_codebooks=3, codebook_size=300))
    expected = 512 / 512 * 3 * math.log2(300)
    assert f"{expected:g} bit/s for each channel" in model_card(replace(FACTS, config=odd))


def test_a_group_shares_its_rate() -> None:
    card = model_card(replace(FACTS, config=GROUPS))
    assert "45 bit/s for each group, 9 bit/s per channel in a full group of 5" in section(card, "What it is")
    assert f"{256 * 16 / 9:.1f}:1" in section(card, "What it is")
    assert "Fp1, Fp2, Cz" in section(card, "Valid rates and channels")
    assert "up to 5 channels" in card


def test_people_are_named_only_by_what_is_in_file_names() -> None:
    data = section(model_card(FACTS), "Data")
    assert "Trained on 2 people: `sub-01`, `sub-03`." in data
    assert "Held out 1 person: `sub-02`." in data
    named = replace(FACTS, subjects_trained=("Jane Roe",), subjects_held_out=("John Doe",))
    card = model_card(replace(named, ids_from_files=False))
    assert "Roe" not in card
    assert "Doe" not in card
    assert "Trained on 1 person." in card
    many = tuple(f"p{i:04d}" for i in range(900))
    data = section(model_card(replace(FACTS, subjects_trained=many, subjects_held_out=many)), "Data")
    trained, held_out = re.findall(r"900 people: (.*)", data)
    # Whoever compares figures must be able to leave out every one of those held out.
    assert held_out.count("`p") == 900
    assert trained.count("`p") < 900
    assert "more" in trained


def test_data_skipped_files_and_the_command_are_told_as_they_are() -> None:
    card = model_card(FACTS)
    data = section(card, "Data")
    assert "12 recordings, 3.46 hours" in data
    assert "`` a `ticked` folder ``" in data
    assert "`broken.edf`: it has \\| no header &lt;b>" in data
    assert "1 file was skipped" in data
    assert "step 900, the best" in section(model_card(replace(FACTS, saved_step=900)), "How it was trained")
    assert "No files were skipped" in model_card(replace(FACTS, skipped=()))
    trained = section(card, "How it was trained")
    (command,) = re.findall(r"```sh\n(.*)\n```", trained)
    assert shlex.split(command) == list(FACTS.command)
    for fact in ("1234 steps in 21.7 min on cpu", "seed 17", "random weights", "torch 2.13"):
        assert fact in trained


def test_figures_are_a_table_before_and_after() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section(model_card(FACTS), "What it does to people it never saw").splitlines()
        if line.startswith("|")
    ]
    assert rows[0] == ["", "PRD in %", "SNR in dB", "r, alpha", "r, beta", "spectrogram loss"]
    assert rows[2] == ["before training", "98.8", "0.1", "0.100", "-", "1.5000"]
    assert rows[3] == ["this model", "32.1", "9.9", "0.910", "0.800", "0.2500"]
    assert {len(row) for row in rows} == {6}


def test_what_was_not_measured_is_not_claimed() -> None:
    for facts in (replace(FACTS, subjects_held_out=()), replace(FACTS, before=None, after=None)):
        text = section(model_card(facts), "What it does to people it never saw")
        assert "nothing is known" in text
        assert "|" not in text
    nan = replace(FACTS, after=ModelMetrics(prd=math.nan, snr=math.inf))
    assert "| this model | - | - | - | - |" in model_card(nan)


def test_limits_follow_from_the_facts() -> None:
    limits = section(model_card(FACTS), "Limits")
    assert "115.2 Hz" in limits
    assert "1 held-out person only" in limits
    assert "Not a medical device" in limits
    assert "Not trained on EEG" in model_card(replace(FACTS, domain="audio"))
    fixed = replace(SINGLE, scaling=ScalingConfig(kind="fixed", limit_uv=150.0))
    assert "clipped at +-150 uV" in model_card(replace(FACTS, config=fixed))


def test_the_least_that_is_known_makes_a_card() -> None:
    front, body = parts(model_card(CardFacts(config=SINGLE)))
    assert front["license"] == "unknown"
    assert "Trained on nobody" in body
