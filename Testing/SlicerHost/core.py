"""A real MRML scene without the Slicer application: module logics of slicer-core where Slicer's Python expects them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import slicer
import vtk

from . import i18n

sys.modules.setdefault("slicer.i18n", i18n)  # which slicer-core lacks

_LOGICS = {
    "terminologies": "vtkSlicerTerminologiesModuleLogic",
    "volumes": "vtkSlicerVolumesLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "tables": "vtkSlicerTablesLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
}


def startScene() -> "slicer.vtkMRMLScene":
    """Make an empty scene with its module logics, as `slicer.mrmlScene` and `slicer.modules.<name>.logic()`."""
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())
    colours = application.GetColorLogic()
    colours.SetMRMLScene(scene)
    colours.AddDefaultColorNodes()

    modules = SimpleNamespace()
    for name, className in _LOGICS.items():
        logic = getattr(slicer, className)()
        with quiet():  # Slicer's own terminologies are not in slicer-core
            logic.SetMRMLScene(scene)
        logic.SetMRMLApplicationLogic(application)
        setattr(modules, name, SimpleNamespace(logic=lambda logic=logic: logic))
    slicer.mrmlScene = scene
    slicer.modules = modules
    slicer.app = SimpleNamespace(applicationLogic=lambda: application)
    return scene


@contextmanager
def quiet() -> Iterator[None]:
    """Without what VTK has to say: for calls that complain about the missing application and work all the same."""
    verbosity = vtk.vtkLogger.GetCurrentVerbosityCutoff()
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtk.vtkLogger.SetStderrVerbosity(verbosity)
