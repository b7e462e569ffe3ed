"""Models of several labels, and of what is no vertebra, from the package to the files of a result."""

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_packages import brightness_model, contents, fields, write_package

from SpineInference.app.record import read_record
from SpineInference.app.requests import Request
from SpineInference.app.runner import Runner
from SpineInference.errors import SpineError
from SpineInference.models.catalog import ModelSet, open_set
from SpineInference.monitor import Monitor
from SpineInference.options import SegmentationOptions
from SpineInference.pipeline import segment
from SpineInference.prediction.region import Region
from SpineInference.volume.geometry import Grid

MIDDLE, BRIGHT = 0.5, 1.0
"""The brightness of the first and the second label, from the darkest to the brightest voxel."""
VERTEBRA = {"code": "51282000", "meaning": "Vertebra"}
CANAL = {"code": "2748008", "meaning": "Spinal canal"}
SPECKS = {"min_island_mm3": 5.0}
LUNG, HEART = {"code": "39607008", "meaning": "Lung"}, {"code": "80891009", "meaning": "Heart"}


def write_model(folder: Path, plane: str, *labels: dict, **more) -> None:
    """A model that knows two structures by their brightness; the first label is of medium brightness."""
    described = [{"value": number, "colour": [200, 60 * number, 40]} | label for number, label in enumerate(labels, 1)]
    manifest = fields(f"levels-{plane}", plane, labels=described, output={"activation": "softmax"}, **more)
    manifest["input"]["intensity"] = {"rule": "minmax", "low": 0.0, "high": 100.0}
    files = contents() | {"model.onnx": brightness_model((0, 40, 80), (0, -14, -44)).SerializeToString()}
    write_package(folder / plane, manifest, files)


@pytest.fixture(scope="module")
def spine_models(tmp_path_factory) -> ModelSet:
    folder = tmp_path_factory.mktemp("models") / "canal-and-bodies"
    for plane in ("sagittal", "axial"):
        write_model(folder, plane, {"name": "Canal"} | CANAL, {"name": "Body"} | VERTEBRA)
    return open_set(folder)


@pytest.fixture(scope="module")
def chest_models(tmp_path_factory) -> ModelSet:
    folder = tmp_path_factory.mktemp("models") / "chest"
    write_model(
        folder,
        "coronal",
        {"name": "Lung"} | LUNG,
        {"name": "Heart"} | HEART,
        anatomy="chest",
        modality="CR",
        postprocessing=SPECKS,
    )
    return open_set(folder)


def as_scan(canonical: np.ndarray, orientation: str = "LPS") -> sitk.Image:
    image = sitk.GetImageFromArray(canonical)
    image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
    return sitk.DICOMOrient(image, orientation)


def spine(orientation: str = "LPS") -> tuple[sitk.Image, sitk.Image]:
    """Three bodies with a canal behind them, in a trunk; and what is where: 20, 21, 22 and 60."""
    truth = np.zeros((120, 90, 60), np.uint8)
    truth[:, 62:74, 24:36] = 60
    for number in range(3):
        truth[8 + 36 * number : 34 + 36 * number, 22:52, 12:48] = 20 + number
    grey = np.select([truth == 60, truth > 0], [500, 1000], 200).astype(np.int16)
    grey[:, :, :3] = 0
    return as_scan(grey, orientation), as_scan(truth, orientation)


def radiograph() -> tuple[sitk.Image, sitk.Image]:
    """Two lungs (1), one with a hole, and a heart (2) that touches one of them, in a single coronal slice."""
    truth = np.zeros((120, 1, 110), np.uint8)
    truth[20:90, 0, 10:40] = truth[20:90, 0, 60:95] = 1
    truth[40:50, 0, 20:30] = 0
    truth[60:95, 0, 45:80] = 2
    grey = np.array([100, 500, 1000], np.int16)[truth]
    grey[0] = 0
    return as_scan(grey), as_scan(truth)


