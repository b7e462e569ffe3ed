"""Going through the vertebrae of a result one by one, doubtful ones first, and marking them as checked."""

from collections.abc import Callable

import slicer

from SpineInference.spine.quality import needs_review

from ...scene.segmentations.ReviewMarks import checkedNames, setChecked
from .ResultTable import ResultTable


class Review:
    """The buttons below the table. `segmentation` gives the segmentation that the table is about."""

    def __init__(
        self, ui: object, table: ResultTable, segmentation: "Callable[[], slicer.vtkMRMLSegmentationNode | None]"
    ):
        self._ui = ui
        self._table = table
        self._segmentation = segmentation
        ui.previousButton.connect("clicked(bool)", lambda _checked=False: self._step(-1))
        ui.nextButton.connect("clicked(bool)", lambda _checked=False: self._step(+1))
        ui.checkedButton.connect("clicked(bool)", self._onChecked)

    @property
    def widgets(self) -> list[object]:
        """The buttons, which are shown with the table."""
        return [self._ui.previousButton, self._ui.nextButton, self._ui.checkedButton]

    def update(self) -> None:
        """Show the marks in the table, and that of the selected vertebra on the button."""
        checked = checkedNames(self._segmentation())
        self._table.mark(checked)
        row = self._table.current()
        self._ui.checkedButton.setEnabled(row is not None)
        self._ui.checkedButton.setChecked(row is not None and row["level"] in checked)

    def _step(self, direction: int) -> None:
        index = self._table.currentIndex()
        if index is None:
            index = -1 if direction > 0 else len(self._table.rows)
        self._table.select(index + direction)

    def _onChecked(self, isChecked: bool) -> None:
        row = self._table.current()
        if row is None:
            return
        setChecked(self._segmentation(), row["level"], isChecked)
        self.update()
        if isChecked:
            self._table.select(self._nextToCheck())

    def _nextToCheck(self) -> int:
        """The first doubtful vertebra that is not checked, else the next one that is not; -1 if all are."""
        checked = checkedNames(self._segmentation())
        here = self._table.currentIndex() or 0
        left = [index for index, row in enumerate(self._table.rows) if row["level"] not in checked]
        left.sort(key=lambda index: (not needs_review(self._table.rows[index].get("quality")), index < here, index))
        return left[0] if left else -1
