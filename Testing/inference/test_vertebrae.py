"""Single bodies out of masks: synthetic columns of every shape, and the reference masks of real scans."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from SpineInference.errors import SpineError
from SpineInference.vertebrae import assign_levels, separate

LUMBAR = {"height": 28.0, "depth": 34.0, "width": 48.0, "disc": 8.0}
CERVICAL = {"height": 13.0, "depth": 15.0, "width": 17.0, "disc": 5.0}
DATA = Path(os.environ.get("SPINE_DATA", Path(__file__).parents[3] / "shared" / "data"))


def straight(distance):
    return np.column_stack([distance, 0 * distance, 0 * distance])


def oblique(distance):
    """40 degrees off the axis of the scan."""
    return np.column_stack([distance * np.cos(0.7), distance * np.sin(0.7), 0 * distance])


def scoliotic(distance):
    """An S in the coronal plane (Cobb angle of about 60 degrees) on a lordosis."""
    return np.column_stack([distance * 0.93, 0.002 * (distance - 100) ** 2, 18 * np.sin(distance / 35)])


def column(count, size, spacing, line=straight, margin=12.0, disc=None):
    """Labels 1..n [I, P, L] of elliptic cylinders with a slight waist along `line`, which takes distances in mm."""
    pitch = size["height"] + (size["disc"] if disc is None else disc)
    centres = line(pitch * np.arange(count))
    steps = line(pitch * np.arange(count) + 0.5) - line(pitch * np.arange(count) - 0.5)
    reach = max(size.values()) / 2 + margin
    low = centres.min(axis=0) - reach
    shape = np.ceil((centres.max(axis=0) + reach - low) / spacing).astype(int)
    grid = np.stack(np.indices(shape), axis=-1) * np.array(spacing) + low
    labels = np.zeros(shape, np.uint8)
    for number, (centre, axis) in enumerate(zip(centres, steps, strict=True), start=1):
        axis = axis / np.linalg.norm(axis)
        left = np.array([0, 0, 1.0]) - axis * axis[2]
        left /= np.linalg.norm(left)
        offset = grid - centre
        w, v, u = offset @ axis, offset @ left, offset @ np.cross(left, axis)
        flare = 0.92 + 0.08 * np.minimum(1, np.abs(2 * w / size["height"])) ** 2
        inside = (np.hypot(2 * u / size["depth"], 2 * v / size["width"]) < flare) & (np.abs(w) < size["height"] / 2)
        labels[inside] = number
    return labels


def dilated(mask, spacing, mm):
    return ndimage.distance_transform_edt(~mask, sampling=spacing) <= mm


def bridged(labels, spacing, radius):
    """`labels` as a mask with a round bar, in front, from each body to the next."""
    mask = labels > 0
    grid = np.stack(np.indices(labels.shape), axis=-1) * np.array(spacing)
    count = labels.max()
    centres = np.array(ndimage.center_of_mass(mask, labels, range(1, count + 1))) * spacing
    for upper, lower in zip(centres[:-1], centres[1:], strict=True):
        along = np.clip((grid - upper) @ (lower - upper) / np.sum((lower - upper) ** 2), 0, 1)[..., None]
        mask |= np.linalg.norm(grid - upper - along * (lower - upper) + [0, radius, 0], axis=-1) < radius
    return mask


def assert_separated(instances, bodies, labels, least=0.85):
    """Every label is one instance, in the same order."""
    assert len(bodies) == labels.max()
    for number in range(1, labels.max() + 1):
        found, wanted = (instances == number) & (labels > 0), labels == number
        assert 2 * np.count_nonzero(found & wanted) / (found.sum() + wanted.sum()) > least


SHAPES = {
    "lumbar": (5, LUMBAR, (2.0, 2.0, 2.0), straight),
    "thick sagittal slices": (5, LUMBAR, (1.2, 1.2, 4.0), straight),
    "cervical": (6, CERVICAL, (1.0, 1.0, 1.0), straight),
    "oblique": (5, LUMBAR, (2.0, 2.0, 2.0), oblique),
    "oblique pair": (2, LUMBAR, (2.0, 2.0, 2.0), oblique),
    "scoliotic": (7, LUMBAR, (2.0, 2.0, 2.0), scoliotic),
}


@pytest.mark.parametrize("touching", ["apart", "bridged", "dilated until they touch"])
@pytest.mark.parametrize("name", SHAPES)
def test_columns_of_every_shape(name, touching):
    count, size, spacing, line = SHAPES[name]
    labels = column(count, size, spacing, line)
    mask = labels > 0
    if touching == "bridged":
        mask = bridged(labels, spacing, radius=size["height"] / 4)
    elif touching != "apart":
        mask = dilated(mask, spacing, size["disc"] / 2 + 0.5)
    if touching != "apart":
        assert ndimage.label(mask)[1] < count
    instances, bodies = separate(mask, spacing)
    assert_separated(instances, bodies, labels)
    assert (instances > 0).sum() >= 0.99 * mask.sum()
