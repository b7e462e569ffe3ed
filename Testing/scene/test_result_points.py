"""Points of a result as markups: where they lie, and that they move and go with the result."""

import numpy as np
import pytest
import SimpleITK as sitk
from written_results import written_result

from SpineInference.anatomy import CANAL_CODE, CANAL_LABEL, DISC_CODE, DISC_OFFSET, LEVELS, Segment
from SpineInference.errors import SpineError
from SpineInference.measuring.measurements import as_json, measure

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

SEGMENTS = [
    LEVELS["L4"],
    LEVELS["L5"],
    Segment(DISC_OFFSET + LEVELS["L4"].label, "Disc L4-L5", (90, 160, 200), *DISC_CODE, False),
    Segment(CANAL_LABEL, "Spinal canal", (230, 210, 90), *CANAL_CODE, False),
]


def spine() -> sitk.Image:
    """Two bodies, the disc between them and the canal behind, of 1 mm: [z, y, x] is superior, posterior, left."""
    array = np.zeros((70, 60, 20), np.uint8)
    array[40:62, 5:30, 3:17], array[8:30, 5:30, 3:17], array[31:39, 5:31, 3:17] = 23, 24, 123
    array[4:66, 36:48, 4:16] = CANAL_LABEL
    return sitk.GetImageFromArray(array)


@pytest.fixture
def imported(scene, tmp_path):
    """The result of a scan under a transform: 10 mm to the right, 20 forwards and 30 up."""
    from SpineSegmentationLib.scene.results.ResultImport import importResult
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume, moved, toWorldOf

    labels = spine()
    volumeNode = addVolume(sitk.Cast(labels, sitk.sitkInt16), "scan")
    transformNode = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "table")
    matrix = np.eye(4)
    matrix[:3, 3] = (10, 20, 30)
    transformNode.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
    toWorld = toWorldOf(volumeNode)
    labels = moved(labels, toWorld)
    measurements = as_json(measure(labels, SEGMENTS[:2], set(), structures=SEGMENTS[2:]))
    record, folder = written_result(tmp_path, labels, SEGMENTS, measurements=measurements)
    return importResult(record, folder, volumeNode, toWorld=toWorld)


def places(node) -> dict[str, tuple]:
    """Where the points of markups are in the world (RAS)."""
    found = {}
    for index in range(node.GetNumberOfControlPoints()):
        point = [0.0, 0.0, 0.0]
        node.GetNthControlPointPositionWorld(index, point)
        found[node.GetNthControlPointLabel(index) or str(index)] = tuple(point)
    return found


def markups() -> list:
    return list(slicer.util.getNodesByClass("vtkMRMLMarkupsNode"))


def test_points_lie_where_the_result_lies(imported):
    from SpineSegmentationLib.scene.results.ResultPoints import addPoints

    centres, tips, canal = addPoints(imported.tableNode)
    assert [node.GetName().partition(": ")[2] for node in (centres, tips, canal)] == [
        "centres",
        "posterior tips of discs",
        "line of the canal",
    ]
    np.testing.assert_allclose(places(centres)["L4"], (0.5, 3, 80.5), atol=0.1)
    assert places(centres).keys() == {"L4", "L5"}
    np.testing.assert_allclose(places(tips)["L4-L5"], (0.5, -10, 64.5), atol=1.5)
    line = np.array(list(places(canal).values()))
    np.testing.assert_allclose(line[:, :2], np.broadcast_to((0.5, -21.5), (len(line), 2)), atol=0.5)
    assert canal.IsA("vtkMRMLMarkupsCurveNode") and line[0, 2] > line[-1, 2] + 50
    assert all(node.GetLocked() and node.GetSaveWithScene() for node in (centres, tips, canal))


def test_points_move_with_the_result(imported, scene):
    from SpineSegmentationLib.scene.results.PointNodes import keepWithResults
    from SpineSegmentationLib.scene.results.ResultPoints import addPoints

    centres = addPoints(imported.tableNode)[0]
    before = np.array(places(centres)["L4"])
    [transformNode] = slicer.util.getNodesByClass("vtkMRMLLinearTransformNode")
    transformNode.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.eye(4)))
    np.testing.assert_allclose(places(centres)["L4"], before - (10, 20, 30), atol=1e-6)
    imported.segmentationNode.SetAndObserveTransformNodeID(None)
    keepWithResults()
    assert centres.GetTransformNodeID() is None


def test_hardened_result_keeps_its_points(imported):
    from SpineSegmentationLib.scene.results.PointNodes import keepWithResults
    from SpineSegmentationLib.scene.results.ResultPoints import addPoints

    centres = addPoints(imported.tableNode)[0]
    before = places(centres)
    imported.segmentationNode.HardenTransform()
    keepWithResults()
    assert places(centres) == before


def test_points_are_hidden_and_removed_with_the_result(imported, scene):
    from SpineSegmentationLib.scene.results.PointNodes import keepWithResults
    from SpineSegmentationLib.scene.results.ResultNodes import showOnly
    from SpineSegmentationLib.scene.results.ResultPoints import addPoints

    addPoints(imported.tableNode)
    showOnly(None)
    assert not any(node.GetDisplayVisibility() for node in markups())
    showOnly(imported.tableNode)
    assert all(node.GetDisplayVisibility() for node in markups())
    own = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "mine")
    keepWithResults()
    assert len(markups()) == 4
    scene.RemoveNode(imported.segmentationNode)
    keepWithResults()
    assert markups() == [own]
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsDisplayNode") == (own.GetDisplayNode() is not None)


def test_points_are_replaced_and_refused_after_an_edit(imported):
    from SpineSegmentationLib.scene.results.ResultPoints import addPoints

    for _ in range(2):
        addPoints(imported.tableNode)
    assert len(markups()) == 3
    imported.segmentationNode.GetSegmentation().RemoveSegment(
        imported.segmentationNode.GetSegmentation().GetNthSegmentID(0)
    )
    with pytest.raises(SpineError, match="press Measure again"):
        addPoints(imported.tableNode)
    with pytest.raises(SpineError, match="press Measure again"):
        addPoints(imported.segmentationNode)


def test_canal_comes_last_and_can_be_seen_through(imported):
    segmentation = imported.segmentationNode.GetSegmentation()
    names = [segmentation.GetNthSegment(index).GetName() for index in range(segmentation.GetNumberOfSegments())]
    assert names == ["L4", "L5", "Disc L4-L5", "Spinal canal"]
    display = imported.segmentationNode.GetDisplayNode()
    opacities = [display.GetSegmentOpacity3D(each) for each in segmentation.GetSegmentIDs()]
    assert opacities[:3] == [1, 1, 1] and opacities[3] < 0.6
