"""Three ways to own the clipboard on Wayland for a paste.

| way | focus | who fetched | where |
|---|---|---|---|
| data control (``DataControl``) | kept | counted | KDE, wlroots, niri, COSMIC, Hyprland |
| X selections by way of XWayland (``XSelections``) | kept | counted | GNOME, which hands them on |
| wl-clipboard (``ToolClipboards``) | lost for a moment, up to eleven times a text | unknown | the rest |

Each serves CLIPBOARD and PRIMARY, since Shift+Insert takes one or the other, and saves their content.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message, verbatim
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.insert.backend import KEEP_BYTES, Deadline, Unsure, clipboard_in_use, unsupported
from handy_qwen.system.session import Session
from handy_qwen.system.wayland.clipboard import PRIVATE_KIND, TEXT_KINDS, Content, DataControl
from handy_qwen.system.wayland.clipboard import Offer as ControlOffer
from handy_qwen.system.wayland.wire import socket_path
from handy_qwen.system.x11.clipboard import Clipboard, Offer
from handy_qwen.system.x11.connection import connect
from handy_qwen.system.x11.selection import SELECTIONS, SelectionCache, Snapshot

logger = logging.getLogger(__name__)

TOOL_S = 20.0
READ_S = 5.0  # how long a program may take to deliver what it has copied
CLOSE_S = 3.0
TELLING_KINDS = ("x-special/gnome-copied-files", "text/uri-list", *TEXT_KINDS, "image/png")
NO_PRIMARY = b"rimary selection"
EMPTY = (b"Nothing is copied", b"No selection")  # messages of wl-paste, depending on its version


class Clipboards(ABC):
    """CLIPBOARD and PRIMARY, borrowed for a paste. For the inserter's thread, but for ``keep``: any.

    Attributes:
        NAME: Its mechanism, for people.
        tells_fetches: Whether it knows when the text was fetched.
        keeps_focus: Whether the window keeps the focus meanwhile.
    """

    NAME: ClassVar[str]
    tells_fetches: ClassVar = True
    keeps_focus: ClassVar = True

    @property
    def thread(self) -> WatchedThread | None:
        """For the watchdog, if it has one."""
        return None

    @abstractmethod
    def save(self, deadline: Deadline, *, is_lent: bool) -> None:
        """Save the content. A text of ours that is still to be replaced (``is_lent``) does not count.

        Raises:
            InsertError: CLIPBOARD_IN_USE: not available, or not in time.
        """

    @abstractmethod
    def offer(self, text: str) -> None:
        """Offer ``text``.

        Raises:
            InsertError: That failed.
        """

    def arm(self) -> None:  # noqa: B027 (where nobody can tell)
        """The chord is about to be pressed: from now on fetches are the window's."""

    def is_fetched(self, wait_s: float) -> bool:  # noqa: ARG002 (for subclasses)
        """Wait until the text was fetched; False: not in time. True where that is unknown."""
        return True

    def is_ours(self) -> bool:
        """Whether nothing has been copied since, as far as known."""
        return True

    @abstractmethod
    def restore(self) -> None:
        """Restore the saved content where our text still is."""

    @abstractmethod
    def keep(self, text: str) -> None:
        """Leave ``text`` on CLIPBOARD, marked as private."""

    def close(self) -> None:  # noqa: B027 (there may be nothing)
        """Release everything."""


def clipboards_for(session: Session) -> Clipboards:
    """The best way available here.

    Raises:
        InsertError: There is none.
    """
    for way in (ControlledClipboards, XSelections):
        try:
            return way(session)
        except InsertError as problem:
            logger.info("no clipboards by %s: %s", way.NAME, problem.reason.name)
    return ToolClipboards()


