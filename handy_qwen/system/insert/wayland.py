"""The Wayland backend: other programs' tools, each tried where the one before is missing or refuses.

| for | in this order |
|---|---|
| clipboard | wl-copy, with the text marked as private |
| typing | wtype (wlroots, Hyprland, river) |
| chords | wtype; the portal's RemoteDesktop (GNOME, KDE; asks the user once); ydotool (needs its daemon) |

A Wayland client may neither see which window has the focus nor press keys by itself; so the target is
unknown, and nobody tells who fetched. wl-copy serves CLIPBOARD and PRIMARY with the text, Shift+Insert
takes one or the other, and what was there comes back after a time, each in its most telling format:
wl-copy offers only one. If wl-paste cannot have it, the clipboard is left alone. It is not read in
advance: on GNOME each tool takes the focus for a moment, which must not happen at the press of a key.

A tool that was killed, or did not end in time, may have done its work: keys are not sent again then.

Threads: see ``Backend``. Run on sway 1.7 (wtype 0.4, wl-clipboard 2.1; Qt 6
and foot as targets); the portal and ydotool were not.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from handy_qwen.core.types import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import (
    KEEP_BYTES,
    UNKNOWN,
    DelayedRestore,
    Injection,
    Inserted,
    Unsure,
    clipboard_in_use,
    unsupported,
)

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
READ_S = 5.0  # how long a program may take to hand over what it has copied
TYPE_S = 0.03  # the longest for a character: wtype needs 5 ms
TEXT_KINDS = ("text/plain;charset=utf-8", "text/plain", "UTF8_STRING")
PRIVATE_KIND = "x-kde-passwordManagerHint"  # how password managers, and wl-copy, say so
TELLING_KINDS = ("x-special/gnome-copied-files", "text/uri-list", *TEXT_KINDS, "image/png")
NO_PRIMARY = b"rimary selection"
EMPTY = (b"Nothing is copied", b"No selection")  # what wl-paste says, depending on its age

Pause = Callable[[float], object]
Run = Callable[[Sequence[str], bytes, float], bytes]
"""Runs a tool with input and so many seconds, returns its output. See ``run_tool`` for what it raises."""
Chord = tuple[int, ...]
Options = tuple[str, ...]
"""Which clipboard, for wl-copy and wl-paste."""
CLIPBOARD: Options = ()
PRIMARY: Options = ("--primary",)


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
class _Kept:
    """What was on a clipboard, in one format; private if it must get into no history."""

    kind: str
    data: bytes = field(repr=False)
    is_private: bool = False


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
        self._saved: dict[Options, _Kept | None] = {}  # by clipboard; None: it was empty
        self._ours = b""
        self._giving_back = DelayedRestore(self._restore)

    @property
    def clipboard_thread(self) -> None:
        """The tools need none."""
        return

    def focused(self) -> Target:
        """Nobody tells."""
        return Target()

    def prepare(self, is_awaited: Callable[[], bool]) -> None:
        """Nothing: see above."""

    def type_text(self, text: str) -> Inserted:
        """Type by wtype.

        Raises:
            InsertError: It is missing, or the compositor does not let it.
        """
        self._pause(RELEASE_PAUSE_S)
        try:
            with self._injection.under_way():
                self._run(("wtype", "-"), text.encode(), TOOL_S + TYPE_S * len(text))
        except Unsure:
            return UNKNOWN
        return Inserted(len(text))

    def paste_text(self, text: str) -> Inserted:
        """Copy by wl-copy and press Shift+Insert.

        Raises:
            InsertError: Nothing was sent.
        """
        self._take()
        self._ours = text.encode()
        self._giving_back.after(RESTORE_AFTER_S)
        try:
            for options in self._saved:
                self._write(options, _Kept(TEXT_KINDS[0], self._ours, is_private=True))
            self._pause(RELEASE_PAUSE_S)
            self._chord((SHIFT_L, INSERT))
        except InsertError:
            self._giving_back.now()
            raise
        except Unsure:
            self._giving_back.forget()
            return UNKNOWN
        self._giving_back.after(RESTORE_AFTER_S)
        return Inserted(len(text))

    def copy(self, text: str) -> None:
        """Copy by wl-copy.

        Raises:
            InsertError: It is missing or fails.
        """
        self._giving_back.forget()
        self._write(CLIPBOARD, _Kept(TEXT_KINDS[0], text.encode(), is_private=True))

    def submit(self, submit: Submit) -> None:
        """Press the key after the text.

        Raises:
            InsertError: No tool can.
        """
        if submit in CHORDS:
            self._pause(SUBMIT_PAUSE_S)
            try:
                self._chord(CHORDS[submit])
            except Unsure:
                raise unsupported("A tool that presses keys and answers") from None

    def rest(self, is_idle: bool) -> float | None:
        """Put back what was on the clipboard, after a time."""
        return self._giving_back.rest(is_idle)

    def was_injecting(self, at_s: float) -> bool:
        """Whether keys of ours were on their way."""
        return self._injection.was_injecting(at_s)

    def close(self) -> None:
        """Put back what is due, and give the portal back."""
        self._giving_back.now()
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
        self._run(("wtype", *held, "-k", WTYPE[keys[-1]], *released), b"", TOOL_S)

    def _chord_by_portal(self, keys: Chord) -> None:
        if self._is_portal_refused:
            raise InsertError("The desktop refused before.", InsertReason.DENIED_BY_USER)
        try:
            if self._portal is None:
                self._portal = self._open_portal()
            self._portal.chord(*keys)
        except (InsertError, Unsure) as problem:
            is_no = isinstance(problem, InsertError) and problem.reason is InsertReason.DENIED_BY_USER
            self._is_portal_refused = is_no  # do not ask again
            if self._portal is not None:
                self._portal.close()
                self._portal = None
            raise

    def _chord_by_ydotool(self, keys: Chord) -> None:
        down = [f"{EVDEV[key]}:1" for key in keys]
        self._run(("ydotool", "key", *down, *(f"{EVDEV[key]}:0" for key in reversed(keys))), b"", TOOL_S)

    # --- clipboard ---------------------------------------------------------------------------------

    def _tool(self, *command: str, data: bytes = b"", wait_s: float = TOOL_S) -> bytes:
        """Run a clipboard tool: one that was killed has failed."""
        try:
            return self._run(command, data, wait_s)
        except Unsure:
            raise unsupported(f"An answering {command[0]}") from None

    def _write(self, options: Options, content: _Kept) -> None:
        if content.is_private:
            try:
                self._tool("wl-copy", *options, "--sensitive", "--type", content.kind, data=content.data)
            except InsertError:
                logger.debug("an older wl-copy, which knows no privacy")
            else:
                return
        self._tool("wl-copy", *options, "--type", content.kind, data=content.data)

    def _take(self) -> None:
        """Take what is on the clipboards, but for a text of ours that waits for its end.

        Raises:
            InsertError: CLIPBOARD_IN_USE: it cannot be had.
        """
        if not self._giving_back.is_due:
            self._saved = {}
        for options in (CLIPBOARD, PRIMARY):
            try:
                now = self._read(options)
            except _NoPrimary:
                logger.debug("this desktop has no PRIMARY")
                continue
            if options not in self._saved or now is None or now.data != self._ours:
                self._saved[options] = now

    def _read(self, options: Options) -> _Kept | None:
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
        return _Kept(kind, data, is_private=PRIVATE_KIND in kinds)

    def _restore(self) -> None:
        """Put back what was there, unless somebody has copied something since."""
        for options in list(self._saved):
            now = self._read(options)
            if now is not None and now.data == self._ours:
                kept = self._saved[options]
                if kept is None:
                    self._tool("wl-copy", *options, "--clear")
                else:
                    self._write(options, kept)
            del self._saved[options]
