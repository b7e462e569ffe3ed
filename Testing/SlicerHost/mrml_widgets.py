"""Stand-ins for Slicer's widgets that show the scene. They follow the real scene of slicer-core."""

import weakref

import vtk
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QWidget
from shiboken6 import Shiboken

from .ctk_widgets import stored


class qMRMLWidget(QWidget):
    """The outermost widget of a panel: hands the scene on to the widgets inside."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


_selectors: "weakref.WeakSet[qMRMLNodeComboBox]" = weakref.WeakSet()


def letGoOfScene() -> None:
    """Called before the scene is deleted, whose last events would otherwise meet widgets that are gone."""
    for selector in list(_selectors):
        selector._unwatch()


class qMRMLNodeComboBox(QWidget):
    """Chooses a node of the scene. The choice follows additions, removals and new names.

    Without `noneEnabled`, removing the chosen node chooses its neighbour, as in Slicer.
    """

    currentNodeChanged = Signal((object,), (bool,))

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._box = QComboBox()
        layout.addWidget(self._box)
        self._scene, self._current, self._nodes, self._watched = None, None, [], []
        _selectors.add(self)
        self._box.activated.connect(self._activated)

    def _refresh(self) -> None:
        self._fill()

    nodeTypes = stored("QStringList", [], _refresh)
    noneEnabled = stored(bool, False, _refresh)
    noneDisplay = stored(str, "None", _refresh)
    showHidden = stored(bool, False, _refresh)
    showChildNodeTypes = stored(bool, True, _refresh)
    addEnabled = stored(bool, True)
    removeEnabled = stored(bool, True)
    renameEnabled = stored(bool, False)

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene) -> None:
        self._unwatch()
        self._scene = scene
        if scene:
            for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndImportEvent, scene.EndCloseEvent):
                self._watched.append((scene, scene.AddObserver(event, self._sceneChanged)))
        self._fill()

    def currentNode(self):
        return self._current

    def setCurrentNode(self, node) -> None:
        """A node or its ID."""
        if isinstance(node, str):
            node = self._scene.GetNodeByID(node)
        self._choose(node if node in self._nodes else None)

    def nodeCount(self) -> int:
        return len(self._nodes)

    def _offered(self) -> list:
        nodes = []
        for i in range(self._scene.GetNumberOfNodes() if self._scene else 0):
            node = self._scene.GetNthNode(i)
            isA = node.IsA if self.showChildNodeTypes else lambda name, node=node: node.GetClassName() == name
            if any(isA(name) for name in self.nodeTypes) and (self.showHidden or not node.GetHideFromEditors()):
                nodes.append(node)
        return nodes

    def _sceneChanged(self, caller, event) -> None:
        if Shiboken.isValid(self):
            self._fill()
        else:
            self._unwatch()

    def _fill(self) -> None:
        before, self._nodes = self._nodes, self._offered()
        current = self._current
        if current is not None and current not in self._nodes:
            position = before.index(current) if current in before else 0
            neighbours = self._nodes[: position + 1]
            current = None if self.noneEnabled or not neighbours else neighbours[-1]
        self._watchNames()
        self._box.clear()
        for text in [self.noneDisplay] * self.noneEnabled + [node.GetName() for node in self._nodes]:
            self._box.addItem(text)
        self._choose(current)

    def _choose(self, node) -> None:
        first = int(self.noneEnabled)
        self._box.setCurrentIndex(self._nodes.index(node) + first if node is not None else first - 1)
        if node is not self._current:
            self._current = node
            self.currentNodeChanged[object].emit(node)
            self.currentNodeChanged[bool].emit(node is not None)

    def _activated(self, index: int) -> None:
        number = index - int(self.noneEnabled)
        self._choose(self._nodes[number] if number >= 0 else None)

    def _watchNames(self) -> None:
        for watched in [each for each in self._watched if each[0] is not self._scene]:
            watched[0].RemoveObserver(watched[1])
            self._watched.remove(watched)
        for node in self._nodes:
            self._watched.append((node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._renamed)))

    def _renamed(self, node, event) -> None:
        if not Shiboken.isValid(self):
            return
        index = self._nodes.index(node) + int(self.noneEnabled)
        if self._box.itemText(index) != node.GetName():
            self._box.setItemText(index, node.GetName())

    def _unwatch(self) -> None:
        for watched, tag in self._watched:
            watched.RemoveObserver(tag)
        self._watched = []


class qMRMLSegmentationShow3DButton(QPushButton):
    """Makes the surfaces of a segmentation, or removes them."""

    def __init__(self, parent=None):
        super().__init__("Show 3D", parent)
        self.setCheckable(True)
        self._node = None
        self.toggled.connect(self._show)

    def segmentationNode(self):
        return self._node

    def setSegmentationNode(self, node) -> None:
        self._node = node
        self.blockSignals(True)
        self.setChecked(bool(node) and node.GetSegmentation().ContainsRepresentation("Closed surface"))
        self.blockSignals(False)
        self.setEnabled(node is not None)

    def _show(self, shown: bool) -> None:
        if not self._node:
            return
        if shown:
            self._node.CreateClosedSurfaceRepresentation()
        else:
            self._node.RemoveClosedSurfaceRepresentation()


WIDGETS: dict[str, type[QObject]] = {
    each.__name__: each for each in (qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentationShow3DButton)
}
