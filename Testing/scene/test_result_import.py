"""The result of a worker in a real MRML scene: whole or not at all, new or in place of something, and exact."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_records import small_record
from test_scene import SEGMENTS, by_name, make_case, voxels

from SpineInference.anatomy import Segment
from SpineInference.app.record import Record
from SpineInference.app.requests import Request
from SpineInference.errors import SpineError
from SpineInference.files.writing import write_labelmap
from SpineInference.measuring.measurements import as_json, measure
from SpineInference.measuring.morphometry.measure import Measure
from SpineInference.measuring.morphometry.tables import write_json
from SpineInference.measuring.slice_agreement import dice_per_slice
from SpineInference.placement import SlicePlacement

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

HEIGHTS = {"anterior_height_mm": 24.5, "middle_height_mm": 23.0, "posterior_height_mm": 25.0}


@pytest.fixture
def lib(scene):
    from SpineSegmentationLib.scene.results import MeasurementTable, ResultImport, SegmentShapes
    from SpineSegmentationLib.scene.segmentations import SegmentationLabels
    from SpineSegmentationLib.scene.volumes import VolumeExchange

    class Lib:
        addVolume = staticmethod(VolumeExchange.addVolume)
        importResult = staticmethod(ResultImport.importResult)
        measurementsOf = staticmethod(MeasurementTable.measurementsOf)
        centreOf = staticmethod(MeasurementTable.centreOf)
        isUpToDate = staticmethod(SegmentShapes.isUpToDate)
        labelsOfReference = staticmethod(SegmentationLabels.labelsOfReference)
        labelsOfSegmentation = staticmethod(SegmentationLabels.labelsOfSegmentation)

    return Lib


def written_result(folder, labels, segments=SEGMENTS, **fields) -> tuple[Record, Path]:
    """The record of a result with these labels, and the folder of its files."""
    write_labelmap(labels, folder / "scan_labels.nrrd")
    array = sitk.GetArrayFromImage(labels)
    rows = []
    for number, segment in enumerate(segments, start=1):
        z, y, x = np.argwhere(array == segment.label).mean(axis=0)
        left, posterior, superior = labels.TransformContinuousIndexToPhysicalPoint((x, y, z))
        centre = {"centroid_left_mm": left, "centroid_posterior_mm": posterior, "centroid_superior_mm": superior}
        row = {"level": segment.name, "partial": number == 1, "volume_mm3": 41.5, **HEIGHTS, **centre}
        rows.append(row | {"middle_height_mm": None, "reference_label": number, "dice": 0.9})
    defaults = {"measurements": {"vertebrae": rows}, "notes": ["A note."]}
    request = Request("scan.nrrd", str(folder))
    contents = {"labels": "scan_labels.nrrd"}
    return small_record(request, segments, 2.5, contents=contents, **(defaults | fields)), folder


def counts() -> dict[str, int]:
    names = ("Segmentation", "SegmentationDisplay", "Table", "PlotChart", "PlotSeries", "LabelMapVolume")
    return {name: slicer.mrmlScene.GetNumberOfNodesByClass(f"vtkMRML{name}Node") for name in names}


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


ORGANS = [
    Segment(1, "Lung", (200, 90, 90), "39607008", "Lung", False),
    Segment(2, "Heart", (200, 30, 40), "1", "H", False),
]


def written_structures(folder, labels, found) -> tuple[Record, Path]:
    """A result of a model that looks for `ORGANS`, in a scan of a single slice."""
    write_labelmap(labels, folder / "scan_labels.nrrd")
    measurements = as_json(measure(labels, None, set(), labels, ORGANS))
    contents = {"labels": "scan_labels.nrrd"}
    request = Request("scan.nrrd", str(folder))
    notes = ["A note."]
    return small_record(request, found, 2.5, contents=contents, measurements=measurements, notes=notes), folder


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


def test_charts_of_heights_and_dice_per_slice(lib, tmp_path):
    scan, labels = make_case()
    slices = dice_per_slice(labels, labels)
    result = lib.importResult(*written_result(tmp_path, labels, dice_per_slice=slices), lib.addVolume(scan, "scan"))
    heights = result.tableNode.GetNodeReference("heightChart")
    series = [heights.GetNthPlotSeriesNode(index) for index in range(heights.GetNumberOfPlotSeriesNodes())]
    assert [node.GetYColumnName() for node in series] == list(HEIGHTS)
    assert {node.GetLabelColumnName() for node in series} == {"level"}
    assert {node.GetTableNodeID() for node in series} == {result.tableNode.GetID()}
    dice = result.tableNode.GetNodeReference("diceChart")
    tables = [dice.GetNthPlotSeriesNode(index).GetTableNode().GetTable() for index in range(3)]
    assert [table.GetNumberOfRows() for table in tables] == [len(values["slice"]) for values in slices.values()]
    assert all(table.GetColumnByName("dice").GetValue(0) == 1 for table in tables)


def test_charts_of_discs_and_canal(lib, tmp_path):
    scan, labels = make_case()
    measures = [
        Measure("disc", "Vertebra 3-Vertebra 4", "middle_disc_height", 5.0),
        Measure("disc", "L4-L5", "middle_disc_height", 9.0),
        Measure("disc", "L4-L5", "anterior_disc_height", None),
        Measure("disc", "L5-S1", "middle_disc_height", 7.0),
        Measure("canal", "L4", "canal_diameter", 14.0),
        Measure("canal", "L4-L5", "canal_diameter", 11.0),
    ]
    record, folder = written_result(tmp_path, labels)
    write_json(measures, folder / "measures.json")
    record = dataclasses.replace(record, contents=record.contents | {"morphometry_json": "measures.json"})
    result = lib.importResult(record, folder, lib.addVolume(scan, "scan"))
    discs, canal = (result.tableNode.GetNodeReference(role) for role in ("discChart", "canalChart"))
    table = discs.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    levels = [table.GetColumnByName("level").GetValue(row) for row in range(table.GetNumberOfRows())]
    assert levels == ["3/4", "L4/5", "L5/S1"]
    assert [table.GetColumnByName("middle_disc_height").GetValue(row) for row in range(3)] == [5, 9, 7]
    assert np.isnan(table.GetColumnByName("anterior_disc_height").GetValue(1))
    diameters = canal.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    assert [diameters.GetColumnByName("level").GetValue(row) for row in range(2)] == ["", "L4/5"], "bodies in between"
    heights = result.tableNode.GetNodeReference("heightChart")
    assert heights.GetXAxisRange()[1] == 1.5 * (len(SEGMENTS) - 1), "as wide as there are bodies"


def test_levels_are_named_below_a_chart(lib, tmp_path):
    from SpineSegmentationLib.scene.results.ResultPlots import ticksOf

    scan, labels = make_case()
    result = lib.importResult(*written_result(tmp_path, labels), lib.addVolume(scan, "scan"))
    chart = result.tableNode.GetNodeReference("heightChart")
    positions, names = ticksOf(chart.GetAttribute("SpineSegmentation.Levels"))
    assert [names.GetValue(index) for index in range(3)] == ["L4", "L5", "3"]
    assert [positions.GetValue(index) for index in range(3)] == [0, 1, 2]
    positions, names = ticksOf("\n".join(f"{number}/{number + 1}" for number in range(23)))
    assert names.GetNumberOfValues() == 8 and positions.GetValue(1) == 3, "no more than have room"
    assert ticksOf(None) == (None, None), "Dice per slice has numbers"
    assert ticksOf("")[1].GetNumberOfValues() == 0


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


def test_whole_numbers_stay_whole_in_files(lib, tmp_path):
    from SpineSegmentationLib.scene.results.ResultExport import exportTable

    scan, labels = make_case("oblique 12")
    measurements = as_json(measure(labels, SEGMENTS, set()))
    result = lib.importResult(*written_result(tmp_path, labels, measurements=measurements), lib.addVolume(scan, "scan"))
    exportTable(result.tableNode, str(tmp_path / "table.csv"))
    written = [line.split(",")[:2] for line in (tmp_path / "table.csv").read_text("utf-8").splitlines()]
    assert written == [["level", "label"], *([segment.name, str(segment.label)] for segment in SEGMENTS)]


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


def chosen_node(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "chosen")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().AddEmptySegment("drawn", "drawn by hand", (0.1, 0.2, 0.3))
    array = np.zeros((9, 14, 11), np.uint8)
    array[2, 3, 4] = 1
    return node, array


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
