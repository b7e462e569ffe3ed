"""Renders icon.svg to the icons of the module and of the extension, 128 x 128 pixels.

python Resources/Sources/icons.py        # needs PySide6
"""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
ICONS = [
    PROJECT / "SpineSegmentation" / "Resources" / "Icons" / "SpineSegmentation.png",
    PROJECT / "Resources" / "Icons" / "SpineSegmentation.png",
]


def main() -> None:
    """Write every icon."""
    image = QImage(128, 128, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(HERE / "icon.svg")).render(painter)
    painter.end()
    for path in ICONS:
        image.save(str(path))


if __name__ == "__main__":
    main()
