"""What the panel offers, refuses and remembers: every choice is a parameter, and comes back with the scene."""

import numpy as np
import pytest
from synthetic_scan import addScan

CHOICES = {
    "topLevel": "T11",
    "planes": ["sagittal", "axial"],
    "fusion": "vote",
    "biasCorrection": "on",
    "postprocessing": "adjusted",
    "minIslandMm3": 700.0,
    "fillHoles": False,
    "smoothMm": 0.4,
    "interpolateSlices": True,
    "dilateMm": 1.5,
    "device": "cpu",
}


@pytest.fixture
def panel(host, small_models):
    return host.openModule("SpineSegmentation")


def choose(panel, box, text):
    combo = getattr(panel.ui, box)
    combo.currentIndex = combo.findText(text)


def enabled(panel, *names) -> list[bool]:
    return [getattr(panel.ui, name).enabled for name in names]


def test_empty_panel_asks_for_a_scan(panel):
    assert not panel.ui.segmentButton.enabled
    assert "Choose a scan first." in panel.ui.segmentButton.toolTip
    hidden = ("resultWidget", "progressBar", "errorDetailsCollapsibleButton", "downloadButton")
    assert not any(getattr(panel.ui, name).visible for name in hidden)
    assert panel.ui.modelSelector.currentText == "Vertebral bodies, discs and canal in MR"
    assert "MR" in panel.ui.modelSelector.toolTip and "Dice" in panel.ui.modelSelector.toolTip
    for told in ("Training data", "Chu", "0.9", "range of", "Licence", "sagittal, coronal, axial"):
        assert told in panel.ui.modelDetailsBrowser.toPlainText()


def test_sample_button_loads_the_scan(host, panel):
    panel.ui.sampleButton.click()
    host.process()
    assert panel._parameterNode.inputVolume.GetName() == "SpinePhantom"
    assert "150 × 220 × 64 voxels of 1.2 mm" in panel.ui.inputSelector.toolTip
    assert panel._parameterNode.topLevel == "unknown", "a choice that the next scan would get too"
    assert panel.ui.segmentButton.enabled


def test_loaded_scan_is_preselected_label_map_is_not(host, small_models):
    import slicer

    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(labels, np.ones((3, 4, 5), np.uint8))
    scan = addScan()
    panel = host.openModule("SpineSegmentation")
    assert panel.ui.inputSelector.currentNode() is scan
    panel.ui.inputSelector.setCurrentNode(labels)
    assert "is a label map, not a scan" in panel.ui.inputHintLabel.text
    assert panel.ui.inputHintLabel.visible and "voxels" not in panel.ui.inputSelector.toolTip
    assert not panel.ui.segmentButton.enabled
    assert panel.ui.segmentButton.toolTip.startswith("<p>The volume")
    panel.ui.inputSelector.setCurrentNode(scan)
    assert panel.ui.segmentButton.enabled


@pytest.mark.parametrize(("value", "says"), [(0, "every voxel has the same value (0)"), (np.nan, "are not numbers")])
def test_scan_that_shows_nothing_is_refused_at_once(host, panel, value, says):
    import slicer

    scan = addScan()
    slicer.util.updateVolumeFromArray(scan, np.full((4, 5, 6), value, np.float32))
    panel._parameterNode.inputVolume = scan
    assert says in panel.ui.inputHintLabel.text and not panel.ui.segmentButton.enabled


def test_scan_loaded_beside_the_panel_is_chosen(host, panel):
    import slicer

    scan = addScan("loaded later")
    host.process(until=lambda: panel._parameterNode.inputVolume is scan)
    assert panel.ui.segmentButton.enabled
    host.process()
    other = addScan("resampled by another module")
    host.process(until=lambda: panel.input._knownIds == {scan.GetID(), other.GetID()})
    assert panel._parameterNode.inputVolume is scan, "it is not in the views"
    slicer.util.setSliceViewerLayers(background=addScan("loaded last"))
    host.process(until=lambda: panel._parameterNode.inputVolume.GetName() == "loaded last")


def test_non_linear_transform_is_noticed(host, panel):
    import slicer

    scan = panel._parameterNode.inputVolume = addScan()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    assert panel.ui.segmentButton.enabled
    scan.SetAndObserveTransformNodeID(transform.GetID())
    host.process(until=lambda: not panel.ui.segmentButton.enabled)
    assert "non-linear transform" in panel.ui.inputHintLabel.text


