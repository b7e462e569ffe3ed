"""From a scan to what the networks see. Training and inference both come through here."""

import SimpleITK as sitk

from ..monitor import Monitor
from ..specs import IntensityRule
from .geometry import canonical_resampled, working_grid
from .intensity import normalise


def preprocess(
    image: sitk.Image,
    spacing_mm: float,
    intensity: IntensityRule,
    bias_correction: bool = False,
    monitor: Monitor | None = None,
) -> sitk.Image:
    """The scan in canonical orientation on the working grid, bias-corrected if asked, normalised as float32."""
    return normalised(on_working_grid(image, spacing_mm, bias_correction, monitor), intensity)


def on_working_grid(
    image: sitk.Image, spacing_mm: float, bias_correction: bool = False, monitor: Monitor | None = None
) -> sitk.Image:
    """The first half of `preprocess`: the scan's own intensities, bias-corrected if asked.

    The bias field is estimated after the resampling: it is smooth, so nothing is lost, and it costs a fraction.
    """
    monitor = monitor or Monitor()
    working = canonical_resampled(image, working_grid(image, spacing_mm))
    monitor.check()
    if bias_correction:
        from .bias_field import correct_bias_field

        working = correct_bias_field(working, monitor)
    return working


def normalised(working: sitk.Image, intensity: IntensityRule) -> sitk.Image:
    """The second half: float32 values as the networks were trained on, on the same grid."""
    image = sitk.GetImageFromArray(normalise(sitk.GetArrayViewFromImage(working), intensity))
    image.CopyInformation(working)
    return image
