"""Small bodies are shown to the networks larger; all that is measured stays what it is."""

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.prediction.lighting import Lit
from SpineInference.prediction.magnification import MOST, SHOWN, SMALL, look_closely, magnification, magnified
from SpineInference.prediction.region import Region

BOX = (slice(0, 1),) * 3


def test_lumbar_bodies_are_shown_as_they_are():
    assert [magnification(Region(BOX, BOX, size)) for size in (SMALL, 1.0, 2.0)] == [1, 1, 1]


@pytest.mark.parametrize("size", [0.4, 0.5, 0.65])
def test_small_bodies_are_shown_at_one_size(size):
    assert magnification(Region(BOX, BOX, size)) * size == pytest.approx(SHOWN)


def test_nothing_is_shown_larger_than_the_limit():
    assert magnification(None) == magnification(Region(BOX, BOX, 0.1)) == magnification(Region(BOX, BOX, 0.0)) == MOST


def test_magnified_is_the_same_voxels():
    image = sitk.GetImageFromArray(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    image.SetSpacing((1.0, 2.0, 3.0))
    larger = magnified(image, 1.5)
    assert larger.GetSpacing() == (1.5, 3.0, 4.5) and image.GetSpacing() == (1.0, 2.0, 3.0)
    assert (sitk.GetArrayViewFromImage(larger) == sitk.GetArrayViewFromImage(image)).all()


def test_where_nothing_is_seen_the_scan_stays_as_it_is():
    spacings, shown = [], []

    def prepare(mm: float) -> Lit:
        spacings.append(mm)
        return Lit(sitk.Image(4, 4, 4, sitk.sitkFloat32), mm)

    look = look_closely(prepare, lambda lit: shown.append(lit.image.GetSpacing()[0]), 1.0)
    assert spacings == [1.0, 1.0 / MOST] and shown == [1.0, MOST]
    assert (look.region, look.factor, look.lit.shading_removed) == (None, 1.0, 1.0)
    assert look_closely(prepare, lambda _: None, 1.0, again=False).region is None and spacings[2:] == [1.0]
