"""The menu that writes a result into files."""

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from SpineInference.errors import SpineError

from ...scene.results import ResultExport
from ...scene.results.MeasurementTable import segmentationOf
from ...scene.results.ResultExport import SURFACE_FORMATS as FORMATS
from .. import Dialogs
from ..UserMessages import asSentence


class ExportMenu:
    """Fills the menu of a button. `result` gives the result to export, `say(text, isError)` tells how it went."""

    def __init__(
        self,
        button: "qt.QToolButton",
        result: "Callable[[], slicer.vtkMRMLNode]",
        say: Callable[[str, bool], None],
    ):
        self._result = result
        self._say = say
        self._menu = qt.QMenu(button)
        for text, slot in (
            (_("Label map (NIfTI, NRRD) ..."), self._onLabelMap),
            *((_("Surfaces ({format}) ...").format(format=each.upper()), self._surfaces(each)) for each in FORMATS),
            (_("All surfaces in one file ..."), self._onSurfacesTogether),
            (_("Measurements (CSV) ..."), self._onTable),
        ):
            self._menu.addAction(text).connect("triggered(bool)", slot)
        button.setMenu(self._menu)

    def _onLabelMap(self, _checked: bool = False) -> None:
        node = segmentationOf(self._result())
        filter_ = _("Label maps (*.nii.gz *.nrrd)")
        path = Dialogs.askSaveFile(_("Export the label map"), node.GetName(), filter_, (".nii.gz", ".nrrd"))
        if path:
            self._export(lambda: ResultExport.exportLabelMap(node, path), path)

    def _onTable(self, _checked: bool = False) -> None:
        node = self._result()
        filter_ = _("Comma-separated values (*.csv)")
        path = Dialogs.askSaveFile(_("Export the measurements"), node.GetName(), filter_, (".csv",))
        if path:
            self._export(lambda: ResultExport.exportTable(node, path), path)

    def _surfaces(self, format_: str) -> Callable[[bool], None]:
        return lambda _checked=False: self._onSurfaces(format_)

    def _onSurfaces(self, format_: str) -> None:
        node = segmentationOf(self._result())
        folder = Dialogs.askFolder(_("Export the surfaces into a folder"))
        if not folder:
            return
        there = [file.name for file in ResultExport.surfaceFiles(node, folder, format_) if file.exists()]
        question = _("These files are there already. Replace them?\n\n{names}").format(names="\n".join(there))
        if not there or Dialogs.confirm(question):
            self._export(lambda: ResultExport.exportSurfaces(node, folder, format_), folder)

    def _onSurfacesTogether(self, _checked: bool = False) -> None:
        node = segmentationOf(self._result())
        filter_ = _("Surfaces (*.stl *.obj *.ply)")
        suffixes = tuple(f".{each}" for each in FORMATS)
        path = Dialogs.askSaveFile(_("Export all surfaces into one file"), node.GetName(), filter_, suffixes)
        if path:
            self._export(lambda: ResultExport.exportSurfacesTogether(node, path), path)

    def _export(self, write: Callable[[], object], where: str) -> None:
        try:
            write()
        except SpineError as error:
            self._say(asSentence(error), True)
        else:
            self._say(_("Written: {path}").format(path=where), False)
