"""A combo box whose items stand for the values of one parameter. Slicer's own binding can neither translate the items
nor change them later."""

from collections.abc import Callable, Iterable

import qt


class ChoiceBox:
    """Shows one value of several, and calls `onChosen(value)` when the user, and nobody else, has chosen one."""

    def __init__(self, comboBox: qt.QComboBox, onChosen: Callable[[str], None]):
        self._comboBox = comboBox
        self._onChosen = onChosen
        self._values: list[str] = []
        comboBox.connect("currentIndexChanged(int)", self._onIndexChanged)

    def fill(self, items: Iterable[tuple[str, str]]) -> None:
        """Offer these values under these texts."""
        self._comboBox.blockSignals(True)
        self._comboBox.clear()
        self._values = []
        for value, text in items:
            self._values.append(value)
            self._comboBox.addItem(text)
        self._comboBox.blockSignals(False)

    def show(self, value: str) -> None:
        """Choose a value without calling `onChosen`. One that is not offered is shown as it is."""
        self._comboBox.blockSignals(True)
        if value not in self._values:
            self._values.append(value)
            self._comboBox.addItem(value)
        self._comboBox.setCurrentIndex(self._values.index(value))
        self._comboBox.blockSignals(False)

    @property
    def value(self) -> str | None:
        """The chosen value, None while nothing is offered."""
        index = self._comboBox.currentIndex
        return self._values[index] if index >= 0 else None

    def _onIndexChanged(self, index: int) -> None:
        if index >= 0:
            self._onChosen(self._values[index])