def dice(found: sitk.Image, truth: sitk.Image, value: int) -> float:
    a, b = (sitk.GetArrayViewFromImage(image) == value for image in (found, truth))
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("fusion", ["mean", "vote"])
@pytest.mark.parametrize("orientation", ["LPS", "SRA"])
def test_bodies_are_named_and_the_canal_stays_whole(spine_models, fusion, orientation):
    scan, truth = spine(orientation)
    result = segment(scan, spine_models, SegmentationOptions(top_level="L1", fusion=fusion, threads=1))
    assert [(s.label, s.name, s.is_vertebra) for s in result.segments] == [
        *((20 + n, f"L{n + 1}", True) for n in range(3)),
        (60, "Canal", False),
    ]
    assert result.segments[3].code == "2748008" and result.segments[3].colour == (200, 60, 40)
    assert Grid.of(result.labels) == Grid.of(scan)
    assert all(dice(result.labels, truth, value) > 0.99 for value in (20, 21, 22, 60))
    assert result.notes == []


def test_reference_with_bodies_and_canal(spine_models):
    scan, truth = spine()
    result = segment(scan, spine_models, SegmentationOptions(top_level="L1", threads=1), reference=truth)
    (canal,) = result.measurements.structures
    assert canal.dice > 0.99 and canal.reference_label == 60 and canal.volume_mm3 == pytest.approx(120 * 144, rel=0.02)
    assert [body.reference_label for body in result.measurements.vertebrae] == [20, 21, 22]
    assert result.measurements.reference.n_missed == result.measurements.reference.n_false == 0

    mask_of_bodies = sitk.Cast((truth >= 20) & (truth < 30), sitk.sitkUInt8)
    result = segment(scan, spine_models, SegmentationOptions(threads=1), reference=mask_of_bodies)
    assert all(body.dice > 0.99 for body in result.measurements.vertebrae)
    assert result.measurements.structures[0].dice is None and result.measurements.reference.dice > 0.99
    assert result.notes == []

    renamed = sitk.ChangeLabel(truth, {60: 201})
    result = segment(scan, spine_models, SegmentationOptions(top_level="L1", threads=1), reference=renamed)
    (note,) = result.notes
    assert "201 in the reference" in note and "60 for Canal" in note


def test_a_structure_that_is_not_there_is_told(spine_models):
    scan, truth = spine()
    scan = sitk.Mask(scan, truth != 60, 200)
    result = segment(scan, spine_models, SegmentationOptions(threads=1), reference=truth)
    assert [s.label for s in result.segments] == [31, 32, 33]
    assert any("Not found in this scan: Canal" in note for note in result.notes)
    (canal,) = result.measurements.structures
    assert (canal.volume_mm3, canal.dice, canal.centroid_lps_mm) == (0, 0, None)
    assert result.measurements.reference.n_missed == 1


COLUMN = (
    {"name": "Body"} | VERTEBRA,
    {"name": "Disc", "code": "360499006", "meaning": "Intervertebral disc"},
    {"name": "Spinal canal", "code": "61853006", "meaning": "Spinal canal"},
)
"""From the darkest to the brightest; each is found by itself, and the brighter one is surer."""


def write_column_model(folder: Path, plane: str, labels: int) -> None:
    described = [{"value": n, "colour": [200, 60 * n, 40]} | label for n, label in enumerate(COLUMN[:labels], 1)]
    manifest = fields(f"column-{plane}", plane, labels=described, output={"activation": "sigmoid", "threshold": 0.6})
    manifest["input"]["intensity"] = {"rule": "minmax", "low": 0.0, "high": 100.0}
    model = brightness_model((1.62, 8.6, 30)[:labels], (0.315, -3.7, -22)[:labels], alone=True)
    write_package(folder / plane, manifest, contents() | {"model.onnx": model.SerializeToString()})


@pytest.fixture(scope="module")
def column_models(tmp_path_factory) -> ModelSet:
    """The sagittal network knows bodies, discs and canal, the axial one bodies only."""
    folder = tmp_path_factory.mktemp("models") / "column"
    write_column_model(folder, "sagittal", 3)
    write_column_model(folder, "axial", 1)
    return open_set(folder)


