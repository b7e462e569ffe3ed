"""A corrected result is being measured again when Slicer is killed from outside: when the file appears."""

import os
from pathlib import Path

from module_use import open_module, segment
from scans import add_scan
from session import arguments, panel, run


def steps(facts):
    ui = yield from open_module()
    yield from segment(add_scan())
    ui.measureButton.click()
    assert panel().logic.isRunning
    events = []
    panel().logic._current.run._task._protocol._onProgress = events.append  # the panel shows no progress of a second
    yield "the measuring", lambda: events or not panel().logic.isRunning
    assert panel().logic.isRunning, "the measuring was too fast"
    Path(arguments()["kill_at"]).write_text(str(os.getpid()))
    yield "being killed", lambda: False


run(steps, arguments()["report"])
