"""The scene side of the host: selectors follow it, parameters are checked, saved and restored, modules come and go."""

import enum
from typing import Annotated, Union

import numpy as np
import pytest


@pytest.fixture
def addVolume(host):
    import slicer

    return lambda name: slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16), name=name)


@pytest.fixture
def selector(host):
    """A selector of volumes in which none may be chosen."""
    import slicer

    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.noneEnabled = True
    box.setMRMLScene(slicer.mrmlScene)
    return box


class Device(enum.Enum):
    AUTO = 1
    CPU = 2


@pytest.fixture
def parameters(host):
    """The class of a parameter node with every type that the host knows, and a way to wrap the scene's node."""
    import slicer
    from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    @parameterNodeWrapper
    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        reference: Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007
        name: str = "spine"
        level: Annotated[str, Choice(["unknown", "C1"])] = "unknown"
        threshold: Annotated[float, WithinRange(0, 1)] = 0.5
        count: int = 3
        fill: bool = True
        device: Device = Device.AUTO
        planes: list[str]

    class PartLogic(ScriptedLoadableModuleLogic): ...

    return lambda: Parameters(PartLogic().getParameterNode())


def test_a_selector_follows_the_scene(host, selector, addVolume):
    import slicer

    heard = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    first, second = addVolume("first"), addVolume("second")
    assert (selector.nodeCount(), selector.currentNode()) == (2, None)
    selector.setCurrentNode(second)
    assert heard == [second]
    first.SetName("renamed")
    assert [selector.children()[1].itemText(i) for i in range(3)] == ["None", "renamed", "second"]
    slicer.mrmlScene.RemoveNode(second)
    assert heard == [second, None]
    hidden = addVolume("hidden")
    hidden.SetHideFromEditors(1)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert selector.nodeCount() == 1
    host.closeScene()
    assert selector.nodeCount() == 0


def test_selector_without_none_jumps_on_node_removal(host, selector, addVolume):
    import slicer

    selector.noneEnabled = False
    nodes = [addVolume(name) for name in "abc"]
    selector.setCurrentNode(nodes[1])
    slicer.mrmlScene.RemoveNode(nodes[1])
    assert selector.currentNode() is nodes[2]
    slicer.mrmlScene.RemoveNode(nodes[2])
    assert selector.currentNode() is nodes[0]


def test_selector_refuses_unknown_slots(selector):
    with pytest.raises(AttributeError):
        selector.setNoneEnabled(True)
    with pytest.raises(AttributeError, match="cannot be set"):
        selector.currentNode = None


def test_parameters_refuse_invalid_values(parameters, addVolume):
    node = parameters()
    for name, value in [("level", "C9"), ("threshold", 1.5), ("name", None)]:
        with pytest.raises(ValueError):
            setattr(node, name, value)
    for name, value in [("count", 2.5), ("fill", 1), ("reference", addVolume("scan")), ("planes", [1])]:
        with pytest.raises(TypeError):
            setattr(node, name, value)
    assert (node.level, node.threshold, node.reference) == ("unknown", 0.5, None)


def test_unknown_parameter_type_is_refused(host):
    import slicer.parameterNodeWrapper

    with pytest.raises(NotImplementedError, match="sizes"):

        @slicer.parameterNodeWrapper.parameterNodeWrapper
        class Parameters:
            sizes: dict[str, int]


def test_each_assignment_sends_one_event(parameters, addVolume):
    import vtk

    node, events = parameters(), []
    node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: events.append(event))
    node.volume = addVolume("scan")
    node.planes = ["sagittal"]
    assert len(events) == 2
    node.planes.append("axial")
    assert list(node.planes) == ["sagittal", "axial"]
    assert len(events) == 3


@pytest.mark.parametrize(
    ("parameter", "widget", "shown"),
    [
        ("name", "QLineEdit", ("text", "spine")),
        ("level", "QComboBox", ("currentText", "unknown")),
        ("device", "QComboBox", ("currentText", "AUTO")),
        ("threshold", "QDoubleSpinBox", ("maximum", 1.0)),
        ("count", "QSpinBox", ("value", 3)),
        ("fill", "QCheckBox", ("checked", True)),
    ],
)
def test_parameter_types_bind_to_their_widgets(parameters, parameter, widget, shown):
    import qt

    box = getattr(qt, widget)()
    parameters().connectParametersToGui({parameter: box})
    assert getattr(box, shown[0]) == shown[1]


