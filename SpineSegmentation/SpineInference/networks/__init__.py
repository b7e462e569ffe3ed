"""The networks that a model package may name: one registry, used by training and inference alike.

A family is a function `name(in_channels, classes, **arguments) -> torch.nn.Module` in one of the modules of this
package. It is imported when it is built, so that importing this package needs no torch. To add a family, write
the function and give it a line in `_FAMILIES`. What a package from outside may ask for is harmless: arguments that
reach other libraries are listed one by one in the families, and networks beyond any use are refused while they grow.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import SpineError

if TYPE_CHECKING:
    import torch

MOST_PARAMETERS = 250_000_000
"""Five times the largest network of the documents: 1 GB in single precision."""

MOST_TENSORS = 2_000
"""Of parameters: four times as many as the deepest network of the documents has."""

_BAD_ARGUMENTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What torch and the libraries raise for arguments that make no network."""

TRAINING_ARGUMENTS = ("encoder_weights", "encoder_weights_sha256")
"""Where a network starts from: of no meaning for a trained one, and never in a package."""


@dataclass(frozen=True)
class _Family:
    """The function `builder` in `module` of this package, called with the arguments `fixed` by the family's name."""

    module: str
    builder: str
    fixed: dict[str, Any] = field(default_factory=dict)


_FAMILIES = {
    **{name: _Family("smp_models", name) for name in ("unet", "fpn", "linknet")},
    "pspnet": _Family("pspnet", "pspnet"),
    **{
        f"custom-{version}": _Family("published.custom", "custom", {"version": version})
        for version in ("v1", "v2", "v3-large32", "v3-large64", "v3-small32", "v3-small64")
    },
    **{
        f"fdn{variant}": _Family("published.fdn", "fdn", {"variant": variant})
        for variant in ("5", "11", "11e", "11be", "13", "16", "16e", "16be")
    },
    "dln11": _Family("published.scintigraphy_baselines", "dln11"),
    "urinet": _Family("published.scintigraphy_baselines", "urinet"),
    "segnet": _Family("published.segnet", "segnet"),
    "poster-unet": _Family("published.milesial_unet", "poster_unet"),
    "residual-unet": _Family("residual_unet", "residual_unet"),
    "bifpn": _Family("bifpn", "bifpn"),
    "boundary-unet": _Family("boundary_unet", "boundary_unet"),
}
_CLASSIFIERS = {"patch-classifier": _Family("patch_classifier", "patch_classifier")}
"""What says something of the whole picture: logits [n, classes, 1, 1]."""


def families() -> list[str]:
    """The names of all families of networks that segment."""
    return sorted(_FAMILIES)


def check_family(family: str, classifies: bool = False) -> None:
    """Raise SpineError if no family of that name segments (or `classifies`). Imports nothing heavy."""
    known = sorted(_CLASSIFIERS) if classifies else families()
    if family not in known:
        raise SpineError(f'There is no network family "{family}": known are {", ".join(known)}.')


def architecture(arguments: dict[str, Any]) -> dict[str, Any]:
    """Those of a family's `arguments` that shape the network, without those that only matter for its training."""
    return {name: value for name, value in arguments.items() if name not in TRAINING_ARGUMENTS}


def build(family: str, in_channels: int, classes: int, **arguments: Any) -> "torch.nn.Module":
    """The network of a family: float [n, in_channels, rows, cols] -> LOGITS [n, classes, rows, cols], or [..., 1, 1].

    rows and cols must be multiples of the network's attribute `pad_multiple`.
    Raises SpineError for an unknown family, an unknown argument (listing the known ones), a network too large for any
    computer in a hospital, or arguments from which the network cannot be built.
    """
    check_family(family, classifies=family in _CLASSIFIERS)
    entry = (_FAMILIES | _CLASSIFIERS)[family]
    builder = getattr(_module(family, entry), entry.builder)
    own = ("in_channels", "classes", *entry.fixed)
    known = [name for name in inspect.signature(builder).parameters if name not in own]
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        known_text = f"known are {', '.join(known)}" if known else "it has none"
        raise SpineError(f'The network family "{family}" has no argument "{unknown[0]}": {known_text}.')
    try:
        with _limited_size(family):
            return builder(in_channels=in_channels, classes=classes, **entry.fixed, **arguments)
    except _BAD_ARGUMENTS as error:
        raise SpineError(f'The network "{family}" cannot be built from {arguments}: {error}') from error


def _module(family: str, entry: _Family) -> Any:
    try:
        return import_module(f".{entry.module}", __name__)
    except ModuleNotFoundError as error:
        raise SpineError(
            f'The network family "{family}" needs the Python package "{error.name}", which is not installed: '
            "install it, or choose the device cpu."
        ) from error


@contextmanager
def _limited_size(family: str) -> Iterator[None]:
    """Refuse, parameter by parameter and before its memory is written to, a network beyond any use."""
    from torch.nn.modules.module import register_module_parameter_registration_hook

    parameters = tensors = 0

    def count(module: "torch.nn.Module", name: str, parameter: "torch.nn.Parameter | None") -> None:
        nonlocal parameters, tensors
        if parameter is not None:
            parameters, tensors = parameters + parameter.numel(), tensors + 1
        if parameters > MOST_PARAMETERS or tensors > MOST_TENSORS:
            raise SpineError(
                f'The network "{family}" would be too large with these arguments (more than '
                f"{MOST_PARAMETERS // 10**6} million parameters or {MOST_TENSORS} layers): use smaller numbers."
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()
