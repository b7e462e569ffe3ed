"""The host: a Slicer without Slicer, in which a module's own files are loaded, clicked and photographed."""

import importlib.util
import sys
import time
import types
from pathlib import Path

import slicer

from . import (
    application,
    core,
    ctk_widgets,
    dialogs,
    i18n,
    layout,
    mrml_widgets,
    parameter_nodes,
    pythonqt,
    scripted_module,
)
from .probe import EventLoopProbe
from .ui_files import Loader

PRODUCT = Path(__file__).resolve().parents[2] / "SpineSegmentation"


class SlicerHost:
    """Opens on construction; `close()` takes everything back. One at a time."""

    def __init__(self):
        self.testing = False
        self.selectedModule = ""
        self._temporary = application.temporaryFolder()
        self.folder = Path(self._temporary.name)
        self._modulesBefore = {name: sys.modules.pop(name) for name in _replaced()}
        self._hook, sys.excepthook = sys.excepthook, self._recordError
        pythonqt.slotErrors.clear()
        self.dialogs = dialogs.start()
        self.app = application.application()
        self.app._host = self
        self.scene = core.startScene()
        self.applicationLogic = slicer.app.applicationLogic()
        slicer.app = pythonqt.wrap(self.app)
        sys.modules.update(_MODULES)
        for name, module in _MODULES.items():
            if name.startswith("slicer."):
                setattr(slicer, name.removeprefix("slicer."), module)
        for name, each in {**mrml_widgets.WIDGETS, **_FRAMES}.items():
            setattr(slicer, name, pythonqt.wrapperClass(each))
        slicer.qSlicerScriptedLoadableModule = application.qSlicerScriptedLoadableModule
        self.moduleManager = application.qSlicerModuleManager()
        self.layoutManager = layout.qSlicerLayoutManager()
        self.mainWindow = application.qSlicerMainWindow(self)
        self.mainWindow.show()
        sys.path.insert(0, str(PRODUCT))

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

    def select(self, name: str) -> None:
        """Show another module, "" for none of this project's: `exit` of the one, `enter` of the other."""
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
        name = self.selectedModule
        getattr(slicer.modules, f"{name}Widget").onReload()
        self.process()
        return getattr(slicer.modules, f"{name}Widget")

    def process(self, until=None, timeout: float = 0.0) -> None:
        """Let events happen: all that wait, or until `until()` is true. TimeoutError after `timeout` seconds.

        Raises what a slot, a timer or an observer has raised.
        """
        end = time.monotonic() + timeout
        while True:
            self.app.processEvents()
            self.app.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
            self._raiseErrors()
            if until is None or until():
                return
            if time.monotonic() > end:
                raise TimeoutError(f"nothing came of it within {timeout} s")
            time.sleep(0.002)

    def photograph(self, widget, path: Path | str, width: int = 520) -> Path:
        """Save a picture of a widget, or of the whole panel for a module's widget object, in full height."""
        path = Path(path)
        target = pythonqt.unwrap(getattr(widget, "parent", widget) if hasattr(widget, "moduleName") else widget)
        if hasattr(widget, "moduleName"):
            target.window().resize(width + 40, max(target.sizeHint().height() + 40, 200))
        self.process()
        if not target.grab().save(str(path)):
            raise OSError(f"the picture could not be written to {path}")
        return path

    def probe(self) -> EventLoopProbe:
        """`with host.probe() as probe: host.process(...)`; then `probe.largestGap` in seconds."""
        return EventLoopProbe()

    def closeScene(self) -> None:
        slicer.mrmlScene.Clear(0)
        self.process()

    def saveScene(self, path: Path | str) -> None:
        """Write the scene as .mrml (nodes only) or .mrb (with their data)."""
        scene = slicer.mrmlScene
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
        """Quit: `cleanup` of every module, then the scene and the windows."""
        self.select("")
        for name in [each for each in vars(slicer.modules) if each.endswith("Instance")]:
            self.moduleManager.moduleAboutToBeUnloaded.emit(name.removesuffix("Instance"))
        try:
            self.process()
        finally:
            self.mainWindow.close()
            self.mainWindow.deleteLater()
            slicer.mrmlScene.Clear(True)
            self.app.sendPostedEvents(None, 52)
            self._takeBack()

    def _takeBack(self) -> None:
        sys.excepthook = self._hook
        sys.path.remove(str(PRODUCT))
        for name in _replaced():
            del sys.modules[name]
        sys.modules.update(self._modulesBefore)
        del slicer.mrmlScene, slicer.modules, slicer.app
        self._temporary.cleanup()

    def _frame(self, name: str):
        return pythonqt.unwrap(getattr(slicer.modules, name.lower()).widgetRepresentation())

    def _recordError(self, kind, error, trace) -> None:
        pythonqt.slotErrors.append(error)
        self._hook(kind, error, trace)

    def _raiseErrors(self) -> None:
        if pythonqt.slotErrors:
            errors = pythonqt.slotErrors[:]
            pythonqt.slotErrors.clear()
            raise errors[0]


_FRAMES = {
    each.__name__: each for each in (application.qSlicerScriptedLoadableModuleWidget, application.qSlicerMainWindow)
}


def _module(name: str, lookUp) -> types.ModuleType:
    module = types.ModuleType(name, "Made by SlicerHost.")
    module.__getattr__ = lookUp
    return module


def _qt(name: str):
    return Loader if name == "QUiLoader" else pythonqt.qtMember(name)


def _ctk(name: str):
    if name in ctk_widgets.WIDGETS:
        return pythonqt.wrapperClass(ctk_widgets.WIDGETS[name])
    raise AttributeError(f"the host has no ctk.{name}: add it to ctk_widgets.py")


_MODULES = {
    "qt": _module("qt", _qt),
    "ctk": _module("ctk", _ctk),
    "slicer.i18n": i18n,
    "slicer.parameterNodeWrapper": parameter_nodes,
    "slicer.ScriptedLoadableModule": scripted_module,
}


def _replaced() -> list[str]:
    """Modules that are the host's own, and the product, which other tests may have imported without the host."""
    return [
        name for name in sys.modules if name in _MODULES or name.startswith(("SpineSegmentation", "SpineInference"))
    ]
