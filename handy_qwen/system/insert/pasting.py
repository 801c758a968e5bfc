"""Pasting, in steps that are the same on every system.

    wait for the focus and until no key is held -> save the clipboard -> offer the text -> press the chord
    -> wait until the window has fetched the text -> restore the clipboard

If a step fails before the chord is pressed, the clipboard is restored and the next method is tried; after
that, the text stays on the clipboard, since the window may be slow.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Generic

from handy_qwen.core.types import Method, Submit, TextAround
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.insert.backend import (
    UNKNOWN,
    Backend,
    Deadline,
    Injection,
    Inserted,
    MayRelease,
    Pause,
    Unsure,
    Way,
    always,
    is_deletable,
    unsupported,
)
from handy_qwen.system.insert.clipboard import Clipboards, Focus
from handy_qwen.system.session import Session

logger = logging.getLogger(__name__)

POLL_S = 0.01

Chord = tuple[int, ...]  # key codes of the system: modifiers first, the key itself last


class PastingBackend(Backend, ABC, Generic[Focus]):
    """A back end that pastes. Subclasses have the keys and the clipboards; see the head of this module."""

    _clipboards: Clipboards[Focus]
    PASTE_LABEL: ClassVar[str]
    FETCH_WAIT_S: ClassVar = 4.0  # how long a window may take to fetch the text
    RESTORE_AFTER_S: float = 0.3  # programs may ask twice per paste: for the formats, then for the text
    RELEASE_WAIT_S: ClassVar = 1.0  # how long the user may take to release the hotkey
    SUBMIT_PAUSE_S: ClassVar = 0.04  # multi-process programs pass text and keys on different paths
    PASTE: ClassVar[Chord]
    SUBMIT: ClassVar[Mapping[Submit, Chord]]
    BACKSPACE: ClassVar[Chord] = ()  # (): nothing can be deleted

    def __init__(self, session: Session, pause: Pause, may_release: MayRelease = always) -> None:
        super().__init__(session, pause, may_release)
        self._pause = pause
        self._injection = Injection()
        self._restoring = DelayedRestore(self._restore)

    @classmethod
    def ways(cls, session: Session) -> tuple[Way, ...]:  # noqa: ARG003 (for subclasses)
        """See ``Backend``."""
        return (
            Way(Method.PASTE, f"paste ({cls.NAME}, {cls.PASTE_LABEL})"),
            Way(Method.TYPE, f"typing ({cls.NAME})"),
            Way(Method.COPY, f"clipboard ({cls.NAME})"),
        )

    @property
    def clipboard_thread(self) -> WatchedThread | None:
        """See ``Backend``."""
        return self._clipboards.thread

    def prepare(self, is_awaited: Callable[[], bool]) -> None:
        """Save the clipboard, unless that takes the focus: too soon at the press of a key."""
        if self._clipboards.keeps_focus:
            self._save(Deadline(is_awaited), None)

    def paste_text(self, text: str) -> Inserted:
        """See ``Backend``."""
        focus = self._await_focus()
        self._save(Deadline(), focus)
        self._restoring.after(self.RESTORE_AFTER_S)
        try:
            self._clipboards.offer(text, focus)
            self._press(self._paste_chord(focus), focus)
        except InsertError:
            self._restoring.now()
            raise
        except Unsure:
            self._restoring.forget()
            return UNKNOWN
        if not self._clipboards.is_fetched(self.FETCH_WAIT_S):
            self._restoring.forget()
            return Inserted(None, may_copy=self._clipboards.is_ours())
        self._restoring.after(self.RESTORE_AFTER_S)
        return Inserted(len(text))

    def copy(self, text: str) -> None:
        """See ``Backend``."""
        self._restoring.forget()
        self._clipboards.keep(text)

    def submit(self, submit: Submit) -> None:
        """See ``Backend``."""
        if submit in self.SUBMIT:
            self._pause(self.SUBMIT_PAUSE_S)
            try:
                self._press(self.SUBMIT[submit], self._await_focus())
            except Unsure:
                raise unsupported(Message("A keyboard that answers")) from None

    def erase(self, text: str, may_erase: Callable[[], bool]) -> None:
        """See ``Backend``.

        A field may have cut or changed the text: where the text before the cursor is known, nothing else is
        deleted.
        """
        if not self.BACKSPACE or not is_deletable(text):
            raise unsupported(Message("Deleting these characters"))
        focus = self._await_focus()
        around = self._around(focus, len(text))
        if around is not None and (around.is_marked or around.before != text):
            raise InsertError(Message("Another text is there."), InsertReason.NOT_TYPEABLE)
        if not may_erase():  # the user has typed or clicked meanwhile
            raise InsertError(Message("The text may have changed."), InsertReason.NOT_TYPEABLE)
        try:
            self._press_often(self.BACKSPACE, len(text), focus)
        except Unsure:
            raise unsupported(Message("A keyboard that answers")) from None

    def rest(self, is_idle: bool) -> float | None:
        """See ``Backend``: restore the clipboard a moment after the text was fetched."""
        return self._restoring.rest(is_idle)

    def was_injecting(self, at_s: float) -> bool:
        """See ``Backend``."""
        return self._injection.was_injecting(at_s)

    def close(self) -> None:
        """See ``Backend``."""
        self._restoring.now()

    def _await_release(self, is_held: Callable[[], object]) -> None:
        """Wait while the user holds keys, for ``RELEASE_WAIT_S`` at most."""
        end_s = time.monotonic() + self.RELEASE_WAIT_S
        while is_held() and time.monotonic() < end_s:
            self._pause(POLL_S)

    def _paste_chord(self, focus: Focus) -> Chord:  # noqa: ARG002 (for subclasses)
        """The chord that pastes in this window."""
        return self.PASTE

    def _around(self, focus: Focus, most: int) -> TextAround | None:  # noqa: ARG002 (for subclasses)
        """Up to ``most`` characters on either side of the cursor in a window; None: unknown."""
        return None

    @abstractmethod
    def _await_focus(self) -> Focus:
        """The focused window, once the user holds no keys. Raises InsertError: there is none."""

    def _press_often(self, chord: Chord, times: int, focus: Focus) -> None:
        """``_press`` repeatedly; ends with the first failure."""
        for _ in range(times):
            self._press(chord, focus)

    @abstractmethod
    def _press(self, chord: Chord, focus: Focus) -> None:
        """Press ``chord`` while ``focus`` has the focus. Raises InsertError: not pressed; Unsure: perhaps."""

    def _save(self, deadline: Deadline, focus: Focus | None) -> None:
        self._clipboards.save(deadline, focus, is_lent=self._restoring.is_due)

    def _restore(self) -> None:
        self._clipboards.restore()


class DelayedRestore:
    """Schedules restoring the clipboard after a paste, by ``restore``, tried a few times.

    Threads: any may call ``forget``, which waits for a running restore, so that what is copied next is not
    replaced. The rest is for the inserter's thread.
    """

    TRIES, AGAIN_S = 5, 0.5

    def __init__(self, restore: Callable[[], None]) -> None:
        self._restore = restore
        self._due_s: float | None = None
        self._tries = 0
        self._lock = threading.RLock()

    @property
    def is_due(self) -> bool:
        """Whether anything is to be restored, now or later."""
        return self._due_s is not None

    def after(self, wait_s: float) -> None:
        """Restore in ``wait_s`` seconds."""
        with self._lock:
            self._due_s, self._tries = time.monotonic() + wait_s, self.TRIES

    def forget(self) -> None:
        """Do not restore: the clipboard is used for something else now."""
        with self._lock:
            self._due_s = None

    def rest(self, is_idle: bool) -> float | None:
        """See ``Backend.rest``. Waits while there is another text, which would borrow the clipboard again."""
        with self._lock:
            if self._due_s is None:
                return None
            left = self._due_s - time.monotonic()
            if left > 0:
                return left if is_idle else 0.0
            return self.now()

    def now(self) -> float | None:
        """Restore if anything is due. Returns in how many seconds to try again."""
        with self._lock:
            if self._due_s is None:
                return None
            try:
                self._restore()
            except InsertError as problem:
                logger.info("the clipboard was not restored: %s", problem.reason.name)
                self._tries -= 1
                if self._tries > 0:
                    self._due_s = time.monotonic() + self.AGAIN_S
                    return self.AGAIN_S
            self._due_s = None
            return None
