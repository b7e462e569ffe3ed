"""Stand-in for Slicer's layout manager: the layouts and the nodes of the views are real, but nothing is drawn."""

import slicer
import vtk
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtWidgets import QWidget


class SliceWidget(QObject):
    """What the layout manager calls a slice widget, as far as it is not a picture."""

    def __init__(self, logic):
        super().__init__()
        self._logic = logic

    def sliceLogic(self):
        return self._logic

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode()


class qSlicerLayoutManager(QObject):
    """Chooses layouts. The slice nodes have their logics, so that jumping and choosing the background work."""

    layoutChanged = Signal(int)

    def __init__(self, application):
        super().__init__()
        self._application = application
        self._viewport = QWidget()
        self._sliceLogics: dict[str, slicer.vtkMRMLSliceLogic] = {}
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene, True)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)
        node = self._logic.GetLayoutNode()
        self._observer = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: self._follow())
        self._shown = None
        self.setLayout(node.SlicerLayoutFourUpView)

    layout = Property(int, lambda self: self._logic.GetLayoutNode().GetViewArrangement())

    plotViewCount = Property(int, lambda self: 0)

    def setLayout(self, layout: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(layout)

    def viewport(self) -> QWidget:
        return self._viewport

    def layoutLogic(self):
        return self._logic

    def sliceViewNames(self) -> list[str]:
        return list(self._sliceLogics)

    def sliceWidget(self, name: str) -> SliceWidget:
        return SliceWidget(self._sliceLogics[name])

    def mrmlSliceLogics(self):
        return self._application.GetSliceLogics()

    def resetSliceViews(self) -> None:
        for logic in self._sliceLogics.values():
            logic.FitSliceToBackground()

    def _follow(self) -> None:
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            if node.GetLayoutName() not in self._sliceLogics:
                logic = slicer.vtkMRMLSliceLogic()
                logic.SetMRMLApplicationLogic(self._application)
                logic.SetMRMLScene(slicer.mrmlScene)
                logic.SetSliceNode(node)
                self._application.GetSliceLogics().AddItem(logic)
                self._sliceLogics[node.GetLayoutName()] = logic
        if self.layout != self._shown:
            self._shown = self.layout
            self.layoutChanged.emit(self.layout)

    def _close(self) -> None:
        """Let go of the scene: otherwise it crashes when it is cleared."""
        self._logic.GetLayoutNode().RemoveObserver(self._observer)
        for logic in self._sliceLogics.values():
            logic.SetMRMLScene(None)
        self._logic.SetMRMLScene(None)
