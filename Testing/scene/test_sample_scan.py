"""The sample scan: what is registered is what lies there, a scene takes it, and the bundled models find its bodies."""

import hashlib
import sys
from types import SimpleNamespace
from urllib.request import urlopen

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from SpineInference.anatomy import LEVELS
from SpineInference.files.reading import read_labels, read_volume
from SpineInference.models.catalog import open_set
from SpineInference.options import DEFAULT_MODEL, SegmentationOptions
from SpineInference.pipeline import segment


@pytest.fixture
def sample(scene):
    from SpineSegmentationLib.scene import SampleScan

    return SampleScan


class Register:
    """Records the calls of Slicer's SampleDataLogic."""

    def __init__(self):
        self.sources = []

    def registerCustomSampleDataSource(self, **source):
        self.sources.append(source)


def test_registered_samples_match_their_checksums(sample, monkeypatch):
    register = Register()
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=register))
    sample.registerSampleScans(lambda sample: None)
    names = [source["sampleName"] for source in register.sources]
    assert names == ["SpinePhantom", "SpinePhantomTruth", "SpineLumbarMR"]
    assert all(Image.open(source["thumbnailFileName"]).size == (260, 280) for source in register.sources)
    for source in register.sources[:2]:
        assert source["uris"].startswith("file:///") and source["customDownloader"] is None
        with urlopen(source["uris"]) as file:
            content = file.read()
        assert source["checksums"] == f"SHA256:{hashlib.sha256(content).hexdigest()}"
        assert len(content) <= 3_000_000


def test_the_real_sample_is_downloaded_on_request(sample, monkeypatch):
    register, asked = Register(), []
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=register))
    sample.registerSampleScans(asked.append)
    source = register.sources[-1]
    assert source["uris"].startswith("https://") and source["checksums"] == f"SHA256:{sample.LUMBAR.sha256}"
    assert not asked
    source["customDownloader"](source)
    assert asked == [sample.LUMBAR]


def test_the_real_sample_is_the_file_that_was_looked_at(sample, spine_data):
    content = (spine_data / "samples" / "sct" / "t2_lumbar.nii.gz").read_bytes()
    assert hashlib.sha256(content).hexdigest() == sample.LUMBAR.sha256
    assert len(content) == sample.LUMBAR.size


def test_sample_category_gets_a_title(sample, monkeypatch):
    titles = {}
    monkeypatch.setitem(sys.modules, "slicer.i18n", SimpleNamespace(tr=lambda text: text))
    register = Register()
    register.registerCustomSampleDataCategory = lambda category, title: titles.update({category: title})
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=register))
    sample.registerSampleScans(lambda sample: None)
    assert titles == {source["category"]: "Spine Segmentation" for source in register.sources}


def test_loaded_sample_does_not_save_to_its_source(sample, scene, monkeypatch):
    import slicer

    shown = {}
    monkeypatch.setattr(slicer.util, "setSliceViewerLayers", lambda **layers: shown.update(layers))
    volumeNode = sample.loadSampleScan()
    assert shown == {"background": volumeNode, "fit": True}
    image = sitk.ReadImage(str(sample.SCAN.path))
    assert np.array_equal(slicer.util.arrayFromVolume(volumeNode), sitk.GetArrayViewFromImage(image))
    assert volumeNode.GetStorageNode() is None
    truthNode = sample.loadSampleTruth(volumeNode)
    names = [truthNode.GetSegmentation().GetNthSegment(i).GetName() for i in range(8)]
    assert names == ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert names[0] == sample.TOP_LEVEL


@pytest.mark.slow
def test_bundled_models_segment_the_sample(sample):
    truth = read_labels(sample.TRUTH.path)
    result = segment(
        read_volume(sample.SCAN.path),
        open_set(DEFAULT_MODEL),
        SegmentationOptions(planes=("sagittal",), top_level=sample.TOP_LEVEL),
        reference=truth,
    )
    dice = {body.reference_label: body.dice for body in result.measurements.vertebrae}
    whole = [LEVELS[name].label for name in ("T12", "L1", "L2", "L3", "L4", "L5")]
    assert all(dice.get(label, 0) > 0.85 for label in whole), dice
    bodies = [segment.name for segment in result.segments if segment.is_vertebra]
    assert bodies[0] == "T11" and 7 <= len(bodies) <= 9
    others = {segment.name for segment in result.segments if not segment.is_vertebra}
    assert {"Disc L1-L2", "Disc L2-L3", "Disc L3-L4", "Disc L4-L5", "Spinal canal"} <= others
