"""The user's word counts first, then what the scan shows, then the number."""

import csv
import dataclasses

import pytest
from small_packages import fields, write_package

from SpineInference.anatomy import LEVELS, Naming
from SpineInference.errors import SpineError
from SpineInference.measuring.measurements import Measurements, VertebraMeasurement, as_json, write_csv
from SpineInference.models import catalog
from SpineInference.models.model_package import pack
from SpineInference.monitor import Monitor
from SpineInference.options import SegmentationOptions
from SpineInference.spine.level_recognition import Proposal
from SpineInference.spine.naming import name_bodies

PROPOSAL = Proposal("L1", 0.9789, "the sacrum")


def name(count: int, options: SegmentationOptions, proposal: Proposal | None = PROPOSAL, lowest_quality: float = 0.95):
    notes, qualities = [], [*[0.9] * (count - 1), lowest_quality]
    segments, naming = name_bodies(qualities, options, lambda _: proposal, Monitor(on_note=notes.append))
    return [segment.name for segment in segments], naming, notes


def test_proposed_levels_are_told_with_confidence():
    names, naming, notes = name(5, SegmentationOptions())
    assert names == ["L1", "L2", "L3", "L4", "L5"]
    assert naming == Naming("proposed", 0.97, "the sacrum")
    assert notes == ["Levels from the sacrum, confidence 0.97; name the topmost vertebra if it is wrong."]


@pytest.mark.parametrize("options", [SegmentationOptions(top_level="T12"), SegmentationOptions(bottom_level="L4")])
def test_user_level_wins_and_contradiction_is_told(options):
    names, naming, notes = name(5, options)
    assert names == ["T12", "L1", "L2", "L3", "L4"]
    assert naming == Naming("given")
    assert notes == [
        "The topmost vertebra looks like L1, counted from the sacrum (confidence 0.97): check the level that you gave."
    ]


@pytest.mark.parametrize(
    "options",
    [
        SegmentationOptions(top_level="L1"),
        SegmentationOptions(bottom_level="L5"),
        SegmentationOptions(top_level="T12", propose_levels=False),
    ],
)
def test_no_note_without_contradiction(options):
    assert name(5, options)[1:] == (Naming("given"), [])


@pytest.mark.parametrize(("lowest", "kept"), [(0.4, False), (0.6, True)])
def test_a_piece_below_s1_does_not_cost_the_names(lowest, kept):
    """With it, the chain of levels would go on beyond the sacrum, and fits nowhere."""
    qualities, notes = [0.9, 0.9, 0.9, lowest], []
    chain = {3: Proposal("L4", 0.98, "the sacrum")}
    segments, naming = name_bodies(qualities, SegmentationOptions(), chain.get, Monitor(on_note=notes.append))
    names = [segment.name for segment in segments]
    if kept:
        assert len(names) == 4 and naming == Naming("numbered")
    else:
        assert names == ["L4", "L5", "S1"] and naming.source == "proposed"
        assert notes[0] == "A piece of the sacrum below S1 was found and left out."


def test_without_a_proposal_bodies_are_numbered():
    assert name(2, SegmentationOptions(), None) == (["Vertebra 1", "Vertebra 2"], Naming("numbered"), [])


def test_who_wants_numbers_gets_numbers():
    names, naming, _ = name(2, SegmentationOptions(propose_levels=False))
    assert (names, naming) == (["Vertebra 1", "Vertebra 2"], Naming("numbered"))


def test_impossible_user_level_gets_no_proposal():
    names, naming, notes = name(5, SegmentationOptions(top_level="L4"))
    assert names[0] == "Vertebra 1" and naming == Naming("numbered")
    assert "L4" in notes[0] and "looks like L1" in notes[1]


LUMBAR = ["L1", "L2", "L3", "L4", "L5"]


@pytest.mark.parametrize(
    "options",
    [
        SegmentationOptions(),
        SegmentationOptions(top_level="L1"),
        SegmentationOptions(bottom_level="L5"),
        SegmentationOptions(top_level="L1", bottom_level="L5"),
    ],
)
def test_a_piece_of_the_sacrum_is_left_out_and_told(options):
    names, _, notes = name(6, options, lowest_quality=0.4)
    assert names == LUMBAR and "A piece of S1 was found and left out" in " ".join(notes)
    assert name(5, options, lowest_quality=0.4)[0] == LUMBAR  # any other doubtful body is kept


