"""The macOS backend: Quartz events and the pasteboard.

Typing sends strings with keyboard events (20 UTF-16 units each: more are cut off without a word), so
no layout is involved. Paste is Cmd+V: the key that is V on a US keyboard, and the string "v" with the
event, so that programs which look at the one and programs which look at the other both see it.

The pasteboard does not tell who fetches, only that somebody does; text marked as concealed and
transient is left alone by clipboard managers that keep to nspasteboard.org. So what was there comes
back a moment after the first fetch, and only if nobody has written meanwhile.

Threads: see ``Backend``. A promise is answered on the main thread, where Qt runs Cocoa's loop.
Not run on macOS. Needs the Accessibility permission.
Source: Quartz Event Services; nspasteboard.org.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from handy_qwen.core.ports import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.injection import Injection
from handy_qwen.system.insert.quartz import COMMAND, CONTROL, Api, Item, Quartz

KEY_V, KEY_RETURN, KEY_TAB = 9, 36, 48  # kVK_ANSI_V, kVK_Return, kVK_Tab: places, not characters
CHORDS = {
    Submit.ENTER: (KEY_RETURN, 0),
    Submit.CTRL_ENTER: (KEY_RETURN, CONTROL),
    Submit.SUPER_ENTER: (KEY_RETURN, COMMAND),
}
TEXT_TYPE = "public.utf8-plain-text"
MARKS = ("org.nspasteboard.ConcealedType", "org.nspasteboard.TransientType")
UNITS = 20

RELEASE_WAIT_S, POLL_S = 1.0, 0.01
FETCH_WAIT_S = 4.0
GRACE_S = 0.6
CHUNK_PAUSE_S = 0.004
SUBMIT_PAUSE_S = 0.06
NOT_ALLOWED = "Allow it in System Settings, Privacy & Security, Accessibility."

Pause = Callable[[float], object]


class MacOS:
    """Implements ``Backend`` on macOS."""

    def __init__(self, pause: Pause, api: Api | None = None) -> None:
        """Load the frameworks.

        Args:
            pause: Waits for so many seconds, or until the program ends.
            api: A stand-in for macOS, in tests.
        """
        self._api: Api = api or Quartz()
        self._pause = pause
        self._injection = Injection()
        self._saved: list[Item] = []
        self._ours = -1  # the change count of what we wrote
        self._due_s: float | None = None

    def focused(self) -> Target:
        """The active application: its process stands for the window."""
        process, name = self._api.frontmost()
        return Target(process, name)

    def type_text(self, text: str) -> None:
        """Send ``text`` as strings.

        Raises:
            InsertError: Nothing was typed.
        """
        self._prepare()
        with self._injection.under_way():
            for piece in pieces(text):
                code = {"\n": KEY_RETURN, "\t": KEY_TAB}.get(piece, 0)
                string = "" if code else piece
                self._api.key(code, is_press=True, flags=0, text=string)
                self._api.key(code, is_press=False, flags=0, text=string)
                self._pause(CHUNK_PAUSE_S)

    def paste_text(self, text: str) -> None:
        """Promise ``text``, press Cmd+V, wait until it is fetched.

        Raises:
            InsertError: NOT_FETCHED, or another reason if nothing was sent.
        """
        self._prepare()
        if self._due_s is None or self._api.change_count() != self._ours:
            self._saved = self._api.items()  # else a paste before this one still has them
        self._due_s = None
        fetched = threading.Event()
        self._ours = self._api.promise(text, MARKS, fetched.set)
        with self._injection.under_way():
            self._api.key(KEY_V, is_press=True, flags=COMMAND, text="v")
            self._api.key(KEY_V, is_press=False, flags=COMMAND, text="v")
        if not fetched.wait(FETCH_WAIT_S):
            raise InsertError("The window did not take the text.", InsertReason.NOT_FETCHED)
        self._due_s = time.monotonic() + GRACE_S

    def copy(self, text: str) -> None:
        """Leave ``text`` on the pasteboard, marked as concealed."""
        self._due_s = None
        self._api.write([{TEXT_TYPE: text.encode(), MARKS[0]: b""}])

    def submit(self, submit: Submit) -> None:
        """Press the key after the text.

        Raises:
            InsertError: We may not press keys.
        """
        if submit in CHORDS:
            self._pause(SUBMIT_PAUSE_S)
            self._prepare()
            code, flags = CHORDS[submit]
            with self._injection.under_way():
                self._api.key(code, is_press=True, flags=flags, text="")
                self._api.key(code, is_press=False, flags=flags, text="")

    def rest(self, is_idle: bool) -> float | None:
        """Put back what was on the pasteboard, a moment after it was fetched."""
        if self._due_s is None:
            return None
        left = self._due_s - time.monotonic()
        if left > 0:
            return left if is_idle else 0.0
        self._restore()
        return None

    def was_injecting(self, at_s: float) -> bool:
        """Whether keys of ours were on their way; event taps may also look for MARK."""
        return self._injection.was_injecting(at_s)

    def close(self) -> None:
        """Put back what is due."""
        if self._due_s is not None:
            self._restore()

    def _restore(self) -> None:
        self._due_s = None
        if self._api.change_count() == self._ours:
            self._api.write(self._saved)
        self._saved = []

    def _prepare(self) -> None:
        """Make sure that keys can be pressed, and wait for the user to let go of his.

        Our events carry their own modifiers, so keys held for longer do no harm and are not touched.
        """
        if not self._api.may_post():
            raise InsertError("macOS does not let us press keys.", InsertReason.DENIED_BY_USER, NOT_ALLOWED)
        if not self._api.frontmost()[0]:
            raise InsertError("No window has the focus.", InsertReason.NO_FOCUS, "Click into a text field.")
        end = time.monotonic() + RELEASE_WAIT_S
        while self._api.held_flags() and time.monotonic() < end:
            self._pause(POLL_S)


def pieces(text: str) -> Iterator[str]:
    """``text`` in pieces of at most 20 UTF-16 units; line feeds and tabs alone; no character is cut."""
    piece, units = "", 0
    for character in text:
        size = 2 if ord(character) > 0xFFFF else 1
        is_key = character in "\n\t"
        if piece and (is_key or units + size > UNITS):
            yield piece
            piece, units = "", 0
        if is_key:
            yield character
        else:
            piece, units = piece + character, units + size
    if piece:
        yield piece
