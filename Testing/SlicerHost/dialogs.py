"""Every window that would wait for a person: it is recorded, and answered with what the test has prepared."""

from collections import deque
from dataclasses import dataclass

from PySide6.QtWidgets import QMessageBox

from .pythonqt import EnumValue, replacements, wrap


@dataclass
class Shown:
    """A dialog that was shown: its kind ("message", "open", "save", "folder", "url"), and what it said."""

    kind: str
    text: str
    title: str = ""
    details: str = ""


class Dialogs:
    """`shown`: what a person would have seen. `answer(...)`: what that person will say to the next question."""

    def __init__(self):
        self.shown: list[Shown] = []
        self._answers: deque = deque()

    def answer(self, *answers: object) -> None:
        """Prepare answers: "Yes", "Cancel", ... for a question, a path for a file dialog ("" is Cancel)."""
        self._answers.extend(answers)

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.shown]

    def askPath(self, kind: str, title: str) -> str:
        self.shown.append(Shown(kind, "", title))
        return str(self._next(f"a file dialog ({kind}) '{title}'"))

    def openUrl(self, url) -> bool:
        self.shown.append(Shown("url", wrap(url).toString()))
        return True

    def askMessage(self, box: QMessageBox):
        """Answer a message box: the only button it has, or the prepared one."""
        self.shown.append(Shown("message", box.text(), box.windowTitle().strip(), box.detailedText()))
        buttons = [button for button in box.buttons() if box.standardButton(button)]
        if len(buttons) <= 1:
            return QMessageBox.StandardButton.Ok
        answer = self._next(f"'{box.text()}'")
        labels = [button.text().replace("&", "") for button in buttons]
        if answer not in labels:
            raise AssertionError(f"the answer to '{box.text()}' can be one of {labels}, not '{answer}'")
        button = buttons[labels.index(answer)]
        button.click()
        return box.standardButton(button)

    def _next(self, question: str):
        if not self._answers:
            raise AssertionError(f"nobody answers {question}: host.dialogs.answer(...) was not called before")
        return self._answers.popleft()


_current = Dialogs()


def current() -> Dialogs:
    return _current


def start() -> Dialogs:
    """Forget what was shown and prepared."""
    global _current
    _current = Dialogs()
    return _current


def _run(dialog):
    qtDialog = dialog._alive()
    if isinstance(qtDialog, QMessageBox):
        return EnumValue(_current.askMessage(qtDialog))
    raise NotImplementedError(f"the host cannot answer a {type(dialog).__name__}")


def _message(buttons: QMessageBox.StandardButton):
    def show(parent, title, text, standardButtons=None, default=None):
        box = QMessageBox(QMessageBox.Icon.NoIcon, title, text)
        box.setStandardButtons(standardButtons.member if standardButtons is not None else buttons)
        return EnumValue(_current.askMessage(box))

    return show


_OK = QMessageBox.StandardButton.Ok
_YES_NO = QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No
for _class in ("QDialog", "QMessageBox", "QFileDialog", "QInputDialog", "QProgressDialog", "ctkMessageBox"):
    replacements[_class, "exec"] = replacements[_class, "exec_"] = _run
for _name in ("information", "warning", "critical", "about"):
    replacements["QMessageBox", _name] = _message(_OK)
replacements["QMessageBox", "question"] = _message(_YES_NO)
for _name, _kind in (("getOpenFileName", "open"), ("getSaveFileName", "save"), ("getExistingDirectory", "folder")):
    replacements["QFileDialog", _name] = lambda parent=None, title="", *rest, kind=_kind: _current.askPath(kind, title)
replacements["QDesktopServices", "openUrl"] = lambda url: _current.openUrl(url)
