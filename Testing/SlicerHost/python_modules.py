"""What Python code in Slicer can import, as long as a host is open: `qt`, `ctk`, `slicer.i18n`, ..."""

import sys
import types

import slicer

from . import application, ctk_widgets, i18n, mrml_widgets, parameter_nodes, pythonqt, scripted_module, services
from .ui_files import Loader

_PRODUCT = ("SpineSegmentation", "SpineInference")


def _module(name: str, **members) -> types.ModuleType:
    module = types.ModuleType(name, "Made by SlicerHost.")
    vars(module).update(members)
    return module


def _ctk(name: str) -> type:
    if name in ctk_widgets.WIDGETS:
        return pythonqt.wrapperClass(ctk_widgets.WIDGETS[name])
    raise AttributeError(f"the host has no ctk.{name}: add it to ctk_widgets.py")


_MODULES = {
    "qt": _module("qt", __getattr__=pythonqt.qtMember, QUiLoader=Loader),
    "ctk": _module("ctk", __getattr__=_ctk),
    "slicer.i18n": i18n,
    "slicer.packaging": None,  # made by Installations
    "slicer.parameterNodeWrapper": parameter_nodes,
    "slicer.ScriptedLoadableModule": scripted_module,
    "PyTorchUtils": None,  # not there, unless a test adds it
    "SampleData": _module("SampleData", SampleDataLogic=services.SampleDataLogic),
    "SegmentEditor": _module("SegmentEditor", SegmentEditorWidget=services.SegmentEditorWidget),
}
_CLASSES = {
    "qSlicerScriptedLoadableModule": application.qSlicerScriptedLoadableModule,
    **{
        each.__name__: pythonqt.wrapperClass(each)
        for each in (
            *mrml_widgets.WIDGETS.values(),
            application.qSlicerMainWindow,
            application.qSlicerScriptedLoadableModuleWidget,
        )
    },
}


def _replaced() -> list[str]:
    """The host's modules, and the product's, which other tests may have imported without a host."""
    return [name for name in sys.modules if name in _MODULES or name.startswith(_PRODUCT)]


class PythonModules:
    """Importable from its construction until `remove()`, which leaves everything as it was before."""

    def __init__(self, productFolder: str):
        self._folder = productFolder
        self._before = {name: sys.modules.pop(name) for name in _replaced()}
        self._pipInstall = slicer.util.pip_install
        sys.modules.update(_MODULES)
        for name, each in (*_MODULES.items(), *_CLASSES.items()):
            if name not in sys.modules or name.startswith("slicer."):
                setattr(slicer, name.removeprefix("slicer."), each)
        sys.path.insert(0, productFolder)

    def remove(self) -> None:
        sys.path.remove(self._folder)
        for name in _replaced():
            del sys.modules[name]
        sys.modules.update(self._before)
        slicer.util.pip_install = self._pipInstall
        for name in (*_MODULES, *_CLASSES):
            vars(slicer).pop(name.removeprefix("slicer."), None)
