"""One bar for a whole run: it never goes back, and says what is going on."""

import pytest


@pytest.fixture
def progress(host):
    host.loadModule("SpineSegmentation")
    from SpineSegmentationLib.panel.run.RunProgress import RunProgress

    return RunProgress(planes=2)


def event(stage, done=0, total=1, plane=None) -> dict:
    return {"stage": stage, "done": done, "total": total, "plane": plane, "seconds_left": None}


def test_progress_never_decreases(progress):
    fractions = []
    for each in (
        event("reading"),
        event("preprocessing"),
        event("region", 5, 10, "sagittal"),
        event("network", 0, 10, "sagittal"),
        event("network", 10, 10, "sagittal"),
        event("network", 10, 10, "axial"),
        event("post-processing", 3, 3),
        event("something new", 1, 2),
        event("writing", 1, 1),
    ):
        progress.update(each)
        fractions.append(progress.fraction)
    assert fractions == sorted(fractions)
    assert fractions[4] - fractions[3] == pytest.approx(fractions[5] - fractions[4])
    assert fractions[-1] == pytest.approx(1)


def test_progress_text_names_plane_and_slice(progress):
    assert progress.update(event("network", 3, 10, "axial")) == "Segmenting, axial slice 3 of 10"
    progress._started -= 10
    text = progress.update(event("network", 10, 10, "axial"))
    assert "about" in text and text.endswith("s left")
