"""Surfaces: shown at once where the last result's were, kept through edits, smoothed as chosen, written as files."""

import os
import shutil

import numpy as np
import qt
import slicer
import vtk
from module_use import open_module, segment
from scans import add_scan
from session import arguments, nodes, panel, run, segmentation_of
from windows import grab_window, prepare_window

SURFACE = "Closed surface"
SETTING = "SpineSegmentation/Show3D"


def steps(facts):
    try:
        yield from with_surfaces(facts)
    finally:
        qt.QSettings().remove(SETTING)


def with_surfaces(facts):
    qt.QSettings().remove(SETTING)
    prepare_window()
    ui = yield from open_module()
    first = add_scan("First")
    yield from segment(first)
    node = segmentation_of(first)
    assert not has_surface(node), "nobody has asked for surfaces"

    ui.show3DButton.setChecked(True)  # as a click does, which would open the menu and wait
    panel().results._onShow3D(True)
    yield "surfaces", lambda: has_surface(node)
    second = add_scan("Second")
    matrix = vtk.vtkMatrix4x4()
    second.GetIJKToRASMatrix(matrix)
    matrix.SetElement(2, 3, matrix.GetElement(2, 3) + 400)  # another table position
    second.SetIJKToRASMatrix(matrix)
    yield from segment(second)
    node = segmentation_of(second)
    yield "surfaces, shown at once", lambda: has_surface(node) and ui.show3DButton.checked
    yield "its place in the 3D view", lambda: off_centre(node) < 5
    grab_window("surfaces")

    [camera] = nodes("vtkMRMLCameraNode")
    camera.SetPosition(*(np.array(camera.GetPosition()) + 30))  # as a person turns it
    place = camera.GetPosition()
    points = surface_of(node, "Vertebra 2").GetNumberOfPoints()
    segmentId = node.GetSegmentation().GetSegmentIdBySegmentName("Vertebra 2")
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, second)
    array[: int(np.median(np.argwhere(array)[:, 0]))] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segmentId, second)
    yield "surfaces after a scripted edit", lambda: has_surface(node)
    yield 0.5
    assert camera.GetPosition() == place, "the person's view of the result is gone"
    assert surface_of(node, "Vertebra 2").GetNumberOfPoints() < 0.9 * points, "the surface is that of the edited body"

    name = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule.GetSmoothingFactorParameterName()
    rough = roughness(node)
    node.GetSegmentation().SetConversionParameter(name, "0.9")
    node.RemoveClosedSurfaceRepresentation()
    yield "smoothed surfaces", lambda: has_surface(node)
    facts["around the box of a body, mm, smoothed by 0.5 and 0.9"] = [round(rough, 2), round(roughness(node), 2)]
    assert roughness(node) != rough

    for volumeNode in (first, second):
        ui.inputSelector.setCurrentNode(volumeNode)
        yield "the 3D view of the chosen scan", lambda each=volumeNode: off_centre(segmentation_of(each)) < 5

    export(ui, node, facts)


def has_surface(node) -> bool:
    return node.GetSegmentation().ContainsRepresentation(SURFACE)


def surface_of(node, name):
    surface = vtk.vtkPolyData()
    node.GetClosedSurfaceRepresentation(node.GetSegmentation().GetSegmentIdBySegmentName(name), surface)
    return surface


def roughness(node) -> float:
    """A length that any other smoothing changes: the way around the box of a body."""
    bounds = surface_of(node, "Vertebra 4").GetBounds()
    return sum(bounds[1::2]) - sum(bounds[::2])


def off_centre(node) -> float:
    """How far (mm) the centre of the segments lies from what the camera looks at."""
    bounds = [0.0] * 6
    node.GetBounds(bounds)
    [camera] = nodes("vtkMRMLCameraNode")
    return float(np.linalg.norm(np.array(camera.GetFocalPoint()) - (np.array(bounds[::2]) + bounds[1::2]) / 2))


def export(ui, node, facts):
    """The menu writes a file for each body, or one for all, that the format's own reader reads."""
    from SpineSegmentationLib.panel import Dialogs

    folder = os.path.join(arguments()["folder"], "surfaces")
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier run
    os.makedirs(folder)
    Dialogs.askFolder = lambda title: folder
    Dialogs.confirm = lambda question: True
    actions = {action.text: action for action in ui.exportButton.menu().actions()}
    number = node.GetSegmentation().GetNumberOfSegments()
    whole = vtk.vtkBoundingBox()
    for segmentId in node.GetSegmentation().GetSegmentIDs():
        surface = vtk.vtkPolyData()
        node.GetClosedSurfaceRepresentation(segmentId, surface)
        whole.AddBounds(surface.GetBounds())
    for format_ in ("STL", "OBJ", "PLY"):
        actions[f"Surfaces ({format_}) ..."].trigger()
        files = [name for name in os.listdir(folder) if name.endswith(f".{format_.lower()}")]
        assert len(files) == number, files
        path = os.path.join(folder, f"all of them.{format_.lower()}")
        Dialogs.askSaveFile = lambda *_, path=path: path
        actions["All surfaces in one file ..."].trigger()
        assert ui.statusLabel.text == f"Written: {path}", ui.statusLabel.text
        reader = getattr(vtk, f"vtk{format_}Reader")()
        reader.SetFileName(path)
        reader.Update()
        lengths = [0.0] * 3
        box = vtk.vtkBoundingBox(reader.GetOutput().GetBounds())
        box.GetLengths(lengths)
        expected = [0.0] * 3
        whole.GetLengths(expected)
        assert np.allclose(lengths, expected, atol=0.01), (format_, lengths, expected)
    facts["files"] = len(os.listdir(folder))


run(steps, arguments()["report"])
