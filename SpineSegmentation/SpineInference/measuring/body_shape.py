"""The dimensions of one vertebral body in its own axes, finer than its voxels.

The *body axis* runs from the lower to the upper endplate: the mean direction of the normals of both, weighted by area.
The other two axes are the patient's posterior and left, made perpendicular to it. Along these axes the body is sampled
anew with linear interpolation, whose integrals keep the volume: lengths are then right to a fraction of a voxel on
tilted and thick-sliced grids too.

Arrays are in any orientation; `steps` [3, 3] holds in each row the step in LPS mm from voxel to voxel along one array
axis.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

SUPERIOR, POSTERIOR = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])  # LPS

_FEWEST_VOXELS = 50
_FEWEST_COLUMNS = 10
_REFINEMENTS = 2
ALIKE = math.cos(math.radians(0.5))
"""Lengths along two axes that are nearer to each other are the same, so that a body need not be sampled again."""
_LYING_DEGREES = 1.0
_ENDPLATE = 0.6
"""The middle part of depth and width in which the endplates are taken for planes."""
_SLAB = 0.2
"""A length is averaged in a slab through the middle, of this fraction of the body's size across it."""
_MIDDLE_HEIGHT = 0.5
"""Depth and width are averaged over the middle half of the height."""


@dataclass(frozen=True)
class BodyShape:
    """Lengths in mm and angles in degrees; None where the scan cannot tell: a single slice, a handful of voxels, a
    body that lies on its back.

    Depth and width are the distances between the walls at middle height, in a slab of a fifth of the body's size around
    the centre. Heights, which need both endplates, are those of `morphometry.landmarks`.

    The tilts are the angles between the body axis and the patient's superior axis, seen in the sagittal plane
    (positive: the top leans forwards) and in the coronal plane (positive: the top leans to the patient's left).
    """

    depth_mm: float | None = None
    width_mm: float | None = None
    sagittal_tilt_deg: float | None = None
    coronal_tilt_deg: float | None = None


def shape_of(mask: np.ndarray, steps: np.ndarray, upwards: np.ndarray) -> BodyShape:
    """The shape of the one body in the boolean `mask`. `upwards` (LPS) is the direction of the spine there.

    The body axis is looked for within 45 degrees of `upwards`. Where the body ends with the array, its lengths are
    those of the part inside, but its cut is not taken for an endplate.
    """
    if np.count_nonzero(mask) < _FEWEST_VOXELS:
        return BodyShape()
    axis = _axis_by_normals(mask, steps, upwards / np.linalg.norm(upwards))
    if _is_lying(axis):
        return BodyShape()
    frame = _frame(axis)
    body = sample_body(mask, steps, frame)
    for _ in range(0 if _is_cut_across(mask, steps, axis) else _REFINEMENTS):
        axis = _axis_by_endplates(body, frame)
        if _is_lying(axis):
            return BodyShape()
        if axis @ frame[2] > ALIKE:
            break
        frame = _frame(axis)
        body = sample_body(mask, steps, frame)
    # Nothing can be measured along an axis of the scan that has one slice only.
    flat = [steps[i] / np.linalg.norm(steps[i]) for i in range(3) if mask.shape[i] == 1]
    in_view = [all(abs(direction @ normal) < math.sqrt(0.5) for normal in flat) for direction in frame]
    depth, width = _depth_and_width(body)
    if not in_view[0]:
        depth = None
    if not in_view[1]:
        width = None
    if not in_view[2]:
        return BodyShape(depth_mm=depth, width_mm=width)
    return BodyShape(
        depth,
        width,
        sagittal_tilt_deg=math.degrees(math.atan2(-axis[1], axis[2])) if in_view[0] else None,
        coronal_tilt_deg=math.degrees(math.atan2(axis[0], axis[2])) if in_view[1] else None,
    )


def _is_lying(axis: np.ndarray) -> bool:
    """Whether the body axis is the patient's posterior, so that nothing tells its front from its sides."""
    return abs(axis @ POSTERIOR) > math.cos(math.radians(_LYING_DEGREES))


def _is_cut_across(mask: np.ndarray, steps: np.ndarray, axis: np.ndarray) -> bool:
    """Whether the body reaches the border of the array above or below, where its endplate would be."""
    vertical = int(np.argmax(np.abs(steps @ axis) / np.linalg.norm(steps, axis=1)))
    return bool(np.take(mask, [0, -1], axis=vertical).any())


def _frame(axis: np.ndarray) -> np.ndarray:
    """Rows: the body's posterior, left and superior unit vectors."""
    posterior = POSTERIOR - axis * (POSTERIOR @ axis)
    posterior /= np.linalg.norm(posterior)
    return np.stack([posterior, np.cross(posterior, axis), axis])


def _axis_by_normals(mask: np.ndarray, steps: np.ndarray, upwards: np.ndarray) -> np.ndarray:
    """The body axis to within some degrees, from however far off: the direction in which most surface looks.

    The stairs that slices leave on a surface draw the result towards the axes of the scan.
    """
    spacing = np.linalg.norm(steps, axis=1)
    sigma = np.maximum(1.0, 0.6 * spacing) / spacing  # a millimetre, or enough to round the steps of thick slices
    padding = [(int(width), int(width)) for width in np.ceil(3 * sigma)]
    # Padding by its own border lets a body go on beyond the array, so that there is no surface where it is cut.
    blurred = ndimage.gaussian_filter(np.pad(mask, padding, mode="edge").astype(np.float32), sigma)
    inner = tuple(slice(before, -after) for before, after in padding)
    slopes = [slope[inner] for slope in np.gradient(blurred, *spacing)]
    strength = np.sqrt(sum(slope * slope for slope in slopes))
    surface = strength > 0.1 * strength.max()
    # Here and below einsum: for so narrow matrices BLAS would start threads that cost more than the product.
    normals = np.einsum("av,ax->xv", np.stack([slope[surface] for slope in slopes]), steps / spacing[:, None])
    strength = strength[surface]
    weighted = normals / strength
    axis = upwards
    # Ever narrower cones around the axis found so far, until nothing but the endplates is left in them.
    for cone_degrees in (45, 40, 35, 30, 30, 30, 30):
        endplates = np.abs(np.einsum("x,xv->v", axis, normals)) > math.cos(math.radians(cone_degrees)) * strength
        _, directions = np.linalg.eigh(np.einsum("iv,jv->ij", weighted * endplates, normals))
        axis = directions[:, 2] * np.sign(directions[:, 2] @ axis)
    return axis


