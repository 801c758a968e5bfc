"""A small window out of which the files named on the command line can be dragged."""

import sys

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel


class Source(QLabel):
    """Begins the drag as soon as the mouse moves with a button down."""

    def mouseMoveEvent(self, _event: QMouseEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(path) for path in sys.argv[1:]])
        drag = QDrag(self)
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)


app = QApplication(sys.argv[:1])
source = Source("drag me")
source.setWindowTitle("Drag source")
source.resize(120, 60)
source.show()
app.exec()
