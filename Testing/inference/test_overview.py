"""The overview picture: well chosen slices of whatever the scan is like, and a picture that shows them.

That it is handsome is for people to see; what is tested is that it shows the right things in the right places.
"""

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from matplotlib.backends.backend_agg import FigureCanvasAgg

from SpineInference.anatomy import LEVELS, Segment, numbered
from SpineInference.engines.devices import Device
from SpineInference.measuring.measurements import measure
from SpineInference.picture.canvas import WARNING
from SpineInference.picture.overview import draw_overview, write_overview
from SpineInference.picture.views import make_views
from SpineInference.result import Result


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


def test_overview_ignores_axis_order_of_the_file():
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


def test_lines_of_other_planes_lie_where_they_cut():
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


# --- The picture


def as_result(
    labels: np.ndarray,
    bodies: list[Segment] | None,
    partial=(),
    reference=None,
    notes=(),
    structures=(),
    qualities=None,
) -> Result:
    image = as_scan(labels)
    there = [structure for structure in structures if (labels == structure.label).any()]
    return Result(
        labels=image,
        segments=[*(bodies or ()), *there],
        partial=set(partial),
        measurements=measure(
            image, bodies, set(partial), None if reference is None else as_scan(reference), structures, qualities
        ),
        models=["bright-sagittal"],
        planes=["sagittal"],
        device=Device("cpu", 0, "A processor", "test"),
        timings={"reading": 1.0, "network": 41.6},
        notes=list(notes),
    )


def whole_spine() -> tuple[np.ndarray, np.ndarray]:
    """24 bodies in a narrow scan that begins and ends with a body."""
    labels = np.zeros((480, 60, 40), np.uint8)
    for number in range(1, 25):
        labels[20 * number - 20 : 20 * number - 4, 20:45, 8:32] = number
    return labels.astype(np.float32) + np.random.default_rng(0).normal(0, 1, labels.shape).astype(np.float32), labels


LUMBAR = [LEVELS[name] for name in ("L2", "L3", "L4", "L5")]
QUALITIES = [0.951, 0.79, 0.9, 0.884]


def case(name: str) -> tuple[np.ndarray, Result, str]:
    scan, labels = column()
    values = labels.copy()
    for number, segment in enumerate(LUMBAR, start=1):
        values[labels == number] = segment.label
    if name == "named":
        return scan, as_result(values, LUMBAR, partial=[LUMBAR[0].label]), "scan"
    if name == "reference":
        return scan, as_result(values, LUMBAR, reference=np.roll(values, 2, axis=0), qualities=QUALITIES), "scan"
    if name == "numbered":
        values = np.where(labels > 0, labels + 100, 0).astype(np.uint8)
        return scan, as_result(values, [numbered(number) for number in range(1, 5)]), "scan"
    if name == "empty":
        return scan, as_result(labels * 0, [], notes=["No vertebral body was found in this scan. " * 5] * 30), "scan"
    if name.startswith("organs"):
        names = ("Left lung", "Heart", "A name that is much too long for its column", "Trachea")
        organs = [Segment(n, name, (50 * n, 90, 120), "1", name, False) for n, name in enumerate(names, start=1)]
        labels[labels == 4] = 0
        thin = slice(None) if name == "organs" else slice(15, 16)
        return scan[:, :, thin], as_result(labels[:, :, thin].copy(), None, structures=organs), "scan"
    if name == "one slice":
        return scan[:, :, 15:16], as_result(values[:, :, 15:16].copy(), LUMBAR), "scan"
    if name == "four voxels thin":
        return scan[:, :, 12:16], as_result(values[:, :, 12:16].copy(), LUMBAR), "scan"
    if name == "odd name":
        return scan, as_result(values, LUMBAR), "$x^2$ _ { \\frac ä 脊椎 " * 20
    scan, labels = whole_spine()
    levels = list(LEVELS.values())[:24]
    return scan, as_result(labels, levels, partial=[1, 24], reference=labels.copy()), "scan"


