"""What the Slicer module saves for training is what the training reads."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from SegTraining.data.datasets import find_cases
from SegTraining.data.layouts import left_out
from SegTraining.data.raw_folder import describe_raw_folder
from SegTraining.synthetic.spine.phantom import make_phantom
from SpineInference.anatomy import LEVELS
from SpineInference.app.training_case import CaseSegment, TrainingCase, save_case


@pytest.fixture
def saved(tmp_path) -> TrainingCase:
    """A case whose label map has other values than those of the levels, as a person's segments may have."""
    phantom = make_phantom(3, spacing=(1.5, 1.5, 4.0), field_of_view=(120.0, 180.0, 44.0))
    there = [value for value in np.unique(sitk.GetArrayFromImage(phantom.bodies)) if value]
    own = sitk.ChangeLabel(phantom.bodies, {int(value): 50 + number for number, value in enumerate(there)})
    sitk.WriteImage(phantom.image, str(tmp_path / "scan.nrrd"))
    sitk.WriteImage(own, str(tmp_path / "labels.nrrd"))
    name_of = {level.label: level.name for level in LEVELS.values()}
    segments = tuple(CaseSegment(50 + number, name_of[value], True) for number, value in enumerate(there))
    files = (str(tmp_path / f"{name}.nrrd") for name in ("scan", "labels"))
    case = TrainingCase(*files, str(tmp_path / "Dataset600_Corrected"), "case_001", segments)
    save_case(case)
    sitk.WriteImage(phantom.bodies, str(tmp_path / "expected.nrrd"))
    return case


def test_saved_cases_are_read(saved, tmp_path):
    scan = sitk.ReadImage(saved.scan)
    sitk.WriteImage(scan + 1, str(tmp_path / "other.nrrd"))
    save_case(replace(saved, scan=str(tmp_path / "other.nrrd"), name="case_002"))
    dataset = describe_raw_folder(tmp_path / "Dataset600_Corrected")
    cases = find_cases(dataset, tmp_path)
    assert [case.name for case in cases] == ["case_001", "case_002"]
    assert not left_out(dataset, tmp_path / dataset.name)
    image, labels = cases[0].read()
    assert cases[0].labels_are_instances
    assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(scan))
    expected = sitk.ReadImage(str(tmp_path / "expected.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(labels), sitk.GetArrayFromImage(expected))


def test_saved_structures_are_read_by_their_names(saved, tmp_path):
    segments = (replace(saved.segments[0], name="Disc", is_vertebra=False), *saved.segments[1:])
    save_case(replace(saved, folder=str(tmp_path / "Structures"), segments=segments))
    [case] = find_cases(describe_raw_folder(tmp_path / "Structures"), tmp_path)
    _, labels = case.read()
    assert not case.labels_are_instances
    assert set(np.unique(sitk.GetArrayFromImage(labels))) == {0, *case.dataset.known_labels}
