"""Labels that were given are measured as those of a run are: `spine-segment --labels`."""

import csv
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_series import write_series
from generated_discs import generated_column, true_soft_measures
from small_packages import fields, write_package

from SpineInference.anatomy import CANAL_LABEL, CORD_LABEL, DISC_OFFSET, LEVELS, T13
from SpineInference.app import cli
from SpineInference.app.record import Record, read_record
from SpineInference.app.requests import Request, check_request
from SpineInference.errors import SpineError
from SpineInference.files.reading import read_volume
from SpineInference.files.writing import write_labelmap
from SpineInference.given_labels import read_named_labels
from SpineInference.measuring.morphometry.measure import DOUBTFUL_BODY

Rows = list[dict[str, str]]


def call(*arguments: object) -> int:
    return cli.main([*map(str, arguments), "--no-overview", "-q"])


def table(folder: Path, kind: str = "measurements") -> Rows:
    return list(csv.DictReader((folder / f"{folder.name}_{kind}.csv").open(encoding="utf-8")))


def measures(folder: Path) -> Rows:
    """Without what rests on the quality that a network expects."""
    return [row | {"marks": row["marks"].replace(DOUBTFUL_BODY, "")} for row in table(folder, "morphometry")]


def record_of(folder: Path) -> Record:
    return read_record(folder / f"{folder.name}_result.json")


@pytest.fixture(scope="module")
def column(tmp_path_factory) -> Path:
    """A folder with the truth of a generated spine as `labels.nii.gz`, and a scan that is bright in its canal."""
    folder = tmp_path_factory.mktemp("column")
    labels, _ = generated_column(5, (1.0, 1.0, 2.0), (110.0, 160.0, 60.0))
    write_labelmap(labels, folder / "labels.nii.gz")
    array = sitk.GetArrayFromImage(labels)
    values = np.random.default_rng(0).integers(90, 110, array.shape) + 100 * (array > 0) + 400 * (array == CANAL_LABEL)
    scan = sitk.GetImageFromArray(values.astype(np.int16))
    scan.CopyInformation(labels)
    sitk.WriteImage(scan, folder / "scan.nii.gz")
    return folder


