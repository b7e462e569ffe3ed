"""Stand-ins for the widgets of CTK that the panel uses. Only what is a property, slot or signal there exists here."""

from itertools import count

from PySide6.QtCore import Property, QObject, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractButton,
    QMessageBox,
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
    """A titled section; collapsed is the same as unchecked."""

    contentsCollapsed = Signal(bool)
    _HEADER = 26

    def __init__(self, *arguments):
        super().__init__(*[each for each in arguments if isinstance(each, QWidget)])
        self.setText("".join(each for each in arguments if isinstance(each, str)))
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(4, self._HEADER + 4, 4, 4)
        self._hidden: list[QWidget] = []
        self.toggled.connect(self._follow)

    collapsed = Property(bool, lambda self: not self.isChecked(), lambda self, value: self.setChecked(not value))
    flat = stored(bool, False)

    def hitButton(self, position) -> bool:
        return position.y() < self._HEADER

    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance(self.text()) + 60
        if self.isChecked() and self.layout():
            return self.layout().totalSizeHint().expandedTo(QSize(width, self._HEADER))
        return QSize(width, self._HEADER)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def childEvent(self, event) -> None:
        super().childEvent(event)
        if event.polished() and not self.isChecked():
            self._hide()

    def showEvent(self, event) -> None:
        super().showEvent(event)
        if not self.isChecked():
            self._hide()

    def _hide(self) -> None:
        for child in self.findChildren(QWidget, options=Qt.FindDirectChildrenOnly):
            if not child.isHidden():
                child.hide()
                self._hidden.append(child)

    def _follow(self, expanded: bool) -> None:
        if expanded:
            for child in self._hidden:
                child.show()
            self._hidden = []
        else:
            self._hide()
        self.setMaximumHeight(16777215 if expanded else self._HEADER)
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

    dontShowAgainVisible = stored(bool, False)
    dontShowAgain = stored(bool, False)
    dontShowAgainSettingsKey = stored(str, "")


WIDGETS: dict[str, type[QObject]] = {each.__name__: each for each in (ctkCollapsibleButton, ctkMessageBox)}