@pytest.mark.parametrize(
    ("parameter", "widget"),
    [
        ("name", "QComboBox"),
        ("name", "QPlainTextEdit"),
        ("planes", "QLineEdit"),
        ("fill", "QRadioButton"),
        ("count", "QDoubleSpinBox"),
        ("count", "QSlider"),
        ("volume", "QComboBox"),
    ],
)
def test_unsupported_bindings_are_refused(parameters, parameter, widget):
    import qt

    with pytest.raises(RuntimeError, match=parameter):
        parameters().connectParametersToGui({parameter: getattr(qt, widget)()})


def test_widgets_and_parameters_follow_each_other(parameters, selector, addVolume):
    import qt
    import slicer

    node, level = parameters(), qt.QComboBox()
    tag = node.connectParametersToGui({"level": level, "volume": selector})
    level.currentIndex = 1
    selector.setCurrentNode(addVolume("scan"))
    assert (node.level, node.volume.GetName()) == ("C1", "scan")
    node.level = "unknown"
    assert level.currentText == "unknown"
    slicer.mrmlScene.RemoveNode(node.volume)
    assert node.volume is None
    node.disconnectGui(tag)
    level.currentIndex = 1
    assert node.level == "unknown"


def test_selector_gets_node_types_of_its_parameter(parameters, selector):
    parameters().connectParametersToGui({"reference": selector})
    assert selector.nodeTypes == ["vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode"]


@pytest.mark.parametrize("name", ["scene.mrml", "scene.mrb"])
def test_parameters_are_saved_with_the_scene(host, parameters, addVolume, tmp_path, name):
    node = parameters()
    node.volume = addVolume("scan")
    node.planes, node.threshold, node.device, node.fill = ["axial"], 0.25, Device.CPU, False
    if name == "scene.mrml":  # which refers to files
        node.volume = None
    host.saveScene(tmp_path / name)
    singleton = node.parameterNode
    host.closeScene()
    assert (node.volume, node.threshold, node.device, list(node.planes)) == (None, 0.5, Device.AUTO, [])
    assert parameters().parameterNode is singleton
    host.loadScene(tmp_path / name)
    node = parameters()
    assert (node.threshold, node.device, node.fill, list(node.planes)) == (0.25, Device.CPU, False, ["axial"])
    if name == "scene.mrb":
        assert node.volume.GetName() == "scan"
        assert node.volume.GetImageData().GetDimensions() == (6, 5, 4)


def test_layouts_and_slice_views_are_real_nodes(host, addVolume):
    import slicer

    manager, layouts = slicer.app.layoutManager(), []
    manager.connect("layoutChanged(int)", layouts.append)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotTableView)
    assert layouts == [manager.layout] == [slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotTableView]
    assert sorted(manager.sliceViewNames()) == ["Green", "Red", "Yellow"]
    volume = addVolume("scan")
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 1, 2, 3, slicer.vtkMRMLSliceNode.CenteredJumpSlice)
    red = manager.sliceWidget("Red")
    assert red.mrmlSliceNode().GetSliceOffset() == pytest.approx(3)
    assert red.sliceLogic().GetSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
    host.closeScene()
    assert sorted(manager.sliceViewNames()) == ["Green", "Red", "Yellow"]


def test_segment_editor_can_be_opened(host, addVolume):
    import slicer

    panel = host.openModule("SpineSegmentation")
    assert panel.parent.isEntered
    slicer.util.selectModule("SegmentEditor")
    assert not panel.parent.isEntered
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    with pytest.raises(RuntimeError):
        editor.setSourceVolumeNode(addVolume("scan"))
    editor.setSegmentationNode(segmentation)
    assert editor.segmentationNode is segmentation


def test_module_is_registered_and_reloads(host):
    import slicer

    panel = host.openModule("SpineSegmentation")
    assert slicer.modules.spinesegmentation.widgetRepresentation().self() is panel
    assert slicer.util.getModuleWidget("SpineSegmentation") is panel
    assert slicer.modules.SpineSegmentationInstance.parent.title
    old = vars(panel.ui)
    reloaded = host.reload()
    assert reloaded is not panel and type(reloaded) is not type(panel)
    assert set(vars(reloaded.ui)) == set(old)
    assert panel.ui.segmentButton is not reloaded.ui.segmentButton


def test_screenshot_shows_the_whole_panel(host, tmp_path):
    from PIL import Image

    panel = host.openModule("SpineSegmentation")
    host.screenshot(panel, tmp_path / "panel.png")
    width, height = Image.open(tmp_path / "panel.png").size
    assert 400 < width < 800
    assert height > 300
