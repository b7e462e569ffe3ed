"""The window of Slicer: prepared for screenshots, captured, and clicked."""

import os

import qt
import slicer
from session import arguments

SIZE = (1480, 960)


def prepare_window() -> None:
    """A fixed size, the ordinary layout and room for the panel, so that pictures of different machines look alike.

    The window needs a second to get there; and it grows with what is shown in it.
    """
    slicer.util.mainWindow().showNormal()
    slicer.util.mainWindow().resize(*SIZE)
    slicer.util.setModuleHelpSectionVisible(False)
    slicer.util.setDataProbeVisible(False)
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


def grab_window(name: str) -> None:
    """Save a picture of the whole window as slicer-NAME.png, if pictures are wanted."""
    if folder := arguments().get("screenshots"):
        slicer.util.forceRenderAllViews()
        slicer.util.mainWindow().grab().save(os.path.join(folder, f"slicer-{name}.png"))


def grab_panel(widget, name: str) -> None:
    """Save a picture of the module's panel in its full height."""
    if folder := arguments().get("screenshots"):
        widget.parent.grab().save(os.path.join(folder, f"slicer-{name}.png"))


def press_cell(table, row: int) -> None:
    """Click into the first cell of a row of a QTableWidget, with the mouse."""
    position = table.visualItemRect(table.item(row, 0)).center()
    for kind in (qt.QEvent.MouseButtonPress, qt.QEvent.MouseButtonRelease):
        event = qt.QMouseEvent(kind, qt.QPointF(position), qt.Qt.LeftButton, qt.Qt.LeftButton, qt.Qt.NoModifier)
        slicer.app.sendEvent(table.viewport(), event)
