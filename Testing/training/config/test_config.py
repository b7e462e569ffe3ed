"""Configurations: what is written is what is meant, and mistakes are told."""

import pytest
import yaml
from tiny_training import settings, write_settings

from SegTraining.config.config import PRESETS, load_config, save_config
from SpineInference.errors import SpineError


def test_misspelt_setting_is_named_with_its_place(tmp_path):
    path = write_settings(tmp_path / "x.yaml", training={"bach_size": 4})
    with pytest.raises(SpineError, match=r"training\.bach_size: there is no such setting, perhaps batch_size"):
        load_config(path)


@pytest.mark.parametrize(
    ("section", "values", "part_of_message"),
    [
        ("augmentation", {"rotaton": {"low": 1, "high": 2}}, "augmentation.rotaton.*perhaps rotation"),
        ("augmentation", {"rotation": {"low": 1, "high": 2, "prob": 1}}, "rotation.prob.*known are high, low, p"),
        ("data", {"datasets": [{"name": "x", "lay_out": "msd"}]}, r"data\.datasets\.0\.lay_out.*perhaps layout"),
        ("input", {"intensity": {"rul": "minmax"}}, "input.intensity.rul.*perhaps rule"),
        ("modality", "MR", "modality: there is no such setting, known are augmentation, data"),
        ("training", {"batch_size": "many"}, "training.batch_size.*integer.*not 'many'"),
        ("training", {"precision": "bf16"}, "training.precision.*'bf16-mixed'.*not 'bf16'"),
        ("network", {"family": "unnet"}, "network.family.*unnet.*known are .*unet"),
    ],
)
def test_mistake_is_told_with_place_and_suggestion(tmp_path, section, values, part_of_message):
    path = write_settings(tmp_path / "x.yaml", **{section: values})
    with pytest.raises(SpineError, match=part_of_message):
        load_config(path)


@pytest.mark.parametrize(
    ("section", "values", "part_of_message"),
    [
        ("plane", "oblique", "plane"),
        ("training", {"crop": [60, 32]}, "multiples"),
        ("augmentation", {"scale": {"low": 2, "high": 1}}, "must not exceed"),
        ("augmentation", {"blur": {"p": 1.5}}, "augmentation.blur.p"),
        ("input", {"intensity": {"rule": "by eye"}}, "intensity rule"),
        ("data", {"datasets": [{"name": "x", "layout": "pairs"}]}, 'needs the patterns "images" and "masks"'),
        ("data", {"datasets": [{"name": "x", "images": "{case}.png"}]}, "takes no patterns"),
        ("data", {"datasets": [{"name": "x", "layout": "images2d", "masks": "masks/*"}]}, "must hold {case} once"),
        ("data", {"datasets": [{"name": "x", "spacing_mm": 0.1}]}, "images2d only"),
        ("data", {"datasets": [{"name": "x", "patient_pattern": "a("}]}, "no regular expression"),
        ("data", {"datasets": [{"name": "x", "patient_pattern": "a"}]}, "group in parentheses"),
        ("data", {"split": {"folds": 3, "validation_fraction": 0.2}}, "not several"),
        ("model_info", {"labels": [{"name": "Disc", "code": "244945000"}]}, "needs its meaning"),
        ("model_info", {"labels": [{"name": "Disc", "meaning": "Disc"}]}, "give both"),
        ("model_info", {"labels": [{"name": "A"}, {"name": "B", "values": [1]}]}, "each of several labels needs"),
        (
            "model_info",
            {"labels": [{"name": "A", "values": [1]}, {"name": "B", "values": [1]}]},
            "differ from each other",
        ),
        (
            "model_info",
            {"labels": [{"name": "A", "values": [1], "value": 2}, {"name": "B", "values": [2]}]},
            "different values in the package",
        ),
        ("training", {"batch_size": 3, "devices": 2}, "multiple of devices"),
        ("loss", {"dice": 0, "cross_entropy": 0}, "greater than zero"),
    ],
)
def test_impossible_values_are_refused(tmp_path, section, values, part_of_message):
    path = write_settings(tmp_path / "x.yaml", **{section: values})
    with pytest.raises(SpineError, match=part_of_message):
        load_config(path)


