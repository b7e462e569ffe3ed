"""Without a main window: a script segments the sample scan and waits, and the command line finds the same voxels."""

import os
import subprocess
import sys

import numpy as np
import SimpleITK as sitk
import slicer
from session import arguments, label_array, run, segment_names


def steps(facts):
    yield 0.5
    from SpineInference.options import SegmentationOptions
    from SpineSegmentation import SpineSegmentationLogic
    from SpineSegmentationLib.scene.SampleScan import SCAN, TOP_LEVEL, loadSampleScan, loadSampleTruth

    assert slicer.util.mainWindow() is None
    volumeNode = loadSampleScan()
    logic = SpineSegmentationLogic()
    result = logic.segment(volumeNode, SegmentationOptions(top_level=TOP_LEVEL))
    facts["bodies"] = segment_names(result.segmentationNode)
    assert result.tableNode.GetNumberOfRows() == len(facts["bodies"])
    again = logic.measure(result.tableNode, loadSampleTruth(volumeNode))
    assert again.GetNumberOfRows() == len(facts["bodies"]) and "All together: Dice 0.9" in again.GetDescription()

    folder = arguments()["folder"]
    module = os.path.dirname(os.path.abspath(slicer.modules.spinesegmentation.path))
    # The worker's own interpreter and packages, as a person's shell would start it. By paths as short as can be:
    # Slicer's launcher writes beyond the end of arguments that are not ASCII, and long ones end it.
    scan, results = os.path.relpath(SCAN.path, module), os.path.relpath(folder, module)
    command = [sys.executable, "-m", "SpineInference.app.cli", scan, "-o", results]
    subprocess.run([*command, "--top-level", TOP_LEVEL, "--no-overview", "--quiet"], cwd=module, check=True)
    [labels] = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names if "_labels" in name]
    by_command_line = sitk.GetArrayFromImage(sitk.ReadImage(labels))
    difference = int((by_command_line != label_array(result.segmentationNode, volumeNode)).sum())
    facts["voxels that differ from spine-segment"] = difference
    assert np.unique(by_command_line).size > 6 and difference == 0


run(steps, arguments()["report"])
