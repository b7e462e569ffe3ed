"""The model card says what a person has to know before using a model, and nothing that the manifest does not say."""

import json

from handmade_models import BRIGHT, write_model

from SegTraining.export.model_card import model_card
from SpineInference.models.manifest import Manifest, read_manifest


def manifest_with(tmp_path, **changes) -> Manifest:
    content = json.loads((write_model(tmp_path / "model", "axial", BRIGHT) / "manifest.json").read_text("utf-8"))
    return read_manifest(json.dumps(content | changes), "it")


def test_a_card_of_a_model_that_was_evaluated(tmp_path):
    details = {
        "training_cases": {"Spines": ["a", "b"], "Phantoms": ["p"]},
        "validation_cases": ["c"],
        "test_cases": ["d", "e"],
    }
    result = {"dataset": "Spines", "planes": "axial", "label": "Block", "cases": 2, "dice": 0.91, "nsd": None}
    training = {"data": "Two spines.", "recipe": "made up", "date": "2026-11-21", "details": details}
    metrics = {
        "evaluation": [
            result | {"dice_ci95": None, "dice_min": 0.88, "dice_max": 0.94, "hd95_mm": 2.5},
            result | {"cases": 12, "dice_ci95": [0.88, 0.94]},
        ],
        "levels": [{"planes": "fused", "level": "L5", "bodies": 2, "found": 1, "dice": 0.46}],
        "worst_bodies": [{"dataset": "Spines", "case": "d", "planes": "fused", "level": "L5", "dice": 0.0}],
    }
    card = model_card(manifest_with(tmp_path, training=training, metrics=metrics))
    assert [line for line in card.splitlines() if line.startswith("#")] == [
        "# Bright",
        "## Intended use",
        "## Labels",
        "## Training data",
        "## How good it is",
        "## Where it fails",
        "## How to use it",
        "## Limits",
        "## Licence",
    ]
    assert "| Spines | 2 |" in card and "kept aside: 1 to choose" in card and "2 to test them on" in card
    assert "| Spines | axial | Block | 2 | 0.910 (0.880-0.940, range of 2) |  | 2.50 |  |" in card
    assert "| Spines | axial | Block | 12 | 0.910 (0.880-0.940) |  |  |  |" in card
    assert "| L5 | 2 | 1 | 0.460 |" in card and "| Spines | d | L5 | missed |" in card
    assert "| 1 | Block | 51282000 (Vertebra) | #090807 |" in card
    assert "spine-segment SCAN" in card and card.endswith("Apache-2.0\n")


def test_a_card_of_a_model_of_which_little_is_known(tmp_path):
    card = model_card(manifest_with(tmp_path))
    assert "has not been evaluated" in card and "None" not in card and "fails" not in card
