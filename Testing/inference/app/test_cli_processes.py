"""The command line and the worker as processes of their own, with the real pipeline: streams, signals, files."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, names_in, spine_segment, write_scan
from small_packages import contents, fields, onnx_model, write_package

from SpineInference.app.record import read_record
from SpineInference.app.requests import Request, to_json
from SpineInference.app.runner import Runner
from SpineInference.monitor import Monitor
from SpineInference.options import SegmentationOptions


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
