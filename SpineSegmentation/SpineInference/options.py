"""What a user may choose, checked before any work, and which of a set's networks then run."""

from dataclasses import dataclass
from typing import get_args

import SimpleITK as sitk

from .anatomy import parse_level
from .engines.devices import Precision
from .errors import SpineError
from .measuring.reference import check_reference
from .prediction.fusion import FUSIONS
from .specs import PostprocessingSpec
from .volume.geometry import PLANES


@dataclass(frozen=True)
class Options:
    """Choices for one scan. None stands for the model's or the scan's own default.

    `planes`: some of `geometry.PLANES`; `fusion`: "mean" or "vote"; `top_level` or `bottom_level`: the first or last
    vertebra of the scan, and `propose_levels` whether levels are read off the scan (see `level_recognition`): proposed
    where neither is given, otherwise only compared; `device` and `precision` ("full" or "int8"): see
    `devices.choose_device`; `reference`: a mask on the scan's grid; `restrict_to_spine`: compute only the region that
    can hold vertebrae (off only to measure what that costs).
    """

    planes: tuple[str, ...] | None = None
    fusion: str = "mean"
    top_level: str | None = None
    bottom_level: str | None = None
    propose_levels: bool = True
    bias_correction: bool | None = None
    postprocessing: PostprocessingSpec | None = None
    device: str = "auto"
    precision: Precision = "full"
    threads: int | None = None
    reference: sitk.Image | None = None
    restrict_to_spine: bool = True


def check_options(options: Options, scan: sitk.Image) -> None:
    """Raise SpineError for a choice that cannot be carried out on `scan`."""
    if options.fusion not in FUSIONS:
        raise SpineError(f'"{options.fusion}" is no way to fuse planes: use {" or ".join(FUSIONS)}.')
    if options.precision not in get_args(Precision):
        raise SpineError(f'"{options.precision}" is not a precision: use {" or ".join(get_args(Precision))}.')
    for plane in options.planes or ():
        if plane not in PLANES:
            raise SpineError(f'"{plane}" is not a plane: use {", ".join(PLANES)}.')
    for level in (options.top_level, options.bottom_level):
        if level is not None:
            parse_level(level)
    if options.reference is not None:
        check_reference(options.reference, scan)
