"""A desktop of its own for tests: X server, window manager, tray, D-Bus and a microphone, all virtual.

    with Desktop() as desk:
        target = desk.open(QtTarget)
        desk.keys.down("F9")
        desk.play(wav)
        desk.keys.up("F9")
        target.wait_for_text("hello")

Everything lives in a temporary folder (HOME, XDG_RUNTIME_DIR, logs) and on a display number that
the X server chose itself; every process is ended by its handle. Works as root and in containers.
"""

from tests.e2e.desk.desktop import Desktop
from tests.e2e.desk.needs import require
from tests.e2e.desk.targets import GtkTarget, QtTarget, Target, XtermTarget

__all__ = ["Desktop", "GtkTarget", "QtTarget", "Target", "XtermTarget", "require"]
