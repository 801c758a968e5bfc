"""One session of the portal org.freedesktop.portal.GlobalShortcuts, over one D-Bus connection.

    CreateSession -> Response(session)    BindShortcuts -> Response(shortcuts), after a dialog perhaps
    then signals:  Activated(session, id, ...)   Deactivated(session, id, ...)   Session.Closed
                   ShortcutsChanged(session, shortcuts), when the user chose other keys

A portal answers a call with the path of a request, and the request later with the signal Response. The
path can be computed beforehand, so the answer cannot be missed. What was bound is in the list of that answer:
GNOME 48 says 2 ("other") even when all went well. A portal that crashes closes no session; the bus says
that its name has no owner any more.

Threads: for one thread, which selects on ``fileno()`` and then calls ``receive``.

Source: https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.GlobalShortcuts.html,
version 1; triggers as in https://specifications.freedesktop.org/shortcuts/latest.
"""

from __future__ import annotations

import itertools
import logging
import select
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field

from jeepney import DBusAddress, MatchRule, Message, message_bus, new_method_call
from jeepney.low_level import HeaderFields
from jeepney.wrappers import DBusErrorResponse, Properties, unwrap_msg

from handy_qwen.core.events import EscapePressed, HotkeysDied, HotkeysFailed, KeyDown, KeyUp, Trouble
from handy_qwen.core.ports import Post
from handy_qwen.core.types import Hotkey
from handy_qwen.core.view import HOTKEYS
from handy_qwen.errors import HandyError, HotkeyError, HotkeyReason
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.hotkeys.chord import Chord, chords_of
from handy_qwen.system.hotkeys.listener import Inbox
from handy_qwen.system.portal import BROKEN, connect

logger = logging.getLogger(__name__)

APP_ID = "io.github.handy_qwen"
_NAME = "org.freedesktop.portal.Desktop"
_PATH = "/org/freedesktop/portal/desktop"
_SHORTCUTS = DBusAddress(_PATH, bus_name=_NAME, interface="org.freedesktop.portal.GlobalShortcuts")
_REGISTRY = DBusAddress(_PATH, bus_name=_NAME, interface="org.freedesktop.host.portal.Registry")
_BUS = "org.freedesktop.DBus"
_REQUEST = "org.freedesktop.portal.Request"
_OPEN_S = 10.0  # for all that it takes until the shortcuts have been asked for
_NO_ANSWER = ("NoReply", "TimedOut", "Timeout")  # names of errors with which the bus answers instead
_SUCCESS, _REFUSED_BY_USER = 0, 1

_SENSELESS = (LookupError, TypeError, ValueError, AttributeError)


class PortalError(Exception):
    """The portal refused, went away, or does not answer. Turned into a HandyError by the listener."""


