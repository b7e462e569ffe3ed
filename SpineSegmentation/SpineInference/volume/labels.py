"""The values of label maps."""

import numpy as np

_NEARLY_WHOLE = 0.01
"""What a file that stores its values with a scale leaves of a whole number: 20.00018 is 20."""


def whole_numbers(values: np.ndarray) -> np.ndarray | None:
    """`values` rounded, as they are where they are integers. None where one of them is no whole number at all."""
    if values.dtype.kind != "f":
        return values
    rounded = np.rint(values)
    with np.errstate(invalid="ignore"):  # not a number is no whole number either
        return rounded if np.abs(values - rounded).max() <= _NEARLY_WHOLE else None
