"""The overview picture: well chosen slices of whatever the scan is like, and a picture that shows them.

That it is handsome is for people to see; what is tested is that it shows the right things in the right places.
"""

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.views import make_views


def as_scan(array: np.ndarray, spacing=(1.0, 1.0, 1.0)) -> sitk.Image:
    """A canonical array [I, P, L] as an image whose axes run to the left, to the back and down."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
    return image


def column(shift_per_body: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A canonical scan and its labels: bodies 1 to 4 from top to bottom, each shifted to the left of the one above."""
    labels = np.zeros((100, 80, 60), np.uint8)
    for number in range(1, 5):
        top, left = 22 * number - 16, 10 + shift_per_body * number
        labels[top : top + 15, 30:50, left : left + 20] = number
    scan = np.random.default_rng(0).normal(100, 5, labels.shape).astype(np.float32)
    scan[labels > 0] += 100
    return scan, labels


def views_of(scan: np.ndarray, labels: np.ndarray, partial=(), spacing=(1.0, 1.0, 1.0)) -> dict:
    views = make_views(as_scan(scan, spacing), as_scan(labels, spacing), set(partial))
    return {view.plane: view for view in views}


def shown(view) -> list[int]:
    return [int(value) for value in np.unique(view.labels) if value]


def test_three_planes_through_the_bodies():
    views = views_of(*column())
    assert list(views) == ["sagittal", "coronal", "axial"]
    assert shown(views["sagittal"]) == shown(views["coronal"]) == [1, 2, 3, 4]
    assert shown(views["axial"]) in ([2], [3])
    for view in views.values():
        assert view.image.shape == view.labels.shape
        assert view.image.min() == 0 and view.image.max() == 1
        # The image and the labels are of the same place: bodies are bright.
        assert view.image[view.labels > 0].mean() > view.image[view.labels == 0].mean() + 0.3


def test_sagittal_is_superior_up_and_anterior_left():
    scan, labels = column()
    scan[:] = 0
    scan[:20] = 1  # superior
    views = views_of(scan, labels)
    assert views["sagittal"].image[:5].mean() > 0.9 and views["coronal"].image[-5:].mean() < 0.1
    scan[:] = 0
    scan[:, :35] = 1  # anterior
    views = views_of(scan, labels)
    assert views["sagittal"].image[:, :5].mean() > 0.9 and views["axial"].image[:5].mean() > 0.9


def test_the_order_of_the_axes_in_the_file_does_not_matter():
    scan, labels = map(as_scan, column())
    turned = make_views(sitk.DICOMOrient(scan, "SAR"), sitk.DICOMOrient(labels, "SAR"), set())
    for expected, view in zip(make_views(scan, labels, set()), turned, strict=True):
        np.testing.assert_array_equal(view.image, expected.image)
        np.testing.assert_array_equal(view.labels, expected.labels)


def test_an_oblique_scan_is_shown_along_its_own_axes():
    scan, labels = map(as_scan, column())
    expected = make_views(scan, labels, set())
    for image in (scan, labels):
        image.SetDirection((0.985, 0, 0.174, 0, 1, 0, 0.174, 0, -0.985))
    for upright, oblique in zip(expected, make_views(scan, labels, set()), strict=True):
        np.testing.assert_array_equal(oblique.labels, upright.labels)


def test_scoliosis_gets_the_slice_with_most_bodies():
    view = views_of(*column(shift_per_body=7))["sagittal"]
    assert len(shown(view)) == 3  # more than three never share a slice


def test_the_axial_view_avoids_partial_bodies():
    assert shown(views_of(*column(), partial={2, 3})["axial"]) in ([1], [4])
    assert shown(views_of(*column(), partial={1, 2, 3, 4})["axial"]) in ([2], [3])


def test_pixels_keep_their_shape():
    view = views_of(*column(), spacing=(4.0, 1.0, 0.5))["coronal"]
    assert view.pixel_mm == (0.5, 4.0)
    assert view.size_mm == (view.image.shape[0] * 0.5, view.image.shape[1] * 4.0)


def test_the_lines_of_the_other_planes_run_through_what_they_show():
    views = views_of(*column())
    axis, position = views["sagittal"].cuts["axial"]
    assert axis == 0
    row = views["sagittal"].labels[int(position)]
    assert [int(value) for value in np.unique(row) if value] == shown(views["axial"])
    axis, position = views["axial"].cuts["sagittal"]
    assert axis == 1 and views["axial"].labels[:, int(position)].any()


@pytest.mark.parametrize(("axis", "plane"), [(0, "axial"), (1, "coronal"), (2, "sagittal")])
def test_one_slice_is_one_view(axis, plane):
    scan, labels = (np.take(array, [40], axis=axis) for array in column())
    views = views_of(scan, labels)
    assert list(views) == [plane] and views[plane].cuts == {}


def test_without_labels_the_whole_scan_is_shown():
    scan, labels = column()
    views = views_of(scan, np.zeros_like(labels))
    assert views["sagittal"].image.shape == (100, 80)