class ServedClipboards(Clipboards):
    """Clipboards that we own, on a thread of their own. Subclasses implement saving and offering."""

    def __init__(self, server: DataControl | Clipboard) -> None:
        self._server = server
        self._offer: ControlOffer | Offer = ControlOffer()

    @property
    def thread(self) -> WatchedThread | None:
        """See ``Clipboards``."""
        return self._server.thread

    def arm(self) -> None:
        """See ``Clipboards``."""
        self._offer.is_armed = True

    def is_fetched(self, wait_s: float) -> bool:
        """See ``Clipboards``."""
        self._offer.settled.wait(wait_s)
        if not self._offer.is_fetched:
            self._leave()
        return self._offer.is_fetched

    def is_ours(self) -> bool:
        """See ``Clipboards``."""
        return not self._offer.is_lost

    def keep(self, text: str) -> None:
        """See ``Clipboards``."""
        self._server.copy(text)

    def close(self) -> None:
        """See ``Clipboards``."""
        self._server.close(CLOSE_S)

    @abstractmethod
    def _leave(self) -> None:
        """Keep the offered text."""


class ControlledClipboards(ServedClipboards):
    """Uses data control."""

    NAME = "data control"

    def __init__(self, session: Session) -> None:
        self._control = DataControl(socket_path(session.wayland))
        super().__init__(self._control)
        self._there: dict[str, Content | None] = {}
        self._offered = ControlOffer()

    def save(self, deadline: Deadline, *, is_lent: bool) -> None:  # noqa: ARG002 (it knows itself)
        """See ``Clipboards``."""
        self._there = self._control.save(deadline)

    def offer(self, text: str) -> None:
        """See ``Clipboards``."""
        self._offer = self._offered = self._control.offer(text, self._there)

    def restore(self) -> None:
        """See ``Clipboards``."""
        self._control.withdraw(self._offered)

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

    def _leave(self) -> None:
        self._control.leave(self._offered)


class XSelections(ServedClipboards):
    """Uses the X server that shows X windows on GNOME: Mutter synchronizes its selections, both ways.

    KWin does so only while an X window has the focus, but has data control.
    """

    NAME = "XWayland"

    def __init__(self, session: Session) -> None:
        if not session.display or "GNOME" not in session.desktop.split(":"):
            raise unsupported(Message("GNOME's XWayland"))
        self._display = session.display
        self._clipboard = Clipboard(self._display)
        super().__init__(self._clipboard)
        self._cache: SelectionCache | None = None
        self._there: dict[str, Snapshot] = {}
        self._offered = Offer(0)

    def save(self, deadline: Deadline, *, is_lent: bool) -> None:  # noqa: ARG002 (it knows itself)
        """See ``Clipboards``."""
        try:
            if self._cache is None:
                self._cache = SelectionCache(connect(self._display, is_listening=True))
            self._there = self._cache.fetch(SELECTIONS, self._clipboard.window, deadline)
        except InsertError as problem:
            if problem.reason is not InsertReason.CLIPBOARD_IN_USE and self._cache is not None:
                self._cache.close()
                self._cache = None
            raise

    def offer(self, text: str) -> None:
        """See ``Clipboards``."""
        self._offer = self._offered = self._clipboard.offer(text, 0, self._there)

    def restore(self) -> None:
        """See ``Clipboards``. After a fetch the clipboard's own thread has done it."""
        self._clipboard.withdraw(self._offered)

    def _leave(self) -> None:
        self._clipboard.leave(self._offered)

    def close(self) -> None:
        """See ``Clipboards``."""
        super().close()
        if self._cache is not None:
            self._cache.close()


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


class ToolClipboards(Clipboards):
    """Uses wl-copy, which serves one format, and wl-paste. Other content is restored in its richest one."""

    NAME = "wl-copy"
    tells_fetches = keeps_focus = False

    def __init__(self) -> None:
        self._saved: dict[Options, _Saved | None] = {}  # by clipboard; None: it was empty
        self._ours = b""

    def save(self, deadline: Deadline, *, is_lent: bool) -> None:  # noqa: ARG002 (each tool has its own limit)
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

    def offer(self, text: str) -> None:
        """See ``Clipboards``."""
        self._ours = text.encode()
        for options in self._saved:
            self._write(options, _Saved(TEXT_KINDS[0], self._ours, is_private=True))

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
