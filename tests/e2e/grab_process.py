"""Qt asks the X server on one thread while another grabs it, over and over; says "done" at the end."""

import os
import threading
import time

from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication

from handy_qwen.app.desktop import QtPause
from handy_qwen.system.x11.connection import connect, server_grab, use_pause

SECONDS = 3.0


def grab() -> None:
    """Grab the server as an insertion does."""
    end_s = time.monotonic() + SECONDS
    while time.monotonic() < end_s:
        with server_grab(connection):
            connection.query_keymap()
            connection.query_keymap()
        connection.sync()


app = QApplication([])
use_pause(QtPause(app))
connection = connect(os.environ["DISPLAY"])
thread = threading.Thread(target=grab, daemon=True)
thread.start()
while thread.is_alive():
    QCursor.pos()  # waits for the X server, and lets no other Python thread run meanwhile
    app.processEvents()
print("done")  # noqa: T201
