"""A headless Wayland desktop: buses, portals, PipeWire with a microphone, a keyboard, windows, dialogs.

    with Gnome() as session:                       # or Kwin(), Sway()
        app = App(session)
        session.answer(session.answers_to_hotkeys)  # presses the buttons of the portal's dialog
        target = Target(session, "gtk4")            # a window that tells what it received
        session.keyboard.down("f9")                 # as a real keyboard would
        session.say(speech)
        session.keyboard.up("f9")
        target.wait_for("Please send the report to Anna on Monday.")

Runs as an ordinary user inside the root that packaging/wayland.py makes. No GPU, no systemd, no uinput. Each
session has its own HOME and XDG_RUNTIME_DIR in a temporary folder, which holds its logs; its processes are
ended by their handles. What there is not: GL, logind, a lock screen.
"""

from tests.wayland.desk.app import App, Target
from tests.wayland.desk.gnome import Gnome
from tests.wayland.desk.kwin import Kwin
from tests.wayland.desk.session import Session
from tests.wayland.desk.sway import Sway

__all__ = ["App", "Gnome", "Kwin", "Session", "Sway", "Target"]
