"""Label maps, tables and volumes in a real MRML scene: nothing moves, nothing is renamed, nothing is left behind."""

import numpy as np
import pytest
import SimpleITK as sitk
from scene_cases import GEOMETRIES, SEGMENTS, by_name, linear_transform, make_case, own_points, turned, voxels

from SpineInference.anatomy import LEVELS, numbered
from SpineInference.errors import SpineError
from SpineInference.files.terminology import terminology_entry
from SpineInference.volume.slice_placement import PIXEL_SIZE, POSITION, unknown_of

vtk = pytest.importorskip("vtk", reason="slicer-core is not installed")
slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_volume_node_and_image_round_trip(scene, geometry):
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume, hasGridOf, ijkToRas, imageFromVolume

    scan, _ = make_case(geometry)
    volumeNode = addVolume(scan, "scan")
    index = (3, 5, 2)
    x, y, z = scan.TransformIndexToPhysicalPoint(index)
    assert np.allclose(ijkToRas(scan) @ (*index, 1), (-x, -y, z, 1))
    back = imageFromVolume(volumeNode)
    assert np.array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(scan))
    for get in ("GetOrigin", "GetSpacing", "GetDirection"):
        assert np.allclose(getattr(back, get)(), getattr(scan, get)(), atol=1e-9)
    assert hasGridOf(scan, volumeNode)
    scan.SetOrigin((-31.4, 12.25, 100.125))
    assert not hasGridOf(scan, volumeNode)


@pytest.mark.parametrize(("name", "unknown"), [("a.JPG", (PIXEL_SIZE, POSITION)), ("a.nrrd", ())])
def test_a_picture_is_known_as_one(scene, name, unknown):
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume, imageFromVolume

    volumeNode = addVolume(make_case()[0][:, :, :1], "picture")
    assert unknown_of(imageFromVolume(volumeNode)) == ()
    volumeNode.AddDefaultStorageNode()
    volumeNode.GetStorageNode().SetFileName(f"/somewhere/{name}")
    assert unknown_of(imageFromVolume(volumeNode)) == unknown


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_segmentation_is_voxel_exact(scene, geometry):
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import addSegmentation
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume

    scan, labels = make_case(geometry)
    volumeNode = addVolume(scan, "scan")
    segmentationNode = addSegmentation(labels, SEGMENTS, volumeNode, "bodies")
    expected = sitk.GetArrayFromImage(labels)
    assert list(by_name(segmentationNode)) == ["L4", "L5", "Vertebra 3"]
    for segment in SEGMENTS:
        assert np.array_equal(voxels(segmentationNode, segment.name, volumeNode) > 0, expected == segment.label)


def test_segments_are_described_and_share_one_layer(scene):
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import addSegmentation
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume

    scan, labels = make_case()
    volumeNode = addVolume(scan, "scan")
    segmentationNode = addSegmentation(labels, SEGMENTS, volumeNode, "bodies")
    segmentation = segmentationNode.GetSegmentation()
    assert segmentation.GetNumberOfLayers() == 1
    for segment in SEGMENTS:
        imported = segmentation.GetSegment(by_name(segmentationNode)[segment.name])
        assert imported.GetLabelValue() == segment.label
        assert np.allclose(imported.GetColor(), np.array(segment.colour) / 255)
        tag = slicer.vtkSegment.GetTerminologyEntryTagName()
        value = vtk.reference("")
        assert imported.GetTag(tag, value)
        assert str(value) == terminology_entry(segment)
    reference = segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())
    assert reference is volumeNode


def test_no_temporary_nodes_remain(scene):
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import addSegmentation
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume

    scan, labels = make_case()
    volumeNode = addVolume(scan, "scan")
    addSegmentation(labels, SEGMENTS, volumeNode, "bodies")
    assert scene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode") == 0
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_every_code_is_in_the_terminology(scene):
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import loadTerminology

    context = loadTerminology()
    logic = slicer.modules.terminologies.logic()
    for segment in (*LEVELS.values(), numbered(1)):
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(terminology_entry(segment), entry)
        assert entry.GetTerminologyContextName() == context
        label = entry.GetTypeObject().GetCodeMeaning().removesuffix(" vertebra")
        assert logic.FindTypeInTerminologyBy3dSlicerLabel(context, label, entry)
        assert entry.GetTypeObject().GetCodeValue() == segment.code


