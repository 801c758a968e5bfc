"""Global hotkeys on Wayland, through the desktop's portal for global shortcuts.

    CreateSession -> Response(session)    BindShortcuts -> Response(shortcuts), perhaps after a dialog
    then signals:  Activated(session, id, ...)   Deactivated(session, id, ...)   Session.Closed
                   ShortcutsChanged(session, shortcuts), when the user chose other keys

Programs see the keyboard there only while they have the focus; the desktop has to report hotkeys.
Consequently:

* The chord in the settings is a request. The desktop may ask the user, and let them choose another. What was
  bound is in the list of its answer: GNOME 48 answers 2 ("other") even when all went well. A shortcut without
  a key is reported to the user, until it is pressed for the first time.
* Desktops remember the outcome for a name and ignore other requests for it (GNOME 48, KDE 6.3), so the
  request is part of the name: another hotkey is another shortcut.
* A modifier alone cannot be requested: GNOME disables it, KDE binds it without a key. So the first hotkey is
  replaced by ``STAND_IN``; others are requested without a key, which the user sets in the desktop's settings.
* Escape cannot be watched only while a take runs. "Cancel" is offered as a shortcut without a key. On KDE it
  can have Escape for that time (kde.py).
* The real state of a key cannot be queried, and GNOME loses releases: when the overview is opened, or Shift
  is pressed before the key comes up. But it repeats Activated while the key is held (30 ms apart, the first
  after half a second): when the repeats stop although the desktop responds, the key is up.

Reading /dev/input is no alternative: it needs privileges that let any program read every password. Sway has a
separate implementation (sway.py); other desktops without the portal can bind one of their keys to our
commands (own_keys.py).

Source: https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.GlobalShortcuts.html,
version 2; triggers as in https://specifications.freedesktop.org/shortcuts/latest.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jeepney import Message as BusMessage
from jeepney.low_level import HeaderFields

from handy_qwen import paths
from handy_qwen.core.events import EscapePressed, HotkeysAssigned, HotkeysFailed, KeyDown, KeyUp, Trouble
from handy_qwen.core.ports import Post
from handy_qwen.core.types import Hotkey, OnCaptured
from handy_qwen.core.view import ESCAPE, HOTKEYS
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.files import replace_file
from handy_qwen.message import Message
from handy_qwen.paths import APP_ID
from handy_qwen.system.hotkeys.chord import chords_of, labels, trigger
from handy_qwen.system.hotkeys.kde import KdeCancelKey, is_kde
from handy_qwen.system.hotkeys.listener import ConnectedListener
from handy_qwen.system.hotkeys.own_keys import OwnKey, own_key, own_keys
from handy_qwen.system.opening import run
from handy_qwen.system.portal import (
    ANSWER_S,
    DENIED,
    GLOBAL_SHORTCUTS,
    NoPortalError,
    PortalError,
    PortalSession,
    RefusedError,
)

logger = logging.getLogger(__name__)

STAND_IN = "F9"  # for a hotkey that no desktop accepts: types nothing, and few programs use it
REPEATS_GONE_S = 0.25  # since the last repeat, before checking whether the desktop is just busy
AWAKE_S = 0.15  # since the desktop has answered
FIRST_REPEAT_S = 2.1  # the longest delay in GNOME's settings, and a bit

_BY_HAND = Message("Change them in your desktop's keyboard settings, under Handy Qwen.")
_CANCEL = "cancel"
_HAD_ESCAPE = "had-escape"  # among the names of bound shortcuts: Escape has been KDE's key for "Cancel"
_SENSELESS = (LookupError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut to request. An empty ``trigger`` leaves the key to the user."""

    name: str
    description: str
    trigger: str


@dataclass(frozen=True, slots=True)
class Signal:
    """A report of the portal."""

    # "Activated" or "Deactivated", a shortcut; "Bound", as requested, or "Changed", by the user;
    # "Refused", by the user; "Closed", the session
    kind: str
    name: str = ""  # the shortcut
    # The bound shortcuts, with their keys in the desktop's words; "" for none
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Press:
    seen_s: float  # time of the last Activated
    has_repeats: bool = False
    awake_s: float | None = None  # when the desktop was found to respond; None: not asked since


