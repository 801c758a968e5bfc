"""The macOS backend: Quartz events and the pasteboard.

Typing sends strings with keyboard events (20 UTF-16 units each: more are cut off without a word), so
no layout is involved. Paste is Cmd+V: the key that is V on a US keyboard, and the string "v" with the
event, so that programs which look at the one and programs which look at the other both see it.

The pasteboard does not tell who fetches, only that somebody does; text marked as concealed and
transient is left alone by clipboard managers that keep to nspasteboard.org. So what was there comes
back a moment after the first fetch, and only if nobody has written meanwhile. It is taken in advance,
since its owner may have to make it first, and stays valid until the change count grows; if it cannot
be had, the pasteboard is left alone.

Between the pieces of a text we look whether the same application is in front. Caps Lock, Sticky Keys
and keys that are held do not change our events.

Threads: see ``Backend``. A promise is answered on the main thread, where Qt runs Cocoa's loop.
Not run on macOS. Needs the Accessibility permission.
Source: Quartz Event Services; nspasteboard.org.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from handy_qwen.core.ports import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import (
    KEEP_BYTES,
    Arrived,
    GivingBack,
    Patience,
    clipboard_in_use,
    no_focus,
    pieces,
)
from handy_qwen.system.insert.injection import Injection
from handy_qwen.system.insert.quartz import COMMAND, CONTROL, Api, Item, Quartz

KEY_V, KEY_RETURN, KEY_TAB = 9, 36, 48  # kVK_ANSI_V, kVK_Return, kVK_Tab: places, not characters
CHORDS = {
    Submit.ENTER: (KEY_RETURN, 0),
    Submit.CTRL_ENTER: (KEY_RETURN, CONTROL),
    Submit.SUPER_ENTER: (KEY_RETURN, COMMAND),
}
KEYS = {"\n": KEY_RETURN, "\t": KEY_TAB}
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


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was on the pasteboard at a change count."""

    count: int
    items: list[Item] = field(repr=False)


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
        self._taken: _Kept | None = None  # what is there now, taken in advance
        self._saved: list[Item] = []  # what comes back after the paste
        self._ours = -1  # the change count of what we wrote
        self._giving_back = GivingBack(self._restore)

    @property
    def clipboard_thread(self) -> None:
        """The pasteboard needs none."""
        return

    def focused(self) -> Target:
        """The active application: its process stands for the window."""
        process, name = self._api.frontmost()
        return Target(process, name)

    def prepare(self, is_awaited: Callable[[], bool]) -> None:
        """Take what is on the pasteboard."""
        self._take(Patience(is_awaited))

    def type_text(self, text: str) -> Arrived:
        """Send ``text`` as strings.

        Raises:
            InsertError: Nothing was typed.
        """
        process = self._prepare()
        typed = 0
        with self._injection.under_way():
            for piece in pieces(text, _units, UNITS, alone=KEYS.__contains__):
                if self._api.frontmost()[0] != process:
                    if not typed:
                        raise no_focus()
                    return Arrived(typed, has_focus=False)
                code = KEYS.get(piece, 0)
                string = "" if code else piece
                self._api.key(code, is_press=True, flags=0, text=string)
                self._api.key(code, is_press=False, flags=0, text=string)
                self._pause(CHUNK_PAUSE_S)
                if self._api.frontmost()[0] != process:  # which of the two got this piece?
                    return Arrived(typed or None, has_focus=False)
                typed += len(piece)
        return Arrived(typed)

    def paste_text(self, text: str) -> Arrived:
        """Promise ``text``, press Cmd+V, wait until it is fetched.

        Raises:
            InsertError: Nothing was sent.
        """
        process = self._prepare()
        kept = self._take(Patience())
        if self._api.frontmost()[0] != process:
            raise no_focus()
        if kept is not None:
            self._saved, self._taken = kept.items, None
        self._giving_back.forget()
        fetched = threading.Event()
        self._ours = self._api.promise(text, MARKS, fetched.set)
        with self._injection.under_way():
            self._api.key(KEY_V, is_press=True, flags=COMMAND, text="v")
            self._api.key(KEY_V, is_press=False, flags=COMMAND, text="v")
        if not fetched.wait(FETCH_WAIT_S):
            return Arrived(None, may_copy=self._api.change_count() == self._ours)
        self._giving_back.after(GRACE_S)
        return Arrived(len(text))

    def copy(self, text: str) -> None:
        """Leave ``text`` on the pasteboard, marked as concealed."""
        self._giving_back.forget()
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
        return self._giving_back.rest(is_idle)

    def was_injecting(self, at_s: float) -> bool:
        """Whether keys of ours were on their way; event taps may also look for MARK."""
        return self._injection.was_injecting(at_s)

    def close(self) -> None:
        """Put back what is due."""
        self._giving_back.now()

    def _take(self, patience: Patience) -> _Kept | None:
        """What is on the pasteboard; None while a text of ours is there that waits for its end.

        Raises:
            InsertError: CLIPBOARD_IN_USE: it cannot be had, or not in time.
        """
        count = self._api.change_count()
        if self._giving_back.is_due and count == self._ours:
            return None
        if self._taken is None or self._taken.count != count:
            self._taken = None
            items: list[dict[str, bytes]] = []
            left = KEEP_BYTES
            for number, kinds in enumerate(self._api.kinds()):
                items.append({})
                for kind in kinds:
                    data = self._api.data(number, kind)
                    left -= len(data or b"")
                    if left < 0 or patience.left_s() <= 0:
                        raise clipboard_in_use()
                    if data is not None:
                        items[-1][kind] = data
            if self._api.change_count() != count:
                raise clipboard_in_use()  # copied this very moment: a part of each was taken
            self._taken = _Kept(count, [item for item in items if item])
        return self._taken

    def _restore(self) -> None:
        if self._api.change_count() == self._ours:
            self._api.write(self._saved)
        self._saved = []

    def _prepare(self) -> int:
        """Make sure that keys can be pressed, and wait for the user to let go of his.

        Our events carry their own modifiers, so keys held for longer do no harm and are not touched.

        Returns the process in front.
        """
        if not self._api.may_post():
            raise InsertError("macOS does not let us press keys.", InsertReason.DENIED_BY_USER, NOT_ALLOWED)
        process = self._api.frontmost()[0]
        if not process:
            raise no_focus()
        end = time.monotonic() + RELEASE_WAIT_S
        while self._api.held_flags() and time.monotonic() < end:
            self._pause(POLL_S)
        if self._api.frontmost()[0] != process:
            raise no_focus()
        return process


def _units(character: str) -> int:
    """How many UTF-16 code units ``character`` has."""
    return 2 if ord(character) > 0xFFFF else 1
