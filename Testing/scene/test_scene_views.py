"""The demonstration's picture: all four views show something, and the segmentation is in each of them."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.fixture(scope="module")
def views():
    from SlicerHost.views import canDrawOffScreen

    if not canDrawOffScreen():
        pytest.skip("offscreen OpenGL (EGL or OSMesa) is not available on this machine")
    from scene_picture import draw_scene
    from SlicerHost.core import startScene

    from SegTraining.synthetic.spine.phantom import make_phantom
    from SpineInference.anatomy import LEVELS
    from SpineSegmentationLib.scene.segmentations.SegmentationScene import addSegmentation
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume

    phantom = make_phantom(1, (2.0, 2.0, 2.0), (150.0, 200.0, 70.0), contrast="T2")
    startScene()
    volumeNode = addVolume(phantom.image, "phantom")
    segmentationNode = addSegmentation(phantom.bodies, list(LEVELS.values()), volumeNode, "bodies")
    segmentationNode.CreateDefaultDisplayNodes()
    return draw_scene(volumeNode, segmentationNode)


@pytest.mark.parametrize("name", ["Sagittal", "Coronal", "Axial", "3D"])
def test_every_view_shows_coloured_bodies(views, name):
    pixels = views[name].astype(int)
    colourful = np.ptp(pixels, axis=2) > 25
    assert 0.02 < colourful.mean() < 0.6


@pytest.mark.parametrize("name", ["Sagittal", "Coronal", "Axial"])
def test_every_slice_view_shows_the_scan(views, name):
    pixels = views[name].astype(int)
    grey = (np.ptp(pixels, axis=2) == 0) & (pixels[..., 0] > 20)
    assert grey.mean() > 0.1
    assert len(np.unique(pixels[grey])) > 30


def test_the_picture_holds_all_views(views, tmp_path):
    from PIL import Image
    from scene_picture import PLACES, write_picture

    write_picture(views, tmp_path / "scene.png")
    picture = np.asarray(Image.open(tmp_path / "scene.png"))
    for name, (left, top, width, height) in PLACES.items():
        below_caption = slice(top + 40, top + height)
        assert np.array_equal(picture[below_caption, left : left + width], views[name][40:])
