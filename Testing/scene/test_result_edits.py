"""A result knows whether its segments are those that were measured."""

import numpy as np
import pytest
import SimpleITK as sitk
from scene_cases import SEGMENTS, make_case, voxels
from written_results import HEIGHTS, written_result

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def test_table_knows_that_segments_were_edited(lib, scene, tmp_path):
    scan, labels = make_case("oblique 12")
    volumeNode = lib.addVolume(scan, "scan")
    result = lib.importResult(*written_result(tmp_path, labels), volumeNode)
    assert lib.isUpToDate(result.tableNode)
    segmentation = result.segmentationNode.GetSegmentation()
    segment = segmentation.GetNthSegment(0)
    segment.SetName("another")
    assert not lib.isUpToDate(result.tableNode)
    segment.SetName(SEGMENTS[0].name)
    assert lib.isUpToDate(result.tableNode)
    segmentation.RemoveSegment(segment)
    assert not lib.isUpToDate(result.tableNode)


def test_edits_that_change_no_measurement_are_known(lib, scene, tmp_path):
    """One voxel of a picture without lengths, and a stroke that takes as much as it adds."""
    array = np.zeros((1, 20, 30), np.uint8)
    array[:, 2:9, 3:12], array[:, 11:18, 3:12] = SEGMENTS[0].label, SEGMENTS[1].label
    for edited in ((0, 5, 5), (0, slice(2, 3), slice(3, 14))):
        labels = sitk.GetImageFromArray(array)
        volumeNode = lib.addVolume(sitk.Cast(labels, sitk.sitkInt16), "picture")
        rows = [{"level": segment.name, "volume_mm3": None, "area_mm2": None} for segment in SEGMENTS[:2]]
        for row in rows:
            row |= dict.fromkeys(HEIGHTS)
        record = written_result(tmp_path, labels, SEGMENTS[:2], measurements={"vertebrae": rows})
        result = lib.importResult(*record, volumeNode)
        assert lib.isUpToDate(result.tableNode)
        [segmentId, _] = result.segmentationNode.GetSegmentation().GetSegmentIDs()
        mask = voxels(result.segmentationNode, SEGMENTS[0].name, volumeNode).copy()
        mask[edited] = 1 - mask[edited]
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, result.segmentationNode, segmentId, volumeNode)
        assert not lib.isUpToDate(result.tableNode)


def test_saved_result_is_up_to_date_when_loaded(lib, scene, tmp_path):
    scan, labels = make_case("oblique 40, permuted, anisotropic")
    result = lib.importResult(*written_result(tmp_path, labels), lib.addVolume(scan, "scan"))
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "result.seg.nrrd"))
    assert storage.WriteData(result.segmentationNode)
    result.segmentationNode.GetSegmentation().RemoveAllSegments()
    assert not lib.isUpToDate(result.tableNode)
    assert storage.ReadData(result.segmentationNode)
    assert lib.isUpToDate(result.tableNode)
