"""What can be told about the Slicer module without a Slicer: the panel's file, and what Slicer does not forgive."""

import ast
import re
from xml.etree import ElementTree

import pytest

FORBIDDEN = {
    r"\bimport imp\b|\bimp\.": "gone in Python 3.12",
    r"QTextCodec|QRegExp|QDesktopWidget": "gone in Qt 6",
    r"\bexec_\(": "gone in Qt 6",
    r"processEvents": "runs other slots in the middle of this one",
    r"pip_install\(\s*[\"']torch": "PyTorch is installed by Slicer's PyTorch extension",
    r"_\(\s*f[\"']": "translators never see an f-string",
}


@pytest.fixture(scope="module")
def module(project):
    return project / "SpineSegmentation" / "SpineSegmentation.py"


@pytest.fixture(scope="module")
def panel(project):
    return ElementTree.parse(project / "SpineSegmentation" / "Resources" / "UI" / "SpineSegmentation.ui").getroot()


def widgets(panel) -> dict[str, ElementTree.Element]:
    return {widget.get("name"): widget for widget in panel.iter("widget")}


def text_of(widget, name):
    return next((p.findtext("string") for p in widget.findall("property") if p.get("name") == name), None)


def test_every_widget_that_the_code_uses_is_in_the_panel(module, panel):
    used = set(re.findall(r"self\.ui\.(\w+)", module.read_text("utf-8")))
    assert used
    assert used <= set(widgets(panel))


def test_names_in_the_panel_are_unique(panel):
    names = [each.get("name") for kind in ("widget", "layout", "spacer") for each in panel.iter(kind)]
    assert len(names) == len(set(names))


def test_the_panel_is_bound_to_parameters_that_exist(module, panel):
    tree = ast.parse(module.read_text("utf-8"))
    [node] = [c for c in tree.body if isinstance(c, ast.ClassDef) and c.name == "SpineSegmentationParameterNode"]
    parameters = {field.target.id for field in node.body if isinstance(field, ast.AnnAssign)}
    bound = {text_of(widget, "SlicerParameterName") for widget in panel.iter("widget")} - {None}
    assert bound == parameters - {"model"}  # the models are known only at run time


def test_widgets_of_slicer_are_declared_and_follow_the_scene(panel):
    declared = {each.findtext("class") for each in panel.iter("customwidget")}
    foreign = {w.get("class") for w in panel.iter("widget") if not w.get("class").startswith("Q")}
    assert foreign == declared
    followers = {name for name, w in widgets(panel).items() if w.get("class") == "qMRMLNodeComboBox"}
    connected = {c.findtext("receiver") for c in panel.iter("connection") if c.findtext("slot").startswith("setMRML")}
    assert followers == connected
    for name in followers:  # otherwise deleting the chosen volume silently chooses another one
        [none_enabled] = [p for p in widgets(panel)[name].findall("property") if p.get("name") == "noneEnabled"]
        assert none_enabled.findtext("bool") == "true"


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_nothing_that_slicer_does_not_forgive(project, module, pattern):
    for path in [module, *(project / "SpineSegmentation" / "SpineSegmentationLib").glob("*.py")]:
        found = re.search(pattern, path.read_text("utf-8"))
        assert not found, f"{path.name}: {found.group()} ({FORBIDDEN[pattern]})"


def test_nothing_happens_when_the_module_is_imported(module):
    """Only definitions, imports, constants and docstrings at file scope."""
    for statement in ast.parse(module.read_text("utf-8")).body:
        assert isinstance(statement, ast.Import | ast.ImportFrom | ast.ClassDef | ast.FunctionDef | ast.Assign) or (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        ), f"line {statement.lineno}"
