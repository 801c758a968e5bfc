"""Global hotkeys on Wayland, through the desktop's portal for global shortcuts.

No program hears the keyboard there unless it has the focus; the desktop has to tell. What that means:

* The chord of the settings is a wish. The desktop may ask the user, and let them choose another.
* A modifier alone cannot be wished for. It is asked for without a key: the user sets one in the dialog
  or in the desktop's keyboard settings.
* Escape cannot be watched only while a take runs. "Cancel" is offered as a shortcut without a key.
* The real state of a key cannot be asked: a lost release is not found, but another press works as a tap.

Looking at /dev/input instead was decided against: it needs rights that let any program read every
password. Desktops without the portal (sway, wlroots before 2024) bind `handy-qwen start` to a press and
`handy-qwen stop` to a release of a key of theirs.

Threads: all D-Bus traffic is on the thread ``hotkeys``; ``post`` is called there.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError

from handy_qwen.core.events import EscapePressed, HotkeysFailed, KeyDown, KeyUp
from handy_qwen.core.ports import Hotkey, Post
from handy_qwen.errors import HandyError, HotkeyError, HotkeyReason
from handy_qwen.system.hotkeys.chord import Chord, parse_chord
from handy_qwen.system.hotkeys.inbox import Inbox
from handy_qwen.system.hotkeys.portal import Portal, PortalError, Shortcut, Signal

logger = logging.getLogger(__name__)

RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_ANSWER_S = 15.0
_CANCEL = "cancel"
_MODIFIERS = {"ctrl": "CTRL", "alt": "ALT", "shift": "SHIFT", "super": "LOGO"}
_KEYSYMS = {
    "enter": "Return",
    "tab": "Tab",
    "backspace": "BackSpace",
    "escape": "Escape",
    "page_up": "Page_Up",
    "page_down": "Page_Down",
    "scroll_lock": "Scroll_Lock",
    "num_lock": "Num_Lock",
    "caps_lock": "Caps_Lock",
    "print_screen": "Print",
    "media_play_pause": "XF86AudioPlay",
    "media_stop": "XF86AudioStop",
    "media_next": "XF86AudioNext",
    "media_previous": "XF86AudioPrev",
    "volume_up": "XF86AudioRaiseVolume",
    "volume_down": "XF86AudioLowerVolume",
    "volume_mute": "XF86AudioMute",
    "microphone_mute": "XF86AudioMicMute",
}
_KEYSYMS |= {name: name.capitalize() for name in ("insert", "delete", "home", "end", "pause", "menu")}
_KEYSYMS |= {name: name.capitalize() for name in ("up", "down", "left", "right")}
_KEYSYMS |= {f"f{n}": f"F{n}" for n in range(1, 25)}
_KEYSYMS |= {f"kp_{n}": f"KP_{n}" for n in range(10)}


class PortalHotkeys:
    """Listens for hotkeys through the portal. Implements HotkeyListener.

    Args:
        post: Takes the events, on the thread ``hotkeys``.
        bus: Address of the session bus; "SESSION": that of the environment.
        retry_s: How long to wait before each attempt to come back after the session was lost.
    """

    def __init__(self, post: Post, *, bus: str = "SESSION", retry_s: Sequence[float] = RETRY_S) -> None:
        self._post = post
        self._bus = bus
        self._retry_s = tuple(retry_s)
        self._inbox: Inbox | None = None
        self._thread: threading.Thread | None = None
        self._is_stopping = threading.Event()
        self._is_escape_watched = False
        # Owned by the thread:
        self._portal: Portal | None = None
        self._shortcuts: tuple[Shortcut, ...] = ()
        self._down: list[int] = []

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """Ask for ``hotkeys`` instead of those asked for until now. Waits for the portal, not for the user.

        If the user refuses in the desktop's dialog, HotkeysFailed follows.

        Raises:
            HotkeyError: INVALID, or UNSUPPORTED_DESKTOP: this desktop has no portal for shortcuts.
        """
        shortcuts = shortcuts_for(hotkeys)
        if self._inbox is None or self._thread is None or not self._thread.is_alive():
            self.stop()
            self._is_stopping.clear()
            self._inbox = Inbox()
            self._thread = threading.Thread(
                target=self._run, args=(self._inbox,), name="hotkeys", daemon=True
            )
            self._thread.start()
        try:
            self._inbox.put(lambda: self._use(shortcuts)).result(_ANSWER_S)
        except (CancelledError, TimeoutError) as exc:
            raise _unsupported() from exc

    def watch_escape(self, is_wanted: bool) -> None:
        """Report the shortcut "Cancel" only while a take runs. Any thread."""
        self._is_escape_watched = is_wanted

    def stop(self) -> None:
        """Give the shortcuts back. Safe to call twice."""
        thread, self._thread = self._thread, None
        inbox, self._inbox = self._inbox, None
        if thread is not None and inbox is not None:
            self._is_stopping.set()
            inbox.put(lambda: None)  # wakes the thread
            thread.join(timeout=5.0)
            inbox.close()

    # --- the thread --------------------------------------------------------------------------------

    def _run(self, inbox: Inbox) -> None:
        failure: HandyError = _unsupported()
        try:
            self._serve(inbox)
        except HandyError as exc:
            failure = exc
            self._post(HotkeysFailed(exc))
        except Exception:
            logger.exception("the thread of the hotkeys failed")
            failure = HandyError("The hotkeys stopped working.", "Start the program again.")
            self._post(HotkeysFailed(failure))
        finally:
            self._disconnect()
            inbox.reject(failure)

    def _serve(self, inbox: Inbox) -> None:
        delays = iter(self._retry_s)
        while not self._is_stopping.is_set():
            portal = self._portal
            sources = [inbox.fileno()] if portal is None else [inbox.fileno(), portal.fileno()]
            is_lost = portal is None and bool(self._shortcuts)
            timeout_s = next(delays, None) if is_lost else None
            if is_lost and timeout_s is None:
                raise _lost()
            select.select(sources, [], [], timeout_s)
            inbox.run()
            if self._portal is None and self._shortcuts and not self._is_stopping.is_set():
                self._come_back()
            if self._hear():  # in any case: signals may have come along with an answer
                delays = iter(self._retry_s)

    def _use(self, shortcuts: tuple[Shortcut, ...]) -> None:
        """A session takes its shortcuts once: make a new one, and give up the old only then."""
        portal = self._open(shortcuts)
        self._disconnect()
        self._portal, self._shortcuts = portal, shortcuts

    def _open(self, shortcuts: tuple[Shortcut, ...]) -> Portal:
        try:
            portal = Portal(self._bus)
        except PortalError as exc:
            logger.info("no global shortcuts: %s", exc)
            raise _unsupported() from exc
        try:
            portal.bind(shortcuts)
        except PortalError as exc:
            portal.close()
            logger.info("the portal binds no shortcuts: %s", exc)
            raise _unsupported() from exc
        return portal

    def _come_back(self) -> None:
        try:
            self._portal = self._open(self._shortcuts)
        except HotkeyError:
            logger.info("the portal is not back yet")

    def _hear(self) -> bool:
        """Take in what the portal said. False if the session was lost."""
        if self._portal is None:
            return False
        try:
            for signal in self._portal.receive():
                if signal.kind == "Closed":
                    self._disconnect()
                    return False
                self._obey(signal)
        except OSError:
            self._disconnect()
            return False
        return True

    def _obey(self, signal: Signal) -> None:
        now_s = time.monotonic()
        if signal.kind == "Refused":
            self._post(HotkeysFailed(_refused()))
        elif signal.kind == "Activated" and signal.name == _CANCEL:
            if self._is_escape_watched:
                self._post(EscapePressed(now_s))
        elif signal.kind in ("Activated", "Deactivated"):
            names = [shortcut.name for shortcut in self._shortcuts]
            self._turn(names.index(signal.name), signal.kind == "Activated", now_s)

    def _turn(self, hotkey: int, is_press: bool, at_s: float) -> None:
        """Some desktops repeat Activated while the key is held."""
        if is_press and hotkey not in self._down:
            self._down.append(hotkey)
            self._post(KeyDown(hotkey, at_s))
        elif not is_press and hotkey in self._down:
            self._down.remove(hotkey)
            self._post(KeyUp(hotkey, at_s))

    def _disconnect(self) -> None:
        portal, self._portal = self._portal, None
        if portal is not None:
            portal.close()
        for hotkey in list(self._down):
            self._turn(hotkey, False, time.monotonic())


def shortcuts_for(hotkeys: Sequence[Hotkey]) -> tuple[Shortcut, ...]:
    """What to ask the portal for. The names stay the same, so that the user's own choice of keys is kept.

    Raises:
        HotkeyError: INVALID.
    """
    chords = [parse_chord(hotkey.chord) for hotkey in hotkeys]
    shortcuts = []
    for place, (hotkey, chord) in enumerate(zip(hotkeys, chords, strict=True)):
        if chord in chords[:place]:
            title = f'The hotkey "{chord}" is set twice.'
            raise HotkeyError(title, HotkeyReason.INVALID, "Give each language a hotkey of its own.")
        name = "dictate" if place == 0 else f"dictate-{place + 1}"
        description = f"Dictate ({hotkey.language})" if hotkey.language else "Dictate"
        shortcuts.append(Shortcut(name, description, trigger(chord)))
    return (*shortcuts, Shortcut(_CANCEL, "Cancel the dictation", ""))


def trigger(chord: Chord) -> str:
    """``chord`` as the portal writes it; empty if it cannot be said: lone modifiers, AltGr."""
    families = [name.partition("_")[0] for name in chord.modifiers]
    if chord.is_lone or any(family not in _MODIFIERS for family in families):
        return ""
    return "+".join([*(_MODIFIERS[family] for family in families), _KEYSYMS.get(chord.key, chord.key)])


def _unsupported() -> HotkeyError:
    return HotkeyError(
        "This desktop has no global shortcuts for programs.",
        HotkeyReason.UNSUPPORTED_DESKTOP,
        'Let it run "handy-qwen start" when a key of your choice goes down and "handy-qwen stop" when it '
        'comes up, or "handy-qwen toggle" on a key.',
    )


def _lost() -> HotkeyError:
    return HotkeyError(
        "Hotkeys stopped working: the desktop ended its session of global shortcuts.",
        HotkeyReason.UNSUPPORTED_DESKTOP,
        "Start the program again.",
    )


def _refused() -> HotkeyError:
    return HotkeyError(
        "The hotkeys were not allowed.",
        HotkeyReason.DENIED_BY_USER,
        "Allow them in the keyboard settings of your desktop, then start the program again.",
    )
