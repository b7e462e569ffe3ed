"""One press of Segment on a real scene with the real worker: the result comes in whole, or nothing does."""

import sys
import tempfile
from pathlib import Path

import fake_qt
import numpy as np
import pytest

from SpineInference.errors import Cancelled, SpineError

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


class Press:
    """A run and what it has told."""

    def __init__(self):
        from SpineSegmentationLib.SegmentationRun import SegmentationRun

        self.progress, self.text, self.ends = [], [], []
        self.run = SegmentationRun(self.progress.append, self.text.append, lambda *end: self.ends.append(end))

    def wait(self):
        self.run.wait()
        [(segmentationNode, error)] = self.ends
        return segmentationNode, error


@pytest.fixture
def press(scene, monkeypatch, tmp_path) -> Press:
    monkeypatch.setitem(sys.modules, "qt", fake_qt)
    for name in ("WorkerProcess", "SegmentationRun"):  # they hold on to the `qt` they were imported with
        monkeypatch.delitem(sys.modules, f"SpineSegmentationLib.{name}", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Press()


@pytest.fixture
def bright(project, tmp_path_factory, monkeypatch) -> str:
    """The path of a model that calls everything bright a vertebral body."""
    monkeypatch.syspath_prepend(project / "Testing" / "inference")
    from small_packages import fields, write_package

    folder = tmp_path_factory.mktemp("models") / "bright"
    write_package(folder / "sagittal", fields("bright-sagittal", "sagittal"))
    return str(folder)


def addScan():
    """Three bright cylinders in tissue with air around, 40 x 40 x 96 voxels of 1 mm, first voxel left, front, top."""
    down, back, left = np.ogrid[:96, :40, :40]
    radius = np.hypot(back - 20, left - 20) + 0 * down
    array = np.where(radius > 19, 0, np.where((radius < 12) & (down % 32 >= 6) & (down % 32 < 26), 600, 300))
    array = array + np.random.default_rng(0).normal(0, 5, array.shape)
    matrix = np.array([[-1, 0, 0, 20], [0, -1, 0, 20], [0, 0, -1, 48], [0, 0, 0, 1]], float)
    return slicer.util.addVolumeFromArray(array.astype(np.int16), ijkToRAS=matrix, name="scan")


def nodeCounts() -> tuple[int, int]:
    return tuple(
        slicer.mrmlScene.GetNumberOfNodesByClass(name) for name in ("vtkMRMLSegmentationNode", "vtkMRMLTableNode")
    )


def test_result_comes_into_the_scene_and_no_file_stays(press, bright, tmp_path):
    volumeNode = addScan()
    press.run.start(volumeNode, model=bright, top_level="L1", device="cpu", threads=1)
    segmentationNode, error = press.wait()
    assert error is None
    segmentation = segmentationNode.GetSegmentation()
    names = [segmentation.GetNthSegment(i).GetName() for i in range(segmentation.GetNumberOfSegments())]
    assert names == ["L1", "L2", "L3"]
    assert segmentationNode.GetNodeReference("referenceImageGeometryRef") == volumeNode
    assert nodeCounts() == (1, 1)
    stages = {event["stage"] for event in press.progress}
    assert {"reading", "network", "writing"} <= stages
    assert not list(tmp_path.glob("SpineSegmentation-*"))


def test_a_volume_removed_meanwhile_gets_a_sentence(press, bright):
    volumeNode = addScan()
    press.run.start(volumeNode, model=bright, device="cpu", threads=1)
    slicer.mrmlScene.RemoveNode(volumeNode)
    segmentationNode, error = press.wait()
    assert segmentationNode is None
    assert isinstance(error, SpineError)
    assert "removed from the scene" in str(error)
    assert nodeCounts() == (0, 0)


def test_cancel_leaves_neither_nodes_nor_files_nor_news(press, bright, tmp_path):
    press.run.start(addScan(), model=bright, device="cpu")
    press.run.cancel()
    segmentationNode, error = press.wait()
    assert segmentationNode is None
    assert isinstance(error, Cancelled)
    assert nodeCounts() == (0, 0)
    assert not press.progress
    assert not list(tmp_path.glob("SpineSegmentation-*"))


def test_the_workers_sentence_arrives(press):
    press.run.start(addScan(), model="no-such-model", device="cpu")
    segmentationNode, error = press.wait()
    assert segmentationNode is None
    assert isinstance(error, SpineError)
    assert "no-such-model" in str(error)


def test_a_volume_without_voxels_starts_nothing(press):
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    with pytest.raises(SpineError, match="no voxels"):
        press.run.start(empty)


def test_a_python_that_cannot_be_started_ends_the_run(press, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing python"))
    press.run.start(addScan())
    [(segmentationNode, error)] = press.ends
    assert segmentationNode is None
    assert isinstance(error, SpineError)
    assert any("missing python" in line for line in press.text)
    assert not Path(press.run._folder.name).exists()
