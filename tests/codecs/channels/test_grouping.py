"""Which channels share a token stream, and where electrodes lie."""

from __future__ import annotations

import json
import runpy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from eegzip.codecs.channels import grouping
from eegzip.codecs.channels.positions import unit_positions
from eegzip.codecs.channels.vocabulary import STANDARD_VOCABULARY, style_name
from eegzip.formats.edf import normalise_channel_name
from eegzip.formats.errors import UsageError

TEN_TWENTY = "Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2".split()  # noqa: SIM905
# The 64 electrodes of EEGMMIDB, in its order and spelling.
SIXTY_FOUR = """
    Fc5. Fc3. Fc1. Fcz. Fc2. Fc4. Fc6. C5.. C3.. C1.. Cz.. C2.. C4.. C6.. Cp5. Cp3. Cp1. Cpz. Cp2. Cp4. Cp6. Fp1.
    Fpz. Fp2. Af7. Af3. Afz. Af4. Af8. F7.. F5.. F3.. F1.. Fz.. F2.. F4.. F6.. F8.. Ft7. Ft8. T7.. T8.. T9.. T10.
    Tp7. Tp8. P7.. P5.. P3.. P1.. Pz.. P2.. P4.. P6.. P8.. Po7. Po3. Poz. Po4. Po8. O1.. Oz.. O2.. Iz..
""".split()  # noqa: SIM905
TABLE_3 = [
    "EEG 26-REF, EEG 27-REF, EEG 28-REF, EEG 29-REF",
    "EEG 30-REF, EEG 31-REF, EEG 32-REF",
    "EEG C3-REF, EEG C3P-REF, EEG C4-REF, EEG C4P-REF, EEG CZ-REF",
    "EEG FP1-REF, EEG F3-REF, EEG F7-REF, EEG FZ-REF",
    "EEG F4-REF, EEG FP2-REF, EEG F8-REF",
    "EEG T1-REF, EEG T2-REF, EEG T3-REF, EEG T4-REF, EEG T5-REF",
    "EEG O1-REF, EEG O2-REF, EEG OZ-REF, EEG T6-REF",
    "EEG P3-REF, EEG P4-REF, EEG PG1-REF, EEG PG2-REF, EEG PZ-REF",
    "EEG EKG1-REF, EEG LOC-REF, EEG ROC-REF",
    "EEG A1-REF, EEG A2-REF, EEG SP1-REF, EEG SP2-REF",
]
TABLE_2 = ["F3, F4, F7, F8", "FP1, FP2, P3, P4", "T3, T4, T5, T6", "C3, C4, CZ", "O1, O2"]


def named(groups: Sequence[Sequence[int]], names: Sequence[str]) -> set[frozenset[str]]:
    return {frozenset(names[index] for index in group) for group in groups}


def table(rows: Sequence[str]) -> set[frozenset[str]]:
    return {frozenset(row.split(", ")) for row in rows}


def assert_partition(groups: Sequence[Sequence[int]], names: Sequence[str], limit: int) -> None:
    assert sorted(index for group in groups for index in group) == list(range(len(names)))
    assert all(1 <= len(group) <= limit for group in groups)
    for group in groups:
        ranks = [STANDARD_VOCABULARY.index(style_name(names[index])) for index in group if len(group) > 1]
        assert ranks == sorted(set(ranks))


def test_positions_are_on_the_unit_sphere_and_where_the_system_puts_them() -> None:
    places = unit_positions(TEN_TWENTY)
    assert list(places) == TEN_TWENTY
    assert all(np.linalg.norm(place) == pytest.approx(1) for place in places.values())
    assert places["Cz"][2] > 0.95
    for left, right in (("Fp1", "Fp2"), ("F7", "F8"), ("T7", "T8"), ("C3", "C4"), ("P7", "P8"), ("O1", "O2")):
        assert places[left][0] < -0.2 < 0.2 < places[right][0]
        np.testing.assert_allclose(places[left] * [-1, 1, 1], places[right], atol=0.03)
    assert places["Fp1"][1] > places["F3"][1] > places["C3"][1] > places["P3"][1] > places["O1"][1]
    # The 10-20 system measures arcs: Cz is half-way from nasion to inion, C3 half-way from there to T7.
    from_cz = {name: np.degrees(np.arccos(min(float(place @ places["Cz"]), 1.0))) for name, place in places.items()}
    assert from_cz["C3"] == pytest.approx(45, abs=5)
    assert from_cz["T7"] == pytest.approx(90, abs=8)


