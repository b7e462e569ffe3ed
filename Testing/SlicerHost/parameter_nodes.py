"""Stand-in for `slicer.parameterNodeWrapper`: typed parameters in a node of the scene, connected with widgets."""

import typing

import slicer
import vtk

from .parameter_types import Choice, Default, Parameter, WithinRange
from .parameter_widgets import bindingFor

__all__ = ["Choice", "Default", "WithinRange", "parameterNodeWrapper"]


class _ParameterNode:
    """What the decorated class becomes: its annotated members live in `parameterNode`."""

    allParameters: dict[str, Parameter]

    def __init__(self, parameterNode):
        self.parameterNode = parameterNode
        self._connections: dict[int, tuple] = {}
        self._updatingGui = False
        for parameter in self.allParameters.values():
            if not parameterNode.HasParameter(parameter.name):
                self.setValue(parameter.name, parameter.default)

    def getValue(self, name: str):
        return self._parameter(name).read(self.parameterNode)

    def setValue(self, name: str, value) -> None:
        """Sends one Modified event, however much changes."""
        with slicer.util.NodeModify(self.parameterNode):
            self._parameter(name).write(self.parameterNode, value)

    def connectGui(self, gui) -> int:
        """Connect every widget with a property SlicerParameterName; `gui` has the widgets as attributes or children."""
        isWidget = getattr(gui, "isWidgetType", lambda: False)()
        widgets = slicer.util.findChildren(gui) if isWidget else gui.__dict__.values()
        named = {each.property("SlicerParameterName"): each for each in widgets if each.isWidgetType()}
        return self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, widgets: dict) -> int:
        bindings = {name: bindingFor(widget, self._parameter(name)) for name, widget in widgets.items()}
        slots = []
        for name, widget in widgets.items():
            parameter, binding = self._parameter(name), bindings[name]
            binding.prepare(widget, parameter)
            binding.write(widget, parameter, self.getValue(name))
            if binding.signal:
                slot = self._slot(name, widget, binding)
                widget.connect(binding.signal, slot)
                slots.append((widget, binding.signal, slot))

        def update(caller=None, event=None):
            if self._updatingGui:
                return
            self._updatingGui = True
            try:
                for name, widget in widgets.items():
                    bindings[name].write(widget, self._parameter(name), self.getValue(name))
            finally:
                self._updatingGui = False

        tag = len(self._connections)
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, update)
        self._connections[tag] = (observer, slots)
        return tag

    def disconnectGui(self, tag: int) -> None:
        observer, slots = self._connections.get(tag, (None, ()))
        if observer is not None:
            self.RemoveObserver(observer)
            self._connections[tag] = (None, ())
        for widget, signal, slot in slots:
            if widget:
                widget.disconnect(signal, slot)

    def AddObserver(self, event, callback, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: int) -> None:
        self.parameterNode.EndModify(wasModified)

    def Modified(self) -> None:
        self.parameterNode.Modified()

    def _parameter(self, name: str) -> Parameter:
        if name not in self.allParameters:
            raise ValueError(f"no parameter is called '{name}', only {list(self.allParameters)}")
        return self.allParameters[name]

    def _slot(self, name, widget, binding):
        def changed():
            if not self._updatingGui:
                self.setValue(name, binding.read(widget, self._parameter(name)))

        return changed


def parameterNodeWrapper(described: type) -> type:
    """The decorator: a class with annotated members becomes one that keeps them in a parameter node."""
    parameters = {
        name: Parameter(name, annotation, getattr(described, name, None))
        for name, annotation in typing.get_type_hints(described, include_extras=True).items()
    }
    members = {
        name: property(
            lambda self, name=name: self.getValue(name), lambda self, value, name=name: self.setValue(name, value)
        )
        for name in parameters
    }
    if reserved := [name for name in parameters if hasattr(_ParameterNode, name)]:
        raise ValueError(f"these names of parameters are taken: {reserved}")
    return type(
        described.__name__,
        (described, _ParameterNode),
        {
            **members,
            "__init__": _ParameterNode.__init__,
            "__module__": described.__module__,
            "allParameters": parameters,
        },
    )
