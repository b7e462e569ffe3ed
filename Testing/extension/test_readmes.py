"""What the README files promise is there: pictures, links."""

import re

import pytest

README_FILES = ["README.md", "Testing/README.md", "SpineSegmentation/README.md", "SegTraining/README.md"]


@pytest.mark.parametrize("name", README_FILES)
def test_every_link_leads_somewhere(project, name):
    text = (project / name).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]
    missing = [link for link in links if not ((project / name).parent / link).exists()]
    assert not missing
