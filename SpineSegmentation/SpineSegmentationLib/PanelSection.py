"""What the parts of the panel have in common."""

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

    def set(self, name: str, value: object) -> None:
        """Write a parameter that the user has chosen."""
        if self.parameters is not None:
            setattr(self.parameters, name, value)
