"""The Wayland back end: other programs' tools, each tried where the one before is missing or refuses.

| for | in this order |
|---|---|
| clipboard | wl-copy, with the text marked as private |
| typing | wtype (wlroots, Hyprland, river) |
| chords | wtype; the portal's RemoteDesktop (GNOME, KDE; asks the user once); ydotool (needs its daemon) |

A Wayland client may neither see which window has the focus nor press keys by itself; so the target is
unknown, and nobody can tell who fetched. wl-copy serves CLIPBOARD and PRIMARY with the text, Shift+Insert
takes one or the other, and the previous content comes back after a while, each in its richest format: wl-copy
offers only one. If wl-paste cannot read it, the clipboard is left alone.

A tool that was killed, or did not end in time, may have done its work: keys are not sent again then.

Threads: see ``Backend``. Run on sway 1.7 (wtype 0.4, wl-clipboard 2.1; Qt 6
and foot as targets); the portal and ydotool were not.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from handy_qwen.core.types import Method, Submit
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import (
    KEEP_BYTES,
    UNKNOWN,
    Deadline,
    Inserted,
    MayRelease,
    Pause,
    Unsure,
    Way,
    always,
    clipboard_in_use,
    has_tool,
    unsupported,
)
from handy_qwen.system.insert.pasting import Chord, PastingBackend
from handy_qwen.system.portal import (
    DeniedError,
    PortalError,
    PortalSession,
    RefusedError,
    value_in,
    version_of,
)
from handy_qwen.system.session import Session

logger = logging.getLogger(__name__)

SHIFT_L, CONTROL_L, SUPER_L, INSERT, RETURN = 0xFFE1, 0xFFE3, 0xFFEB, 0xFF63, 0xFF0D
WTYPE = {SHIFT_L: "shift", CONTROL_L: "ctrl", SUPER_L: "logo", INSERT: "Insert", RETURN: "Return"}
EVDEV = {SHIFT_L: 42, CONTROL_L: 29, SUPER_L: 125, INSERT: 110, RETURN: 28}  # for ydotool
TOOL_S = 20.0
KEYBOARD = 1  # a type of device in the portal's RemoteDesktop
PRESSED, RELEASED = 1, 0
PORTAL_S = 5.0
CONSENT_S = 60.0  # the user has to read a question
READ_S = 5.0  # how long a program may take to hand over what it has copied
TYPE_S = 0.03  # the longest for a character: wtype needs 5 ms
TEXT_KINDS = ("text/plain;charset=utf-8", "text/plain", "UTF8_STRING")
PRIVATE_KIND = "x-kde-passwordManagerHint"  # how password managers, and wl-copy, say so
TELLING_KINDS = ("x-special/gnome-copied-files", "text/uri-list", *TEXT_KINDS, "image/png")
NO_PRIMARY = b"rimary selection"
EMPTY = (b"Nothing is copied", b"No selection")  # what wl-paste says, depending on its age

Options = tuple[str, ...]
"""Which clipboard, for wl-copy and wl-paste."""
CLIPBOARD: Options = ()
PRIMARY: Options = ("--primary",)


class PortalKeyboard:
    """A keyboard of the desktop portal (RemoteDesktop: GNOME, KDE and others), for one thread.

    Keys are sent as keysyms, which the compositor turns into keys of the layout in force. What the layout
    lacks, compositors drop; so it is good for chords, not for text.

    Raises:
        InsertError: There is no portal with keyboards, or the user says no.
    """

    def __init__(self) -> None:
        try:
            self._session = PortalSession("RemoteDesktop")
        except PortalError as problem:
            raise unsupported("The desktop portal") from problem
        try:
            handle = self._session.handle
            options = {"types": ("u", KEYBOARD)}
            self._session.ask("SelectDevices", "oa{sv}", (handle,), options, wait_s=PORTAL_S)
            granted = self._session.ask("Start", "osa{sv}", (handle, ""), {}, wait_s=CONSENT_S)
            devices = value_in(granted, "devices", 0)
            if not isinstance(devices, int) or not devices & KEYBOARD:
                raise DeniedError("no keyboard")
        except PortalError as problem:
            self.close()
            if isinstance(problem, DeniedError):
                raise InsertError("Pressing keys was not allowed.", InsertReason.DENIED_BY_USER) from problem
            raise unsupported("An answering desktop portal") from problem

    def press(self, chord: Chord) -> None:
        """Press keys, given as keysyms, one after the other, and release them, the last first.

        Raises:
            InsertError: The portal has taken the keyboard away: the last key was not pressed.
            Unsure: It may have been.
        """
        pressed = 0
        try:
            for keysym in chord:
                self._key(keysym, PRESSED)
                pressed += 1
            self._release(chord)
        except PortalError as problem:
            try:
                self._release(chord)
            except PortalError as again:
                logger.info("keys may be down in the desktop portal: %s", again)
            if pressed == len(chord) or (pressed == len(chord) - 1 and not isinstance(problem, RefusedError)):
                raise Unsure from problem
            raise unsupported("Pressing keys through the desktop portal") from problem

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def _release(self, chord: Chord) -> None:
        for keysym in reversed(chord):
            self._key(keysym, RELEASED)

    def _key(self, keysym: int, state: int) -> None:
        self._session.call(
            "NotifyKeyboardKeysym", "oa{sv}iu", (self._session.handle, {}, keysym, state), wait_s=PORTAL_S
        )


class ToolError(InsertError):
    """A tool ended with an error; ``complaint`` is what it said, if it cannot hold anything of the user's."""

    def __init__(self, name: str, complaint: bytes) -> None:
        super().__init__(
            f"A working {name} is not available on this desktop.", InsertReason.UNSUPPORTED_DESKTOP
        )
        self.complaint = complaint


