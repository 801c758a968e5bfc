"""The common parts of the hotkey listeners.

``ConnectedListener`` is for connections to the desktop that may break (X11, the portal), ``HookedListener``
for systems that show every key to a hook (Windows, macOS), ``Listener`` for neither.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from handy_qwen.core.events import EscapePressed, Event, HotkeysDied, HotkeysFailed, LockPressed
from handy_qwen.core.ports import Post
from handy_qwen.core.types import Hotkey, OnCaptured
from handy_qwen.errors import HandyError, HotkeyError, HotkeyReason
from handy_qwen.message import Message
from handy_qwen.runtime.worker import SelectableInbox, WatchedThread
from handy_qwen.system.hotkeys.chord import (
    LAYER,
    MODIFIERS,
    SIDES,
    SINGLE_KEYS,
    Chord,
    chords_of,
    labels,
    missing_key,
)
from handy_qwen.system.hotkeys.tracker import Binding, Capture, Tracker

logger = logging.getLogger(__name__)

RECONCILE_S = 0.1
SETTLED_S = 0.3  # a hook sees a press before the system's key state does, on a busy machine much earlier
CHECK_S = 5.0  # interval of checking the hooks, while no key is down
_START_THERE = Message("Start the app in a desktop session.")

WasInjecting = Callable[[float], bool]
"""Whether this program was pressing keys at a time (``time.monotonic()``). Any thread; returns at once."""


def never(_at_s: float) -> bool:
    """This program presses no keys."""
    return False


class Listener:
    """A listener and its thread, as seen by the watchdog; used as it is on desktops without hotkeys."""

    NAME: ClassVar = "none"  # what it hears hotkeys by, for people: "X11"

    def __init__(self, post: Post) -> None:
        self._post = post
        self._thread: WatchedThread | None = None

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``."""
        self.check(hotkeys)

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``."""
        if hotkeys:
            raise HotkeyError(
                Message("Hotkeys need a display."), HotkeyReason.UNSUPPORTED_DESKTOP, _START_THERE
            )

    def try_out(self, hotkeys: Sequence[Hotkey]) -> Message:
        """How ``hotkeys`` would be registered here, in a sentence; no questions. Raises HotkeyError: not."""
        try:
            self.start(hotkeys)
        finally:
            self.stop()
        return Message("{keys} can be used.", keys=labels(hotkeys))

    def watch_escape(self, is_wanted: bool, lock_key: str = "") -> None:
        """See ``HotkeyListener``."""

    def bind_own_key(self, is_wanted: bool) -> None:
        """See ``HotkeyListener``."""

    def allow_questions(self) -> None:
        """See ``HotkeyListener``."""

    def capture(self, on_captured: OnCaptured) -> None:  # noqa: ARG002  the Protocol says what is passed
        """See ``HotkeyListener``."""
        title = Message("Without a display no key can be recorded.")
        raise HotkeyError(title, HotkeyReason.UNSUPPORTED_DESKTOP, _START_THERE)

    def end_capture(self) -> None:
        """See ``HotkeyListener``."""

    def touched_s(self) -> float | None:
        """See ``HotkeyListener``."""
        return None

    def configure(self) -> None:
        """See ``HotkeyListener``."""
        title = Message("Your desktop has no settings for these hotkeys.")
        hint = Message("Change them in Settings → Shortcut.")
        raise HotkeyError(title, HotkeyReason.UNSUPPORTED_DESKTOP, hint)

    def stop(self) -> None:
        """See ``HotkeyListener``."""

    def has_died(self) -> bool:
        """See ``Watched``."""
        thread = self._thread
        return thread is not None and thread.has_died()

    def piece(self) -> int | None:
        """See ``Watched``."""
        thread = self._thread
        return thread.piece() if thread is not None else None

    def own_pieces(self) -> int:
        """See ``Watched``."""
        thread = self._thread
        return thread.own_pieces() if thread is not None else 0

    def revive(self) -> None:
        """See ``HotkeyListener``."""
        self._post(HotkeysDied())


class Selectable(Protocol):
    """A connection to the desktop. For one thread."""

    def filenos(self) -> Sequence[int]:
        """The descriptors to select on."""

    def timeout_s(self) -> float | None:
        """How long to wait in ``select`` at most; None: forever."""

    def close(self) -> None:
        """Close it."""


Connection = TypeVar("Connection", bound=Selectable)


class ConnectedListener(Listener, ABC, Generic[Connection]):
    """A listener whose connection to the desktop may break. Reconnects after each of ``RETRY_S``.

    Threads: the connection belongs to the thread ``hotkeys``, which calls ``post`` and the methods that
    subclasses implement. When it gives up, it posts HotkeysFailed and ends; ``start`` may be tried again.
    """

    RETRY_S: ClassVar[Sequence[float]] = (0.5, 1.0, 2.0, 4.0, 8.0)  # before each attempt to reconnect
    LOST: ClassVar[tuple[type[Exception], ...]]  # exceptions of a broken connection
    ANSWER_S: ClassVar = 10.0  # time limit of a call to the thread

    def __init__(self, post: Post) -> None:
        super().__init__(post)
        self._inbox: SelectableInbox | None = None
        self._connection: Connection | None = None

    # --- any thread ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop listening and release everything. Safe to call twice."""
        thread, self._thread = self._thread, None
        inbox, self._inbox = self._inbox, None
        if thread is not None and inbox is not None:
            thread.may_end()
            inbox.put(lambda: None)  # wakes the thread
            thread.join(5.0)
            inbox.close()

    def _call(self, call: Callable[[], None], *, is_start: bool = False) -> None:
        """Run ``call`` on the thread, which ``is_start`` starts. Raises HotkeyError, also if it is late."""
        inbox = self._running() if is_start else self._inbox
        if inbox is None:
            return
        answer = inbox.put(call)
        try:
            answer.result(self.ANSWER_S)
        except TimeoutError as exc:
            answer.cancel()  # or else it may be executed after it was reported as failed
            raise self._unresponsive() from exc
        except self.LOST as exc:
            raise self._lost() from exc

    def _running(self) -> SelectableInbox:
        inbox = self._inbox
        if inbox is not None and not inbox.is_over and self._thread is not None and self._thread.is_alive():
            return inbox
        self.stop()
        inbox = self._inbox = SelectableInbox()
        thread = self._thread = WatchedThread("hotkeys", lambda: self._run(thread, inbox))
        thread.start()
        return inbox

    # --- the thread ----------------------------------------------------------------------------------

    def _run(self, thread: WatchedThread, inbox: SelectableInbox) -> None:
        failure: HandyError | None = None
        try:
            self._serve(thread, inbox)
        except HandyError as exc:
            failure = exc
        except Exception:
            logger.exception("the thread of the hotkeys failed")
            failure = HandyError(Message("Hotkeys stopped working."), Message("Restart Handy Qwen."))
        finally:
            self._disconnect()
            # First: whoever is told of the failure may start again at once, and must not get this inbox.
            inbox.reject(failure or self._unresponsive())
        if failure is not None:
            self._post(HotkeysFailed(failure))

    def _serve(self, thread: WatchedThread, inbox: SelectableInbox) -> None:
        delays = iter(self.RETRY_S)
        while not thread.is_ending():
            connection = self._connection
            sources = [inbox.fileno(), *(connection.filenos() if connection else ())]
            timeout_s = connection.timeout_s() if connection else None
            if is_lost := connection is None and self._is_wanted():
                timeout_s = next(delays, None)
                if timeout_s is None:
                    raise self._lost()
            thread.end()
            readable, _, _ = select.select(sources, [], [], timeout_s)
            thread.begin(is_own=is_lost)
            if inbox.fileno() in readable:
                self._take_in()  # keys pressed before a call come before it
                self._survives(inbox.run)
            if self._connection is None and self._is_wanted() and not thread.is_ending():
                self._reconnect()
            if self._take_in():  # calls leave events in the library's own buffer, invisible to select
                delays = iter(self.RETRY_S)

    def _reconnect(self) -> None:
        failed: tuple[type[Exception], ...] = (HandyError, *self.LOST)
        try:
            self._connection = self._connect()
        except failed as exc:
            logger.info("the hotkeys are not back yet: %s", exc)

    def _take_in(self) -> bool:
        """Process what has arrived. False if there is no connection, or it broke."""
        connection = self._connection
        return connection is not None and self._survives(lambda: self._hear(connection))

    def _survives(self, step: Callable[[], None]) -> bool:
        """Whether the connection survives ``step``."""
        try:
            step()
        except self.LOST as exc:
            logger.info("the connection of the hotkeys broke: %s", exc)
            self._disconnect()
            return False
        return True

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._release_keys(connection)
            connection.close()

    @abstractmethod
    def _is_wanted(self) -> bool:
        """Whether there is anything to listen for."""

    @abstractmethod
    def _connect(self) -> Connection:
        """Connect and register. Raises HotkeyError: impossible on this desktop; or LOST."""

    @abstractmethod
    def _hear(self, connection: Connection) -> None:
        """Process what has arrived, without waiting. Raises LOST: the connection broke."""

    @abstractmethod
    def _release_keys(self, connection: Connection) -> None:
        """Post the release of every hotkey that is down."""

    @abstractmethod
    def _lost(self) -> HotkeyError:
        """The error if reconnecting failed."""

    @abstractmethod
    def _unresponsive(self) -> HotkeyError:
        """The error if the desktop does not answer."""


