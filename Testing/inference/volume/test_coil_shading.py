"""The fall-off of a coil behind the patient is measured and taken out, whatever the grid and the zero of the scan."""

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.prediction.lighting import STEEP
from SpineInference.volume.coil_shading import CoilShading, estimate_shading, remove_shading

GRIDS = {
    "thin slices": ((40, 120, 100), (2.0, 1.5, 2.0)),
    "thick slices": ((9, 180, 200), (4.4, 1.0, 1.0)),
    "one slice": ((1, 180, 200), (5.0, 1.0, 1.0)),
}


def trunk(size=(40, 120, 100), spacing=(2.0, 1.5, 2.0), ratio=1.0, zero=0.0):
    """A trunk of speckled tissue with dark gas, `size` voxels (x, y, z) and canonical, and the mask of the tissue.

    A coil receives the back `ratio` times as bright as the front.
    """
    shape = size[::-1]
    y = np.linspace(-1, 1, shape[1])[:, None] + np.zeros(shape)
    generator = np.random.default_rng(3)
    tissue = (np.abs(y) < 0.85) & (generator.random(shape) > 0.1)
    depth = np.clip((0.85 - y[0, :, 0]) / 1.7, 0, 1)
    fall_off = -1.5 * np.log1p(depth**2 * (ratio ** (2 / 3) - 1))
    values = np.where(tissue, generator.normal(400, 60, shape), 0) * np.exp(fall_off)[:, None]
    image = sitk.GetImageFromArray((values + np.abs(generator.normal(0, 1, shape)) + zero).astype(np.float32))
    image.SetSpacing(spacing)
    return image, tissue


@pytest.mark.parametrize("name", GRIDS)
def test_steep_fall_off_is_taken_out(name):
    image, tissue = trunk(*GRIDS[name], ratio=20.0)
    shading = estimate_shading(image)
    assert 12 < shading.ratio < 30
    even = remove_shading(image, shading)
    assert even.GetSize() == image.GetSize() and even.GetSpacing() == image.GetSpacing()
    of_layers = [layer[inside].mean() for layer, inside in zip(*layers(even, tissue), strict=True)]
    assert max(of_layers) < 1.5 * min(of_layers)


def layers(image, tissue):
    """The coronal layers that show tissue: their voxels, and where tissue is."""
    rows = np.flatnonzero(tissue.any(axis=(0, 2)))
    array = sitk.GetArrayFromImage(image)
    return [array[:, row] for row in rows], [tissue[:, row] for row in rows]


def test_even_scan_is_not_steep():
    assert estimate_shading(trunk()[0]).ratio < STEEP


def test_zero_of_the_intensities_does_not_matter():
    ratios = [estimate_shading(trunk(ratio=10.0, zero=zero)[0]).ratio for zero in (0.0, 30.0, -1000.0)]
    assert ratios == pytest.approx([ratios[0]] * 3, rel=0.01)


def test_air_in_front_is_not_made_bright():
    image, tissue = trunk(ratio=20.0)
    even = sitk.GetArrayFromImage(remove_shading(image, estimate_shading(image)))
    assert even[:, :5].max() < 0.2 * even[tissue].mean()


@pytest.mark.parametrize("values", [np.zeros((20, 30, 10)), np.eye(30)[None].repeat(20, 0)], ids=["empty", "one line"])
def test_too_little_to_see_is_even(values):
    assert estimate_shading(sitk.GetImageFromArray(values.astype(np.int16))).ratio == pytest.approx(1)


def test_ratio_is_brightest_to_darkest():
    assert CoilShading(np.log([2.0, 8.0, 1.0]), 0.0).ratio == pytest.approx(8)