@pytest.mark.parametrize("nested", [False, True])
def test_parent_transform_is_applied_once(scene, nested):
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import addSegmentation
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume, volumeIjkToRas

    scan, labels = make_case("oblique 12")
    volumeNode = addVolume(scan, "scan")
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turned(30), (100, -20, 7)
    transformNode = linear_transform(scene, matrix)
    if nested:
        shift = np.eye(4)
        shift[:3, 3] = (0, 0, 500)
        transformNode.SetAndObserveTransformNodeID(linear_transform(scene, shift).GetID())
    volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
    segmentationNode = addSegmentation(labels, SEGMENTS, volumeNode, "bodies")

    assert segmentationNode.GetParentTransformNode() is transformNode
    # Under the same transform, at the same place before it: so at the same place after it.
    expected = sitk.GetArrayFromImage(labels)
    for segment in SEGMENTS:
        indices = np.argwhere(expected == segment.label)[:, ::-1]
        inVolume = (volumeIjkToRas(volumeNode) @ np.c_[indices, np.ones(len(indices))].T)[:3].T
        assert np.allclose(own_points(segmentationNode, segment.name), inVolume)
        assert np.array_equal(voxels(segmentationNode, segment.name, volumeNode) > 0, expected == segment.label)


def test_nonlinear_transform_is_refused(scene):
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import addSegmentation
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume, imageFromVolume

    scan, labels = make_case()
    volumeNode = addVolume(scan, "scan")
    volumeNode.SetAndObserveTransformNodeID(scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp").GetID())
    with pytest.raises(SpineError, match='non-linear transform "warp"'):
        imageFromVolume(volumeNode)
    with pytest.raises(SpineError, match="non-linear"):
        addSegmentation(labels, SEGMENTS, volumeNode, "bodies")


def test_strongly_sheared_or_empty_volume_is_refused(scene):
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume, imageFromVolume

    volumeNode = addVolume(make_case()[0], "scan")
    matrix = np.eye(4)
    matrix[0, 1] = 0.3
    volumeNode.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    with pytest.raises(SpineError):
        imageFromVolume(volumeNode)
    with pytest.raises(SpineError, match="no voxels"):
        imageFromVolume(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))


def test_label_map_of_another_grid_is_refused(scene):
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import addSegmentation
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume

    scan, labels = make_case()
    volumeNode = addVolume(scan, "scan")
    for wrong in (labels[1:], make_case("flipped")[1]):
        with pytest.raises(SpineError, match="does not lie on the voxels"):
            addSegmentation(wrong, SEGMENTS, volumeNode, "bodies")
    with pytest.raises(SpineError, match=f"{SEGMENTS[2].label}"):
        addSegmentation(labels, SEGMENTS[:2], volumeNode, "bodies")
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_empty_label_map_gives_no_segments(scene):
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import addSegmentation
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume

    scan, labels = make_case()
    segmentationNode = addSegmentation(labels * 0, [], addVolume(scan, "scan"), "bodies")
    assert segmentationNode.GetSegmentation().GetNumberOfSegments() == 0


def test_placed_in_the_study_of_the_volume(scene):
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import moveToNewFolder, moveToStudyOf
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume

    volumeNode = addVolume(make_case()[0], "scan")
    tableNode = scene.AddNewNodeByClass("vtkMRMLTableNode", "table")
    moveToStudyOf(tableNode, volumeNode)  # slicer-core makes no items by itself: nothing to do, and no error
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient"), "study")
    hierarchy.CreateItem(study, volumeNode)
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), tableNode)
    moveToStudyOf(tableNode, volumeNode)
    assert hierarchy.GetItemParent(item) == study
    moveToNewFolder([tableNode], volumeNode, "measurements")
    folder = hierarchy.GetItemParent(item)
    assert hierarchy.GetItemName(folder) == "measurements"
    assert hierarchy.GetItemParent(folder) == study


def test_measurements_become_a_table(scene):
    from SpineSegmentationLib.scene.results.MeasurementTable import addMeasurementTable

    rows = [
        {"level": "L4", "partial": False, "volume (mm3)": 41250.5, "Dice": None},
        {"level": "L5", "partial": True, "volume (mm3)": 12},
    ]
    segmentationNode = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "bodies")
    table = addMeasurementTable(rows, segmentationNode, "measurements").GetTable()
    assert [table.GetColumnName(i) for i in range(4)] == ["level", "partial", "volume (mm3)", "Dice"]
    assert [table.GetValue(i, 1).ToString() for i in (0, 1)] == ["no", "yes"]
    assert [table.GetValue(i, 2).ToDouble() for i in (0, 1)] == [41250.5, 12]
    assert np.isnan(table.GetValue(1, 3).ToDouble())
