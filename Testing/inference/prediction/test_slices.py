"""Slices, canvases and tiles, with engines whose answer is known."""

from itertools import pairwise, permutations, product
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from bright_engine import BrightAndDark, BrightIsForeground, manifest, volume
from scipy import special

from SpineInference.errors import Cancelled
from SpineInference.monitor import Monitor
from SpineInference.prediction.fusion import Fusion
from SpineInference.prediction.slices import pad, predict_blocks, predict_plane, tile_starts
from SpineInference.prediction.whole_plane import add_prediction
from SpineInference.specs import OPPOSITE, OutputSpec
from SpineInference.volume.geometry import PLANES, SLICE_AXIS, canonical, reorient


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("canvas", [None, (32, 32), (64, 64)])
@pytest.mark.parametrize("spec", [{}, {"blending": "gaussian", "orientation": "SRA"}], ids=["usual", "nnU-Net's"])
def test_a_volume_comes_back_voxel_for_voxel(plane, canvas, spec):
    """Padded, on a canvas that is larger, and in overlapping tiles of one that is smaller."""
    source, engine = volume(), BrightIsForeground()
    answer = np.full(source.shape, np.nan, np.float32)
    for index, probability in predict_plane(source, manifest(plane, canvas=canvas, **spec), engine, Monitor()):
        np.moveaxis(answer, SLICE_AXIS[plane], 0)[index] = probability[0]
    assert np.array_equal(answer.round(5), source > 0.5)
    assert all(rows % 32 == 0 and columns % 32 == 0 for *_, rows, columns in engine.shapes)
    if canvas:
        assert {shape[2:] for shape in engine.shapes} == {canvas}
    assert max(shape[0] for shape in engine.shapes) == engine.batch_size


def test_neighbours_become_channels_and_the_ends_repeat():
    seen = []

    class Recorder(BrightIsForeground):
        batch_size = 1

        def probabilities(self, batch):
            seen.append(batch[0, :, 16, 16].tolist())
            return super().probabilities(batch)

    ramp = np.broadcast_to(np.arange(4, dtype=np.float32)[:, None, None], (4, 32, 32))
    list(predict_plane(ramp, manifest("axial", context=2), Recorder(), Monitor()))
    assert seen == [[0, 0, 0, 1, 2], [0, 0, 1, 2, 3], [0, 1, 2, 3, 3], [1, 2, 3, 3, 3]]


ORIENTATIONS = ["".join(x) for axes in permutations(("LR", "AP", "IS")) for x in product(*axes)]


@pytest.mark.parametrize("plane", PLANES)
def test_networks_see_slices_in_their_orientation(plane):
    """Rows, columns and neighbours as in the array of a volume that is stored so, padded with the model's value."""
    assert len(ORIENTATIONS) == 48
    scan = canonical(sitk.GetImageFromArray(volume((5, 6, 7))))
    for orientation in ORIENTATIONS:
        stored = sitk.GetArrayFromImage(reorient(scan, orientation))
        letter = {"sagittal": "L", "coronal": "P", "axial": "I"}[plane]
        place = next(p for p, x in enumerate(reversed(orientation)) if letter in (x, OPPOSITE[x]))
        slices = np.moveaxis(stored, place, 0)
        backwards = orientation[2 - place] != letter
        seen = []

        class Recorder(BrightIsForeground):
            batch_size = 1

            def probabilities(self, batch, seen=seen):
                seen.append(batch[0])
                return super().probabilities(batch)

        spec = manifest(plane, orientation=orientation, pad_multiple=8, pad_value=-3.0)
        list(predict_plane(sitk.GetArrayFromImage(scan), spec, Recorder(), Monitor()))
        middle = seen[1] if not backwards else seen[len(slices) - 2]
        rows, columns = slices.shape[1:]
        top, left = (8 - rows) // 2, (8 - columns) // 2
        assert np.array_equal(middle[:, top : top + rows, left : left + columns], slices[0:3])
        assert middle.min() == -3


