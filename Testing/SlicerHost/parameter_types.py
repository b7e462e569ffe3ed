"""How one parameter of a parameter node is checked, written as text or node reference, and read back."""

import enum
import json
import types
import typing
from collections.abc import MutableSequence

import slicer


class Choice:
    """One of these values."""

    def __init__(self, choices):
        self.choices = choices

    def validate(self, value) -> None:
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")


class Minimum:
    def __init__(self, minimum):
        self.minimum = minimum

    def validate(self, value) -> None:
        if value < self.minimum:
            raise ValueError(f"{value} is below {self.minimum}")


class Maximum:
    def __init__(self, maximum):
        self.maximum = maximum

    def validate(self, value) -> None:
        if value > self.maximum:
            raise ValueError(f"{value} is above {self.maximum}")


class WithinRange(Minimum, Maximum):
    """Between two numbers, both included."""

    def __init__(self, minimum, maximum):
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value) -> None:
        Minimum.validate(self, value)
        Maximum.validate(self, value)


class Default:
    """The value of a parameter that nobody has set."""

    def __init__(self, value):
        self.value = value


class Decimals(Default):
    """Digits that a number's widget shows after the point."""


class SingleStep(Default):
    """By how much a number's widget changes with one click."""


class Parameter:
    """One parameter: its name, type, the limits of its values, its default."""

    def __init__(self, name: str, annotation, default=None):
        self.name, self.annotation = name, annotation
        self.kind, self.notes = annotation, ()
        if typing.get_origin(annotation) is typing.Annotated:
            self.kind, *self.notes = typing.get_args(annotation)
        if typing.get_origin(self.kind) in (typing.Union, types.UnionType):
            self.kind = tuple(each for each in typing.get_args(self.kind) if each is not type(None))
        self._check()
        given = self.note(Default)
        self.default = default if default is not None else given.value if given else self._emptyValue()

    def note(self, kind: type):
        """The annotation of exactly this type, or None."""
        return next((note for note in self.notes if type(note) is kind), None)

    @property
    def isNode(self) -> bool:
        return _isNode(self.kind)

    def write(self, node, value) -> None:
        """Check the value and write it. TypeError or ValueError if it is none of this parameter's."""
        if not self._accepts(value):
            raise TypeError(f"{self.name}: {value!r} is no {self.kind}")
        for note in self.notes:
            if hasattr(note, "validate"):
                note.validate(value)
        if self.isNode:
            node.SetParameter(self.name, "")
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
        else:
            node.SetParameter(self.name, self._toText(value))

    def read(self, node):
        """The value; like Slicer without checking it. The default if the scene holds none."""
        if not node.HasParameter(self.name):
            self.write(node, self.default)
        if self.isNode:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if typing.get_origin(self.kind) is list:
            return ObservedList(json.loads(text), lambda values: self.write(node, values))
        if self.kind is bool:
            return text == "True"
        return self.kind[text] if issubclass(self.kind, enum.Enum) else self.kind(text)

    def _check(self) -> None:
        kind, items = self.kind, typing.get_args(self.kind)
        if typing.get_origin(kind) is list and items and items[0] in (str, int, float, bool):
            return
        if kind in (str, int, float, bool) or self.isNode:
            return
        if not (isinstance(kind, type) and issubclass(kind, enum.Enum)):
            raise NotImplementedError(f"{self.name}: the host has no parameters of type {kind}")

    def _accepts(self, value) -> bool:
        if self.isNode:
            return value is None or isinstance(value, self.kind)
        if typing.get_origin(self.kind) is list:
            [item] = typing.get_args(self.kind)
            return isinstance(value, list | ObservedList) and all(isinstance(each, item) for each in value)
        return isinstance(value, (int, float) if self.kind is float else self.kind)

    def _toText(self, value) -> str:
        if typing.get_origin(self.kind) is list:
            return json.dumps(list(value))
        return value.name if isinstance(value, enum.Enum) else str(value)

    def _emptyValue(self):
        if self.isNode:
            return None
        if isinstance(self.kind, type) and issubclass(self.kind, enum.Enum):
            return next(iter(self.kind))
        return (typing.get_origin(self.kind) or self.kind)()


class ObservedList(MutableSequence):
    """A list that writes itself back when it is changed."""

    def __init__(self, values: list, save):
        self._values, self._save = values, save

    def __getitem__(self, index):
        return self._values[index]

    def __setitem__(self, index, value) -> None:
        self._change(lambda values: values.__setitem__(index, value))

    def __delitem__(self, index) -> None:
        self._change(lambda values: values.__delitem__(index))

    def __len__(self) -> int:
        return len(self._values)

    def insert(self, index: int, value) -> None:
        self._change(lambda values: values.insert(index, value))

    def __eq__(self, other) -> bool:
        return self._values == list(other)

    def _change(self, change) -> None:
        values = list(self._values)
        change(values)
        self._save(values)
        self._values = values


def _isNode(kind) -> bool:
    if isinstance(kind, tuple):  # a union
        return all(map(_isNode, kind))
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)
