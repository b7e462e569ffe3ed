"""A real MRML scene without the Slicer application: module logics of slicer-core where Slicer's Python expects them."""

from types import SimpleNamespace

import slicer
import vtk

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
        _attach(logic, scene, application)
        setattr(modules, name, SimpleNamespace(logic=lambda logic=logic: logic))
    slicer.mrmlScene = scene
    slicer.modules = modules
    slicer.app = SimpleNamespace(applicationLogic=lambda: application)
    return scene


def _attach(logic: "slicer.vtkMRMLAbstractLogic", scene: "slicer.vtkMRMLScene", application: object) -> None:
    """Give a logic its scene, without its complaints that Slicer's own terminologies are not in slicer-core."""
    verbosity = vtk.vtkLogger.GetCurrentVerbosityCutoff()
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    try:
        logic.SetMRMLScene(scene)
    finally:
        vtk.vtkLogger.SetStderrVerbosity(verbosity)
    logic.SetMRMLApplicationLogic(application)
