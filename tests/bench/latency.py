"""How long a user waits for the text, less what the engine needs: from the release to the other window.

usage: python -m tests.bench.latency [ROUNDS] [--windows]

The real program on a virtual desktop with the demo model. From the time between release and text, the
time between the end of the recording and the engine's answer is taken off (both are in the log).
Reported, never asserted: targets are 150 ms by paste and 250 ms for 100 typed characters. With ``--windows``:
the Windows program, under Wine (packaging/wine.py).
"""

import argparse
import re
import statistics
import time
from datetime import datetime

from tests.e2e.app import SPOKEN, App
from tests.e2e.desk import Desktop, QtTarget
from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.wine import WineApp, WineDesktop, WineQtTarget

SAID = SPOKEN["chairs"]
LONG = SAID[:-1] + ", and for each of them a cushion in the colors of its wall."
SETTINGS = """method = "{method}"
smart_spacing = false
{replacement}
[[hotkeys]]
chord = "ctrl_r"
"""
LONGER = f'[[replacements]]\nheard = "office."\nwritten = "{LONG[LONG.index("office") :]}"'
EVENT = re.compile(r"^(\S+ \S+) DEBUG +dictation .*: (RecordingEnded|Transcribed) ->", re.MULTILINE)
CASES = {
    "paste": (SETTINGS.format(method="paste", replacement=""), SAID, 150),
    f"typing, {len(LONG)} characters": (SETTINGS.format(method="type", replacement=LONGER), LONG, 250),
}


def main() -> None:
    """Measure both ways and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rounds", nargs="?", type=int, default=10)
    parser.add_argument("--windows", action="store_true")
    asked = parser.parse_args()
    surroundings = (WineDesktop, WineApp, WineQtTarget) if asked.windows else (Desktop, App, QtTarget)
    of_desktop, of_app, of_window = surroundings
    with of_desktop() as desktop:
        editor = desktop.open(of_window)
        for name, (settings, text, target_ms) in CASES.items():
            with of_app(desktop, name.split(",")[0], settings) as app:
                measure(app, editor, text)  # the first is not counted: everything is cold
                waits_ms = sorted(measure(app, editor, text) for _ in range(asked.rounds))
            median = statistics.median(waits_ms)
            print(f"{name}: median {median:.0f} ms, worst {waits_ms[-1]:.0f} ms; target {target_ms} ms")


def measure(app: App, editor: QtTarget, text: str) -> float:
    """One dictation: milliseconds from release to text, less the engine's."""
    editor.clear()
    before = len(EVENT.findall(app.output()))
    app.desktop.hardware.down("Control_R")
    app.speak("chairs")
    released_s = time.monotonic()
    app.desktop.hardware.up("Control_R")
    assert editor.wait_for_text(text, timeout_s=60) == text
    wait_s = time.monotonic() - released_s
    wait_until(lambda: len(EVENT.findall(app.output())) >= before + 2, "the log")
    ended, transcribed = (
        datetime.fromisoformat(at) for at, _ in EVENT.findall(app.output())[before : before + 2]
    )
    return 1000 * (wait_s - (transcribed - ended).total_seconds())


if __name__ == "__main__":
    main()
