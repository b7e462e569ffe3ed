"""Scans whose axes are turned, moved or sheared, on their own or by a transform: right on their voxels, or refused.

What only moves and turns a scan is respected; slightly sheared axes come back on their own voxels, with right numbers;
and anything else is refused before Segment.
"""

import numpy as np
import pytest
from parent_transforms import MIRROR, QUARTER, SCALE, SHEAR, put_under
from synthetic_scan import addScan

from SpineInference.options import SegmentationOptions

SLIGHT_SHEAR = 5e-4  # the runtime accepts up to 1e-3


def ijk_to_ras(node) -> np.ndarray:
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def turned_scan():
    """The synthetic scan, whose own axes are turned by a quarter and turned back by the transform above it."""
    import slicer

    node = addScan()
    own = np.linalg.inv(QUARTER) @ ijk_to_ras(node)
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


@pytest.fixture
def shearedScan(host):
    """The synthetic scan, whose slices are shifted to the left from bottom to top: 0.05 mm over its height."""
    import slicer

    node = addScan()
    shear = np.eye(4)
    shear[0, 2] = SLIGHT_SHEAR
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(shear @ ijk_to_ras(node)))
    return node


def body_voxels(result, volumeNode) -> list[np.ndarray]:
    """The voxels [k, j, i] of each segment on the grid of the volume."""
    import slicer

    node = result.segmentationNode
    ids = node.GetSegmentation().GetSegmentIDs()
    return [slicer.util.arrayFromSegmentBinaryLabelmap(node, each, volumeNode) > 0 for each in ids]


def test_sheared_scan_gets_its_result(logic, shearedScan, small_models):

    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    options = SegmentationOptions(small_models, top_level="L1", device="cpu")
    result = logic.segment(shearedScan, options, onText=lambda line: None)
    bodies = body_voxels(result, shearedScan)
    straight = addScan("straight")
    expected = body_voxels(logic.segment(straight, options, onText=lambda line: None), straight)
    assert len(bodies) == len(expected) == 3
    assert all(np.array_equal(one, other) for one, other in zip(bodies, expected, strict=True))

    ijkToRas = ijk_to_ras(shearedScan)
    voxelVolume = abs(np.linalg.det(ijkToRas[:3, :3]))
    rows = measurementsOf(result.tableNode)
    assert [row["level"] for row in rows] == ["L1", "L2", "L3"]
    for row, body in zip(rows, bodies, strict=True):
        assert row["volume_mm3"] == pytest.approx(np.count_nonzero(body) * voxelVolume, rel=1e-4)
        k, j, i = np.argwhere(body).mean(axis=0)
        left, posterior, superior = (row[f"centroid_{name}_mm"] for name in ("left", "posterior", "superior"))
        assert np.allclose((-left, -posterior, superior), (ijkToRas @ (i, j, k, 1))[:3], atol=0.006)


def test_sheared_result_is_reference_and_remeasured(logic, shearedScan, small_models):
    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    options = SegmentationOptions(small_models, device="cpu")
    first = logic.segment(shearedScan, options, onText=lambda line: None)
    reference = first.segmentationNode
    compared = logic.segment(shearedScan, options, referenceSegmentation=reference, onText=lambda line: None)
    assert [row["dice"] for row in measurementsOf(compared.tableNode)] == [1, 1, 1]
    remeasured = measurementsOf(logic.measure(first.tableNode))
    for before, after in zip(measurementsOf(first.tableNode), remeasured, strict=True):
        assert before == after
