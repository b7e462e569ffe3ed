"""JSON to frozen dataclasses, strictly: nothing unknown, nothing missing, nothing of another type.

The fields of the dataclass are the schema. Understood are str, bool, int, float, Any, None, X | None, Literal,
list[X], tuple[X, Y], tuple[X, ...], dict[str, X] and dataclasses in any nesting. A field with a default may be
missing from the JSON. pydantic would do it too, but Slicer does not have it.
"""

import dataclasses
import json
import math
import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import SpineError

T = TypeVar("T")


def parse_json(text: str | bytes, type_: type[T], what: str) -> T:
    """The value of `type_` written in the JSON `text`; `what` names it in messages ("the manifest of X").

    Raises SpineError that says the place in the JSON, what was expected there, and what was found.
    """
    return parse(load_json(text, what), type_, what)


def load_json(text: str | bytes, what: str) -> Any:
    """The JSON `text` as dicts, lists, strings and numbers. Raises SpineError when it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpineError(f"{what} is not valid JSON ({error}): it is damaged or something else.") from None


def parse(value: Any, type_: type[T], what: str) -> T:
    """As `parse_json`, from a value that is already parsed (dicts, lists, strings, numbers)."""
    try:
        return _value(value, type_, "")
    except _Mismatch as mismatch:
        raise SpineError(f"{what} is not valid: {mismatch}.") from None


def as_json(instance: Any) -> str:
    """A dataclass as indented JSON text that `parse_json` reads back to an equal one."""
    return json.dumps(dataclasses.asdict(instance), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


class _Mismatch(Exception):
    """What does not fit, as the part of a sentence that follows "is not valid: "."""


def _expected(path: str, expected: str, found: Any) -> _Mismatch:
    text = json.dumps(found, ensure_ascii=False, default=repr)
    shown = text if len(text) <= 60 else text[:57] + "..."
    return _Mismatch(f"{_place(path)} must be {expected}, not {shown}")


def _place(path: str) -> str:
    return path.lstrip(".") or "the top level"


def _value(value: Any, type_: Any, path: str) -> Any:
    origin, arguments = get_origin(type_), get_args(type_)
    if type_ is Any:
        return value
    if dataclasses.is_dataclass(type_):
        return _dataclass(value, type_, path)
    if origin in (Union, types.UnionType):
        return _union(value, arguments, path)
    if origin is Literal:
        if any(value == option and type(value) is type(option) for option in arguments):
            return value
        raise _expected(path, "one of " + ", ".join(json.dumps(option) for option in arguments), value)
    if origin is list:
        return _items(value, [arguments[0]] * _length(value, path), path)
    if origin is tuple:
        return tuple(_items(value, _tuple_types(value, arguments, path), path))
    if origin is dict:
        if not isinstance(value, dict):
            raise _expected(path, "an object", value)
        return {key: _value(item, arguments[1], f"{path}.{key}") for key, item in value.items()}
    return _scalar(value, type_, path)


def _dataclass(value: Any, type_: type, path: str) -> Any:
    if not isinstance(value, dict):
        raise _expected(path, "an object", value)
    fields = {field.name: field for field in dataclasses.fields(type_)}
    for key in value:
        if key not in fields:
            raise _Mismatch(f'"{key}" is unknown in {_place(path)}: known are {", ".join(fields)}')
    hints = get_type_hints(type_)
    parsed = {}
    for name, field in fields.items():
        if name in value:
            parsed[name] = _value(value[name], hints[name], f"{path}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _Mismatch(f'"{name}" is missing in {_place(path)}')
    return type_(**parsed)


def _union(value: Any, options: tuple, path: str) -> Any:
    if value is None and type(None) in options:
        return None
    mismatches = []
    for option in options:
        if option is type(None):
            continue
        try:
            return _value(value, option, path)
        except _Mismatch as mismatch:
            mismatches.append(mismatch)
    # With one real option (X | None) its own message is the precise one.
    raise mismatches[0] if len(mismatches) == 1 else _expected(path, " or ".join(map(_name, options)), value)


def _items(value: Any, item_types: list, path: str) -> list:
    return [_value(item, type_, f"{path}[{i}]") for i, (item, type_) in enumerate(zip(value, item_types, strict=True))]


def _length(value: Any, path: str) -> int:
    if not isinstance(value, list | tuple):
        raise _expected(path, "a list", value)
    return len(value)


def _tuple_types(value: Any, arguments: tuple, path: str) -> list:
    length = _length(value, path)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return [arguments[0]] * length
    if length != len(arguments):
        raise _expected(path, f"a list of {len(arguments)}", value)
    return list(arguments)


def _scalar(value: Any, type_: type, path: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if type_ is float and number and math.isfinite(value):
        return float(value)
    if type_ is not float and type(value) is type_:
        return value
    raise _expected(path, _name(type_), value)


def _name(type_: Any) -> str:
    names = {str: "text", bool: "true or false", int: "an integer", float: "a finite number", type(None): "null"}
    return names.get(type_, "an object" if dataclasses.is_dataclass(type_) else str(type_))