@pytest.fixture(scope="module")
def measured(column, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out")
    arguments = column / "scan.nii.gz", "-o", out, "--labels", column / "labels.nii.gz", "--report", "--points"
    assert cli.main([*map(str, arguments)]) == 0
    return out / "scan"


def test_everything_of_a_run_is_written(measured, column):
    kinds = ("labels.nii.gz", "measurements.csv", "morphometry.csv", "morphometry.json", "centres.mrk.json")
    kinds += ("disc_points.mrk.json", "disc_points.nii.gz", "canal.mrk.json", "report.html", "thumbnail.jpg")
    kinds += ("overview.png", "morphometry.png", "result.json")
    assert {path.name for path in measured.iterdir()} == {"scan.seg.nrrd", *(f"scan_{kind}" for kind in kinds)}
    given, written = (sitk.ReadImage(path) for path in (column / "labels.nii.gz", measured / "scan_labels.nii.gz"))
    assert np.array_equal(*(sitk.GetArrayFromImage(image) for image in (given, written)))


def test_truth_of_a_generated_spine(measured):
    _, spine = generated_column(5, (1.0, 1.0, 2.0), (110.0, 160.0, 60.0))
    rows = table(measured, "morphometry")
    told = {row["at"]: row["value"] for row in rows if row["measure"] == "canal_diameter" and row["value"]}
    truth = true_soft_measures(spine, told)
    errors = [float(value) - truth[at, "canal_diameter"] for at, value in told.items()]
    assert len(errors) > 5 and np.abs(errors).mean() < 0.8
    assert any(row["measure"] == "disc_signal" and row["value"] for row in rows)


def test_record_tells_the_labels(measured, column):
    record, labels = record_of(measured), column / "labels.nii.gz"
    assert record.labels_given.file == str(labels)
    assert record.labels_given.sha256 == hashlib.sha256(labels.read_bytes()).hexdigest()
    assert (record.models, record.planes, record.model_checksums) == ([], [], {})
    assert record.measurements["naming"]["source"] == "given"
    page = (measured / "scan_report.html").read_text("utf-8")
    assert f"Labels given: labels.nii.gz · SHA-256 <code>{record.labels_given.sha256}" in page
    assert "Planes" not in page and "Quality" not in page
    assert "quality" not in table(measured)[0]


def test_labels_of_a_run_measure_the_same(tmp_path):
    array = np.full((80, 48, 40), 100.0)
    for number in range(3):
        array[4 + 26 * number : 22 + 26 * number, 12:36, 8:32] = 300
    array += np.random.default_rng(0).normal(0, 5, array.shape)
    scan = sitk.GetImageFromArray(array.astype(np.int16))
    scan.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
    sitk.WriteImage(scan, tmp_path / "scan.nii.gz")
    model = write_package(tmp_path / "bright", fields("bright-sagittal", "sagittal"))
    scan = tmp_path / "scan.nii.gz"
    assert call(scan, "-o", tmp_path / "run", "--model", model, "--bottom-level", "L5", "--threads", 1) == 0
    run = tmp_path / "run" / "scan"
    expected = [{name: cell for name, cell in row.items() if name != "quality"} for row in table(run)]
    for file in ("scan_labels.nii.gz", "scan.seg.nrrd"):
        assert call(scan, "-o", tmp_path / "again", "--labels", run / file) == 0
        again = tmp_path / "again" / "scan"
        assert table(again) == expected and measures(again) == measures(run)
        assert record_of(again).segments == record_of(run).segments
        assert record_of(again).partial == record_of(run).partial


def test_a_corrected_label_map_is_measured(column, measured, tmp_path):
    image = sitk.ReadImage(column / "labels.nii.gz")
    array = sitk.GetArrayFromImage(image)
    array[array == LEVELS["L3"].label] = 0
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(sitk.ReadImage(column / "scan.nii.gz"))
    sitk.WriteImage(image, tmp_path / "corrected.mha")
    assert call(column / "scan.nii.gz", "-o", tmp_path, "--labels", tmp_path / "corrected.mha") == 0
    rows, before = table(tmp_path / "scan"), table(measured)
    assert [row["level"] for row in rows] == [row["level"] for row in before if row["level"] != "L3"]
    assert [row["volume_mm3"] for row in rows] == [row["volume_mm3"] for row in before if row["level"] != "L3"]


def measured_as(image: sitk.Image, values: Mapping[int, int], folder: Path, scan: Path) -> Rows:
    """The measures of the spine where the label map has other values."""
    value_of = np.arange(256, dtype=np.uint8)
    value_of[list(values)] = list(values.values())
    changed = sitk.GetImageFromArray(value_of[sitk.GetArrayFromImage(image)])
    changed.CopyInformation(image)
    write_labelmap(changed, folder / "changed.nrrd")
    assert call(scan, "-o", folder, "--labels", folder / "changed.nrrd") == 0
    return table(folder / "scan", "morphometry")


def test_the_cord_belongs_to_the_canal(column, measured, tmp_path):
    image = sitk.ReadImage(column / "labels.nii.gz")
    canal = image == CANAL_LABEL
    cord = sitk.BinaryErode(canal, (2, 0, 2)) * CORD_LABEL
    image = sitk.Mask(image, cord == 0) + sitk.Cast(cord, image.GetPixelID())
    rows = measured_as(image, {}, tmp_path, column / "scan.nii.gz")
    assert table(tmp_path / "scan")[-1]["level"] == "Spinal cord"
    assert [row for row in rows if not row["measure"].startswith("cord_")] == table(measured, "morphometry")
    assert {row["measure"] for row in rows} >= {"cord_diameter", "cord_area", "cord_occupation"}


def test_t13_is_a_neighbour_of_t12_and_l1(column, measured, tmp_path):
    lower = {20: T13.label, 21: 20, 22: 21, 23: 22, 24: 23}
    lower |= {DISC_OFFSET + before: DISC_OFFSET + after for before, after in lower.items()}
    rows = measured_as(sitk.ReadImage(column / "labels.nii.gz"), lower, tmp_path, column / "scan.nii.gz")
    of_level = {(row["at"], row["measure"]): row["value"] for row in rows if row["kind"] in ("level", "disc")}
    before = {(row["at"], row["measure"]): row["value"] for row in table(measured, "morphometry")}
    for name in ("slip", "disc_angle", "middle_disc_height", "disc_signal"):
        assert of_level["T13-L1", name] == before["L1-L2", name] and of_level["L1-L2", name] == before["L2-L3", name]


def test_names_of_a_segmentation_count(column, measured, tmp_path):
    """As 3D Slicer saves a segmentation whose segments were renamed: the values stay."""
    image = sitk.ReadImage(measured / "scan.seg.nrrd")
    names = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys() if key.endswith("_Name")}
    up = dict(zip(list(LEVELS)[1:], list(LEVELS), strict=False))
    for key, name in names.items():
        image.SetMetaData(key, up.get(name, name))
    sitk.WriteImage(image, tmp_path / "renamed.seg.nrrd")
    assert call(column / "scan.nii.gz", "-o", tmp_path, "--labels", tmp_path / "renamed.seg.nrrd") == 0
    before, after = ([row["level"] for row in table(folder)] for folder in (measured, tmp_path / "scan"))
    bodies = [name for name in before if name in LEVELS]
    assert after[: len(bodies)] == [up[name] for name in bodies]


