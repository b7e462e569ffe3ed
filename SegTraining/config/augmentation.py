"""The settings of every augmentation, as they are written in a configuration."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class StrictModel(BaseModel):
    """A section of the configuration: no unknown keys, no changes after reading."""

    # No name is protected: a setting may begin with "model_".
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Transform(StrictModel):
    """An augmentation applied to each sample with probability `p`."""

    p: float = Field(0.5, ge=0, le=1)


class KernelTransform(Transform):
    pixels: int = Field(3, ge=3)
    """Width of the kernel, odd."""


class RangedTransform(Transform):
    """An augmentation whose strength is drawn uniformly from `low`..`high`."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "RangedTransform":
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) must not exceed high ({self.high})")
        return self


class Elastic(Transform):
    mm: float = Field(2.0, gt=0)
    """Standard deviation of the displacement."""
    knot_mm: float = Field(32.0, gt=0)
    """Distance of the points that are displaced independently; at least 4 pixels."""


class BiasField(Transform):
    strength: float = Field(0.4, gt=0)
    """Standard deviation of the logarithm of the field."""
    knot_pixels: int = Field(96, ge=8)


class CoilShading(Transform):
    """The signal of a surface coil behind the patient, which falls off towards the front."""

    ratio: float = Field(20.0, gt=1)
    """By how much the back of a sample is brighter than its front at most; drawn from 1 on, evenly in its logarithm."""
    axis: Literal["rows", "columns"] = "columns"
    """Which of them count from front to back: the columns of sagittal slices, the rows of axial ones."""


class Augmentation(StrictModel):
    """The nine augmentations of Table 4.2 of the thesis by name, and what scanners differ in. None is off."""

    horizontal_flip: Transform | None = None
    blur: KernelTransform | None = None
    gaussian_blur: KernelTransform | None = None
    motion_blur: KernelTransform | None = None
    gaussian_noise: RangedTransform | None = None
    """Standard deviation as a fraction of the sample's range of values."""
    elastic: Elastic | None = None
    rotation: RangedTransform | None = None
    """Degrees."""
    scale: RangedTransform | None = None
    """Factor of size."""
    shift: RangedTransform | None = None
    """Pixels, in both directions of the plane."""

    slice_order_flip: Transform | None = None
    """Reverses the neighbouring slices: the mirror image across the plane."""
    thick_slices: RangedTransform | None = None
    """Slices of so many voxels, of which each is the mean, as in thick-slice scans."""
    single_slice: Transform | None = None
    """The slice itself in place of its neighbours, as in a scan that is one slice."""
    thick_rows: RangedTransform | None = None
    """Resolution along the columns or the rows lowered by this factor, as in slices across a thick-slice scan."""
    field_of_view: RangedTransform | None = None
    """Fraction of the sample cut off at one side and replaced by air."""
    gamma: RangedTransform | None = None
    contrast: RangedTransform | None = None
    brightness: RangedTransform | None = None
    """Offset as a fraction of the sample's range of values."""
    bias_field: BiasField | None = None
    coil_shading: CoilShading | None = None
    inversion: Transform | None = None
