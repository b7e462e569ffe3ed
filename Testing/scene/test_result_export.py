"""Results, label maps and references: from nodes to images and files."""

import numpy as np
import pytest
import SimpleITK as sitk
from scene_cases import SEGMENTS, make_case
from written_results import counts, written_result

from SpineInference.errors import SpineError
from SpineInference.measuring.measurements import as_json, measure

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def test_whole_numbers_stay_whole_in_files(lib, tmp_path):
    from SpineSegmentationLib.scene.results.ResultExport import exportTable

    scan, labels = make_case("oblique 12")
    measurements = as_json(measure(labels, SEGMENTS, set()))
    result = lib.importResult(*written_result(tmp_path, labels, measurements=measurements), lib.addVolume(scan, "scan"))
    exportTable(result.tableNode, str(tmp_path / "table.csv"))
    written = [line.split(",")[:2] for line in (tmp_path / "table.csv").read_text("utf-8").splitlines()]
    assert written == [["level", "label"], *([segment.name, str(segment.label)] for segment in SEGMENTS)]


@pytest.mark.parametrize("geometry", ["plain", "oblique 40, permuted, anisotropic"])
def test_reference_lies_on_the_grid_of_the_scan(lib, tmp_path, geometry):
    scan, labels = make_case(geometry)
    volumeNode = lib.addVolume(scan, "scan")
    node = lib.importResult(*written_result(tmp_path, labels), volumeNode).segmentationNode
    reference, names = lib.labelsOfReference(node, volumeNode)
    assert list(names.values()) == [segment.name for segment in SEGMENTS]
    array = sitk.GetArrayFromImage(labels)
    for value, segment in zip(names, SEGMENTS, strict=True):
        assert np.array_equal(sitk.GetArrayFromImage(reference) == value, array == segment.label)
    exported = lib.labelsOfSegmentation(node)[0]
    assert np.array_equal(sitk.GetArrayFromImage(exported), array)
    assert np.allclose(exported.GetDirection(), scan.GetDirection())
    assert counts()["LabelMapVolume"] == 0


def test_overlapping_segments_are_whole(lib, scene):
    volumeNode = lib.addVolume(make_case("oblique 12")[0], "scan")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "manual")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    expected = np.zeros((4, 9, 14, 11), bool)
    for number, rows in enumerate((slice(0, 4), None, slice(3, 6), slice(7, 9)), start=1):
        node.GetSegmentation().AddEmptySegment(f"id{number}", f"segment {number}")
        if rows:
            expected[number - 1, rows, 3:7, 2:5] = True
            array = expected[number - 1].astype(np.uint8)
            slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, f"id{number}", volumeNode)
    reference, names = lib.labelsOfReference(node, volumeNode)
    layers = sitk.GetArrayFromImage(reference)
    assert reference.GetNumberOfComponentsPerPixel() == 2
    assert all(np.array_equal((layers == number).any(axis=-1), expected[number - 1]) for number in (1, 2, 3, 4))
    assert names == {number: f"segment {number}" for number in (1, 2, 3, 4)}


def test_surfaces_of_one_name_and_overlaps_on_export(lib, scene, tmp_path):
    from SpineSegmentationLib.scene.results import ResultExport

    scan, labels = make_case()
    volumeNode = lib.addVolume(scan, "scan")
    node = lib.importResult(*written_result(tmp_path, labels), volumeNode).segmentationNode
    for segmentId in node.GetSegmentation().GetSegmentIDs()[:2]:
        node.GetSegmentation().GetSegment(segmentId).SetName("L4" if segmentId.endswith("1") else "l4")
    files = ResultExport.exportSurfaces(node, str(tmp_path))
    assert len({file.name.lower() for file in files}) == len(files) == len(list(tmp_path.glob("*.stl")))
    array = np.ones(sitk.GetArrayFromImage(labels).shape, np.uint8)
    first = node.GetSegmentation().GetNthSegmentID(0)
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, first, volumeNode)
    with pytest.raises(SpineError, match="overlap"):
        ResultExport.exportLabelMap(node, str(tmp_path / "labels.nii.gz"))


