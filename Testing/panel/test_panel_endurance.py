"""What only many runs show: Cancel at any moment leaves nothing behind, and the window never stands still."""

import os
import random
import time

import psutil
import pytest
from synthetic_scan import resultNodes

RUNS = int(os.environ.get("SPINE_CANCELS", "40"))
SEED = 20261121


def scene_state() -> dict[str, int]:
    """Every node of the scene, and when it was last changed."""
    import slicer

    nodes = [slicer.mrmlScene.GetNthNode(index) for index in range(slicer.mrmlScene.GetNumberOfNodes())]
    return {node.GetID(): node.GetMTime() for node in nodes}


def running_children() -> set[psutil.Process]:
    return {child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE}


@pytest.mark.slow
def test_random_cancels_leave_nothing_behind(host, panel, temporary):
    import slicer

    chance = random.Random(SEED)
    before, own = scene_state(), running_children()  # other tests of this process may have left helpers behind
    ends = {"cancelled": 0, "finished": 0}
    for number in range(RUNS):
        panel.ui.segmentButton.click()
        most = 60 if number % 10 == 9 else chance.choice((0, 0.05, 0.3, 0.8, 1.5))  # every tenth may come to its end
        deadline = time.monotonic() + most * chance.random()
        host.process(
            until=lambda deadline=deadline: time.monotonic() > deadline or not panel.logic.isRunning, timeout=60
        )
        if panel.logic.isRunning:
            panel.ui.segmentButton.click()
        host.process(until=lambda: not panel.logic.isRunning, timeout=30)
        if panel.ui.statusLabel.text.startswith("Cancelled"):
            ends["cancelled"] += 1
            assert scene_state() == before
        else:
            ends["finished"] += 1
            assert "vertebral bodies found" in panel.ui.statusLabel.text
            for node in [node for node in slicer.util.getNodes("*").values() if node.GetID() not in before]:
                slicer.mrmlScene.RemoveNode(node)
            before = scene_state()
        assert not list(temporary.iterdir())
    panel.logic.close()
    host.process()
    assert running_children() <= own
    assert not resultNodes()
    assert ends["cancelled"] >= RUNS // 2
    print(f"\n{ends['cancelled']} runs cancelled, {ends['finished']} finished")


@pytest.mark.slow
def test_window_never_blocks(host, panel, capsys):
    """With a bundled model and the sample scan. A busy machine must not fail the test: a window that waits for the
    worker would be blocked for nearly all of the run. The measured times are printed."""
    panel._parameterNode.model, panel._parameterNode.planes = "vertebral-bodies-mr", ["sagittal"]
    panel.ui.sampleButton.click()
    host.process()
    measured = {}
    for start in ("cold", "warm"):
        clicked = time.perf_counter()
        with host.probe() as starting:
            panel.ui.segmentButton.click()
            host.process(until=lambda: panel.ui.statusLabel.text != "Starting ...", timeout=60)
        first = time.perf_counter() - clicked
        with host.probe() as working:
            host.process(until=lambda: panel.ui.progressBar.value >= 960, timeout=120)
        with host.probe() as taking_over:
            host.process(until=lambda: not panel.logic.isRunning, timeout=120)
        assert "vertebral bodies found" in panel.ui.statusLabel.text
        measured[start] = {
            "first progress": first,
            "whole": time.perf_counter() - clicked,
            "longest gap, writing the scan": starting.largestGap,
            "longest gap, working": working.largestGap,
            "longest gap, taking the result over": taking_over.largestGap,
        }
    with capsys.disabled():
        print(f"\nload {os.getloadavg()[0]:.1f}")
        for start, seconds in measured.items():
            print(start, {what: round(value, 3) for what, value in seconds.items()})
            print(*[line for line in panel.ui.logText.plainText.splitlines() if " in 0." in line], sep="\n")
    assert all(seconds["longest gap, working"] < seconds["whole"] / 2 for seconds in measured.values())
