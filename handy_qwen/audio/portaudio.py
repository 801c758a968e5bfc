"""PortAudio, through sounddevice: one thread makes all calls.

    open, start, close, list  -->  queue  -->  thread "portaudio"  -->  PortAudio

PortAudio has no locks. It sees new devices only after a restart, and restarting while a stream is open or
being opened crashes the process. On Windows, its objects may not work on another thread. So calls are
serialized by ``PortAudio.call``, and a stream counts as open from before its opening until after its closing.

Any call may hang: a headset that is connecting, a sound server that died. A thread inside a library cannot be
killed, and a second copy of PortAudio would hang with the first. So:

* A call that takes longer than its ``limit_s`` while another waits is abandoned with its thread, and a new
  thread takes over the queue. The late call makes no further one; its result reaches whoever still waits.
* While any call is inside, abandoned or not, PortAudio is not restarted: new devices are not seen then, but
  known ones can be opened.
* While starting PortAudio hangs, calls fail with HungError.

So the thread is no ``Worker``: its calls are taken back by callers that have lost patience, and handed on to
the thread that follows. The watchdog sees whether the thread in charge has died. That it hangs is said by
whoever waits for it.

An abandoned call that opens or closes a stream edits PortAudio's own list, two instructions, perhaps while
the new thread does the same. That risk is accepted: the alternative is no microphone until the next login.

Threads: ``call`` blocks; call it on threads that can be abandoned.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Generic, TypeVar

from handy_qwen.audio import com
from handy_qwen.audio.devices import HungError
from handy_qwen.errors import HandyError, MicrophoneError, MicrophoneReason
from handy_qwen.message import Message
from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)

LIMIT_S = 2.0  # Bluetooth headsets take that long to open
CLOSE_LIMIT_S = 0.5  # the next stream waits for it
EXIT_S = 1.0
_UNAVAILABLE = -9985  # paDeviceUnavailable: another program has exclusive use
_ACCESS_DENIED = -2147024891  # HRESULT E_ACCESSDENIED, from WASAPI when the privacy settings forbid it
T = TypeVar("T")
Explain = Callable[[Exception], HandyError]
"""Converts a PortAudioError into one of our errors."""


class _Call(Generic[T]):
    def __init__(self, work: Callable[[ModuleType], T], limit_s: float) -> None:
        self.work = work
        self.limit_s = limit_s
        self.begun_s = math.inf
        self.result: T
        self.error: BaseException | None = None
        self.is_done = False


class PortAudio:
    """The process's only PortAudio, shared by recorder and player.

    Implements ``core.ports.Watched``, of the thread in charge.
    """

    def __init__(self, platform: str = sys.platform) -> None:
        self._platform = platform
        self._state = threading.Condition()  # protects all that follows; never held during a call
        self._queue: deque[_Call[Any]] = deque()
        self._thread: WatchedThread | None = None  # in charge
        self._current: _Call[Any] | None = None  # of ``_thread``
        self._inside = 0  # current calls, on this thread and on abandoned ones
        self._streams = 0
        self._is_starting = False
        self._module: ModuleType | None = None
        self._is_started = False  # PortAudio itself; used by the thread only
        self._is_over = False  # PortAudio was shut down for good

    def call(
        self,
        work: Callable[[ModuleType], T],
        *,
        explain: Explain | None = None,
        limit_s: float | None = None,
        patience_s: float = math.inf,
    ) -> T:
        """Run ``work`` with sounddevice on the thread, and wait for it.

        It should be a single call into PortAudio, as each may hang. Others wait ``limit_s`` for it, by
        default ``LIMIT_S``; the caller ``patience_s``, and what has not begun by then is never done.
        ``explain`` converts a PortAudioError, by default ``worded``.
        MicrophoneError: PortAudio is missing. HungError: its start hangs, or the caller's patience is over.
        HandyError: the call failed.
        """
        call = _Call(work, LIMIT_S if limit_s is None else limit_s)
        with self._state:
            if self._thread is None:
                self._employ()
            self._queue.append(call)
            self._state.notify_all()
            self._wait(call, time.monotonic() + patience_s)
        error = call.error
        if error is None:
            return call.result
        if self._module is not None and isinstance(error, self._module.PortAudioError):
            raise (explain or worded)(error) from error
        raise error

    def load(self, patience_s: float = math.inf) -> None:
        """Start PortAudio before the first key press needs it. Raises MicrophoneError."""
        if self._module is None:
            self.call(lambda _: None, patience_s=patience_s)

    def open_stream(self, make: Callable[[ModuleType], T], explain: Explain | None = None) -> T:
        """Open the stream made by ``make``; it counts as open until ``close_stream``. Raises as ``call``."""

        def work(module: ModuleType) -> T:
            with self._state:
                self._streams += 1
            try:
                return make(module)
            except BaseException:
                self._forget_stream()
                raise

        return self.call(work, explain=explain)

    def close_stream(self, stream: Any) -> None:  # noqa: ANN401 sounddevice is untyped
        """Stop and close a stream. Blocks as long as the sound system hangs."""

        def work(_module: ModuleType) -> None:
            stream.close()
            self._forget_stream()  # here, because the next call may rescan devices

        try:
            self.call(work, limit_s=CLOSE_LIMIT_S)
        except HungError:
            if not self._is_over:  # else it is closed
                raise
            self._forget_stream()

    def _forget_stream(self) -> None:
        with self._state:
            self._streams -= 1

    def refresh(self) -> bool:
        """Rescan devices, if no stream is open and no other call is inside. Only within ``call``.

        Returns whether that was possible.
        """
        module = self._started()
        with self._alone() as is_alone:
            if not is_alone or self._streams:
                return False
            self._is_started = False
            module._terminate()
            module._initialize()
            self._is_started = True
        return True

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Keep other calls from starting. Yields False if one is inside, or this one was abandoned."""
        with self._state:
            is_alone = self._inside == 1 and self._thread is not None and self._thread.is_current()
            self._is_starting |= is_alone
        try:
            yield is_alone
        finally:
            if is_alone:
                with self._state:
                    self._is_starting = False

    # --- for the watchdog --------------------------------------------------------------------------------

    def has_died(self) -> bool:
        """See ``Watched``."""
        thread = self._thread
        return thread is not None and thread.has_died()

    def piece(self) -> int | None:
        """See ``Watched``."""
        thread = self._thread
        return thread.piece() if thread is not None else None

    def own_pieces(self) -> int:
        """See ``Watched``. It does what it is asked for only."""
        return 0

    def revive(self) -> None:
        """See ``Watched``. The calls that wait are still there."""
        thread = self._thread
        if thread is not None:
            thread.revive()

    # --- waiting, under the lock -------------------------------------------------------------------------

    def _wait(self, call: _Call[Any], end_s: float) -> None:
        """Wait for ``call``; if the one before it takes too long, abandon that."""
        while not call.is_done:
            now_s, current = time.monotonic(), self._current
            due_s = end_s
            if current is not None and current is not call and call in self._queue:
                limit_s = current.begun_s + current.limit_s
                if now_s >= limit_s:
                    if self._is_starting:
                        self._withdraw(call)
                    logger.warning("a call into the sound system hangs; going on without it")
                    try:
                        self._employ()
                    except RuntimeError:  # no thread can be started, as at the shutdown of Python 3.12
                        self._withdraw(call)
                    continue
                due_s = min(due_s, limit_s)
            if now_s >= end_s:
                self._withdraw(call)
            self._state.wait(None if due_s == math.inf else due_s - now_s)

    def _withdraw(self, call: _Call[Any]) -> None:
        if call in self._queue:
            self._queue.remove(call)
        raise HungError

    def _employ(self) -> None:
        thread = WatchedThread("portaudio", lambda: self._run(thread))
        thread.start()
        self._current, self._thread = None, thread

    # --- on the thread "portaudio" -----------------------------------------------------------------------

    def _run(self, me: WatchedThread) -> None:
        if self._platform == "win32":
            # PortAudio would otherwise put the thread that starts it into an apartment of its own, and WASAPI
            # objects could not be used on the thread that takes over.
            com.join_apartment()
        while True:
            with self._state:
                self._state.wait_for(lambda: self._queue or self._thread is not me)
                if self._thread is not me:
                    return
                call = self._current = self._queue.popleft()
                call.begun_s = time.monotonic()
                self._inside += 1
                me.begin()
                self._state.notify_all()  # the others now know which call they wait for
            try:
                call.result = call.work(self._started())
            except BaseException as error:  # raised again for the caller
                call.error = error
            with self._state:
                self._inside -= 1
                call.is_done = True
                if self._thread is me:
                    self._current = None
                self._state.notify_all()
            me.end()  # may end the thread
            del call  # and with it the stream it may hold

    def _started(self) -> ModuleType:
        """sounddevice, with PortAudio started."""
        if self._is_over:
            raise HungError  # its open streams were freed
        if self._is_started:
            assert self._module is not None
            return self._module
        with self._alone():  # nothing else can be inside while PortAudio is not running
            if self._module is None:
                self._module = self._loaded()
            else:
                self._module._initialize()  # an earlier start failed
        self._is_started = True
        return self._module

    def _loaded(self) -> ModuleType:
        try:
            import sounddevice  # starts PortAudio, which scans devices: 40 ms and more
        except Exception as error:  # if PortAudio does not start, sounddevice's class is gone with it
            raise MicrophoneError(
                Message("PortAudio, the recording library, is missing or won't start."),
                MicrophoneReason.NO_DEVICE,
                Message("Install it (Debian, Ubuntu: libportaudio2; Fedora: portaudio) and try again."),
            ) from error
        atexit.unregister(sounddevice._exit_handler)  # it would wait for a sound server that hangs
        atexit.register(self._at_exit)
        return sounddevice  # type: ignore[no-any-return,unused-ignore]

    def _at_exit(self) -> None:
        """Stop the callbacks before Python shuts down: a later one would crash the process."""
        is_ended = False
        try:
            is_ended = self.call(self._end, patience_s=EXIT_S)
        except HandyError as error:
            logger.info("PortAudio is left as it is: %s", error.title)
        if self._streams and not is_ended:
            logger.warning("a call into the sound system hangs; the process ends without it")
            logging.shutdown()
            for stream in (sys.stdout, sys.stderr):
                with suppress(AttributeError, OSError, ValueError):  # none, or closed
                    stream.flush()
            os._exit(0)  # all work is done; the rest is the sound system's

    def _end(self, module: ModuleType) -> bool:
        with self._alone() as is_alone:
            if is_alone:
                self._is_over = True
                module._terminate()  # closes open streams
        return is_alone


def worded(error: Exception) -> MicrophoneError:
    """Convert a PortAudioError into one that says what to do.

    Source: ``PaErrorCode`` in portaudio.h, v19.7; args are (text, code, (host API, its code, its text)).
    """
    code = error.args[1] if len(error.args) > 1 else 0
    host_code = error.args[2][1] if len(error.args) > 2 else 0
    if host_code == _ACCESS_DENIED:
        return MicrophoneError(
            Message("Handy Qwen isn't allowed to use the microphone."),
            MicrophoneReason.DENIED_BY_USER,
            Message("Allow desktop apps to use the microphone in the system's privacy settings."),
        )
    if code == _UNAVAILABLE:
        return MicrophoneError(
            Message("Another program is using the microphone."),
            MicrophoneReason.BUSY,
            Message("Close that program, or choose another microphone."),
        )
    return MicrophoneError(
        Message("Can't open the microphone (PortAudio error {code}).", code=code),
        MicrophoneReason.UNRESPONSIVE,
        Message("Check that it is plugged in and that the sound system works, or choose another microphone."),
    )
