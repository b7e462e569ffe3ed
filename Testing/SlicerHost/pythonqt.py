"""Qt as PythonQt shows it, on top of PySide6: properties are attributes, and signals are named by strings.

What PythonQt refuses is refused here, and where PythonQt only prints a warning (a signal that does not exist), this
raises. Errors in slots are printed, as in Slicer, and kept in `slotErrors`, so that no test passes over them.
"""

import enum
import math
import re
import traceback
import types
import weakref

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from shiboken6 import Shiboken

# Errors that slots, timers and observers have raised since somebody looked.
slotErrors: list[BaseException] = []
# (class name, member name) -> what replaces it, or a NotImplementedError.
replacements: dict[tuple[str, str], object] = {}

_MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)
_NOT_IN_PYTHONQT = {"Signal", "SignalInstance", "Slot", "Property", "ClassInfo", "QEnum", "QFlag", "SIGNAL", "SLOT"}
_classes: dict[type, type] = {}


class EnumValue(int):
    """A value of an enumeration; an int, as in PythonQt."""

    def __new__(cls, member: enum.Enum):
        self = super().__new__(cls, member.value)
        self.member = member
        return self

    def __or__(self, other):
        return EnumValue(self.member | other.member)

    __hash__ = int.__hash__


class BoundSlot:
    """A method of a wrapped object. As a slot it gets every argument of the signal."""

    def __init__(self, owner: "Wrapper", name: str):
        self.owner, self.name = owner, name

    def __call__(self, *arguments):
        return wrap(getattr(self.owner._alive(), self.name)(*map(unwrap, arguments)))

    def __eq__(self, other) -> bool:
        return isinstance(other, BoundSlot) and (self.owner, self.name) == (other.owner, other.name)

    def __hash__(self) -> int:
        return hash((self.owner, self.name))


class BoundSignal:
    """`button.clicked`: call it to emit the signal."""

    def __init__(self, owner: "Wrapper", signature: str):
        self._owner, self._signature = owner, signature

    def connect(self, slot) -> bool:
        return self._owner.connect(self._signature, slot)

    def disconnect(self, slot) -> bool:
        return self._owner.disconnect(self._signature, slot)

    def __call__(self, *arguments) -> None:
        getattr(self._owner._alive(), self._signature.partition("(")[0]).emit(*map(unwrap, arguments))


class WrapperClass(type):
    def __getattr__(cls, name: str):
        """Enumerations, nested classes and static functions."""
        if name.startswith("__") or "_qtClass" not in cls.__dict__:
            raise AttributeError(name)
        if (cls.__name__, name) in replacements:
            return replacements[cls.__name__, name]
        try:
            member = getattr(cls._qtClass, name)
        except AttributeError:
            raise AttributeError(f"type object '{cls.__name__}' has no attribute '{name}'") from None
        if callable(member) and not isinstance(member, type):
            return lambda *arguments: wrap(member(*map(unwrap, arguments)))
        return wrap(member)


class Wrapper(metaclass=WrapperClass):
    """An object of Qt. PythonQt's classes know nothing of inheritance: a button is no instance of qt.QWidget."""

    def __init_subclass__(cls, qtClass=None):
        if qtClass is None:
            raise NotImplementedError(f"{cls.__name__}: the host cannot derive Python classes from Qt's")
        cls._qtClass = qtClass

    def __init__(self, *arguments, **properties):
        self._hold(type(self)._qtClass(*map(unwrap, arguments)))
        for name, value in properties.items():
            setattr(self, name, value)

    def _hold(self, qtObject) -> None:
        object.__setattr__(self, "_qt", qtObject)

    def _alive(self):
        if not Shiboken.isValid(self._qt):
            raise ValueError(f"this {type(self).__name__} has been destroyed")
        return self._qt

    def _property(self, name: str) -> QtCore.QMetaProperty | None:
        if not isinstance(self._qt, QtCore.QObject):
            return None
        meta = self._alive().metaObject()
        index = meta.indexOfProperty("objectName" if name == "name" else name)
        return meta.property(index) if index >= 0 else None

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        if prop := self._property(name):
            return wrap(self._qt.property(prop.name()))
        qtObject = self._alive()
        if (type(self).__name__, name) in replacements:
            return types.MethodType(replacements[type(self).__name__, name], self)
        if isinstance(qtObject, QtCore.QObject):
            if signature := _signal(qtObject, name):
                return BoundSignal(self, signature)
            if name in _dynamicProperties(qtObject):
                return wrap(qtObject.property(name))
        member = getattr(qtObject, name, None)
        if callable(member) and not isinstance(member, type):
            return BoundSlot(self, name)
        if member is not None:
            return wrap(member)
        if isinstance(qtObject, QtCore.QObject):
            for child in qtObject.children():
                if child.objectName() == name:
                    return wrap(child)
        raise AttributeError(f"{type(self).__name__} has no attribute named '{name}'")

    def __setattr__(self, name: str, value) -> None:
        if prop := self._property(name):
            if not prop.isWritable():
                raise AttributeError(f"property '{name}' of {type(self).__name__} is not writable")
            if not self._alive().setProperty(prop.name(), _asPropertyValue(prop, value)):
                raise AttributeError(f"property '{name}' of type '{prop.typeName()}' does not accept {value!r}")
        elif isinstance(self._qt, QtCore.QObject) and name in _dynamicProperties(self._alive()):
            self._qt.setProperty(name, unwrap(value))
        else:
            raise AttributeError(f"'{name}' is no property of {type(self).__name__}: it cannot be set")

    def connect(self, signal: str, slot, receiverSlot: str | None = None) -> bool:
        """Call `slot(...)`, or the slot `receiverSlot` of the object `slot`, when the signal is sent."""
        sender, signature = self._alive(), _normalized(signal)
        if sender.metaObject().indexOfSignal(signature) < 0:
            raise ValueError(f"{type(self).__name__} has no signal '{signal}'")
        if receiverSlot is not None:
            slot = getattr(slot, receiverSlot.partition("(")[0])
        if not callable(slot):
            raise TypeError(f"'{signal}' cannot be connected to {slot!r}")
        relay = guarded(slot)
        QtCore.QObject.connect(sender, QtCore.SIGNAL(signature), relay)
        _connections(sender).append((signature, slot, relay))
        return True

    def disconnect(self, signal: str, slot) -> bool:
        sender, signature = self._alive(), _normalized(signal)
        for known in _connections(sender):
            if known[:2] == (signature, slot):
                QtCore.QObject.disconnect(sender, QtCore.SIGNAL(signature), known[2])
                _connections(sender).remove(known)
                return True
        return False

    def className(self) -> str:
        return self._alive().metaObject().className()

    def __eq__(self, other) -> bool:
        return isinstance(other, Wrapper) and self._qt == other._qt

    def __hash__(self) -> int:
        return hash(self._qt)

    def __bool__(self) -> bool:
        return Shiboken.isValid(self._qt)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of the host>"


