"""The modal dialogs of the panel."""

import html
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _


def confirm(question: str) -> bool:
    """Whether the user agrees. False in Slicer's testing mode."""
    if "<" in question:  # a name that looks like HTML: Slicer's message box would render it
        question = f"<p>{html.escape(question, quote=False)}</p>".replace("\n", "<br>")
    return slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Spine Segmentation"))


def askOpenFile(title: str, filter_: str) -> str:
    """The path of an existing file; empty if the user cancels."""
    return qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", filter_)


def askSaveFile(title: str, name: str, filter_: str, suffixes: tuple[str, ...]) -> str:
    """The path of a file to write, with one of `suffixes`; empty if the user cancels.

    The user has agreed to replace an existing file.
    """
    path = qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, name + suffixes[0], filter_)
    if not path or path.endswith(suffixes):
        return path
    path += suffixes[0]  # the file dialog did not ask about this name
    replace = _("{path} is there already. Replace it?").format(path=path)
    return path if not Path(path).exists() or confirm(replace) else ""


def askFolder(title: str) -> str:
    """The path of a folder; empty if the user cancels."""
    return qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title)
