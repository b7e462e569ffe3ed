"""What follows from a survey: planes, size of pixels, of samples, of batches and of the network, and augmentations.

Each rule gives a value and says in words why; the words become comments of a configuration.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from SpineInference.prediction.planes import COARSE, TOO_NARROW_MM
from SpineInference.volume.geometry import PLANES, SLICE_AXIS

from .survey import Survey

LONGEST_SIDE = 320
"""Pixels of a slice's longer side, above which a network computes for long and sees little of a spine at once."""
MOST_VOXELS = 30e6
"""Of a prepared volume, which is read and kept at this size."""
CROP_MULTIPLE = 32
LARGEST_CROP = 256
AROUND = 32
"""Pixels around what is labelled that tell what it is not."""
PIXELS_OF_A_STEP = 200_000
LEAST_FEATURE_MAP = 8
"""Pixels of the shorter side on the coarsest level: smaller ones see more padding than image."""
MOST_LEVELS = 5
SHARE_OF_MEMORY = 0.25


@dataclass(frozen=True)
class Setting:
    """A value and why it is what it is, in a sentence without a full stop."""

    value: Any
    why: str


def target_spacing(survey: Survey) -> Setting:
    """Size of a pixel, mm: that of the scans in the plane that they show best, unless that is more than is needed."""
    native = min(_pixel(survey, plane) for plane in _shown(survey))
    longest = float(survey.extent.max()) / LONGEST_SIDE
    volume = (float(np.prod(survey.extent)) / MOST_VOXELS) ** (1 / 3)
    value = _rounded(max(native, longest, volume))
    if native >= max(longest, volume):
        return Setting(value, f"the median pixel of the scans in the plane that they show best is {native:.2f} mm")
    reason = (
        f"their longer side of {survey.extent.max():.0f} mm would be more than {LONGEST_SIDE} pixels"
        if longest >= volume
        else f"a volume would have more than {MOST_VOXELS / 1e6:.0f} million voxels"
    )
    return Setting(value, f"the scans have {native:.2f} mm, with which {reason}")


def useful_planes(survey: Survey, spacing_mm: float) -> tuple[list[str], dict[str, str]]:
    """The planes worth a network of their own, at least one, and for each of the others why it is none."""
    if survey.single_planes:
        chosen = survey.single_planes[0]
        return [chosen], {plane: f"the cases are single {chosen} slices" for plane in PLANES if plane != chosen}
    left_out = {}
    for plane in PLANES:
        times, width = _pixel(survey, plane) / spacing_mm, min(_in_plane(survey.extent, plane))
        if times > COARSE:
            left_out[plane] = f"its pixels are {_pixel(survey, plane):.1f} mm high, {times:.1f} times the others"
        elif width < TOO_NARROW_MM:
            left_out[plane] = f"its slices are {width:.0f} mm wide, which hardly holds a vertebra"
    best = min(PLANES, key=lambda plane: _pixel(survey, plane))
    left_out.pop(best, None)
    return [plane for plane in PLANES if plane not in left_out], left_out


def crop(survey: Survey, plane: str, spacing_mm: float) -> Setting:
    """Rows and columns of a sample: what is labelled, and some of what lies around it."""
    labelled, whole = (
        [mm / spacing_mm for mm in _in_plane(lengths, plane)] for lengths in (survey.labelled_mm, survey.extent)
    )
    seen = [min(part + 2 * AROUND, all_) for part, all_ in zip(labelled, whole, strict=True)]
    sides = [min(LARGEST_CROP, math.ceil(side / CROP_MULTIPLE) * CROP_MULTIPLE) for side in seen]
    return Setting(
        sides,
        f"up to {labelled[0]:.0f} x {labelled[1]:.0f} of these pixels are labelled in slices of {whole[0]:.0f} x "
        f"{whole[1]:.0f}; {AROUND} more on each side, at most {LARGEST_CROP}, multiples of {CROP_MULTIPLE}",
    )


