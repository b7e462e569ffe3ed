"""What the parts of the panel have in common."""

import traceback

from slicer.i18n import tr as _

from SpineInference.errors import Cancelled, SpineError

from ..worker.WorkerProtocol import UnexpectedError
from .UserMessages import sentence

_ERROR_STYLE = "color: #b35900"


class PanelSection:
    """A part of the panel with one job. It shows what the parameter node says, and writes there what the user chooses.

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

    def obstacle(self) -> str:
        """Why nothing can be segmented with the parameters, as a sentence; empty if this part is content."""
        return ""

    def say(self, text: str, isError: bool = False) -> None:
        """Show a sentence where everybody looks."""
        self.ui.statusLabel.setStyleSheet(_ERROR_STYLE if isError else "")
        self.ui.statusLabel.setText(text)

    def sayError(self, error: Exception) -> None:
        """Say how something ended that was cancelled or has failed, with what a developer wants to know below."""
        if isinstance(error, Cancelled):
            text = _("Cancelled. The scene is as it was.")
        else:
            text = sentence(error)
            self.showDetails(_detailsOf(error))
        self.say(text, isError=not isinstance(error, Cancelled))
        self.ui.logText.appendPlainText(text)

    def showDetails(self, details: str) -> None:
        """Show the details of an error, folded; or none."""
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
    """What a developer wants to know; nothing for an error that the sentence explains."""
    if isinstance(error, UnexpectedError):
        return error.details
    return "" if isinstance(error, SpineError) else "".join(traceback.format_exception(error))
