"""`qt.QUiLoader` of the host: loads a .ui file, and refuses what Slicer would silently pass over."""

from xml.etree import ElementTree

from PySide6.QtCore import QBuffer, QByteArray
from PySide6.QtUiTools import QUiLoader

from . import ctk_widgets, mrml_widgets
from .pythonqt import wrap

_WIDGETS = {**ctk_widgets.WIDGETS, **mrml_widgets.WIDGETS}


class Loader:
    """Stands for QUiLoader. ValueError for a class, a property, a signal or a slot that does not exist."""

    def load(self, file, parent=None):
        tree = ElementTree.fromstring(bytes(file.readAll().data()))
        file.close()
        foreign = {each.findtext("class") for each in tree.iter("customwidget")}
        for widget in tree.iter("widget"):
            name = widget.get("class")
            if name in foreign:
                _check(widget, name)
        connections = [*tree.iter("connection")]
        for section in tree.findall("connections"):
            tree.remove(section)

        loader = QUiLoader()
        for each in _WIDGETS.values():
            loader.registerCustomWidget(each)
        buffer = QBuffer()
        buffer.setData(QByteArray(ElementTree.tostring(tree)))
        root = loader.load(buffer, parent._alive() if parent else None)
        if root is None:
            raise ValueError(f"Qt cannot read the panel: {loader.errorString()}")
        wrapper = wrap(root)
        for connection in connections:
            sender, receiver = (_find(root, connection.findtext(end)) for end in ("sender", "receiver"))
            wrap(sender).connect(connection.findtext("signal"), wrap(receiver), connection.findtext("slot"))
        return wrapper


def _find(root, name: str):
    from PySide6.QtCore import QObject

    found = root if root.objectName() == name else root.findChild(QObject, name)
    if found is None:
        raise ValueError(f"the panel connects '{name}', which it does not contain")
    return found


def _check(widget: ElementTree.Element, name: str) -> None:
    if name not in _WIDGETS:
        raise ValueError(f"the host has no '{name}': add it to ctk_widgets.py or mrml_widgets.py")
    meta = _WIDGETS[name].staticMetaObject
    for each in widget.findall("property"):
        if each.get("stdset") != "0" and meta.indexOfProperty(each.get("name")) < 0:
            raise ValueError(f"{name} of the host has no property '{each.get('name')}'")
