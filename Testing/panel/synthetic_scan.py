"""A scan for the small model of the panel tests, and helpers that look into the scene."""

import numpy as np


def addScan(name: str = "scan"):
    """Three bright cylinders in tissue with air around, 40 x 40 x 96 voxels of 1 mm, first voxel left, front, top."""
    import slicer

    down, back, left = np.ogrid[:96, :40, :40]
    radius = np.hypot(back - 20, left - 20) + 0 * down
    array = np.where(radius > 19, 0, np.where((radius < 12) & (down % 32 >= 6) & (down % 32 < 26), 600, 300))
    array = array + np.random.default_rng(0).normal(0, 5, array.shape)
    matrix = np.array([[-1, 0, 0, 20], [0, -1, 0, 20], [0, 0, -1, 48], [0, 0, 0, 1]], float)
    return slicer.util.addVolumeFromArray(array.astype(np.int16), ijkToRAS=matrix, name=name)


def resultNodes() -> int:
    """How many nodes there are that only a result brings."""
    import slicer

    names = ("Segmentation", "SegmentationDisplay", "Table", "PlotChart", "PlotSeries", "LabelMapVolume")
    return sum(slicer.mrmlScene.GetNumberOfNodesByClass(f"vtkMRML{name}Node") for name in names)


def segmentNames(segmentationNode) -> list[str]:
    segmentation = segmentationNode.GetSegmentation()
    return [segmentation.GetNthSegment(index).GetName() for index in range(segmentation.GetNumberOfSegments())]
