"""Corrected scans become cases of a data set: whole, without anything of the patient, and never over another one."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.app import training_case
from SpineInference.app.training_case import CaseSegment, TrainingCase, check_case, next_name, save_case
from SpineInference.errors import SpineError
from SpineInference.placement import SlicePlacement

BODIES = (CaseSegment(3, "L4", True), CaseSegment(7, "L5", True), CaseSegment(9, "Vertebra 3", True))


def scan_and_labels(folder: Path, seed: int = 0, values=(3, 7, 9), shape=(12, 14, 16)) -> tuple[str, str]:
    """An oblique scan with a cuboid for each value, as files with metadata that must not travel."""
    array = np.random.default_rng(seed).normal(100, 30, shape).astype(np.int16)
    labels = np.zeros(shape, np.uint16)
    for number, value in enumerate(values):
        labels[:, 4 * number : 4 * number + 3, 2:9] = value
    paths = []
    for name, content in (("scan", array), ("labels", labels)):
        image = sitk.GetImageFromArray(content)
        image.SetSpacing((0.8, 0.9, 4.0))
        image.SetOrigin((10.0, -20.0, 30.0))
        turn = sitk.Euler3DTransform((0, 0, 0), 0.1, 0.2, 0.3)
        image.SetDirection(turn.GetMatrix())
        image.SetMetaData("PatientName", "Doe^Jane")
        paths.append(str(folder / f"{name}-{seed}.nrrd"))
        sitk.WriteImage(image, paths[-1])
    return paths[0], paths[1]


def case(folder: Path, name="case_001", segments=BODIES, seed=0, **more) -> TrainingCase:
    values = tuple(segment.value for segment in segments)
    return TrainingCase(*scan_and_labels(folder, seed, values), str(folder / "set"), name, segments, **more)


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_case_of_bodies(tmp_path):
    image = save_case(case(tmp_path, provenance={"model": "ours", "corrected": True}))
    folder = tmp_path / "set"
    assert image == folder / "imagesTr" / "case_001_0000.nii.gz"
    assert files_of(folder) == [
        "dataset.json",
        "imagesTr/case_001_0000.nii.gz",
        "instancesTr/case_001.nii.gz",
        "labelsTr/case_001.nii.gz",
        "provenanceTr/case_001.json",
    ]
    scan, written = sitk.ReadImage(str(tmp_path / "scan-0.nrrd")), sitk.ReadImage(str(image))
    assert np.array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(scan))
    assert np.allclose(written.GetDirection(), scan.GetDirection(), atol=1e-6)
    given = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "labels-0.nrrd")))
    instances, classes = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / part / "case_001.nii.gz")))
        for part in ("instancesTr", "labelsTr")
    )
    for value, number in ((3, 23), (7, 24), (9, 33)):  # as VerSe numbers levels; without one, from 31 on
        assert np.array_equal(instances == number, given == value)
    assert np.array_equal(classes, given > 0)
    description = json.loads((folder / "dataset.json").read_text("utf-8"))
    assert description["labels"] == {"background": 0, "vertebral_body": 1} and description["numTraining"] == 1
    provenance = json.loads((folder / "provenanceTr" / "case_001.json").read_text("utf-8"))
    assert provenance["model"] == "ours" and provenance["segments"] == ["L4", "L5", "Vertebra 3"]


def test_nothing_of_the_patient_is_written(tmp_path):
    save_case(case(tmp_path))
    for path in (tmp_path / "set").rglob("*.*"):
        image = sitk.ReadImage(str(path)) if path.name.endswith(".nii.gz") else None
        told = " ".join(map(image.GetMetaData, image.GetMetaDataKeys())) if image else path.read_text("utf-8")
        assert "Doe" not in told and str(tmp_path) not in told, path


def test_several_cases_and_names(tmp_path):
    folder = tmp_path / "set"
    assert next_name(folder) == "case_001"
    save_case(case(tmp_path))
    assert next_name(folder) == "case_002"
    save_case(case(tmp_path, "Anna", seed=1))
    save_case(case(tmp_path, "case_007", seed=2))
    assert next_name(folder) == "case_008"
    assert json.loads((folder / "dataset.json").read_text("utf-8"))["numTraining"] == 3
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in ("case_001", "CASE_001", "anna"):
        with pytest.raises(SpineError, match="already, which is kept"):
            save_case(case(tmp_path, name, seed=3))
    for name in ("", "../up", "a b", "äh"):
        with pytest.raises(SpineError, match="cannot be the name of a case"):
            check_case(folder, name, BODIES)
    with pytest.raises(SpineError, match='already, as the case "Anna"'):  # or it would be in two parts of a split
        save_case(case(tmp_path, "case_009", seed=1))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_name_of_a_case_in_another_format(tmp_path):
    save_case(case(tmp_path))
    (tmp_path / "set" / "imagesTr" / "case_002_0000.nrrd").touch()
    with pytest.raises(SpineError, match='has a case "case_002" already'):
        save_case(case(tmp_path, "case_002", seed=1))
    assert next_name(tmp_path / "set") == "case_003"


def test_data_sets_of_others_are_left_alone(tmp_path):
    folder = tmp_path / "set"
    (folder / "imagesTr").mkdir(parents=True)
    with pytest.raises(SpineError, match="choose a folder for your own cases"):
        save_case(case(tmp_path))
    for content in ('{"labels": {"background": 0, "vertebra": 1}}', "no json", "[]"):
        (folder / "dataset.json").write_text(content)
        with pytest.raises(SpineError, match="made by other means"):
            save_case(case(tmp_path))
    assert files_of(folder) == ["dataset.json"]


def test_structures_have_values_of_their_own(tmp_path):
    """Of several kinds of things there are no instances, which would hide the others from the training."""
    disc, body, canal = CaseSegment(31, "Disc", False), CaseSegment(20, "L1", True), CaseSegment(32, "Canal", False)
    save_case(case(tmp_path, segments=(body, disc)))
    save_case(case(tmp_path, "case_002", segments=(canal, disc), seed=1))
    folder = tmp_path / "set"
    labels = {"background": 0, "vertebral_body": 1, "Disc": 2, "Canal": 3}
    assert json.loads((folder / "dataset.json").read_text("utf-8"))["labels"] == labels
    assert not (folder / "instancesTr").exists()
    values = [
        set(np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))) for path in sorted(folder.glob("labelsTr/*"))
    ]
    assert values == [{0, 1, 2}, {0, 2, 3}]


def test_all_discs_are_of_one_kind(tmp_path):
    body = CaseSegment(20, "L1", True)
    discs = [CaseSegment(120, "Disc L1-L2", False), CaseSegment(119, "Disc above 3", False)]
    save_case(case(tmp_path, segments=(body, *discs, CaseSegment(61, "Spinal canal", False))))
    labels = {"background": 0, "vertebral_body": 1, "intervertebral_disc": 2, "Spinal canal": 3}
    assert json.loads((tmp_path / "set" / "dataset.json").read_text("utf-8"))["labels"] == labels


def test_structures_do_not_join_a_set_of_bodies(tmp_path):
    save_case(case(tmp_path))
    with pytest.raises(SpineError, match='vertebral bodies only, this one has "Disc" too'):
        save_case(case(tmp_path, "case_002", segments=(CaseSegment(31, "Disc", False),), seed=1))


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        ((CaseSegment(1, "Lesion", True),), "called neither like a vertebra"),
        ((CaseSegment(1, "L1", True), CaseSegment(2, "L1", True)), 'two segments are called "L1"'),
        ((CaseSegment(1, "ignore", False),), "means something else in a data set"),
    ],
)
def test_segments_that_teach_something_wrong(tmp_path, segments, told):
    with pytest.raises(SpineError, match=told):
        save_case(case(tmp_path, segments=segments))
    assert not (tmp_path / "set").exists()


def test_nothing_is_labelled(tmp_path):
    scan, _ = scan_and_labels(tmp_path)
    _, empty = scan_and_labels(tmp_path, 1, values=())
    with pytest.raises(SpineError, match="nothing is labelled"):
        save_case(TrainingCase(scan, empty, str(tmp_path / "set"), "a", BODIES))


def test_picture_is_saved_as_it_was_seen(tmp_path):
    """Upright, sagittal and in millimetres, so that the training sees what the person has corrected."""
    array = np.arange(20 * 30, dtype=np.int16).reshape(1, 20, 30)
    for name, content in (("scan", array), ("labels", (array > 300).astype(np.uint8))):
        sitk.WriteImage(sitk.GetImageFromArray(content), str(tmp_path / f"{name}.nrrd"))
    files = [str(tmp_path / f"{name}.nrrd") for name in ("scan", "labels")]
    placement = SlicePlacement("sagittal", (0.7, 0.7), True, quarter_turns=0)
    path = save_case(
        TrainingCase(*files, str(tmp_path / "set"), "a", (CaseSegment(1, "L1", True),), placement=placement)
    )
    image = sitk.ReadImage(str(path))
    assert image.GetSpacing()[:2] == pytest.approx((0.7, 0.7))
    assert sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())[:2] == "PI"


def test_case_that_cannot_be_finished_is_not_there(tmp_path, monkeypatch):
    save_case(case(tmp_path))
    folder, before = tmp_path / "set", files_of(tmp_path / "set")
    description = (folder / "dataset.json").read_bytes()
    real = Path.rename

    def fails(self, target):
        if Path(target).parent.name == "imagesTr":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(training_case.Path, "rename", fails)
    with pytest.raises(SpineError, match="No space left on device"):
        save_case(case(tmp_path, "case_002", seed=1))
    assert files_of(folder) == before
    assert json.loads(description)["labels"] == json.loads((folder / "dataset.json").read_bytes())["labels"]