@pytest.mark.parametrize(("attribute", "darkest", "hint"), [("CT", 0, "is CT"), ("MR", -1024, ""), ("", -1024, "a CT")])
def test_other_modality_gets_a_warning_only(host, panel, attribute, darkest, hint):
    import slicer

    scan = addScan()
    slicer.util.arrayFromVolume(scan)[0, 0, 0] = darkest
    slicer.util.arrayFromVolumeModified(scan)
    if attribute:
        scan.SetAttribute("DICOM.Modality", attribute)
    panel._parameterNode.inputVolume = scan
    assert (attribute or "modality not known") in panel.ui.inputSelector.toolTip
    assert ("expect little" in panel.ui.inputHintLabel.text) == panel.ui.inputHintLabel.visible == bool(hint)
    assert hint in panel.ui.inputHintLabel.text
    assert panel.ui.segmentButton.enabled


def test_widgets_write_the_parameters(host, panel):
    parameters = panel._parameterNode
    choose(panel, "levelSelector", "C2")
    choose(panel, "fusionSelector", "majority vote")
    choose(panel, "biasSelector", "corrected (N4)")
    choose(panel, "deviceSelector", "processor (CPU)")
    assert (parameters.topLevel, parameters.fusion) == ("C2", "vote")
    assert (parameters.biasCorrection, parameters.device) == ("on", "cpu")
    assert "Named C2, C3, C4, C5, C6, C7 ..." in panel.ui.levelSelector.toolTip

    planes = ("sagittalCheckBox", "coronalCheckBox", "axialCheckBox")
    assert enabled(panel, *planes) == [False] * 3
    panel.ui.automaticPlanesCheckBox.click()
    assert list(parameters.planes) == ["sagittal", "coronal", "axial"]
    panel.ui.coronalCheckBox.click()
    panel.ui.axialCheckBox.click()
    assert list(parameters.planes) == ["sagittal"]
    assert not panel.ui.fusionSelector.enabled
    panel.ui.sagittalCheckBox.click()  # without a plane there is nothing to do: automatic again
    assert list(parameters.planes) == [] and panel.ui.automaticPlanesCheckBox.checked


def test_adjusted_postprocessing_starts_from_the_model(host, panel):
    panel.ui.advancedCollapsibleButton.collapsed = False
    host.process()
    assert "parts below 1000 mm³ removed, holes filled, smoothed by 1.2 mm" in panel.ui.postprocessingInfoLabel.text
    assert not panel.ui.postprocessingWidget.visible
    choose(panel, "postprocessingSelector", "adjusted")
    assert panel.ui.postprocessingWidget.visible
    assert (panel.ui.islandSpinBox.value, panel.ui.smoothSpinBox.value) == (1000, 1.2)
    panel._parameterNode.smoothMm = 0.0
    assert panel.run._postprocessing().min_island_share == 0.2, "small bodies are kept as before"
    panel.ui.islandSpinBox.value = 250
    assert panel.run._postprocessing().min_island_share == 0, "the limit that was asked for"
    panel.ui.fillHolesCheckBox.click()
    assert (panel._parameterNode.minIslandMm3, panel._parameterNode.fillHoles) == (250, False)


def test_only_the_planes_of_the_model_are_offered(host, panel, small_models):
    panel._parameterNode.model = small_models
    panel.ui.automaticPlanesCheckBox.click()
    assert enabled(panel, "sagittalCheckBox", "coronalCheckBox", "axialCheckBox") == [True, False, True]


def shown(panel) -> dict:
    """What the panel shows of all choices."""
    ui = panel.ui
    combos = ("modelSelector", "levelSelector", "fusionSelector", "biasSelector", "postprocessingSelector")
    boxes = ("automaticPlanes", "sagittal", "coronal", "axial", "fillHoles", "interpolate")
    return {
        **{name: getattr(ui, name).currentText for name in (*combos, "deviceSelector")},
        **{name: getattr(ui, f"{name}CheckBox").checked for name in boxes},
        **{name: getattr(ui, name).value for name in ("islandSpinBox", "smoothSpinBox")},
        **{name: node_name(getattr(ui, name)) for name in ("inputSelector", "outputSelector", "referenceSelector")},
        "preview": ui.levelSelector.toolTip,
    }