class NoPortalError(PortalError):
    """There is no portal with global shortcuts, and there will be none."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """What the portal is asked for. An empty ``trigger`` leaves the key to the user."""

    name: str
    description: str
    trigger: str


@dataclass(frozen=True, slots=True)
class Signal:
    """What the portal said.

    Attributes:
        kind: "Activated" or "Deactivated", a shortcut; "Bound", what was asked for, or "Changed", by the
            user; "Refused", by the user; "Closed", the session.
        name: The shortcut.
        keys: The shortcuts that are bound, and the key of each in the desktop's words; "" if it has none.
    """

    kind: str
    name: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


class Portal:
    """A session with shortcuts.

    Args:
        bus: Address of the session bus; "SESSION": that of the environment.

    Raises:
        NoPortalError: There is no bus, no portal, or none with global shortcuts.
        PortalError: It does not answer.
    """

    def __init__(self, bus: str) -> None:
        try:
            self._connection = connect(bus)
        except BROKEN as exc:
            raise NoPortalError("there is no session bus") from exc
        self._until_s = time.monotonic() + _OPEN_S
        self._signals: deque[Message] = deque()
        self._tokens = (f"handy_qwen_{n}" for n in itertools.count(1))
        self._binding = ""
        try:
            self._filter = self._connection.filter(MatchRule(type="signal"), queue=self._signals)
            self._call(message_bus.AddMatch(MatchRule(type="signal", sender=_NAME)))
            owner = MatchRule(type="signal", sender=_BUS, member="NameOwnerChanged")
            owner.add_arg_condition(0, _NAME)
            self._call(message_bus.AddMatch(owner))
            self._require_shortcuts()
            self._register()
            self._session = self._create_session()
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """What to select on."""
        return int(self._connection.sock.fileno())

    def bind(self, shortcuts: Sequence[Shortcut]) -> None:
        """Ask for ``shortcuts``. The answer is the signal "Bound" or "Refused"; the user may be asked before.

        To be called at once: it shares its time with the opening of the session.

        Raises:
            PortalError: The portal refuses to listen.
        """
        wanted = [(s.name, _facts(s)) for s in shortcuts]
        self._binding = self._request("BindShortcuts", "oa(sa{sv})sa{sv}", (self._session, wanted, ""))

    def receive(self) -> Iterator[Signal]:
        """What has come since the last time. Does not wait.

        Raises:
            PortalError: The bus is gone, or says what cannot be understood.
        """
        try:
            while True:
                self._connection.recv_messages(timeout=0)
        except TimeoutError:
            logger.debug("%d signals of the portal", len(self._signals))
        except BROKEN as exc:
            raise PortalError("the session bus is gone") from exc
        while self._signals:
            signal = self._read_safely(self._signals.popleft())
            if signal is not None:
                yield signal

    def close(self) -> None:
        """End the session, and with it the shortcuts."""
        self._connection.close()

    def _read_safely(self, message: Message) -> Signal | None:
        try:
            return self._read(message)
        except _SENSELESS as exc:
            raise PortalError("the portal sends what it should not") from exc

    def _read(self, message: Message) -> Signal | None:
        fields = message.header.fields
        path, member = fields.get(HeaderFields.path), fields.get(HeaderFields.member)
        if member == "NameOwnerChanged":
            return Signal("Closed") if message.body[0] == _NAME and not message.body[2] else None
        if member == "Response" and path == self._binding:
            code, results = message.body
            _, bound = results.get("shortcuts", ("", []))
            return Signal("Refused") if code == _REFUSED_BY_USER else Signal("Bound", keys=_keys(bound))
        if member == "Closed" and path == self._session:
            return Signal("Closed")
        if member in ("Activated", "Deactivated", "ShortcutsChanged") and message.body[0] == self._session:
            if member == "ShortcutsChanged":
                return Signal("Changed", keys=_keys(message.body[1]))
            return Signal(str(member), str(message.body[1]))
        return None

    def _require_shortcuts(self) -> None:
        try:
            self._call(Properties(_SHORTCUTS).get("version"))
        except PortalError as exc:
            is_refusal = isinstance(exc.__cause__, DBusErrorResponse)
            if is_refusal and not str(exc).endswith(_NO_ANSWER):
                raise NoPortalError(str(exc)) from exc
            raise

    def _register(self) -> None:
        """Tell the portal who is asking. Older portals find out by themselves, from the desktop's scope."""
        try:
            self._call(new_method_call(_REGISTRY, "Register", "sa{sv}", (APP_ID, {})))
        except PortalError as exc:
            logger.debug("the portal keeps no registry: %s", exc)

    def _create_session(self) -> str:
        options = {"session_handle_token": ("s", next(self._tokens))}
        path = self._request("CreateSession", "a{sv}", (), options)
        rule = MatchRule(type="signal", interface=_REQUEST, member="Response", path=path)
        waiting = deque(message for message in self._signals if rule.matches(message))
        with self._connection.filter(rule, queue=waiting):
            try:
                response = self._connection.recv_until_filtered(waiting, timeout=self._left_s())
            except BROKEN as exc:
                raise PortalError("the portal does not answer") from exc
        try:
            code, results = response.body
            if code != _SUCCESS:
                raise PortalError("the portal refused a session")
            return str(results["session_handle"][1])
        except _SENSELESS as exc:
            raise PortalError("the portal answers what it should not") from exc

    def _request(
        self,
        member: str,
        signature: str,
        body: tuple[object, ...],
        options: Mapping[str, object] | None = None,
    ) -> str:
        """Call ``member`` and return the path on which the answer will come."""
        token = next(self._tokens)
        sender = self._connection.unique_name.lstrip(":").replace(".", "_")
        all_options = {**(options or {}), "handle_token": ("s", token)}
        self._call(new_method_call(_SHORTCUTS, member, signature, (*body, all_options)))
        return f"{_PATH}/request/{sender}/{token}"

    def _call(self, message: Message) -> tuple[object, ...]:
        try:
            reply = self._connection.send_and_get_reply(message, timeout=self._left_s())
            return tuple(unwrap_msg(reply))
        except DBusErrorResponse as exc:
            raise PortalError(exc.name) from exc
        except BROKEN as exc:
            raise PortalError("the session bus does not answer") from exc

    def _left_s(self) -> float:
        return max(0.0, self._until_s - time.monotonic())