def spine_with_discs(orientation: str = "LPS") -> tuple[sitk.Image, sitk.Image]:
    truth = np.zeros((150, 90, 60), np.uint8)
    truth[:, 60:74, 24:36] = 61
    for number in range(4):
        truth[4 + 36 * number : 30 + 36 * number, 22:52, 12:48] = 20 + number
    for number in range(3):
        truth[30 + 36 * number : 40 + 36 * number, 24:50, 14:46] = 120 + number
    grey = np.select([truth == 61, truth > 100, truth > 0], [300, 200, 100], 0).astype(np.int16)
    return as_scan(grey, orientation), as_scan(truth, orientation)


@pytest.mark.parametrize("fusion", ["mean", "vote"])
@pytest.mark.parametrize("orientation", ["LPS", "SRA"])
def test_discs_are_named_by_their_vertebrae(column_models, fusion, orientation):
    scan, truth = spine_with_discs(orientation)
    result = segment(scan, column_models, SegmentationOptions(top_level="L1", fusion=fusion, threads=1), truth)
    assert [(s.label, s.name) for s in result.segments] == [
        *((20 + n, f"L{n + 1}") for n in range(4)),
        *((120 + n, f"Disc L{n + 1}-L{n + 2}") for n in range(3)),
        (61, "Spinal canal"),
    ]
    assert all(dice(result.labels, truth, segment.label) > 0.97 for segment in result.segments)
    rows = {row.level: row.dice for row in result.measurements.rows}
    assert len(rows) == 8 and all(value > 0.97 for value in rows.values())
    assert result.measurements.reference.n_missed == result.measurements.reference.n_false == 0


def test_who_knows_only_vertebrae_sees_only_these(column_models, monkeypatch):
    scan, _ = spine_with_discs("LPS")
    box = tuple(slice(0, length) for length in scan.GetSize()[::-1])
    vertebrae, seen = (box[0], slice(4, 30), slice(6, 24)), {}

    def look(fusion, image, package, *_):
        seen[len(package.manifest.labels)] = image.GetSize()[::-1], fusion.settled().class_probabilities.shape[1:]

    monkeypatch.setattr("SpineInference.pipeline.find_region", lambda *_: Region(box, vertebrae))
    monkeypatch.setattr("SpineInference.pipeline.add_prediction", look)
    segment(scan, column_models, SegmentationOptions(threads=1))
    whole, part = scan.GetSize()[::-1], (scan.GetDepth(), 26, 18)
    assert seen == {3: (whole, whole), 1: (part, part)}


def test_what_no_chosen_plane_knows_is_told(column_models):
    scan, _ = spine_with_discs()
    result = segment(scan, column_models, SegmentationOptions(top_level="L1", planes=("axial",), threads=1))
    assert [s.label for s in result.segments] == [20, 21, 22, 23]
    assert any(note.startswith("Not looked for: Disc, Spinal canal") for note in result.notes)


def test_planes_without_a_common_label_are_refused(tmp_path):
    write_column_model(tmp_path / "set", "sagittal", 1)
    label = {"value": 1, "colour": [1, 2, 3]} | COLUMN[2]
    manifest = fields("canal-axial", "axial", labels=[label], output={"activation": "sigmoid"})
    write_package(tmp_path / "set" / "axial", manifest, contents())
    with pytest.raises(SpineError, match="find different labels"):
        open_set(tmp_path / "set")


def write_labels(folder, name: str, plane: str, labels: list[dict], activation: str = "sigmoid") -> None:
    write_package(folder / name, fields(name, plane, labels=labels, output={"activation": activation}), contents())


@pytest.mark.parametrize("number", range(3))
def test_one_name_for_all_discs_or_the_canal(tmp_path, number):
    """Else discs, say, of one network would be those of the other too, and no longer be told apart."""
    body, label = ({"value": 1 + n, "colour": [1, 2, 3]} | COLUMN[n] for n in (0, number))
    write_labels(tmp_path / "set", "sagittal", "sagittal", [body, label] if number else [body])
    write_labels(tmp_path / "set", "axial", "axial", [label | {"value": 9, "name": "Other"}])
    with pytest.raises(SpineError, match="find different labels"):
        open_set(tmp_path / "set")


