"""Stand-ins for `slicer.app`, its main window and its module manager."""

import os
import sys
import tempfile

import slicer
from matplotlib import get_data_path
from PySide6.QtCore import Property, QObject, QSettings, QStandardPaths, Signal
from PySide6.QtGui import QFont, QFontDatabase
from PySide6.QtWidgets import QApplication, QHBoxLayout, QMainWindow, QScrollArea, QVBoxLayout, QWidget

from .pythonqt import wrap

_FONTS = f"{get_data_path()}/fonts/ttf"


class qSlicerApplication(QApplication):
    """The application object; one for all hosts of a process. `_host` is the one that is open."""

    startupCompleted = Signal()
    _host = None

    def testingEnabled(self) -> bool:
        return self._host.testing

    def applicationLogic(self):
        return self._host.applicationLogic

    def layoutManager(self):
        return self._host.layoutManager

    def moduleManager(self):
        return self._host.moduleManager

    def settings(self):
        return QSettings()

    def userSettings(self):
        return QSettings()

    temporaryPath = Property(str, lambda self: str(self._host.folder))


def application() -> qSlicerApplication:
    """The QApplication, made on the first call: off screen, with a font that every machine has, own settings."""
    app = QApplication.instance()
    if app is None:
        QStandardPaths.setTestModeEnabled(True)
        QSettings.setDefaultFormat(QSettings.IniFormat)
        os.environ.setdefault("QT_QPA_FONTDIR", _FONTS)  # where Qt looks if the machine has no fonts of its own
        app = qSlicerApplication(["SlicerHost", "-platform", "offscreen"])
        app.setApplicationName("Slicer")
        app.setOrganizationName("SlicerHost")
        app.setStyle("Fusion")
        app.setQuitOnLastWindowClosed(False)
        app.setFont(_font())
    return app


def _font() -> QFont:
    """DejaVu Sans of matplotlib: some machines have no font at all, and pictures shall look alike everywhere."""
    number = QFontDatabase.addApplicationFont(f"{_FONTS}/DejaVuSans.ttf")
    return QFont(QFontDatabase.applicationFontFamilies(number)[0], 9)


class qSlicerModuleSelector(QWidget):
    moduleSelected = Signal(str)

    def selectModule(self, name: str) -> None:
        self.window()._host.select(name)

    selectedModule = Property(str, lambda self: self.window()._host.selectedModule)


class qSlicerMainWindow(QMainWindow):
    """The panel of the selected module on the left, nothing on the right."""

    def __init__(self, host):
        super().__init__()
        self._host = host
        self.setObjectName("qSlicerMainWindow")
        centre = QWidget()
        layout = QHBoxLayout(centre)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        layout.addWidget(self._scroll)
        self.setCentralWidget(centre)
        self._selector = qSlicerModuleSelector(self)
        self.resize(560, 900)

    def moduleSelector(self):
        return self._selector

    def _showPanel(self, panel: QWidget) -> None:
        if self._scroll.widget() is not panel:
            if self._scroll.widget():
                self._scroll.takeWidget().hide()
            self._scroll.setWidget(panel)
        panel.show()


class qSlicerModuleManager(QObject):
    moduleAboutToBeUnloaded = Signal(str)

    def module(self, name: str):
        return getattr(slicer.modules, name.lower(), None)


class qSlicerScriptedLoadableModuleWidget(QWidget):
    """The frame of a panel, which calls what Slicer calls of the Python class inside."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, module):
        super().__init__()
        self.setObjectName(f"{module.name}ModuleWidget")
        QVBoxLayout(self)
        self._module, self._self, self._entered = module, None, False

    isEntered = Property(bool, lambda self: self._entered)
    moduleName = Property(str, lambda self: self._module.name)

    def self(self):
        return self._self

    def mrmlScene(self):
        return slicer.mrmlScene

    def setup(self) -> None:
        """Make the Python object of the class that was loaded last, and let it fill the panel."""
        name = f"{self._module.name}Widget"
        self._self = getattr(sys.modules[self._module.name], name)(wrap(self))
        setattr(slicer.modules, name, self._self)
        self._self.setup()

    def reload(self) -> None:
        """Like Slicer, calls `setup` of the new class, not `enter`."""
        self.setup()

    def enter(self) -> None:
        self._entered = True
        self._call("enter")

    def exit(self) -> None:
        self._entered = False
        self._call("exit")

    def _call(self, name: str) -> None:
        getattr(self._self, name, lambda: None)()


class qSlicerScriptedLoadableModule:
    """`slicer.modules.<name>`, and what the module's class describes itself with."""

    __slots__ = (
        "_frame",
        "acknowledgementText",
        "associatedNodeTypes",
        "categories",
        "contributors",
        "dependencies",
        "helpText",
        "hidden",
        "icon",
        "index",
        "name",
        "path",
        "title",
        "widgetRepresentationCreationEnabled",
    )

    def __init__(self, name: str, path: str):
        self.name, self.path, self._frame = name, path, None

    def widgetRepresentation(self):
        """The frame of the panel, made and set up on the first call."""
        if self._frame is None:
            self._frame = qSlicerScriptedLoadableModuleWidget(self)
            self._frame.setup()
        return wrap(self._frame)

    def logic(self):
        """Of a module in Python, Slicer returns a base logic that can do nothing."""
        return slicer.vtkSlicerScriptedLoadableModuleLogic()


def temporaryFolder() -> tempfile.TemporaryDirectory:
    folder = tempfile.TemporaryDirectory(prefix="SlicerHost-")
    QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, f"{folder.name}/settings")
    return folder
