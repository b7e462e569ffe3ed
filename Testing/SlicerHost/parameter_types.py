"""How one parameter of a parameter node is checked, written as text or node reference, and read back."""

import enum
import json
import types
import typing
from collections.abc import MutableSequence

import slicer

_PLAIN = (str, int, float, bool)


class Choice:
    """One of these values."""

    def __init__(self, choices):
        self.choices = choices

    def validate(self, value) -> None:
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")


class WithinRange:
    """Between two numbers, both included."""

    def __init__(self, minimum, maximum):
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not between {self.minimum} and {self.maximum}")


class Default:
    """The value of a parameter that nobody has set."""

    def __init__(self, value):
        self.value = value


class Parameter:
    """One parameter: its name, type, limits and default. Of Slicer's types the host has those that the panel needs."""

    def __init__(self, name: str, annotation, default=None):
        self.name, self.annotation = name, annotation
        self.kind, self._notes = annotation, ()
        if typing.get_origin(annotation) is typing.Annotated:
            self.kind, *self._notes = typing.get_args(annotation)
        union = typing.get_origin(self.kind) in (typing.Union, types.UnionType)
        members = typing.get_args(self.kind) if union else (self.kind,)
        self.nodeClasses = tuple(each for each in members if _isClass(each, slicer.vtkMRMLNode))
        self.isNode = bool(self.nodeClasses)
        self.isEnum = _isClass(self.kind, enum.Enum)
        self.isList = typing.get_origin(self.kind) is list and typing.get_args(self.kind)[0] in _PLAIN
        if not (self.isNode or self.isEnum or self.isList or self.kind in _PLAIN):
            raise NotImplementedError(f"{name}: the host has no parameters of type {annotation}")
        note = self.note(Default)
        self.default = default if default is not None else note.value if note else self._emptyValue()

    def note(self, kind: type):
        """The annotation of this kind, or None."""
        return next((note for note in self._notes if isinstance(note, kind)), None)

    def write(self, node, value) -> None:
        """Check the value and write it. TypeError or ValueError if it is none of this parameter's."""
        if value is None and not self.isNode:
            raise ValueError(f"{self.name}: None is no value")
        if not self._accepts(value):
            raise TypeError(f"{self.name}: {value!r} is no {self.annotation}")
        for note in (self.note(Choice), self.note(WithinRange)):
            if note:
                note.validate(value)
        if self.isNode:
            node.SetParameter(self.name, "")
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
        elif self.isList:
            node.SetParameter(self.name, json.dumps(list(value)))
        else:
            node.SetParameter(self.name, value.name if self.isEnum else str(value))

    def read(self, node):
        """The value, like in Slicer without a check; the default if the scene holds none."""
        if not node.HasParameter(self.name):
            self.write(node, self.default)
        if self.isNode:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if self.isList:
            return ObservedList(json.loads(text), lambda values: self.write(node, values))
        if self.kind is bool:
            return text == "True"
        return self.kind[text] if self.isEnum else self.kind(text)

    def _accepts(self, value) -> bool:
        if self.isNode:
            return value is None or isinstance(value, self.nodeClasses)
        if self.isList:
            [item] = typing.get_args(self.kind)
            return isinstance(value, list | ObservedList) and all(isinstance(each, item) for each in value)
        return isinstance(value, (int, float) if self.kind is float else self.kind)

    def _emptyValue(self):
        if self.isNode:
            return None
        if self.isEnum:
            return next(iter(self.kind))
        return [] if self.isList else self.kind()


class ObservedList(MutableSequence):
    """A list that is written back when it is changed."""

    def __init__(self, values: list, save):
        self._values, self._save = values, save

    def __getitem__(self, index):
        return self._values[index]

    def __setitem__(self, index, value) -> None:
        self._values[index] = value
        self._save(self._values)

    def __delitem__(self, index) -> None:
        del self._values[index]
        self._save(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def insert(self, index: int, value) -> None:
        self._values.insert(index, value)
        self._save(self._values)

    def __eq__(self, other) -> bool:
        return self._values == list(other)


def _isClass(kind, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)
