"""The real program, killed at any moment of a dictation, and what its next start makes of it."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import soundfile

from tests.e2e.app import SILENCE_S, SPOKEN, App
from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.wine import WineApp

SAFE_S = 1.0
"""What was recorded this long before a kill must outlast it."""
SPEECH_S = 1.1  # from the first sound of a recording that is needed for any word
SETTINGS = 'smart_spacing = false\n[[hotkeys]]\nchord = "ctrl_r"\n'
RECORDS_S = 60.0  # after a press, also on a busy machine
UNSETTLED = {"recording", "waiting"}


@dataclass(frozen=True)
class Outcome:
    """One kill.

    Attributes:
        moment: How far the take had come, as the history knew it.
        after_s: When it was, from the press.
        kept_s: How much sound there is afterwards.
        lost_s: How much less that is than was recorded, from when the program said so to kill or release.
        text: What was offered, or had been inserted.
    """

    moment: str
    after_s: float
    kept_s: float
    lost_s: float
    text: str


class Victim(App):
    """A program that is started again and again in the same home."""

    def __init__(self, desktop: Any, name: str = "victim") -> None:
        super().__init__(desktop, name, settings=SETTINGS)
        self.history = self.home / "data" / "history"
        self._is_killed = False

    def start(self) -> None:
        """See ``App``."""
        super().start()
        self._is_killed = False

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._is_killed:
            return
        try:
            super().__exit__(kind, *rest)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # faulthandler tells where its threads are
            self.process.wait(30)
            print(self.output(), (self.home / "log" / "crash.log").read_text(encoding="utf-8"))  # noqa: T201
            raise

    def kill(self) -> None:
        """End it without a chance to do anything about it, and see that what it started ends as well."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(30) == -signal.SIGKILL
        _, left = psutil.wait_procs(children, timeout=20)
        assert not left, f"left behind: {left}"
        self._is_killed = True

    def rows(self, folder: Path | None = None) -> list[dict[str, Any]]:
        """What stands in the history."""
        with closing(sqlite3.connect((folder or self.history) / "history.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute("SELECT * FROM take WHERE NOT is_deleting")]

    def rows_as_they_lie(self) -> list[dict[str, Any]]:
        """The same of a copy, so that looking mends nothing before the program does."""
        with tempfile.TemporaryDirectory() as name:
            for path in self.history.glob("history.db*"):
                shutil.copy(path, name)
            return self.rows(Path(name))

    def is_settled(self) -> bool:
        """Whether nothing is on its way any more."""
        now = self.status()
        is_idle = now.get("phase") == "idle" and not now["waiting"]
        return is_idle and not any(row["state"] in UNSETTLED for row in self.rows())


class WineVictim(Victim, WineApp):
    """The Windows program, under Wine."""

    def start(self) -> None:
        """Start it, and learn its number there, which is not that of its process here."""
        super().start()
        self._pid = self.status()["pid"]

    def kill(self) -> None:
        """TerminateProcess."""
        self.desktop.ask("kill", pid=self._pid)
        self.process.wait(30)
        self._is_killed = True

    def rows(self, folder: Path | None = None) -> list[dict[str, Any]]:
        """What stands in the history, of a copy: SQLite here may not see the locks of SQLite under Wine."""
        return super().rows(folder) if folder else self.rows_as_they_lie()


def kill_once(victim: Victim, editor: Any, chance: random.Random) -> Outcome:
    """Dictate, kill at a random moment, start again, and see that nothing is lost and nothing comes twice."""
    before = {row["id"] for row in victim.rows()}
    name = chance.choice(sorted(SPOKEN))
    wav = victim.wav(name)
    spoken_s = float(soundfile.info(wav).duration)
    up_s = SILENCE_S + spoken_s + 0.1
    after_s = (
        chance.uniform(0.15, up_s) if chance.random() < 0.4 else up_s + chance.triangular(-0.1, 0.9, 0.3)
    )
    began_s, killed_s = _dictate_until(victim, wav, up_s, after_s)
    lying = [row for row in victim.rows_as_they_lie() if row["id"] not in before]
    editor.settle()  # it may still wait for what the program that was killed had offered to paste
    was_there = editor.text()
    victim.start()
    wait_until(victim.is_settled, "the end of the rescue", timeout_s=60)
    rows = [row for row in victim.rows() if row["id"] not in before]
    assert len(rows) <= 1, "a take twice"
    names = {row["file"] for row in victim.rows() if row["file"]}
    assert names == {path.name for path in (victim.history / "takes").iterdir()}, "leftovers"
    assert editor.text() == was_there, "something was inserted by itself"
    moment = f"{lying[0]['state']} {lying[0]['whereabouts']}".strip() if lying else "before it began"
    recorded_s = min(killed_s, up_s) - began_s
    if not rows:
        assert min(killed_s, up_s) < SILENCE_S + SPEECH_S + SAFE_S, f"a take is gone ({moment})"
        return Outcome(moment, killed_s, 0.0, 0.0, "")
    kept_s = _sound_s(victim.history / "takes" / rows[0]["file"])
    outcome = Outcome(moment, killed_s, kept_s, max(0.0, recorded_s - kept_s), rows[0]["text"])
    _check_text(victim, editor, rows[0], SPOKEN[name], is_whole=killed_s > up_s - 0.1 + SAFE_S)
    assert outcome.lost_s < SAFE_S, outcome
    editor.clear()
    return outcome


def _dictate_until(victim: Victim, wav: Path, up_s: float, after_s: float) -> tuple[float, float]:
    """Press, speak, let go, and kill so long after the press.

    Nobody speaks before the microphone is open: as much as that takes longer, all that follows is later.

    Returns:
        When it said that it records (at the latest), and when it really was killed, without that delay.
    """
    keyboard = victim.desktop.hardware
    begin_s = time.monotonic()
    keyboard.down("Control_R")
    playing, is_down, began_s, late_s = None, True, None, 0.0
    try:
        while (now_s := time.monotonic() - begin_s - late_s) < after_s:
            if began_s is None and victim.is_recording():
                began_s = time.monotonic() - begin_s - late_s
            elif began_s is None and now_s > SILENCE_S:
                late_s += now_s - SILENCE_S
                assert late_s < RECORDS_S, "it does not record"
            elif playing is None and now_s >= SILENCE_S:
                playing = victim.desktop.play(wav)
            elif is_down and now_s >= up_s:
                keyboard.up("Control_R")
                is_down = False
            time.sleep(0.005)
        killed_s = time.monotonic() - begin_s - late_s
        victim.kill()
    finally:
        if is_down:
            keyboard.up("Control_R")
        if playing is not None:
            assert playing.wait(30) == 0
    return killed_s if began_s is None else began_s, killed_s


def _check_text(victim: Victim, editor: Any, row: dict[str, Any], said: str, *, is_whole: bool) -> None:
    text = row["text"]
    assert row["state"] == "done", row["error"]
    if is_whole:
        assert text == said
    if row["whereabouts"] in {"typed", "pasted"}:
        assert editor.text() == text, "it is said to be inserted, and is not"
        return
    if not text:
        return
    wait_until(lambda: victim.status().get("held") == 1, "the offer of the text")
    already = editor.text()
    assert already in {"", text}, "half a text, or two"
    victim.ask("paste")
    assert editor.wait_for_text(already + text) == already + text
    wait_until(lambda: victim.status().get("held") == 0, "the delivery")


def _sound_s(path: Path) -> float:
    """How long a take is, by its file alone: a header of one kind, then float32 at 16 kHz."""
    head = path.read_bytes()[:256]
    at = head.index(b"data") + 8
    assert struct.unpack_from("<I", head, at - 4)[0] == path.stat().st_size - at, "its header is not complete"
    return (path.stat().st_size - at) / 4 / 16_000


def told(outcome: Outcome) -> str:
    """One line of JSON."""
    seconds = {"after_s": outcome.after_s, "kept_s": outcome.kept_s, "lost_s": outcome.lost_s}
    rounded = {name: round(value, 2) for name, value in seconds.items()}
    return json.dumps({"moment": outcome.moment, **rounded, "chars": len(outcome.text)})
