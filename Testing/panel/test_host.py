"""The host's Qt: what PythonQt does is done, and what it refuses is refused."""

import sys
import time

import pytest

PANEL = """<ui version="4.0"><class>Panel</class>
 <widget class="qMRMLWidget" name="Panel"><layout class="QVBoxLayout" name="panelLayout"><item>
  <widget class="ctkCollapsibleButton" name="section"><property name="{property}"><string>Part</string></property>
   <property name="collapsed"><bool>true</bool></property>
   <layout class="QVBoxLayout" name="sectionLayout"><item>
    <widget class="{widget}" name="inside"/></item></layout></widget></item></layout></widget>
 <customwidgets>
  <customwidget><class>qMRMLWidget</class><extends>QWidget</extends><container>1</container></customwidget>
  <customwidget><class>ctkCollapsibleButton</class><extends>QWidget</extends><container>1</container></customwidget>
  <customwidget><class>ctkUnheardOf</class><extends>QWidget</extends></customwidget>
 </customwidgets>
 <connections><connection><sender>section</sender><signal>{signal}</signal>
  <receiver>inside</receiver><slot>setEnabled(bool)</slot></connection></connections></ui>"""


@pytest.fixture
def load(host, tmp_path):
    """Load the .ui text above with some of its parts exchanged."""
    import slicer

    def loadPanel(**parts):
        parts = {"widget": "QLabel", "property": "text", "signal": "toggled(bool)"} | parts
        path = tmp_path / "Panel.ui"
        path.write_text(PANEL.format(**parts))
        return slicer.util.loadUI(path)

    return loadPanel


def test_properties_are_attributes_and_hide_methods(host):
    import qt

    button = qt.QPushButton("Go", toolTip="Away")
    assert (button.text, button.toolTip, button.enabled) == ("Go", "Away", True)
    button.text = 7
    button.enabled = None
    assert (button.text, button.enabled) == ("7", False)
    with pytest.raises(TypeError):
        button.text()
    with pytest.raises(AttributeError, match="cannot be set"):
        button.txet = "Go"
    with pytest.raises(AttributeError, match="cannot be set"):
        button.click = lambda: None
    with pytest.raises(AttributeError, match="not writable"):
        button.width = 20
    with pytest.raises(AttributeError, match="does not accept"):
        qt.QSpinBox().value = "many"
    with pytest.raises(AttributeError):
        button.txet()
    with pytest.raises(AttributeError):
        qt.QUnheardOf  # noqa: B018


def test_isinstance_ignores_inheritance(host):
    import qt

    assert isinstance(qt.QPushButton(), qt.QPushButton)
    assert not isinstance(qt.QPushButton(), qt.QWidget)


def test_enumerations_are_numbers(host):
    import qt

    assert qt.QProcess.FailedToStart == 0
    view = qt.QTableWidget()
    view.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
    assert view.selectionBehavior == qt.QAbstractItemView.SelectRows == 1
    label = qt.QLabel()
    label.alignment = qt.Qt.AlignRight | qt.Qt.AlignTop
    assert label.alignment == qt.Qt.AlignRight | qt.Qt.AlignTop


def test_slots_get_as_many_arguments_as_they_take(host):
    import qt

    heard = []
    button = qt.QPushButton()
    button.checkable = True

    def without():
        heard.append("without")

    button.connect("clicked(bool)", without)
    button.connect("clicked(bool)", lambda checked: heard.append(checked))
    button.clicked.connect(lambda *arguments: heard.append(arguments))
    button.click()
    assert heard == ["without", True, (True,)]
    assert button.disconnect("clicked(bool)", without)
    assert not button.disconnect("clicked(bool)", without)
    button.click()
    assert heard[3:] == [False, (False,)]
    for wrong in ("pressed(bool)", "clicked", "klicked(bool)"):
        with pytest.raises(ValueError, match="no signal"):
            button.connect(wrong, without)


def test_errors_in_slots_and_timers_are_raised(host):
    import qt

    def fail():
        raise RuntimeError("broken")

    qt.QTimer.singleShot(0, fail)
    with pytest.raises(RuntimeError, match="broken"):
        host.process(until=lambda: False, timeout=5)
    host.process()


def test_child_process_reports_its_end(host):
    import qt

    process, ends, output = qt.QProcess(), [], bytearray()
    process.connect("readyReadStandardOutput()", lambda: output.extend(process.readAllStandardOutput().data()))
    process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: ends.append((code, status)))
    process.connect("errorOccurred(QProcess::ProcessError)", lambda error: ends.append(error))
    process.start(sys.executable, ["-c", "print(input()); raise SystemExit(4)"])
    process.write(qt.QByteArray(b"hello\n"))
    host.process(until=lambda: ends, timeout=20)
    assert (bytes(output).strip(), ends) == (b"hello", [(4, 0)])
    process.start("/no/such/program", [])
    host.process(until=lambda: len(ends) > 1)
    assert ends[1:] == [qt.QProcess.FailedToStart]


