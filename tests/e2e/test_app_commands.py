"""Spoken commands, snippets and profiles in the real program: what is said does what it says."""

import re
import time
from datetime import datetime

import pytest

from handy_qwen.core.types import Limits
from tests.e2e.app import INSTALLED, TAP_S, App
from tests.e2e.desk import QtTarget, XtermTarget
from tests.e2e.desk.processes import wait_until

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(bool(INSTALLED), reason="the script needs the modules of the checkout"),
]


HOLD_S = Limits().hold_s
HEARD = " Heard -> "  # in the log: a voice


def be_heard(app):
    """Say something, whatever it is, until it is heard: a take of silence is none."""
    before = app.output().count(HEARD)
    app.wait_until_recorded()
    app.desktop.play(app.wav("chairs"))
    wait_until(lambda: app.output().count(HEARD) > before, "the voice")


def say(app, count=1):
    """Dictate the next lines of the script, one after the other."""
    for _ in range(count):
        app.tap()
        be_heard(app)
        time.sleep(Limits().double_tap_s)  # a tap before that would lock it
        app.tap()
        app.wait_for_phase("idle")


def lock_while_holding(app):
    """Hold the hotkey, tap Space, let go of both: the take goes on until the hotkey is tapped."""
    hold = app.desktop.hardware
    hold.down("Control_R")
    app.wait_for_phase("recording")
    time.sleep(HOLD_S + 1.5)  # from then on Space is asked for, and a busy X server takes its time for it
    hold.down("space")
    time.sleep(TAP_S)
    hold.up("space")
    hold.up("Control_R")
    time.sleep(TAP_S)
    wait_until(lambda: app.status().get("is_locked"), "the lock")
    be_heard(app)
    app.tap()
    app.wait_for_phase("idle")


def test_what_was_inserted_is_taken_back_and_nothing_else(desktop):
    script = [
        "Dear Anna, new paragraph. A dog. A cat.",
        "Scratch that.",
        "A bird. New line.",
        "Scratch that. Scratch that.",
        "We waited in the new line.",
        "Scratch that.",
        "Locked.",
    ]
    with App(desktop, "commands", script=script) as app:
        editor = desktop.open(QtTarget)
        desktop.run("xdotool", "type", "--delay", "20", "Before. ")
        texts = ["Dear Anna\n\nA dog. A cat.", "Dear Anna\n\nA dog.", "Dear Anna\n\nA dog. A bird.\n"]
        for text in texts:
            say(app)
            assert editor.wait_for_text(f"Before. {text}") == f"Before. {text}"
        say(app)
        assert editor.wait_for_text(f"Before. {texts[1]}") == f"Before. {texts[1]}"
        say(app)
        kept = f"Before. {texts[1]} We waited in the new line."
        assert editor.wait_for_text(kept) == kept
        desktop.run("xdotool", "type", "--delay", "20", " I typed this.")
        say(app)
        kept += " I typed this."
        assert editor.wait_for_text(kept, quiet_s=0.5) == kept, "what the user typed is never deleted"
        assert "Nothing was deleted." in app.run("status").stdout + app.run("status").stderr
        lock_while_holding(app)
        kept += " Locked."
        assert editor.wait_for_text(kept, quiet_s=0.3) == kept, "and no space is typed"
        editor.close()


def test_a_snippet_has_the_clipboard_and_enter_is_pressed_and_no_log_tells_what_was_copied(desktop):
    settings = '[[replacements]]\nheard = "my link"\nwritten = "<{clipboard}>\\n{date}"\nalone = true\n'
    script = ["Look: my link.", "This is my link.", "Press enter."]
    with App(desktop, "snippets", settings, script=script) as app:
        editor = desktop.open(QtTarget)
        desktop.copy("https://secret.example")
        say(app)
        year = str(datetime.now().astimezone().year)
        filled = re.compile(rf"Look: <https://secret\.example>\n[^{{}}]*{year}[^{{}}]*")
        wait_until(lambda: filled.fullmatch(editor.text()), "the snippet")
        wait_until(lambda: desktop.clipboard() == b"https://secret.example", "the clipboard to be put back")
        say(app)
        wait_until(lambda: editor.text().endswith("This is my link."), "the sentence")
        say(app)
        wait_until(lambda: editor.text().endswith("This is my link.\n"), "Enter")
        log = app.output() + (app.home / "log" / "handy-qwen.log").read_text(encoding="utf-8")
        assert "secret" not in log
        editor.close()


def test_a_profile_is_obeyed_by_a_terminal_and_not_by_an_editor(desktop):
    settings = (
        'submit = "enter"\n[[apps]]\nname = "Mine"\nprograms = ["XTerm"]\nlanguage = "German"\n'
        'submit = "off"\nspacing = "off"\n'
    )
    script = ["I see", "The end", "I see", "The end"]
    with App(desktop, "profiles", settings, script=script) as app:
        terminal = desktop.open(XtermTarget)
        say(app, 2)
        assert terminal.wait_for_text("I seeThe end", quiet_s=0.3) == "I seeThe end"
        assert app.output().count("FocusNoted -> Adapt") == 2, "German"
        terminal.close()
        editor = desktop.open(QtTarget)
        say(app, 2)
        expected = "I see\nThe end\n"
        assert editor.wait_for_text(expected, quiet_s=0.3) == expected
        assert app.output().count("FocusNoted -> Adapt") == 2
        editor.close()
