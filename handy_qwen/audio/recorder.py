"""The microphone: takes recorded without losing their first and last words.

    PortAudio --> ring --> thread "microphone": take --> sink
                                 ^        |
       start, stop, cancel, hot-plug      `--> RecordingBegan, MicrophoneChanged, RecordingEnded, Failed

Kept warm, the stream goes on between takes; the ring overwrites itself, and a take begins with the
last half second before the key, as far as no other take has it. After its end was asked for, a take
goes on until speech has ended (tail.py). A device that dies while a take is recorded is given up, and
the take goes on with another, or with the same when it is back; without one it ends with what was
heard. The user's choice of a device is never changed.

Nothing that the sound system may keep waiting runs on the microphone's thread (connection.py), so
the recorder answers whatever hangs. The thread polls, because PortAudio's callback must not wake it:
waking takes a lock.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Sequence

from handy_qwen.audio.connection import Connection, Spawn, spawn
from handy_qwen.audio.cycle import Cycle
from handy_qwen.audio.devices import Backend, Device
from handy_qwen.audio.messages import Cancel, Changed, Close, Configure, Level, Message, Start, Stop
from handy_qwen.audio.tail import IsSpeaking, is_speaking_by_energy
from handy_qwen.core.ports import Post, Sink
from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)

POLL_S = 0.02
POLL_IDLE_S = 0.25


class MicrophoneRecorder:
    """Implements ``core.ports.Recorder``. Any thread may call; only ``close`` waits.

    Args:
        post: Gets the events.
        backend: The sound system.
        device: Name of the microphone; "" is the system's default, which is followed.
        warm_s: How long the stream stays open after a take: 0, seconds, or ``cycle.ALWAYS``.
        on_level: Called on the microphone's thread while a take is recorded, at most 20 times a second.
        on_devices: Called on the microphone's thread with the devices, at first and when they change.
        is_speaking: What decides when the tail of a take is over.
        clock: ``time.monotonic`` or a stand-in.
        spawn: Runs jobs that may hang.
    """

    def __init__(
        self,
        post: Post,
        backend: Backend,
        *,
        device: str = "",
        warm_s: float = 30.0,
        on_level: Callable[[Level], None] = lambda _: None,
        on_devices: Callable[[Sequence[Device]], None] = lambda _: None,
        is_speaking: IsSpeaking = is_speaking_by_energy,
        clock: Callable[[], float] = time.monotonic,
        spawn: Spawn = spawn,
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._connection = Connection(backend, self._inbox.put, spawn)
        self._cycle = Cycle(
            self._connection,
            post,
            configuration=Configure(device, warm_s),
            is_speaking=is_speaking,
            on_level=on_level,
            on_devices=on_devices,
        )
        # Revived, it goes on with the take under way: from the ring, which went on too.
        self.thread = WatchedThread("microphone", self._run)

    def launch(self) -> None:
        """Start the thread. Commands given before are carried out then."""
        self._backend.watch(self.refresh_devices)
        self.refresh_devices()
        self.thread.start()

    def start(self, take: int, sink: Sink) -> None:
        """Begin take ``take``; one that is still running ends here, so that no sound belongs to both."""
        self._inbox.put(Start(take, sink))

    def stop(self, take: int) -> None:
        """End take ``take`` as soon as speech has ended."""
        self._inbox.put(Stop(take))

    def cancel(self, take: int) -> None:
        """End take ``take`` now."""
        self._inbox.put(Cancel(take))

    def configure(self, device: str, warm_s: float) -> None:
        """Use other settings; a take that is being recorded stays with its device."""
        self._inbox.put(Configure(device, warm_s))

    def refresh_devices(self) -> None:
        """Look for devices; ``on_devices`` gets them."""
        self._inbox.put(Changed())

    def level_db(self) -> float:
        """How loud the present take is, in dBFS; -100 while there is none. Implements ``core.view.Meter``."""
        return self._cycle.level.rms_db

    def close(self, timeout_s: float) -> None:
        """End the take, give the device back and end the thread. Waits. Safe to call twice."""
        end_s = time.monotonic() + timeout_s
        self.thread.may_end()
        self._inbox.put(Close())
        self.thread.join(timeout_s)
        self._connection.wait_closed(max(0.0, end_s - time.monotonic()))
        self._backend.close()

    def run_pending(self) -> None:
        """Carry out what is in the inbox, then look at the stream. For tests, instead of the thread."""
        while not self._inbox.empty():
            self._cycle.step(self._inbox.get(), self._clock())
        self._cycle.step(None, self._clock())

    def _run(self) -> None:
        while not self._cycle.is_closed:
            self.thread.end()
            message = self._next()
            self.thread.begin(is_own=message is None)
            try:
                self._cycle.step(message, self._clock())
            except Exception:  # the top of this thread
                logger.exception("the microphone's thread failed; going on")
                self._cycle.give_up(self._clock())

    def _next(self) -> Message | None:
        """Wait for a message; None when it is time to look at the stream."""
        timeout_s = None
        if self._cycle.is_taking:
            timeout_s = POLL_S
        elif self._cycle.is_waiting(self._clock()):
            timeout_s = POLL_IDLE_S
        try:
            return self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return None