def test_label_map_node_as_reference(lib, scene):
    scan, labels = make_case("permuted")
    volumeNode = lib.addVolume(scan, "scan")
    labelNode = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "manual")
    labelNode.CopyOrientation(volumeNode)
    slicer.util.updateVolumeFromArray(labelNode, sitk.GetArrayFromImage(labels))
    reference, names = lib.labelsOfReference(labelNode, volumeNode)
    assert len(names) == len(SEGMENTS)
    assert np.array_equal(sitk.GetArrayFromImage(reference) > 0, sitk.GetArrayFromImage(labels) > 0)
    assert list(counts().values()) == [0, 0, 0, 0, 0, 1]
    empty = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "empty")
    with pytest.raises(SpineError, match='"empty" has nothing inside'):
        lib.labelsOfReference(empty, volumeNode)


def test_label_and_vector_volumes_are_refused(lib, scene):
    from SpineSegmentationLib.scene.volumes.VolumeExchange import imageFromVolume

    labelNode = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "manual")
    slicer.util.updateVolumeFromArray(labelNode, np.ones((3, 4, 5), np.uint8))
    colours = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    slicer.util.updateVolumeFromArray(colours, np.ones((3, 4, 5, 3), np.uint8))
    with pytest.raises(SpineError, match="is a label map, not a scan"):
        imageFromVolume(labelNode)
    with pytest.raises(SpineError, match="several values in each voxel"):
        imageFromVolume(colours)


def test_export_to_files(lib, scene, tmp_path):
    from SpineSegmentationLib.scene.results import ResultExport

    scan, labels = make_case("oblique 12")
    result = lib.importResult(*written_result(tmp_path, labels), lib.addVolume(scan, "scan"))
    for suffix in (".nii.gz", ".nrrd"):
        ResultExport.exportLabelMap(result.segmentationNode, str(tmp_path / f"labels{suffix}"))
        written = sitk.ReadImage(str(tmp_path / f"labels{suffix}"))
        assert np.array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(labels))
    ResultExport.exportTable(result.tableNode, str(tmp_path / "table.csv"))
    lines = (tmp_path / "table.csv").read_text("utf-8").splitlines()
    assert lines[0].startswith("level,partial,volume_mm3,anterior_height_mm")
    assert lines[1].startswith("L4,yes,41.5,24.5,,25.0,")
    files = ResultExport.exportSurfaces(result.segmentationNode, str(tmp_path))
    assert [file.name for file in files] == [f"scan_vertebral_bodies_{name}.stl" for name in ("L4", "L5", "Vertebra_3")]
    array = sitk.GetArrayFromImage(labels)
    for file, segment in zip(files, SEGMENTS, strict=True):
        points = np.frombuffer(file.read_bytes()[84:], np.dtype([("xyz", "<f4", (4, 3)), ("pad", "<u2")]))["xyz"][:, 1:]
        indices = np.argwhere(array == segment.label)[:, ::-1].astype(float)
        lps = np.array([labels.TransformContinuousIndexToPhysicalPoint(index) for index in indices.tolist()])
        assert np.abs(points.reshape(-1, 3).min(axis=0) - lps.min(axis=0)).max() < 2
        assert np.abs(points.reshape(-1, 3).max(axis=0) - lps.max(axis=0)).max() < 2
    for format_, begin in (("obj", b"#"), ("ply", b"ply\nformat binary")):
        for file in ResultExport.exportSurfaces(result.segmentationNode, str(tmp_path), format_):
            assert file.suffix == f".{format_}" and file.read_bytes().startswith(begin)
        together = tmp_path / f"all.{format_}"
        ResultExport.exportSurfacesTogether(result.segmentationNode, str(together))
        assert together.stat().st_size > sum(file.stat().st_size for file in tmp_path.glob(f"scan*.{format_}")) / 2
    with pytest.raises(SpineError, match="cannot be written"):
        ResultExport.exportSurfacesTogether(result.segmentationNode, str(tmp_path / "missing" / "all.ply"))
    with pytest.raises(SpineError, match="cannot be written"):
        ResultExport.exportTable(result.tableNode, str(tmp_path / "missing" / "table.csv"))
