"""The Wayland back end: a clipboard and a keyboard, each by the best way available.

| for | in this order |
|---|---|
| clipboard | see wayland_clipboard.py |
| chords | our own virtual keyboard (wlroots, Hyprland, niri, COSMIC); the portal (GNOME, KDE), which asks |
|        | the user once; ydotool, which needs its daemon |
| typing | wtype (where our own keyboard works as well) |

A Wayland client cannot see which window has the focus; so the target is unknown, and only a fetch of the text
after the chord shows that it arrived. Shift+Insert takes CLIPBOARD or PRIMARY, depending on the program.

If a way may have worked, no other is tried.

The portal's keyboard (RemoteDesktop) presses keys once the user has allowed it:

    CreateSession -> SelectDevices(keyboard, for ever, token) -> Start, with a dialog unless the token is good
    -> NotifyKeyboardKeysym ...

The token avoids the question at the next session; each Start returns a new one. GNOME shows in its panel that
the screen is shared as long as a session lasts, so one is opened for a text and closed soon after: with a
token that takes 30 ms.

Threads: see ``Backend``; ``Permission`` is for any. Run on GNOME 48, Plasma 6.3 and sway 1.10
(tests/wayland); ydotool was not.

Source: https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.RemoteDesktop.html.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import ClassVar, Protocol

from handy_qwen import paths
from handy_qwen.core.types import KeyPermission, Method, Submit
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.files import replace_file
from handy_qwen.message import Message, verbatim
from handy_qwen.system.insert.backend import (
    UNKNOWN,
    Inserted,
    MayRelease,
    Pause,
    Unsure,
    Way,
    always,
    has_tool,
    unsupported,
)
from handy_qwen.system.insert.pasting import Chord, PastingBackend
from handy_qwen.system.insert.wayland_clipboard import TOOL_S, clipboards_for, clipboards_there, run_tool
from handy_qwen.system.portal import (
    REMOTE_DESKTOP,
    DeniedError,
    PortalError,
    PortalSession,
    RefusedError,
    value_in,
    version_of,
)
from handy_qwen.system.session import Session
from handy_qwen.system.wayland import keyboard
from handy_qwen.system.wayland.keyboard import VirtualKeyboard
from handy_qwen.system.wayland.wire import WaylandError, offers, socket_path

logger = logging.getLogger(__name__)

SHIFT_L, CONTROL_L, SUPER_L, INSERT, RETURN = 0xFFE1, 0xFFE3, 0xFFEB, 0xFF63, 0xFF0D
EVDEV = {
    SHIFT_L: keyboard.SHIFT,
    CONTROL_L: keyboard.CONTROL,
    SUPER_L: keyboard.SUPER,
    INSERT: 110,
    RETURN: 28,
}
TYPE_S = 0.03  # per character at most: wtype needs 5 ms
PORTAL_REST_S = 3.0  # a key after the text, or another text, may follow
DIALOG_GONE_S = 0.5  # until the focus is back after the desktop's question
KEYBOARD = 1  # a type of device, to the portal
UNTIL_REVOKED = 2
PRESSED, RELEASED = 1, 0
PORTAL_S = 5.0
CONSENT_S = 40.0  # to read and answer a question; with the rest less than INSERTING_S
CHORD_S, LEAST_S = 2.0, 0.1  # for all keys of a chord, and for each if the portal hangs
_NO = "no\n"


class Keyboard(Protocol):
    """Presses keys. For one thread."""

    may_stay: bool
    """Whether it may be kept between texts; a session of the portal is visible to the user."""

    def press(self, chord: Chord) -> None:
        """Press keys, given as keysyms, one after the other, and release them in reverse order.

        Raises:
            InsertError: The last key was not pressed. The keyboard can no longer be used.
            Unsure: It may have been pressed. The same applies.
        """

    def answers(self) -> bool:
        """Whether it still works, as far as known without pressing a key."""

    def close(self) -> None:
        """Give it back."""


class OwnKeyboard:
    """Our own virtual keyboard in the compositor.

    Raises:
        InsertError: The compositor offers none.
    """

    may_stay = True

    def __init__(self, path: str) -> None:
        try:
            self._keyboard = VirtualKeyboard(path)
        except WaylandError as problem:
            raise unsupported(Message("A virtual keyboard")) from problem

    def press(self, chord: Chord) -> None:
        """See ``Keyboard``."""
        try:
            self._keyboard.press([EVDEV[key] for key in chord])
        except WaylandError as problem:
            raise Unsure from problem

    def answers(self) -> bool:
        """See ``Keyboard``."""
        return self._keyboard.answers()

    def close(self) -> None:
        """See ``Keyboard``."""
        self._keyboard.close()


class Permission:
    """The user's answer to the desktop's question, in a file of the data folder.

    Attributes:
        path: Contains the token to restore the permission with, or that it was refused.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.data_dir() / "keyboard-permission"

    def token(self) -> str:
        """The token that avoids the question; "" if there is none, so that the user is asked."""
        content = self._content()
        return "" if content == _NO else content.strip()

    def is_refused(self) -> bool:
        """Whether the user has said no."""
        return self._content() == _NO

    def keep(self, token: str) -> None:
        """The user said yes; ``token`` can be used once. Some desktops give none: they ask each time."""
        self._write(token)

    def refuse(self) -> None:
        """The user said no: do not ask again unless they want to."""
        self._write(_NO)

    def forget(self) -> None:
        """Ask at the next opportunity."""
        self._write("")

    def _content(self) -> str:
        try:
            return self.path.read_text("utf-8")
        except (OSError, ValueError):  # never asked, or not text
            return ""

    def _write(self, content: str) -> None:
        try:
            replace_file(self.path, content.encode())
        except OSError as problem:  # the user is asked again at the next start
            logger.warning("the permission to press keys was not kept: %s", problem.strerror)


