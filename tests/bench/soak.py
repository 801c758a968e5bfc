"""Hundreds of dictations in a row: no take is lost, and memory, threads and open files stay what they are.

usage: python -m tests.bench.soak [TAKES] [--short] [--windows]

The real program on a virtual desktop, with the demo model and the history; about four seconds a take, with
``--short`` (the first second of a recording) about two. At the end the history must hold each take once, with
its sound, delivered, in the order in which they were spoken. The tests do the same with fewer
(tests/e2e/test_app_trouble.py). With ``--windows``: the Windows program, under Wine (packaging/wine.py).
"""

import argparse
import itertools
import sqlite3
import time
import wave
from contextlib import closing

from tests.e2e.app import SPOKEN, App
from tests.e2e.desk import Desktop, QtTarget
from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.wine import WineApp, WineDesktop, WineQtTarget
from tests.e2e.many_takes import Cost, dictate_many

EVERY, EVERY_SHORT = 10, 25
SHORT_S = 1.2
SETTINGS = """smart_spacing = false
[[hotkeys]]
chord = "ctrl_r"
"""


def main() -> None:
    """Dictate, and print what it costs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("takes", nargs="?", type=int, default=200)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--windows", action="store_true")
    asked = parser.parse_args()
    surroundings = (WineDesktop, WineApp, WineQtTarget) if asked.windows else (Desktop, App, QtTarget)
    of_desktop, of_app, of_window = surroundings
    with of_desktop() as desktop, of_app(desktop, settings=SETTINGS) as app:
        editor = desktop.open(of_window)
        print("takes  memory MB  threads  files  history MB")
        if asked.short:
            costs = dictate_short(app, editor, asked.takes)
        else:
            costs = dictate_many(app, editor, asked.takes, every=EVERY, tell=lambda cost: tell(app, cost))
        check_history(app, asked.takes)
    settled, last = costs[min(2, len(costs) - 1)], costs[-1]
    growth_mb = (last.memory_bytes - settled.memory_bytes) / 1e6
    span = f"between takes {settled.takes} and {asked.takes}"
    print(f"{asked.takes} takes, none lost, each once in the history; memory {growth_mb:+.1f} MB {span},")
    print(f"threads {settled.threads} -> {last.threads}, open files {settled.files} -> {last.files}")


def dictate_short(app: App, editor: object, takes: int) -> list[Cost]:
    """Dictate beginnings of sentences; what they become is asked of the history at the end."""
    clips = [cut(app, name) for name in SPOKEN]
    costs = []
    for number, clip in enumerate(itertools.islice(itertools.cycle(clips), takes), 1):
        app.desktop.hardware.down("Control_R")
        assert app.desktop.play(clip).wait(30) == 0
        app.desktop.hardware.up("Control_R")
        time.sleep(0.08)
        if number % EVERY_SHORT == 0:
            app.wait_for_phase("idle")
            costs.append(Cost(number, *app.costs()))
            tell(app, costs[-1])
            editor.clear()
    app.wait_for_phase("idle")
    return costs


def cut(app: App, name: str) -> object:
    """The beginning of a recording as a file of its own."""
    short = app.wav(name).with_name(f"{name}-short.wav")
    with wave.open(str(app.wav(name))) as whole, wave.open(str(short), "wb") as out:
        out.setparams(whole.getparams())
        out.writeframes(whole.readframes(round(SHORT_S * whole.getframerate())))
    return short


def check_history(app: App, takes: int) -> None:
    """Each take is there once, with text and sound, and is known to have been delivered."""
    folder = app.home / "data" / "history"
    wait_until(lambda: len(rows(folder)) == takes, f"{takes} entries")
    found = wait_until(lambda: (r := rows(folder)) and all(r[-1][1:3]) and r, "the last delivery")
    assert [row[3] for row in found] == sorted(row[3] for row in found), "not in their order"
    for state, whereabouts, file, _, text in found:
        assert (state, bool(text)) == ("done", True), state
        assert whereabouts in {"typed", "pasted"}, whereabouts
        assert (folder / "takes" / file).is_file()


def rows(folder: object) -> list[tuple[str, str, str, int, str]]:
    """What the history holds, oldest first."""
    with closing(sqlite3.connect(folder / "history.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        asked = "SELECT state, whereabouts, file, created_ms, text FROM take ORDER BY id"
        return database.execute(asked).fetchall()


def tell(app: App, cost: Cost) -> None:
    """One line."""
    size = sum(path.stat().st_size for path in (app.home / "data" / "history").rglob("*") if path.is_file())
    memory_mb = cost.memory_bytes / 1e6
    print(
        f"{cost.takes:5}  {memory_mb:9.1f}  {cost.threads:7}  {cost.files:5}  {size / 1e6:10.1f}", flush=True
    )


if __name__ == "__main__":
    main()
