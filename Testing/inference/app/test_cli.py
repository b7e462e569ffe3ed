"""The command line as a person or a script meets it: what it prints, what it writes, how it ends."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_packages import contents, fields, onnx_model, write_package
from small_records import small_record

from SpineInference.anatomy import LEVELS, Segment
from SpineInference.app import cli
from SpineInference.app.record import read_record
from SpineInference.app.requests import Request, to_json
from SpineInference.app.runner import Runner, WrittenResult
from SpineInference.errors import SpineError
from SpineInference.files.reading import read_volume
from SpineInference.files.result_folder import result_folder
from SpineInference.models.catalog import open_set
from SpineInference.monitor import Monitor
from SpineInference.options import DEFAULT_MODEL, SegmentationOptions


class FakeRun:
    """Stands in for the pipeline: notes its requests and writes a tiny result."""

    def __init__(self):
        self.requests: list[Request] = []

    def __call__(self, request, monitor):
        self.requests.append(request)
        monitor.progress("network", 1, 2, "sagittal")
        monitor.note("something worth knowing")
        if "broken" in request.input:
            raise SpineError("this scan cannot be used.")
        if "bug" in request.input:
            raise ZeroDivisionError("oops")
        with result_folder(Path(request.output)) as folder:
            (folder / "labels.txt").write_text("1")
        segments = [] if "empty" in request.input else [LEVELS["C2"], LEVELS["C3"]]
        agreement = {"dice": 0.9123, "hd95_mm": 2.04, "assd_mm": 0.6, "nsd": 0.9, "n_missed": 1, "n_false": 0}
        told = {
            "vertebrae": [],
            "structures": [],
            "naming": None,
            "reference": agreement if request.reference else None,
        }
        return WrittenResult(Path(request.output), small_record(request, segments, 12.3, measurements=told))


def write_scan(path: Path, values: np.ndarray | None = None) -> Path:
    values = np.arange(60, dtype=np.int16).reshape(3, 4, 5) if values is None else values
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(values), path)
    return path


@pytest.fixture
def run() -> FakeRun:
    return FakeRun()


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def call(run, *arguments) -> int:
    return cli.main([str(argument) for argument in arguments], run)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_one_scan(run, out, tmp_path, capsys):
    scan = write_scan(tmp_path / "Wirbelsäule 脊椎.nii.gz")
    assert call(run, scan, "-o", out, "--top-level", "c2") == 0
    assert names_in(out) == ["Wirbelsäule 脊椎"]
    shown = capsys.readouterr()
    assert "2 vertebral bodies (C2 to C3) in 12 s" in shown.out and str(out) in shown.out
    assert "network, sagittal" in shown.err and "something worth knowing" in shown.err


def test_a_terminal_gets_a_progress_bar(run, out, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    assert call(run, write_scan(tmp_path / "a.nii.gz"), "-o", out) == 0
    shown = capsys.readouterr().err
    assert "a: network, sagittal   0 %|" in shown and "/2" in shown


def test_every_option_arrives(run, out, tmp_path):
    scan, mask = write_scan(tmp_path / "a.nii.gz"), write_scan(tmp_path / "mask.nii.gz")
    options = "--model m --planes axial,Sagittal --fusion vote --device cuda:1 --bottom-level L5 --no-n4 --format nrrd"
    options += " --plane Axial --spacing 0.7x0.6 --sr --points --report"
    assert call(run, scan, "-o", out, *options.split(), "--threads", 2, "--no-overview", "--reference", mask) == 0
    assert run.requests == [
        Request(
            input=str(scan),
            output=str(out / "a"),
            options=SegmentationOptions(
                model="m",
                planes=("axial", "sagittal"),
                plane="axial",
                spacing_mm=(0.7, 0.6),
                fusion="vote",
                device="cuda:1",
                bottom_level="L5",
                bias_correction=False,
                threads=2,
            ),
            reference=str(mask),
            format="nrrd",
            structured_report=True,
            points=True,
            overview=False,
            report=True,
        )
    ]


def test_a_batch_has_a_page(run, out, tmp_path, capsys):
    scans = [write_scan(tmp_path / name) for name in ("a.nii.gz", "broken.nii.gz")]
    assert call(run, scans[0], "-o", out, "--report") == 0
    assert names_in(out) == ["a"]  # one scan is no batch
    assert call(run, *scans, "-o", out / "2", "--report", "-q") == 2
    assert "broken.nii.gz: this scan cannot be used." in (out / "2" / "index.html").read_text("utf-8")


def test_a_page_of_somebody_else_stops_before_work(run, out, tmp_path, capsys):
    out.mkdir()
    (out / "index.html").write_text("mine")
    scans = [write_scan(tmp_path / name) for name in ("a.nii.gz", "b.nii.gz")]
    assert call(run, *scans, "-o", out, "--report") == 2
    assert run.requests == [] and (out / "index.html").read_text() == "mine"
    assert "not a page of an earlier run" in capsys.readouterr().err


def test_postprocessing_is_the_models_but_for_what_is_given(run, out, tmp_path):
    scan, own = write_scan(tmp_path / "a.nii.gz"), open_set(DEFAULT_MODEL).packages[0].manifest.postprocessing
    assert own.min_island_share > 0 and own.fill_holes
    assert call(run, scan, "-o", out / "1", "--smooth", 2, "--no-fill-holes") == 0
    assert call(run, scan, "-o", out / "2", "--remove-below", 300, "--dilate", 1.5, "--interpolate") == 0
    assert call(run, scan, "-o", out / "3") == 0
    few, others, none = (request.options.postprocessing for request in run.requests)
    assert few == replace(own, smooth_mm=2.0, fill_holes=False) and none is None
    changes = {"min_island_mm3": 300.0, "min_island_share": 0.0, "dilate_mm": 1.5, "interpolate_slices": True}
    assert others == replace(own, **changes)


def test_agreement_with_a_reference_is_printed(run, out, tmp_path, capsys):
    scan, mask = write_scan(tmp_path / "a.nii.gz"), write_scan(tmp_path / "mask.nii.gz")
    assert call(run, scan, "-o", out, "--reference", mask) == 0
    assert "(C2 to C3), Dice 0.912, HD95 2.0 mm, 1 missed, 0 false in 12 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--smooth", "-1"), "smooth_mm of the post-processing must be 0 or more"),
        (("--dilate", "nan"), "dilate_mm of the post-processing must be 0 or more"),
        (("--spacing", "wide"), "0.7x0.6"),
        (("--spacing", "1x1x1"), "0.7x0.6"),
        (("--spacing", "0"), "0.02 to 10"),
        (("--plane", "oblique"), '"oblique" is not a plane'),
    ],
)
def test_impossible_options(run, out, tmp_path, capsys, option, says):
    try:
        code = call(run, write_scan(tmp_path / "a.nii.gz"), "-o", out, *option)
    except SystemExit as ended:
        code = ended.code
    assert code == 2 and says in capsys.readouterr().err and not run.requests


def test_quiet(run, out, tmp_path, capsys):
    assert call(run, write_scan(tmp_path / "a.nii.gz"), "-o", out, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_a_folder_of_scans_one_of_them_bad(run, out, tmp_path, capsys):
    for name in ("a", "broken", "empty"):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz")
    assert call(run, tmp_path / "scans", "-o", out) == 2
    assert names_in(out) == ["a", "empty"]
    shown = capsys.readouterr()
    assert "broken.nii.gz: this scan cannot be used." in shown.err
    assert "nothing was found" in shown.out
    assert shown.out.endswith("2 of 3 scans done.\n")


def test_label_maps_in_a_folder_are_passed_over(run, out, tmp_path, capsys):
    def reads(request, monitor):
        read_volume(request.input)
        return run(request, monitor)

    mask = np.zeros((3, 4, 5), np.uint8)
    mask[1, 1:3, 1:3] = 1
    named = write_scan(tmp_path / "scans" / "a_mask.nii.gz", mask)
    assert cli.main([str(tmp_path / "scans"), "-o", str(out)], reads) == 2
    assert "nothing in there is a scan" in capsys.readouterr().err
    write_scan(tmp_path / "scans" / "a.nii.gz")
    assert cli.main([str(tmp_path / "scans"), "-o", str(out)], reads) == 0
    assert "Passed over" in capsys.readouterr().err and [path.name for path in out.iterdir()] == ["a"]
    shutil.rmtree(out)
    assert cli.main([str(tmp_path / "scans"), str(named), "-o", str(out)], reads) == 2
    assert "label map or a mask" in capsys.readouterr().err


def test_no_vertebra_is_no_error(run, out, tmp_path):
    assert call(run, write_scan(tmp_path / "empty.nii.gz"), "-o", out) == 0


def test_unexpected_failure_stops_no_other_scan(run, out, tmp_path, capsys):
    scans = [write_scan(tmp_path / f"{name}.nii.gz") for name in ("bug", "broken", "good")]
    assert call(run, *scans, "-o", out) == 1
    assert names_in(out) == ["good"]
    assert "ZeroDivisionError: oops" in capsys.readouterr().err


def test_scans_of_one_name_get_folders_of_their_own(run, out, tmp_path):
    scans = [write_scan(tmp_path / folder / name) for folder, name in (("a", "x.nii.gz"), ("b", "X.nrrd"))]
    assert call(run, *scans, "-o", out) == 0
    assert names_in(out) == ["X_2", "x"]


def test_a_name_that_is_not_utf8_stops_no_other_scan(run, out, tmp_path, capsys):
    for name in ("a.nii.gz", "r\udcfccken.nii.gz", "z.nii.gz"):
        write_scan(tmp_path / "x.nii.gz").rename(tmp_path / name)
    assert call(run, tmp_path, "-o", out) == 0
    assert names_in(out) == ["a", "r_cken", "z"]
    assert call(run, tmp_path / "a.nii.gz", "-o", tmp_path / "\udcfc") == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_missing_scan_beside_a_good_one(run, out, tmp_path, capsys):
    assert call(run, tmp_path / "nowhere.nii.gz", write_scan(tmp_path / "a.nii.gz"), "-o", out) == 2
    assert names_in(out) == ["a"]
    assert "nowhere.nii.gz: there is no such file or folder." in capsys.readouterr().err


def test_a_folder_of_reference_masks(run, out, tmp_path, capsys):
    for name in ("a", "b_0000", "c"):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz")
    masks = [write_scan(tmp_path / "masks" / name) for name in ("a.nrrd", "b.nii.gz")]
    assert call(run, tmp_path / "scans", "-o", out, "--reference", tmp_path / "masks") == 2
    assert [request.reference for request in run.requests] == [str(mask) for mask in masks]
    assert "no reference mask named c" in capsys.readouterr().err


def test_reference_masks_for_a_folder_with_label_maps(run, out, tmp_path, capsys):
    write_scan(tmp_path / "scans" / "a.nii.gz")
    write_scan(tmp_path / "scans" / "a_labels.nii.gz", np.eye(5, dtype=np.uint8)[None])
    mask = write_scan(tmp_path / "masks" / "a.seg.nrrd")
    assert call(run, tmp_path / "scans", "-o", out, "--reference", tmp_path / "masks") == 0
    assert run.requests[0].reference == str(mask) and run.requests[1].reference is None
    write_scan(tmp_path / "masks" / "a.nii.gz")
    assert call(run, tmp_path / "scans", "-o", out, "--reference", tmp_path / "masks") == 2
    assert "masks of one scan" in capsys.readouterr().err


def test_one_mask_for_several_scans_is_refused(run, out, tmp_path, capsys):
    scans = [write_scan(tmp_path / f"{name}.nii.gz") for name in "ab"]
    assert call(run, *scans, "-o", out, "--reference", scans[0]) == 2
    assert not run.requests and not out.exists()
    assert "only one reference mask" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--planes", "sagittal,diagonal"], "planes"),
        (["--device", "gpu"], '"gpu" is not a device'),
        (["--top-level", "C9"], '"C9" is not a vertebral level'),
        (["--threads", "0"], "threads"),
    ],
)
def test_a_wrong_option_is_told_once_for_all_scans(run, out, tmp_path, capsys, options, says):
    scans = [write_scan(tmp_path / f"{name}.nii.gz") for name in "ab"]
    assert call(run, *scans, "-o", out, *options) == 2
    shown = capsys.readouterr()
    assert says in shown.err and shown.err.count("\n") == 1 and not shown.out
    assert not run.requests and not out.exists()


@pytest.mark.parametrize("arguments", [[], ["scan.nii.gz"], ["scan.nii.gz", "-o", "x", "--format", "png"]])
def test_a_wrong_call_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_lists(capsys):
    assert cli.main(["--list-devices"]) == 0
    assert "cpu" in capsys.readouterr().out
    assert cli.main(["--list-models"]) == 0


# --- With real processes and the real pipeline


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A network that calls everything bright a vertebra."""
    return write_package(tmp_path_factory.mktemp("models") / "bright", fields("bright-sagittal", "sagittal"))


