"""Binds the panel to a parameter node, and lets go of it without a trace."""


class GuiConnection:
    """Connects the widgets of `ui` with a parameter node until `close` is called.

    Slicer's `disconnectGui` leaves behind the observer that `connectGui` adds. It refers to the parameter node, and the
    node to it: once nobody else does, Python clears both, but VTK goes on calling what was cleared, and Slicer crashes.
    """

    def __init__(self, parameterNode: object, ui: object):
        self._parameterNode = parameterNode
        self._observers: list[int] = []
        addObserver = parameterNode.AddObserver

        def addAndRemember(*arguments: object) -> int:
            self._observers.append(addObserver(*arguments))
            return self._observers[-1]

        parameterNode.AddObserver = addAndRemember
        try:
            self._tag = parameterNode.connectGui(ui)
        finally:
            del parameterNode.AddObserver

    def close(self) -> None:
        """Disconnect the widgets, and remove every observer."""
        self._parameterNode.disconnectGui(self._tag)
        for observer in self._observers:
            self._parameterNode.RemoveObserver(observer)
