"""Augmentation: image and target move together, and each transform does what its name says."""

import numpy as np
import pytest
import torch

from SegTraining.config.augmentation import Augmentation
from SegTraining.data.intensity_transforms import augment
from SegTraining.data.sampling import crop_slices
from SegTraining.data.spatial_transforms import _displacements

MARGIN = 48
CROP = (96, 64)
AIR = -1.0


def sample(count: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Bright smooth discs in air, and their masks as target; larger than CROP by the margin."""
    rows, columns = (side + 2 * MARGIN for side in CROP)
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    targets = torch.stack([(y - rows / 2 - 3 * n) ** 2 + (x - columns / 2 - 4) ** 2 < 20**2 for n in range(count)])
    image = targets[:, None].float().repeat(1, 3, 1, 1) * 3 + AIR
    return image, targets.to(torch.uint8), torch.full((count,), AIR)


def run(seed: int = 0, **settings) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return augment(*sample(), CROP, Augmentation.model_validate(settings), generator)


def test_without_transforms_the_middle_comes_back():
    image, target, _ = sample()
    found, labels = run()
    assert torch.allclose(found, image[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN], atol=1e-4)
    assert torch.equal(labels, target[:, MARGIN:-MARGIN, MARGIN:-MARGIN])


GEOMETRIC = {
    "horizontal_flip": {"p": 1},
    "elastic": {"p": 1, "mm": 5, "knot_mm": 24},
    "rotation": {"p": 1, "low": 20, "high": 20},
    "scale": {"p": 1, "low": 0.8, "high": 0.8},
    "shift": {"p": 1, "low": 12, "high": 12},
}


@pytest.mark.parametrize("name", GEOMETRIC)
def test_image_and_target_stay_aligned(name):
    image, target = run(**{name: GEOMETRIC[name]})
    _, still = run()
    assert not torch.equal(target, still)
    from_image = image[:, 1] > AIR + 1.5
    overlap = 2 * (from_image & (target == 1)).sum() / (from_image.sum() + (target == 1).sum())
    assert overlap > 0.985


def centre_of(target: torch.Tensor) -> np.ndarray:
    return np.array(np.nonzero(target.numpy() == 1)).mean(axis=1)


def test_scale_and_shift_have_their_amount():
    _, still = run()
    _, scaled = run(scale={"p": 1, "low": 1.25, "high": 1.25})
    assert scaled[0].sum() / still[0].sum() == pytest.approx(1.25**2, rel=0.05)
    _, shifted = run(shift={"p": 1, "low": 10, "high": 10})
    assert np.abs(centre_of(shifted[0]) - centre_of(still[0])) == pytest.approx([10, 10], abs=0.6)


def test_rotation_turns_about_the_middle_of_the_crop():
    _, still = run()
    _, turned = run(rotation={"p": 1, "low": 20, "high": 20})
    middle = np.array(CROP) / 2 - 0.5
    before, after = centre_of(still[3]) - middle, centre_of(turned[3]) - middle
    angle = np.degrees(np.arccos(before @ after / np.linalg.norm(before) / np.linalg.norm(after)))
    assert angle == pytest.approx(20, abs=1.5)


def test_elastic_is_the_same_in_mm_at_any_pixel_size():
    """A grid twice as fine, of twice the pixels, is bent by twice as many of them, at the same places."""
    elastic = Augmentation.model_validate({"elastic": {"p": 1, "mm": 3, "knot_mm": 20}}).elastic
    bent = {
        mm: _displacements(2, (int(96 / mm), int(64 / mm)), elastic, torch.Generator().manual_seed(3), mm) * mm
        for mm in (1.0, 0.5)
    }
    assert bent[1.0].std() > 1
    assert (bent[0.5][:, ::2, ::2] - bent[1.0]).abs().mean() < 0.15


def test_outside_of_the_sample_is_air():
    image, target = run(shift={"p": 1, "low": 150, "high": 150})
    assert (image == AIR).all() and (target == 0).all()


@pytest.mark.parametrize("name", ["blur", "gaussian_blur", "motion_blur"])
def test_blurs_smooth_the_values_and_leave_the_target(name):
    image, target = run(**{name: {"p": 1, "pixels": 3}})
    still, same = run()
    assert torch.equal(target, same)
    assert image.diff(dim=2).abs().amax() <= still.diff(dim=2).abs().amax() + 1e-4
    assert (image - still).abs().amax() > 0.5
    assert image.mean() == pytest.approx(still.mean().item(), abs=0.02)


def test_noise_has_the_asked_fraction_of_the_range():
    image, _ = run(gaussian_noise={"p": 1, "low": 0.01, "high": 0.01})
    still, _ = run()
    assert (image - still).std() == pytest.approx(0.03, rel=0.05)


@pytest.mark.parametrize(
    "settings",
    [
        {"gamma": {"p": 1, "low": 2, "high": 2}},
        {"contrast": {"p": 1, "low": 0.5, "high": 0.5}},
        {"brightness": {"p": 1, "low": 0.1, "high": 0.1}},
        {"bias_field": {"p": 1, "strength": 0.3}},
        {"coil_shading": {"p": 1, "ratio": 20, "axis": "rows"}},
        {"inversion": {"p": 1}},
        {"thick_rows": {"p": 1, "low": 4, "high": 4}},
    ],
)
def test_intensity_transforms_leave_the_target(settings):
    still, same = run()
    # Gamma moves only what is between the darkest and the brightest value.
    image, target = run(**settings, gaussian_noise={"p": 1, "low": 0.02, "high": 0.02})
    assert torch.equal(target, same) and image.isfinite().all()
    assert (image - still).abs().mean() > 0.02


def test_inversion_makes_the_bright_dark():
    still, _ = run()
    image, _ = run(inversion={"p": 1})
    assert np.corrcoef(image.flatten(), still.flatten())[0, 1] == pytest.approx(-1)


def test_slice_order_flip_reverses_the_channels():
    generator = torch.Generator().manual_seed(0)
    image, target, air = sample()
    image[:, 0] += 1
    settings = Augmentation.model_validate({"slice_order_flip": {"p": 1}})
    found, _ = augment(image, target, air, CROP, settings, generator)
    assert (found[:, 2].mean() - found[:, 0].mean()) == pytest.approx(1, abs=1e-3)


def test_cut_field_of_view_takes_image_and_target():
    image, target = run(field_of_view={"p": 1, "low": 0.5, "high": 0.5})
    still, same = run()
    gone = image[:, 0] != still[:, 0]
    assert gone.any() and (image[:, 0][gone] == AIR).all() and (target[gone] == 0).all()
    assert torch.equal(target[~gone], torch.where(gone, 0, same)[~gone])


EVERY = {
    **GEOMETRIC,
    "blur": {"pixels": 3},
    "gaussian_blur": {"pixels": 3},
    "motion_blur": {"pixels": 3},
    "gaussian_noise": {"low": 0.05, "high": 0.05},
    "slice_order_flip": {},
    "thick_rows": {"low": 4, "high": 4},
    "field_of_view": {"low": 0.3, "high": 0.3},
    "gamma": {"low": 2, "high": 2},
    "contrast": {"low": 0.5, "high": 0.5},
    "brightness": {"low": 0.2, "high": 0.2},
    "bias_field": {"strength": 0.4},
    "coil_shading": {"ratio": 20},
    "inversion": {},
}
"""Every augmentation of a batch, so strong that a sample which got it differs from one which did not."""

COUNT, BORDER = 600, 12


def changed_samples(seed: int = 3, **settings) -> torch.Tensor:
    """Which of many samples, all the same small picture, are changed by the augmentations: bool [COUNT]."""
    side = 2 * BORDER + 16
    picture = torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    image = picture.expand(COUNT, 3, side, side).clone()
    target, air = torch.zeros(COUNT, side, side, dtype=torch.uint8), torch.zeros(COUNT)
    chosen, generator = Augmentation.model_validate(settings), torch.Generator().manual_seed(seed)
    found, _ = augment(image, target, air, (16, 16), chosen, generator)
    return ((found - picture[:, BORDER:-BORDER, BORDER:-BORDER]).abs() > 1e-3).flatten(1).any(dim=1)


def test_every_augmentation_is_tested_for_its_p():
    of_single_samples = {"thick_slices", "single_slice"}  # made where slices are read, see test_sampling
    assert set(EVERY) | of_single_samples == set(Augmentation.model_fields)


@pytest.mark.parametrize("name", EVERY)
def test_p_is_the_share_of_changed_samples(name):
    changed = changed_samples(**{name: EVERY[name] | {"p": 0.3}})
    # Four standard deviations of the share on both sides.
    assert float(changed.float().mean()) == pytest.approx(0.3, abs=0.075)


@pytest.mark.parametrize("name", EVERY)
def test_the_seed_decides_which_samples_change(name):
    changed = changed_samples(**{name: EVERY[name] | {"p": 0.3}})
    assert torch.equal(changed, changed_samples(**{name: EVERY[name] | {"p": 0.3}}))
    assert not torch.equal(changed, changed_samples(seed=4, **{name: EVERY[name] | {"p": 0.3}}))


@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_coil_shading_darkens_towards_the_front(axis):
    even = torch.rand(200, 3, 64, 64, generator=torch.Generator().manual_seed(0)) + 4
    even[:, :, 0, 0] = 0.0
    settings = Augmentation.model_validate({"coil_shading": {"p": 1, "ratio": 20, "axis": axis}})
    generator = torch.Generator().manual_seed(1)
    shaded, _ = augment(even, torch.zeros(200, 64, 64), torch.zeros(200), (64, 64), settings, generator)
    profile = shaded[:, 1].mean(dim=2 if axis == "rows" else 1)
    assert (profile[:, -8:].mean(dim=1) > profile[:, :8].mean(dim=1)).float().mean() > 0.95
    # As normalised scans have it, shaded ones too.
    assert torch.allclose(shaded.mean(dim=(1, 2, 3)), even.mean(dim=(1, 2, 3)), atol=1e-3)
    assert torch.allclose(shaded.std(dim=(1, 2, 3)), even.std(dim=(1, 2, 3)), rtol=1e-3)


def test_gamma_does_not_bring_a_bias_field_along():
    """Of gamma and bias field each has its own p, also where a sample gets the other one."""
    side = 2 * BORDER + 16
    picture = torch.rand(1, side, side, generator=torch.Generator().manual_seed(0))
    found, _ = augment(
        picture.expand(COUNT, 1, side, side).clone(),
        torch.zeros(COUNT, side, side, dtype=torch.uint8),
        torch.zeros(COUNT),
        (16, 16),
        Augmentation.model_validate({"gamma": {"p": 0.5, "low": 2, "high": 2}, "bias_field": {"p": 0.4}}),
        torch.Generator().manual_seed(3),
    )
    still = picture[:, BORDER:-BORDER, BORDER:-BORDER]
    low, span = still.min(), still.max() - still.min()
    alone = ((still - low) / span) ** 2 * span + low
    without_field = [((found - each).abs() < 1e-3).flatten(1).all(dim=1) for each in (still, alone)]
    assert float((without_field[0] | without_field[1]).float().mean()) == pytest.approx(0.6, abs=0.08)
    assert float(without_field[1].float().mean()) == pytest.approx(0.3, abs=0.075)


def test_the_same_seed_gives_the_same_samples():
    everything = {**GEOMETRIC, "gaussian_noise": {"low": 0, "high": 0.1}, "bias_field": {}, "motion_blur": {}}
    first, second, other = run(seed=5, **everything), run(seed=5, **everything), run(seed=6, **everything)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])


def test_a_window_beyond_the_slice_is_filled():
    stack = np.arange(2 * 4 * 5, dtype=np.float16).reshape(2, 4, 5)
    found = crop_slices(stack, np.array([1]), (-1, 3, 3, 4), -7.0)
    assert found.dtype == np.float32
    assert found[0].tolist() == [[-7, -7, -7, -7], [23, 24, -7, -7], [28, 29, -7, -7]]
    assert (crop_slices(stack, np.array([0]), (50, 50, 2, 2), 3.0) == 3).all()
