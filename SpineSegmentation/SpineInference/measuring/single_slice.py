"""What is told of the measurements of a single slice that was placed by assumption (see `volume.slice_placement`)."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import SimpleITK as sitk

from .measurements import Measurements

_LENGTHS = ("_mm", "_mm2", "_mm3")


def told_of_slice(measurements: Measurements, placed: sitk.Image, scan: sitk.Image, has_scale: bool) -> Measurements:
    """`measurements` of labels where they were `placed`, with centroids in the coordinates of the `scan` itself.

    Without a scale, all that depends on it is None: lengths, areas, centroids, distances to a reference. Tilts and Dice
    stay.
    """

    def on_scan(row: Any) -> Any:
        if row.centroid_lps_mm is None:
            return row
        index = placed.TransformPhysicalPointToContinuousIndex(row.centroid_lps_mm)
        return replace(row, centroid_lps_mm=scan.TransformContinuousIndexToPhysicalPoint(index))

    def without_lengths(row: Any) -> Any:
        return replace(row, **dict.fromkeys(_lengths(asdict(row))))

    told = on_scan if has_scale else without_lengths
    summary = measurements.reference
    if summary is not None and not has_scale:
        summary = replace(without_lengths(summary), nsd=None)  # its tolerance is a length
    vertebrae, structures = ([told(row) for row in rows] for rows in (measurements.vertebrae, measurements.structures))
    return replace(measurements, vertebrae=vertebrae, structures=structures, reference=summary)


def _lengths(fields: Mapping[str, Any]) -> list[str]:
    return [name for name in fields if name.endswith(_LENGTHS)]
