"""Global hotkeys on sway and its relatives: bound through its socket while the program runs.

    bindsym --no-repeat F9 nop NAME down 0     bindsym --release F9 nop NAME up 0     -> event "binding"

No program is started for a key, and no file is changed. Escape and the lock key are bound only while they
have a function. Consequences of sway's rules:

* A binding only matches exactly its keys. So Escape is also bound with each hotkey; and any other key that
  goes down meanwhile, including Escape, keeps the hotkey's release from being reported. The next press counts
  as that release.
* Bindings belong to a mode ("default", "resize") and are lost when the configuration is reloaded: both is
  reported, and they are made again.
* A key bound in the configuration is taken, unless bound to this program: such lines are restored when the
  key is released. Sway reveals the text of its main file; included files are read from disk, in their current
  state. An ``include`` is expanded like in a shell (wordexp): variables, ~ and patterns. Commands in it are
  not run, so the files that they would name are not seen.
* Bindings survive a crash of ours. Escape would then have no effect, so the next start removes its binding.
* Modifiers alone and mouse buttons cannot be hotkeys: windows would never get them.

No window gets the keys of a binding. New hotkeys are recorded through XWayland, which sees keys while a
window of ours has the focus, as is then the case.

Source: man 5 sway; man 7 sway-ipc.
"""

from __future__ import annotations

import glob
import logging
import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from handy_qwen.core.events import EscapePressed, KeyDown, KeyUp, LockPressed
from handy_qwen.core.ports import Post
from handy_qwen.core.types import Captured, Hotkey, OnCaptured
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.message import Message
from handy_qwen.system.entries import SCRIPT
from handy_qwen.system.hotkeys.chord import Chord, chords_of, trigger
from handy_qwen.system.hotkeys.listener import ConnectedListener, Listener
from handy_qwen.system.wayland.sway import (
    BINDING,
    CONFIG,
    MODE,
    MODE_CHANGED,
    SHUTDOWN,
    VERSION,
    WORKSPACE,
    Sway,
    SwayError,
)

logger = logging.getLogger(__name__)

_DOWN, _UP, _ESCAPE, _LOCK = "down", "up", "escape", "lock"
PRESS, RELEASE = "--no-repeat", "--release"
_MASKS = {"control": "ctrl", "mod1": "alt", "mod4": "logo", "super": "logo"}  # other names of modifiers

Key = tuple[str, str]
"""A binding: ``PRESS`` or ``RELEASE``, and the keys."""
Bindings = dict[tuple[str, frozenset[str]], str]
"""By ``PRESS`` or ``RELEASE`` and the keys (``plain``): the command that restores the binding."""


