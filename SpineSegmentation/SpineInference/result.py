"""What a scan becomes: its segments, what they measure, and what that was made from."""

from dataclasses import dataclass, field
from pathlib import Path

import SimpleITK as sitk

from .anatomy import Segment
from .engines.devices import Device
from .measuring.measurements import Measurements
from .measuring.morphometry.measure import Measure
from .measuring.slice_agreement import SliceAgreement
from .origin import GivenLabels
from .placement import SlicePlacement


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
    `labels_given`: where the labels come from if no network was needed; then there are no models and planes.
    """

    labels: sitk.Image
    segments: list[Segment]
    partial: set[int]
    measurements: Measurements
    models: list[str]
    planes: list[str]
    device: Device
    timings: dict[str, float]
    notes: list[str]
    dice_per_slice: SliceAgreement | None = None
    placement: SlicePlacement | None = None
    shading_removed: float | None = None
    model_checksums: dict[str, str] = field(default_factory=dict)
    morphometry: list[Measure] = field(default_factory=list)
    engine: str = ""
    labels_given: GivenLabels | None = None

    @property
    def made_from(self) -> dict[str, str]:
        """What the labels come from, in words, with its SHA-256, which is empty where that is not known."""
        if self.labels_given:
            return {f"Labels given: {Path(self.labels_given.file).name}": self.labels_given.sha256}
        return {f"Model {name}": self.model_checksums.get(name, "") for name in self.models}
