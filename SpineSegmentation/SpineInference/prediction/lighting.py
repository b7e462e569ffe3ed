"""Whether a scan is evened out: only where its brightness falls off steeply, and only if the network then sees more.

How steep is no reason by itself: bright fat at the back and a dark front are usual, and networks are trained with them.
So the network is asked. Of some slices it sees the scan as it is and evened out, and what it is surer of is taken. The
better a network copes with shading, the less is changed.
"""

import numpy as np
import SimpleITK as sitk

from ..engines.engine import Engine
from ..models.manifest import Manifest
from ..monitor import Monitor
from ..volume.coil_shading import estimate_shading, remove_shading
from ..volume.geometry import SLICE_AXIS
from ..volume.preprocessing import normalised
from .slices import predict_plane

STEEP = 4.0
"""Where the brightest layer is less than this many times brighter than the darkest, nothing is tried."""
SLICES = 5
"""So many slices are looked at, evenly spaced, ..."""
MIDDLE = 0.5
"""... in this middle part of the scan, where the spine is."""
GAIN = 0.02
"""The scan is evened out if that makes the network surer by this share; less makes no difference to the result, ..."""
LEAST_GAIN = 100.0
"""... nor does less than so many pixels: a small body in one slice."""


def expects_shading(manifest: Manifest) -> bool:
    """Whether the model looks for vertebrae in MR, and does not correct every scan anyway."""
    is_mr = manifest.modality.upper().startswith("MR")
    return is_mr and manifest.vertebra_class is not None and not manifest.input.bias_correction


def even_where_it_helps(
    working: sitk.Image, manifest: Manifest, engine: Engine, monitor: Monitor
) -> tuple[sitk.Image, float | None]:
    """The canonical `working` image, whose intensities are its own, normalised for the network.

    Where it was evened out, the second value is how many times brighter the brightest coronal
    layer was than the darkest, otherwise None.
    """
    plain = normalised(working, manifest.input.intensity)
    shading = estimate_shading(working)
    if shading.ratio < STEEP:
        return plain, None
    even = normalised(remove_shading(working, shading), manifest.input.intensity)
    before, after = (_certain_pixels(image, manifest, engine, monitor) for image in (plain, even))
    if after - before <= max(GAIN * before, LEAST_GAIN):
        return plain, None
    return even, shading.ratio


def note_shading(removed: float | None, monitor: Monitor) -> None:
    """Tell the user where a scan was evened out."""
    if removed is not None:
        monitor.note(
            f"Uneven brightness, as of a surface coil (about {removed:.0f} to 1 from back to front), was corrected "
            "before segmenting, because vertebrae are clearer so."
        )


def _certain_pixels(image: sitk.Image, manifest: Manifest, engine: Engine, monitor: Monitor) -> float:
    """Pixels that the network takes for a vertebra in the slices looked at, each counted by how sure it is (0 to 1)."""
    volume = sitk.GetArrayViewFromImage(image)
    last = volume.shape[SLICE_AXIS[manifest.plane]] - 1
    middle = last / 2 + MIDDLE * last / 2 * np.linspace(-1, 1, SLICES)
    indices = sorted(set(middle.round().astype(int).tolist()))
    certain = 0.0
    for _, probability in predict_plane(volume, manifest, engine, monitor, indices, "shading"):
        of_vertebra = probability[manifest.vertebra_class - 1]
        certain += float(np.maximum(2 * of_vertebra - 1, 0).sum(dtype=np.float64))
    return certain