def test_collapsed_section_remembers_hidden_children(host, load):
    import slicer

    panel = load()
    ui = slicer.util.childWidgetVariables(panel)
    panel.show()
    host.process()
    assert (ui.section.collapsed, ui.section.checked, ui.inside.visible) == (True, False, False)
    ui.section.collapsed = False
    assert ui.inside.visible
    ui.section.collapsed = True
    ui.inside.hide()
    ui.section.checked = True
    assert not ui.inside.visible
    ui.section.collapsed = True
    ui.inside.show()
    assert not ui.inside.visible
    ui.section.collapsed = False
    assert ui.inside.visible


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"widget": "ctkUnheardOf"}, "ctkUnheardOf"),
        ({"property": "titel"}, "titel"),
        ({"signal": "collapsedContents(bool)"}, "collapsedContents"),
    ],
)
def test_mistakes_in_a_panel_file_are_refused(load, parts, message):
    with pytest.raises(ValueError, match=message):
        load(**parts)


def test_unanswered_dialogs_fail_instead_of_waiting(host):
    import qt
    import slicer

    slicer.util.errorDisplay("It broke.", detailedText="Traceback")
    assert (host.dialogs.shown[0].text, host.dialogs.shown[0].details) == ("It broke.", "Traceback")
    host.dialogs.answer("Yes", "Cancel", "/a/model.zip")
    assert slicer.util.confirmYesNoDisplay("Really?")
    assert not slicer.util.confirmOkCancelDisplay("Really?")
    assert qt.QFileDialog.getOpenFileName(None, "Open", "", "Models (*.zip)") == "/a/model.zip"
    assert [each.kind for each in host.dialogs.shown] == ["message", "message", "message", "open"]
    with pytest.raises(AssertionError, match="nobody answers"):
        slicer.util.confirmYesNoDisplay("Still?")
    with pytest.raises(RuntimeError), slicer.util.tryWithErrorDisplay("Not started."):
        raise RuntimeError("no disk")
    assert host.dialogs.texts[-1] == "Not started.\n\nno disk"
    host.testing = True
    slicer.util.errorDisplay("Nobody sees this.")
    assert not slicer.util.confirmYesNoDisplay("Nobody is asked.")  # as in Slicer 5.8 and 5.13
    assert host.dialogs.texts[-1] == "Not started.\n\nno disk"


def test_installations_are_only_recorded(host):
    import slicer
    from slicer.packaging import pip_ensure

    pip_ensure(["onnxruntime>=1.20"], requester="SpineSegmentation")
    assert host.installations.requested[0][:2] == ("pip_ensure", ["onnxruntime>=1.20"])
    host.installations.install(hasPackaging=False)
    with pytest.raises(ImportError):
        from slicer.packaging import pip_ensure
    slicer.util.pip_install("onnxruntime")
    assert host.installations.requested[1][:2] == ("pip_install", "onnxruntime")


def test_probe_notices_a_blocked_event_loop(host):
    import qt

    with host.probe() as probe:
        for _ in range(20):
            host.process()
            time.sleep(0.002)
    assert probe.largestGap < 0.15
    with host.probe() as probe:
        host.process()
        qt.QTimer.singleShot(0, lambda: time.sleep(0.2))
        host.process()
    assert 0.2 <= probe.largestGap < 0.5


def test_text_is_drawn(host, tmp_path):
    import numpy as np
    import qt
    from PIL import Image

    label = qt.QLabel("Vertebra")
    host.screenshot(label, tmp_path / "label.png")
    pixels = np.asarray(Image.open(tmp_path / "label.png").convert("L"))
    assert pixels.min() < 60 < 200 < pixels.max()


def test_close_restores_the_interpreter(host):
    import slicer
    from SlicerHost.host import SlicerHost

    host.close()
    before = set(sys.modules)  # other tests may have imported parts of the module without a host
    host.__dict__ = SlicerHost().__dict__
    host.openModule("SpineSegmentation")
    host.close()
    left = {"qt", "ctk", "SampleData", "SpineSegmentation", "SpineSegmentationLib"} & (set(sys.modules) - before)
    assert not left
    assert not hasattr(slicer, "app")
    host.__dict__ = SlicerHost().__dict__  # for the fixture to close
