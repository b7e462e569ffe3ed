"""Puts into words what is wrong with a configuration, with the name that was probably meant."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

RENAMED = {
    "card": "model_info",
    "label": "labels",
    "wants": "resources",
    "also": "extra_runs",
    "first": "prerequisites",
}
"""Settings by the names that they have in older files."""

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first mistake that validating by `model` has found: its place, and what to write instead."""
    # What is missing stands first, though an old name for it may be all that is wrong.
    first = min(error.errors(), key=lambda each: _new_name(each, model) is None)
    place = ".".join(str(part) for part in first["loc"]) or "the whole file"
    if first["type"] in _UNKNOWN:
        if new := _new_name(first, model):
            return f"{place}: this setting is called {new}"
        *section, name = first["loc"]
        return f"{place}: there is no such setting, {suggestion(str(name), _names_at(section, model))}"
    message = first["msg"].removeprefix("Value error, ")
    value = "" if isinstance(first["input"], dict) else f", not {first['input']!r}"
    return f"{place}: {message}{value if first['type'] != 'value_error' else ''}"


def _new_name(error: Mapping[str, Any], model: type[BaseModel]) -> str | None:
    """What the setting that does not exist is called there; None where it never did."""
    if error["type"] not in _UNKNOWN:
        return None
    *section, name = error["loc"]
    new = RENAMED.get(str(name))
    return new if new in _names_at(section, model) else None


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """What to write instead of `wrong`, as the end of a sentence: the nearest of the `known` names, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(wrong, known, n=3)
    return f"perhaps {' or '.join(near)}" if near else f"known are {', '.join(known)}"


def _names_at(place: Iterable[str | int], model: Any) -> list[str]:
    """The settings that the section at `place` has."""
    for part in place:
        model = next((kind for kind in _sections(model) if isinstance(part, int) or part in _fields(kind)), None)
        if not isinstance(part, int):
            model = _fields(model).get(part)
    return [name for kind in _sections(model) for name in _fields(kind)]


def _sections(annotation: Any) -> list[Any]:
    """The classes with settings inside an annotation such as `Transform | None` or `tuple[Dataset, ...]`."""
    if _fields(annotation):
        return [annotation]
    return [kind for argument in get_args(annotation) for kind in _sections(argument)]


def _fields(kind: Any) -> dict[str, Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    if dataclasses.is_dataclass(kind):
        return {field.name: field.type for field in dataclasses.fields(kind)}
    return {}
