"""Removing the slow brightness gradient of MR receive coils, with N4 (Tustison et al. 2010, IEEE TMI 29(6)).

The gradient is estimated on a copy of the scan with voxels of about 4.6 mm and evaluated on the scan's own grid:
as good as the estimate at full resolution (which takes hours), in seconds. The mask is made from the scan itself:
a bias correction that needs a label cannot be used on a new scan.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk

from ..monitor import Monitor

WORKING_VOXEL_MM = 4.6
"""Nearer to 5 than to 4: a scan of 1 mm, the usual working grid, is then estimated at 5 mm, in half the time."""
FEWEST_VOXELS = 8
"""No axis is shrunk to fewer working voxels than this."""

ITERATIONS = (30, 30, 30)
"""At most so many iterations per level; the spline mesh is refined twofold from level to level."""

CONVERGENCE = 1e-3
MESH_MM = 200.0
"""Width of a spline mesh element at the first level; at the last it is a quarter of that."""

_STAGE = "bias field"
_SPLINE_ORDER = 3
_SLAB_VOXELS = 4_000_000


def correct_bias_field(image: sitk.Image, monitor: Monitor | None = None) -> sitk.Image:
    """The 3D `image` (any scalar type) without its coil gradient: float32, on the same grid.

    Magnitude images have no negative values. Where `image` has some (a shifted or filtered scan), its minimum is
    taken as the zero of the intensities while the gradient is divided out, and added again afterwards.
    A scan without a bright object comes back as it is, with a note. Raises Cancelled within about a second.
    """
    monitor = monitor or Monitor()
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    zero = min(float(array.min()), 0.0)
    array -= zero
    log_field = _estimate(_from_array(array, image), monitor)
    if log_field is None:
        monitor.note("The bias field was not corrected: the scan shows no object that is brighter than its background.")
    else:
        _divide(array, log_field, image, monitor)
    array += zero
    return _from_array(array, image)


def shrink_factors(image: sitk.Image, voxel_mm: float = WORKING_VOXEL_MM) -> list[int]:
    """How many voxels of `image` go into one working voxel of about `voxel_mm`, along x, y and z."""
    return [
        max(1, min(round(voxel_mm / spacing), size // FEWEST_VOXELS))
        for spacing, size in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]


def _estimate(image: sitk.Image, monitor: Monitor) -> sitk.Image | None:
    """The logarithm of the gradient of non-negative `image` on the working grid; None if nothing stands out."""
    monitor.progress(_STAGE, 0, sum(ITERATIONS))
    working = sitk.BinShrink(image, shrink_factors(image))
    # A cubic spline needs at least four voxels per axis: thinner volumes (a single slice) repeat their last one.
    missing = [max(0, _SPLINE_ORDER + 1 - size) for size in working.GetSize()]
    working = sitk.ZeroFluxNeumannPad(working, [0, 0, 0], missing)
    # Otsu's threshold of the square root: of the brightness itself, tissue far from the coil would count as air.
    mask = sitk.OtsuThreshold(sitk.Sqrt(working), 0, 1)
    inside = sitk.GetArrayViewFromImage(working)[sitk.GetArrayViewFromImage(mask) > 0]
    if not inside.size or inside.min() == inside.max():
        return None
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(ITERATIONS)
    n4.SetConvergenceThreshold(CONVERGENCE)
    n4.SetSplineOrder(_SPLINE_ORDER)
    extent = np.multiply(working.GetSize(), working.GetSpacing())
    n4.SetNumberOfControlPoints([max(1, round(mm / MESH_MM)) + _SPLINE_ORDER for mm in extent])

    def report() -> None:
        done = sum(ITERATIONS[: n4.GetCurrentLevel()]) + n4.GetElapsedIterations()
        monitor.progress(_STAGE, min(done, sum(ITERATIONS)), sum(ITERATIONS))

    with _observed(n4, report):
        n4.Execute(working, mask)
    return n4.GetLogBiasFieldAsImage(working)


@contextmanager
def _observed(process: sitk.ProcessObject, report: Callable[[], None]) -> Iterator[None]:
    """Call `report` after each iteration of `process`; what it raises ends the process and is raised here.

    N4 does not look at `Abort`, but an exception in the observer ends it. SimpleITK hands that exception to
    `sys.excepthook` and raises a RuntimeError instead, so both are undone.
    """
    raised: list[BaseException] = []

    def observer() -> None:
        try:
            report()
        except BaseException as error:
            raised.append(error)
            sys.excepthook = lambda *_: None
            raise

    hook = sys.excepthook
    process.AddCommand(sitk.sitkIterationEvent, observer)
    try:
        yield
    except RuntimeError:
        if raised:
            raise raised[0] from None
        raise
    finally:
        sys.excepthook = hook
        process.RemoveAllCommands()


def _divide(array: np.ndarray, log_field: sitk.Image, image: sitk.Image, monitor: Monitor) -> None:
    """Divide `array`, the voxels `[k, j, i]` of `image`, by the gradient, in place and slab by slab.

    The field is taken at each voxel's place in space. N4's own evaluation stretches it from border to border,
    which is wrong wherever the size is no multiple of the shrink factor.
    """
    width, height, depth = image.GetSize()
    step = max(1, _SLAB_VOXELS // (width * height))
    evaluate = sitk.ResampleImageFilter()
    evaluate.SetInterpolator(sitk.sitkLinear)
    evaluate.UseNearestNeighborExtrapolatorOn()
    evaluate.SetOutputSpacing(image.GetSpacing())
    evaluate.SetOutputDirection(image.GetDirection())
    for start in range(0, depth, step):
        monitor.check()
        slab = array[start : start + step]
        evaluate.SetSize((width, height, len(slab)))
        evaluate.SetOutputOrigin(image.TransformIndexToPhysicalPoint((0, 0, start)))
        slab_field = evaluate.Execute(log_field)  # a view does not keep its image alive
        slab /= np.exp(sitk.GetArrayViewFromImage(slab_field))


def _from_array(array: np.ndarray, like: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(like)
    return image
