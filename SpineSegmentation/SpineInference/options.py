"""What a person may choose for a segmentation: made once by whoever asks, valid from then on, and carried as it is.

The panel, the command line and scripts build `SegmentationOptions`; a request takes them through JSON to the worker;
the pipeline and the record of the result hold the same ones.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal, get_args

from .anatomy import parse_level
from .errors import SpineError
from .specs import PostprocessingSpec

DEFAULT_MODEL = "vertebral-bodies-mr"
Plane = Literal["sagittal", "coronal", "axial"]
FusionRule = Literal["mean", "vote"]
Precision = Literal["auto", "full"]
LEAST_SPACING_MM, MOST_SPACING_MM = 0.02, 10.0
"""Between the pixels of a single slice: finer ones no scanner has, and coarser ones show no vertebra."""
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class SegmentationOptions:
    """Choices for one scan; None stands for the default of the model or of the scan. Raises SpineError if impossible.

    `model`: the name of a set in the catalog or the path of a package; `planes`: those to look at; `plane` and
    `spacing_mm` (between rows, between columns): what a single slice shows, where its file does not say it or is wrong
    (see `single_slice`); `fusion`: how the opinions of planes are fused; `top_level` or `bottom_level`: the first or
    last vertebra of the scan ("C2"); `propose_levels`: whether levels are read off the scan (see `level_recognition`),
    proposed where neither is given, otherwise only compared; `bias_correction`: N4, or never, in place of evening out
    where that helps (see `lighting`), or of N4 where the model was trained so; `postprocessing` replaces that of the
    model as a whole; `device`: see `devices.choose_device`; `precision`: half as many digits where the device is faster
    with them and the network bears it, or single precision everywhere ("full"); `threads`: processor threads;
    `restrict_to_spine`: compute only the region that can hold vertebrae (off only to measure what that costs).
    """

    model: str = DEFAULT_MODEL
    planes: tuple[Plane, ...] | None = None
    plane: Plane | None = None
    spacing_mm: tuple[float, float] | None = None
    fusion: FusionRule = "mean"
    top_level: str | None = None
    bottom_level: str | None = None
    propose_levels: bool = True
    bias_correction: bool | None = None
    postprocessing: PostprocessingSpec | None = None
    device: str = "auto"
    precision: Precision = "auto"
    threads: int | None = None
    restrict_to_spine: bool = True

    def __post_init__(self) -> None:
        planes = self.planes
        if planes is not None and not 0 < len(planes) == len(set(planes) & set(get_args(Plane))):
            given = ", ".join(map(str, planes)) or "none"
            raise SpineError(f"the planes must be some of {', '.join(get_args(Plane))}, each once, not {given}.")
        if self.plane is not None and self.plane not in get_args(Plane):
            raise SpineError(f'"{self.plane}" is not a plane: use {", ".join(get_args(Plane))}.')
        if self.plane is not None and planes is not None and self.plane not in planes:
            raise SpineError(f"the slice is {self.plane}, so the planes must have that one among them or be left out.")
        if self.spacing_mm is not None and not all(
            math.isfinite(mm) and LEAST_SPACING_MM <= mm <= MOST_SPACING_MM for mm in self.spacing_mm
        ):
            raise SpineError(
                f"the spacing of the pixels must be {LEAST_SPACING_MM:g} to {MOST_SPACING_MM:g} mm, not "
                f"{' x '.join(f'{mm:g}' for mm in self.spacing_mm)}."
            )
        if self.fusion not in get_args(FusionRule):
            raise SpineError(f'"{self.fusion}" is no way to fuse planes: use {" or ".join(get_args(FusionRule))}.')
        for name in ("min_island_mm3", "smooth_mm", "dilate_mm"):
            value = 0.0 if self.postprocessing is None else getattr(self.postprocessing, name)
            if not (math.isfinite(value) and value >= 0):
                raise SpineError(f"{name} of the post-processing must be 0 or more, not {value:g}.")
        if self.precision not in get_args(Precision):
            raise SpineError(f'"{self.precision}" is not a precision: use {" or ".join(get_args(Precision))}.')
        if not _DEVICE.fullmatch(self.device):
            raise SpineError(f'"{self.device}" is not a device: use auto, cpu, cuda, cuda:N or mps.')
        for level in (self.top_level, self.bottom_level):
            if level is not None:
                parse_level(level)
        if self.threads is not None and self.threads < 1:
            raise SpineError(f"the number of threads must be at least 1, not {self.threads}.")