class ShortcutsSession(PortalSession):
    """A session of shortcuts, requested at once; the user may answer later (Bound, Refused). For one thread.

    ``had_escape``: see ``KdeCancelKey``. Raises NoPortalError: no bus, no portal, or none with global
    shortcuts; PortalError: no answer, or refused.
    """

    def __init__(self, bus: str, shortcuts: Sequence[Shortcut], *, had_escape: bool = False) -> None:
        self._cancel_key: KdeCancelKey | None = None
        self._is_cancel_wanted = False
        self.look_again_s: float | None = None
        super().__init__(GLOBAL_SHORTCUTS, bus)
        if is_kde():
            triggers = [shortcut.trigger for shortcut in shortcuts]
            self._cancel_key = KdeCancelKey(self, _CANCEL, triggers, had_escape=had_escape)
            self.watch_cancel(False)  # a newer portal has already bound what it knew from before
        wanted = [(shortcut.name, _facts(shortcut)) for shortcut in shortcuts]
        try:
            self._binding = self.request("BindShortcuts", "oa(sa{sv})sa{sv}", (self.handle, wanted, ""))
        except BaseException:
            self.close()
            raise

    def filenos(self) -> list[int]:
        """See ``Selectable``."""
        return [self.fileno()]

    def timeout_s(self) -> float | None:
        """See ``Selectable``."""
        return self.look_again_s

    def watch_cancel(self, is_wanted: bool) -> None:
        """Take the key of "Cancel" from windows only while it is wanted, where the desktop can do that."""
        self._is_cancel_wanted = is_wanted
        if self._cancel_key is not None:
            self._cancel_key.take() if is_wanted else self._cancel_key.give_back()

    def close(self) -> None:
        """See ``PortalSession``."""
        self.watch_cancel(False)  # a portal that crashed does not do it
        super().close()

    def configure(self) -> None:
        """Open the desktop's hotkey settings. Raises PortalError; RefusedError: a portal of version 1."""
        self.call("ConfigureShortcuts", "osa{sv}", (self.handle, "", {}), wait_s=ANSWER_S)

    def signals(self) -> Iterator[Signal]:
        """New signals. Raises PortalError: bus or portal is gone, or sent something invalid."""
        for message in self.receive():
            try:
                signal = self._read(message)
            except _SENSELESS as exc:
                raise PortalError("the portal sends what it should not") from exc
            if signal is not None:
                yield signal

    def _read(self, message: BusMessage) -> Signal | None:
        fields, session = message.header.fields, self.handle
        path, member = fields.get(HeaderFields.path), fields.get(HeaderFields.member)
        if member == "Response" and path == self._binding:
            code, results = message.body
            _, bound = results.get("shortcuts", ("", []))
            if code == DENIED:
                return Signal("Refused")
            return Signal("Bound", keys=self._with_cancel(_keys(bound), is_new=True))
        if member == "Closed" and path == session:
            return Signal("Closed")
        if member in ("Activated", "Deactivated", "ShortcutsChanged") and message.body[0] == session:
            if member == "ShortcutsChanged":
                return Signal("Changed", keys=self._with_cancel(_keys(message.body[1]), is_new=False))
            return Signal(str(member), str(message.body[1]))
        return None

    def _with_cancel(self, keys: dict[str, str], *, is_new: bool) -> dict[str, str]:
        """``keys`` with that of "Cancel", worded for people."""
        cancel = self._cancel_key
        if cancel is None or _CANCEL not in keys:
            return keys
        if is_new:
            cancel.bind()
            self.watch_cancel(self._is_cancel_wanted)
        else:
            cancel.look()
        return {**keys, _CANCEL: ESCAPE} if cancel.is_escape else keys