def test_the_middle_of_a_canvas_counts_more():
    """As in nnU-Net: half a canvas of overlap, means of logits, Gaussian weights with an eighth of a side as sigma."""

    class ByTile(BrightIsForeground):
        """0.2 of the first tile, 0.6 of the second."""

        batch_size = 1

        def probabilities(self, batch):
            self.shapes.append(batch.shape)
            return np.full((1, 1, *batch.shape[2:]), (0.2, 0.6)[len(self.shapes) - 1], np.float32)

    spec = manifest("axial", context=0, canvas=(32, 32), blending="gaussian")
    ((_, found),) = predict_plane(volume((1, 32, 48)), spec, ByTile(), Monitor())
    weights = np.exp(-0.5 * ((np.arange(32) - 16) / 4) ** 2)
    share = np.concatenate([np.zeros(16), weights[:16] / (weights[:16] + weights[16:]), np.ones(16)])
    expected = special.expit((1 - share) * special.logit(0.2) + share * special.logit(0.6))
    np.testing.assert_allclose(found[0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("canvas", [None, (32, 32)])
def test_softmax_labels_come_without_background(canvas):
    source = volume((3, 40, 50))
    several = manifest("axial", activation="softmax", labels=2, canvas=canvas)
    slices = dict(predict_plane(source, several, BrightAndDark(), Monitor()))
    assert np.array_equal(slices[1], np.stack([source[1] > 0.5, source[1] < 0.2]))


def test_cancel_is_noticed_between_batches():
    engine = BrightIsForeground()
    monitor = Monitor(should_stop=lambda: len(engine.shapes) >= 2)
    with pytest.raises(Cancelled):
        list(predict_plane(volume(), manifest("axial"), engine, monitor))
    assert len(engine.shapes) == 2


def test_padding_is_background_and_centred():
    padded, inside = pad(np.ones((1, 1, 30, 33), np.float32), 32, 64, -5.0)
    assert padded.shape == (1, 1, 32, 64)
    assert padded[(0, 0, *inside)].shape == (30, 33) and (padded[(0, 0, *inside)] == 1).all()
    assert padded.sum() == 30 * 33 - 5 * (32 * 64 - 30 * 33)
    assert (inside[0].start, inside[1].start) == (1, 15)


@pytest.mark.parametrize("length", [10, 32, 33, 57, 100, 512, 640])
def test_tiles_cover_everything_and_overlap(length):
    starts = tile_starts(length, 32)
    covered = np.zeros(length, int)
    for start in starts:
        covered[start : start + 32] += 1
    assert covered.all()
    if length > 32:
        assert all(b - a <= 24 for a, b in pairwise(starts))


@pytest.mark.parametrize(("missing", "seen_to"), [(1, 12), (2, 8)])
def test_one_bad_thick_slice_ends_no_column(missing, seen_to):
    source = np.zeros((40, 40, 12), np.float32)
    source[10:30, 10:30] = 1
    source[:, :, 8 : 8 + missing] = 0
    image = sitk.GetImageFromArray(source)
    image.SetSpacing((5.0, 1.0, 1.0))
    fusion = Fusion(source.shape, "mean", OutputSpec(threshold=0.4))
    seen = manifest("sagittal")
    seen.output = OutputSpec(threshold=0.4)
    package = SimpleNamespace(manifest=seen)
    add_prediction(fusion, image, package, [(0, 1.0)], BrightIsForeground(), Monitor(), ends_after_mm=4.0)
    shown = np.flatnonzero(fusion.settled().class_probabilities[0].any(axis=(0, 1)))
    assert shown[-1] == seen_to - 1


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_blocks_end_where_nothing_is_seen(plane, batch_size):
    """And where they end does not depend on how many slices are computed at a time."""
    source, axis = np.zeros((50, 50, 50), np.float32), SLICE_AXIS[plane]
    np.moveaxis(source, axis, 0)[[12, 20, 25, 26, 33]] = 1  # with gaps of 7, 4 and 6 slices that show nothing
    engine = BrightIsForeground()
    engine.batch_size = batch_size
    for ends_after, expected in ((None, range(50)), (7, range(13, 41)), (8, range(4, 42))):
        answer = np.zeros_like(source)
        seen = []
        for span, probabilities in predict_blocks(source, manifest(plane), engine, Monitor(), ends_after):
            np.moveaxis(answer, axis, 0)[span] = probabilities[0]
            seen += range(span.start, span.stop)
        assert sorted(seen) == list(expected)
        assert np.array_equal(np.moveaxis(answer, axis, 0)[expected], np.moveaxis(source, axis, 0)[expected])
