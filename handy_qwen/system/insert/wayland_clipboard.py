"""Three ways to own the clipboard on Wayland for a paste.

| way | focus | who fetched | where |
|---|---|---|---|
| data control (``DataControl``) | kept | counted | KDE, wlroots, niri, COSMIC, Hyprland |
| X selections by way of XWayland (``GnomeSelections``) | kept | counted | GNOME, which hands them on |
| wl-clipboard (``ToolClipboards``) | lost for a moment, up to eleven times a text | unknown | the rest |

Each serves CLIPBOARD and PRIMARY, since Shift+Insert takes one or the other, and saves their content.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message, verbatim
from handy_qwen.system.insert.backend import (
    KEEP_BYTES,
    Deadline,
    Unsure,
    clipboard_in_use,
    has_tool,
    unsupported,
)
from handy_qwen.system.insert.clipboard import Clipboards, ServedClipboards
from handy_qwen.system.session import Session
from handy_qwen.system.wayland.clipboard import MANAGERS, PRIVATE_KIND, TEXT_KINDS, Content, DataControl
from handy_qwen.system.wayland.wire import offers, socket_path
from handy_qwen.system.x11.clipboard import XSelections

logger = logging.getLogger(__name__)

TOOL_S = 20.0
READ_S = 5.0  # how long a program may take to hand over what it has copied
TELLING_KINDS = ("x-special/gnome-copied-files", "text/uri-list", *TEXT_KINDS, "image/png")
NO_PRIMARY = b"rimary selection"
EMPTY = (b"Nothing is copied", b"No selection")  # messages of wl-paste, depending on its version


def clipboards_for(session: Session) -> Clipboards[None]:
    """The best that can be had here.

    Raises:
        InsertError: There is none.
    """
    for way in (ControlledClipboards, GnomeSelections):
        try:
            return way(session)
        except InsertError as problem:
            logger.info("no clipboards by %s: %s", way.NAME, problem.reason.name)
    return ToolClipboards()


def clipboards_there(session: Session) -> tuple[str, bool]:
    """The name of those that ``clipboards_for`` would choose, and whether they can be had."""
    if session.wayland and offers(socket_path(session.wayland), *MANAGERS):
        return ControlledClipboards.NAME, True
    if GnomeSelections.are_there(session):
        return GnomeSelections.NAME, True
    return ToolClipboards.NAME, has_tool("wl-copy") and has_tool("wl-paste")


class ControlledClipboards(ServedClipboards[None]):
    """By data control."""

    NAME = "data control"

    def __init__(self, session: Session) -> None:
        self._control = DataControl(socket_path(session.wayland))
        super().__init__(self._control)
        self._there: dict[str, Content | None] = {}

    def save(self, deadline: Deadline, _focus: None, *, is_lent: bool) -> None:  # noqa: ARG002 (it knows itself)
        """See ``Clipboards``."""
        self._there = self._control.save(deadline)

    def offer(self, text: str, _focus: None) -> None:
        """See ``Clipboards``."""
        self._offered = self._control.offer(text, self._there)

    def close(self) -> None:
        """See ``Clipboards``. Our content is passed to wl-copy, which stays: it would be lost."""
        super().close()
        left = self._control.left
        if left is None or PRIVATE_KIND in left:
            return
        kind = next(kind for kind in (*TELLING_KINDS, *left) if kind in left)
        try:
            run_tool(("wl-copy", "--type", kind), left[kind], READ_S)
        except (InsertError, Unsure) as problem:
            logger.info("what was copied ends with the program: %s", type(problem).__name__)


class GnomeSelections(XSelections[None]):
    """By the X server that shows X windows on GNOME: Mutter hands its selections on, both ways.

    KWin does so only while an X window has the focus, but has data control.
    """

    NAME = "XWayland"

    def __init__(self, session: Session) -> None:
        if not self.are_there(session):
            raise unsupported(Message("GNOME's XWayland"))
        super().__init__(session.display)

    @staticmethod
    def are_there(session: Session) -> bool:
        """Whether this is GNOME, with XWayland."""
        return bool(session.display) and "GNOME" in session.desktop.split(":")


class ToolError(InsertError):
    """A tool ended with an error; ``complaint`` is its message, unless that may contain user data."""

    def __init__(self, name: str, complaint: bytes) -> None:
        super().__init__(
            Message("A working {name} is not available on this desktop.", name=name),
            InsertReason.UNSUPPORTED_DESKTOP,
        )
        self.complaint = complaint


def run_tool(command: Sequence[str], data: bytes, wait_s: float) -> bytes:
    """Run ``command`` with ``data`` on its standard input, for ``wait_s`` at most.

    Raises:
        InsertError: It is not installed or cannot be started, or reports a failure (ToolError).
        Unsure: It was killed, or did not end in time.
    """
    path = shutil.which(command[0])
    if path is None:
        raise unsupported(verbatim(command[0]))
    # wl-copy leaves a child that serves the clipboard and would keep a pipe open.
    output = subprocess.DEVNULL if command[0] == "wl-copy" else subprocess.PIPE
    complaints = subprocess.PIPE if command[0] == "wl-paste" else subprocess.DEVNULL
    # Not chained: the message would quote the command, and with it the text.
    try:
        done = subprocess.run(
            [path, *command[1:]], input=data, stdout=output, stderr=complaints, timeout=wait_s, check=False
        )
    except OSError:
        raise unsupported(Message("A working {command}", command=command[0])) from None
    except subprocess.TimeoutExpired:
        raise Unsure from None
    if done.returncode < 0:
        raise Unsure
    if done.returncode:
        raise ToolError(command[0], done.stderr or b"")
    return done.stdout or b""


Options = tuple[str, ...]
"""Options that select the clipboard, for wl-copy and wl-paste."""
FOR_CLIPBOARD: Options = ()
FOR_PRIMARY: Options = ("--primary",)


class _NoPrimary(Exception):  # noqa: N818 (not an error: Shift+Insert takes the clipboard then)
    """The compositor has only one clipboard."""


@dataclass(frozen=True, slots=True)
class _Saved:
    """The content of a clipboard, in one format; private if it must not get into a history."""

    kind: str
    data: bytes = field(repr=False)
    is_private: bool = False


class ToolClipboards(Clipboards[None]):
    """By wl-copy, which serves one format, and wl-paste. What is not text comes back in its richest one."""

    NAME = "wl-copy"
    tells_fetches = keeps_focus = False

    def __init__(self) -> None:
        self._saved: dict[Options, _Saved | None] = {}  # by clipboard; None: it was empty
        self._ours = b""

    def save(self, deadline: Deadline, _focus: None, *, is_lent: bool) -> None:  # noqa: ARG002 (each tool has its own limit)
        """See ``Clipboards``."""
        if not is_lent:
            self._saved = {}
        for options in (FOR_CLIPBOARD, FOR_PRIMARY):
            try:
                now = self._read(options)
            except _NoPrimary:
                logger.debug("this desktop has no PRIMARY")
                continue
            if options not in self._saved or now is None or now.data != self._ours:
                self._saved[options] = now

    def offer(self, text: str, _focus: None) -> None:
        """See ``Clipboards``."""
        self._ours = text.encode()
        for options in self._saved:
            self._write(options, _Saved(TEXT_KINDS[0], self._ours, is_private=True))

    def is_fetched(self, wait_s: float) -> bool:  # noqa: ARG002 (nobody can tell)
        """See ``Clipboards``."""
        return True

    def is_ours(self) -> bool:
        """See ``Clipboards``. Nobody can tell."""
        return True

    def restore(self) -> None:
        """See ``Clipboards``."""
        for options in list(self._saved):
            now = self._read(options)
            if now is not None and now.data == self._ours:
                kept = self._saved[options]
                if kept is None:
                    self._tool("wl-copy", *options, "--clear")
                else:
                    self._write(options, kept)
                self._require_restored(options, kept)
            del self._saved[options]

    def keep(self, text: str) -> None:
        """See ``Clipboards``."""
        self._write(FOR_CLIPBOARD, _Saved(TEXT_KINDS[0], text.encode(), is_private=True))

    def _require_restored(self, options: Options, kept: _Saved | None) -> None:
        """Check that our text is gone: wl-copy succeeds even if the compositor has not noticed.

        Raises:
            InsertError: CLIPBOARD_IN_USE: it is still there, or that is unknown.
        """
        if kept is not None and kept.data == self._ours:
            return
        try:
            now = self._tool("wl-paste", *options, "--no-newline", "--type", TEXT_KINDS[0], wait_s=READ_S)
        except ToolError:  # empty, or not text
            return
        except InsertError as problem:
            raise clipboard_in_use() from problem
        if now == self._ours:
            raise clipboard_in_use()

    def _tool(self, *command: str, data: bytes = b"", wait_s: float = TOOL_S) -> bytes:
        """Run a clipboard tool; killed means failed."""
        try:
            return run_tool(command, data, wait_s)
        except Unsure:
            raise unsupported(Message("An answering {command}", command=command[0])) from None

    def _write(self, options: Options, content: _Saved) -> None:
        if content.is_private:
            try:
                self._tool("wl-copy", *options, "--sensitive", "--type", content.kind, data=content.data)
            except InsertError:
                logger.debug("an older wl-copy, which knows no privacy")
            else:
                return
        self._tool("wl-copy", *options, "--type", content.kind, data=content.data)

    def _read(self, options: Options) -> _Saved | None:
        """The content of a clipboard, in its richest format; None if it is empty.

        Raises:
            InsertError: CLIPBOARD_IN_USE: it is not available, or too large.
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
