"""The voxels of the spine phantom: a sagittal acquisition, painted finer than it is scanned."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

# Directions of the columns, rows and slices of a sagittal acquisition: to the back, downwards, to the right ("PIR").
_SAGITTAL = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True)
class PhantomGrid:
    """A scan's voxels around `middle` (LPS, mm). Tuples follow the image axes, arrays are [slice, row, column].

    Thick voxels are painted in an odd number of parts, which are averaged; the middle part says what the voxel is.
    """

    middle: np.ndarray
    spacing: tuple[float, float, float]
    counts: tuple[int, int, int]
    folded: tuple[int, int, int]
    """How many voxels beyond each end of the axes are scanned and fold over onto the opposite end."""

    @property
    def parts(self) -> list[int]:
        """In how many parts a voxel is painted along each axis."""
        return [2 * int(step / 4.5 + 0.5) + 1 for step in self.spacing]

    def offsets(self, axis: int) -> np.ndarray:
        """Where the parts lie along an image axis, mm from the middle."""
        part = self.parts[axis]
        count = part * (self.counts[axis] + 2 * self.folded[axis])
        return (np.arange(count) - (count - 1) / 2) * self.spacing[axis] / part

    @property
    def part_spacing(self) -> tuple[float, ...]:
        """Of the parts along the array axes, mm."""
        return tuple(self.spacing[axis] / self.parts[axis] for axis in (2, 1, 0))

    def acquire(self, signal: np.ndarray) -> np.ndarray:
        """The voxels of a painted signal: averaged, and folded over where the person is longer than the image."""
        blocks = [n for size, part in zip(signal.shape, self.parts[::-1], strict=True) for n in (size // part, part)]
        image = signal.reshape(blocks).mean(axis=(1, 3, 5))
        for axis, beyond in enumerate(self.folded[::-1]):
            if beyond:
                image = np.moveaxis(image, axis, 0)
                first, last = image[:beyond], image[-beyond:]
                image = image[beyond:-beyond].copy()
                image[-beyond:] += first
                image[:beyond] += last
                image = np.moveaxis(image, 0, axis)
        return image

    def truth(self, painted: np.ndarray) -> np.ndarray:
        """What was noted in the middles of the voxels."""
        centres = [slice(part // 2, None, part) for part in self.parts[::-1]]
        inside = [slice(beyond, -beyond or None) for beyond in self.folded[::-1]]
        return painted[tuple(centres)][tuple(inside)]

    def as_image(self, array: np.ndarray, turn: np.ndarray) -> sitk.Image:
        """An image of the voxels, turned about the patient's origin by the rotation matrix `turn`."""
        y, z, x = (-(count - 1) / 2 * step for count, step in zip(self.counts, self.spacing, strict=True))
        first = self.middle + np.array([-x, y, -z])
        result = sitk.GetImageFromArray(np.ascontiguousarray(array))
        result.SetSpacing([float(step) for step in self.spacing])
        result.SetDirection((turn @ _SAGITTAL).ravel().tolist())
        result.SetOrigin((turn @ first).tolist())
        return result


def rotation(rng: np.random.Generator, degrees: float) -> np.ndarray:
    """A rotation by `degrees` about a random axis, as a 3 x 3 matrix."""
    axis = rng.standard_normal(3)
    axis /= np.linalg.norm(axis)
    cross = np.cross(np.eye(3), axis)
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