class PortalKeyboard:
    """The keyboard of the desktop portal, for one thread.

    Keys are sent as keysyms, which the compositor maps to keys of the current layout. Compositors drop those
    that the layout lacks; so it is good for chords, not for text.

    Raises:
        InsertError: There is no portal with keyboards, or the user says or said no (DENIED_BY_USER).
    """

    may_stay = False  # the desktop shows the user that the session lasts

    def __init__(self, permission: Permission) -> None:
        if permission.is_refused():
            raise _denied()
        try:
            self._session = PortalSession(REMOTE_DESKTOP)
        except PortalError as problem:
            raise unsupported(Message("The desktop portal")) from problem
        try:
            self._open(permission)
        except PortalError as problem:
            self.close()
            if isinstance(problem, DeniedError):
                permission.refuse()
                raise _denied() from problem
            raise unsupported(Message("An answering desktop portal")) from problem

    def press(self, chord: Chord) -> None:
        """Press keys, given as keysyms, one after the other, and release them in reverse order.

        Raises:
            InsertError: The portal has withdrawn the keyboard: the last key was not pressed.
            Unsure: It may have been.
        """
        pressed, until_s = 0, time.monotonic() + CHORD_S
        try:
            for keysym in chord:
                self._key(keysym, PRESSED, until_s)
                pressed += 1
            self._release(chord, until_s)
        except PortalError as problem:
            try:
                self._release(chord, time.monotonic() + CHORD_S)
            except PortalError as again:
                logger.info("keys may be down in the desktop portal: %s", again)
            if pressed == len(chord) or (pressed == len(chord) - 1 and not isinstance(problem, RefusedError)):
                raise Unsure from problem
            raise unsupported(Message("Pressing keys through the desktop portal")) from problem

    def answers(self) -> bool:
        """True: one that is gone refuses the first key, and is opened again for the next text."""
        return True

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def _open(self, permission: Permission) -> None:
        handle, token = self._session.handle, permission.token()
        options: dict[str, tuple[str, object]] = {
            "types": ("u", KEYBOARD),
            "persist_mode": ("u", UNTIL_REVOKED),
        }
        if token:
            options["restore_token"] = ("s", token)
        self._session.ask("SelectDevices", "oa{sv}", (handle,), options, wait_s=PORTAL_S)
        granted = self._session.ask("Start", "osa{sv}", (handle, ""), {}, wait_s=CONSENT_S)
        devices = value_in(granted, "devices", 0)
        if not isinstance(devices, int) or not devices & KEYBOARD:
            raise DeniedError("no keyboard")
        permission.keep(str(value_in(granted, "restore_token", "")))

    def _release(self, chord: Chord, until_s: float) -> None:
        """Release all of them, even if one fails. Raises PortalError: one failed."""
        problem: PortalError | None = None
        for keysym in reversed(chord):
            try:
                self._key(keysym, RELEASED, until_s)
            except PortalError as exc:
                problem = exc
        if problem is not None:
            raise problem

    def _key(self, keysym: int, state: int, until_s: float) -> None:
        """The call is sent even without time left for its answer: a key must come up."""
        body: tuple[object, ...] = (self._session.handle, {}, keysym, state)
        left_s = max(LEAST_S, until_s - time.monotonic())
        self._session.call("NotifyKeyboardKeysym", "oa{sv}iu", body, wait_s=left_s)


