"""Checks of the panel's .ui file without a Slicer: for the code, for Slicer and for the user."""

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

OPERATED = {
    "QCheckBox",
    "QComboBox",
    "QDoubleSpinBox",
    "QLineEdit",
    "QListWidget",
    "QPlainTextEdit",
    "QPushButton",
    "QRadioButton",
    "QSlider",
    "QSpinBox",
    "QTableWidget",
    "QTextBrowser",
    "QToolButton",
    "ctkSliderWidget",
    "qMRMLNodeComboBox",
    "qMRMLSegmentationShow3DButton",
}
"""What a person reads from, types into or presses."""
MRML = {"qMRMLNodeComboBox", "qMRMLSegmentationShow3DButton", "qMRMLSegmentsTableView"}
"""What shows nodes of the scene."""


@pytest.fixture(scope="module")
def panel(project):
    return ElementTree.parse(project / "SpineSegmentation" / "Resources" / "UI" / "SpineSegmentation.ui").getroot()


@pytest.fixture(scope="module")
def sources(project) -> dict[Path, ast.Module]:
    """The Slicer side, parsed."""
    module = project / "SpineSegmentation"
    files = [module / "SpineSegmentation.py", *(module / "SpineSegmentationLib").rglob("*.py")]
    return {path: ast.parse(path.read_text("utf-8")) for path in files}


def widgets(panel) -> dict[str, ElementTree.Element]:
    return {widget.get("name"): widget for widget in panel.iter("widget")}


def operated(panel) -> set[str]:
    return {name for name, widget in widgets(panel).items() if widget.get("class") in OPERATED}


def text_of(widget, name):
    return next((p.findtext("string") for p in widget.findall("property") if p.get("name") == name), None)


def test_widgets_used_in_code_exist(sources, panel):
    wrong, used = [], 0
    for path, tree in sources.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("ui", "self.ui", "self._ui"):
                used += 1
                if node.attr not in widgets(panel):
                    wrong.append(f"{path.name}:{node.lineno}: {node.attr}")
    assert used and not wrong, "\n".join(wrong)


def test_every_control_of_the_panel_is_used(sources, panel):
    """By the code, or by being bound to a parameter: a control that does nothing is worse than none."""
    code = "\n".join(path.read_text("utf-8") for path in sources)
    unused = {
        name
        for name in operated(panel)
        if not re.search(rf"\b{name}\b", code) and not text_of(widgets(panel)[name], "SlicerParameterName")
    }
    # One for each plane: found by its name.
    unused -= {f"{plane}CheckBox" for plane in ("sagittal", "coronal", "axial") if "CheckBox" in code}
    assert not unused


def test_names_in_the_panel_are_unique(panel):
    names = [each.get("name") for kind in ("widget", "layout", "spacer", "action") for each in panel.iter(kind)]
    assert len(names) == len(set(names))


def test_bound_names_are_parameters(sources, panel):
    parameters = {
        field.target.id
        for tree in sources.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == "SpineSegmentationParameterNode"
        for field in node.body
        if isinstance(field, ast.AnnAssign)
    }
    bound = {text_of(widget, "SlicerParameterName") for widget in panel.iter("widget")} - {None}
    assert bound and bound <= parameters, bound - parameters
    code = "\n".join(path.read_text("utf-8") for path in sources)
    for name in parameters - bound:  # otherwise it is saved with the scene for nothing
        assert len(re.findall(rf"\b{name}\b", code)) > 1, name


def test_slicer_widgets_are_declared_and_follow_scene(panel):
    declared = {each.findtext("class") for each in panel.iter("customwidget")}
    foreign = {w.get("class") for w in panel.iter("widget") if not w.get("class").startswith("Q")}
    assert foreign == declared
    followers = {name for name, widget in widgets(panel).items() if widget.get("class") == "qMRMLNodeComboBox"}
    connected = {c.findtext("receiver") for c in panel.iter("connection") if c.findtext("slot").startswith("setMRML")}
    assert followers <= connected <= {name for name, w in widgets(panel).items() if w.get("class") in MRML}
    for name in followers:  # otherwise deleting the chosen volume silently chooses another one
        [none_enabled] = [p for p in widgets(panel)[name].findall("property") if p.get("name") == "noneEnabled"]
        assert none_enabled.findtext("bool") == "true"


def test_every_control_says_what_it_is_for(panel):
    silent = {name for name in operated(panel) if not (text_of(widgets(panel)[name], "toolTip") or "").strip()}
    assert not silent


def test_tab_key_visits_controls_in_panel_order(panel):
    stops = [stop.text for stop in panel.iter("tabstop")]
    assert len(stops) == len(set(stops)) and set(stops) == operated(panel)
    # Where two controls stand beside each other the file may hold them in either order, so only rows are compared.
    order = [name for name in widgets(panel) if name in set(stops)]
    assert max(abs(order.index(name) - stops.index(name)) for name in stops) <= 2


def test_every_control_label_has_a_shortcut(panel):
    """A buddy moves the keyboard to the control when the underlined letter is pressed; no letter is used twice."""
    letters = []
    for name, widget in widgets(panel).items():
        text = text_of(widget, "text") or ""
        if widget.get("class") == "QLabel" and text.endswith(":"):
            buddy = next((p.findtext("cstring") for p in widget.findall("property") if p.get("name") == "buddy"), None)
            assert buddy in widgets(panel), f"{name} has no buddy"
        letters += re.findall(r"&(\w)", text.lower())
    assert len(letters) == len(set(letters)), sorted(letters)


def test_sentences_do_not_widen_the_panel(panel):
    """A label that wraps asks for more width the longer its text is; then the slice views jump with every sentence."""
    for name, widget in widgets(panel).items():
        properties = {each.get("name"): each for each in widget.findall("property")}
        if "wordWrap" in properties:
            assert properties["sizePolicy"].find("sizepolicy").get("hsizetype") == "Ignored", name
