"""The models that ship: small, sound, the same in both engines, and good on spines they have not seen."""

import numpy as np
import pytest
import SimpleITK as sitk

from SegTraining.export.engine_agreement import TOLERANCE, engine_difference
from SegTraining.synthetic.spine.phantom import make_phantom
from SegTraining.synthetic.spine.structures import Structure
from SpineInference.anatomy import CANAL_LABEL, CORD_LABEL
from SpineInference.files.reading import read_labels, read_volume
from SpineInference.measuring.reference import compare
from SpineInference.models.catalog import list_sets, open_set, verify
from SpineInference.options import DEFAULT_MODEL, SegmentationOptions
from SpineInference.pipeline import segment
from SpineInference.volume.geometry import PLANES

TEST_CASES = {
    *("chu_14", "chu_16", "spider_022", "spider_050", "spider_061"),
    *(f"myosegmentum_{number}" for number in range(29, 35)),
}


WITH_CORD = "spine-with-cord-mr"


@pytest.fixture(scope="module")
def models():
    return open_set(DEFAULT_MODEL)


def test_default_set_has_a_network_for_each_plane(models):
    assert DEFAULT_MODEL in {info.name for info in list_sets()}
    assert verify(DEFAULT_MODEL) == []
    assert sorted(package.manifest.plane for package in models.packages) == sorted(PLANES)


def test_bundled_packages_are_small_and_documented(models):
    for package in models.packages:
        manifest = package.manifest
        assert package.size_bytes <= 9_000_000
        assert "research use" in manifest.training.data.lower() and "Chu" in manifest.training.data
        assert "research use" in manifest.licence.lower()
        details = manifest.training.details
        assert set(details["test_cases"]) == TEST_CASES
        trained_on = {case for cases in details["training_cases"].values() for case in cases}
        assert trained_on and not TEST_CASES & trained_on
        assert {row["planes"] for row in manifest.metrics["evaluation"]} == {manifest.plane, "fused"}


@pytest.mark.parametrize("plane", PLANES)
def test_onnx_and_torch_agree(models, plane):
    package = next(package for package in models.packages if package.manifest.plane == plane)
    assert engine_difference(package) <= TOLERANCE


def test_the_cord_has_small_networks_of_its_own(models):
    assert verify(WITH_CORD) == []
    with_cord, known = open_set(WITH_CORD), {package.manifest.name for package in models.all_packages}
    own = [package for package in with_cord.all_packages if package.manifest.name not in known]
    assert len(with_cord.all_packages) == len(known) + len(own)
    for package in own:
        assert [label.name for label in package.manifest.labels] == ["Spinal cord"] and package.size_bytes < 1_000_000
        assert "research use" in package.manifest.training.data.lower()
        assert engine_difference(package) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(("contrast", "slices_mm"), [("T2", 1.2), ("T1", 3.3)])
def test_the_cord_of_a_neck_and_all_else_as_without(models, contrast, slices_mm):
    spacing, field = (0.9, 0.9, slices_mm), (130.0, 150.0, 45.0)
    phantom = make_phantom(4712, spacing=spacing, field_of_view=field, region="cervical", contrast=contrast)
    found, usual = (segment(phantom.image, each).labels for each in (open_set(WITH_CORD), models))
    found, usual, truth = map(sitk.GetArrayFromImage, (found, usual, phantom.structures))
    cord, true_cord = found == CORD_LABEL, truth == Structure.CORD
    rows = np.flatnonzero(cord.any(axis=(0, 2)))
    beside = np.s_[:, rows[0] : rows[-1] + 1]  # the networks look where vertebrae are
    assert len(rows) * spacing[0] > 100
    assert 2 * np.count_nonzero((cord & true_cord)[beside]) > 0.9 * (cord.sum() + true_cord[beside].sum())
    canal, usual_canal = np.isin(found, (CANAL_LABEL, CORD_LABEL)), usual == CANAL_LABEL
    assert 2 * np.count_nonzero(canal & usual_canal) > 0.99 * (canal.sum() + usual_canal.sum())
    assert np.array_equal(np.where(canal, 0, found)[~usual_canal], np.where(canal, 0, usual)[~usual_canal])


@pytest.mark.slow
def test_a_phantom_is_found_whole(models):
    phantom = make_phantom(seed=4711, spacing=(1.0, 1.0, 1.5), field_of_view=(150.0, 190.0, 72.0), contrast="T2")
    result = segment(phantom.image, models, reference=phantom.bodies)
    named = {20, 21, 22, 23, 24} & set(np.unique(sitk.GetArrayViewFromImage(phantom.bodies)).tolist())
    dice = {m.reference_label: m.dice for m in result.measurements.vertebrae}
    assert named and all(dice.get(label, 0) > 0.85 for label in named), dice


@pytest.mark.slow
@pytest.mark.data
def test_a_patient_it_was_not_trained_on(models, spine_data):
    """MyoSegmenTUM 30 is in nobody's training or validation; every labelled body is found as its own."""
    folder = spine_data / "Dataset502_MyoSegmenTUM"
    scan = read_volume(folder / "imagesTr" / "myosegmentum_30_0000.nii.gz")
    reference = read_labels(folder / "instancesTr" / "myosegmentum_30.nii.gz")
    result = segment(scan, models, reference=reference)
    assert result.measurements.reference.n_missed == 0
    assert result.measurements.reference.dice > 0.88


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("plane", PLANES)
def test_each_plane_alone_finds_the_spine_of_a_shaded_scan(models, spine_data, plane):
    """Chu 14, evened out, has bright noise in front of the patient."""
    folder = spine_data / "Dataset501_Chu"
    scan = read_volume(folder / "imagesTr" / "chu_14_0000.nii.gz")
    reference = read_labels(folder / "instancesTr" / "chu_14.nii.gz")
    result = segment(scan, models, SegmentationOptions(planes=(plane,)), reference=reference)
    assert result.measurements.reference.n_missed == 0
    assert result.measurements.reference.dice > 0.85


@pytest.mark.slow
@pytest.mark.data
def test_restricting_to_the_spine_costs_no_accuracy(models, spine_data):
    folder = spine_data / "Dataset502_MyoSegmenTUM"
    scan = read_volume(folder / "imagesTr" / "myosegmentum_27_0000.nii.gz")
    reference = read_labels(folder / "instancesTr" / "myosegmentum_27.nii.gz")
    dice = [
        segment(
            scan, models, SegmentationOptions(restrict_to_spine=restrict), reference=reference
        ).measurements.reference.dice
        for restrict in (True, False)
    ]
    assert dice[0] >= dice[1] - 0.004


def test_comparing_finds_a_missed_body():
    """Guards the measure that the tests above rest on."""
    truth = np.zeros((60, 20, 20), np.uint8)
    truth[5:20, 5:15, 5:15], truth[30:45, 5:15, 5:15] = 20, 21
    assert compare(truth, truth, (1.0, 1.0, 1.0)).missed == []
    assert compare(np.where(truth == 20, 0, truth), truth, (1.0, 1.0, 1.0)).missed == [20]
