"""What label values and names of segments mean."""

import pytest

from SpineInference.anatomy import LEVELS, numbered
from SpineInference.errors import SpineError
from SpineInference.models.catalog import open_set
from SpineInference.options import DEFAULT_MODEL
from SpineInference.spine.discs import disc_segments
from SpineInference.spine.given_names import from_top, segments_of_labels


def names(*values: int) -> list[str]:
    return [segment.name for segment in segments_of_labels(values, {}).values()]


def renamed(**segments: int) -> list[int]:
    told = {value: name.replace("_", " ") for name, value in segments.items()}
    return [segment.label for segment in segments_of_labels(told, told).values()]


def test_values_are_those_of_verse():
    assert names(1, 19, 20, 25, 26, 27, 28) == ["C1", "T12", "L1", "L6", "S1", "Coccyx", "T13"]
    assert names(60, 61, 31, 59) == ["Spinal cord", "Spinal canal", "Vertebra 1", "Vertebra 29"]


@pytest.mark.parametrize("bodies", ["T11 T12 L1", "L4 L5 S1", "L5 L6 S1", "C2 C3", "1 2 3"])
def test_discs_are_called_as_in_a_run(bodies):
    recipe = open_set(DEFAULT_MODEL).recipe
    segments = [LEVELS.get(name) or numbered(int(name)) for name in bodies.split()]
    discs = [disc for disc in disc_segments(segments, recipe.labels[recipe.disc_class - 1]) if disc]
    found = segments_of_labels([each.label for each in (*segments, *discs)], {})
    assert [found[disc.label] for disc in discs] == discs
    told = {disc.label: disc.name for disc in discs} | {segment.label: segment.name for segment in segments}
    assert {value: segment.label for value, segment in segments_of_labels(told, told).items()} == {v: v for v in told}


def test_the_canal_looks_as_in_a_run():
    canal = next(iter(open_set(DEFAULT_MODEL).recipe.structures.values()))
    assert segments_of_labels([61], {})[61] == canal


def test_t13_is_above_l1():
    found = segments_of_labels([19, 28, 20, 119, 128, 61, 124], {})
    assert found[119].name == "Disc T12-T13" and found[128].name == "Disc T13-L1"
    others = [segment for segment in found.values() if not segment.is_vertebra]
    assert [segment.label for segment in from_top(others)] == [119, 128, 124, 61]


def test_names_go_before_values():
    assert renamed(L4=5, spinal_canal=6, **{"Disc L4-L5": 7}) == [23, 61, 123]
    assert renamed(Vertebra_3=1, **{"Disc 3-4": 2, "Disc above 1": 3, "Disc below 4": 4}) == [33, 133, 130, 134]


@pytest.mark.parametrize("value", [29, 30, 62, 99, 100, 101, 127, 129, 160, 205, 4000])
def test_unknown_values(value):
    with pytest.raises(SpineError, match=f": {value}; known are 1 to 28"):
        segments_of_labels([20, value], {})


def test_vertebrae_have_all_a_level_or_none():
    """31 to 33 are parts of the sacrum where others name them."""
    with pytest.raises(SpineError, match="31, 131"):
        segments_of_labels([24, 26, 31, 131], {})


def test_unknown_and_double_names():
    with pytest.raises(SpineError, match='"Spur"; known are L4'):
        renamed(L4=23, Spur=24)
    with pytest.raises(SpineError, match="two of its segments are called L4"):
        renamed(L4=23, l4=24)


def test_many_unknown_values_are_counted():
    with pytest.raises(SpineError, match="and 41 more"):
        segments_of_labels(range(200, 250), {})
