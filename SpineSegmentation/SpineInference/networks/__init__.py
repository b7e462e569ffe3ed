"""The networks that a model package may name: one registry, used by training and inference alike.

A family is a function `name(in_channels, classes, **arguments) -> torch.nn.Module` in one of the modules of this
package. It is imported when it is built, so that importing this package needs no torch. To add a family, write
the function and give it a line in `_FAMILIES`.
"""

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import SpineError

if TYPE_CHECKING:
    import torch

# family -> the module of this package that holds the function of the same name ("-" written as "_")
_FAMILIES = {
    "unet": "library",
}


def families() -> list[str]:
    """The names of all network families."""
    return sorted(_FAMILIES)


def check_family(family: str) -> None:
    """Raise SpineError if there is no network family of that name. Imports nothing heavy."""
    if family not in _FAMILIES:
        raise SpineError(f'There is no network family "{family}": known are {", ".join(families())}.')


def build(family: str, in_channels: int, classes: int, **arguments: Any) -> "torch.nn.Module":
    """The network of a family: float [n, in_channels, rows, cols] -> LOGITS [n, classes, rows, cols].

    Raises SpineError for an unknown family, an unknown argument (listing the known ones), or arguments from which
    the network cannot be built.
    """
    builder = _builder(family)
    known = [name for name in inspect.signature(builder).parameters if name not in ("in_channels", "classes")]
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise SpineError(f'The network family "{family}" has no argument "{unknown[0]}": known are {", ".join(known)}.')
    try:
        return builder(in_channels=in_channels, classes=classes, **arguments)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        raise SpineError(f'The network "{family}" cannot be built from {arguments}: {error}') from error


def _builder(family: str) -> Callable[..., "torch.nn.Module"]:
    check_family(family)
    try:
        module = import_module(f".{_FAMILIES[family]}", __name__)
    except ModuleNotFoundError as error:
        raise SpineError(
            f'The network family "{family}" needs the Python package "{error.name}", which is not installed: '
            "install it, or choose the device cpu."
        ) from error
    return getattr(module, family.replace("-", "_"))
