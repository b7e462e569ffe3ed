"""The panel at three sizes of the window, in fonts of one size, with all that Slicer shows beside it.

No text is cut off, and what a person needs most is in sight without scrolling: the button, and the first rows.
"""

import qt
import slicer
from module_use import open_module
from scans import add_scan
from session import arguments, panel, run
from windows import grab_window

SIZES = ((950, 545), (1500, 1000), (1920, 1080))
ROWS = (1, 5, 5)
"""How many rows of the table have to be in sight at each size, in any font."""


def steps(facts):
    font = slicer.app.font()
    font.setPointSizeF(font.pointSizeF() * int(arguments()["percent"]) / 100)
    slicer.app.setFont(font)
    slicer.util.mainWindow().showNormal()
    slicer.util.setDataProbeVisible(True)
    # Drawing large views takes long without a graphics card, and here only the panel matters.
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    ui = yield from open_module()
    ui.inputSelector.setCurrentNode(add_scan("A scan with rather a long name, T2 sagittal"))
    problems = []
    for size, rows in zip(SIZES, ROWS, strict=True):
        slicer.util.mainWindow().resize(*size)
        yield 0.5
        panel().enter()
        yield 0.5
        name = f"{size[0]}x{size[1]}-{arguments()['percent']}"
        found = cut_off(panel().parent) + ([] if in_sight(ui.segmentButton) else ["Segment is out of sight"])
        grab_window(f"size-{name}-before")
        ui.segmentButton.click()
        yield "the result", lambda: not panel().logic.isRunning
        yield 0.5
        grab_window(f"size-{name}-after")
        found += cut_off(panel().parent) + ([] if in_sight(ui.segmentButton) else ["Segment leaves with the result"])
        table = ui.resultTable
        visible = (seen(table) - table.horizontalHeader().height) // table.rowHeight(0)
        facts[f"rows in sight, {name}"] = visible
        if visible < rows:
            found.append(f"{visible} rows are in sight")
        sections = [
            ui.outputCollapsibleButton,
            ui.scansCollapsibleButton,
            ui.advancedCollapsibleButton,
            ui.detailsCollapsibleButton,
        ]
        for section in sections:
            section.collapsed = False
        yield 0.5
        found += cut_off(panel().parent)
        for section in sections:
            section.collapsed = True
        problems += [f"{name}: {problem}" for problem in found]
    facts["problems"] = problems
    assert not problems, f"{len(problems)} problems"


def cut_off(widget) -> list[str]:
    """The labels and buttons that have less room than their text needs."""
    found = []
    for label in widget.findChildren(qt.QLabel):
        if label.isVisible() and label.text:
            needed = label.heightForWidth(label.width) if label.wordWrap else label.sizeHint.height()
            if label.height < needed:
                found.append(f"{label.name} has {label.height} of {needed} pixels: {label.text[:40]}")
    for button in widget.findChildren(qt.QAbstractButton):
        if button.isVisible() and button.text and button.width < button.minimumSizeHint.width():
            found.append(f"{button.name} is {button.width} wide and needs {button.minimumSizeHint.width()}")
    return found


def in_sight(widget) -> bool:
    return seen(widget) >= widget.height


def seen(widget) -> int:
    """How many rows of a widget's pixels are in sight."""
    return widget.visibleRegion().boundingRect().height()


run(steps, arguments()["report"])
