"""Where the topmost vertebra is chosen, the panel says where names come from, and the user's choice wins."""

from dataclasses import replace

import numpy as np
import pytest
from painted_scan import addScan
from small_records import small_record

from SpineInference.anatomy import LEVELS, Naming, numbered
from SpineInference.app.requests import Request
from SpineInference.files.writing import write_labelmap
from SpineInference.measuring.measurements import as_json, measure


def add_result(panel, tmp_path, naming: Naming) -> None:
    """A result of two vertebrae that were named in this way."""
    from SpineSegmentationLib.scene.ResultImport import importResult
    from SpineSegmentationLib.scene.VolumeExchange import imageWithGeometryOf

    volumeNode = addScan()
    segments = [numbered(1), numbered(2)] if naming.source == "numbered" else [LEVELS["L4"], LEVELS["L5"]]
    array = np.zeros((96, 40, 40), np.uint8)
    array[10:30, 10:30, 8:28], array[40:62, 10:30, 8:28] = (segment.label for segment in segments)
    labels = imageWithGeometryOf(volumeNode, array)
    write_labelmap(labels, tmp_path / "labels.nrrd")
    measurements = as_json(replace(measure(labels, segments, set()), naming=naming))
    request, contents = Request("scan.nrrd", str(tmp_path)), {"labels": "labels.nrrd"}
    record = small_record(request, segments, measurements=measurements, contents=contents)
    panel._parameterNode.inputVolume = volumeNode
    panel._parameterNode.result = importResult(record, tmp_path, volumeNode).tableNode


@pytest.fixture
def panel(host, small_models):
    return host.openModule("SpineSegmentation")


def test_at_first_levels_are_automatic_and_the_panel_says_what_that_means(panel):
    assert panel.ui.levelSelector.currentText == "automatic"
    assert "sacrum" in panel.ui.namingLabel.text and "otherwise Vertebra 1" in panel.ui.namingLabel.text
    assert not panel.ui.namingHintLabel.visible


def test_a_proposal_is_shown_with_its_confidence_until_the_user_chooses(host, panel, tmp_path):
    add_result(panel, tmp_path, Naming("proposed", 0.97, "the sacrum"))
    host.process()
    assert "confidence 0.97" in panel.ui.namingHintLabel.text and panel.ui.namingHintLabel.visible
    panel._parameterNode.topLevel = "T12"
    host.process()
    assert not panel.ui.namingHintLabel.visible
    assert "Named T12, L1" in panel.ui.namingLabel.text


def test_a_scan_without_an_anchor_asks_for_the_level(host, panel, tmp_path):
    add_result(panel, tmp_path, Naming("numbered"))
    host.process()
    assert "Choose the topmost vertebra" in panel.ui.namingHintLabel.text and panel.ui.namingHintLabel.visible
    panel._parameterNode.inputVolume = addScan("another")
    host.process()
    assert not panel.ui.namingHintLabel.visible, "nothing is known yet about the levels of this one"


@pytest.mark.parametrize(
    ("chosen", "level", "propose"), [("unknown", None, True), ("numbered", None, False), ("C2", "C2", True)]
)
def test_the_choice_reaches_the_worker(host, panel, monkeypatch, chosen, level, propose):
    asked = []
    monkeypatch.setattr(panel.logic, "segment", lambda _volume, options, **_: asked.append(options))
    monkeypatch.setattr("SpineSegmentationLib.panel.RunSection.ensureInstalled", lambda *_: None)
    panel._parameterNode.inputVolume = addScan()
    panel._parameterNode.topLevel = chosen
    host.process()
    panel.ui.segmentButton.click()
    assert [(options.top_level, options.propose_levels) for options in asked] == [(level, propose)]
