"""Asks where a corrected result is saved as a training case, and under which name."""

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from SpineInference.app.training_case import next_name
from SpineInference.errors import SpineError

from .. import Dialogs
from ..UserMessages import asSentence

_FOLDER = "SpineSegmentation/TrainingFolder"
_FOLDER_WIDTH = 420
_HINT_LINES = 4
"""The dialog does not grow with a longer hint: the longest one has room from the beginning."""


class TrainingCaseDialog:
    """A dialog that remembers its folder, proposes names without a patient in them, and says at once what is wrong.

    `check(folder, name)` raises SpineError for what cannot be saved; `onSave(folder, name)` saves it.
    """

    def __init__(self, check: Callable[[str, str], None], onSave: Callable[[str, str], None]):
        self._check = check
        self._onSave = onSave
        self._proposed = ""
        self._dialog = qt.QDialog(slicer.util.mainWindow())
        self._dialog.setWindowTitle(_("Save as training case"))
        self._dialog.setModal(True)
        self._folder, self._name, self._hint = qt.QLineEdit(), qt.QLineEdit(), qt.QLabel()
        choose = qt.QPushButton(_("Choose..."))
        buttons = qt.QDialogButtonBox()
        self._save = buttons.addButton(_("Save"), qt.QDialogButtonBox.AcceptRole)
        buttons.addButton(_("Cancel"), qt.QDialogButtonBox.RejectRole)
        self._folder.setToolTip(
            _("The data set: a folder of its own, which all your cases share. It is made if it is not there.")
        )
        self._name.setToolTip(_("What the files are called. Leave out whatever tells who the patient is."))
        self._folder.setMinimumWidth(_FOLDER_WIDTH)
        self._hint.setWordWrap(True)
        self._hint.setTextFormat(qt.Qt.PlainText)
        self._hint.setMinimumHeight(_HINT_LINES * self._hint.fontMetrics().lineSpacing())
        self._hint.setAlignment(qt.Qt.AlignTop)
        row = qt.QHBoxLayout()
        row.addWidget(self._folder)
        row.addWidget(choose)
        layout = qt.QFormLayout(self._dialog)
        layout.addRow(_("Data folder:"), row)
        layout.addRow(_("Name of the case:"), self._name)
        layout.addRow(self._hint)
        layout.addRow(buttons)
        choose.connect("clicked(bool)", self._onChoose)
        self._folder.connect("textChanged(QString)", self._onFolder)
        self._name.connect("textChanged(QString)", lambda _text: self._update())
        buttons.connect("accepted()", self._onAccepted)
        buttons.connect("rejected()", self._dialog.reject)

    def show(self, hint: str) -> None:
        """Show the dialog for another result, with this hint; the next name is proposed."""
        self._goodHint = hint
        self._folder.setText(str(slicer.util.settingsValue(_FOLDER, "")))
        self._onFolder(self._folder.text)
        self._dialog.show()

    def close(self) -> None:
        """Let go of the dialog: the panel is going away."""
        self._dialog.deleteLater()

    def _onChoose(self, _checked: bool = False) -> None:
        if folder := Dialogs.askFolder(_("The folder for your training cases")):
            self._folder.setText(folder)

    def _onFolder(self, folder: str) -> None:
        if self._name.text in ("", self._proposed) or not self._dialog.visible:
            self._proposed = next_name(Path(folder)) if folder else ""
            self._name.setText(self._proposed)
        self._update()

    def _update(self) -> None:
        problem = self._problem()
        self._hint.setText(problem or self._goodHint)
        self._hint.setStyleSheet("color: #b35900" if problem else "")
        self._save.setEnabled(not problem)

    def _problem(self) -> str:
        if not self._folder.text:
            return _("Choose a folder for your training cases.")
        if not Path(self._folder.text).is_absolute():
            return _("Give the whole path of the folder.")
        try:
            self._check(self._folder.text, self._name.text)
        except (SpineError, OSError) as error:
            return asSentence(error)
        return ""

    def _onAccepted(self) -> None:
        qt.QSettings().setValue(_FOLDER, self._folder.text)
        self._dialog.accept()
        self._onSave(self._folder.text, self._name.text)
