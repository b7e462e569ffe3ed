"""Stand-ins for the widgets of CTK that the panel uses. Only what is a property, slot or signal there exists here."""

from itertools import count

from PySide6.QtCore import Property, QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractButton,
    QMessageBox,
    QSizePolicy,
    QStyle,
    QStyleOption,
    QWidget,
)

_numbers = count()


def stored(kind, default, changed=lambda self: None) -> Property:
    """A property that is only remembered; `changed(self)` is called when it is set."""
    key = f"_stored{next(_numbers)}"

    def write(self, value):
        setattr(self, key, value)
        changed(self)

    return Property(kind, lambda self: getattr(self, key, default), write)


class ctkCollapsibleButton(QAbstractButton):
    """A titled section; collapsed is the same as unchecked. Hides its children, but not those hidden by others."""

    contentsCollapsed = Signal(bool)
    _HEADER = 26

    def __init__(self, *arguments):
        super().__init__(*[each for each in arguments if isinstance(each, QWidget)])
        self._unwanted: set[QWidget] = set()
        self._hiding = False
        self.setText("".join(each for each in arguments if isinstance(each, str)))
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QSizePolicy.Minimum, QSizePolicy.Preferred)
        self.setContentsMargins(0, self._HEADER, 0, 0)
        self.toggled.connect(self._follow)

    collapsed = Property(bool, lambda self: not self.isChecked(), lambda self, value: self.setChecked(not value))
    flat = stored(bool, False)

    def hitButton(self, position) -> bool:
        return position.y() < self._HEADER

    def sizeHint(self) -> QSize:
        return self._size(super().sizeHint())

    def minimumSizeHint(self) -> QSize:
        return self._size(super().minimumSizeHint())

    def _size(self, ofContents: QSize) -> QSize:
        header = QSize(self.fontMetrics().horizontalAdvance(self.text()) + 60, self._HEADER)
        return ofContents.expandedTo(header) if self.isChecked() else header

    def childEvent(self, event) -> None:
        child = event.child()
        if event.added() and isinstance(child, QWidget):
            if child.testAttribute(Qt.WA_WState_ExplicitShowHide) and child.isHidden():
                self._unwanted.add(child)
            child.installEventFilter(self)
        super().childEvent(event)

    def eventFilter(self, child, event) -> bool:
        if not self._hiding and event.type() == QEvent.ShowToParent:
            self._unwanted.discard(child)
            self._place(child)
        elif not self._hiding and event.type() == QEvent.HideToParent:
            self._unwanted.add(child)
        return False

    def showEvent(self, event) -> None:
        super().showEvent(event)
        self._placeAll()

    def _place(self, child: QWidget) -> None:
        self._hiding = True
        child.setVisible(self.isChecked() and child not in self._unwanted)
        if child not in self._unwanted:  # so that hiding it has an effect although it is hidden
            child.setAttribute(Qt.WA_WState_ExplicitShowHide, False)
        self._hiding = False

    def _placeAll(self) -> None:
        for child in self.findChildren(QWidget, options=Qt.FindDirectChildrenOnly):
            self._place(child)

    def _follow(self, expanded: bool) -> None:
        self.setMaximumHeight(16777215 if expanded else self._HEADER)  # QWIDGETSIZE_MAX
        if self.testAttribute(Qt.WA_WState_Created):
            self._placeAll()
        self.updateGeometry()
        self.contentsCollapsed.emit(not expanded)

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        header = self.rect().adjusted(0, 0, -1, self._HEADER - self.height() - 1)
        painter.setPen(self.palette().mid().color())
        painter.setBrush(self.palette().button())
        painter.drawRoundedRect(header, 3, 3)
        option = QStyleOption()
        option.initFrom(self)
        option.rect = header.adjusted(6, 6, 0, -6)
        option.rect.setWidth(option.rect.height())
        arrow = QStyle.PE_IndicatorArrowDown if self.isChecked() else QStyle.PE_IndicatorArrowRight
        self.style().drawPrimitive(arrow, option, painter, self)
        group = self.palette().currentColorGroup()
        painter.setPen(self.palette().color(group, self.foregroundRole()))
        painter.drawText(
            header.adjusted(28, 0, 0, 0), Qt.AlignVCenter | Qt.AlignLeft | Qt.TextShowMnemonic, self.text()
        )


class ctkMessageBox(QMessageBox):
    """A message box that can be told not to come again."""


WIDGETS: dict[str, type[QObject]] = {each.__name__: each for each in (ctkCollapsibleButton, ctkMessageBox)}