class Ydotool:
    """The tool ydotool, which has a kernel keyboard through its daemon."""

    may_stay = True

    def press(self, chord: Chord) -> None:
        """See ``Keyboard``."""
        down = [f"{EVDEV[key]}:1" for key in chord]
        run_tool(("ydotool", "key", *down, *(f"{EVDEV[key]}:0" for key in reversed(chord))), b"", TOOL_S)

    def answers(self) -> bool:
        """See ``Keyboard``. Known only when it is used."""
        return True

    def close(self) -> None:
        """See ``Keyboard``. There is nothing to close."""


class Wayland(PastingBackend[None]):
    """The back end for Wayland."""

    NAME, PASTE_LABEL = "Wayland", "Shift+Insert"
    REMEDY = Message(
        "On GNOME and KDE install xdg-desktop-portal and the portal of your desktop, and allow Handy Qwen to "
        "press keys; elsewhere install wl-clipboard, and ydotool with its daemon."
    )
    PASTE = (SHIFT_L, INSERT)
    SUBMIT: ClassVar = {
        Submit.ENTER: (RETURN,),
        Submit.CTRL_ENTER: (CONTROL_L, RETURN),
        Submit.SUPER_ENTER: (SUPER_L, RETURN),
    }
    RELEASE_PAUSE_S = 0.15  # held keys are unknown: most hotkeys are released by then
    FETCH_WAIT_S = 2.0
    RESTORE_AFTER_S = 0.5
    BLIND_RESTORE_AFTER_S = 2.0  # where fetches are unknown
    SUBMIT_PAUSE_S = 0.0  # the pauses above are enough

    def __init__(self, session: Session, pause: Pause, may_release: MayRelease = always) -> None:
        """See ``Backend``."""
        super().__init__(session, pause, may_release)
        if not session.wayland:
            raise unsupported(Message("A Wayland display"))
        self._path = socket_path(session.wayland)
        self._clipboards = clipboards_for(session)
        if not self._clipboards.tells_fetches:
            self.RESTORE_AFTER_S = self.BLIND_RESTORE_AFTER_S
        self._permission = Permission()
        self._has_own_keyboard = _has_own_keyboard(session)
        self._keyboard: Keyboard | None = None
        self._pressed_at_s = 0.0

    @classmethod
    def ways(cls, session: Session) -> tuple[Way, ...]:
        """See ``Backend``. Looks for protocols and tools, and asks the portal."""
        copying, can_copy = clipboards_there(session)
        keys = {
            "a virtual keyboard": _has_own_keyboard(session),
            "the portal": version_of(REMOTE_DESKTOP) is not None,
            "ydotool": has_tool("ydotool"),
        }
        return (
            *(
                Way(Method.PASTE, f"paste ({copying}, keys by {name})", can_copy and has)
                for name, has in keys.items()
            ),
            Way(Method.TYPE, "typing (wtype)", has_tool("wtype")),
            Way(Method.COPY, f"clipboard ({copying})", can_copy),
        )

    @classmethod
    def permission_in(cls, session: Session) -> KeyPermission:
        """See ``Backend``."""
        return _known(Permission(), has_own_keyboard=_has_own_keyboard(session))

    def hasten(self) -> None:
        """See ``Backend``: open the keyboard while the text is being made."""
        if self._keyboard is None and (self._has_own_keyboard or self._permission.token()):
            self._await_focus()
            self._pressed_at_s = time.monotonic()  # do not close it right away

    def type_text(self, text: str) -> Inserted:
        """See ``Backend``."""
        self._pause(self.RELEASE_PAUSE_S)
        try:
            with self._injection.under_way():
                run_tool(("wtype", "-"), text.encode(), TOOL_S + TYPE_S * len(text))
        except Unsure:
            return UNKNOWN
        return Inserted(len(text))

    def key_permission(self) -> KeyPermission:
        """See ``Backend``."""
        return _known(self._permission, has_own_keyboard=self._has_own_keyboard)

    def ask_permission(self) -> None:
        """See ``Backend``: open the portal's keyboard, which asks unless it is allowed already."""
        if self._permission.is_refused():
            self._permission.forget()
        PortalKeyboard(self._permission).close()

    def rest(self, is_idle: bool) -> float | None:
        """See ``Backend``. Also ends the portal's session, which is visible to the user."""
        waits = [
            wait_s for wait_s in (super().rest(is_idle), self._rest_keyboard(is_idle)) if wait_s is not None
        ]
        return min(waits, default=None)

    def close(self) -> None:
        """See ``Backend``."""
        super().close()
        self._close_keyboard()
        self._clipboards.close()

    # --- keys --------------------------------------------------------------------------------------

    def _await_focus(self) -> None:
        """Open a keyboard before anything is on the clipboard: the desktop may ask the user for it.

        The focused window is unknown.
        """
        if self._keyboard is not None:
            if self._keyboard.answers():
                return
            self._close_keyboard()
        is_denied = False
        for open_keyboard in (self._open_own, self._open_portal, self._open_ydotool):
            try:
                self._keyboard = open_keyboard()
            except InsertError as problem:
                is_denied = is_denied or problem.reason is InsertReason.DENIED_BY_USER
                logger.info("%s fell through: %s", open_keyboard.__name__, problem.reason.name)
            else:
                return
        if is_denied:
            raise InsertError(
                Message("Your desktop doesn't let Handy Qwen press keys."),
                InsertReason.DENIED_BY_USER,
                Message("Allow it: tray → Help → Set up again…"),
            )
        raise InsertError(
            Message("No way to press keys on this desktop."),
            InsertReason.UNSUPPORTED_DESKTOP,
            Message("Install your desktop's portal, or ydotool with its daemon."),
        )

    def _open_own(self) -> Keyboard:
        return OwnKeyboard(self._path)

    def _open_portal(self) -> Keyboard:
        has_token = bool(self._permission.token())
        opened = PortalKeyboard(self._permission)  # asks the user the first time
        if not has_token:
            self._pause(DIALOG_GONE_S)
        return opened

    def _open_ydotool(self) -> Keyboard:
        if not has_tool("ydotool"):
            raise unsupported(verbatim("ydotool"))
        return Ydotool()

    def _press(self, chord: Chord, _focus: None) -> None:
        # Here, since clipboard tools may have taken the focus for a moment, and since a clipboard manager
        # that sees the text has fetched it by then.
        self._pause(self.RELEASE_PAUSE_S)
        self._clipboards.arm()
        if self._keyboard is None:
            raise unsupported(Message("A keyboard"))
        try:
            with self._injection.under_way():
                self._keyboard.press(chord)
        except (InsertError, Unsure):
            self._close_keyboard()
            raise
        self._pressed_at_s = time.monotonic()

    def _rest_keyboard(self, is_idle: bool) -> float | None:
        if self._keyboard is None or self._keyboard.may_stay:
            return None
        left_s = self._pressed_at_s + PORTAL_REST_S - time.monotonic()
        if left_s > 0 or not is_idle:
            return max(left_s, 0.1)
        self._close_keyboard()
        return None

    def _close_keyboard(self) -> None:
        keyboard, self._keyboard = self._keyboard, None
        if keyboard is not None:
            keyboard.close()


def _has_own_keyboard(session: Session) -> bool:
    return bool(session.wayland) and offers(socket_path(session.wayland), keyboard.MANAGER)


def _known(permission: Permission, *, has_own_keyboard: bool) -> KeyPermission:
    if has_own_keyboard:
        return KeyPermission.NOT_NEEDED
    if permission.is_refused():
        return KeyPermission.REFUSED
    return KeyPermission.GIVEN if permission.token() else KeyPermission.UNASKED


def _denied() -> InsertError:
    return InsertError(Message("Pressing keys was not allowed."), InsertReason.DENIED_BY_USER)