def test_voxels_in_another_order_are_the_same(column, measured, tmp_path):
    """As a converter from DICOM to NIfTI leaves them."""
    flipped = sitk.Flip(sitk.ReadImage(column / "labels.nii.gz"), (False, True, True))
    write_labelmap(sitk.PermuteAxes(flipped, (2, 0, 1)), tmp_path / "labels.nii.gz")
    assert call(column / "scan.nii.gz", "-o", tmp_path, "--labels", tmp_path / "labels.nii.gz") == 0
    assert table(tmp_path / "scan") == table(measured)
    given, written = (
        sitk.ReadImage(path) for path in (column / "labels.nii.gz", tmp_path / "scan" / "scan_labels.nii.gz")
    )
    assert np.array_equal(*(sitk.GetArrayFromImage(image) for image in (given, written)))


def test_a_folder_of_labels(column, tmp_path, capsys):
    for name in "ab":
        (tmp_path / "scans").mkdir(exist_ok=True)
        (tmp_path / "scans" / f"{name}.nii.gz").write_bytes((column / "scan.nii.gz").read_bytes())
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "b.nii.gz").write_bytes((column / "labels.nii.gz").read_bytes())
    assert call(tmp_path / "scans", "-o", tmp_path / "out", "--labels", tmp_path / "labels") == 2
    assert "holds no label map named a" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"]
    assert call(tmp_path / "scans", "-o", tmp_path / "out", "--labels", tmp_path / "labels" / "b.nii.gz") == 2
    assert "only one label map" in capsys.readouterr().err


def test_labels_may_have_a_reference(column, tmp_path):
    labels = column / "labels.nii.gz"
    assert call(column / "scan.nii.gz", "-o", tmp_path, "--labels", labels, "--reference", labels) == 0
    record = record_of(tmp_path / "scan")
    assert record.measurements["reference"]["dice"] == 1 and record.dice_per_slice


def test_labels_go_back_to_the_archive(tmp_path):
    pydicom, _ = pytest.importorskip("pydicom"), pytest.importorskip("highdicom")
    labels, _ = generated_column(5, (2.0, 2.0, 4.0), (90.0, 120.0, 60.0))
    noise = np.random.default_rng(0).integers(0, 900, labels.GetSize()[::-1]).astype(np.uint16)
    volume = sitk.GetImageFromArray(noise)
    volume.CopyInformation(labels)
    write_series(volume, tmp_path / "series")
    write_labelmap(labels, tmp_path / "labels.nrrd")
    assert call(tmp_path / "series", "-o", tmp_path / "out", "--labels", tmp_path / "labels.nrrd", "--sr") == 0
    folder = tmp_path / "out" / "series"
    segments = pydicom.dcmread(folder / "series_seg.dcm").SegmentSequence
    assert {segment.SegmentAlgorithmType for segment in segments} == {"SEMIAUTOMATIC"}
    report = pydicom.dcmread(folder / "series_sr.dcm").to_json()
    assert f"Labels given: labels.nrrd SHA-256 {record_of(folder).labels_given.sha256}" in report