class SwaySession:
    """Bindings in sway. For one thread.

    Raises:
        SwayError: Sway cannot be reached.
    """

    def __init__(self, path: str) -> None:
        self._sway = Sway(path)
        self._name = f"{SCRIPT}-{os.getpid()}"  # a second instance has different ones
        self._bound: dict[Key, str] = {}
        self._mode, self._taken = "", set[frozenset[str]]()
        self._ours: dict[tuple[str, frozenset[str]], str] = {}
        try:
            self._sway.subscribe("binding", "mode", "workspace", "shutdown")
            self._look()
            if plain("Escape") not in self._taken:
                self._bound[PRESS, "Escape"] = ""  # possibly, by a process of ours that crashed
        except BaseException:
            self._sway.close()
            raise

    def filenos(self) -> list[int]:
        """See ``Selectable``."""
        return [self._sway.fileno()]

    def timeout_s(self) -> float | None:
        """See ``Selectable``."""
        return None

    def close(self) -> None:
        """Remove the bindings."""
        try:
            self._look()
            if any(self._bound.values()) and self._mode != "default":
                self._sway.command("mode default")  # in another mode they cannot be removed
                self._mode = "default"
            self.bind({})
        except SwayError as exc:
            logger.info("the bindings end with sway: %s", exc)
        self._sway.close()

    def require_free(self, combos: Mapping[str, Chord]) -> None:
        """Check that the configuration has none of these keys.

        Raises:
            HotkeyError: TAKEN.
        """
        for keys, chord in combos.items():
            if plain(keys) in self._taken:
                title = Message("Your sway configuration uses {keys} already.", keys=chord.label("linux"))
                hint = Message("Choose a different key in Settings → Shortcut.")
                raise HotkeyError(title, HotkeyReason.TAKEN, hint)

    def bind(self, wanted: Mapping[Key, str]) -> None:
        """Replace our bindings by these. Other bindings of the configuration stay unchanged.

        Raises:
            HotkeyError: INVALID: sway knows no such key.
            SwayError: It is gone.
        """
        if self._mode != "default":
            return  # they are made when it ends
        for key in [one for one in self._bound if one not in wanted]:
            del self._bound[key]
            release = RELEASE if key[0] == RELEASE else ""
            self._sway.command(f"unbindsym {release} {_by_place(key[1])} {key[1]}")
            if line := self._ours.get((key[0], plain(key[1]))):
                self._sway.command(line)
        for key, what in wanted.items():
            how, keys = key
            if self._bound.get(key) == what or plain(keys) in self._taken:
                continue
            options = f"--no-warn {how} {_by_place(keys)}"
            if not self._sway.command(f"bindsym {options} {keys} nop {self._name} {what}"):
                title = Message("Sway knows no key {keys}.", keys=keys)
                hint = Message("Choose another, such as F9.")
                raise HotkeyError(title, HotkeyReason.INVALID, hint)
            self._bound[key] = what

    def receive(self) -> tuple[list[str], bool]:
        """New events of our keys, and whether they must be bound again.

        Raises:
            SwayError: Sway is gone, or sent something invalid.
        """
        done, is_stale = [], False
        for kind, said in self._sway.events():
            if kind == SHUTDOWN:
                raise SwayError("sway ends")
            if kind == BINDING:
                command = str(said.get("binding", {}).get("command", "")).split(maxsplit=2)
                if command[:2] == ["nop", self._name]:
                    done.append(command[2])
            elif kind == MODE_CHANGED or (kind == WORKSPACE and said.get("change") == "reload"):
                is_stale = True
                if kind == WORKSPACE:
                    self._bound.clear()
        if is_stale:
            self._look()
        return done, is_stale

    def _look(self) -> None:
        self._mode = str(self._sway.look(MODE, "name"))
        path = str(self._sway.look(VERSION, "loaded_config_file_name"))
        lines = bindings_in(str(self._sway.look(CONFIG, "config")), path)
        self._ours = {key: line for key, line in lines.items() if SCRIPT in line}
        self._taken = {keys for _how, keys in lines.keys() - self._ours.keys()}