Hook: TypeAlias = Any  # has ``stop()`` and ``is_alive()``


class HookedListener(Listener, ABC):
    """A listener for a system that shows every key to a hook.

    Threads: the system calls ``_saw`` on the hook's thread, where it must return at once. The thread
    ``hotkeys`` compares with the real key state every 100 ms while a hotkey is down; otherwise it wakes every
    few seconds to see whether the system still calls the hooks. A hook is never replaced on its own thread.
    """

    KEY_CODES: ClassVar[Mapping[str, int]]  # mouse buttons are negative
    KNOWS_SWALLOWED: ClassVar[bool]  # whether the real state includes keys that were swallowed
    _POINTING: ClassVar[frozenset[int]]  # mouse buttons that cannot be hotkeys

    def __init__(self, post: Post, was_injecting: WasInjecting = never) -> None:
        super().__init__(post)
        self._was_injecting = was_injecting
        self._hooks: tuple[Hook, ...] = ()
        self._hooks_lock = threading.Lock()
        self._must_renew = False  # the hooks have to be replaced, whether they are called or not
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._masked: set[int] = set()  # sent by this program since the user last moved them
        self._swallowed: set[int] = set()
        self._bindings: tuple[Binding, ...] = ()
        self._is_escape_wanted = False
        self._tracker = self._new_tracker()
        self._capture: Capture | None = None
        self._names = {self.KEY_CODES[name]: name for name in reversed(SINGLE_KEYS) if name in self.KEY_CODES}

    # --- any thread ----------------------------------------------------------------------------------

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``. Waits for the hook. Raises HotkeyError: INVALID, or refused."""
        if self.has_died():
            self.stop()
        bindings = self._bindings_of(hotkeys)
        with self._lock:
            self._end_capture()
            self._report(self._tracker.release_all(time.monotonic()))
            self._bindings = bindings
            self._tracker = self._new_tracker()
            self._tracker.touched_s = time.monotonic()  # earlier keys are unknown
            self._tracker.is_escape_watched = self._is_escape_wanted
        self._launch()

    def _launch(self) -> None:
        with self._hooks_lock:
            if not self._hooks:
                self._hooks = self._listen()
        if self._thread is None or not self._thread.is_alive():
            thread = self._thread = WatchedThread("hotkeys", lambda: self._run(thread))
            thread.start()

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``."""
        self._bindings_of(hotkeys)

    def capture(self, on_captured: OnCaptured) -> None:
        """See ``HotkeyListener``."""
        with self._lock:
            self._end_capture()
            held = self._tracker.held
            self._report(self._tracker.release_all(time.monotonic()))
            self._capture = Capture(on_captured, time.monotonic(), held)
        try:
            self._launch()
        except BaseException:
            with self._lock:
                self._capture = None  # the caller gets the error
            raise
        with self._lock:
            self._changed.notify_all()

    def end_capture(self) -> None:
        """See ``HotkeyListener``."""
        with self._lock:
            self._end_capture()

    def _end_capture(self) -> None:
        """Call with the lock held."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.end()

    def watch_escape(self, is_wanted: bool, lock_key: str = "") -> None:
        """See ``HotkeyListener``. Returns at once."""
        with self._lock:
            self._is_escape_wanted = is_wanted
            self._tracker.is_escape_watched = is_wanted
            self._tracker.lock = self._codes(lock_key)

    def touched_s(self) -> float | None:
        """See ``HotkeyListener``. The hook sees all keys and clicks, unless the system stops calling it."""
        return self._tracker.touched_s if self._hooks and not self._is_deaf() else None

    def has_died(self) -> bool:
        """See ``Watched``. Also when a hook has ended."""
        return super().has_died() or any(not hook.is_alive() for hook in self._hooks)

    def piece(self) -> int | None:
        """See ``Watched``. Of the first thread that is at work; no two have the same."""
        threads = self._threads()
        working = ((thread.piece(), place) for place, thread in enumerate(threads))
        return next((piece * len(threads) + place for piece, place in working if piece is not None), None)

    def stop(self) -> None:
        """See ``HotkeyListener``."""
        with self._hooks_lock:
            hooks, self._hooks = self._hooks, ()
        for hook in hooks:
            hook.stop()
        with self._lock:
            self._end_capture()
            self._report(self._tracker.release_all(time.monotonic()))
            self._must_renew = False
            if (thread := self._thread) is not None:
                thread.may_end()
            self._changed.notify_all()
        if thread is not None:
            thread.join(2.0)

    # --- for subclasses ------------------------------------------------------------------------------

    def _threads(self) -> Sequence[WatchedThread]:
        """Those of which the watchdog sees whether they are stuck."""
        return () if self._thread is None else (self._thread,)

    @abstractmethod
    def _listen(self) -> tuple[Hook, ...]:
        """Install the hooks, which call ``_saw``, and wait for them. Raises HotkeyError: refused."""

    @abstractmethod
    def _is_really_down(self, code: int) -> bool:
        """Query the state of a key or (negative) button."""

    def _is_deaf(self) -> bool:
        """Whether the system has silently stopped calling the hooks."""
        return False

    def _may_renew(self) -> bool:
        """Whether replacing hooks that are not called is worthwhile now."""
        return True

    def _have_renewed(self) -> None:
        """Have the thread ``hotkeys`` replace the hooks. Any thread but with the lock; returns at once."""
        with self._lock:
            self._must_renew = True
            self._changed.notify_all()

    def _saw(self, code: int, *, is_press: bool, is_ours: bool = False) -> bool:
        """The hook saw a key or (negative) button; return whether to swallow it.

        Called on the hook's thread; a repeat counts as a press. ``is_ours``: this program sent it. From now
        on the system's state of this key differs from the finger's, until the user moves that.
        """
        now_s = time.monotonic()
        with self._lock:
            if is_ours:
                self._masked.add(code)
                return False
            self._masked.discard(code)
            if not is_press:
                self._report(self._tracker.release(code, now_s))
                is_swallowed = code in self._swallowed
                self._swallowed.discard(code)
                if (capture := self._capture) is not None:
                    capture.release(code)
                    self._capture = None if capture.is_over else capture
                return is_swallowed
            if self._capture is not None and code not in self._POINTING:
                if self._capture.press(code, self._names.get(code, ""), now_s):
                    self._swallowed.add(code)
                return code in self._swallowed
            is_repeat = self._tracker.is_held(code)
            events = self._tracker.press(code, now_s)
            if not is_repeat and self._must_swallow(code, events):
                self._swallowed.add(code)
            self._report(events)
            return code in self._swallowed

    # --- the thread ----------------------------------------------------------------------------------

    def _run(self, thread: WatchedThread) -> None:
        try:
            while self._look_again(thread):
                pass
        except Exception:
            logger.exception("the thread of the hotkeys failed")
            self.end_capture()  # no key comes any more that would end it
            problem = HandyError(Message("Hotkeys stopped working."), Message("Restart Handy Qwen."))
            self._post(HotkeysFailed(problem))

    def _look_again(self, thread: WatchedThread) -> bool:
        def is_called() -> bool:
            return thread.is_ending() or self._must_renew

        with self._lock:
            self._changed.wait_for(lambda: is_called() or self._is_busy(), timeout=CHECK_S)
            is_busy = self._is_busy()
            if is_busy:
                self._changed.wait_for(is_called, timeout=RECONCILE_S)
            thread.begin()
            must_renew, self._must_renew = self._must_renew, False
            if not thread.is_ending():
                self._report(self._tracker.reconcile(time.monotonic(), older_s=SETTLED_S))
                if (capture := self._capture) is not None:
                    capture.check(time.monotonic())
                    self._capture = None if capture.is_over else capture
        if must_renew and not thread.is_ending():
            self._renew()
        elif not is_busy and not thread.is_ending() and self._is_deaf():
            self._repair()
        thread.end()
        return not thread.is_ending()

    def _repair(self) -> None:
        """The hooks are no longer called. Not on a hook's own thread, for which this waits."""
        if self._may_renew():
            self._renew()
        else:
            self._touch()

    def _renew(self) -> None:
        """Replace the hooks. Not on a hook's own thread, for which this waits."""
        try:
            if self._replace():
                logger.info("the hooks were no longer called and have been replaced")
        except HandyError as exc:
            self._post(HotkeysFailed(exc))
        except Exception:
            logger.exception("the hooks could not be replaced")
            self._post(
                HotkeysFailed(HandyError(Message("Hotkeys stopped working."), Message("Restart Handy Qwen.")))
            )

    def _replace(self) -> bool:
        """Replace the hooks; return whether there were any: not after ``stop`` or a failure."""
        with self._hooks_lock:
            old, self._hooks = self._hooks, ()
            if old:
                for hook in old:
                    hook.stop()
                self._hooks = self._listen()
        self._touch()
        return bool(old)

    def _touch(self) -> None:
        """Keys pressed until now are unknown."""
        with self._lock:
            self._tracker.touched_s = time.monotonic()

    def _is_busy(self) -> bool:
        """Whether the state must be checked repeatedly."""
        return self._tracker.is_hotkey_down or self._capture is not None

    def _report(self, events: Sequence[Event]) -> None:
        """Post ``events``. Call with the lock held; ``post`` never blocks."""
        for event in events:
            self._post(event)
        if events:
            self._changed.notify_all()

    def _must_swallow(self, code: int, events: Sequence[Event]) -> bool:
        """Whether this press was a hotkey with a key, or the Escape that cancels: to be swallowed."""
        fired = {event.hotkey for event in events if hasattr(event, "hotkey")}
        is_chord = any(binding.hotkey in fired and code in binding.key for binding in self._bindings)
        return is_chord or any(isinstance(event, EscapePressed | LockPressed) for event in events)

    def _is_down(self, code: int) -> bool:
        is_unknown = code in self._masked or (code in self._swallowed and not self.KNOWS_SWALLOWED)
        return is_unknown or self._is_really_down(code)

    def _was_missed(self, _code: int) -> bool:
        """See ``Tracker``. Called on the hook's thread."""
        return False

    def _new_tracker(self) -> Tracker:
        modifiers = frozenset[int]().union(*(self._codes(name) for name in MODIFIERS if name != LAYER))
        escape = self._codes("escape")
        return Tracker(
            self._bindings,
            modifiers=modifiers,
            escape=escape,
            is_down=self._is_down,
            was_missed=self._was_missed,
        )

    def _bindings_of(self, hotkeys: Sequence[Hotkey]) -> tuple[Binding, ...]:
        chords = chords_of(hotkeys, knows_own_keys=True)
        return tuple(self._binding(place, chord) for place, chord in enumerate(chords))

    def _binding(self, place: int, chord: Chord) -> Binding:
        members = {name: self._codes(name) for name in chord.names}
        for name, codes in members.items():
            if not codes:
                raise missing_key(name)
        modifiers = tuple(members[name] for name in chord.modifiers)
        return Binding(place, modifiers, members[chord.key] if chord.key else frozenset())

    def _codes(self, name: str) -> frozenset[int]:
        """The codes of the keys that ``name`` means; empty if this system has no such key."""
        return frozenset(self.KEY_CODES[key] for key in SIDES.get(name, (name,)) if key in self.KEY_CODES)