def node_name(selector) -> str:
    return selector.currentNode().GetName() if selector.currentNode() else ""


def test_every_choice_comes_back_with_the_scene(host, panel, small_models, tmp_path):
    import slicer

    parameters = panel._parameterNode
    defaults = shown(panel)
    parameters.inputVolume = addScan()
    parameters.outputSegmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "output")
    parameters.referenceSegmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "reference")
    parameters.model = small_models
    for name, value in CHOICES.items():
        setattr(parameters, name, value)
    chosen = shown(panel)
    assert {name for name in chosen if chosen[name] == defaults[name]} == {"sagittal", "axial"}
    host.saveScene(tmp_path / "scene.mrb")
    host.closeScene()
    assert shown(panel) == defaults
    host.loadScene(tmp_path / "scene.mrb")
    assert shown(panel) == chosen
    for name, value in CHOICES.items():
        assert getattr(panel._parameterNode, name) == value
    panel = host.reload()
    assert shown(panel) == chosen


def test_unknown_model_of_a_scene_is_named(host, panel):
    panel._parameterNode.inputVolume = addScan()
    panel._parameterNode.model = "from-elsewhere"
    assert panel.ui.modelSelector.currentText == "from-elsewhere"
    assert not panel.ui.segmentButton.enabled
    assert '"from-elsewhere" is not on this computer' in panel.ui.segmentButton.toolTip


def test_advanced_section_lists_devices(host, panel):
    panel.ui.advancedCollapsibleButton.collapsed = False
    host.process(until=lambda: "Automatic takes" in panel.ui.deviceInfoLabel.text, timeout=60)
    assert "because" in panel.ui.deviceInfoLabel.text
    texts = [panel.ui.deviceSelector.itemText(index) for index in range(panel.ui.deviceSelector.count)]
    assert texts[:2] == ["automatic", "processor (CPU)"] and len(texts) >= 3


def test_every_widget_has_a_tooltip(panel):
    import qt

    for widget in panel.parent.findChildren(qt.QWidget):
        if widget.objectName in vars(panel.ui) and widget.className() not in ("QLabel", "QWidget", "qMRMLWidget"):
            assert widget.toolTip, widget.objectName


def test_every_choice_reaches_the_worker(host, panel, small_models, monkeypatch):
    import json

    from SpineSegmentationLib.worker.WorkerProcess import WorkerProcess

    sent = []
    monkeypatch.setattr(WorkerProcess, "send", lambda self, line, protocol, onEnd: sent.append(json.loads(line)))
    panel._parameterNode.inputVolume = addScan()
    panel._parameterNode.model = small_models
    for name, value in CHOICES.items():
        setattr(panel._parameterNode, name, value)
    panel.ui.segmentButton.click()
    options = sent[0]["options"]
    assert (options["model"], options["planes"], options["fusion"]) == (small_models, ["sagittal", "axial"], "vote")
    assert (options["top_level"], options["bias_correction"], options["device"]) == ("T11", True, "cpu")
    assert options["postprocessing"] == {
        "min_island_mm3": 700.0,
        "min_island_share": 0.0,  # what a person asks for is the limit
        "fill_holes": False,
        "smooth_mm": 0.4,
        "interpolate_slices": True,
        "dilate_mm": 1.5,
    }
    panel.logic._current.run._folder.remove()


def test_gpus_are_listed_by_name_and_memory(host, panel):
    found = [
        {"wish": f"cuda:{number}", "name": name, "reason": f"{name} with {memory} GB passed its test"}
        for number, (name, memory) in enumerate((("Fast Card", 24), ("Small Card", 4)))
    ]
    cpu = {"wish": "cpu", "name": "CPU", "reason": "always there"}
    panel.options._onDevices({"automatic": found[0], "others": [*found, cpu]}, None)
    texts = [panel.ui.deviceSelector.itemText(index) for index in range(panel.ui.deviceSelector.count)]
    assert texts == ["automatic", "processor (CPU)", "Fast Card with 24 GB", "Small Card with 4 GB"]
    assert "Automatic takes: Fast Card, because Fast Card with 24 GB passed its test." in panel.ui.deviceInfoLabel.text
    panel.ui.deviceSelector.currentIndex = 3
    assert panel._parameterNode.device == "cuda:1"
