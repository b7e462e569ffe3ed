"""The demonstration: plain results everywhere, the scene for 3D Slicer where its core is installed."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.anatomy import LEVELS
from SpineInference.app.record import read_record
from SpineInference.app.requests import Request
from SpineInference.errors import SpineError

WITHOUT_SLICER_CORE = """
import importlib.util as imports, sys
find = imports.find_spec
imports.find_spec = lambda name, *rest: None if name == "slicer" else find(name, *rest)
import demo
sys.exit(demo.main())
"""


@pytest.fixture(scope="module")
def without_slicer_core(project, tmp_path_factory) -> tuple[Path, str]:
    """What the demonstration leaves where slicer-core is not installed, and what it says."""
    output = tmp_path_factory.mktemp("demo") / "output"
    command = [sys.executable, "-c", WITHOUT_SLICER_CORE, "-o", str(output)]
    done = subprocess.run(
        command, cwd=project / "Testing" / "demo", capture_output=True, text=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr
    return output, done.stdout


@pytest.mark.slow
def test_sample_without_slicer_core(without_slicer_core):
    output, said = without_slicer_core
    bodies = re.findall(r"^([TLS]\d+) .* ([TLS]\d+) +(0\.\d+)$", said, re.MULTILINE)
    assert [name for name, _, _ in bodies] == ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert all(name == truth and float(dice) > 0.85 for name, truth, dice in bodies)
    assert "No scene for 3D Slicer (.mrb): that needs slicer-core" in said
    names = {path.name for path in output.rglob("*") if path.is_file()}
    assert names >= {"SpinePhantom.seg.nrrd", "SpinePhantom_measurements.csv", "SpinePhantom_overview.png"}
    assert not names & {"scene.mrb", "scene.png"}


@pytest.mark.slow
def test_sample_with_slicer_core(scene, without_slicer_core, tmp_path):
    from scene_output import write_scene

    folder = without_slicer_core[0] / "SpinePhantom"
    written = write_scene(read_record(folder / "SpinePhantom_result.json"), folder, tmp_path)
    assert written["scene for 3D Slicer"] == tmp_path / "scene.mrb"
    assert all(path.stat().st_size > 10_000 for path in written.values())


def test_error_of_the_worker_is_raised(tmp_path):
    from worker_process import run_worker

    events = []
    with pytest.raises(SpineError, match=r"nothing\.nii does not exist"):
        run_worker(Request(input=str(tmp_path / "nothing.nii"), output=str(tmp_path / "out")), events.append)
    assert events == []


def test_the_saved_scene_holds_everything(scene, tmp_path):
    import zipfile

    from scene_output import save_scene

    from SpineSegmentationLib.scene.results.MeasurementTable import addMeasurementTable
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import addSegmentation
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume

    labels = sitk.GetImageFromArray(np.full((4, 5, 6), LEVELS["L3"].label, np.uint8))
    volumeNode = addVolume(sitk.Cast(labels, sitk.sitkInt16), "scan")
    segmentationNode = addSegmentation(labels, [LEVELS["L3"]], volumeNode, "bodies")
    addMeasurementTable([{"level": "L3"}], segmentationNode, "measurements")
    save_scene(tmp_path / "scene.mrb")
    zipfile.ZipFile(tmp_path / "scene.mrb").extractall(tmp_path)

    scene.Clear(True)
    scene.SetURL(str(next(tmp_path.glob("*/*.mrml"))))
    assert scene.Connect()
    segmentationNode = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    segment = segmentationNode.GetSegmentation().GetNthSegment(0)
    assert (segment.GetName(), segment.GetLabelValue()) == ("L3", LEVELS["L3"].label)
    source = segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())
    assert source.GetImageData().GetDimensions() == (6, 5, 4)
    assert scene.GetFirstNodeByClass("vtkMRMLTableNode").GetTable().GetValue(0, 0).ToString() == "L3"