class PortalHotkeys(ConnectedListener[ShortcutsSession]):
    """Listens for hotkeys through the portal.

    Args:
        post: Takes the events, on the thread ``hotkeys``.
        bus: Address of the session bus; "SESSION": that of the environment.
        may_ask: Whether the user is there to answer a question. If not, only shortcuts that the desktop has
            bound before are requested.
        known: The file with the names of the shortcuts requested when the desktop last bound any.
    """

    NAME = "portal"
    LOST = (PortalError,)
    ANSWER_S = 15.0

    def __init__(
        self, post: Post, *, bus: str = "SESSION", may_ask: bool = True, known: Path | None = None
    ) -> None:
        super().__init__(post)
        self._bus = bus
        self._may_ask, self._is_waiting = may_ask, False
        self._known = known or paths.data_dir() / "known-hotkeys"
        self._is_escape_watched = False
        # Owned by the thread:
        self._shortcuts: tuple[Shortcut, ...] = ()
        self._down: dict[int, _Press] = {}
        self._is_reported = False  # that a key is missing
        self._own: OwnKey | None = None

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``. Waits for the portal, not for the user, whose no is a later HotkeysFailed.

        Raises HotkeyError: INVALID, or UNSUPPORTED_DESKTOP: this desktop has no portal for shortcuts.
        """
        shortcuts = shortcuts_for(hotkeys)
        self._call(lambda: self._use(shortcuts), is_start=True)

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``. Only the desktop knows what it will bind, and it may ask the user."""
        shortcuts_for(hotkeys)

    def try_out(self, hotkeys: Sequence[Hotkey]) -> Message:
        """See ``Listener``. Opens and closes a session: nothing is bound, so the user is not asked."""
        *shortcuts, _cancel = shortcuts_for(hotkeys)
        try:
            PortalSession(GLOBAL_SHORTCUTS).close()
        except PortalError as exc:
            title = Message("This desktop doesn't offer global shortcuts to apps ({reason}).", reason=exc)
            raise _error(title, own_keys()) from exc
        names = labels(hotkeys)
        if unsaid := [one.description for one in shortcuts if not one.trigger]:
            raise _error(
                Message(
                    "On Wayland a program cannot ask for {keys}: a modifier needs another key with it.",
                    keys=names,
                ),
                Message(
                    "Set another hotkey, such as F9, or a key for {shortcuts} in your desktop's keyboard "
                    "settings.",
                    shortcuts=", ".join(f"“{one}”" for one in unsaid),
                ),
            )
        if shortcuts and not trigger(chords_of(hotkeys, knows_own_keys=False)[0]):
            names = Message("{stand_in} (no program gets {keys} on Wayland)", stand_in=STAND_IN, keys=names)
        return Message(
            "The desktop's portal takes shortcuts. It asks you to allow {keys} when the app first starts; "
            "the key can be changed in the desktop's keyboard settings.",
            keys=names,
        )

    def watch_escape(self, is_wanted: bool, lock_key: str = "") -> None:  # noqa: ARG002  no key is seen here
        """Report the shortcut "Cancel" only while a take runs. Any thread; returns at once."""
        self._is_escape_watched = is_wanted
        if self._inbox is not None:
            self._inbox.put(self._watch_cancel)

    def bind_own_key(self, is_wanted: bool) -> None:
        """See ``HotkeyListener``."""
        if self._own is not None:
            self._own.bind() if is_wanted else self._own.unbind()
            self.revive()  # it restarts, and finds it

    def allow_questions(self) -> None:
        """See ``HotkeyListener``."""
        self._may_ask = True
        if self._is_waiting:
            self.revive()  # it restarts

    def capture(self, on_captured: OnCaptured) -> None:  # noqa: ARG002  the Protocol says what is passed
        """See ``HotkeyListener``. The desktop assigns the keys."""
        raise _error(Message("Your desktop decides which keys a program gets."), _BY_HAND)

    def configure(self) -> None:
        """See ``HotkeyListener``. Desktops whose portal cannot do it have a program for that."""
        is_shown = threading.Event()
        self._call(lambda: self._configure(is_shown))
        if not is_shown.is_set() and not _open_settings():
            hint = own_keys() if self._connection is None else _BY_HAND
            raise _error(Message("Your desktop's settings could not be opened."), hint)

    # --- the thread ----------------------------------------------------------------------------------

    def _watch_cancel(self) -> None:
        if self._connection is not None:
            self._connection.watch_cancel(self._is_escape_watched)

    def _configure(self, is_shown: threading.Event) -> None:
        if self._connection is None:
            return
        try:
            self._connection.configure()
            is_shown.set()
        except RefusedError as exc:
            logger.info("the portal shows no settings: %s", exc)

    def _use(self, shortcuts: tuple[Shortcut, ...]) -> None:
        """Create a new session, since a session accepts shortcuts only once.

        The old one is closed first: on KDE, closing one session releases the keys of all of a program's.
        """
        self._is_waiting = True  # first: ``allow_questions`` may be called meanwhile
        self._is_waiting = not (self._may_ask or {one.name for one in shortcuts} <= self._bound_before())
        before, self._shortcuts = self._shortcuts, () if self._is_waiting else shortcuts
        self._disconnect()
        if self._is_waiting:
            self._is_reported = True
            self._post(HotkeysAssigned(("",) * (len(shortcuts) - 1)))
            hint = Message("Open Handy Qwen: your desktop may then ask you about it.")
            raise HotkeyError(Message("Your new hotkey isn't set yet."), HotkeyReason.DENIED_BY_USER, hint)
        try:
            self._connection = self._connect()
        except NoPortalError as exc:
            self._shortcuts = before  # the loop retries
            if self._offer_own_key(len(shortcuts) - 1, shortcuts[0].trigger or STAND_IN):
                return
            raise _unsupported() from exc
        except PortalError as exc:  # the desktop may still be starting: the loop retries
            self._is_reported = True
            title = Message("Your desktop isn't responding to the request for hotkeys.")
            hint = Message("They work as soon as it does. If they don't, restart Handy Qwen.")
            raise _error(title, hint) from exc

    def _offer_own_key(self, count: int, trigger: str) -> bool:
        """Report the key that the desktop itself can bind to our commands; return whether there is one."""
        self._own = own_key(trigger)
        try:
            offer = self._own.offer() if self._own is not None and count else None
        except HotkeyError:
            self._post(HotkeysAssigned(("",) * count))
            raise
        is_bound = offer is not None and offer.is_bound
        given = tuple(trigger if is_bound and place == 0 else "" for place in range(count))
        self._post(HotkeysAssigned(given, offer=offer))
        return is_bound

    def _is_wanted(self) -> bool:
        return bool(self._shortcuts)

    def _connect(self) -> ShortcutsSession:
        try:
            had_escape = _HAD_ESCAPE in self._bound_before()
            session = ShortcutsSession(self._bus, self._shortcuts, had_escape=had_escape)
        except PortalError as exc:
            logger.info("no global shortcuts: %s", exc)
            raise
        session.watch_cancel(self._is_escape_watched)
        return session

    def _hear(self, connection: ShortcutsSession) -> None:
        names = [shortcut.name for shortcut in self._shortcuts]
        for signal in connection.signals():
            if signal.kind == "Closed":
                raise PortalError("the desktop has closed it")
            if signal.kind == "Refused":
                hint = Message(
                    "Allow them in the keyboard settings of your desktop, then restart Handy Qwen."
                )
                self._report(
                    HotkeyError(Message("The hotkeys were not allowed."), HotkeyReason.DENIED_BY_USER, hint)
                )
            elif signal.kind in ("Bound", "Changed"):
                if signal.kind == "Bound" and signal.keys:
                    # All names: GNOME lists none without a key, yet does not ask again.
                    self._remember(names, has_escape=signal.keys.get(_CANCEL) == ESCAPE)
                self._release_keys(connection)  # the key that comes up may no longer be one of them
                self._judge(signal.keys)
            elif signal.name == _CANCEL:
                if signal.kind == "Activated" and self._is_escape_watched:
                    self._post(EscapePressed(time.monotonic()))
            elif signal.name in names:  # KDE also reports earlier shortcuts
                if self._is_reported and signal.kind == "Activated":
                    self._report(None)  # it has a key, whatever the desktop says
                hotkey = names.index(signal.name)
                self._press(hotkey) if signal.kind == "Activated" else self._release(hotkey)
        connection.look_again_s = self._release_lost(connection)

    def _bound_before(self) -> set[str]:
        try:
            return set(self._known.read_text("utf-8").split())
        except (OSError, ValueError):  # nothing was bound, or it is not text
            return set()

    def _remember(self, names: Iterable[str], *, has_escape: bool) -> None:
        """Store only these: GNOME forgets what a program requested before and would ask the user again."""
        had_escape = has_escape or _HAD_ESCAPE in self._bound_before()
        kept = [*names, _HAD_ESCAPE] if had_escape else names
        try:
            replace_file(self._known, "\n".join(kept).encode())
        except OSError as exc:  # at login, asking waits until a window is opened
            logger.warning("the names of the hotkeys were not kept: %s", exc.strerror)

    def _judge(self, keys: Mapping[str, str]) -> None:
        wanted = [shortcut for shortcut in self._shortcuts if shortcut.name != _CANCEL]
        given = tuple(_key_in(keys.get(one.name, ""), one.trigger) for one in wanted)
        self._post(HotkeysAssigned(given, _key_in(keys.get(_CANCEL, ""), "")))
        if wanted and not any(shortcut.name in keys for shortcut in wanted):
            self._report(_error(Message("Your desktop did not accept the hotkeys."), own_keys()))
        elif missing := [shortcut for shortcut in wanted if not keys.get(shortcut.name)]:
            title = Message("Your desktop has no key for “{shortcut}” yet.", shortcut=missing[0].description)
            self._report(_error(title, Message("Set one in its keyboard settings, under Handy Qwen.")))
        elif self._is_reported:
            self._report(None)

    def _report(self, error: HotkeyError | None) -> None:
        self._is_reported = error is not None
        self._post(HotkeysFailed(error) if error is not None else Trouble(HOTKEYS, None))

    def _press(self, hotkey: int) -> None:
        """Activated: a press, or GNOME's repetition of one."""
        now_s = time.monotonic()
        press = self._down.get(hotkey)
        if press is not None and not press.has_repeats and now_s - press.seen_s > FIRST_REPEAT_S:
            self._release(hotkey)  # the release was not reported
            press = None
        if press is None:
            self._down[hotkey] = _Press(now_s)
            self._post(KeyDown(hotkey, now_s))
        else:
            press.has_repeats, press.seen_s, press.awake_s = True, now_s, None

    def _release(self, hotkey: int, at_s: float | None = None) -> None:
        if self._down.pop(hotkey, None) is not None:
            self._post(KeyUp(hotkey, time.monotonic() if at_s is None else at_s))

    def _release_lost(self, connection: ShortcutsSession) -> float | None:
        """Release what is no longer repeated. Returns in how many seconds to check again."""
        left_s = []
        for hotkey, press in list(self._down.items()):
            if not press.has_repeats:
                continue
            if press.awake_s is None:
                left_s.append(press.seen_s + REPEATS_GONE_S - time.monotonic())
                if left_s[-1] <= 0:
                    connection.await_desktop()
                    press.awake_s = time.monotonic()
                    left_s[-1] = 0.0  # process what it has sent meanwhile first
            elif (left := press.awake_s + AWAKE_S - time.monotonic()) > 0:
                left_s.append(left)
            else:
                logger.info("the desktop told of no release")
                self._release(hotkey, press.seen_s)
        return min(left_s, default=None)

    def _release_keys(self, _connection: ShortcutsSession) -> None:
        for hotkey in list(self._down):
            self._release(hotkey)

    def _lost(self) -> HotkeyError:
        title = Message("Hotkeys stopped working: the desktop ended the global shortcuts session.")
        return _error(title, Message("Restart Handy Qwen."))

    def _unresponsive(self) -> HotkeyError:
        return _unsupported()


