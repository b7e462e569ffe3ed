"""Whether a scan is evened out: only where its brightness falls off steeply, and only if the network then sees more.

How steep is no reason by itself: bright fat at the back and a dark front are usual, and networks are trained with them.
So the network is asked. Of some slices it sees the scan as it is and evened out, and what it is surer of is taken. The
better a network copes with shading, the less is changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from ..engines.engine import Engine
from ..models.manifest import Manifest
from ..monitor import Monitor
from ..processors import at_once
from ..volume.coil_shading import estimate_shading
from ..volume.geometry import SLICE_AXIS, spacing_ipl
from ..volume.intensity import SAMPLE, scale_of
from .region import coarse_places
from .slices import predict_plane

STEEP = 4.0
"""Where the brightest layer is less than this many times brighter than the darkest, nothing is tried."""
SLICES = 5
"""So many slices are looked at, or fewer where the scan is narrow, ..."""
MIDDLE = 0.5
"""... in this middle part of the scan, where the spine is."""
GAIN = 0.02
"""The scan is evened out if that makes the network surer by this share; less makes no difference to the result, ..."""
LEAST_GAIN = 20.0
"""... nor does less than so many pixels of each slice: a small body in one of them."""


@dataclass(frozen=True, eq=False)
class Lit:
    """A canonical `image` as the networks shall see it, normalised.

    `shading_removed`: where it was evened out, how many times brighter the brightest coronal layer was than the
    darkest. `seen`: what the network that was asked said of some of its slices, as `predict_plane` puts it.
    """

    image: sitk.Image
    shading_removed: float | None = None
    seen: Mapping[int, np.ndarray] = field(default_factory=dict)


def expects_shading(manifest: Manifest) -> bool:
    """Whether the model looks for vertebrae in MR, and does not correct every scan anyway."""
    is_mr = manifest.modality.upper().startswith("MR")
    return is_mr and manifest.vertebra_class is not None and not manifest.input.bias_correction


def even_where_it_helps(working: sitk.Image, manifest: Manifest, engine: Engine, monitor: Monitor) -> Lit:
    """The canonical `working` image, whose intensities are its own, normalised for the network."""
    array, rule = sitk.GetArrayViewFromImage(working), manifest.input.intensity
    scale, shading = at_once(lambda: scale_of(array, rule), lambda: estimate_shading(working))
    if shading.ratio < STEEP:
        return Lit(_image(scale.of(array), working))
    scale_if_even = scale_of(shading.removed_from(array[:: max(1, array.size // SAMPLE)]), rule)
    axis, context = SLICE_AXIS[manifest.plane], manifest.input.context_slices
    chosen = _slices_to_judge(array.shape[axis], spacing_ipl(working)[axis])
    around = np.add.outer(chosen, np.arange(-context, context + 1)).clip(0, array.shape[axis] - 1).ravel()
    slices, layers = np.take(array, around, axis), around if manifest.plane == "coronal" else None
    both = np.concatenate([scale.of(slices), scale_if_even.of(shading.removed_from(slices, layers))], axis)
    # All in one go: what is left over of one half would keep only some of the processors busy.
    places = range(context, both.shape[axis], 2 * context + 1)
    looks = [probability for _, probability in predict_plane(both, manifest, engine, monitor, places, "shading")]
    plain, even = looks[: len(chosen)], looks[len(chosen) :]
    before, after = _certain_pixels(plain, manifest), _certain_pixels(even, manifest)
    if after - before > max(GAIN * before, LEAST_GAIN * len(chosen)):
        whole = shading.removed_from(array)
        image = _image(scale_if_even.of(whole, out=whole), working)
        return Lit(image, shading.ratio, dict(zip(chosen, even, strict=True)))
    return Lit(_image(scale.of(array), working), seen=dict(zip(chosen, plain, strict=True)))


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


def _slices_to_judge(count: int, mm: float) -> list[int]:
    """Of `count` slices, so many `mm` apart, those looked at for the region that are nearest to evenly spaced ones."""
    last = count - 1
    evenly = last / 2 + MIDDLE * last / 2 * np.linspace(-1, 1, SLICES)
    return sorted({min(coarse_places(count, mm), key=lambda index: abs(index - place)) for place in evenly})


def _certain_pixels(slices: Iterable[np.ndarray], manifest: Manifest) -> float:
    """The pixels of `slices` [labels, rows, columns] that show a vertebra, each counted by how sure that is."""
    of_vertebra = (probability[manifest.vertebra_class - 1] for probability in slices)
    return sum(float(np.maximum(2 * each - 1, 0).sum(dtype=np.float64)) for each in of_vertebra)