def test_a_whole_sacrum_or_one_asked_for_is_kept():
    assert name(6, SegmentationOptions())[0] == [*LUMBAR, "S1"]
    assert name(6, SegmentationOptions(), lowest_quality=0.6)[0] == [*LUMBAR, "S1"]
    assert name(6, SegmentationOptions(bottom_level="s1"), lowest_quality=0.4)[0] == [*LUMBAR, "S1"]


@pytest.mark.parametrize("top_level", [None, "L1"])
def test_who_names_l5_last_does_not_rename_the_sacrum(top_level):
    options = SegmentationOptions(top_level=top_level, bottom_level="L5")
    assert name(6, options) == ([*LUMBAR, "S1"], Naming("given"), [])


def test_sacrum_unseen_is_named_by_the_user_only():
    assert name(6, SegmentationOptions(top_level="L1"), None, lowest_quality=0.4)[0] == LUMBAR
    assert name(6, SegmentationOptions(bottom_level="L5"), None, lowest_quality=0.4)[0] == ["T12", *LUMBAR]


def test_doubtful_l5_survives_a_level_one_too_low():
    names, _, notes = name(5, SegmentationOptions(top_level="L2"), lowest_quality=0.4)
    assert names == ["L2", "L3", "L4", "L5", "S1"] and "looks like L1" in notes[0] and len(notes) == 1


@pytest.mark.parametrize(
    "options", [SegmentationOptions(bottom_level="L6"), SegmentationOptions(top_level="L1", bottom_level="L6")]
)
def test_sixth_lumbar_of_the_user_is_no_sacrum(options):
    assert name(6, options, lowest_quality=0.4)[0] == [*LUMBAR, "L6"]


def test_nothing_found_is_nothing_named():
    assert name_bodies([], SegmentationOptions(), lambda _: pytest.fail("was asked"), Monitor())[0] == []


def test_table_and_record_say_where_names_come_from(tmp_path):
    values = dict.fromkeys(field.name for field in dataclasses.fields(VertebraMeasurement))
    body = VertebraMeasurement(**values | {"level": "L5", "label": 24, "partial": False})
    measurements = Measurements([body], naming=Naming("proposed", 0.97, "the sacrum"))
    write_csv(measurements, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert (row["level_source"], row["level_confidence"]) == ("proposed", "0.97")
    assert as_json(measurements)["naming"] == {"source": "proposed", "confidence": 0.97, "anchor": "the sacrum"}


# ---- the package of a network that recognises levels


def level_fields(**changes) -> dict:
    labels = [
        {
            "value": level.label,
            "name": level.name,
            "colour": list(level.colour),
            "code": level.code,
            "meaning": level.name,
        }
        for level in LEVELS.values()
    ]
    network = {"family": "patch-classifier", "arguments": {}}
    own = {"task": "levels", "labels": labels, "network": network, "output": {"activation": "softmax"}}
    return fields("small-levels") | own | changes


def test_a_set_brings_along_what_recognises_its_levels(tmp_path):
    write_package(tmp_path / "set" / "bodies", fields("bodies"))
    write_package(tmp_path / "set" / "levels", level_fields())
    pack(tmp_path / "set", tmp_path / "both.zip")
    for place in (tmp_path / "set", tmp_path / "both.zip"):
        found = catalog.open_set(place)
        assert [package.manifest.name for package in found.packages] == ["bodies"]
        assert found.levels.manifest.name == "small-levels"


def test_an_imported_set_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    write_package(tmp_path / "mine" / "bodies", fields("bodies"))
    write_package(tmp_path / "mine" / "levels", level_fields())
    assert catalog.import_model(tmp_path / "mine").levels is not None
    assert catalog.import_model(tmp_path / "mine").levels is not None  # again is no other one
    assert catalog.verify("mine") == []


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        ([level_fields()], "segments nothing"),
        ([fields("bodies"), level_fields(), level_fields(name="other-levels")], "two networks that recognise levels"),
        ([fields("bodies"), level_fields(input=fields()["input"] | {"intensity": {"rule": "minmax"}})], "intensities"),
        ([fields("bodies", task="levels")], "no network family"),
        ([level_fields(task="segmentation")], "no network family"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, packages, said):
    for number, manifest in enumerate(packages):
        write_package(tmp_path / "set" / f"package-{number}", manifest)
    with pytest.raises(SpineError, match=said):
        catalog.open_set(tmp_path / "set")
