"""The measurements in the panel's table: few narrow columns, whose headers explain themselves."""

import qt
import slicer
from slicer.i18n import tr as _

from SpineInference.anatomy import CANAL_LABEL, CORD_LABEL, DISC_OFFSET
from SpineInference.spine.quality import needs_review

from ...scene.results.MeasurementTable import columnTitles, measurementsOf
from ...scene.results.SpineMeasures import measuresOf
from ..TableHeight import fitHeight


def rowsOfPanel(result: "slicer.vtkMRMLNode") -> list[dict]:
    """The rows of a result that belong beside the vertebrae.

    Discs and canal stand among the measures of the spine, which say more of them than a volume; unless they were
    compared with a reference.
    """
    rows, kinds = measurementsOf(result), {measure.kind for measure in measuresOf(result)}

    def isAmongMeasures(row: dict) -> bool:
        label = int(row.get("label") or 0)
        isMeasured = ("disc" in kinds and label > DISC_OFFSET) or (
            "canal" in kinds and label in (CANAL_LABEL, CORD_LABEL)
        )
        return isMeasured and row.get("dice") is None

    return [row for row in rows if not isAmongMeasures(row)]


class ResultTable:
    """Shows rows of measurements, one for each vertebra; `rows` are those that are shown.

    `columns` are title, name, digits and explanation of other columns than those of a vertebra.
    """

    def __init__(self, table: "qt.QTableWidget", columns: list[tuple[str, str, int, str]] | None = None):
        self._table = table
        self._columns = columns or _columns()
        self.rows: list[dict] = []
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)

    def show(self, rows: list[dict]) -> None:
        """Show these rows; the selection is lost, and nobody is told of it."""
        self.rows = rows
        columns = [each for each in self._columns if any(row.get(each[1]) not in (None, "") for row in rows)]
        table = self._table
        table.blockSignals(True)
        table.clear()
        table.setColumnCount(len(columns))
        table.setRowCount(len(rows))
        titles = columnTitles()
        for position, (title, name, digits, explanation) in enumerate(columns):
            header = qt.QTableWidgetItem(title)
            header.setToolTip(" ".join(filter(None, (f"{titles[name]}.", explanation))))
            table.setHorizontalHeaderItem(position, header)
            for index, row in enumerate(rows):
                table.setItem(index, position, qt.QTableWidgetItem(_text(row, name, digits)))
        table.resizeRowsToContents()
        table.blockSignals(False)
        fitHeight(table)

    def currentIndex(self) -> int | None:
        """The number of the row that the user has selected, from 0."""
        index = self._table.currentRow()
        return index if 0 <= index < len(self.rows) else None

    def current(self) -> dict | None:
        """The row that the user has selected."""
        index = self.currentIndex()
        return None if index is None else self.rows[index]

    def mark(self, checked: set[str]) -> None:
        """Show which vertebrae have been checked."""
        for index, row in enumerate(self.rows):
            text = _text(row, "level", 0)
            self._table.item(index, 0).setText(f"{text} ✓" if row["level"] in checked else text)

    def select(self, index: int) -> None:
        """Select a row, as a click on it does."""
        if 0 <= index < len(self.rows):
            self._table.selectRow(index)


def _columns() -> list[tuple[str, str, int, str]]:
    """Title, name, digits and explanation of the columns that fit into the panel; the table view shows all."""
    height = _("The distance of the end plates.")
    return [
        (_("Level"), "level", 0, _("* cut off by the border of the scan, ✓ checked.")),
        (_("Quality"), "quality", 2, _("How sure the model is. ! look here first.")),
        (_("Dice"), "dice", 2, _("Agreement with the reference, from 0 to 1.")),
        (_("cm³"), "volume_mm3", 1, _("Here in cm³.")),
        (_("mm²"), "area_mm2", 0, ""),
        (_("Ant."), "anterior_height_mm", 1, height),
        (_("Mid."), "middle_height_mm", 1, height),
        (_("Post."), "posterior_height_mm", 1, height),
        (_("HD95"), "hd95_mm", 1, _("95 of 100 points of the surfaces are closer to each other.")),
        (_("Tilt"), "sagittal_tilt_deg", 0, ""),
    ]


def _text(row: dict, name: str, digits: int) -> str:
    value = row.get(name)
    if isinstance(value, float | int):
        text = f"{value / 1000 if name == 'volume_mm3' else value:z.{digits}f}"
    else:
        text = "" if value is None else str(value)
    if name == "level" and row.get("partial") == "yes":
        text += " *"
    if name == "quality" and needs_review(row.get("quality")):
        text += " !"
    return text