class SwayHotkeys(ConnectedListener[SwaySession]):
    """Listens for hotkeys through sway.

    Args:
        post: Takes the events, on the thread ``hotkeys``.
        path: Sway's socket.
        display: The X display of XWayland, for recording new keys; "" if there is none.
    """

    NAME = "sway"
    LOST = (SwayError,)

    def __init__(self, post: Post, path: str, *, display: str = "") -> None:
        super().__init__(post)
        self._path, self._display = path, display
        # Owned by the thread:
        self._combos: dict[str, Chord] | None = None  # by their keys, in sway's words; None: not started
        self._is_escape_wanted, self._lock_key = False, ""
        self._down: set[int] = set()
        self._capturer: Listener | None = None

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``. Waits until it is done.

        Raises:
            HotkeyError: INVALID or TAKEN; the earlier hotkeys stay active. UNSUPPORTED_DESKTOP.
        """
        combos = _combos(hotkeys)
        self._call(lambda: self._use(combos), is_start=True)

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``."""
        combos = _combos(hotkeys)
        self._call(lambda: self._check(combos))

    def watch_escape(self, is_wanted: bool, lock_key: str = "") -> None:
        """Report and swallow Escape only while a take runs. Returns at once."""
        if self._inbox is not None:
            self._inbox.put(lambda: self._watch(is_wanted, lock_key))

    def capture(self, on_captured: OnCaptured) -> None:
        """See ``HotkeyListener``."""
        if not self._display:
            hint = Message("Write it into the settings file: Settings → Help and about → Settings file.")
            raise _error(Message("Without XWayland no key can be recorded."), hint)
        self._call(lambda: self._capture(on_captured), is_start=True)

    def end_capture(self) -> None:
        """See ``HotkeyListener``."""
        self._call(self._end_capture)

    def stop(self) -> None:
        """See ``HotkeyListener``."""
        super().stop()
        if self._capturer is not None:
            self._capturer.stop()

    # --- the thread ----------------------------------------------------------------------------------

    def _use(self, combos: dict[str, Chord]) -> None:
        before, self._combos = self._combos, combos
        try:
            if self._connection is None:
                self._connection = self._connect()
            else:
                self._bind(self._connection)
                self._release_keys(self._connection)
        except BaseException:
            self._combos = before
            raise

    def _check(self, combos: Mapping[str, Chord]) -> None:
        if self._connection is None:
            raise self._unresponsive()
        self._connection.require_free(combos)

    def _bind(self, connection: SwaySession) -> None:
        combos = self._combos or {}
        connection.require_free(combos)
        wanted: dict[Key, str] = {}
        for place, keys in enumerate(combos if self._capturer is None else ()):
            wanted |= {(PRESS, keys): f"{_DOWN} {place}", (RELEASE, keys): f"{_UP} {place}"}
            if self._is_escape_wanted:
                wanted[PRESS, f"{keys}+Escape"] = _ESCAPE
            if self._lock_key:
                wanted[PRESS, f"{keys}+{trigger(Chord((), self._lock_key))}"] = _LOCK
        if self._is_escape_wanted and self._capturer is None:
            wanted[PRESS, "Escape"] = _ESCAPE
        connection.bind(wanted)

    def _watch(self, is_wanted: bool, lock_key: str) -> None:
        self._is_escape_wanted, self._lock_key = is_wanted, lock_key
        if self._connection is not None:
            self._bind(self._connection)

    def _capture(self, on_captured: OnCaptured) -> None:
        from handy_qwen.system.hotkeys.x11 import X11Hotkeys

        if self._connection is None:
            self._use(self._combos or {})
        assert self._connection is not None, "it has just been made"
        inbox = self._inbox

        def tell(captured: Captured) -> None:  # on its thread
            if captured.is_last and inbox is not None:
                inbox.put(self._end_capture)
            on_captured(captured)

        self._capturer = capturer = X11Hotkeys(self._post, display=self._display)
        self._bind(self._connection)
        try:
            capturer.capture(tell)
        except BaseException:
            self._end_capture()
            raise

    def _end_capture(self) -> None:
        capturer, self._capturer = self._capturer, None
        if capturer is not None:
            capturer.stop()
            if self._connection is not None:
                self._bind(self._connection)

    def _is_wanted(self) -> bool:
        return self._combos is not None

    def _connect(self) -> SwaySession:
        session = SwaySession(self._path)
        try:
            self._bind(session)
        except BaseException:
            session.close()
            raise
        return session

    def _hear(self, connection: SwaySession) -> None:
        done, is_stale = connection.receive()
        now_s = time.monotonic()
        for what, *place in map(str.split, done):
            match what:
                case "down" if int(place[0]) in self._down:
                    self._release(int(place[0]), now_s)  # the release was not reported
                case "down":
                    self._down.add(int(place[0]))
                    self._post(KeyDown(int(place[0]), now_s))
                case "up":
                    self._release(int(place[0]), now_s)
                case _:
                    self._post(EscapePressed(now_s) if what == _ESCAPE else LockPressed(now_s))
                    self._release_keys(connection)  # its release will not be reported
        if is_stale:
            self._bind(connection)

    def _release(self, hotkey: int, at_s: float) -> None:
        if hotkey in self._down:
            self._down.discard(hotkey)
            self._post(KeyUp(hotkey, at_s))

    def _release_keys(self, _connection: SwaySession) -> None:
        for hotkey in sorted(self._down):
            self._release(hotkey, time.monotonic())

    def _lost(self) -> HotkeyError:
        title = Message("Hotkeys stopped working: the connection to sway was lost.")
        return _error(title, Message("Restart Handy Qwen."))

    def _unresponsive(self) -> HotkeyError:
        title = Message("Can't set up hotkeys: sway isn't responding.")
        return _error(title, Message("Try again, or restart Handy Qwen."))