def shortcuts_for(hotkeys: Sequence[Hotkey]) -> tuple[Shortcut, ...]:
    """The shortcuts to request: the same request has the same name, so that the user's keys are kept."""
    triggers = [trigger(chord) for chord in chords_of(hotkeys, knows_own_keys=False)]
    if triggers and not triggers[0] and STAND_IN not in triggers:
        triggers[0] = STAND_IN
    shortcuts = []
    for place, (hotkey, wish) in enumerate(zip(hotkeys, triggers, strict=True), start=1):
        number = "" if place == 1 else f"-{place}"
        name = f"dictate-{wish.lower().replace('+', '-')}" if wish else f"dictate{number}"
        description = f"Dictate ({hotkey.language})" if hotkey.language else "Dictate"
        shortcuts.append(Shortcut(name, description, wish))
    return (*shortcuts, Shortcut(_CANCEL, "Cancel the dictation", ""))


def _key_in(description: str, wish: str) -> str:
    """The key in the desktop's description: "F9" in GNOME's "Press F9", in any language."""
    key = wish.rpartition("+")[2]
    if "+" not in wish and key in description.split():
        return key
    return description.removeprefix("Press ")


def _open_settings() -> bool:
    """Open the settings for bound shortcuts, on desktops with version 1 of the portal."""
    if is_kde():
        return run("systemsettings", "kcm_keys")
    desktops = os.environ.get("XDG_CURRENT_DESKTOP", "").split(":")
    return "GNOME" in desktops and run("gnome-control-center", "applications", APP_ID)


def _keys(bound: Sequence[tuple[str, Mapping[str, tuple[str, object]]]]) -> dict[str, str]:
    return {str(name): str(facts.get("trigger_description", ("s", ""))[1]) for name, facts in bound}


def _facts(shortcut: Shortcut) -> dict[str, tuple[str, str]]:
    facts = {"description": ("s", shortcut.description)}
    if shortcut.trigger:
        facts["preferred_trigger"] = ("s", shortcut.trigger)
    return facts


def _error(title: Message, hint: Message) -> HotkeyError:
    return HotkeyError(title, HotkeyReason.UNSUPPORTED_DESKTOP, hint)


def _unsupported() -> HotkeyError:
    return _error(Message("This desktop doesn't offer global shortcuts to apps."), own_keys())