def test_values_of_a_set_leave_room_for_discs(tmp_path):
    body, organ = ({"value": value, "colour": [1, 2, 3]} for value in (1, 40))
    write_labels(tmp_path / "set", "bodies", "sagittal", [body | COLUMN[0]])
    organ |= {"name": "Liver", "code": "10200004", "meaning": "Liver"}
    write_labels(tmp_path / "set", "liver", "sagittal", [organ])
    with pytest.raises(SpineError, match="values of 1 to 39"):
        open_set(tmp_path / "set")


def test_labels_of_softmax_may_stand_in_any_order(tmp_path):
    labels = [{"value": 1 + n, "colour": [1, 2, 3]} | COLUMN[n] for n in range(2)]
    write_labels(tmp_path / "set", "sagittal", "sagittal", labels, "softmax")
    write_labels(tmp_path / "set", "axial", "axial", labels[::-1], "softmax")
    assert {label.value for label in open_set(tmp_path / "set").recipe.labels} == {1, 2}


def test_radiograph_keeps_values_of_the_model(chest_models):
    scan, truth = radiograph()
    result = segment(scan, chest_models, SegmentationOptions(threads=1), reference=truth)
    assert [(s.label, s.name) for s in result.segments] == [(1, "Lung"), (2, "Heart")]
    assert np.array_equal(sitk.GetArrayViewFromImage(result.labels), sitk.GetArrayViewFromImage(truth))
    assert [(m.area_mm2, m.volume_mm3, m.dice) for m in result.measurements.structures] == [
        (70 * 30 + 70 * 35 - 100 - 30 * 20, None, 1),
        (35 * 35, None, 1),
    ]
    assert result.measurements.vertebrae == [] and result.notes == []


def test_nothing_in_a_scan_is_no_matter_of_vertebrae(chest_models):
    scan = as_scan(np.tile(np.arange(80, dtype=np.int16), (90, 1))[:, None] // 4)
    scan[0, 0, 0] = 100
    result = segment(scan, chest_models, SegmentationOptions(threads=1))
    assert result.segments == []
    (note,) = result.notes
    assert note.startswith("Not found in this scan: Lung, Heart: the model is made for CR of the chest")


def test_reference_of_other_values_is_refused(chest_models, tmp_path):
    scan, truth = radiograph()
    other = sitk.Cast(truth > 0, sitk.sitkUInt8) * 7
    with pytest.raises(SpineError, match=r"the values 7, but the model finds 1 \(Lung\), 2 \(Heart\)"):
        began = Monitor(on_progress=lambda _: pytest.fail("work began"))
        segment(scan, chest_models, reference=other, monitor=began)


def test_the_files_of_a_result(spine_models, chest_models, tmp_path):
    for name, (scan, truth), models in (("spine", spine(), spine_models), ("chest", radiograph(), chest_models)):
        sitk.WriteImage(scan, tmp_path / f"{name}.nrrd")
        sitk.WriteImage(truth, tmp_path / f"{name}-truth.nrrd")
        paths = [str(tmp_path / end) for end in (f"{name}.nrrd", name)]
        model = str(models.packages[0].path.parent)
        options = SegmentationOptions(model, threads=1, top_level="L1")
        written = Runner().run(Request(*paths, options, str(tmp_path / f"{name}-truth.nrrd")), Monitor())
        files = {kind: written.folder / file for kind, file in written.record.contents.items()}
        with files["measurements"].open(encoding="utf-8", newline="") as file:
            rows = {row["level"]: row for row in csv.DictReader(file)}
        record = read_record(written.record_path)
        written = sitk.ReadImage(files["segmentation"])
        names = [written.GetMetaData(f"Segment{n}_Name") for n in range(len(rows))]
        assert list(rows) == names == [s.name for s in record.segments]
        assert files["overview"].stat().st_size > 10_000
        if name == "spine":
            assert rows["L1"]["middle_height_mm"] != "" and rows["L1"]["partial"] == "no"
            assert rows["Canal"]["middle_height_mm"] == rows["Canal"]["partial"] == ""
            assert [row["level"] for row in record.measurements["structures"]] == ["Canal"]
        else:
            assert float(rows["Heart"]["area_mm2"]) == 1225 and rows["Heart"]["volume_mm3"] == ""
