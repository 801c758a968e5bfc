"""The recorder's one stream: how it is opened, watched, abandoned and closed.

PortAudio does not report that a microphone is gone: the stream may end, its callbacks may stop, or they may
continue with zeros. Opening and closing block for as long as the sound server hangs. So both run on throwaway
threads, and their results come back to the microphone's thread. Only one opening is waited for; a device that
takes too long to open is avoided until its opening has returned.

Threads: the microphone's, except where noted.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from handy_qwen.audio.devices import Device, Wish, in_order, pick, spared, unresponsive
from handy_qwen.errors import MicrophoneError, MicrophoneReason
from handy_qwen.message import Message

if TYPE_CHECKING:
    from handy_qwen.audio.microphones import InputStream, Microphones

logger = logging.getLogger(__name__)

STALLED_S = 1.0  # without a callback, the stream is dead
FIRST_BLOCK_S = 3.0  # Bluetooth headsets take up to two seconds to start
OPENING_S = 2.5  # they take as long to open; after this another device is used

Work = Callable[[float], None]
"""Runs on the microphone's thread, with the time in seconds."""
Join = Callable[[float], None]
Spawn = Callable[[Callable[[], None], str], Join]
"""Runs a job on a new named thread; returns a function that waits for it, at most so many seconds."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listed:
    """The microphones, and the handles of headsets to avoid because they play."""

    devices: Sequence[Device]
    spared: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class Opening:
    """An attempt to open a stream. Complete once the devices have been listed."""

    device: Device | None = None
    since_s: float = math.inf
    has_other: bool = False  # there is another one to try if this does not open


def spawn(job: Callable[[], None], name: str) -> Join:
    """Run ``job`` on a daemon thread."""
    thread = threading.Thread(target=job, name=name, daemon=True)
    thread.start()
    return thread.join


class MicrophoneConnection:
    """At most one open stream, and at most one pending opening.

    ``do`` runs work on the microphone's thread; any thread may call it. ``on_opened`` gets the opening, its
    stream or None, and why it failed, and must call ``accept``; ``on_listed`` gets the devices, or why there
    is no list. ``spawn`` runs jobs that may hang.
    """

    def __init__(
        self,
        backend: Microphones,
        do: Callable[[Work], None],
        on_opened: Callable[[Opening, InputStream | None, MicrophoneError | None, float], None],
        on_listed: Callable[[Listed | None, MicrophoneError | None, float], None],
        spawn: Spawn = spawn,
    ) -> None:
        self._backend = backend
        self._do = do
        self._on_opened = on_opened
        self._on_listed = on_listed
        self._spawn = spawn
        self._written = 0
        self._progress_s = 0.0
        self._closing: Join | None = None
        self._opening: Opening | None = None
        self._hanging: list[Opening] = []
        self.stream: InputStream | None = None
        self.is_listing = False

    @property
    def hanging(self) -> frozenset[str]:
        """Handles of the devices that take too long to open."""
        return frozenset(opening.device.handle for opening in self._hanging if opening.device is not None)

    def open(self, wish: Wish, avoid: Collection[str] = ()) -> None:
        """Start opening the device chosen by ``pick``, unless an opening is pending."""
        if self._opening is not None:
            return
        opening = self._opening = Opening()
        hanging = self.hanging
        work = partial(self._open, opening, wish, hanging.union(avoid), hanging)
        self._start("microphone-open", work, partial(self._on_opened, opening))

    def _open(
        self, opening: Opening, wish: Wish, avoid: Collection[str], hanging: Collection[str]
    ) -> InputStream:
        """Runs on its own thread."""
        devices = self._backend.devices()
        device = pick(devices, wish.names, avoid, spared(self._backend.playing, devices, wish))
        if device.handle in hanging:  # there is no other
            raise unresponsive(device)
        others = {one.handle for one in in_order(devices, wish.names)} - {device.handle, *avoid}
        opening.has_other = bool(others)
        self._do(partial(self._start_clock, opening, device))
        return self._backend.open(device)

    def _start_clock(self, opening: Opening, device: Device, now_s: float) -> None:
        """Start the time limit ``OPENING_S`` for ``device``."""
        opening.device, opening.since_s = device, now_s

    def give_up_opening(self, now_s: float) -> Device | None:
        """Abandon an opening that takes too long. Returns its device, or None."""
        opening = self._opening
        if opening is None or now_s - opening.since_s <= OPENING_S:
            return None
        self._opening = None
        self._hanging.append(opening)
        return opening.device

    def list(self, wish: Wish) -> None:
        """Start listing the devices. Not to be called while ``is_listing``."""
        self.is_listing = True
        self._start("microphone-list", partial(self._list, wish), self._note_list)

    def _list(self, wish: Wish) -> Listed:
        """Runs on its own thread."""
        devices = self._backend.devices()
        return Listed(devices, spared(self._backend.playing, devices, wish))

    def _note_list(self, listed: Listed | None, error: MicrophoneError | None, now_s: float) -> None:
        self.is_listing = False
        self._on_listed(listed, error, now_s)

    def accept(self, opening: Opening, stream: InputStream | None, now_s: float) -> bool:
        """Use the stream of an opening, also a late one if there is no other; return whether it is used."""
        if opening in self._hanging:
            self._hanging.remove(opening)
            if stream is None or self.stream is not None:
                self._close(stream)
                return False
            if self._opening is not None:
                self._hanging.append(self._opening)  # no longer waited for
        self._opening = None
        self.drop()
        self.stream = stream
        self._written = 0
        self._progress_s = now_s
        return True

    def drop(self) -> None:
        """Close the stream, if there is one, without waiting for that."""
        stream, self.stream = self.stream, None
        self._close(stream)

    def _close(self, stream: InputStream | None) -> None:
        if stream is not None:
            self._closing = self._start("microphone-close", stream.close, lambda *_: None)

    def _start(
        self,
        name: str,
        work: Callable[[], T],
        done: Callable[[T | None, MicrophoneError | None, float], None],
    ) -> Join:
        """Run ``work`` on its own thread, then ``done`` with its result or error on the microphone's."""

        def job() -> None:
            result, error = None, None
            try:
                result = work()
            except MicrophoneError as exc:
                logger.info("%s: %s", name, exc.title)
                error = exc
            except Exception:  # top level of this thread
                logger.exception("%s failed", name)
                error = broken()
            self._do(partial(done, result, error))

        return self._spawn(job, name)

    def watch(self, now_s: float) -> None:
        """Check whether samples have arrived since the last call."""
        if self.stream is not None and self.stream.buffer.written != self._written:
            self._written = self.stream.buffer.written
            self._progress_s = now_s

    def skip_pause(self, stop_s: float) -> None:
        """The process was suspended for ``stop_s``; that does not count as silence."""
        self._progress_s += stop_s
        if self._opening is not None:
            self._opening.since_s += stop_s

    def silent_s(self, now_s: float) -> float:
        """For how long nothing has arrived, as seen by ``watch``."""
        return now_s - self._progress_s

    def is_lost(self, now_s: float) -> bool:
        """Whether the stream is open but dead."""
        if self.stream is None:
            return False
        limit_s = STALLED_S if self._written else FIRST_BLOCK_S
        return self.stream.is_finished or self.silent_s(now_s) > limit_s

    def wait_closed(self, timeout_s: float) -> None:
        """Wait until the last stream is closed."""
        if self._closing is not None:
            self._closing(timeout_s)


def broken() -> MicrophoneError:
    """An unexpected error; the log has the details."""
    return MicrophoneError(
        Message("The microphone failed. See the log for details."),
        MicrophoneReason.UNRESPONSIVE,
        Message("Try again, or choose another microphone."),
    )
