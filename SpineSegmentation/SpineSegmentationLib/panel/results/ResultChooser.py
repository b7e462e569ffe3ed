"""Chooses one of the results in the scene, so that an earlier one can be looked at again."""

from collections.abc import Callable
from datetime import datetime

import qt
import slicer
from slicer.i18n import tr as _

from ...scene.results.MeasurementTable import isMeasuredAgain, scanOf, segmentationOf
from ...scene.results.ResultNodes import resultsInScene, runOf
from ..ChoiceBox import ChoiceBox

_NONE = ""
_LONGEST_NAME = 24
"""Of a scan, so that the time of the result stays in sight; the ends of names differ more than their middle."""


class ResultChooser:
    """A combo box with all results. `titleOf` gives the title of a model; `onChosen` gets the node of a result."""

    def __init__(
        self,
        comboBox: "qt.QComboBox",
        titleOf: Callable[[str], str],
        onChosen: "Callable[[slicer.vtkMRMLNode], None]",
    ):
        self._titleOf = titleOf
        self._onChosen = onChosen
        self._items: list[tuple[str, str]] = []
        self._box = ChoiceBox(comboBox, self._onId)

    def update(self, current: "slicer.vtkMRMLNode | None") -> bool:
        """Offer the results in the scene, and show the current one; whether there is anything to choose."""
        results = resultsInScene()
        if current is not None and current not in results:  # segments that were brought back and never measured
            results.append(current)
        items = [(node.GetID(), self._textOf(node)) for node in reversed(results)]  # the latest first
        if current is None:
            items.insert(0, (_NONE, _("none of this scan yet")))
        if items != self._items:
            self._items = items
            self._box.fill(items)
        self._box.show(_NONE if current is None else current.GetID())
        return len(items) > 1

    def _textOf(self, node: "slicer.vtkMRMLNode") -> str:
        scan, run = scanOf(node), runOf(node)
        parts = [_shortened(segmentationOf(node).GetName() if scan is None else scan.GetName())]
        if run.time:
            isToday = run.time.date() == datetime.now().date()
            parts.append(f"{run.time:%H:%M:%S}" if isToday else f"{run.time:%Y-%m-%d %H:%M}")
        if run.model:
            parts.append(self._titleOf(run.model))
        if not node.IsA("vtkMRMLTableNode"):
            parts.append(_("not measured"))
        elif isMeasuredAgain(node):
            parts.append(_("measured again"))
        return ", ".join(parts)

    def _onId(self, nodeId: str) -> None:
        node = slicer.mrmlScene.GetNodeByID(nodeId) if nodeId else None
        if node is not None:
            self._onChosen(node)


def _shortened(name: str) -> str:
    half = _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}…{name[1 - half :]}"
