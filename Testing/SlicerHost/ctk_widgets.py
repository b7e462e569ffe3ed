"""Stand-ins for the widgets of CTK that the panel uses. Only what is a property, slot or signal there exists here."""

from PySide6.QtCore import Property, QObject, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractButton,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSlider,
    QStyle,
    QStyleOption,
    QTextBrowser,
    QToolButton,
    QWidget,
)

from . import dialogs


def stored(kind, default, changed=lambda self: None) -> Property:
    """A property that is only remembered; `changed(self)` is called when it is set."""
    key = f"_stored{id(default)}{len(_names)}"
    _names.append(key)

    def write(self, value):
        setattr(self, key, value)
        changed(self)

    return Property(kind, lambda self: getattr(self, key, default), write)


_names: list[str] = []


def passed(kind, inner: str, name: str) -> Property:
    """A property of an inner widget shown as one's own."""
    return Property(
        kind,
        lambda self: getattr(self, inner).property(name),
        lambda self, value: getattr(self, inner).setProperty(name, value),
    )


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


class ctkSliderWidget(QWidget):
    """A slider with a number beside it, of floats."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    _STEPS = 10000

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._slider, self._box = QSlider(Qt.Horizontal), QDoubleSpinBox()
        self._box.setRange(0, 99)
        self._slider.setRange(0, self._STEPS)
        layout.addWidget(self._slider)
        layout.addWidget(self._box)
        self._box.valueChanged.connect(self._follow)
        self._slider.valueChanged.connect(self._slid)

    decimals = passed(int, "_box", "decimals")
    singleStep = passed(float, "_box", "singleStep")
    minimum = passed(float, "_box", "minimum")
    maximum = passed(float, "_box", "maximum")
    value = passed(float, "_box", "value")
    prefix = passed(str, "_box", "prefix")
    suffix = passed(str, "_box", "suffix")
    pageStep = stored(float, 10.0)
    tracking = stored(bool, True)

    def setValue(self, value: float) -> None:
        self._box.setValue(value)

    def reset(self) -> None:
        self._box.setValue(self._box.minimum())

    def _span(self) -> float:
        return (self._box.maximum() - self._box.minimum()) or 1.0

    def _follow(self, value: float) -> None:
        self._slider.blockSignals(True)
        self._slider.setValue(round((value - self._box.minimum()) / self._span() * self._STEPS))
        self._slider.blockSignals(False)
        self.valueChanged.emit(value)

    def _slid(self, position: int) -> None:
        self._box.setValue(self._box.minimum() + position / self._STEPS * self._span())


class ctkPathLineEdit(QWidget):
    """A path with a button that asks for it."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._line, self._button = QLineEdit(), QToolButton(text="...")
        layout.addWidget(self._line)
        layout.addWidget(self._button)
        self._line.textChanged.connect(self.currentPathChanged)
        self._button.clicked.connect(self.browse)

    currentPath = passed(str, "_line", "text")
    label = stored(str, "")
    nameFilters = stored("QStringList", [])
    settingKey = stored(str, "")
    showHistoryButton = stored(bool, True)

    def setCurrentPath(self, path: str) -> None:
        self._line.setText(path)

    def browse(self) -> None:
        if path := dialogs.current().askPath("open", self.label):
            self._line.setText(path)

    def addCurrentPathToHistory(self) -> None: ...


class ctkDirectoryButton(QWidget):
    """A button that shows a folder and asks for another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, *arguments):
        super().__init__(*[each for each in arguments if isinstance(each, QWidget)])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._button = QPushButton()
        layout.addWidget(self._button)
        self._button.clicked.connect(self.browse)

    caption = stored(str, "")
    text = stored(str, "")
    directory = Property(str, lambda self: self._button.text(), lambda self, value: self._change(value))

    def _change(self, folder: str) -> None:
        if folder != self._button.text():
            self._button.setText(folder)
            self.directoryChanged.emit(folder)

    def browse(self) -> None:
        if folder := dialogs.current().askPath("folder", self.caption):
            self._change(folder)
            self.directorySelected.emit(folder)


class ctkMenuButton(QPushButton):
    """A button with a menu at its side."""


class ctkMessageBox(QMessageBox):
    """A message box that can be told not to come again."""

    dontShowAgainVisible = stored(bool, False)
    dontShowAgain = stored(bool, False)
    dontShowAgainSettingsKey = stored(str, "")


class ctkFittedTextBrowser(QTextBrowser):
    """Text that takes the height it needs; a part of it after `<details>` may be folded, which the host does not do."""

    collapsed = stored(bool, True)
    showDetailsText = stored(str, "Show details...")
    hideDetailsText = stored(str, "Hide details.")

    def setCollapsibleText(self, text: str) -> None:
        self.setHtml(text)


WIDGETS: dict[str, type[QObject]] = {
    each.__name__: each
    for each in (
        ctkCollapsibleButton,
        ctkDirectoryButton,
        ctkFittedTextBrowser,
        ctkMenuButton,
        ctkMessageBox,
        ctkPathLineEdit,
        ctkSliderWidget,
    )
}
