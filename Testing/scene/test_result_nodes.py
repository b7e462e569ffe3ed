"""Which results are in the scene: of which scan, from which run, whole or without their table."""

import pytest
from scene_cases import make_case
from written_results import chosen_node, written_result

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.fixture
def imported(scene, tmp_path):
    """A function that brings a result of a new scan of this name into the scene."""
    from SpineSegmentationLib.scene.results.ResultImport import importResult
    from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume

    scan, labels = make_case()

    def imported(name, volumeNode=None, output=None):
        folder = tmp_path / name
        folder.mkdir()
        return importResult(*written_result(folder, labels), volumeNode or addVolume(scan, name), output)

    return imported


def visible() -> list[str]:
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [node.GetName() for node in nodes if node.GetDisplayVisibility()]


def test_only_one_result_is_visible(imported, scene):
    from SpineSegmentationLib.scene.results.ResultNodes import showOnly

    first, second = imported("first"), imported("second")
    chosen_node(scene)
    showOnly(first.tableNode)
    assert visible() == [first.segmentationNode.GetName(), "chosen"], "what a person has drawn stays"
    showOnly(second.tableNode)
    assert visible() == [second.segmentationNode.GetName(), "chosen"]
    scene.RemoveNode(first.tableNode)
    showOnly(first.segmentationNode)
    assert visible() == [first.segmentationNode.GetName(), "chosen"]
    showOnly(None)
    assert visible() == ["chosen"]


def test_results_belong_to_their_scans(imported, scene):
    from SpineSegmentationLib.scene.results.MeasurementTable import scanOf
    from SpineSegmentationLib.scene.results.ResultNodes import latestResultOf, resultsInScene

    first = imported("first")
    second = imported("second")
    again = imported("again", scanOf(first.tableNode))
    assert resultsInScene() == [first.tableNode, second.tableNode, again.tableNode]
    assert latestResultOf(scanOf(first.tableNode)) is again.tableNode
    assert latestResultOf(first.segmentationNode) is first.tableNode
    scene.RemoveNode(first.tableNode)
    assert latestResultOf(first.segmentationNode) is first.segmentationNode, "without its table it is still a result"
    scene.RemoveNode(first.segmentationNode)
    assert resultsInScene() == [second.tableNode, again.tableNode]
    assert latestResultOf(None) is None


def test_replaced_segments_take_their_table_along(imported, scene):
    from SpineSegmentationLib.scene.results.MeasurementTable import scanOf
    from SpineSegmentationLib.scene.results.ResultNodes import latestResultOf, resultsInScene

    first = imported("first")
    other = imported("other")
    second = imported("second", scanOf(first.tableNode), first.segmentationNode)
    assert resultsInScene() == [other.tableNode, second.tableNode], "the first table measures what is gone"
    second.replacement.swap()
    assert latestResultOf(first.segmentationNode) is first.tableNode
    second.replacement.swap()
    assert latestResultOf(first.segmentationNode) is second.tableNode

    drawn, _array = chosen_node(scene)
    third = imported("third", scanOf(first.tableNode), drawn)
    assert latestResultOf(drawn) is third.tableNode
    third.replacement.swap()
    assert latestResultOf(drawn) is None, "what a person has drawn was never measured"
