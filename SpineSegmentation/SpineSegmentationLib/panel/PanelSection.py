"""The base class of the parts of the panel."""

import traceback

from slicer.i18n import tr as _

from SpineInference.errors import Cancelled, SpineError

from ..worker.WorkerProtocol import SceneClosed, UnexpectedError
from .UserMessages import asSentence

_ERROR_STYLE = "color: #b35900"


class PanelSection:
    """A part of the panel with one job. It shows the parameter node, and writes the user's choices into it.

    `ui` holds the widgets of the panel by name, `logic` is the module's. `parameters` is None while the scene is closed
    or another module is shown.
    """

    def __init__(self, ui: object, logic: object):
        self.ui = ui
        self.logic = logic
        self.parameters = None

    def update(self, isRunning: bool) -> None:
        """Show the parameters, of which any may have changed. Called only while there are parameters."""
        raise NotImplementedError

    def blockingReason(self) -> str:
        """Why these parameters cannot be segmented with, as a sentence; empty if this part sees no reason."""
        return ""

    def showStatus(self, text: str, isError: bool = False) -> None:
        """Show a sentence in the status line."""
        self.ui.statusLabel.setStyleSheet(_ERROR_STYLE if isError else "")
        self.ui.statusLabel.setText(text)
        self.ui.statusLabel.setVisible(bool(text))  # an empty line would push the table down

    def showError(self, error: Exception) -> None:
        """Show a cancellation or an error in the status line and the log, with details for developers below."""
        if isinstance(error, SceneClosed):
            self.showStatus("")
            return
        if isinstance(error, Cancelled):
            text = _("Cancelled. The scene is as it was.")
        else:
            text = asSentence(error)
            self.showDetails(_detailsOf(error))
        self.showStatus(text, isError=not isinstance(error, Cancelled))
        self.ui.logText.appendPlainText(text)

    def showDetails(self, details: str) -> None:
        """Show the details of an error, collapsed; an empty string hides them."""
        self.ui.errorDetailsText.setPlainText(details)
        self.ui.errorDetailsCollapsibleButton.setVisible(bool(details))
        self.ui.errorDetailsCollapsibleButton.collapsed = True
        if details:
            self.ui.logText.appendPlainText(details)

    def set(self, name: str, value: object) -> None:
        """Write a parameter that the user has chosen."""
        if self.parameters is not None:
            setattr(self.parameters, name, value)


def _detailsOf(error: Exception) -> str:
    """The details for developers; empty for an error that its message explains."""
    if isinstance(error, UnexpectedError):
        return error.details
    return "" if isinstance(error, SpineError) else "".join(traceback.format_exception(error))
