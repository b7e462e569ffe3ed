"""The result of a worker in a real MRML scene: whole or not at all, new or in place of something, and exact."""

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk
from scene_cases import SEGMENTS, by_name, make_case, voxels
from written_results import ORGANS, chosen_node, counts, written_result, written_structures

from SpineInference.errors import SpineError
from SpineInference.placement import SlicePlacement

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def test_imported_result_is_exact_and_complete(lib, tmp_path):
    scan, labels = make_case("oblique 40, permuted, anisotropic")
    volumeNode = lib.addVolume(scan, "scan")
    result = lib.importResult(*written_result(tmp_path, labels), volumeNode, referenceNames={1: "my L4", 2: "my L5"})
    for segment in SEGMENTS:
        expected = sitk.GetArrayFromImage(labels) == segment.label
        assert np.array_equal(voxels(result.segmentationNode, segment.name, volumeNode) > 0, expected)
    rows = lib.measurementsOf(result.tableNode)
    assert [row["level"] for row in rows] == ["L4", "L5", "Vertebra 3"]
    assert [row["reference_label"] for row in rows] == ["my L4", "my L5", "3"]
    assert [row["partial"] for row in rows] == ["yes", "no", "no"]
    assert (rows[0]["volume_mm3"], rows[0]["middle_height_mm"]) == (41.5, None)
    assert result.tableNode.GetColumnTitle("volume_mm3") == "Volume (mm³)"
    assert (result.notes, result.seconds, result.device) == (["A note."], 2.5, "CPU (it is there)")
    assert list(counts().values()) == [1, 1, 1, 1, 3, 0]


def test_table_tells_that_the_scan_was_evened_out(lib, tmp_path):
    scan, labels = make_case("oblique 40, permuted, anisotropic")
    result = lib.importResult(*written_result(tmp_path, labels, shading_removed=19.6), lib.addVolume(scan, "scan"))
    assert result.tableNode.GetDescription() == "Uneven brightness (about 20 to 1) was corrected before segmenting."


def test_import_structures_of_a_radiograph(lib, tmp_path):
    array = np.zeros((1, 20, 30), np.uint8)
    array[:, 4:15, 3:12], array[:, 10:18, 14:25] = 1, 2
    labels = sitk.GetImageFromArray(array)
    volumeNode = lib.addVolume(sitk.GetImageFromArray(array.astype(np.int16) * 100), "chest")
    result = lib.importResult(*written_structures(tmp_path, labels, ORGANS), volumeNode)
    assert result.segmentationNode.GetName() == "chest segmentation" and not result.isSpine
    assert [segment.name for segment in result.segments] == list(by_name(result.segmentationNode)) == ["Lung", "Heart"]
    rows = lib.measurementsOf(result.tableNode)
    assert [(row["level"], row["area_mm2"], row["middle_height_mm"]) for row in rows] == [
        ("Lung", 99, None),
        ("Heart", 88, None),
    ]
    assert result.tableNode.GetDescription().startswith("All together: Dice 1.000")
    assert result.tableNode.GetNodeReference("heightChart") is None
    reference, _names = lib.labelsOfReference(result.segmentationNode, volumeNode)
    assert np.array_equal(sitk.GetArrayFromImage(reference), array), "the worker compares structures by their values"


def test_missing_structure_has_a_row_but_no_segment(lib, tmp_path):
    array = np.zeros((1, 20, 30), np.uint8)
    array[:, 10:18, 14:25] = 2
    labels = sitk.GetImageFromArray(array)
    volumeNode = lib.addVolume(sitk.GetImageFromArray(array.astype(np.int16)), "chest")
    result = lib.importResult(*written_structures(tmp_path, labels, ORGANS[1:]), volumeNode)
    assert list(by_name(result.segmentationNode)) == ["Heart"]
    rows = lib.measurementsOf(result.tableNode)
    assert [(row["level"], row["area_mm2"]) for row in rows] == [("Lung", 0), ("Heart", 88)]
    assert lib.centreOf(rows[0], result.tableNode) is None
    assert lib.isUpToDate(result.tableNode)

    empty = lib.importResult(*written_structures(tmp_path, labels * 0, []), volumeNode)
    assert (empty.segmentationNode, empty.isSpine, empty.notes) == (None, False, ["A note."])


