"""Every kind of text arrives whole in every kind of window, by the app's own inserter."""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.wayland.desk import Session, Target
from tests.wayland.desk.app import APP_PYTHON, TARGETS
from tests.wayland.dictation import Dictation

WORDS = "the quick brown fox jumped over a lazy dog — naïve café, 5 € 我们 100 %. "
TEXTS = {
    "ascii": "The quick brown fox, 123 + 45 = 168; [a] {b} <c> ~d^ `e` 'f' \"g\" \\h |i| @j #k $l %m &n *o?!",
    "accents": "Zürich, Ærø, façade, señor, über-naïve: ÀÉÎÕÜ ßþðø ščřž ŁÓDŹ ąęć Ωμέγα Привет, ёжик! שלום",
    "cjk": "今天天气很好。我们去公园吧!東京は晴れです、カタカナ。안녕하세요",
    "emoji": "fine 🙂 done ✅ 👩‍👩‍👧 🏳️‍🌈 𠜎 𝄞 end",
    "newline": "first line\nsecond\tline\n\nlast line",
    "2000 characters": (WORDS * 40)[:1999] + ".",
}


class Inserter:
    """The process that inserts."""

    def __init__(self, session: Session) -> None:
        script = Path(__file__).with_name("inserter_process.py")
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = session.start("inserter", APP_PYTHON, script, **pipes)
        assert self._line() == "ready"

    def insert(self, text: str) -> str:
        """Insert ``text``; what became of it, as a word."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(text).encode() + b"\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 60)[0], "it says nothing"
        return str(self.process.stdout.readline().decode().strip())


@pytest.fixture(scope="module")
def inserter(session: Session, dictation: Dictation) -> Iterator[Inserter]:
    """With the permission that the app was given; the app itself is not needed."""
    dictation.app.stop()
    inserter = Inserter(session)
    yield inserter
    session.processes.stop(inserter.process)
    dictation.app.start()


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_character_arrives_once_and_in_order(session, inserter, kind, text):
    target = Target(session, kind)
    try:
        target.forget_focus()
        assert inserter.insert(text) == "pasted"
        expected = text if target.tells_focus else text.replace("\n", "\r")  # what Enter sends in a terminal
        assert target.wait_for(expected) == expected
        assert target.has_kept_focus()
    finally:
        target.close()
