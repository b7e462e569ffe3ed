"""The list in which the scans to segment are checked: volumes of the scene, and sequences of them."""

import qt
import slicer
from slicer.i18n import tr as _

from SpineInference.errors import SpineError

from ...scene.results.MeasurementTable import scanOf
from ...scene.results.ResultNodes import resultsInScene
from ...scene.volumes.SequenceFrames import addFrames, sequencesOfScans
from ...scene.volumes.VolumeExchange import checkVolume
from ..UserMessages import asSentence, asToolTip

_MOST_ROWS_AT_ONCE = 6


class ScanList:
    """What a person has checked or unchecked stays so; otherwise scans without a result are checked."""

    def __init__(self, widget: "qt.QListWidget"):
        self._widget = widget
        self._entries: list[tuple[str, str, str, bool]] = []
        self._chosen: dict[str, bool] = {}

    def update(self) -> None:
        """Show what is in the scene now."""
        done = {scan.GetID() for scan in map(scanOf, resultsInScene()) if scan is not None}
        entries = [(node.GetID(), node.GetName(), _refusal(node), node.GetID() not in done) for node in _scans()]
        for node in sequencesOfScans():
            text = _("{name} ({count} frames)").format(name=node.GetName(), count=node.GetNumberOfDataNodes())
            entries.append((node.GetID(), text, "", False))
        if entries == self._entries:
            return
        self._remember()
        self._entries = entries
        self._widget.clear()
        for index, (nodeId, text, refusal, isLeft) in enumerate(entries):
            self._widget.addItem(text)
            item = self._widget.item(index)
            isChecked = not refusal and self._chosen.get(nodeId, isLeft)
            item.setCheckState(qt.Qt.Checked if isChecked else qt.Qt.Unchecked)
            item.setToolTip(asToolTip(text, refusal))
            if refusal:
                item.setFlags(qt.Qt.NoItemFlags)
        self._fitHeight()

    def checked(self) -> "list[slicer.vtkMRMLScalarVolumeNode]":
        """The checked scans, and the frames of checked sequences, which become volumes of the scene."""
        volumeNodes = []
        for nodeId, isChecked in self._states():
            node = slicer.mrmlScene.GetNodeByID(nodeId) if isChecked else None
            if node is not None:
                volumeNodes += [node] if node.IsA("vtkMRMLScalarVolumeNode") else addFrames(node)
        return volumeNodes

    def forget(self) -> None:
        """A run begins: whatever has a result afterwards is unchecked, and the rest stays checked."""
        self._chosen, self._entries = {}, []

    def _remember(self) -> None:
        """Keep what differs from what was proposed."""
        for (nodeId, isChecked), (_id, _text, refusal, isLeft) in zip(self._states(), self._entries, strict=True):
            if not refusal and isChecked != self._chosen.get(nodeId, isLeft):
                self._chosen[nodeId] = isChecked

    def _states(self) -> list[tuple[str, bool]]:
        return [
            (entry[0], self._widget.item(index).checkState() == qt.Qt.Checked)
            for index, entry in enumerate(self._entries)
        ]

    def _fitHeight(self) -> None:
        rows = min(max(len(self._entries), 1), _MOST_ROWS_AT_ONCE)
        row = max(self._widget.sizeHintForRow(0), self._widget.fontMetrics().lineSpacing())
        self._widget.setFixedHeight(rows * row + 2 * self._widget.frameWidth + 2)


def _scans() -> "list[slicer.vtkMRMLScalarVolumeNode]":
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in nodes if not node.IsA("vtkMRMLLabelMapVolumeNode") and not node.GetHideFromEditors()]


def _refusal(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> str:
    try:
        checkVolume(volumeNode)
    except SpineError as error:
        return asSentence(error)
    return ""