def test_whole_vertebrae_are_noted(column, tmp_path, capsys):
    image = sitk.ReadImage(column / "labels.nii.gz")
    array = sitk.GetArrayFromImage(image)
    array[array == CANAL_LABEL] = 0
    for _ in range(25):  # mm farther back
        free = (array[..., 1:] == 0) & (array[..., :-1] <= LEVELS["S1"].label)
        array[..., 1:] = np.where(free, array[..., :-1], array[..., 1:])
    whole = sitk.GetImageFromArray(array)
    whole.CopyInformation(image)
    write_labelmap(whole, tmp_path / "whole.nrrd")
    assert call(column / "scan.nii.gz", "-o", tmp_path, "--labels", tmp_path / "whole.nrrd") == 0
    assert any("deeper than wide" in note for note in record_of(tmp_path / "scan").notes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda array: np.where(array == CANAL_LABEL, 200, array),
            "these values of its voxels: 200; known are 1 to 28",
        ),
        (lambda array: array + 0.5, "whole numbers"),
        (lambda array: array * 0, "nothing is labelled"),
        (lambda array: array[1:], "another grid"),
        (lambda array: np.where((array > 0) & (array < 60), 1, 0), "C1 (value 1) lies in"),
        (lambda array: np.where((array > 19) & (array < 25), 44 - array, array), "L2 lies above L1, as in no spine"),
    ],
)
def test_labels_that_are_refused(column, tmp_path, capsys, change, says):
    image = sitk.ReadImage(column / "labels.nii.gz")
    changed = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image).astype(np.float32)))
    changed.SetSpacing(image.GetSpacing())
    changed.SetOrigin(image.GetOrigin())
    changed.SetDirection(image.GetDirection())
    sitk.WriteImage(changed, tmp_path / "labels.nii.gz")
    assert call(column / "scan.nii.gz", "-o", tmp_path / "out", "--labels", tmp_path / "labels.nii.gz") == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_picture_holds_no_labels(column, tmp_path, capsys):
    sitk.WriteImage(sitk.Image([20, 20], sitk.sitkUInt8), tmp_path / "mask.png")
    assert call(column / "scan.nii.gz", "-o", tmp_path / "out", "--labels", tmp_path / "mask.png") == 2
    assert "a picture has colours in place of labels" in capsys.readouterr().err
    with pytest.raises(SpineError, match="no file"):
        read_named_labels(tmp_path)


@pytest.mark.parametrize(
    "option",
    [
        *("--model x", "--planes sagittal", "--fusion vote", "--device cuda", "--precision full", "--top-level C2"),
        *("--bottom-level L5", "--numbered", "--n4", "--no-n4", "--smooth 2", "--no-fill-holes", "--dilate 0"),
        *("--remove-below 5", "--interpolate", "--cluster local"),
    ],
)
def test_labels_leave_nothing_to_look_for(column, tmp_path, capsys, option):
    arguments = column / "scan.nii.gz", "-o", tmp_path / "out", "--labels", column / "labels.nii.gz"
    assert call(*arguments, *option.split()) == 2
    said = capsys.readouterr().err
    assert f"leave out {option.split()[0].replace('--no-', '--')}" in said and not (tmp_path / "out").exists()


def test_missing_labels_stop_before_work(column, tmp_path):
    request = Request(str(column / "scan.nii.gz"), str(tmp_path / "out"), labels=str(tmp_path / "nowhere.nrrd"))
    with pytest.raises(SpineError, match=r"label map .*nowhere.nrrd does not exist"):
        check_request(request)


def test_a_slice_of_unknown_size_has_no_lengths(tmp_path):
    """A picture, and the label map that a run makes of it."""
    pixels = np.random.default_rng(0).integers(0, 200, (120, 90)).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(pixels), tmp_path / "slice.png")
    scan = read_volume(tmp_path / "slice.png")
    array = np.zeros(scan.GetSize()[::-1], np.uint8)
    flat = array.reshape(120, 90)
    for number, value in enumerate((20, 21, 22)):
        flat[20 + 28 * number : 40 + 28 * number, 30:60] = value
    labels = sitk.GetImageFromArray(array)
    labels.CopyInformation(scan)
    write_labelmap(labels, tmp_path / "labels.nrrd")
    assert call(tmp_path / "slice.png", "-o", tmp_path, "--labels", tmp_path / "labels.nrrd") == 0
    rows = table(tmp_path / "slice")
    assert [row["level"] for row in rows] == ["L1", "L2", "L3"] and not any(row.get("area_mm2") for row in rows)
    arguments = "--plane", "sagittal", "--spacing", "0.5"
    assert call(tmp_path / "slice.png", "-o", tmp_path, "--labels", tmp_path / "labels.nrrd", *arguments) == 0
    assert float(table(tmp_path / "slice")[1]["area_mm2"]) == 150.0
    assert json.loads((tmp_path / "slice" / "slice_result.json").read_text())["placement"]["has_scale"]
