"""The self-test of the module: the real worker on a synthetic spine, in the scene of a running Slicer.

SpineSegmentation.py, where Slicer looks for the class SpineSegmentationTest, derives it from the one here. Segmenting
needs OpenVINO or onnxruntime: press Segment once to install one.
"""

import importlib.util
import time

import numpy as np
import slicer
import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from SpineInference.anatomy import LEVELS
from SpineInference.errors import Cancelled, SpineError
from SpineInference.options import SegmentationOptions


class SelfTest(ScriptedLoadableModuleTest):
    """Runs through what a radiologist does with a scan, and through what can go wrong.

    `logicClass` is the logic under test.
    """

    logicClass: type

    def setUp(self):
        slicer.mrmlScene.Clear()
        self.log = []
        self.logic = self.logicClass()

    def tearDown(self):
        self.logic.close()

    def test_segment_name_and_measure(self):
        self._needEngine()
        volumeNode = self._addVolume(_syntheticSpine())
        progress = []
        result = self._segment(volumeNode, topLevel="T6", onProgress=progress.append)
        segmentation = result.segmentationNode.GetSegmentation()
        segments = [segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments())]
        segments = [segment for segment in segments if segment.GetName() in LEVELS]  # beside them are discs and canal
        names = [segment.GetName() for segment in segments]
        first = list(LEVELS).index("T6")
        self.assertGreaterEqual(len(names), 4)  # there are six, two of them cut off
        self.assertEqual(names, list(LEVELS)[first : first + len(names)])
        for segment in segments:
            self.assertEqual(segment.GetLabelValue(), LEVELS[segment.GetName()].label)
            self.assertIn(LEVELS[segment.GetName()].code, _terminologyOf(segment))
        self.assertIn("network", {event["stage"] for event in progress})

        role = result.segmentationNode.GetReferenceImageGeometryReferenceRole()
        self.assertEqual(result.segmentationNode.GetNodeReference(role), volumeNode)
        table = result.tableNode.GetTable()
        levels = [table.GetColumnByName("level").GetValue(row) for row in range(table.GetNumberOfRows())]
        self.assertEqual([level for level in levels if level in LEVELS], names)
        self.assertGreaterEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode"), 1)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode"), 0)
        self._checkVoxels(result, volumeNode)

    def test_reference_and_chosen_output(self):
        self._needEngine()
        volumeNode = self._addVolume(_syntheticSpine())
        chosen = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "chosen")
        chosen.GetSegmentation().AddEmptySegment("drawn", "drawn by hand")
        first = self._segment(volumeNode, planes=("sagittal",))
        charts = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode")
        second = self._segment(
            volumeNode,
            planes=("sagittal",),
            referenceSegmentation=first.segmentationNode,
            outputSegmentation=chosen,
        )
        dice = second.tableNode.GetTable().GetColumnByName("dice")
        count = first.segmentationNode.GetSegmentation().GetNumberOfSegments()
        self.assertEqual([dice.GetValue(row) for row in range(dice.GetNumberOfTuples())], [1] * count)
        # Those of the second result, and one of its agreement.
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode"), 2 * charts + 1)
        self.assertEqual(second.segmentationNode, chosen)
        self.assertEqual(chosen.GetSegmentation().GetNumberOfSegments(), count)
        second.replacement.swap()
        self.assertEqual(chosen.GetSegmentation().GetNthSegment(0).GetName(), "drawn by hand")

    def test_constant_volume_is_refused(self):
        volumeNode = self._addVolume(np.full((20, 30, 20), 7, np.int16))
        with self.assertRaisesRegex(SpineError, "same value|constant"):
            self._segment(volumeNode)
        self._checkNoResultNodes()

    def test_noise_gives_an_empty_result(self):
        self._needEngine()
        noise = np.random.default_rng(1).normal(100, 10, (40, 60, 50)).astype(np.int16)
        result = self._segment(self._addVolume(noise))
        self.assertIsNone(result.segmentationNode)
        self.assertTrue(result.notes)
        self._checkNoResultNodes()

    def test_cancel_leaves_the_scene_unchanged(self):
        ends = self._startRun()
        self.logic.cancel()
        self._waitFor(lambda: not self.logic.isRunning)
        self.assertEqual(len(ends), 1)
        self.assertIsInstance(ends[0][1], Cancelled)
        self._checkNoResultNodes()

    def test_closing_the_scene_cancels(self):
        ends = self._startRun()
        slicer.mrmlScene.Clear()
        self._waitFor(lambda: not self.logic.isRunning)
        self.assertIsInstance(ends[0][1], Cancelled)
        self._checkNoResultNodes()

    def test_removing_the_volume_ends_the_run(self):
        ends = self._startRun()
        slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"))
        self._waitFor(lambda: not self.logic.isRunning)
        self.assertIn("removed from the scene", str(ends[0][1]))
        self._checkNoResultNodes()

    # --- helpers ---

    def _segment(self, volumeNode, topLevel=None, planes=None, **choices):
        options = SegmentationOptions(top_level=topLevel, planes=planes, device="cpu")
        return self.logic.segment(volumeNode, options, onText=self.log.append, **choices)

    def _startRun(self):
        """Segment without waiting; the list that gets what `onEnd` is called with."""
        ends = []
        volumeNode = self._addVolume(_syntheticSpine())
        self.logic.segment(volumeNode, wait=False, onText=self.log.append, onEnd=lambda *end: ends.append(end))
        self.assertTrue(self.logic.isRunning)
        return ends

    def _waitFor(self, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            slicer.app.processEvents()
            time.sleep(0.01)
        self.assertTrue(condition())

    def _needEngine(self):
        if not any(importlib.util.find_spec(engine) for engine in ("openvino", "onnxruntime")):
            self.skipTest("neither OpenVINO nor onnxruntime is installed: press Segment once")

    def _checkNoResultNodes(self):
        for className in ("vtkMRMLSegmentationNode", "vtkMRMLTableNode", "vtkMRMLLabelMapVolumeNode"):
            self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass(className), 0)

    def _checkVoxels(self, result, volumeNode):
        """Every body lies where the table says, and holds as much as it says."""
        for row, segmentId in enumerate(result.segmentationNode.GetSegmentation().GetSegmentIDs()):
            voxels = slicer.util.arrayFromSegmentBinaryLabelmap(result.segmentationNode, segmentId, volumeNode)
            volume = result.tableNode.GetTable().GetColumnByName("volume_mm3").GetValue(row)
            self.assertAlmostEqual(np.count_nonzero(voxels), volume, delta=1)

    def _addVolume(self, array):
        # Array axes: top to bottom, front to back, right to left, in voxels of 1 mm.
        ijkToRas = np.array([[-1, 0, 0, 45], [0, -1, 0, 75], [0, 0, -1, 110], [0, 0, 0, 1]], float)
        return slicer.util.addVolumeFromArray(array, ijkToRAS=ijkToRas, name="scan")


def _terminologyOf(segment):
    value = vtk.reference("")
    segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), value)
    return str(value)


def _syntheticSpine():
    """A simple T1-like spine, int16 [220, 150, 90] in voxels of 1 mm: bodies brighter than discs and muscle, in fat."""
    from scipy.ndimage import gaussian_filter

    down, back, left = np.ogrid[:220, :150, :90]
    array = np.full((220, 150, 90), 90.0)
    array[:, :25] = array[:, 130:] = 220  # fat under the skin
    array[:, :12] = array[:, 142:] = 5  # air
    column = (((back - 70) / 17) ** 2 + ((left - 45) / 23) ** 2 < 1) & (down >= 0)
    array[column] = 50
    array[column & ((down + 18) % 37 >= 9)] = 170
    array[(((back - 97) / 8) ** 2 + ((left - 45) / 9) ** 2 < 1) & (down >= 0)] = 25  # spinal fluid
    noise = np.random.default_rng(1).normal(0, 4, array.shape)
    return (gaussian_filter(array, 0.7) + noise).clip(0).astype(np.int16)
