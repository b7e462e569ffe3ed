"""Notices what happens to the scene outside the panel, and tells the panel once when it is over."""

from collections.abc import Callable

import qt
import slicer
import vtk

_DELAY_MS = 100
"""Long enough for all events of one action, such as loading a study, to become one."""


class SceneWatcher:
    """Calls `onChange()` soon after nodes were added or removed, or a watched object has changed.

    `root` is the panel, with which the timer ends.
    """

    def __init__(self, root: "qt.QWidget", onChange: Callable[[], None]):
        self._timer = qt.QTimer(root)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.connect("timeout()", onChange)
        scene = slicer.mrmlScene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent)
        self._ofScene = [(scene, scene.AddObserver(event, self._onEvent)) for event in events]
        self._watched: list[tuple[vtk.vtkObject, int]] = []

    def watch(self, objects: "list[vtk.vtkObject | None]") -> None:
        """Watch these objects of the scene in place of the former ones."""
        present = [each for each in objects if each is not None]
        if present != [each for each, _tag in self._watched]:
            self._stop(self._watched)
            self._watched = [(each, each.AddObserver(vtk.vtkCommand.AnyEvent, self._onEvent)) for each in present]

    def close(self) -> None:
        """Watch nothing any more."""
        self._timer.stop()
        self._stop(self._ofScene + self._watched)
        self._ofScene, self._watched = [], []

    def _onEvent(self, _caller: vtk.vtkObject, event: str) -> None:
        if event != "DeleteEvent" and not slicer.mrmlScene.IsClosing():
            self._timer.start()

    def _stop(self, observed: list[tuple[vtk.vtkObject, int]]) -> None:
        for each, tag in observed:
            each.RemoveObserver(tag)