@dataclass(frozen=True)
class SampledBody:
    """How full (0..1) the body is on a grid along its posterior, left and superior axis around its centroid.

    `grid`: positions in mm along each axis, `step_mm` apart; `size`: how far the body reaches, roughly.
    """

    density: np.ndarray
    grid: list[np.ndarray]
    step_mm: float

    @cached_property
    def size(self) -> list[float]:
        from_above = self.density.max(axis=2)
        shadows = from_above.max(axis=1), from_above.max(axis=0), self.density.max(axis=(0, 1))
        return [np.count_nonzero(shadow > 0.5) * self.step_mm for shadow in shadows]

    def middle(self, axis: int, fraction: float) -> np.ndarray:
        """Which positions lie in the middle `fraction` of the body along `axis`."""
        return np.abs(self.grid[axis]) <= fraction * self.size[axis] / 2


def sample_body(mask: np.ndarray, steps: np.ndarray, frame: np.ndarray) -> SampledBody:
    centre = np.argwhere(mask).mean(axis=0)
    # Whichever way the body is looked at, its outermost voxels are first or last in a row.
    rows = np.argwhere(mask.any(axis=2))
    inside = mask[tuple(rows.T)]
    ends = inside.argmax(axis=1), inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    outermost = np.vstack([np.column_stack([rows, end]) for end in ends])
    offsets = np.einsum("va,af->vf", outermost - centre, steps @ frame.T)
    spacing = np.linalg.norm(steps, axis=1)
    step_mm = float(np.clip(spacing.min(), 0.5, 1.0))
    half = [math.ceil(mm / step_mm) for mm in np.abs(offsets).max(axis=0) + spacing.max()]
    grid = [np.arange(-count, count + 1) * step_mm for count in half]
    # Outside the array there is nothing, except across a single slice, which is taken to go on.
    single = np.array(mask.shape) == 1
    padded = np.pad(mask, [(0, 0) if alone else (1, 1) for alone in single]).astype(np.float32)
    to_index = np.where(single[:, None], 0, step_mm * (frame @ np.linalg.inv(steps)).T)
    first = np.where(single, 0, centre + 1) - to_index @ half
    shape = tuple(2 * count + 1 for count in half)
    # What scipy's affine_transform gives, in a third of the time.
    into_body = sitk.AffineTransform(to_index[::-1, ::-1].ravel(), first[::-1])
    sampled = sitk.Resample(sitk.GetImageFromArray(padded), shape[::-1], into_body, sitk.sitkLinear)
    density = sitk.GetArrayFromImage(sampled)
    return SampledBody(density, grid, step_mm)


def _axis_by_endplates(body: SampledBody, frame: np.ndarray) -> np.ndarray:
    """The body axis from planes through the inner parts of both endplates, where `frame` is nearly right."""
    behind, left = (body.grid[axis][body.middle(axis, _ENDPLATE)] for axis in range(2))
    inside = body.density[body.middle(0, _ENDPLATE)][:, body.middle(1, _ENDPLATE)] >= 0.5
    crossed = inside.any(axis=2)
    if np.count_nonzero(crossed) < _FEWEST_COLUMNS:
        return frame[2]
    plane = np.column_stack([np.ones(crossed.sum()), *(x[crossed] for x in np.meshgrid(behind, left, indexing="ij"))])
    ends = np.column_stack([inside[crossed].argmax(axis=1), inside.shape[2] - inside[crossed][:, ::-1].argmax(axis=1)])
    _, back_slopes, left_slopes = np.linalg.lstsq(plane, ends * body.step_mm, rcond=None)[0]
    normals = np.column_stack([-back_slopes, -left_slopes, np.ones(2)])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return normals.sum(axis=0) @ frame / np.linalg.norm(normals.sum(axis=0))


def _depth_and_width(body: SampledBody) -> tuple[float | None, float | None]:
    mid_height = body.middle(2, _MIDDLE_HEIGHT)
    front_and_back = walls(body.grid[0], body.density[:, body.middle(1, _SLAB)][:, :, mid_height].mean(axis=(1, 2)))
    sides = walls(body.grid[1], body.density[body.middle(0, _SLAB)][:, :, mid_height].mean(axis=(0, 2)))
    return front_and_back and front_and_back[1] - front_and_back[0], sides and sides[1] - sides[0]


def walls(positions: np.ndarray, density: np.ndarray) -> tuple[float, float] | None:
    """Where `density` first rises above and last falls below one half, between the samples."""
    full = np.flatnonzero(density >= 0.5)
    if not len(full) or full[0] == 0 or full[-1] == len(density) - 1:
        return None
    first, last = int(full[0]), int(full[-1])
    before = np.interp(0.5, density[first - 1 : first + 1], positions[first - 1 : first + 1])
    after = np.interp(0.5, density[[last + 1, last]], positions[[last + 1, last]])
    return float(before), float(after)
