"""Reads the files that torch.save has written, without letting them run anything."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from SpineInference.errors import SpineError

_NUMBERS = ("Float16", "Float32", "Float64", "Int8", "Int16", "Int32", "Int64", "UInt8", "Bool")
_HARMLESS = [
    # Numbers of numpy, in which nnU-Net keeps its training curves: a type and the bytes of its value.
    np.dtype,
    *(getattr(np.dtypes, f"{name}DType") for name in _NUMBERS),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),  # as numpy 1 called it
]
"""What a checkpoint may name beside what torch itself allows: types that hold a value and run nothing."""


def read_checkpoint(path: Path) -> Any:
    """What is in a file of torch.save: tensors, plain values and numbers of numpy, nothing that could run code.

    Raises SpineError for a file that is missing, damaged, or holds anything else.
    """
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise SpineError(f'There is no file "{path}": name that of the trained weights.') from None
    except Exception as error:  # what torch raises for strange files is of many kinds
        if named := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise SpineError(
                f'"{path}" holds more than weights and numbers ({named[1]}), which could run code: it is not opened; '
                "save the state dict alone."
            ) from None
        raise SpineError(f'"{path}" is no checkpoint of PyTorch, or damaged: get it again.') from None


def is_state_dict(value: Any) -> bool:
    """Whether `value` maps names to tensors, at least one."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in value.items())
    )
