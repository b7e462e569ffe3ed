"""Which parameter a widget can show, and how: of the pairs that Slicer 5.8 knows, those of the host's widgets."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from .parameter_types import Choice, Parameter, WithinRange


@dataclass
class Binding:
    """How a widget shows a value: the ways to read and write it, the signal of a change, what is done at first."""

    signal: str | None
    read: Callable
    write: Callable
    prepare: Callable = lambda widget, parameter: None


def _property(signal: str | None, name: str, prepare: Callable = Binding.prepare) -> Binding:
    def write(widget, parameter, value):
        if getattr(widget, name) != value:  # otherwise the cursor in a line jumps to its end
            setattr(widget, name, value)

    return Binding(signal, lambda widget, parameter: getattr(widget, name), write, prepare)


def _limit(widget, parameter: Parameter) -> None:
    """A box without limits goes as far as Qt can; a slider without limits is refused."""
    note = parameter.note(WithinRange)
    if note is None and widget.className() == "QSlider":
        raise RuntimeError(f"{parameter.name}: a QSlider needs WithinRange")
    furthest = 2**31 - 1 if parameter.kind is int else float("inf")
    widget.minimum, widget.maximum = (note.minimum, note.maximum) if note else (-furthest, furthest)


def _checkable(widget, parameter: Parameter) -> None:
    widget.checkable = True


def _nodeTypes(widget, parameter: Parameter) -> None:
    """Like Slicer, overrides what the .ui file says."""
    widget.nodeTypes = [each.__name__ for each in parameter.nodeClasses]


def _choices(parameter: Parameter) -> list:
    if parameter.isEnum:
        return list(parameter.kind)
    if (note := parameter.note(Choice)) is None:
        raise RuntimeError(f"{parameter.name}: a combo box needs Choice")
    return list(note.choices)


def _fill(widget, parameter: Parameter) -> None:
    widget.clear()
    for choice in _choices(parameter):
        widget.addItem(choice.name if parameter.isEnum else str(choice))


_COMBO_BOX = Binding(
    "currentIndexChanged(int)",
    lambda widget, parameter: _choices(parameter)[widget.currentIndex],
    lambda widget, parameter, value: setattr(widget, "currentIndex", _choices(parameter).index(value)),
    _fill,
)
_NODE_BOX = Binding(
    "currentNodeChanged(vtkMRMLNode*)",
    lambda widget, parameter: widget.currentNode(),
    lambda widget, parameter, value: widget.setCurrentNode(value),
    _nodeTypes,
)
_BINDINGS: dict[tuple[str, object], Binding] = {
    ("QCheckBox", bool): _property("stateChanged(int)", "checked"),
    ("QPushButton", bool): _property("toggled(bool)", "checked", _checkable),
    ("QSpinBox", int): _property("valueChanged(int)", "value", _limit),
    ("QSlider", int): _property("valueChanged(int)", "value", _limit),
    ("QDoubleSpinBox", float): _property("valueChanged(double)", "value", _limit),
    ("QLineEdit", str): _property("textChanged(QString)", "text"),
    ("QLabel", str): _property(None, "text"),
    ("QTextEdit", str): _property("textChanged()", "plainText"),
    ("qMRMLNodeComboBox", "node"): _NODE_BOX,
    **{("QComboBox", kind): _COMBO_BOX for kind in (str, int, float, bool, enum.Enum)},
}


def bindingFor(widget, parameter: Parameter) -> Binding:
    """RuntimeError if Slicer cannot show this parameter in this widget."""
    kind = "node" if parameter.isNode else enum.Enum if parameter.isEnum else parameter.kind
    if (binding := _BINDINGS.get((widget.className(), kind))) is None:
        raise RuntimeError(
            f"a {widget.className()} cannot show the parameter '{parameter.name}' of type {parameter.annotation}"
        )
    return binding
