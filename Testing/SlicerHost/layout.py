"""Stand-in for Slicer's layout manager: the real nodes of the views, and widgets as far as rows are clicked."""

from PySide6.QtCore import QObject


class qSlicerLayoutManager(QObject):
    pass
