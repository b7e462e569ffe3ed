"""A Slicer without Slicer, in which the own files of a module are loaded and clicked, and screenshots taken."""

import gc
import importlib.util
import sys
import time
from pathlib import Path

import slicer
from PySide6.QtCore import QtMsgType, qInstallMessageHandler

from . import application, core, dialogs, layout, mrml_widgets, pythonqt, services
from .probe import EventLoopProbe
from .python_modules import PythonModules

PRODUCT = Path(__file__).resolve().parents[2] / "SpineSegmentation"
_DEFERRED_DELETE = 52  # QEvent.DeferredDelete


class SlicerHost:
    """Opens on construction; `close()` takes everything back. One at a time.

    `dialogs`: see `Dialogs`; `installations`: see `Installations`; `testing`: Slicer's testing mode.
    """

    def __init__(self):
        self.testing = False
        self.selectedModule = ""
        self._temporary = application.temporaryFolder()
        self.folder = Path(self._temporary.name)
        self._hook, sys.excepthook = sys.excepthook, self._recordError
        qInstallMessageHandler(_onQtMessage)
        pythonqt.slotErrors.clear()
        self.dialogs = dialogs.start()
        self.app = application.application()
        self.app._host = self
        scene = core.startScene()
        # Where Slicer unpacks an .mrb.
        scene.SetCacheManager(slicer.vtkCacheManager())
        scene.GetCacheManager().SetRemoteCacheDirectory(f"{self.folder}/RemoteIO")
        scene.SetDataIOManager(slicer.vtkDataIOManager())
        scene.GetDataIOManager().SetCacheManager(scene.GetCacheManager())
        self.applicationLogic = slicer.app.applicationLogic()
        slicer.app = pythonqt.wrap(self.app)
        self._pythonModules = PythonModules(str(PRODUCT))
        self.installations = services.Installations()
        self.installations.install()
        self.moduleManager = application.qSlicerModuleManager()
        self.layoutManager = layout.qSlicerLayoutManager(self.applicationLogic)
        self.mainWindow = application.qSlicerMainWindow(self)
        self.mainWindow.show()
        slicer.modules.segmenteditor = application.qSlicerScriptedLoadableModule("SegmentEditor", "")

    def openModule(self, name: str):
        """Load a module (if it is not), select it, and return its widget object, as `slicer.util.getModuleWidget`."""
        if not hasattr(slicer.modules, name.lower()):
            self.loadModule(name)
        self.select(name)
        self.process()
        return getattr(slicer.modules, f"{name}Widget")

    def loadModule(self, name: str) -> None:
        """What Slicer does with every module when it starts."""
        path = PRODUCT / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        python = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(python)
        module = application.qSlicerScriptedLoadableModule(name, str(path))
        setattr(slicer.modules, f"{name}Instance", getattr(python, name)(module))
        setattr(slicer.modules, name.lower(), module)
        self.app.startupCompleted.emit()

    def select(self, name: str) -> None:
        """Show another module, or none (""): `exit` of the one, `enter` of the other."""
        if name == self.selectedModule:
            return
        if self.selectedModule:
            self._frame(self.selectedModule).exit()
        self.selectedModule = name
        if name:
            self.mainWindow._showPanel(self._frame(name))
            self._frame(name).enter()

    def reload(self):
        """The developer's button Reload; returns the new widget object."""
        getattr(slicer.modules, f"{self.selectedModule}Widget").onReload()
        self.process()
        return getattr(slicer.modules, f"{self.selectedModule}Widget")

    def process(self, until=None, timeout: float = 10.0) -> None:
        """Let events happen: those that wait, or until `until()` is true. TimeoutError after `timeout` seconds.

        Raises what slots, timers and observers have raised, and what Qt has warned of.
        """
        end = time.monotonic() + timeout
        while True:
            self.app.processEvents()
            self.app.sendPostedEvents(None, _DEFERRED_DELETE)
            self._raiseErrors()
            if until is None or until():
                return
            if time.monotonic() > end:
                raise TimeoutError(f"nothing came of it within {timeout} s")
            time.sleep(0.002)

    def screenshot(self, widget, path: Path | str, width: int = 520) -> None:
        """Save a picture of a widget, or of the whole panel of a module's widget object, in its full height."""
        target = pythonqt.unwrap(widget)
        if hasattr(widget, "moduleName"):
            target = pythonqt.unwrap(widget.parent)
            target.window().resize(width + 40, max(target.sizeHint().height() + 60, 200))
        self.process()
        if not target.grab().save(str(path)):
            raise OSError(f"the picture could not be written to {path}")

    def probe(self) -> EventLoopProbe:
        """`with host.probe() as probe: host.process(...)`; then `probe.largestGap` in seconds."""
        return EventLoopProbe()

    def closeScene(self) -> None:
        slicer.mrmlScene.Clear(0)
        self.process()

    def saveScene(self, path: Path | str) -> None:
        """Write the scene as .mrml (nodes only) or .mrb (with their data)."""
        scene = slicer.mrmlScene
        Path(path).unlink(missing_ok=True)  # Slicer asks before it replaces a file; slicer-core refuses
        if Path(path).suffix == ".mrb":
            done = scene.WriteToMRB(str(path))
        else:
            scene.SetURL(str(path))
            scene.SetRootDirectory(str(Path(path).parent))
            done = scene.Commit(str(path))
        if not done:
            raise OSError(f"the scene could not be written to {path}")

    def loadScene(self, path: Path | str) -> None:
        """Read a scene into the present one, as Slicer does."""
        if Path(path).suffix == ".mrb":
            done = slicer.mrmlScene.ReadFromMRB(str(path), False)
        else:
            slicer.mrmlScene.SetURL(str(path))
            done = slicer.mrmlScene.Import()
        if not done:
            raise OSError(f"the scene could not be read from {path}")
        self.process()

    def close(self) -> None:
        """Quit: `cleanup` of every module, then the scene and the windows. Raises what is still to be raised."""
        for name in [each for each in vars(slicer.modules) if each.endswith("Instance")]:
            self.moduleManager.moduleAboutToBeUnloaded.emit(name.removesuffix("Instance"))
        try:
            self.process()
        finally:
            self.mainWindow.close()
            self.mainWindow.deleteLater()
            self.layoutManager._close()
            mrml_widgets.letGoOfScene()
            slicer.mrmlScene.Clear(True)
            self.app.sendPostedEvents(None, _DEFERRED_DELETE)
            gc.collect()  # what nobody holds any more ends here, not in the middle of the next test
            self._pythonModules.remove()
            del slicer.mrmlScene, slicer.modules, slicer.app
            sys.excepthook = self._hook
            qInstallMessageHandler(None)
            self._temporary.cleanup()
        self._raiseErrors()

    def _frame(self, name: str):
        return pythonqt.unwrap(getattr(slicer.modules, name.lower()).widgetRepresentation())

    def _raiseErrors(self) -> None:
        if pythonqt.slotErrors:
            error = pythonqt.slotErrors[0]
            pythonqt.slotErrors.clear()
            raise error

    def _recordError(self, kind, error, trace) -> None:
        pythonqt.slotErrors.append(error)
        self._hook(kind, error, trace)


def _onQtMessage(kind, context, text: str) -> None:
    """What Qt warns of is an error of the tests: a signal without its slot, a process that is deleted too early."""
    if kind != QtMsgType.QtDebugMsg and kind != QtMsgType.QtInfoMsg and "propagateSizeHints" not in text:
        print(text, file=sys.stderr)
        pythonqt.slotErrors.append(RuntimeError(text))