def spine_segment(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "SpineInference.app.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60)


def test_help_answers():
    done = spine_segment("--help")
    assert done.returncode == 0 and "--top-level" in done.stdout and "Not for clinical use" in done.stdout


@pytest.mark.parametrize("closed", ["stdout", "stderr", "both"])
@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_batch_goes_on_when_nobody_reads(model, spine, tmp_path, closed):
    """`spine-segment ... | head -1`: the results are files."""
    scans = [spine, shutil.copy(spine, tmp_path / "second.nii.gz")]
    reading, writing = os.pipe()
    os.close(reading)
    streams = {name: writing if closed in (name, "both") else subprocess.PIPE for name in ("stdout", "stderr")}
    command = [sys.executable, "-m", "SpineInference.app.cli", *map(str, scans), "-o", str(tmp_path / "out")]
    process = subprocess.Popen([*command, "--model", str(model), "--no-overview"], text=True, **streams)
    os.close(writing)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in (err or "")
    assert out is None or "2 of 2 scans done." in out
    assert all(list((tmp_path / "out").glob(f"*/{name}_result.json")) for name in ("scan ö", "second"))


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_streams_that_were_never_open():
    command = f"exec {sys.executable} -m SpineInference.app.cli --list-devices >&- 2>&-"
    assert subprocess.run(command, shell=True, timeout=60).returncode == 0


def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(100, 20, (6, 8, 10)).astype(np.float32)


def truncated(folder: Path) -> Path:
    path = write_scan(folder / "truncated.nii.gz", noise())
    path.write_bytes(path.read_bytes()[:600])
    return path


def corrupt(folder: Path) -> Path:
    (folder / "corrupt.nii.gz").write_bytes(b"this is no image" * 100)
    return folder / "corrupt.nii.gz"


def four_dimensional(folder: Path) -> Path:
    image = sitk.JoinSeries([sitk.GetImageFromArray(noise())] * 2)
    sitk.WriteImage(image, folder / "four.nii.gz")
    return folder / "four.nii.gz"


def colours(folder: Path) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(np.stack([noise()] * 3, -1), isVector=True), folder / "vector.nrrd")
    return folder / "vector.nrrd"


