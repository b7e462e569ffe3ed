"""From a scan to what the networks see. Training and inference both come through here."""

import SimpleITK as sitk

from ..monitor import Monitor
from ..specs import IntensityRule
from .geometry import canonical, resample, working_grid
from .intensity import normalise


def preprocess(
    image: sitk.Image,
    spacing_mm: float,
    intensity: IntensityRule,
    bias_correction: bool = False,
    monitor: Monitor | None = None,
) -> sitk.Image:
    """The scan in canonical orientation on the working grid, bias-corrected if asked, with normalised float32 values.

    The bias field is estimated after the resampling: it is smooth, so nothing is lost, and it costs a fraction.
    """
    monitor = monitor or Monitor()
    working = canonical(resample(image, working_grid(image, spacing_mm)))
    monitor.check()
    if bias_correction:
        from .bias_field import correct_bias_field

        working = correct_bias_field(working, monitor)
    normalised = sitk.GetImageFromArray(normalise(sitk.GetArrayViewFromImage(working), intensity))
    normalised.CopyInformation(working)
    return normalised
