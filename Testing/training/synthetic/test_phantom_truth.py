"""The truth of the spine phantom: every voxel is what it was painted as, and belongs to the right vertebra."""

from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from SegTraining.synthetic.spine.phantom import Phantom, make_phantom
from SegTraining.synthetic.spine.structures import Structure
from SpineInference.anatomy import LEVELS


@cache
def phantom(region: str, seed: int = 12, disease: float = 0.0) -> Phantom:
    size = (190.0, 260.0, 90.0) if region == "lumbar" else (170.0, 220.0, 90.0)
    return make_phantom(seed, (2.0, 2.0, 2.0), size, region=region, contrast="CT", disease=disease)


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


@pytest.mark.parametrize("region", ["cervical", "lumbar"])
def test_whole_vertebrae_hold_their_bodies_and_more(region: str):
    made = phantom(region)
    bodies, vertebrae = array(made.bodies), array(made.vertebrae)
    assert np.array_equal(bodies[bodies > 0], vertebrae[bodies > 0])
    sizes = {label: (np.sum(vertebrae == label), np.sum(bodies == label)) for label in np.unique(bodies)[2:-2]}
    assert all(1.2 < whole / body < 5 for whole, body in sizes.values())


def test_the_atlas_is_a_vertebra_without_a_body():
    made = phantom("cervical")
    atlas, axis = LEVELS["C1"].label, LEVELS["C2"].label
    ring, dens = array(made.vertebrae) == atlas, array(made.bodies) == axis
    assert not np.any(array(made.bodies) == atlas)
    assert 3000 < 8 * ring.sum() < 20_000
    # A ring: it is before, behind and on both sides of the dens, and the dural sac passes through it too.
    row = round(float(np.argwhere(ring)[:, 1].mean()))
    left, back = np.argwhere(dens[:, row]).mean(axis=0)
    slices, columns = np.nonzero(ring[:, row])
    near = np.abs(slices - left) < 5
    assert columns[near].min() < back - 2 and columns[near].max() > back + 8
    assert slices.min() < left - 10 and slices.max() > left + 10
    sac = np.nonzero(array(made.canal)[round(left), row])[0].mean()
    assert back < sac < columns[near].max()


@pytest.mark.parametrize("region", ["cervical", "thoracic", "lumbar"])
def test_discs_lie_between_their_two_bodies(region: str):
    made = phantom(region)
    bodies, discs = array(made.bodies), np.where(array(made.discs) > 0, array(made.levels), 0)
    labels = [label for label in np.unique(bodies) if label][1:-2]
    for label in labels:
        rows = [np.argwhere(part).mean(axis=0)[1] for part in (bodies == label, discs == label, bodies > label)]
        assert rows == sorted(rows)


def test_the_cord_ends_above_the_end_of_the_dural_sac():
    structures = array(phantom("lumbar").structures)
    cord, sac = (np.flatnonzero((structures == part).any(axis=(0, 2))) for part in (Structure.CORD, Structure.FLUID))
    assert cord.max() < sac.max() - 30
    assert np.array_equal(array(phantom("lumbar").canal) > 0, np.isin(structures, (Structure.CORD, Structure.FLUID)))


def test_the_sacrum_below_s1_has_no_number():
    made = phantom("lumbar")
    sacrum = array(made.structures) == Structure.SACRUM
    assert sacrum.any()
    assert not array(made.levels)[sacrum].any()
    assert np.argwhere(sacrum)[:, 1].mean() > np.argwhere(array(made.bodies) == LEVELS["S1"].label)[:, 1].mean()


def test_the_truth_ends_where_a_ct_shows_dense_bone():
    made = phantom("lumbar")
    image, bodies = array(made.image), array(made.bodies) > 0
    rim = bodies & ~ndimage.binary_erosion(bodies)
    around = ndimage.binary_dilation(bodies, iterations=3) & ~ndimage.binary_dilation(bodies, iterations=2)
    soft = around & (array(made.vertebrae) == 0) & (array(made.structures) != Structure.SACRUM)
    assert np.median(image[rim]) > np.median(image[soft]) + 200


def test_what_the_scanner_does_leaves_the_truth_alone():
    arguments = {"spacing": (2.0, 2.0, 4.0), "field_of_view": (160.0, 160.0, 40.0), "contrast": "T2"}
    for seed in range(1, 4):
        good, bad = (make_phantom(seed, artefacts=artefacts, **arguments) for artefacts in (0.0, 1.0))
        assert not np.array_equal(array(good.image), array(bad.image))
        assert good.image.GetSize() == bad.image.GetSize()
    t1, stir = (make_phantom(5, **(arguments | {"contrast": contrast})) for contrast in ("T1", "STIR"))
    assert np.array_equal(array(t1.structures), array(stir.structures))
    assert np.array_equal(array(t1.levels), array(stir.levels))


def test_bodies_are_one_piece_each_however_ill():
    made = make_phantom(4, (2.0, 2.0, 3.0), (140.0, 260.0, 60.0), contrast="STIR", disease=1.0)
    bodies = array(made.bodies)
    for label in np.unique(bodies)[2:-2]:
        assert ndimage.label(bodies == label, np.ones((3, 3, 3)))[1] == 1
