"""What a user does with the app, and what comes of it."""

from __future__ import annotations

import time

from tests.e2e.desk.processes import wait_until
from tests.wayland.desk import App, Session, Target
from tests.wayland.desk.app import APP_PYTHON

OLD, OLD_PRIMARY = "what the user had copied", "what the user had marked"
DIALOG_S = 8.0


class Dictation:
    """Dictates the sample sentence. ``questions`` are the dialogs that were answered."""

    def __init__(self, session: Session, app: App) -> None:
        self.session, self.app = session, app
        self.questions: list[str] = []
        find = "from handy_qwen import paths; print(paths.asset('speech/report.flac'))"
        self.speech = session.run(APP_PYTHON, "-c", find).strip().splitlines()[-1]

    def answer_questions(self) -> None:
        """Say yes to what the desktop asks after the first start, and at the first dictation."""
        if self.session.answers_to_hotkeys:
            assert self.session.answer(self.session.answers_to_hotkeys, DIALOG_S), "it asks for the hotkeys"
            self.questions.append("hotkeys")
        target = Target(self.session, "qt")
        try:
            self.hold()
            if self.session.answers_to_keyboard:
                assert self.session.answer(self.session.answers_to_keyboard, DIALOG_S), (
                    "it asks for the keyboard"
                )
                self.questions.append("keyboard")
            assert self.arrives_in(target), target.text()
        finally:
            target.close()

    def hold(self, key: str = "f9") -> float:
        """Hold the key, speak, let go; when that was (``time.time()``)."""
        self.session.keyboard.down(key)
        time.sleep(0.4)
        self.session.say(self.speech)
        self.session.keyboard.up(key)
        return time.time()

    def arrives_in(self, target: Target, *, times: int = 1) -> bool:
        """Wait until ``target`` holds what the app has heard in ``times`` takes; False: not in time.

        Which words they are does not matter here: a busy machine garbles the sound, and some words with it.
        """

        def has_arrived() -> bool:
            if len(target.text().split()) < times:
                return False
            status = self.app.status()
            is_idle = status.get("phase") == "idle" and not status["waiting"]
            return is_idle and target.text().endswith(self.app.run("last").strip())

        try:
            wait_until(has_arrived, "the text", 20, 0.02)
        except TimeoutError:
            return False
        return True

    def fill_clipboards(self) -> None:
        """Something that must be there again afterwards."""
        self.session.set_clipboard(OLD)
        self.session.set_clipboard(OLD_PRIMARY, "--primary")
        time.sleep(0.5)

    def clipboards_are_restored(self) -> bool:
        """Wait until they are; False: not in time. On GNOME each look takes the focus."""
        try:
            wait_until(self._are_restored, "the clipboards", 8, 0.3)
        except TimeoutError:
            return False
        return True

    def _are_restored(self) -> bool:
        return (self.session.clipboard(), self.session.clipboard("--primary")) == (OLD, OLD_PRIMARY)
