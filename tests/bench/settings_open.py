"""How much processor time the settings window takes to open, the first time and again.

    python -m tests.bench.settings_open [RUNS]

Each run is a process of its own with a desk as in the app, without a screen. Measured is its processor time
from the request to the window having been painted, imports included.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

RUN = """
import json, os, sys, time
from PySide6.QtWidgets import QApplication
app = QApplication([])
from handy_qwen.core.view import Window
from handy_qwen.settings import SettingsView
from handy_qwen.ui.desk import Desk
class Nobody:
    def __getattr__(self, name):
        return lambda *_, **__: None
kinds = ("files", "upkeep", "vocabulary", "microphone")
others = {f"{kind}_commands": Nobody() for kind in kinds}
desk = Desk(print, Nobody(), lambda: -100.0, Nobody(), Nobody(), **others)
desk._show_settings(SettingsView())
app.processEvents()
def opened():
    before_s = time.process_time()
    desk._present(Window.SETTINGS)
    window = desk._windows[Window.SETTINGS]
    for _ in range(5):
        app.processEvents()
    window.grab()
    return round(time.process_time() - before_s, 3)
first_s = opened()
desk._windows[Window.SETTINGS].close()
again_s = opened()
window = desk._windows[Window.SETTINGS]
before_s = time.process_time()
window.search.setText("a")  # makes all pages
search_s = round(time.process_time() - before_s, 3)
print(json.dumps({"first": first_s, "again": again_s, "all pages": search_s}))
sys.stdout.flush()
os._exit(0)
"""


def main() -> None:
    """Run the measurement and print the median and the slowest of each."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    results = []
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | {"QT_QPA_PLATFORM": "offscreen", "HANDY_QWEN_HOME": home}
        for _ in range(runs):
            done = subprocess.run(
                [sys.executable, "-c", RUN], env=env, capture_output=True, text=True, check=True
            )
            results.append(json.loads(done.stdout.splitlines()[-1]))
    for name in results[0]:
        seconds = [one[name] for one in results]
        print(f"{name:10} {statistics.median(seconds):.3f} s (at most {max(seconds):.3f} s)")


if __name__ == "__main__":
    main()
