"""The Wayland backend: other programs' tools, each tried where the one before is missing or refuses.

| for | in this order |
|---|---|
| clipboard | wl-copy, with the text marked as private |
| typing | wtype (wlroots, Hyprland, river) |
| chords | wtype; the portal's RemoteDesktop (GNOME, KDE; asks the user once); ydotool (needs its daemon) |

A Wayland client may neither see which window has the focus nor press keys by itself; so the target is
unknown, and nobody tells who fetched. wl-copy serves CLIPBOARD and PRIMARY with the text, Shift+Insert
takes one or the other, and what was there comes back after a time; text only if wl-paste can be had.

Threads: see ``Backend``. Run on sway 1.7 (wtype 0.4, wl-clipboard 2.1; Qt 6
and foot as targets); the portal and ydotool were not.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from handy_qwen.core.ports import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import unsupported
from handy_qwen.system.insert.injection import Injection

logger = logging.getLogger(__name__)

SHIFT_L, CONTROL_L, SUPER_L, INSERT, RETURN = 0xFFE1, 0xFFE3, 0xFFEB, 0xFF63, 0xFF0D
WTYPE = {SHIFT_L: "shift", CONTROL_L: "ctrl", SUPER_L: "logo", INSERT: "Insert", RETURN: "Return"}
EVDEV = {SHIFT_L: 42, CONTROL_L: 29, SUPER_L: 125, INSERT: 110, RETURN: 28}  # for ydotool
CHORDS = {
    Submit.ENTER: (RETURN,),
    Submit.CTRL_ENTER: (CONTROL_L, RETURN),
    Submit.SUPER_ENTER: (SUPER_L, RETURN),
}
TOOL_S = 20.0
RELEASE_PAUSE_S = 0.15  # nobody tells what is held: most hotkeys are let go by then
RESTORE_AFTER_S = 2.0
SUBMIT_PAUSE_S = 0.06
KEEP_BYTES = 64 << 20
TEXT_KINDS = ("text/plain;charset=utf-8", "text/plain", "UTF8_STRING")

Pause = Callable[[float], object]
Run = Callable[[Sequence[str], bytes], bytes]
"""Runs a tool with input, returns its output. Raises InsertError when it is missing or fails."""
Chord = tuple[int, ...]


class Keys(Protocol):
    """A keyboard of the desktop portal."""

    def chord(self, *keysyms: int) -> None:
        """Press keys together."""

    def close(self) -> None:
        """Give it back."""


def open_portal_keys() -> Keys:
    """Ask the desktop portal for a keyboard.

    Raises:
        InsertError: There is none, or the user says no.
    """
    from handy_qwen.system.insert.portal import Portal  # its D-Bus library is for Linux only

    return Portal()


def run_tool(command: Sequence[str], data: bytes) -> bytes:
    """Run ``command`` with ``data`` on its standard input.

    Raises:
        InsertError: It is not installed, fails, or takes too long.
    """
    path = shutil.which(command[0])
    if path is None:
        raise unsupported(command[0])
    try:
        # wl-copy leaves a child behind that serves the clipboard and would keep a pipe open.
        is_copy = command[0] == "wl-copy"
        output = subprocess.DEVNULL if is_copy else subprocess.PIPE
        done = subprocess.run(
            [path, *command[1:]],
            input=data,
            stdout=output,
            stderr=subprocess.DEVNULL,
            timeout=TOOL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        # Not chained: the complaint would quote the command, and with it the text.
        raise unsupported(f"An answering {command[0]}") from None
    if done.returncode:
        raise unsupported(f"A working {command[0]}")
    return done.stdout or b""


class Wayland:
    """Implements ``Backend`` on Wayland."""

    def __init__(
        self,
        environment: Mapping[str, str],
        pause: Pause,
        *,
        run: Run = run_tool,
        open_portal: Callable[[], Keys] = open_portal_keys,
    ) -> None:
        """Nothing is started yet.

        Args:
            environment: As ``os.environ``: says where the display is.
            pause: Waits for so many seconds, or until the program ends.
            run: Runs a tool.
            open_portal: Opens the portal, at its first use: it may ask the user.

        Raises:
            InsertError: There is no Wayland display.
        """
        if not environment.get("WAYLAND_DISPLAY"):
            raise unsupported("A Wayland display")
        self._pause = pause
        self._run = run
        self._open_portal = open_portal
        self._portal: Keys | None = None
        self._is_portal_refused = False
        self._injection = Injection()
        self._saved: tuple[str, bytes] | None = None
        self._ours = b""
        self._due_s: float | None = None

    def focused(self) -> Target:
        """Nobody tells."""
        return Target()

    def type_text(self, text: str) -> None:
        """Type by wtype.

        Raises:
            InsertError: It is missing, or the compositor does not let it.
        """
        self._pause(RELEASE_PAUSE_S)
        with self._injection.under_way():
            self._run(("wtype", "-"), text.encode())

    def paste_text(self, text: str) -> None:
        """Copy by wl-copy and press Shift+Insert.

        Raises:
            InsertError: Nothing was sent.
        """
        if self._due_s is None:
            self._saved = self._read()
        self._due_s = None
        self._ours = text.encode()
        self._write(text)
        self._run(("wl-copy", "--primary", "--type", TEXT_KINDS[0]), self._ours)
        self._pause(RELEASE_PAUSE_S)
        try:
            self._chord((SHIFT_L, INSERT))
        except InsertError:
            self._restore()
            raise
        self._due_s = time.monotonic() + RESTORE_AFTER_S

    def copy(self, text: str) -> None:
        """Copy by wl-copy.

        Raises:
            InsertError: It is missing or fails.
        """
        self._due_s = None
        self._write(text)

    def submit(self, submit: Submit) -> None:
        """Press the key after the text.

        Raises:
            InsertError: No tool can.
        """
        if submit in CHORDS:
            self._pause(SUBMIT_PAUSE_S)
            self._chord(CHORDS[submit])

    def rest(self, is_idle: bool) -> float | None:
        """Put back what was on the clipboard, after a time."""
        if self._due_s is None:
            return None
        left = self._due_s - time.monotonic()
        if left > 0:
            return left if is_idle else 0.0
        self._restore()
        return None

    def was_injecting(self, at_s: float) -> bool:
        """Whether keys of ours were on their way."""
        return self._injection.was_injecting(at_s)

    def close(self) -> None:
        """Put back what is due, and give the portal back."""
        if self._due_s is not None:
            self._restore()
        if self._portal is not None:
            self._portal.close()

    # --- keys --------------------------------------------------------------------------------------

    def _chord(self, keys: Chord) -> None:
        ways: tuple[tuple[str, Callable[[Chord], None]], ...] = (
            ("wtype", self._chord_by_wtype),
            ("portal", self._chord_by_portal),
            ("ydotool", self._chord_by_ydotool),
        )
        for name, press in ways:
            try:
                with self._injection.under_way():
                    press(keys)
            except InsertError as problem:
                logger.info("pressing keys by %s fell through: %s", name, problem.reason.name)
            else:
                return
        raise InsertError(
            "No way to press keys on this desktop.",
            InsertReason.UNSUPPORTED_DESKTOP,
            "Install wtype, or ydotool with its daemon.",
        )

    def _chord_by_wtype(self, keys: Chord) -> None:
        held = [part for key in keys[:-1] for part in ("-M", WTYPE[key])]
        released = [part for key in reversed(keys[:-1]) for part in ("-m", WTYPE[key])]
        self._run(("wtype", *held, "-k", WTYPE[keys[-1]], *released), b"")

    def _chord_by_portal(self, keys: Chord) -> None:
        if self._is_portal_refused:
            raise InsertError("The desktop refused before.", InsertReason.DENIED_BY_USER)
        try:
            if self._portal is None:
                self._portal = self._open_portal()
            self._portal.chord(*keys)
        except InsertError as problem:
            self._is_portal_refused = problem.reason is InsertReason.DENIED_BY_USER  # do not ask again
            if self._portal is not None:
                self._portal.close()
                self._portal = None
            raise

    def _chord_by_ydotool(self, keys: Chord) -> None:
        down = [f"{EVDEV[key]}:1" for key in keys]
        self._run(("ydotool", "key", *down, *(f"{EVDEV[key]}:0" for key in reversed(keys))), b"")

    # --- clipboard ---------------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        try:  # older ones know no such option
            self._run(("wl-copy", "--sensitive", "--type", TEXT_KINDS[0]), text.encode())
        except InsertError:
            self._run(("wl-copy", "--type", TEXT_KINDS[0]), text.encode())

    def _read(self) -> tuple[str, bytes] | None:
        """What is on the clipboard, in its most telling format: wl-copy offers only one."""
        try:
            kinds = self._run(("wl-paste", "--list-types"), b"").decode("utf-8", "replace").split("\n")
            kind = next((k for k in (*TEXT_KINDS, *kinds) if k and k in kinds), "")
            data = self._run(("wl-paste", "--no-newline", "--type", kind), b"") if kind else b""
        except InsertError as problem:
            logger.info("the clipboard could not be kept: %s", problem.reason.name)
            return None
        return (kind, data) if data and len(data) <= KEEP_BYTES else None

    def _restore(self) -> None:
        """Put back what was there, unless somebody has copied something since."""
        self._due_s = None
        saved, self._saved = self._saved, None
        now = self._read()
        if now is None or now[1] != self._ours:
            return
        try:
            if saved is None:
                self._run(("wl-copy", "--clear"), b"")
            else:
                self._run(("wl-copy", "--type", saved[0]), saved[1])
        except InsertError as problem:
            logger.info("the clipboard did not come back: %s", problem.reason.name)
