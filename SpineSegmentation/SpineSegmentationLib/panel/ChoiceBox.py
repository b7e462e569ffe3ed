"""A combo box for the values of one parameter. Slicer's own binding can neither translate items nor change them."""

from collections.abc import Callable, Iterable

import qt


class ChoiceBox:
    """Shows one of several values; calls `onChosen(value)` only when the user has chosen one."""

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
        """Select a value without calling `onChosen`. An unknown value is added as it is."""
        self._comboBox.blockSignals(True)
        if value not in self._values:
            self._values.append(value)
            self._comboBox.addItem(value)
        self._comboBox.setCurrentIndex(self._values.index(value))
        self._comboBox.blockSignals(False)

    @property
    def value(self) -> str | None:
        """The selected value, None while there are no items."""
        index = self._comboBox.currentIndex
        return self._values[index] if index >= 0 else None

    def _onIndexChanged(self, index: int) -> None:
        if index >= 0:
            self._onChosen(self._values[index])