def test_how_a_slice_lies_stays_with_its_table(lib, scene, tmp_path):
    from SpineSegmentationLib.scene.results.MeasurementTable import placementOf

    scan, labels = make_case()
    for placement in (SlicePlacement("sagittal", (0.7, 0.6), False, 3, True), None):
        imported = lib.importResult(*written_result(tmp_path, labels, placement=placement), lib.addVolume(scan, "scan"))
        assert placementOf(imported.tableNode) == placement


def test_centre_of_a_row_is_in_world_coordinates(lib, scene, tmp_path):
    scan, labels = make_case("oblique 12")
    volumeNode = lib.addVolume(scan, "scan")
    transformNode = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = np.eye(4)
    matrix[:3, 3] = (10, 20, 30)
    transformNode.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
    result = lib.importResult(*written_result(tmp_path, labels), volumeNode)
    row = lib.measurementsOf(result.tableNode)[1]
    left, posterior, superior = (row[f"centroid_{name}_mm"] for name in ("left", "posterior", "superior"))
    assert np.allclose(lib.centreOf(row, result.tableNode), (10 - left, 20 - posterior, 30 + superior))


def test_empty_single_slice_says_why(lib, tmp_path):
    from SpineSegmentationLib.panel.run.ResultSummary import summaryOf

    labels = sitk.GetImageFromArray(np.zeros((1, 20, 30), np.uint8))
    result = lib.importResult(*written_result(tmp_path, labels, []), lib.addVolume(labels, "slice"))
    assert "By its geometry the scan is an axial slice" in summaryOf(result)
    assert summaryOf(result).endswith("A note."), "what the run has noted"


def test_empty_result_leaves_the_scene_unchanged(lib, tmp_path):
    scan, labels = make_case()
    volumeNode = lib.addVolume(scan, "scan")
    result = lib.importResult(*written_result(tmp_path, labels * 0, []), volumeNode)
    assert (result.segmentationNode, result.tableNode) == (None, None)
    assert not any(counts().values())


def test_import_into_existing_segmentation_and_undo(lib, scene, tmp_path):
    scan, labels = make_case("permuted")
    volumeNode = lib.addVolume(scan, "scan")
    node, array = chosen_node(scene)
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, "drawn", volumeNode)
    result = lib.importResult(*written_result(tmp_path, labels), volumeNode, node)
    assert result.segmentationNode is node
    for _ in range(2):  # back and forth as often as one likes
        assert list(by_name(node)) == [segment.name for segment in SEGMENTS]
        assert np.array_equal(voxels(node, "L5", volumeNode) > 0, sitk.GetArrayFromImage(labels) == SEGMENTS[1].label)
        assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is volumeNode
        result.replacement.swap()
        assert result.replacement.isUndone
        assert by_name(node) == {"drawn by hand": "drawn"}
        assert np.array_equal(voxels(node, "drawn by hand", volumeNode), array)
        assert np.allclose(node.GetSegmentation().GetSegment("drawn").GetColor(), (0.1, 0.2, 0.3))
        result.replacement.swap()
    assert list(counts().values()) == [1, 1, 1, 1, 3, 0]


@pytest.mark.parametrize("replace", [False, True])
def test_failed_import_leaves_the_scene_unchanged(lib, scene, tmp_path, replace, monkeypatch):
    from SpineSegmentationLib.scene.results import ResultImport

    scan, labels = make_case()
    volumeNode = lib.addVolume(scan, "scan")
    node, _ = chosen_node(scene) if replace else (None, None)
    before = counts()
    record, folder = written_result(tmp_path, labels)
    with pytest.raises(SpineError, match="without a segment"):
        lib.importResult(dataclasses.replace(record, segments=record.segments[:1]), folder, volumeNode, node)
    assert counts() == before

    def fail(*_):
        raise OSError("no more memory")

    monkeypatch.setattr(ResultImport, "addHeightChart", fail)
    with pytest.raises(OSError, match="no more memory"):
        lib.importResult(record, folder, volumeNode, node)
    assert counts() == before
    if node:
        assert list(by_name(node)) == ["drawn by hand"]
