"""Scene tests run on slicer-core: the real MRML scene, without the application."""

import sys
from pathlib import Path

import pytest

TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTING), str(TESTING / "demo"), str(TESTING.parent / "SpineSegmentation")]


@pytest.fixture
def scene():
    """A new, empty scene as `slicer.mrmlScene`, cleared at the end."""
    pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")
    from SlicerHost.core import startScene

    scene = startScene()
    yield scene
    scene.Clear(True)


@pytest.fixture
def lib(scene):
    """The functions of the module's library that tests of results call most."""
    from SpineSegmentationLib.scene.results import MeasurementTable, ResultImport, SegmentShapes
    from SpineSegmentationLib.scene.segmentations import SegmentationLabels
    from SpineSegmentationLib.scene.volumes import VolumeExchange

    class Lib:
        addVolume = staticmethod(VolumeExchange.addVolume)
        importResult = staticmethod(ResultImport.importResult)
        measurementsOf = staticmethod(MeasurementTable.measurementsOf)
        centreOf = staticmethod(MeasurementTable.centreOf)
        isUpToDate = staticmethod(SegmentShapes.isUpToDate)
        labelsOfReference = staticmethod(SegmentationLabels.labelsOfReference)
        labelsOfSegmentation = staticmethod(SegmentationLabels.labelsOfSegmentation)

    return Lib
