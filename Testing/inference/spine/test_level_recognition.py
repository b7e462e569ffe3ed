"""Levels are proposed where an anchor is seen and the chain of bodies is beyond doubt, and never otherwise."""

from itertools import pairwise

import numpy as np
import pytest

from SegTraining.config.levels import load_level_config
from SegTraining.export.engine_agreement import TOLERANCE, engine_difference
from SegTraining.levels.patches import phantom_scan
from SpineInference.anatomy import LEVELS
from SpineInference.engines import open_engine
from SpineInference.engines.devices import choose_device
from SpineInference.errors import SpineError
from SpineInference.models.catalog import open_set
from SpineInference.options import DEFAULT_MODEL
from SpineInference.specs import InputSpec, IntensityRule
from SpineInference.spine.level_recognition import CERTAIN, PAD_VALUE, decide, make_patch, propose_levels, uneven

SPEC = InputSpec(1, 2.0, IntensityRule(), pad_multiple=64, canvas=(64, 64))
SPREAD = {"T12": ("T11", "L1"), "L1": ("T12", "L2"), "L2": ("L1", "L3"), "L3": ("L2", "L4"), "L4": ("L3", "L5")}


def seen(*levels: str, certainty: float = 0.8) -> np.ndarray:
    """What a network says that takes each body for its level, and now and then for another one."""
    table = np.full((len(levels), len(LEVELS) + 1), (1 - certainty) / len(LEVELS))
    for row, name in zip(table, levels, strict=True):
        row[LEVELS[name].label] = certainty
    return table / table.sum(axis=1, keepdims=True)


def unsure(count: int, *levels: str) -> np.ndarray:
    """What it says of bodies that might be any of `levels`."""
    table = np.full((count, len(LEVELS) + 1), 0.002)
    table[:, [LEVELS[name].label for name in levels]] = 1 / len(levels)
    return table / table.sum(axis=1, keepdims=True)


def test_a_chain_down_to_the_sacrum_is_named_from_it():
    proposal = decide(seen("L1", "L2", "L3", "L4", "L5"))
    assert (proposal.top_level, proposal.anchor) == ("L1", "the sacrum")
    assert CERTAIN <= proposal.confidence <= 1


def test_below_the_last_body_decides_the_level():
    names = ["T11", "T12", "L1", "L2", "L3", "L4"]
    last = 0.7 * seen("L5", certainty=1) + 0.3 * seen("L4", certainty=1)
    unclear = np.concatenate([*(unsure(1, *pair) for pair in pairwise(names)), last])
    assert decide(unclear) is None
    proposal = decide(unclear, seen("S1", certainty=0.95)[0])
    assert (proposal.top_level, proposal.anchor) == ("T12", "the sacrum")
    assert decide(unclear, seen("L5", certainty=0.95)[0]) is None
    assert decide(seen("L1", "L2", "L3", "L4", "L5"), seen("L4", certainty=0.95)[0]) is None
    with_sacrum = seen("L2", "L3", "L4", "L5", "S1"), unsure(1, "S1", "L5")[0]
    assert decide(with_sacrum[0], np.eye(len(LEVELS) + 1)[0]).confidence > decide(*with_sacrum).confidence


def test_s1_is_part_of_the_chain():
    assert decide(seen("L2", "L3", "L4", "L5", "S1")).top_level == "L2"


def test_steep_last_body_alone_is_no_anchor():
    assert decide(np.concatenate([seen("T12", "L1", "L2", "L3", "L4"), unsure(1, "L4", "L5"), seen("S1")])) is None


def test_a_neck_is_named_from_the_axis():
    proposal = decide(np.concatenate([seen("C2"), unsure(6, "C3", "C4", "C5", "C6", "C7", "T1", "T2")]))
    assert (proposal.top_level, proposal.anchor) == ("C2", "C2")


def test_a_body_taken_for_its_neighbour_does_not_decide():
    assert decide(seen("T11", "T12", "L1", "L1", "L3", "L4", "L5", "S1")).top_level == "T11"


def test_no_proposal_without_an_anchor():
    assert decide(seen("T10", "T11", "T12", "L1", "L2", certainty=0.99)) is None


def test_bodies_that_may_be_any_are_not_named():
    assert decide(unsure(7, *(f"T{number}" for number in range(1, 13)))) is None


def test_a_contradiction_is_not_named():
    """Two bodies that both lie on the sacrum: one of them does not, and nobody knows which."""
    assert decide(seen("L3", "L4", "L5", "L4", "L5")) is None


