"""A scan with slightly sheared axes goes through the worker and comes back on its own voxels, with right numbers."""

import numpy as np
import pytest
from synthetic_scan import addScan

from SpineInference.options import SegmentationOptions

SHEAR = 5e-4  # the runtime accepts up to 1e-3


@pytest.fixture
def volumeNode(host):
    """The synthetic scan, whose slices are shifted to the left from bottom to top: 0.05 mm over its height."""
    import slicer

    node = addScan()
    matrix = slicer.util.arrayFromVTKMatrix(_ijkToRas(node))
    shear = np.eye(4)
    shear[0, 2] = SHEAR
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(shear @ matrix))
    return node


@pytest.fixture
def logic(host, small_models, temporary):
    host.loadModule("SpineSegmentation")
    from SpineSegmentation import SpineSegmentationLogic

    logic = SpineSegmentationLogic()
    yield logic
    logic.close()


def _ijkToRas(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


def body_voxels(result, volumeNode) -> list[np.ndarray]:
    """The voxels [k, j, i] of each segment on the grid of the volume."""
    import slicer

    node = result.segmentationNode
    ids = node.GetSegmentation().GetSegmentIDs()
    return [slicer.util.arrayFromSegmentBinaryLabelmap(node, each, volumeNode) > 0 for each in ids]


def test_sheared_scan_gets_its_result(logic, volumeNode, small_models):
    import slicer

    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    options = SegmentationOptions(small_models, top_level="L1", device="cpu")
    result = logic.segment(volumeNode, options, onText=lambda line: None)
    bodies = body_voxels(result, volumeNode)
    straight = addScan("straight")
    expected = body_voxels(logic.segment(straight, options, onText=lambda line: None), straight)
    assert len(bodies) == len(expected) == 3
    assert all(np.array_equal(one, other) for one, other in zip(bodies, expected, strict=True))

    ijkToRas = slicer.util.arrayFromVTKMatrix(_ijkToRas(volumeNode))
    voxelVolume = abs(np.linalg.det(ijkToRas[:3, :3]))
    rows = measurementsOf(result.tableNode)
    assert [row["level"] for row in rows] == ["L1", "L2", "L3"]
    for row, body in zip(rows, bodies, strict=True):
        assert row["volume_mm3"] == pytest.approx(np.count_nonzero(body) * voxelVolume, rel=1e-4)
        k, j, i = np.argwhere(body).mean(axis=0)
        left, posterior, superior = (row[f"centroid_{name}_mm"] for name in ("left", "posterior", "superior"))
        assert np.allclose((-left, -posterior, superior), (ijkToRas @ (i, j, k, 1))[:3], atol=0.006)


def test_sheared_result_is_reference_and_remeasured(logic, volumeNode, small_models):
    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    options = SegmentationOptions(small_models, device="cpu")
    first = logic.segment(volumeNode, options, onText=lambda line: None)
    reference = first.segmentationNode
    compared = logic.segment(volumeNode, options, referenceSegmentation=reference, onText=lambda line: None)
    assert [row["dice"] for row in measurementsOf(compared.tableNode)] == [1, 1, 1]
    remeasured = measurementsOf(logic.measure(first.tableNode))
    for before, after in zip(measurementsOf(first.tableNode), remeasured, strict=True):
        assert before == after
