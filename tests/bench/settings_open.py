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

DESK = """
import json, os, sys, time
from PySide6.QtWidgets import QApplication
app = QApplication([])
from handy_qwen.core.models import ModelCommands
from handy_qwen.core.sound_files import FilesCommands
from handy_qwen.core.upkeep import UpkeepCommands
from handy_qwen.core.view import Commands, HistoryCommands, MicrophoneCommands, Window
from handy_qwen.core.vocabulary import VocabularyCommands
from handy_qwen.ui.desk import Desk
from tests.fakes import Asked
desk = Desk(
    print, Asked(Commands), lambda: -100.0, Asked(ModelCommands), Asked(HistoryCommands),
    files_commands=Asked(FilesCommands),
    upkeep_commands=Asked(UpkeepCommands),
    vocabulary_commands=Asked(VocabularyCommands),
    microphone_commands=Asked(MicrophoneCommands),
)
"""
RUN = """
from handy_qwen.settings import SettingsView
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
                [sys.executable, "-c", DESK + RUN], env=env, capture_output=True, text=True, check=True
            )
            results.append(json.loads(done.stdout.splitlines()[-1]))
    for name in results[0]:
        seconds = [one[name] for one in results]
        print(f"{name:10} {statistics.median(seconds):.3f} s (at most {max(seconds):.3f} s)")


if __name__ == "__main__":
    main()
