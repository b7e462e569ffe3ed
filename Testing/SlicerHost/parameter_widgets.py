"""Which parameter a widget can show, and how: the pairs that Slicer 5.8 knows, and no others."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from .parameter_types import Choice, Decimals, Maximum, Minimum, Parameter, SingleStep, WithinRange


def _limit(widget, parameter: Parameter, needsLimits: bool) -> None:
    within = parameter.note(WithinRange)
    least, most = within or parameter.note(Minimum), within or parameter.note(Maximum)
    if needsLimits and not (least and most):
        raise RuntimeError(f"{parameter.name}: a {widget.className()} needs WithinRange")
    widget.minimum = least.minimum if least else (-(2**31) if parameter.kind is int else float("-inf"))
    widget.maximum = most.maximum if most else (2**31 - 1 if parameter.kind is int else float("inf"))
    for kind, name in ((Decimals, "decimals"), (SingleStep, "singleStep")):
        if note := parameter.note(kind):
            setattr(widget, name, note.value)


def _limited(widget, parameter: Parameter) -> None:
    _limit(widget, parameter, needsLimits=True)


def _unlimited(widget, parameter: Parameter) -> None:
    _limit(widget, parameter, needsLimits=False)


def _checkable(widget, parameter: Parameter) -> None:
    widget.checkable = True


def _fill(widget, parameter: Parameter) -> None:
    widget.clear()
    for choice in choices(parameter):
        widget.addItem(choice.name if isinstance(choice, enum.Enum) else str(choice))


def choices(parameter: Parameter) -> list:
    if issubclass(parameter.kind, enum.Enum):
        return list(parameter.kind)
    note = parameter.note(Choice)
    if note is None:
        raise RuntimeError(f"{parameter.name}: a combo box needs Choice")
    return list(note.choices)


def _nodeTypes(widget, parameter: Parameter) -> None:
    """Like Slicer, overrides what the .ui file says."""
    kinds = parameter.kind if isinstance(parameter.kind, tuple) else (parameter.kind,)
    widget.nodeTypes = [kind.__name__ for kind in kinds]


@dataclass
class Binding:
    """How a widget shows a value: the property (or other way) to read and write it, and the signal of a change."""

    signal: str | None
    read: Callable
    write: Callable
    prepare: Callable = lambda widget, parameter: None


def _property(signal: str | None, name: str, prepare: Callable = Binding.prepare) -> Binding:
    return Binding(
        signal,
        lambda widget, parameter: getattr(widget, name),
        lambda widget, parameter, value: setattr(widget, name, value),
        prepare,
    )


def _writeLine(widget, parameter, value) -> None:
    if widget.text != value:  # otherwise the cursor jumps to the end
        widget.text = value


_COMBO_BOX = Binding(
    "currentIndexChanged(int)",
    lambda widget, parameter: choices(parameter)[widget.currentIndex],
    lambda widget, parameter, value: setattr(widget, "currentIndex", choices(parameter).index(value)),
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
    ("QSpinBox", int): _property("valueChanged(int)", "value", _unlimited),
    ("QSlider", int): _property("valueChanged(int)", "value", _limited),
    ("QDoubleSpinBox", float): _property("valueChanged(double)", "value", _unlimited),
    ("QLineEdit", str): Binding("textChanged(QString)", lambda widget, parameter: widget.text, _writeLine),
    ("QLabel", str): _property(None, "text"),
    ("QTextEdit", str): _property("textChanged()", "plainText"),
    ("qMRMLNodeComboBox", "node"): _NODE_BOX,
    **{("QComboBox", kind): _COMBO_BOX for kind in (str, int, float, bool, enum.Enum)},
}


def bindingFor(widget, parameter: Parameter) -> Binding:
    """RuntimeError if Slicer cannot show this parameter in this widget."""
    kind = parameter.kind
    if parameter.isNode:
        kind = "node"
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        kind = enum.Enum
    if (binding := _BINDINGS.get((widget.className(), kind))) is None:
        raise RuntimeError(
            f"a {widget.className()} cannot show the parameter '{parameter.name}' of type {parameter.annotation}"
        )
    return binding