def test_missed_or_doubled_body_is_noticed():
    assert decide(seen("T12", "L1", "L2", "L3", "L4", "L5")) is not None
    assert decide(seen("T12", "L1", "L3", "L4", "L5")) is None
    assert decide(seen("T12", "L1", "L1", "L2", "L3", "L4", "L5")) is None
    # A doubt about single ones is no doubt about all: neighbours are taken for each other.
    assert decide(seen("T12", "L1", "L2", "L2", "L4", "L5")).top_level == "T12"


def test_a_chain_that_is_no_spine_is_not_named():
    assert decide(seen("C5", "L1", "T3", "C2", "S1", "T9", "L5")) is None


def test_a_chain_longer_than_a_spine_is_not_named():
    assert decide(unsure(30, "T5")) is None


@pytest.mark.parametrize(("steps", "expected"), [
    ([30, 31, 32, 34, 36, 33], False),
    ([30, 31, 62, 34, 36], True),
    ([30, 31, 47, 34, 36], True),
    ([30, 31, 40, 34, 36], False),
    ([30, 12, 18, 34, 36], True),
    ([25, 33, 34], False),
    ([60], False),
])  # fmt: skip
def test_a_gap_or_a_doubled_body_is_noticed(steps, expected):
    down = np.cumsum([0, *steps])
    assert uneven(np.column_stack([down, 0.1 * down, 0 * down]).astype(float)) == expected


def test_patch_does_not_depend_on_spacing():
    def bump(spacing):
        axes = (np.arange(round(200 / step)) * step for step in spacing)
        down, back, left = np.meshgrid(*axes, indexing="ij")
        return np.exp(-((down - 100) ** 2 + (back - 80) ** 2 + (left - 20) ** 2) / 500).astype(np.float32)

    patches = [
        make_patch(bump(spacing), spacing, np.array([96.0, 84.0, 20.0]) / spacing, SPEC)
        for spacing in ((1.0, 1.0, 2.0), (2.0, 1.0, 4.0))
    ]
    assert np.abs(patches[0] - patches[1]).max() < 0.02
    middle = patches[0][1]
    row, col = np.unravel_index(middle.argmax(), middle.shape)
    assert (row, col) in [(33, 29), (34, 29), (33, 30), (34, 30)]  # 4 mm below the centre and 4 mm in front of it
    assert middle.max() > patches[0][0].max()


def test_where_the_scan_ends_is_marked():
    patch = make_patch(np.zeros((50, 200, 3), np.float32), (1.0, 1.0, 4.0), np.array([40.0, 100.0, 1.0]), SPEC)
    assert (patch[:, 38:] == PAD_VALUE).all() and (patch[:, :11] == PAD_VALUE).all()
    assert (patch[:, 13:36] == 0).all()


# ---- the network that ships


@pytest.fixture(scope="module")
def package():
    return open_set(DEFAULT_MODEL).levels


def test_bundled_levels_network_segments_nothing(package):
    assert package.manifest.recognises_levels and package.size_bytes < 500_000
    assert package.manifest.metrics["validation"]["right"] == package.manifest.metrics["validation"]["proposed"] > 0
    with pytest.raises(SpineError, match="segments nothing"):
        open_set("vertebral-levels-mr")


def test_onnx_and_torch_agree(package):
    assert engine_difference(package) <= TOLERANCE


@pytest.fixture(scope="module")
def lumbar():
    """A phantom whose sacrum is well inside the scan."""
    return phantom_scan(80_014, load_level_config("vertebral-levels"))


def proposal_for(package, scan, rows: int | None = None):
    """The proposal for the bodies of `scan`, cut off below after so many `rows`, but those of the sacrum."""
    volume = scan.volume[:rows]
    bodies = {v: c for v, c in sorted(scan.centres.items()) if 0 < v < 26 and c[0] < len(volume)}
    engine = open_engine(package, choose_device("cpu"), threads=1)
    return propose_levels(volume, scan.spacing, list(bodies.values()), package.manifest, engine), min(bodies)


def test_a_phantom_is_named_from_its_sacrum(package, lumbar):
    proposal, top = proposal_for(package, lumbar)
    assert (LEVELS[proposal.top_level].label, proposal.anchor) == (top, "the sacrum")


@pytest.mark.parametrize("last", ["L5", "L4", "L3"])
def test_a_scan_that_ends_above_the_sacrum_is_not_named(package, lumbar, last):
    rows = int(lumbar.centres[LEVELS[last].label][0] + 20 / lumbar.spacing[0])
    assert proposal_for(package, lumbar, rows)[0] is None
