"""The real sample scan comes from the web on request; a download that fails is a sentence, and leaves nothing.

The web is a folder on this computer, at the argument "web": `scan.nrrd` in it is the generated sample scan.
"""

import os
import shutil
from dataclasses import replace

import SampleData
import slicer
from session import arguments, nodes, run, shown_scans

CATEGORY = "SpineSegmentation"


def steps(facts):
    from SpineSegmentationLib.scene.SampleScan import LUMBAR, SCAN
    from SpineSegmentationLib.worker.SampleDownload import SampleDownload

    cache = os.path.join(arguments()["folder"], "cache")
    shutil.rmtree(cache, ignore_errors=True)  # of an earlier run
    slicer.mrmlScene.GetCacheManager().SetRemoteCacheDirectory(cache)
    slicer.util.selectModule("SampleData")
    yield 1
    [source] = [
        each for each in SampleData.SampleDataLogic.sampleDataSourcesByCategory(CATEGORY) if each.customDownloader
    ]
    assert source.uris == [LUMBAR.url] and source.checksums == [f"SHA256:{LUMBAR.sha256}"]

    url, size = f"{arguments()['web']}/scan.nrrd", os.path.getsize(SCAN.path)
    sample = replace(LUMBAR, fileName="scan.nrrd", url=url, sha256=SCAN.sha256, size=size)
    failures = {
        "size or SHA-256 differs": replace(sample, sha256="0" * 64),
        "does not exist any more (404)": replace(sample, url=f"{url}.gone"),
        "check the internet connection": replace(sample, url="http://127.0.0.1:9/scan.nrrd"),
    }
    for expected, broken in failures.items():
        SampleDownload().load(broken)
        yield "a sentence", lambda expected=expected: expected in said()
        assert said().endswith("or take SpinePhantom, which needs no internet."), said()
        assert not os.listdir(cache) and not nodes("vtkMRMLScalarVolumeNode")
    facts["said without internet"] = said()

    download = SampleDownload()
    download.load(sample)
    download.load(sample)
    yield "the scan", lambda: nodes("vtkMRMLScalarVolumeNode")
    yield 0.5
    assert os.listdir(cache) == ["scan.nrrd"] and shown_scans() == {LUMBAR.name}
    assert said() == f"{LUMBAR.name} is loaded.", said()
    [volumeNode] = nodes("vtkMRMLScalarVolumeNode")
    assert volumeNode.GetStorageNode() is None, "it would be saved to the cache"

    SampleDownload().load(replace(sample, url="http://127.0.0.1:9/scan.nrrd"))
    yield "the scan again, without internet", lambda: len(nodes("vtkMRMLScalarVolumeNode")) == 2


def said() -> str:
    """The last line in the log of Sample Data."""
    lines = slicer.util.getModuleWidget("SampleData").log.toPlainText().strip().splitlines()
    return lines[-1] if lines else ""


run(steps, arguments()["report"])