CASES = ["named", "reference", "numbered", "empty", "one slice", "four voxels thin", "odd name", "whole spine"]
CASES += ["organs", "organs in one slice"]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", CASES)
def test_no_text_overlaps_another_or_leaves_the_picture(name):
    scan, result, title = case(name)
    canvas = draw_overview(as_scan(scan), result, title)
    renderer = FigureCanvasAgg(canvas.figure).get_renderer()
    texts = canvas.figure.texts + [text for axes in canvas.figure.axes for text in axes.texts]
    boxes = {f"{number} {text.get_text()}": text.get_window_extent(renderer) for number, text in enumerate(texts)}
    for what, box in boxes.items():
        assert box.x0 >= 0 and box.x1 <= canvas.width and box.y0 >= 0 and box.y1 <= canvas.height, what
    for (what, box), (other, other_box) in combinations(boxes.items(), 2):
        width = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        height = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        assert width <= 1 or height <= 3, f"{what} overlaps {other}"  # the boxes include room for descenders


def test_the_picture_tells_what_was_found(tmp_path):
    scan, result, title = case("reference")
    canvas = draw_overview(as_scan(scan), result, title)
    texts = [text.get_text() for text in canvas.figure.texts]
    assert "scan" in texts and "Not for clinical use" in texts and "L2 to L5" in texts
    assert any("bright-sagittal" in text and "A processor" in text and "43 s" in text for text in texts)
    assert any(text.startswith("Against the reference: Dice 0.8") for text in texts)
    names = [[text.get_text() for text in axes.texts] for axes in canvas.figure.axes]
    assert set(names[0]) == {"L2", "L3", "L4", "L5", "S", "I", "A", "P", "20 mm"}


def test_a_body_to_look_at_first_stands_out():
    scan, result, title = case("reference")
    texts = draw_overview(as_scan(scan), result, title).figure.texts
    colours = {text.get_text(): text.get_color() for text in texts}
    assert colours["0.79"] == WARNING
    assert WARNING not in {colours["0.95"], colours["0.90"], colours["0.88"]}


def test_what_is_no_vertebra_is_not_counted_as_one():
    scan, result, title = case("organs in one slice")
    texts = [text.get_text() for text in draw_overview(as_scan(scan), result, title).figure.texts]
    assert "3 of 4" in texts and {"Area", "Left lung", "Trachea"} <= set(texts)
    assert not {"Vertebral bodies", "Levels", "Volume", "Anterior"} & set(texts)


def test_the_contours_are_where_the_bodies_are(tmp_path):
    scan, result, title = case("named")
    write_overview(as_scan(scan), result, title, tmp_path / "overview.png")
    assert [path.name for path in tmp_path.iterdir()] == ["overview.png"]
    picture = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "overview.png"))[..., :3].astype(int)
    sagittal = picture[124:1040, 40:470]
    assert picture.shape[0] == 1080
    heights = []
    for segment in LUMBAR:
        rows, columns = np.nonzero(np.abs(sagittal - np.array(segment.colour)).max(axis=-1) < 12)
        assert len(rows) > 100, f"no contour of {segment.name}"
        # A contour is around its body: the four are one below the other, as high as wide as 15 to 20 mm.
        heights.append((rows.min(), rows.max()))
        assert np.ptp(rows) / np.ptp(columns) < 1
    assert all(above[1] < below[0] for above, below in pairwise(heights))


@pytest.mark.data
def test_real_scans(spine_data: Path, tmp_path):
    folder = spine_data / "Dataset501_Chu"
    labels_path = sorted((folder / "instancesTr").glob("*.nii.gz"))[0]
    scan = sitk.ReadImage(folder / "imagesTr" / labels_path.name.replace(".nii.gz", "_0000.nii.gz"))
    labels = sitk.ReadImage(labels_path)
    views = {view.plane: view for view in make_views(scan, labels, set())}
    values = {int(value) for value in np.unique(sitk.GetArrayViewFromImage(labels)) if value}
    assert set(shown(views["sagittal"])) == values
