"""How high a table of the panel is."""

import qt

_MOST_ROWS_AT_ONCE = 12


def fitHeight(table: "qt.QTableWidget") -> None:
    """As high as its rows, so that the panel scrolls and not the table inside it; longer ones scroll themselves."""
    rows = sum(table.rowHeight(index) for index in range(min(table.rowCount, _MOST_ROWS_AT_ONCE)))
    needed = table.horizontalHeader().sizeHint.height() + rows + 2 * table.frameWidth
    table.setMinimumHeight(needed)
    table.setMaximumHeight(needed)
