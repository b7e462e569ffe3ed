"""Where the topmost vertebra is chosen, the panel says where names come from, and the user's choice wins."""

import pytest
from synthetic_result import with_result
from synthetic_scan import addScan

from SpineInference.anatomy import Naming


@pytest.fixture
def panel(host, small_models):
    return host.openModule("SpineSegmentation")


def test_levels_are_automatic_by_default(panel):
    assert panel.ui.levelSelector.currentText == "automatic"
    assert "sacrum" in panel.ui.levelSelector.toolTip and "otherwise Vertebra 1" in panel.ui.levelSelector.toolTip


def test_proposed_levels_show_their_confidence(host, small_models, tmp_path):
    panel = with_result(host, tmp_path, Naming("proposed", 0.97, "the sacrum"))
    assert "Levels from the sacrum, confidence 0.97" in panel.ui.resultLabel.text and panel.ui.resultLabel.visible
    panel._parameterNode.topLevel = "T12"
    host.process()
    assert "Named T12, L1" in panel.ui.levelSelector.toolTip


def test_numbered_result_asks_for_the_level(host, small_models, tmp_path):
    panel = with_result(host, tmp_path, Naming("numbered"))
    assert "choose the topmost vertebra" in panel.ui.resultLabel.text and panel.ui.resultLabel.visible
    panel._parameterNode.inputVolume = addScan("another")
    host.process()
    assert not panel.ui.resultLabel.visible, "nothing is known yet about the levels of this one"


@pytest.mark.parametrize(
    ("chosen", "level", "propose"), [("unknown", None, True), ("numbered", None, False), ("C2", "C2", True)]
)
def test_chosen_level_reaches_the_worker(host, panel, monkeypatch, chosen, level, propose):
    asked = []
    monkeypatch.setattr(panel.logic, "segment", lambda _volume, options, **_: asked.append(options))
    monkeypatch.setattr("SpineSegmentationLib.panel.run.RunSection.ensureInstalled", lambda *_: None)
    panel._parameterNode.inputVolume = addScan()
    panel._parameterNode.topLevel = chosen
    host.process()
    panel.ui.segmentButton.click()
    assert [(options.top_level, options.propose_levels) for options in asked] == [(level, propose)]