def _keys(bound: Sequence[tuple[str, Mapping[str, tuple[str, object]]]]) -> dict[str, str]:
    return {str(name): str(facts.get("trigger_description", ("s", ""))[1]) for name, facts in bound}


def _facts(shortcut: Shortcut) -> dict[str, tuple[str, str]]:
    facts = {"description": ("s", shortcut.description)}
    if shortcut.trigger:
        facts["preferred_trigger"] = ("s", shortcut.trigger)
    return facts


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
        self._thread: WatchedThread | None = None
        self._is_escape_watched = False
        # Owned by the thread:
        self._portal: Portal | None = None
        self._shortcuts: tuple[Shortcut, ...] = ()
        self._down: list[int] = []
        self._is_told = False  # that a key is missing

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """Ask for ``hotkeys`` instead of those asked for until now. Waits for the portal, not for the user.

        If the user refuses in the desktop's dialog, or there is no key for them, HotkeysFailed follows.

        Raises:
            HotkeyError: INVALID, or UNSUPPORTED_DESKTOP: this desktop has no portal for shortcuts.
        """
        shortcuts = shortcuts_for(hotkeys)
        answer = self._running().put(lambda: self._use(shortcuts))
        try:
            answer.result(_ANSWER_S)
        except (CancelledError, TimeoutError) as exc:
            answer.cancel()  # or else it may be done after it was said that it cannot be
            raise _unsupported() from exc

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``. Only the desktop knows what it will bind, and it may ask the user."""
        shortcuts_for(hotkeys)

    def watch_escape(self, is_wanted: bool) -> None:
        """Report the shortcut "Cancel" only while a take runs. Any thread."""
        self._is_escape_watched = is_wanted

    def stop(self) -> None:
        """Give the shortcuts back. Safe to call twice."""
        thread, self._thread = self._thread, None
        inbox, self._inbox = self._inbox, None
        if thread is not None and inbox is not None:
            thread.may_end()
            inbox.put(lambda: None)  # wakes the thread
            thread.join(5.0)
            inbox.close()

    def has_died(self) -> bool:
        """Whether the thread ended without being told to. Any thread."""
        thread = self._thread
        return thread is not None and thread.has_died()

    def piece(self) -> int | None:
        """The number of the exchange with the portal that is under way; None between them. Any thread."""
        thread = self._thread
        return thread.piece() if thread is not None else None

    def own_pieces(self) -> int:
        """How many it has begun of its own accord, in all. Any thread."""
        thread = self._thread
        return thread.own_pieces() if thread is not None else 0

    def revive(self) -> None:
        """See ``HotkeyListener``."""
        self._post(HotkeysDied())

    # --- the thread --------------------------------------------------------------------------------

    def _running(self) -> Inbox:
        """The inbox of the thread, which is started if it is not running."""
        inbox = self._inbox
        if inbox is not None and not inbox.is_over and self._thread is not None and self._thread.is_alive():
            return inbox
        self.stop()
        inbox = self._inbox = Inbox()
        thread = self._thread = WatchedThread("hotkeys", lambda: self._run(thread, inbox))
        thread.start()
        return inbox

    def _run(self, thread: WatchedThread, inbox: Inbox) -> None:
        failure: HandyError | None = None
        try:
            self._serve(thread, inbox)
        except HandyError as exc:
            failure = exc
        except Exception:
            logger.exception("the thread of the hotkeys failed")
            failure = HandyError("The hotkeys stopped working.", "Start the program again.")
        finally:
            self._disconnect()
            # First: whoever hears of the failure may start again at once, and must not get this inbox.
            inbox.reject(failure or _unsupported())
        if failure is not None:
            self._post(HotkeysFailed(failure))

    def _serve(self, thread: WatchedThread, inbox: Inbox) -> None:
        delays = iter(self._retry_s)
        while not thread.is_ending():
            portal = self._portal
            sources = [inbox.fileno()] if portal is None else [inbox.fileno(), portal.fileno()]
            is_lost = portal is None and bool(self._shortcuts)
            timeout_s = next(delays, None) if is_lost else None
            if is_lost and timeout_s is None:
                raise _lost()
            select.select(sources, [], [], timeout_s)
            thread.begin()
            inbox.run()
            if self._portal is None and self._shortcuts and not thread.is_ending():
                self._come_back()
            if self._hear():  # in any case: signals may have come along with an answer
                delays = iter(self._retry_s)
            thread.end()

    def _use(self, shortcuts: tuple[Shortcut, ...]) -> None:
        """A session takes its shortcuts once, so a new one is made.

        The old one is closed first: KDE takes the keys of all sessions of a program away with one of them.
        """
        before, self._shortcuts = self._shortcuts, ()
        self._disconnect()
        try:
            self._portal = self._open(shortcuts)
        except NoPortalError as exc:
            self._shortcuts = before  # tried again by the loop
            raise _unsupported() from exc
        except PortalError as exc:  # the desktop may be busy with its own start: tried again by the loop
            self._shortcuts, self._is_told = shortcuts, True
            raise _unanswered() from exc
        self._shortcuts = shortcuts

    def _open(self, shortcuts: tuple[Shortcut, ...]) -> Portal:
        try:
            portal = Portal(self._bus)
            try:
                portal.bind(shortcuts)
            except BaseException:
                portal.close()
                raise
        except PortalError as exc:
            logger.info("no global shortcuts: %s", exc)
            raise
        return portal

    def _come_back(self) -> None:
        try:
            self._portal = self._open(self._shortcuts)
        except PortalError:
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
        except PortalError as exc:
            logger.info("the session of shortcuts was lost: %s", exc)
            self._disconnect()
            return False
        return True

    def _obey(self, signal: Signal) -> None:
        now_s = time.monotonic()
        names = [shortcut.name for shortcut in self._shortcuts]
        if signal.kind == "Refused":
            self._tell(_refused())
        elif signal.kind in ("Bound", "Changed"):
            self._let_go()  # the key that comes up may not be one of them any more
            self._judge(signal.keys)
        elif signal.name == _CANCEL:
            if signal.kind == "Activated" and self._is_escape_watched:
                self._post(EscapePressed(now_s))
        elif signal.name in names:  # KDE also tells of shortcuts from before
            if self._is_told and signal.kind == "Activated":
                self._tell(None)  # it has a key, whatever the desktop said
            self._turn(names.index(signal.name), signal.kind == "Activated", now_s)

    def _judge(self, keys: Mapping[str, str]) -> None:
        """Say what is missing, or that nothing is any more."""
        wanted = [shortcut for shortcut in self._shortcuts if shortcut.name != _CANCEL]
        if wanted and not any(shortcut.name in keys for shortcut in wanted):
            self._tell(_not_bound())
        elif missing := [shortcut for shortcut in wanted if not keys.get(shortcut.name)]:
            self._tell(_without_key(missing[0]))
        elif self._is_told:
            self._tell(None)

    def _tell(self, error: HotkeyError | None) -> None:
        self._is_told = error is not None
        self._post(HotkeysFailed(error) if error is not None else Trouble(HOTKEYS, None))

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
        self._let_go()

    def _let_go(self) -> None:
        for hotkey in list(self._down):
            self._turn(hotkey, False, time.monotonic())


def shortcuts_for(hotkeys: Sequence[Hotkey]) -> tuple[Shortcut, ...]:
    """What to ask the portal for. The names stay the same, so that the user's own choice of keys is kept.

    Raises:
        HotkeyError: INVALID.
    """
    chords = chords_of(hotkeys, knows_own_keys=False)
    shortcuts = []
    for place, (hotkey, chord) in enumerate(zip(hotkeys, chords, strict=True)):
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


def _unanswered() -> HotkeyError:
    return HotkeyError(
        "Your desktop does not answer when asked for the hotkeys.",
        HotkeyReason.UNSUPPORTED_DESKTOP,
        "They work as soon as it does. If they do not, start the program again.",
    )


def _lost() -> HotkeyError:
    return HotkeyError(
        "Hotkeys stopped working: the desktop ended its session of global shortcuts.",
        HotkeyReason.UNSUPPORTED_DESKTOP,
        "Start the program again.",
    )


def _not_bound() -> HotkeyError:
    return HotkeyError(
        "Your desktop did not accept the hotkeys.",
        HotkeyReason.UNSUPPORTED_DESKTOP,
        'Let it run "handy-qwen start" when a key of your choice goes down and "handy-qwen stop" when it '
        'comes up, or "handy-qwen toggle" on a key.',
    )


def _without_key(shortcut: Shortcut) -> HotkeyError:
    """The desktop knows the shortcut, but no key leads to it."""
    return HotkeyError(
        f"Your desktop has no key for “{shortcut.description}” yet.",
        HotkeyReason.UNSUPPORTED_DESKTOP,
        "Set one in its keyboard settings, under Handy Qwen.",
    )


def _refused() -> HotkeyError:
    return HotkeyError(
        "The hotkeys were not allowed.",
        HotkeyReason.DENIED_BY_USER,
        "Allow them in the keyboard settings of your desktop, then start the program again.",
    )
