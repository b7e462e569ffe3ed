"""Stand-ins for `slicer.ScriptedLoadableModule`: the base classes of a module written in Python."""

import importlib
import logging
import unittest
from pathlib import Path

import slicer

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]


class ScriptedLoadableModule:
    def __init__(self, parent):
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__

    def resourcePath(self, filename: str) -> str:
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def runTest(self, msec: int = 100, **keywords) -> None:
        module = importlib.import_module(type(self).__module__)
        getattr(module, self.moduleName + "Test")().runTest(**keywords)


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        super().__init__()
        if parent is None:
            raise NotImplementedError("the host has no panels without a parent")
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent
        self.developerMode = False
        self.layout = parent.layout()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename: str) -> str:
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self) -> None: ...

    def cleanup(self) -> None: ...

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()

    def onReload(self) -> None:
        slicer.util.reloadScriptedModule(self.moduleName)


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        """The one vtkMRMLScriptedModuleNode of this module, made if the scene has none."""
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            return slicer.mrmlScene.AddNode(self.createParameterNode())
        if node.GetAttribute("ModuleName") != self.moduleName:  # closing the scene forgets it
            node.SetAttribute("ModuleName", self.moduleName)
        return node

    def createParameterNode(self):
        if not self.isSingletonParameterNode:
            raise NotImplementedError("the host knows one parameter node per module only")
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def runTest(self) -> None:
        for name in [each for each in dir(self) if each.startswith("test")]:
            logging.info(f"Running {name}")
            self.setUp()
            getattr(self, name)()
            self.tearDown()

    def delayDisplay(self, message: str, requestedDelay=None, msec=None) -> None:
        logging.info(message)