def test_a_structure_without_a_code_is_no_vertebra(tmp_path):
    names = ("Vertebral body", "Disc", "Canal")
    labels = [{"name": name, "values": [value]} for value, name in enumerate(names, start=1)]
    info = load_config(write_settings(tmp_path / "x.yaml", model_info={"labels": labels})).model_info
    assert [label.code for label in info.labels] == ["51282000", "91723000", "91723000"]
    assert [label.meaning for label in info.labels][:2] == ["Vertebra", "Anatomical structure"]
    assert len({label.colour for label in info.labels}) == 3
    assert [name in " ".join(info.unknown_structures) for name in names] == [False, True, True]
    save_config(load_config(tmp_path / "x.yaml"), tmp_path / "copy.yaml")
    assert load_config(tmp_path / "copy.yaml").model_info == info


def test_a_file_replaces_keys_of_its_base(tmp_path):
    write_settings(tmp_path / "base.yaml")
    (tmp_path / "x.yaml").write_text("base: base.yaml\nplane: axial\ntraining: {seed: 7}\n", "utf-8")
    config = load_config(tmp_path / "x.yaml", {"training.max_minutes": 2.5})
    assert (config.plane, config.training.seed, config.training.max_minutes) == ("axial", 7, 2.5)
    assert config.training.batch_size == 4


def test_later_bases_replace_entries_of_earlier_ones(tmp_path):
    write_settings(tmp_path / "first.yaml")
    (tmp_path / "second.yaml").write_text("training: {seed: 7, batch_size: 2}\n", "utf-8")
    (tmp_path / "x.yaml").write_text("base: [first.yaml, second.yaml]\ntraining: {batch_size: 3}\n", "utf-8")
    config = load_config(tmp_path / "x.yaml")
    assert (config.name, config.training.seed, config.training.batch_size) == ("tiny", 7, 3)


def test_the_base_may_be_a_preset(tmp_path):
    (tmp_path / "mine.yaml").write_text("base: vertebral-bodies-axial\ntraining: {seed: 7}\n", "utf-8")
    config = load_config(tmp_path / "mine.yaml")
    assert (config.plane, config.training.seed) == ("axial", 7)
    (tmp_path / "wrong.yaml").write_text("base: vertebral-bodies-axail\n", "utf-8")
    with pytest.raises(SpineError, match="perhaps vertebral-bodies-axial"):
        load_config(tmp_path / "wrong.yaml")


def test_a_file_that_is_its_own_base_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("base: x.yaml\n", "utf-8")
    with pytest.raises(SpineError, match="own base"):
        load_config(tmp_path / "x.yaml")


def test_resolved_copy_is_the_same_configuration(tmp_path):
    config = load_config(write_settings(tmp_path / "x.yaml"))
    save_config(config, tmp_path / "copy.yaml")
    assert load_config(tmp_path / "copy.yaml") == config


def test_old_settings_are_told_by_their_new_names(tmp_path):
    content = settings()
    older = {"card" if key == "model_info" else key: value for key, value in content.items()}
    for wrong, place in (
        (older, "card: this setting is called model_info"),
        ({**content, "model_info": {"label": {}}}, "model_info.label: this setting is called labels"),
    ):
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(wrong), "utf-8")
        with pytest.raises(SpineError, match=place):
            load_config(tmp_path / "x.yaml")


@pytest.mark.parametrize("plane", ["sagittal", "coronal", "axial"])
def test_the_presets_of_the_bundled_models_are_valid(plane):
    config = load_config(f"vertebral-bodies-{plane}")
    assert config.plane == plane
    assert config.training.accelerator == "cpu"
    first = load_config("vertebral-bodies-first")
    assert config.network == first.network and first.fine_tuning is None
    assert config.fine_tuning.package == f"models/{first.name}"


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(SpineError, match="vertebral-bodies-axial"):
        load_config("vertebral-bodies-axail")
    assert (PRESETS / "vertebral-bodies-axial.yaml").exists()


def test_broken_yaml_is_told(tmp_path):
    (tmp_path / "x.yaml").write_text("a: [1, 2\n", "utf-8")
    with pytest.raises(SpineError, match="cannot be read"):
        load_config(tmp_path / "x.yaml")