def network(survey: Survey, sides: list[int]) -> Setting:
    """Filters and blocks of a residual U-Net by the size of the samples and the number of scans."""
    levels = min(MOST_LEVELS, 1 + int(math.log2(min(sides) / LEAST_FEATURE_MAP)))
    first = next(filters for most, filters in ((19, 8), (99, 16), (math.inf, 32)) if len(survey.cases) <= most)
    filters = [min(first * 2**level, 10 * first) for level in range(levels)]
    blocks = [1, *[1 if first == 8 else 2] * (levels - 1)]
    return Setting(
        {"filters": filters, "blocks": blocks},
        f"{levels} levels make {min(sides)} pixels {min(sides) // 2 ** (levels - 1)}; {first} filters on the first for "
        f"{len(survey.cases)} scans: more of them bear a larger network",
    )


def batch_size(sides: list[int], arguments: dict[str, list[int]], memory_bytes: float) -> Setting:
    """Samples of a step, by what they show together and by the memory that they take."""
    wanted = round(PIXELS_OF_A_STEP / math.prod(sides))
    each = _bytes_of_a_sample(sides, **arguments)
    fitting = int(SHARE_OF_MEMORY * memory_bytes / each)
    value = max(2, min(wanted, fitting, 24))
    bound = "memory" if fitting < wanted else f"about {PIXELS_OF_A_STEP:,} pixels a step"
    return Setting(
        value, f"{bound}; one takes about {each / 1e6:.0f} MB of the {memory_bytes / 1e9:.0f} GB that are free"
    )


def free_memory() -> float:
    """Bytes of memory that programs may still ask for; 8 GB where the system does not say."""
    try:
        told = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text("ascii"))
    except (OSError, UnicodeError):
        told = None
    return 8e9 if told is None else 1024.0 * int(told.group(1))


def augmentations(survey: Survey, plane: str, spacing_mm: float) -> dict[str, Setting]:
    """What patients, positions and scanners differ in, as far as this plane of these scans shows it."""
    thickest = max(case.spacing[SLICE_AXIS[plane]] for case in survey.cases)
    coarsest = max(max(_in_plane(case.spacing, plane)) for case in survey.cases)
    flip = "slice_order_flip" if plane == "sagittal" else "horizontal_flip"
    chosen = {
        flip: Setting({"p": 0.5}, "left and right are alike"),
        "rotation": Setting({"p": 0.3, "low": -15, "high": 15}, "patients lie differently (degrees)"),
        "scale": Setting({"p": 0.4, "low": 0.75, "high": 1.3}, "and are of different size"),
        "gaussian_noise": Setting({"p": 0.2, "low": 0.0, "high": 0.03}, "scanners differ in noise,"),
    }
    if not survey.is_ct:
        chosen |= {
            "gamma": Setting({"p": 0.4, "low": 0.6, "high": 1.7}, "contrast"),
            "contrast": Setting({"p": 0.3, "low": 0.75, "high": 1.3}, "and brightness,"),
            "bias_field": Setting({"p": 0.3, "strength": 0.35, "knot_pixels": 96}, "and coils in uniformity"),
        }
    if survey.single_planes:
        return chosen
    high = max(1.0, min(10.0, round(thickest / spacing_mm) + 1.0))
    chosen["thick_slices"] = Setting(
        {"p": 0.3, "low": 1, "high": high}, f"slices are up to {thickest:.1f} mm thick; in pixels"
    )
    if coarsest > 1.5 * spacing_mm:
        high = round(min(10.0, coarsest / spacing_mm), 1)
        chosen["thick_rows"] = Setting(
            {"p": 0.3, "low": 1.0, "high": high}, f"pixels of this plane are up to {coarsest:.1f} mm high"
        )
    return chosen


def _shown(survey: Survey) -> list[str]:
    return survey.single_planes or list(PLANES)


def _pixel(survey: Survey, plane: str) -> float:
    """The longer side of the median pixel of a plane, mm."""
    return max(_in_plane(survey.spacing, plane))


def _in_plane(lengths: Any, plane: str) -> list[float]:
    return [float(mm) for axis, mm in enumerate(lengths) if axis != SLICE_AXIS[plane]]


def _rounded(mm: float) -> float:
    """To two digits."""
    return float(f"{mm:.2g}")


def _bytes_of_a_sample(sides: list[int], filters: list[int], blocks: list[int]) -> float:
    """What the steps of a residual U-Net keep of a sample for its gradients: about 7 maps a block, 6 on the way up."""
    maps = sum(n * (7 * number + 6) / 4**level for level, (n, number) in enumerate(zip(filters, blocks, strict=True)))
    return 4 * math.prod(sides) * (maps + 3 * filters[0])
