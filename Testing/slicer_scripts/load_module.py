"""The module is a good citizen of Slicer: what Slicer's own generic test of a module asks, and where things are."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import slicer
from session import arguments, run


def steps(facts):
    yield 0.5  # what is registered when Slicer has started is not there earlier
    facts["Slicer"] = f"{slicer.app.applicationVersion}, Python {platform.python_version()}"
    try:
        facts["OpenVINO"] = version("openvino")
    except PackageNotFoundError:
        raise AssertionError(f"OpenVINO is missing: run {sys.executable} -m pip install openvino") from None
    module = slicer.modules.spinesegmentation
    assert module.name == "SpineSegmentation"
    facts["module"] = arguments()["module"]
    _check_origin(Path(facts["module"]), module)
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
    assert len(sources) == 3
    assert SampleData.SampleDataLogic().downloadSample("SpinePhantom").GetImageData().GetDimensions() == (150, 220, 64)
    truthNode = SampleData.SampleDataLogic().downloadSample("SpinePhantomTruth")
    assert truthNode.GetSegmentation().GetNumberOfSegments() == 8


def _check_origin(folder, module) -> None:
    """The module and what it imports come from this folder, and not from another one that Python finds first."""
    import SpineInference
    import SpineSegmentationLib

    for path in (module.path, SpineInference.__file__, SpineSegmentationLib.__file__):
        assert Path(path).resolve().is_relative_to(folder), f"{path} is not in {folder}"


run(steps, arguments()["report"])
