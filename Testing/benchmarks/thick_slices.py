"""Scans as most hospitals take them: thick sagittal slices with gaps, made of scans and references with thin ones.

    python Testing/benchmarks/thick_slices.py DATA/Dataset501_Chu THICK/Dataset501_Chu --cases chu_14 chu_16
    segtraining evaluate --dataset THICK/Dataset501_Chu --model vertebral-bodies-mr --bodies

Both folders are data sets in nnU-Net's raw layout. A thick slice is the mean over its thickness; its reference is what
was drawn at its middle.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from changed_data_set import write_changed

from SpineInference.errors import SpineError
from SpineInference.volume.geometry import canonical, spacing_ipl


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the data set; 0, or 2 for folders or cases that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="a data set in nnU-Net's raw layout")
    parser.add_argument("target", type=Path, help="a new folder for the other one")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these")
    parser.add_argument("--thickness", type=float, default=4.0, metavar="MM", help="of a slice (4)")
    parser.add_argument("--distance", type=float, default=4.4, metavar="MM", help="between middles of slices (4.4)")
    options = parser.parse_args(arguments)
    return write_changed(options, lambda *pair: thick_slices(*pair, options.thickness, options.distance))


def thick_slices(
    image: sitk.Image, labels: sitk.Image, thickness_mm: float, distance_mm: float
) -> tuple[sitk.Image, sitk.Image]:
    """`image` (float32) and `labels` as slices of `thickness_mm`, `distance_mm` from middle to middle, canonical.

    Raises SpineError where the scan is narrower than one slice or its own slices are thicker.
    """
    image, labels = canonical(image), canonical(labels)
    own_mm, count = spacing_ipl(image)[2], image.GetSize()[0]
    if own_mm > thickness_mm or own_mm * count < thickness_mm:
        raise SpineError(f"Slices of {thickness_mm:g} mm cannot be made of {count} slices of {own_mm:g} mm.")
    starts = np.arange(0, own_mm * count - thickness_mm + 1e-6, distance_mm)
    lower = own_mm * np.arange(count)
    shared = np.minimum(lower + own_mm, starts[:, None] + thickness_mm) - np.maximum(lower, starts[:, None])
    weights = np.maximum(shared, 0) / thickness_mm
    middles = ((starts + thickness_mm / 2) / own_mm).astype(int)
    arrays = (
        (sitk.GetArrayViewFromImage(image) @ weights.T).astype(np.float32),
        sitk.GetArrayViewFromImage(labels)[:, :, middles],
    )
    origin = image.TransformContinuousIndexToPhysicalPoint([thickness_mm / 2 / own_mm - 0.5, 0, 0])
    made = []
    for array in arrays:
        thick = sitk.GetImageFromArray(np.ascontiguousarray(array))
        thick.SetSpacing((distance_mm, *image.GetSpacing()[1:]))
        thick.SetDirection(image.GetDirection())
        thick.SetOrigin(origin)
        made.append(thick)
    return made[0], made[1]


if __name__ == "__main__":
    sys.exit(main())
