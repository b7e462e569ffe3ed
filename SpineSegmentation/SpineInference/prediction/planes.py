"""Which of a set's networks run on a scan, and what the opinion of each plane weighs."""

from collections.abc import Sequence

import SimpleITK as sitk

from ..errors import SpineError
from ..models.catalog import ModelSet
from ..models.model_package import ModelPackage
from ..monitor import Monitor
from ..options import SegmentationOptions
from ..specs import LabelSpec
from ..volume.geometry import PLANES, SLICE_AXIS, canonical_extent, canonical_spacing
from .magnification import larger_for

TOO_COARSE = 8.0
"""A plane is left out by default when its pixels are this many times larger than its model was trained on."""

COARSE = 3.0
"""From here on a plane counts the less the larger its pixels are."""

TOO_NARROW_MM = 32.0
"""A plane is left out by default when its slices are narrower, as coronal and axial ones of few sagittal slices are: a
vertebra that both sides of the picture cut off looks like none."""


def packages_to_run(
    models: ModelSet, options: SegmentationOptions, scan: sitk.Image, monitor: Monitor
) -> list[ModelPackage]:
    """The packages of the planes asked for, sagittal first.

    Without a wish, planes are left out whose pixels are much coarser than their model was trained on, or whose slices
    are too narrow for a vertebra (the coronal and axial view of thick or few sagittal slices), and the user is told.
    Raises SpineError for a plane that the set lacks or that a single slice does not show.
    """
    offered = {package.manifest.plane for package in models.packages}
    if missing := set(options.planes or ()) - offered:
        raise SpineError(f'the model "{models.name}" has no network for the {_named(sorted(missing))}.')
    packages = sorted(
        (package for package in models.packages if package.manifest.plane in (options.planes or offered)),
        key=lambda package: PLANES.index(package.manifest.plane),
    )
    _check_common_preprocessing(packages, models.name)
    if options.planes:
        if unseen := [package.manifest.plane for package in packages if not _is_shown(package, scan)]:
            raise SpineError(f"a single slice does not show the {_named(unseen)}: ask for the plane in which it lies.")
        return packages
    left_out: set[str] = set()
    for rule, reason in _RULES:
        if planes := [plane for plane in rule(packages, scan) if plane not in left_out]:
            monitor.note(f"{reason} {_named(planes)}.")
            left_out.update(planes)
    return [package for package in packages if package.manifest.plane not in left_out]


def _too_coarse(packages: list[ModelPackage], scan: sitk.Image) -> list[str]:
    coarseness = {package.manifest.plane: _coarseness(package, scan) for package in packages}
    bearable = max(TOO_COARSE, min(coarseness.values()))
    return [plane for plane, value in coarseness.items() if value > bearable]


def _too_narrow(packages: list[ModelPackage], scan: sitk.Image) -> list[str]:
    widths = {
        p.manifest.plane: min(_in_plane(p, canonical_extent(scan))) for p in packages if p.manifest.vertebra_class
    }
    enough = min(TOO_NARROW_MM, max(widths.values(), default=0.0))
    return [plane for plane, mm in widths.items() if mm < enough]


_RULES = (
    (_too_coarse, "The scan's slices are too thick to look at them in the"),
    (_too_narrow, "The scan is too narrow to look at it in the"),
)
"""Which planes are left out unless they are asked for: a function that names them, never all of them, and why."""


def shares_of(
    packages: list[ModelPackage], scan: sitk.Image, shown_larger: float, labels: Sequence[LabelSpec]
) -> list[list[tuple[int, float]]]:
    """For each package the `shares` of `Fusion.add`: which of the `labels` each of its own is, and what its opinion
    weighs there, together 1 for each label.

    Coarse pixels hide what makes a border: they count less. Bodies that are `shown_larger` to the networks, by this
    factor, have so many fewer pixels in the scan. Several networks of a plane for the same label, as cross-validation
    leaves them, share the weight of that plane.
    """
    by_label = {label.value: [package for package in packages if label in package.manifest.labels] for label in labels}

    def weight(package: ModelPackage, label: LabelSpec) -> float:
        plane = package.manifest.plane
        sharing = sum(other.manifest.plane == plane for other in by_label[label.value])
        return min(1.0, COARSE / (larger_for(package, shown_larger) * _coarseness(package, scan))) / sharing

    def share(package: ModelPackage, label: LabelSpec) -> float:
        return weight(package, label) / sum(weight(other, label) for other in by_label[label.value])

    return [[(labels.index(label), share(package, label)) for label in package.manifest.labels] for package in packages]


def finest_first(packages: list[ModelPackage], scan: sitk.Image) -> list[ModelPackage]:
    """The packages by the size of their plane's pixels in this scan, the smallest first."""
    return sorted(packages, key=lambda package: _coarseness(package, scan))


def _named(planes: list[str]) -> str:
    return f"{' and '.join(planes)} plane{'s' if len(planes) > 1 else ''}"


def _coarseness(package: ModelPackage, scan: sitk.Image) -> float:
    """How many times larger the pixels of a package's plane are than what its model was trained on."""
    return max(_in_plane(package, canonical_spacing(scan))) / package.manifest.input.spacing_mm


def _in_plane(package: ModelPackage, lengths_ipl: tuple[float, float, float]) -> list[float]:
    return [mm for axis, mm in enumerate(lengths_ipl) if axis != SLICE_AXIS[package.manifest.plane]]


def _is_shown(package: ModelPackage, scan: sitk.Image) -> bool:
    """Whether a slice of the package's plane is more than a row of voxels."""
    spacing, extent = canonical_spacing(scan), canonical_extent(scan)
    voxels = tuple(round(length / mm) for length, mm in zip(extent, spacing, strict=True))
    return min(_in_plane(package, voxels)) > 1


def _check_common_preprocessing(packages: list[ModelPackage], name: str) -> None:
    # The volume is prepared once for all: networks of different recipes belong into different sets.
    recipes = {(p.manifest.input.spacing_mm, p.manifest.input.intensity) for p in packages}
    if len(recipes) > 1:
        raise SpineError(
            f'the networks of "{name}" want different spacings or intensities: run them as separate models.'
        )