def test_positions_know_old_names_and_leave_out_what_has_none() -> None:
    names = ["EEG T3-REF", "T7", "Fc5.", "T1", "EEG C3P-REF", "Fp1-F7", "EKG1", "26", "LOC", "SP1", "A2-A1", "nonsense"]
    places = unit_positions(names)
    assert set(places) == {"EEG T3-REF", "T7", "Fc5.", "T1", "EEG C3P-REF"}
    np.testing.assert_array_equal(places["EEG T3-REF"], places["T7"])


def test_every_electrode_of_real_caps_has_a_place() -> None:
    assert len(unit_positions(SIXTY_FOUR)) == 64
    assert set(unit_positions(["A1", "A2", "M1", "M2", "Nz", "AF7", "PO9"])) >= {"A1", "A2", "M1", "M2", "AF7", "PO9"}


def test_positions_are_those_of_the_montage() -> None:
    """To the last bit, as groups go by whichever of two electrodes is nearer."""
    pytest.importorskip("mne")
    from eegzip.codecs.channels.positions import TABLE

    made = runpy.run_path(str(Path(__file__).parents[3] / "recipes" / "electrode_positions.py"))
    assert TABLE.read_text("ascii") == made["table"]()
    known = unit_positions(STANDARD_VOCABULARY)
    without = [name for name in STANDARD_VOCABULARY if name not in known and "-" not in name and not name.isdigit()]
    assert without == ["Nz", "CB1", "CB2", "SP1", "SP2", "PG1", "PG2", "LOC", "ROC", "EKG1"]


def test_table_2_as_in_the_paper() -> None:
    names = [label for row in TABLE_2 for label in row.split(", ")]
    assert named(grouping.manual_groups(names), names) == table(TABLE_2)


def test_table_2_leaves_the_rest_of_the_10_20_set_alone() -> None:
    groups = grouping.manual_groups(TEN_TWENTY)
    old = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
    wanted = {frozenset(normalise_channel_name(old.get(x, x)) for x in row.split(", ")) for row in TABLE_2}
    assert named(groups, TEN_TWENTY) == wanted | {frozenset({"Fz"}), frozenset({"Pz"})}
    assert_partition(groups, TEN_TWENTY, 5)


def test_table_3_as_in_the_paper() -> None:
    names = [label for row in TABLE_3 for label in row.split(", ")]
    for labels in (names, names[::-1]):
        groups = grouping.manual_groups(labels)
        assert named(groups, labels) == table(TABLE_3)
        assert_partition(groups, labels, 5)
    bare = [normalise_channel_name(label) for label in names]
    assert grouping.manual_groups(bare) == grouping.manual_groups(names)


def test_table_3_for_a_part_of_its_channels_and_with_strangers() -> None:
    known = [label for row in TABLE_3 for label in row.split(", ") if "2" not in label]
    names = [*known, "EEG XYZ-REF", "EEG C3-REF"]  # a stranger, and a second C3
    groups = grouping.manual_groups(names)
    assert frozenset({"EEG FP1-REF", "EEG F3-REF", "EEG F7-REF", "EEG FZ-REF"}) in named(groups, names)
    assert {(len(names) - 2,), (len(names) - 1,)} <= set(groups)
    # A cap of sixty-four channels with a heart beside it is not the Temple recorder.
    assert max(len(group) for group in grouping.manual_groups([*SIXTY_FOUR, "EKG1"])[:-1]) == 5


