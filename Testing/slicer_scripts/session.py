"""What a person does in Slicer, as a generator of waits: it runs from a timer inside Slicer's own event loop.

Nothing here blocks, so the application is as free or as busy as it is for a person. Every script of this folder gets
its arguments as one JSON object, calls `run`, and leaves a report in JSON: the facts it has found and, after a
failure, the traceback. The exit code of Slicer is 0 or 1.
"""

import json
import os
import sys
import time
import traceback

import qt
import slicer

WAIT_S = 300.0
PAUSE_SCALE = 1.0
"""Pauses let Slicer draw; where nothing is drawn they may be shorter."""


def arguments() -> dict:
    """What `run_in_slicer.py` has passed on: the last argument of the command line."""
    return json.loads(sys.argv[-1])


def run(steps, report: str) -> None:
    """Carry out `steps(facts)`, write the report, and leave Slicer.

    `steps` is a generator: it yields seconds to wait, or a pair of words and a condition to wait for.
    """
    facts: dict = {}
    slicer.spineSegmentationSession = _Session(steps(facts), facts, report)  # kept alive


class _Session:
    def __init__(self, steps, facts: dict, report: str):
        self._steps, self._facts, self._report = steps, facts, report
        self._words, self._condition, self._deadline = "", lambda: True, time.monotonic() + WAIT_S
        self._timer = qt.QTimer()
        self._timer.setInterval(20)
        self._timer.connect("timeout()", self._advance)
        self._timer.start()

    def _advance(self) -> None:
        try:
            if not self._condition():
                if time.monotonic() > self._deadline:
                    raise AssertionError(f"waited {WAIT_S:.0f} s in vain for: {self._words}")
                return
            wait = next(self._steps)
            if isinstance(wait, (int, float)):
                end = time.monotonic() + wait * PAUSE_SCALE
                wait = (f"{wait} s", lambda: time.monotonic() >= end)
            self._words, self._condition = wait
            self._deadline = time.monotonic() + WAIT_S
        except StopIteration:
            self._end(None)
        except BaseException:
            self._end(traceback.format_exc())

    def _end(self, failure) -> None:
        self._timer.stop()
        if failure:
            print(failure, file=sys.stderr)
            if slicer.util.mainWindow():
                slicer.util.mainWindow().grab().save(os.path.splitext(self._report)[0] + "-failure.png")
        with open(self._report, "w", encoding="utf-8") as file:
            json.dump({"facts": self._facts, "failure": failure}, file, indent=1)
        slicer.util.exit(1 if failure else 0)


class StallProbe:
    """The longest time for which the event loop did not turn: a timer of 10 ms that looks at the clock.

    `busiest_ms` is the most that the window's own thread computed between two looks: that of a machine with nothing
    else to do.
    """

    def __init__(self):
        self._timer = qt.QTimer()
        self._timer.setInterval(10)
        self._timer.connect("timeout()", self._tick)
        self.reset()
        self._timer.start()

    def reset(self) -> None:
        self._last, self.longest_ms = time.perf_counter(), 0.0
        self._computed, self.busiest_ms = time.thread_time(), 0.0

    def __str__(self) -> str:
        return f"{self.longest_ms:.0f} ({self.busiest_ms:.0f} computing)"

    def _tick(self) -> None:
        now, computed = time.perf_counter(), time.thread_time()
        self.longest_ms = max(self.longest_ms, 1000 * (now - self._last))
        self.busiest_ms = max(self.busiest_ms, 1000 * (computed - self._computed))
        self._last, self._computed = now, computed


def panel():
    """The widget of the module."""
    return slicer.modules.spinesegmentation.widgetRepresentation().self()


def nodes(kind: str) -> list:
    """The nodes of a class, such as "vtkMRMLSegmentationNode", in a list that Python owns."""
    return list(slicer.util.getNodesByClass(kind))


def shown_scans() -> set:
    """The names of the scans in the background of the slice views."""
    layout = slicer.app.layoutManager()
    views = [layout.sliceWidget(name).sliceLogic().GetSliceCompositeNode() for name in layout.sliceViewNames()]
    shown = [slicer.mrmlScene.GetNodeByID(view.GetBackgroundVolumeID() or "") for view in views]
    return {node.GetName() if node else None for node in shown}


def visible_segmentations() -> list:
    return [node for node in nodes("vtkMRMLSegmentationNode") if node.GetDisplayVisibility()]


def segmentation_of(volumeNode):
    """The only segmentation of a scan."""
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    [found] = [each for each in nodes("vtkMRMLSegmentationNode") if each.GetNodeReference(role) is volumeNode]
    return found


def body_names(segmentationNode) -> list:
    """The names of the vertebral bodies, in their order."""
    from SpineInference.anatomy import LEVELS

    return [name for name in segment_names(segmentationNode) if name in LEVELS or name.startswith("Vertebra ")]


def segment_names(segmentationNode) -> list:
    """The names of the segments, in their order."""
    segmentation = segmentationNode.GetSegmentation()
    return [segmentation.GetNthSegment(i).GetName() for i in range(segmentation.GetNumberOfSegments())]


def label_array(segmentationNode, volumeNode):
    """The segments as one array [k, j, i] of the volume's grid, with their label values."""
    import vtk

    logic = slicer.modules.segmentations.logic()
    there = set(_all_nodes())
    labelmapNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    colorNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode")
    try:
        segmentation = segmentationNode.GetSegmentation()
        values = [segmentation.GetNthSegment(i).GetLabelValue() for i in range(segmentation.GetNumberOfSegments())]
        colorNode.SetTypeToUser()
        colorNode.SetNamesInitialised(True)
        colorNode.SetNumberOfColors(max(values) + 1)
        for value, name in zip(values, segment_names(segmentationNode), strict=True):
            colorNode.SetColor(value, name, 1.0, 1.0, 1.0, 1.0)
        ids = vtk.vtkStringArray()
        segmentation.GetSegmentIDs(ids)
        extent = slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY
        logic.ExportSegmentsToLabelmapNode(segmentationNode, ids, labelmapNode, volumeNode, extent, colorNode)
        return slicer.util.arrayFromVolume(labelmapNode).copy()
    finally:
        for node in [node for node in _all_nodes() if node not in there]:  # the export makes display nodes, too
            if slicer.mrmlScene.IsNodePresent(node):  # some go with the node that they belong to
                slicer.mrmlScene.RemoveNode(node)


def _all_nodes() -> list:
    return [slicer.mrmlScene.GetNthNode(i) for i in range(slicer.mrmlScene.GetNumberOfNodes())]
