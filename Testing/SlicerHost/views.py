"""Slice views and a 3D view of `slicer.mrmlScene`, drawn off screen by Slicer's own displayable managers."""

import subprocess
import sys

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from .core import quiet

_SLICE_MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D",)
_THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
)


_PROBE = """
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
renderer = vtk.vtkRenderer()
renderer.SetBackground(1, 1, 1)
window.AddRenderer(renderer)
window.Render()
pixel = vtk.vtkUnsignedCharArray()
window.GetPixelData(5, 5, 5, 5, 0, pixel, 0)
raise SystemExit(pixel.GetValue(0) != 255)
"""


def canDrawOffScreen() -> bool:
    """Whether this machine has an OpenGL to draw with. Tried in a child process: without one, VTK may crash."""
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, timeout=60, check=False)
    return probe.returncode == 0


class _View:
    """A render window with two layers: pictures below, what the displayable managers draw above."""

    def __init__(self, size: tuple[int, int], factory, managers: tuple[str, ...], node):
        self.renderer = vtk.vtkRenderer()
        self.below = vtk.vtkRenderer()
        self.renderer.SetLayer(1)
        with quiet():  # VTK tries an X server first and complains that there is none
            self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.SetSize(*size)
        self.window.SetNumberOfLayers(2)
        for renderer in (self.below, self.renderer):
            self.window.AddRenderer(renderer)
        # Some displayable managers take the size of the view from its interactor.
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self.window)
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for manager in managers:
            if not factory.IsDisplayableManagerRegistered(manager):
                factory.RegisterDisplayableManager(manager)
        self._managers = factory.InstantiateDisplayableManagers(self.renderer)
        self._managers.SetMRMLDisplayableNode(node)

    def grab(self) -> np.ndarray:
        """What the view shows: uint8 [rows, columns, RGB]."""
        self.window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self.window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        columns, rows, _ = grabber.GetOutput().GetDimensions()
        pixels = vtk_to_numpy(grabber.GetOutput().GetPointData().GetScalars())
        return pixels.reshape(rows, columns, -1)[::-1].copy()


class SliceView(_View):
    """One slice view ("Sagittal", "Coronal" or "Axial") of the scene."""

    def __init__(self, orientation: str, size: tuple[int, int]):
        scene, application = slicer.mrmlScene, slicer.app.applicationLogic()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
        if scene.GetFirstNodeByClass("vtkMRMLCrosshairNode") is None:
            scene.AddNewNodeByClass("vtkMRMLCrosshairNode").SetSingletonTag("default")
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application)
        self._logic.SetMRMLScene(scene)
        self.node = self._logic.AddSliceNode(orientation)
        self.node.SetOrientation(orientation)
        application.GetSliceLogics().AddItem(self._logic)
        self.node.SetDimensions(*size, 1)
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        super().__init__(size, factory, _SLICE_MANAGERS, self.node)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)

    def show(self, volumeNode, centre: np.ndarray, height: float) -> None:
        """Show a volume around a point (RAS, mm); `height` mm of it fill the view from top to bottom."""
        self._logic.GetSliceCompositeNode().SetBackgroundVolumeID(volumeNode.GetID())
        columns, rows, _ = self.node.GetDimensions()
        self.node.SetFieldOfView(height * columns / rows, height, 1)
        self.node.JumpSliceByCentering(*centre)
        # Only now the logic has a picture to give.
        self._mapper.SetInputConnection(self._logic.GetImageDataConnection())
        image = vtk.vtkActor2D()
        image.SetMapper(self._mapper)
        self.below.RemoveAllViewProps()
        self.below.AddViewProp(image)


class ThreeDView(_View):
    """The 3D view of the scene."""

    def __init__(self, size: tuple[int, int], background: tuple[float, float, float]):
        scene = slicer.mrmlScene
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(scene)
        self.node = self._logic.AddViewNode("1")
        self.node.SetBoxVisible(False)
        self.node.SetAxisLabelsVisible(False)
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        super().__init__(size, factory, _THREE_D_MANAGERS, self.node)
        self.below.SetBackground(*background)

    def lookFrom(self, direction: tuple[float, float, float]) -> None:
        """Look at everything from a direction (RAS), with the head up."""
        self.window.Render()
        camera = self.renderer.GetActiveCamera()
        camera.SetFocalPoint(0, 0, 0)
        camera.SetPosition(*direction)
        camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCamera()
        camera.Zoom(1.1)
        self.renderer.ResetCameraClippingRange()
