"""The part of the panel in which a model is chosen, described, imported, downloaded and removed."""

from pathlib import Path

import qt
from slicer.i18n import tr as _

from SpineInference.errors import Cancelled, SpineError
from SpineInference.models.catalog import SetInfo, downloaded_names, remove, user_folder
from SpineInference.options import DEFAULT_MODEL

from ...worker.BackgroundTask import BackgroundTask
from .. import Dialogs
from ..ChoiceBox import ChoiceBox
from ..PanelSection import PanelSection
from ..UserMessages import asSentence, asToolTip
from .ModelDetails import detailsHtml, summary


class ModelSection(PanelSection):
    """The models of the catalog. Importing and downloading run in another process, and can be cancelled."""

    def __init__(self, ui: object, logic: object):
        super().__init__(ui, logic)
        self._infos: dict[str, SetInfo] = {}
        self._downloaded: list[str] = []
        self._shown = None
        self._task: BackgroundTask | None = None
        self._message = ""
        self._explanation = ui.modelSelector.toolTip
        self._choice = ChoiceBox(ui.modelSelector, self._onChosen)
        ui.downloadButton.connect("clicked(bool)", self._onDownload)
        ui.importModelButton.connect("clicked(bool)", self._onImport)
        ui.importFolderButton.connect("clicked(bool)", self._onImportFolder)
        ui.openFolderButton.connect("clicked(bool)", self._onOpenFolder)
        ui.removeModelButton.connect("clicked(bool)", self._onRemove)
        ui.modelProgressBar.setVisible(False)
        self.refresh()

    def refresh(self) -> None:
        """Read the catalog again."""
        self._shown = None
        try:
            self._infos = {info.name: info for info in self.logic.models()}
            self._downloaded = downloaded_names()
        except SpineError as error:  # a damaged catalog: the panel still opens, and says so
            self._infos, self._message = {}, asSentence(error)
        self._choice.fill((info.name, _offer(info)) for info in self._infos.values())

    def update(self, isRunning: bool) -> None:
        name, isBusy = self.parameters.model, self._task is not None
        if self._shown != (name, self._message):
            self._shown = (name, self._message)
            self._describe(name)
        info = self._infos.get(name)
        missing = bool(info and info.missing_bytes)
        self.ui.downloadButton.setVisible(missing or isBusy)
        self.ui.downloadButton.setText(_("Cancel") if isBusy else _("Download"))
        self.ui.modelProgressBar.setVisible(isBusy)
        self.ui.modelSelector.setEnabled(not isBusy)
        for button in (self.ui.importModelButton, self.ui.importFolderButton):
            button.setEnabled(not isBusy and not isRunning)
        removable = name in self._downloaded or bool(info and info.origin == "imported")
        self.ui.removeModelButton.setEnabled(removable and not isBusy and not isRunning)

    def blockingReason(self) -> str:
        info = self._infos.get(self.parameters.model)
        if self._task is not None:
            return _("Wait until the model is there.")
        if info is None:
            return _missingModelText(self.parameters.model)
        if info.missing_bytes:
            return _("Download the model first, or choose another one.")
        return ""

    def titleOf(self, name: str) -> str:
        """The title of a model; its name where it is not on this computer."""
        return self._infos[name].title if name in self._infos else name

    def forgetMessage(self) -> None:
        """Say nothing any more about the last import or download."""
        self._message = ""

    def close(self) -> None:
        """Stop the background task: the panel is going away."""
        if self._task is not None:
            self._task.close()

    def _describe(self, name: str) -> None:
        self._choice.show(name)
        info = self._infos.get(name)
        line, page, problem = "", "", _missingModelText(name)
        if info is not None:
            try:
                manifests = self.logic.manifestsOf(name)
                line, page, problem = summary(info, manifests), detailsHtml(info, manifests), ""
            except SpineError as error:  # a damaged model must not keep the user from choosing another one
                problem = asSentence(error)
        self.ui.modelMessageLabel.setText(self._message or problem)
        self.ui.modelMessageLabel.setVisible(bool(self._message or problem))
        self.ui.modelSelector.setToolTip(asToolTip(self._explanation, line))
        self.ui.modelDetailsBrowser.setHtml(page)

    def _onChosen(self, name: str) -> None:
        self._message = ""  # it spoke of another model
        self.set("model", name)

    def _onDownload(self, _checked: bool = False) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            self._start("download", self.parameters.model)

    def _onImport(self, _checked: bool = False) -> None:
        path = Dialogs.askOpenFile(_("Import a model"), _("Models (*.zip manifest.json)"))
        if path:
            chosen = Path(path)
            self._start("import", str(chosen.parent if chosen.name == "manifest.json" else chosen))

    def _onImportFolder(self, _checked: bool = False) -> None:
        if folder := Dialogs.askFolder(_("Import the folder of a model")):
            self._start("import", folder)

    def _onOpenFolder(self, _checked: bool = False) -> None:
        user_folder().mkdir(parents=True, exist_ok=True)
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(user_folder())))

    def _onRemove(self, _checked: bool = False) -> None:
        name = self.parameters.model
        question = _('Delete the model "{title}" from this computer?')
        if Dialogs.confirm(question.format(title=self.titleOf(name))):
            try:
                remove(name)
                self._message = ""
            except SpineError as error:
                self._message = asSentence(error)
            self._afterChange(name)
            if name not in self._infos:  # it was not a bundled model
                self.set("model", DEFAULT_MODEL)

    def _start(self, task: str, model: str) -> None:
        self._message = ""
        self.ui.modelProgressBar.setMaximum(0)  # busy indicator, until the size is known
        self._task = BackgroundTask(self._onTaskEnd, self._onTaskProgress)
        self._task.start(task, model=model)
        self.logic.changed()

    def _onTaskProgress(self, event: dict) -> None:
        if event["stage"] == "download":
            self.ui.modelProgressBar.setMaximum(1000)
            self.ui.modelProgressBar.setValue(round(1000 * event["done"] / max(event["total"], 1)))

    def _onTaskEnd(self, answer: dict | None, error: Exception | None) -> None:
        self._task = None
        if error is not None:
            self._message = _("Cancelled.") if isinstance(error, Cancelled) else asSentence(error)
        self._afterChange(answer["name"] if answer else "")

    def _afterChange(self, name: str) -> None:
        self.refresh()
        if self.parameters is not None and name in self._infos:
            self.parameters.model = name
        self.logic.changed()


def _offer(info: SetInfo) -> str:
    return _("{title} (to be downloaded)").format(title=info.title) if info.missing_bytes else info.title


def _missingModelText(name: str) -> str:
    return _('The model "{name}" is not on this computer: choose another one, or import it.').format(name=name)
