"""What the README files promise is there: pictures, links, and the arguments of the scripts."""

import ast
import re

import pytest

README_FILES = ["README.md", "Testing/README.md", "SpineSegmentation/README.md", "SegTraining/README.md"]


@pytest.mark.parametrize("name", README_FILES)
def test_every_link_leads_somewhere(project, name):
    text = (project / name).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]
    missing = [link for link in links if not ((project / name).parent / link).exists()]
    assert not missing


def test_the_examples_for_scripts_use_arguments_that_exist(project):
    """The examples are run in a real Slicer only, where there is one."""
    tree = ast.parse((project / "SpineSegmentation" / "SpineSegmentation.py").read_text("utf-8"))
    [segment] = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "segment"]
    known = {argument.arg for argument in segment.args.args}
    calls = re.findall(r"\.segment\(([^)]*)\)", (project / "README.md").read_text("utf-8"))
    used = {word for call in calls for word in re.findall(r"(\w+)=", call)}
    assert used and used <= known