def wrap(value):
    """What Python code in Slicer sees of a value of PySide6."""
    if isinstance(value, Shiboken.Object):
        known = getattr(value, "_wrapper", lambda: None)()
        if known is not None:
            return known
        wrapper = object.__new__(wrapperClass(type(value)))
        wrapper._hold(value)
        if isinstance(value, QtCore.QObject):
            value._wrapper = weakref.ref(wrapper)
        return wrapper
    if isinstance(value, enum.Enum):
        return EnumValue(value)
    if isinstance(value, list | tuple):
        return type(value)(map(wrap, value))
    if isinstance(value, type) and issubclass(value, Shiboken.Object):
        return wrapperClass(value)
    return value


def unwrap(value):
    """What PySide6 gets of a value of Python code in Slicer."""
    if isinstance(value, Wrapper):
        return value._qt
    if isinstance(value, EnumValue):
        return value.member
    if isinstance(value, list | tuple):
        return type(value)(map(unwrap, value))
    if isinstance(value, types.FunctionType | types.MethodType | BoundSlot):
        return guarded(value)
    return value


def wrapperClass(qtClass: type) -> type:
    """The class that Python code in Slicer sees for one of PySide6 or of the host's own widgets."""
    if qtClass not in _classes:
        _classes[qtClass] = WrapperClass(qtClass.__name__, (Wrapper,), {}, qtClass=qtClass)
    return _classes[qtClass]


def qtMember(name: str):
    """The class or function `qt.<name>`. Raises AttributeError if there is none."""
    for module in _MODULES:
        if name not in _NOT_IN_PYTHONQT and hasattr(module, name):
            return wrap(getattr(module, name))
    raise AttributeError(f"module 'qt' has no attribute '{name}'")


def guarded(slot):
    """The slot as PythonQt calls it: superfluous arguments are left out, errors do not get through to Qt."""
    counted = isinstance(slot, types.FunctionType | types.MethodType)
    code = slot.__code__ if counted else None
    limit = None
    if code and not code.co_flags & 0x04:  # no *args
        limit = code.co_argcount - isinstance(slot, types.MethodType)

    def relay(*arguments):
        try:
            slot(*map(wrap, arguments[:limit]))
        except Exception as error:
            traceback.print_exc()
            slotErrors.append(error)

    return relay


def _connections(qtObject) -> list:
    return qtObject.__dict__.setdefault("_pythonConnections", [])


def _dynamicProperties(qtObject: QtCore.QObject) -> set[str]:
    return {bytes(name.data()).decode() for name in qtObject.dynamicPropertyNames()}


def _normalized(signature: str) -> str:
    """In PySide6 all objects that are not Qt's own go by one name."""
    normal = bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
    return re.sub(r"vtk\w+\*", "PyObject", normal)


_signals: dict[str, dict[str, str]] = {}
"""The signals of each class, by name: looking for them takes longer than all else that a wrapper does."""


def _signal(qtObject: QtCore.QObject, name: str) -> str | None:
    """The first signal of that name, with its arguments; of those with default arguments, the longest."""
    meta = qtObject.metaObject()
    if meta.className() not in _signals:
        signals = _signals[meta.className()] = {}
        for index in range(meta.methodCount()):
            method = meta.method(index)
            if method.methodType() == QtCore.QMetaMethod.Signal:
                signals.setdefault(
                    bytes(method.name().data()).decode(), bytes(method.methodSignature().data()).decode()
                )
    return _signals[meta.className()].get(name)


def _asPropertyValue(prop: QtCore.QMetaProperty, value):
    """Converted as PythonQt does: anything to str and bool, numbers to numbers."""
    try:
        match prop.typeName():
            case "QString":
                return str(value)
            case "bool":
                return bool(value)
            case "int" | "uint":
                return math.floor(value)
            case "double" | "float":
                return float(value)
            case "QStringList":
                return list(map(str, value))
    except (TypeError, ValueError):
        kind = f"{type(value).__name__} ({value!r})"
        raise AttributeError(f"property '{prop.name()}' of type '{prop.typeName()}' does not accept {kind}") from None
    return unwrap(value)
