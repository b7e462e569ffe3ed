"""The module is a good citizen of Slicer: what Slicer's own generic test of a module asks, and where things are."""

import platform
import sys
import traceback
from importlib.metadata import PackageNotFoundError, version

import slicer
from session import arguments, write_report


def check(facts):
    facts["Slicer"] = f"{slicer.app.applicationVersion}, Python {platform.python_version()}"
    try:
        facts["onnxruntime"] = version("onnxruntime")
    except PackageNotFoundError:
        raise AssertionError(f"onnxruntime is missing: run {sys.executable} -m pip install onnxruntime") from None
    module = slicer.modules.spinesegmentation
    assert module.name == "SpineSegmentation"
    assert list(module.categories) == ["Segmentation"], module.categories
    for text in (module.title, module.helpText, module.acknowledgementText, *module.contributors):
        assert text.strip()
    assert not module.icon.isNull()
    assert module.logic() == module.logic()
    assert module.widgetRepresentation() == module.widgetRepresentation()
    other = slicer.vtkMRMLScene()
    module.setMRMLScene(other)
    module.setMRMLScene(slicer.mrmlScene)
    assert module.mrmlScene() == slicer.mrmlScene

    import SampleData

    sources = SampleData.SampleDataLogic.sampleDataSourcesByCategory("SpineSegmentation")
    facts["samples"] = [source.sampleName for source in sources]
    assert len(sources) == 2
    assert SampleData.SampleDataLogic().downloadSample("SpinePhantom").GetImageData().GetDimensions() == (150, 220, 64)
    truthNode = SampleData.SampleDataLogic().downloadSample("SpinePhantomTruth")
    assert truthNode.GetSegmentation().GetNumberOfSegments() == 8


def main():
    facts = {}
    failure = None
    try:
        check(facts)
    except Exception:
        failure = traceback.format_exc()
    write_report(arguments()["report"], facts, failure)
    slicer.util.exit(1 if failure else 0)


# What is registered when Slicer has started is not there earlier.
slicer.app.connect("startupCompleted()", main)