def test_groups_of_a_table_are_split_for_a_smaller_model() -> None:
    names = [label for row in TABLE_3 for label in row.split(", ")]
    groups = grouping.manual_groups(names, 3)
    assert_partition(groups, names, 3)
    whole = table(TABLE_3)
    assert all(any(part <= row for row in whole) for part in named(groups, names))
    assert sorted(map(len, groups)) == sorted([2, 2, 3, 2, 3, 2, 2, 3, 2, 3, 2, 2, 3, 2, 3, 2, 2])


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8, 32])
@pytest.mark.parametrize(
    "names",
    [
        ["Cz"],
        ["C3", "C4"],
        ["F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2"],
        [*TEN_TWENTY, "A1", "A2"],
        [*TEN_TWENTY, "Fpz", "AFz", "Oz", "FC1", "FC2", "CP1"],
        SIXTY_FOUR,
    ],
    ids=lambda names: str(len(names)),
)
def test_regions_hold_every_channel_once_within_the_limit(names: list[str], limit: int) -> None:
    normal = [normalise_channel_name(name) for name in names]
    groups = grouping.manual_groups(normal, limit)
    assert_partition(groups, normal, limit)
    assert len(groups) == -(-len(names) // limit)
    sizes = [len(group) for group in groups]
    assert max(sizes) - min(sizes) <= 1 + (limit > 5)


def test_regions_are_neighbours_and_fair_to_both_sides() -> None:
    names = [normalise_channel_name(name) for name in SIXTY_FOUR]
    places = unit_positions(names)
    groups = grouping.manual_groups(names)

    def spread(groups: Sequence[Sequence[int]]) -> float:
        pairs = [(a, b) for group in groups for a in group for b in group if a < b]
        return float(np.mean([np.linalg.norm(places[names[a]] - places[names[b]]) for a, b in pairs]))

    shuffled = np.random.default_rng(0).permutation(64)
    by_chance = [[int(shuffled[index]) for index in group] for group in groups]
    assert spread(groups) < 0.5 * spread(by_chance)
    # Groups of the left half and of the right: as many of either, of as many channels.
    sides = [np.sign(round(sum(places[names[index]][0] for index in group), 1)) for group in groups]
    assert abs(sum(sides)) <= 1


def test_bipolar_unknown_and_repeated_channels_are_alone() -> None:
    names = ["Fp1-F7", "F7-T7", "C3", "Cz", "C3", "nonsense", "C4"]
    groups = grouping.manual_groups(names)
    assert groups == [(0,), (1,), (2, 3, 6), (4,), (5,)]
    drawn = grouping.random_groups(names, 5, np.random.default_rng(3), scale=1e9)
    assert drawn == groups


def test_order_within_a_group_is_that_of_the_vocabulary() -> None:
    names = ["O1", "Cz", "Fp1", "Fz"]
    own = ("Cz", "O1", "Fz", "Fp1")
    assert grouping.manual_groups(names) == [(2, 3, 1, 0)]
    assert grouping.manual_groups(names, vocabulary=own) == [(1, 0, 3, 2)]
    assert grouping.manual_groups(names, vocabulary=("Cz", "O1")) == [(1, 0), (2,), (3,)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("groups.txt", "# by hand\nT3, C3 ,Cz\n\nEEG FP1-REF,Fp2 # front\n"),
        ("groups.json", json.dumps([["T3", "C3", "Cz"], ["EEG FP1-REF", "Fp2"]])),
    ],
)
def test_groups_from_a_file(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    groups = grouping.make(str(path), TEN_TWENTY)
    assert_partition(groups, TEN_TWENTY, 5)
    together = {group for group in named(groups, TEN_TWENTY) if len(group) > 1}
    assert together == {frozenset({"T7", "C3", "Cz"}), frozenset({"Fp1", "Fp2"})}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Cz\nC3, C9x\n", "line 2: the recording has no channel 'C9x'; it has: Fp1, Fp2"),
        ("Cz, C3\nC4, T3\nO1, T7\n", r"line 3: the channel 'T7' is in a group already \(.*line 2\)"),
        ("Cz, Cz\n", "line 1: the channel 'Cz' is in a group already"),
        ("F3,F4,C3,C4,P3,P4\n", "line 1: a group of 6 channels; the model takes at most 5"),
        ("Cz,,C3\n", "line 1: a label is missing"),
        ("\n# nothing\n", "no group is in this file"),
        ("[]", "no group is in this file"),
        ('[["Cz",\n "C3"', "line 2: .* this is no JSON"),
        ('{"a": ["Cz"]}', "list of lists"),
        ('[["Cz"], ["C3", 4]]', "group 2: a group is a list of labels"),
        ("[" * 100_000, "list"),
        ("Cz, nonsense\n", "line 1: the model can't tell the channel 'nonsense' from others"),
        (b"Cz\xff\xfe", "byte 2 is no UTF-8"),
        (b"Cz," * 400_000, "short text"),
    ],
)
def test_a_bad_file_of_groups_is_refused_in_a_sentence(text: str | bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=said) as caught:
        grouping.make(str(path), [*TEN_TWENTY, "nonsense"])
    assert "mine.txt" in str(caught.value)


def test_a_missing_file_of_groups_names_the_other_choices(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'manual', 'random', 'single' or a file"):
        grouping.make(str(tmp_path / "nowhere"), TEN_TWENTY)


def test_made_groups_depend_on_seed_and_names_alone() -> None:
    first = grouping.make("random", SIXTY_FOUR, seed=5)
    assert first == grouping.make("random", SIXTY_FOUR, seed=5) != grouping.make("random", SIXTY_FOUR, seed=6)
    assert_partition(first, SIXTY_FOUR, 5)
    assert grouping.make("single", TEN_TWENTY) == [(index,) for index in range(19)]
    assert grouping.make("manual", TEN_TWENTY) == grouping.manual_groups(TEN_TWENTY)