def run_tool(command: Sequence[str], data: bytes, wait_s: float) -> bytes:
    """Run ``command`` with ``data`` on its standard input, for ``wait_s`` at most.

    Raises:
        InsertError: It is not installed or cannot be started, or it says itself (ToolError) that it failed.
        Unsure: It was killed, or did not end in time.
    """
    path = shutil.which(command[0])
    if path is None:
        raise unsupported(command[0])
    # wl-copy leaves a child behind that serves the clipboard and would keep a pipe open.
    output = subprocess.DEVNULL if command[0] == "wl-copy" else subprocess.PIPE
    complaints = subprocess.PIPE if command[0] == "wl-paste" else subprocess.DEVNULL
    # Not chained: the complaint would quote the command, and with it the text.
    try:
        done = subprocess.run(
            [path, *command[1:]], input=data, stdout=output, stderr=complaints, timeout=wait_s, check=False
        )
    except OSError:
        raise unsupported(f"A working {command[0]}") from None
    except subprocess.TimeoutExpired:
        raise Unsure from None
    if done.returncode < 0:
        raise Unsure
    if done.returncode:
        raise ToolError(command[0], done.stderr or b"")
    return done.stdout or b""


class _NoPrimary(Exception):  # noqa: N818 (not an error: Shift+Insert takes the clipboard then)
    """The compositor has only one clipboard."""


@dataclass(frozen=True, slots=True)
class _Saved:
    """What was on a clipboard, in one format; private if it must get into no history."""

    kind: str
    data: bytes = field(repr=False)
    is_private: bool = False


