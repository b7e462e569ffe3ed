"""Scrolls the panel as little as possible, so that what matters at the moment is in sight in a small window too."""

import qt


class Sight:
    """Brings widgets of the panel `root` into sight when the layout has settled."""

    def __init__(self, root: "qt.QWidget"):
        self._widgets: list[qt.QWidget] = []
        self._timer = qt.QTimer(root)  # ends with the panel
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._scroll)

    def bring(self, *widgets: "qt.QWidget") -> None:
        """Bring these widgets into sight; where not all have room, the last one wins."""
        self._widgets = list(widgets)
        self._timer.start(0)

    def _scroll(self) -> None:
        for widget in self._widgets:
            area = widget.parentWidget()
            while area is not None and not area.inherits("QScrollArea"):
                area = area.parentWidget()
            if area is not None:
                area.ensureWidgetVisible(widget, 0, 0)
