"""A scan under a transform: what only moves and turns it is respected, and anything else is refused before Segment."""

import numpy as np
import pytest
from synthetic_scan import addScan

from SpineInference.options import SegmentationOptions

QUARTER = [[0, -1, 0, 30], [1, 0, 0, -12], [0, 0, 1, 7], [0, 0, 0, 1]]
SCALE, MIRROR, SHEAR = np.diag([1, 1, 2, 1]), np.diag([-1, 1, 1, 1]), np.eye(4) + np.eye(4, k=1) * 0.2


@pytest.fixture
def logic(host, small_models, temporary):
    host.loadModule("SpineSegmentation")
    from SpineSegmentation import SpineSegmentationLogic

    logic = SpineSegmentationLogic()
    yield logic
    logic.close()


def put_under(node, matrix):
    import slicer

    transformNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "above")
    transformNode.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.array(matrix, float)))
    node.SetAndObserveTransformNodeID(transformNode.GetID())
    return transformNode


def turned_scan():
    """The synthetic scan, whose own axes are turned by a quarter and turned back by the transform above it."""
    import slicer
    import vtk

    node, matrix = addScan(), vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    own = np.linalg.inv(QUARTER) @ slicer.util.arrayFromVTKMatrix(matrix)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(own))
    put_under(node, QUARTER)
    return node


def test_turned_scan_has_the_result_of_an_upright_one(host, logic, tmp_path):
    import slicer

    from SpineSegmentationLib.scene.results.MeasurementTable import centreOf, measurementsOf
    from SpineSegmentationLib.scene.results.ResultExport import exportSurfaces

    options = SegmentationOptions(planes=("sagittal",), propose_levels=False)
    results = [logic.segment(node, options) for node in (addScan(), turned_scan())]
    upright, turned = (measurementsOf(result.tableNode) for result in results)
    assert turned == upright and len(upright) > 1
    arrays = []
    for result in results:
        node = result.segmentationNode
        segmentId = node.GetSegmentation().GetNthSegmentID(0)
        volumeNode = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
        arrays.append(slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, volumeNode))
    assert np.array_equal(*arrays) and arrays[0].any()
    again = measurementsOf(logic.measure(results[1].tableNode))
    assert [(row["level"], row["centroid_left_mm"]) for row in again] == [
        (row["level"], row["centroid_left_mm"]) for row in upright if row["centroid_left_mm"] is not None
    ]
    # The table, the surface and the view show the body at one place, and with one size.
    row, table, node = turned[0], results[1].tableNode, results[1].segmentationNode
    lps = np.array([row[f"centroid_{side}_mm"] for side in ("left", "posterior", "superior")])
    assert centreOf(row, table) == pytest.approx(lps * [-1, -1, 1], abs=0.01)
    surface = _surface(exportSurfaces(node, str(tmp_path))[0])
    assert surface.GetCenter() == pytest.approx(lps, abs=1.5)
    assert _volume(surface) == pytest.approx(row["volume_mm3"], rel=0.1)
    # Moved afterwards, the view follows.
    transformNode = node.GetParentTransformNode()
    moved = np.array(QUARTER, float) + np.eye(4, k=3) * 100
    transformNode.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(moved))
    assert centreOf(row, table) == pytest.approx(lps * [-1, -1, 1] + [100, 0, 0], abs=0.01)


@pytest.mark.parametrize("matrix", [SCALE, MIRROR, SHEAR], ids=["scale", "mirror", "shear"])
def test_other_transforms_are_refused_before_segment(host, small_models, temporary, matrix):
    panel = host.openModule("SpineSegmentation")
    panel._parameterNode.inputVolume = node = addScan()
    assert panel.ui.segmentButton.enabled
    transformNode = put_under(node, matrix)
    panel.updatePanel()
    assert not panel.ui.segmentButton.enabled and "harden the transform" in panel.ui.segmentButton.toolTip
    with pytest.raises(Exception, match='scaling, shearing or mirroring transform "above"'):
        panel.logic.segment(node)
    turn = np.array(QUARTER, float)
    transformNode.SetMatrixTransformToParent(_matrix(turn))
    panel.updatePanel()
    assert panel.ui.segmentButton.enabled


@pytest.mark.parametrize("matrix", [SCALE, MIRROR, SHEAR], ids=["scale", "mirror", "shear"])
def test_result_scaled_afterwards_gives_no_other_number(host, small_models, temporary, tmp_path, matrix):
    from synthetic_result import with_result

    from SpineSegmentationLib.scene.results.ResultExport import exportSurfaces

    panel = with_result(host, tmp_path)
    node = panel._parameterNode.result.GetNodeReference("segmentation")
    put_under(node, matrix)
    with pytest.raises(Exception, match="harden the transform"):
        exportSurfaces(node, str(tmp_path))
    with pytest.raises(Exception, match="harden the transform"):
        panel.logic.measure(panel._parameterNode.result)


def _matrix(array: np.ndarray):
    import slicer

    return slicer.util.vtkMatrixFromArray(array)


def _surface(path):
    import vtk

    reader = vtk.vtkSTLReader()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


def _volume(surface) -> float:
    import vtk

    properties = vtk.vtkMassProperties()
    properties.SetInputData(surface)
    return properties.GetVolume()