def _combos(hotkeys: Sequence[Hotkey]) -> dict[str, Chord]:
    found = {}
    for chord in chords_of(hotkeys, knows_own_keys=False):
        keys = trigger(chord)
        if not keys:
            title = Message(
                "Sway can't give {keys} to a program: add a key that is not a modifier.",
                keys=chord.label("linux"),
            )
            raise HotkeyError(title, HotkeyReason.INVALID, Message("Try {keys}.", keys="F9"), "F9")
        found[keys] = chord
    return found


def _by_place(keys: str) -> str:
    """The option for keys with a letter or digit: it means the key, whatever the layout."""
    return "--to-code" if any(len(name) == 1 for name in keys.split("+")) else ""


def _error(title: Message, hint: Message) -> HotkeyError:
    return HotkeyError(title, HotkeyReason.UNSUPPORTED_DESKTOP, hint)


def bindings_in(text: str, path: str) -> Bindings:
    """The bindings of the configuration in the mode "default"; ``text`` is that of the main file ``path``."""
    reader = _ConfigReader()
    reader.read(text, Path(path))
    return reader.found


def plain(keys: str) -> frozenset[str]:
    """``keys`` in a normalized order, case and naming."""
    return frozenset(_MASKS.get(name, name) for name in keys.lower().split("+"))


class _ConfigReader:
    """Reads the configuration's files in sway's order, each once.

        set $mod Mod4     bindsym $mod+d exec foot     include ~/.config/sway/*.conf

    A block abbreviates lines with the same beginning: ``bindsym --to-code {``.
    """

    def __init__(self) -> None:
        self.found: Bindings = {}
        self._variables: dict[str, str] = {}
        self._blocks: list[list[str]] = []
        self._seen: set[Path] = set()

    def read(self, text: str, path: Path) -> None:
        self._seen.add(Path(os.path.realpath(path)))
        words: list[str] = []
        for line in map(str.strip, text.replace("\\\n", " ").splitlines()):
            if not line or line.startswith("#"):
                continue
            if line.startswith("}"):
                del self._blocks[-1:]
                continue
            if line != "{":  # it opens a block with the words before
                words = [*(self._blocks[-1] if self._blocks else ()), *line.split()]
            if line.endswith("{"):
                self._blocks.append([word for word in words if word != "{"])
            elif words[0] == "set" and len(words) > 2:
                self._variables[words[1]] = words[2]
            elif words[0] == "include":
                self._include(line.removeprefix("include"), path)
            elif words[0] == "bindsym":
                self._bind(words[1:])

    def _bind(self, words: list[str]) -> None:
        options = list(takewhile(lambda word: word.startswith("--"), words))
        keys, *rest = words[len(options) :] or [""]
        keys = self._replaced(keys)
        how = RELEASE if RELEASE in options else PRESS
        command = " ".join(rest)
        # Else sway would execute anything after a ";" in it, and remove its quotes.
        quote = next((one for one in "'\"" if one not in command), "")
        self.found[how, plain(keys)] = " ".join(("bindsym", *options, keys, quote + command + quote))

    def _include(self, what: str, path: Path) -> None:
        for file in _included(self._replaced(what), Path(os.path.realpath(path)).parent):
            if file in self._seen:
                continue
            try:
                self.read(file.read_text("utf-8", "replace"), file)
            except OSError as exc:
                logger.info("a file of sway's configuration cannot be read: %s", exc.strerror)

    def _replaced(self, text: str) -> str:
        for name in sorted(self._variables, key=len, reverse=True):
            text = text.replace(name, self._variables[name])
        return text


def _included(what: str, folder: Path) -> Iterator[Path]:
    """The files named by an ``include`` in ``folder``."""
    if "$(" in what or "`" in what:
        logger.info("sway includes what a command says: its keys are not known")
        return
    try:
        patterns = shlex.split(what)
    except ValueError:  # a quotation mark is missing: sway does not accept it either
        return
    for pattern in patterns:
        whole = folder / os.path.expanduser(os.path.expandvars(pattern))  # noqa: PTH111  after the variables
        for found in sorted(glob.glob(str(whole))):  # noqa: PTH207  Path's own needs a relative pattern
            file = Path(os.path.realpath(found))
            if file.is_file():
                yield file