class Wayland(PastingBackend[None]):
    """The back end for Wayland."""

    NAME, PASTE_LABEL = "wl-copy", "Shift+Insert"
    REMEDY = (
        "Install wl-clipboard, and wtype (sway, Hyprland, river) or ydotool with its daemon; on GNOME and "
        "KDE xdg-desktop-portal and the portal of the desktop."
    )
    PASTE = (SHIFT_L, INSERT)
    SUBMIT: ClassVar = {
        Submit.ENTER: (RETURN,),
        Submit.CTRL_ENTER: (CONTROL_L, RETURN),
        Submit.SUPER_ENTER: (SUPER_L, RETURN),
    }
    RELEASE_PAUSE_S = 0.15  # nobody can tell what is held: most hotkeys are released by then
    RESTORE_AFTER_S = 2.0
    SUBMIT_PAUSE_S = 0.0  # the above will do

    def __init__(self, session: Session, pause: Pause, may_release: MayRelease = always) -> None:
        """See ``Backend``."""
        super().__init__(session, pause, may_release)
        if not session.wayland:
            raise unsupported("A Wayland display")
        self._portal: PortalKeyboard | None = None
        self._is_portal_denied = False
        self._saved: dict[Options, _Saved | None] = {}  # by clipboard; None: it was empty
        self._ours = b""

    @classmethod
    def ways(cls) -> tuple[Way, ...]:
        """See ``Backend``. Looks for the tools, and asks the portal."""
        has_copy, has_wtype = has_tool("wl-copy"), has_tool("wtype")
        keys = {
            "wtype": has_wtype,
            "portal": version_of("RemoteDesktop") is not None,
            "ydotool": has_tool("ydotool"),
        }
        return (
            *(
                Way(Method.PASTE, f"paste (wl-copy, keys by {name})", has_copy and has)
                for name, has in keys.items()
            ),
            Way(Method.TYPE, "typing (wtype)", has_wtype),
            Way(Method.COPY, "clipboard (wl-copy)", has_copy),
        )

    def prepare(self, is_awaited: Callable[[], bool]) -> None:
        """Nothing: on GNOME each tool takes the focus for a moment, too soon at the press of a key."""

    def type_text(self, text: str) -> Inserted:
        """See ``Backend``."""
        self._pause(self.RELEASE_PAUSE_S)
        try:
            with self._injection.under_way():
                run_tool(("wtype", "-"), text.encode(), TOOL_S + TYPE_S * len(text))
        except Unsure:
            return UNKNOWN
        return Inserted(len(text))

    def close(self) -> None:
        """See ``Backend``."""
        super().close()
        if self._portal is not None:
            self._portal.close()

    # --- keys --------------------------------------------------------------------------------------

    def _await_focus(self) -> None:
        """Nobody can tell."""

    def _press(self, chord: Chord, _focus: None) -> None:
        # Here, since the tools for the clipboard may have taken the focus for a moment.
        self._pause(self.RELEASE_PAUSE_S)
        for press in (self._press_by_wtype, self._press_by_portal, self._press_by_ydotool):
            try:
                with self._injection.under_way():
                    press(chord)
            except InsertError as problem:
                logger.info("%s fell through: %s", press.__name__, problem.reason.name)
            else:
                return
        raise InsertError(
            "No way to press keys on this desktop.",
            InsertReason.UNSUPPORTED_DESKTOP,
            "Install wtype, or ydotool with its daemon.",
        )

    def _press_by_wtype(self, chord: Chord) -> None:
        held = [part for key in chord[:-1] for part in ("-M", WTYPE[key])]
        released = [part for key in reversed(chord[:-1]) for part in ("-m", WTYPE[key])]
        run_tool(("wtype", *held, "-k", WTYPE[chord[-1]], *released), b"", TOOL_S)

    def _press_by_portal(self, chord: Chord) -> None:
        if self._is_portal_denied:
            raise InsertError("The desktop refused before.", InsertReason.DENIED_BY_USER)
        try:
            if self._portal is None:
                self._portal = PortalKeyboard()  # asks the user
            self._portal.press(chord)
        except (InsertError, Unsure) as problem:
            is_denied = isinstance(problem, InsertError) and problem.reason is InsertReason.DENIED_BY_USER
            self._is_portal_denied = is_denied  # do not ask again
            if self._portal is not None:
                self._portal.close()
                self._portal = None
            raise

    def _press_by_ydotool(self, chord: Chord) -> None:
        down = [f"{EVDEV[key]}:1" for key in chord]
        run_tool(("ydotool", "key", *down, *(f"{EVDEV[key]}:0" for key in reversed(chord))), b"", TOOL_S)

    # --- clipboard ---------------------------------------------------------------------------------

    def _tool(self, *command: str, data: bytes = b"", wait_s: float = TOOL_S) -> bytes:
        """Run a clipboard tool: one that was killed has failed."""
        try:
            return run_tool(command, data, wait_s)
        except Unsure:
            raise unsupported(f"An answering {command[0]}") from None

    def _write(self, options: Options, content: _Saved) -> None:
        if content.is_private:
            try:
                self._tool("wl-copy", *options, "--sensitive", "--type", content.kind, data=content.data)
            except InsertError:
                logger.debug("an older wl-copy, which knows no privacy")
            else:
                return
        self._tool("wl-copy", *options, "--type", content.kind, data=content.data)

    def _save(self, _deadline: Deadline, _focus: None) -> None:
        if not self._restoring.is_due:
            self._saved = {}
        for options in (CLIPBOARD, PRIMARY):
            try:
                now = self._read(options)
            except _NoPrimary:
                logger.debug("this desktop has no PRIMARY")
                continue
            if options not in self._saved or now is None or now.data != self._ours:
                self._saved[options] = now

    def _offer(self, text: str, _focus: None) -> None:
        self._ours = text.encode()
        for options in self._saved:
            self._write(options, _Saved(TEXT_KINDS[0], self._ours, is_private=True))

    def _is_fetched(self) -> bool:
        return True  # nobody can tell

    def _is_ours(self) -> bool:
        return True

    def _read(self, options: Options) -> _Saved | None:
        """What is on a clipboard, in its most telling format; None if it is empty.

        Raises:
            InsertError: CLIPBOARD_IN_USE: it cannot be had, or is too large.
        """
        try:
            listed = self._tool("wl-paste", *options, "--list-types", wait_s=READ_S)
            kinds = [kind for kind in listed.decode("utf-8", "replace").split("\n") if kind]
            kind = next((kind for kind in (*TELLING_KINDS, *kinds) if kind in kinds), None)
            if kind is None:
                return None
            data = self._tool("wl-paste", *options, "--no-newline", "--type", kind, wait_s=READ_S)
        except ToolError as problem:
            if any(words in problem.complaint for words in EMPTY):
                return None
            if NO_PRIMARY in problem.complaint:
                raise _NoPrimary from problem
            raise clipboard_in_use() from problem
        except InsertError as problem:
            raise clipboard_in_use() from problem
        if len(data) > KEEP_BYTES:
            raise clipboard_in_use()
        return _Saved(kind, data, is_private=PRIVATE_KIND in kinds)

    def _restore(self) -> None:
        for options in list(self._saved):
            now = self._read(options)
            if now is not None and now.data == self._ours:
                kept = self._saved[options]
                if kept is None:
                    self._tool("wl-copy", *options, "--clear")
                else:
                    self._write(options, kept)
            del self._saved[options]

    def _keep(self, text: str) -> None:
        self._write(CLIPBOARD, _Saved(TEXT_KINDS[0], text.encode(), is_private=True))
