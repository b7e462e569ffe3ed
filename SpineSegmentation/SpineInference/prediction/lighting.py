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
from ..processors import in_threads
from ..volume.coil_shading import estimate_shading
from ..volume.geometry import SLICE_AXIS
from ..volume.intensity import SAMPLE, scale_of
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
    array, rule = sitk.GetArrayViewFromImage(working), manifest.input.intensity
    scale, shading = in_threads(lambda look: look(), (lambda: scale_of(array, rule), lambda: estimate_shading(working)))
    if shading.ratio >= STEEP:
        some = shading.removed_from(array[:: max(1, array.size // SAMPLE)])
        scale_if_even = scale_of(some, rule)
        axis = SLICE_AXIS[manifest.plane]
        seen, places = _slices_to_judge(array.shape[axis], manifest.input.context_slices)
        slices, layers = np.take(array, seen, axis), seen if manifest.plane == "coronal" else None
        both = [scale.of(slices), scale_if_even.of(shading.removed_from(slices, layers))]
        before, after = _certain_pixels(both, places, manifest, engine, monitor)
        if after - before > max(GAIN * before, LEAST_GAIN):
            whole = shading.removed_from(array)
            return _image(scale_if_even.of(whole, out=whole), working), shading.ratio
    return _image(scale.of(array), working), None


def note_shading(removed: float | None, monitor: Monitor) -> None:
    """Tell the user where a scan was evened out."""
    if removed is not None:
        monitor.note(
            f"Uneven brightness, as of a surface coil (about {removed:.0f} to 1 from back to front), was corrected "
            "before segmenting, because vertebrae are clearer so."
        )


def _image(array: np.ndarray, like: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(like)
    return image


def _slices_to_judge(count: int, context: int) -> tuple[np.ndarray, list[int]]:
    """Which of `count` slices to take, those to look at each between its neighbours, and their places among them."""
    last = count - 1
    middle = last / 2 + MIDDLE * last / 2 * np.linspace(-1, 1, SLICES)
    chosen = np.unique(middle.round().astype(int))
    around = (chosen[:, None] + np.arange(-context, context + 1)).clip(0, last)
    return around.ravel(), list(range(context, around.size, around.shape[1]))


def _certain_pixels(
    looks: list[np.ndarray], places: list[int], manifest: Manifest, engine: Engine, monitor: Monitor
) -> list[float]:
    """For each look at the same slices, pixels that the network takes for a vertebra in those at `places`, each counted
    by how sure it is."""
    axis, certain = SLICE_AXIS[manifest.plane], [0.0] * len(looks)
    length = looks[0].shape[axis]
    # All in one go: what is left over of one look would keep only some of the processors busy.
    everywhere = [look * length + place for look in range(len(looks)) for place in places]
    volume = np.concatenate(looks, axis)
    for index, probability in predict_plane(volume, manifest, engine, monitor, everywhere, "shading"):
        of_vertebra = probability[manifest.vertebra_class - 1]
        certain[index // length] += float(np.maximum(2 * of_vertebra - 1, 0).sum(dtype=np.float64))
    return certain
