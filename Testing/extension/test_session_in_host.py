"""The sessions of `run_in_slicer.py` in the host, so that their scripts work when a real Slicer runs them."""

import importlib
import json
import sys
from types import SimpleNamespace

import pytest
import run_in_slicer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "facts"),
    [
        ("hand_use", {"click to first progress, s", "longest stall while segmenting, ms", "Dice", "quality"}),
        ("several_labels", {"said"}),
    ],
)
def test_session_in_the_host(project, tmp_path, monkeypatch, script, facts):
    pytest.importorskip("PySide6.QtUiTools", reason="the host needs PySide6 and the system's libraries for it")
    pytest.importorskip("slicer", reason="the host needs slicer-core")
    import slicer
    from SlicerHost.host import SlicerHost

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    monkeypatch.syspath_prepend(str(project / "Testing" / "slicer_scripts"))
    report = tmp_path / "report.json"
    passed = {"report": str(report), "folder": str(tmp_path), "model": run_in_slicer.model_of_several_labels(tmp_path)}
    monkeypatch.setattr(sys, "argv", ["Slicer", json.dumps(passed)])
    host = SlicerHost()
    try:
        host.testing = True
        # One plane is enough for the scripts; the real Slicer takes all.
        host.openModule("SpineSegmentation")._parameterNode.planes = ["sagittal"]
        ends = []
        # What the host does not have: the rendering, and what needs the whole application.
        for name, replacement in {
            "exit": ends.append,
            "selectModule": host.select,
            "selectedModule": lambda: host.selectedModule,
            "resetThreeDViews": lambda: None,
            "resetSliceViews": lambda: None,
            "saveScene": lambda path: host.saveScene(path) is None,
            "loadScene": lambda path: host.loadScene(path) is None,
        }.items():
            monkeypatch.setattr(slicer.util, name, replacement, raising=False)
        windows = SimpleNamespace(
            prepare_window=lambda: None,
            grab_window=lambda name: None,
            grab_panel=lambda widget, name: None,
            press_cell=lambda table, row: table.selectRow(row),
        )
        monkeypatch.setitem(sys.modules, "windows", windows)
        importlib.import_module("session").PAUSE_SCALE = 0.1
        importlib.import_module(script)  # starts the session
        host.process(until=lambda: ends, timeout=600)
    finally:
        for name in (script, "session"):
            sys.modules.pop(name, None)
        host.close()
    reported = json.loads(report.read_text("utf-8"))
    assert reported["failure"] is None and ends == [0]
    assert facts <= set(reported["facts"])
