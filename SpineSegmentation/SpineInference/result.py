"""What a scan becomes: its segments, what they measure, and what that was made from."""

from dataclasses import dataclass, field

import SimpleITK as sitk

from .anatomy import Segment
from .engines.devices import Device
from .measuring.measurements import Measurements
from .measuring.morphometry.measure import Measure
from .measuring.slice_agreement import SliceAgreement
from .placement import SlicePlacement


@dataclass(frozen=True)
class GivenLabels:
    """The file of the labels that were given to be measured, in place of any that a model would find."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Result:
    """What came out. `labels` is uint8 on exactly the scan's grid; `segments` are what was found: vertebrae from the
    top to the bottom, then discs likewise, then other structures in the order of the model.

    `partial` holds the label values of bodies cut off by the border of the scan; `timings` are seconds per stage;
    `notes` are sentences for the user; `dice_per_slice` is there where there was a reference, and `placement` where not
    the header of a single slice but the user or the scan itself told its size or position. `shading_removed`: how
    many times brighter the brightest part was than the darkest, where that was evened out without being asked for.
    `model_checksums` are the SHA-256 of the networks by the names in `models`.
    `morphometry`: what is measured of the spine beyond its single segments.
    `engine`: what computed the networks, with what precision; several where they differ.
    `labels_given`: where the labels come from if not from networks; then there are no models, planes and device.
    """

    labels: sitk.Image
    segments: list[Segment]
    partial: set[int]
    measurements: Measurements
    models: list[str]
    planes: list[str]
    device: Device | None
    timings: dict[str, float]
    notes: list[str]
    dice_per_slice: SliceAgreement | None = None
    placement: SlicePlacement | None = None
    shading_removed: float | None = None
    model_checksums: dict[str, str] = field(default_factory=dict)
    morphometry: list[Measure] = field(default_factory=list)
    engine: str = ""
    labels_given: GivenLabels | None = None