def with_nan(folder: Path) -> Path:
    values = noise()
    values[0, 0, 0] = np.nan
    return write_scan(folder / "nan.nii.gz", values)


def constant(folder: Path) -> Path:
    return write_scan(folder / "constant.nii.gz", np.full((4, 5, 6), 7, np.int16))


def empty_folder(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"


def zero_spacing(folder: Path) -> Path:
    header = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nspace: left-posterior-superior\n"
    header += b"space directions: (0,0,0) (0,1,0) (0,0,1)\nencoding: raw\n\n"
    (folder / "zero.nrrd").write_bytes(header + bytes(range(8)))
    return folder / "zero.nrrd"


def sheared(folder: Path) -> Path:
    header = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nspace: left-posterior-superior\n"
    header += b"space directions: (1,0,0) (0.5,1,0) (0,0,1)\nencoding: raw\n\n"
    (folder / "sheared.nrrd").write_bytes(header + bytes(range(8)))
    return folder / "sheared.nrrd"


BAD = [truncated, corrupt, four_dimensional, colours, with_nan, constant, empty_folder, zero_spacing, sheared]


def test_bad_scans_get_a_sentence_and_no_file(model, tmp_path):
    """All in one call: that also shows that none of them stops the others."""
    scans = []
    for make in BAD:
        folder = tmp_path / "scans" / make.__name__
        folder.mkdir(parents=True)
        scans.append(make(folder))
    before = sorted(tmp_path.rglob("*"))
    done = spine_segment(*scans, "-o", tmp_path / "out", "--model", model, "--quiet")
    assert done.returncode == 2
    sentences = done.stderr.splitlines()
    for scan in scans:
        assert [str(scan) in sentence for sentence in sentences].count(True) == 1, done.stderr
    assert len(sentences) == len(scans) and "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_unwritable_output_and_unknown_model(model, tmp_path):
    scan = write_scan(tmp_path / "scan.nii.gz", noise())
    for arguments in (["-o", scan, "--model", model], ["-o", tmp_path / "out", "--model", "no-such-model"]):
        done = spine_segment(scan, *arguments, "--quiet")
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr
    assert names_in(tmp_path) == ["scan.nii.gz"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_with_130_and_leaves_nothing(tmp_path, number):
    scan = write_scan(tmp_path / "scan.nii.gz")
    script = f"""
import sys, time
from pathlib import Path
from SpineInference.app import cli
from SpineInference.files.result_folder import result_folder

def run(request, monitor):
    with result_folder(Path(request.output)) as folder:
        print("working", file=sys.stderr, flush=True)
        for step in range(10**9):
            monitor.check()
            (folder / "file").write_text("x")
            time.sleep(0.01)

sys.exit(cli.main([{str(scan)!r}, {str(scan)!r}, "-o", {str(tmp_path / "out")!r}], run))
"""
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "working\n"
    process.send_signal(number)
    assert process.wait(10) == 130
    assert process.stderr.read().endswith("Cancelled.\n")
    assert names_in(tmp_path) == ["scan.nii.gz"]


@pytest.fixture
def spine(tmp_path: Path) -> Path:
    """Three bright blocks one above the other in grey tissue, in a folder with a name that is not ASCII."""
    array = np.full((80, 48, 40), 100.0)
    for number in range(3):
        array[4 + 26 * number : 22 + 26 * number, 12:36, 8:32] = 300
    array += np.random.default_rng(0).normal(0, 5, array.shape)
    array[:, :4] = 0  # air
    scan, mask = sitk.GetImageFromArray(array.astype(np.int16)), sitk.GetImageFromArray((array > 200).astype(np.uint8))
    folder = tmp_path / "Wirbelsäule 脊椎"
    folder.mkdir()
    for image, name in ((scan, "scan ö.nii.gz"), (mask, "mask.nrrd")):
        image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
        sitk.WriteImage(image, folder / name)
    return folder / "scan ö.nii.gz"


def test_the_whole_way_from_a_scan_to_the_files(model, spine, tmp_path, capsys):
    out = tmp_path / "Ergebnisse ß"
    arguments = [spine, "-o", out, "--model", model, "--bottom-level", "L5", "--reference", spine.parent / "mask.nrrd"]
    arguments += ["--points", "--report"]
    done = spine_segment(*arguments, "--device", "cpu", "--threads", 1)
    assert done.returncode == 0, done.stderr
    assert "3 vertebral bodies (L3 to L5)" in done.stdout
    folder = out / "scan ö"
    measures = ("_morphometry.csv", "_morphometry.json", "_centres.mrk.json")
    measures += ("_disc_points.mrk.json", "_disc_points.nii.gz", "_report.html", "_thumbnail.jpg")
    pictures = ("_overview.png", "_morphometry.png")
    kinds = ("_labels.nii.gz", ".seg.nrrd", "_measurements.csv", "_result.json", *measures, *pictures)
    assert names_in(folder) == sorted(f"scan ö{kind}" for kind in kinds)

    labels, scan = sitk.ReadImage(folder / "scan ö_labels.nii.gz"), sitk.ReadImage(spine)
    assert sorted(np.unique(sitk.GetArrayViewFromImage(labels))) == [0, 22, 23, 24]
    assert labels.GetSize() == scan.GetSize() and labels.GetDirection() == scan.GetDirection()
    segmentation = sitk.ReadImage(folder / "scan ö.seg.nrrd")
    assert {segmentation.GetMetaData(f"Segment{n}_Name") for n in range(3)} == {"L3", "L4", "L5"}
    points = json.loads((folder / "scan ö_disc_points.mrk.json").read_text("utf-8"))["markups"][0]["controlPoints"]
    assert [(point["label"], "corners of the bodies" in point["description"]) for point in points] == [
        ("L3-L4", True),
        ("L4-L5", True),
    ]
    tips = sitk.ReadImage(folder / "scan ö_disc_points.nii.gz")
    assert tips[tips.TransformPhysicalPointToIndex(points[0]["position"])] == 23
    rows = list(csv.DictReader((folder / "scan ö_measurements.csv").open(encoding="utf-8")))
    assert [row["level"] for row in rows] == ["L3", "L4", "L5"]

    record = read_record(folder / "scan ö_result.json")
    assert (record.request.input, record.request.options.model) == (str(spine), str(model))
    assert [segment.name for segment in record.segments] == ["L3", "L4", "L5"]
    assert record.measurements["reference"]["dice"] > 0.9
    assert record.models == ["bright-sagittal"] and record.device.used == "cpu"
    assert record.seconds["reading"] > 0 and record.versions["SpineSegmentation"]
    assert set(record.files) == set(record.contents.values()) == set(names_in(folder)) - {"scan ö_result.json"}

    # The same again replaces the result, unless somebody has corrected it by hand.
    assert call(None, *arguments, "--no-overview", "--format", "nrrd", "-q") == 0
    assert names_in(folder) == sorted(
        f"scan ö{kind}" for kind in ("_labels.nrrd", ".seg.nrrd", "_measurements.csv", "_result.json", *measures)
    )
    (folder / "scan ö.seg.nrrd").write_bytes(b"corrected by hand")
    assert call(None, *arguments) == 2
    assert "scan ö.seg.nrrd" in capsys.readouterr().err
    assert (folder / "scan ö.seg.nrrd").read_bytes() == b"corrected by hand"


def test_a_structured_report_needs_a_dicom_series(model, spine, tmp_path, capsys):
    assert call(None, spine, "-o", tmp_path / "out", "--model", model, "--sr", "--device", "cpu") == 2
    assert "belongs to a DICOM series" in capsys.readouterr().err and names_in(tmp_path / "out") == []


def test_the_worker_with_the_real_pipeline(model, spine, tmp_path):
    """Two requests to one worker; the second finds the network open."""
    command = [sys.executable, "-m", "SpineInference.app.worker", "--keep-alive"]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for number in range(2):
        options = SegmentationOptions(str(model), device="cpu", threads=1)
        request = Request(str(spine), str(tmp_path / f"{number}"), options, overview=False)
        worker.stdin.write(to_json(request) + "\n")
        worker.stdin.flush()
        events = []
        while not events or events[-1]["event"] not in ("result", "error"):
            events.append(json.loads(worker.stdout.readline()))
        assert events[-1]["event"] == "result", events[-1]
        record = read_record(events[-1]["record"])
        assert [segment.name for segment in record.segments] == ["Vertebra 1", "Vertebra 2", "Vertebra 3"]
        assert all((tmp_path / f"{number}" / name).is_file() for name in record.contents.values())
        stages = [event["stage"] for event in events if event["event"] == "progress"]
        assert stages[0] == "reading" and stages[-1] == "writing" and "network" in stages
    worker.stdin.close()
    assert worker.wait(20) == 0
    assert names_in(tmp_path) == ["0", "1", "Wirbelsäule 脊椎"]


def test_model_replaced_under_a_warm_worker(spine, tmp_path):
    """The next scan is computed by the model that now lies there, not by the one that is still open."""
    runner, place = Runner(), tmp_path / "model"
    found = []
    for number, network in enumerate((onnx_model(), onnx_model(weight=0.0, offset=-9.0))):
        shutil.rmtree(place, ignore_errors=True)
        files = contents() | {"model.onnx": network.SerializeToString()}
        write_package(place, fields("bright-sagittal", "sagittal"), files)
        options = SegmentationOptions(str(place), device="cpu", threads=1)
        written = runner.run(Request(str(spine), str(tmp_path / f"{number}"), options, overview=False), Monitor())
        found.append(len(written.record.segments))
    assert found == [3, 0]


def test_line_about_a_scan_names_other_structures():
    bodies = [LEVELS["L4"], LEVELS["L5"]]
    canal = Segment(33, "Spinal canal", (1, 2, 3), "1", "x", is_vertebra=False)
    assert cli._found([]) == "nothing was found"
    assert cli._found([*bodies, canal]) == "2 vertebral bodies (L4 to L5), Spinal canal"
    assert cli._found([bodies[0]]) == "1 vertebral body (L4)"
    discs = [
        Segment(n, f"Disc {n}", (1, 2, 3), "360499006", "Intervertebral disc", is_vertebra=False) for n in (122, 123)
    ]
    assert cli._found([*bodies, *discs, canal]) == "2 vertebral bodies (L4 to L5), 2 discs, Spinal canal"
    assert cli._found([bodies[0], discs[0]]) == "1 vertebral body (L4), Disc 122"
