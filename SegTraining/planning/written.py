"""A plan as YAML, with the reason of every setting as a comment above it."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from .rules import Setting

_WIDTH = 116


def plain_values(plan: Any) -> Any:
    """The plan without its reasons: what a configuration is parsed of."""
    if isinstance(plan, Setting):
        return plan.value
    if isinstance(plan, Mapping):
        return {key: plain_values(value) for key, value in plan.items()}
    return [plain_values(value) for value in plan] if isinstance(plan, list) else plan


def as_yaml(plan: Mapping[str, Any], heading: str) -> str:
    """`heading` and the plan, as text that `yaml.safe_load` reads into `plain_values` of it."""
    lines = [*_comment(heading, ""), ""]
    for key, value in plan.items():
        lines += [*_entry(key, value, ""), *([""] if isinstance(value, Mapping) else [])]
    return "\n".join(lines).rstrip() + "\n"


def _entry(key: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Setting):
        yield from _comment(value.why, indent)
        yield f"{indent}{key}: {_flow(value.value)}"
    elif isinstance(value, Mapping):
        yield f"{indent}{key}:"
        for inner, content in value.items():
            yield from _entry(inner, content, indent + "  ")
    else:  # a list of sections
        yield f"{indent}{key}:"
        for section in value:
            lines = [line for inner, content in section.items() for line in _entry(inner, content, indent + "    ")]
            yield f"{indent}  -"
            yield from lines


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in textwrap.wrap(text, _WIDTH - len(indent))]


def _flow(value: Any) -> str:
    """On one line: {p: 0.3, low: -15, high: 15}."""
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True)
        .split("\n...")[0]
        .strip()
    )
