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
import math
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handy_qwen.audio.connection import Chosen, Connection, Listed, Opened, Spawn, broken, spawn
from handy_qwen.audio.devices import Backend, Device, HungError, pick, unresponsive
from handy_qwen.audio.take import SILENCE_DB, TAIL_S, IsSpeaking, Take, is_speaking_by_energy
from handy_qwen.core.events import EndCause, Failed, MicrophoneChanged, RecordingBegan, RecordingEnded
from handy_qwen.core.ports import Post, Sink
from handy_qwen.errors import MicrophoneError
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


logger = logging.getLogger(__name__)

ALWAYS = math.inf  # how long a stream may be kept warm
PREROLL_S = 0.5
TAIL_MIN_S = 0.04  # what the device still held when the end was asked for
OPEN_S = 5.0  # for the first samples of a take, before it fails
LOST_S = 3.0  # without samples after a stream was lost, before the take ends
DEAD_S = 1.0  # of zeros, before the microphone counts as silent
RETRY_S = 0.25
RETRY_IDLE_S = 10.0
LEVEL_S = 0.05
STOPPED_S = 0.5  # between two looks: the whole process was stopped, or the machine slept
SETTLE_S = 0.1  # one unplugging is many changes


class Cycle:
    """The present take, the present stream, and what is to be done about them."""

    def __init__(
        self,
        connection: Connection,
        post: Post,
        *,
        configuration: Configure,
        is_speaking: IsSpeaking,
        on_level: Callable[[Level], None],
        on_devices: Callable[[Sequence[Device]], None],
    ) -> None:
        self._connection = connection
        self._post = post
        self._configuration = configuration
        self._is_speaking = is_speaking
        self._on_level = on_level
        self._on_devices = on_devices
        self._take: Take | None = None
        self._taken = 0  # up to here the ring belongs to earlier takes
        self._is_outdated = False  # another device is to be used as soon as no take is recorded
        self._devices: Sequence[Device] | None = None  # as last told
        self._error: MicrophoneError | None = None  # of the last opening
        self._keep_until_s = ALWAYS if configuration.warm_s == ALWAYS else -math.inf
        self._retry_s = -math.inf
        self._list_s = math.inf
        self._level_s = -math.inf
        self._looked_s = math.inf
        self.level = Level(SILENCE_DB, is_dead=False)
        self.is_closed = False

    @property
    def is_taking(self) -> bool:
        """Whether a take is being recorded, or waits for its stream."""
        return self._take is not None

    def is_waiting(self, now_s: float) -> bool:
        """Whether something may have to be done without a message."""
        return self._connection.stream is not None or now_s < self._keep_until_s or self._list_s < math.inf

    def step(self, message: Message | None, now_s: float) -> None:
        """Carry out ``message``, if there is one, and then whatever is due."""
        self._forgive_stop(now_s)
        self._connection.watch(now_s)
        if message is not None and not self.is_closed:
            self._handle(message, now_s)
        if self.is_closed:
            return
        if self._connection.is_lost(now_s):
            self._lose(now_s)
        if (device := self._connection.give_up_opening(now_s)) is not None:
            self._try_another(device, now_s)
        if self._take is not None:
            self._advance(self._take, now_s)
        if self._take is None:  # perhaps just now
            self._rest(now_s)
        if now_s >= self._list_s and not self._connection.is_listing:
            self._list_s = math.inf
            self._connection.list()

    def give_up(self, now_s: float) -> None:
        """After an error that nobody thought of: no take, no stream, ready for the next start."""
        self._connection.drop()
        self._fail(broken(), now_s)

    def _forgive_stop(self, now_s: float) -> None:
        """After a time in which nothing of this process ran, no stream is dead because nothing came."""
        stop_s, self._looked_s = now_s - self._looked_s, now_s
        if stop_s < STOPPED_S or not (self._take or self._connection.stream):
            return
        self._connection.forgive(stop_s)
        if self._take is not None:
            logger.info("nothing ran for %.1f s; take %d goes on", stop_s, self._take.number)
            self._take.forgive(stop_s)

    # --- messages ----------------------------------------------------------------------------------

    def _handle(self, message: Message, now_s: float) -> None:
        match message:
            case Start():
                self._begin(message, now_s)
            case Stop(number):
                if self._take and self._take.number == number and self._take.stop_s is None:
                    self._take.pull(now_s)
                    self._take.stop_s = now_s
            case Cancel(number):
                if self._take and self._take.number == number:
                    self._end(self._take, EndCause.CANCELLED, now_s)
            case Configure():
                self._configuration = message
                self._keep_until_s = now_s + message.warm_s
                self._list_s = now_s
            case Changed():
                self._list_s = min(self._list_s, now_s + SETTLE_S)
            case Chosen():
                self._connection.note_choice(message, now_s)
            case Opened():
                self._on_opened(message, now_s)
            case Listed(devices):
                self._connection.is_listing = False
                if devices is not None:
                    self._on_listed(devices)
            case Close():
                self._close(now_s)

    def _close(self, now_s: float) -> None:
        if self._take:
            self._end(self._take, EndCause.STOPPED, now_s)
        self._connection.drop()
        self.is_closed = True

    def _begin(self, start: Start, now_s: float) -> None:
        if self._take is not None:
            self._end(self._take, EndCause.STOPPED, now_s)
        take = self._take = Take(start.take, start.sink, now_s)
        self._error = None
        self._retry_s = now_s
        stream = self._connection.stream
        if stream is None or self._connection.is_lost(now_s):
            return  # the step that follows opens one
        end = stream.ring.written
        is_recent = self._connection.silent_s(now_s) <= PREROLL_S  # else it is not what came before the key
        preroll = int(PREROLL_S * stream.rate_hz) if is_recent else 0
        take.attach(stream, max(self._taken, end - preroll, 0))

    def _on_opened(self, opened: Opened, now_s: float) -> None:
        if not self._connection.accept(opened, now_s):
            self._list_s = min(self._list_s, now_s)  # the device that was late may be the one to use
            return
        self._error = opened.error
        take = self._take
        if opened.stream is None:
            self._retry_s = now_s + (RETRY_S if take else RETRY_IDLE_S)
            may_recover = take and (take.is_broken or self._connection.hanging)
            if opened.error is not None and not may_recover:
                self._fail(opened.error, now_s)
            return
        self._taken = 0
        self._list_s = min(self._list_s, now_s + SETTLE_S)  # something may have changed while it was opened
        if take is not None:
            take.attach(opened.stream, 0)

    def _on_listed(self, devices: Sequence[Device]) -> None:
        if devices != self._devices:
            self._devices = devices
            self._on_devices(devices)
        stream = self._connection.stream
        if stream is None:
            return
        used = stream.device.handle
        if all(device.handle != used for device in devices):
            logger.info("the microphone in use is gone")
            stream.is_finished = True  # though the sound server goes on with another in its place
            return
        try:
            wanted = pick(devices, self._configuration.device, self._connection.hanging)
            self._is_outdated = wanted.handle != used
        except MicrophoneError:
            self._is_outdated = False  # a monitor is all there is, and it is in use
        if self._is_outdated and self._take is None:
            self._connection.drop()

    # --- the stream --------------------------------------------------------------------------------

    def _lose(self, now_s: float) -> None:
        """Give up a dead stream."""
        stream, take = self._connection.stream, self._take
        assert stream is not None
        logger.info("the stream of the microphone is dead (finished: %s)", stream.is_finished)
        if take is not None:
            take.detach(now_s)
            take.is_broken = True
            if not stream.is_finished:
                take.avoid.add(stream.device.handle)
        self._connection.drop()
        self._retry_s = now_s

    def _try_another(self, device: Device, now_s: float) -> None:
        """``device`` takes too long to open. There may be another; if not, the error names this one."""
        logger.warning("a microphone does not respond; trying another")
        self._error = unresponsive(device)
        self._retry_s = now_s
        if self._take is not None:
            self._take.unresponsive = device.name

    def _rest(self, now_s: float) -> None:
        """Without a take: keep the stream as long as the settings say, and in it the pre-roll only."""
        stream = self._connection.stream
        if now_s >= self._keep_until_s:
            self._connection.drop()
        elif stream is not None:
            stream.ring.forget(stream.ring.written - int(PREROLL_S * stream.rate_hz))
        elif now_s >= self._retry_s:
            self._connection.open(self._configuration.device)

    # --- the take ----------------------------------------------------------------------------------

    def _advance(self, take: Take, now_s: float) -> None:
        """Carry the present take on, and see whether it is over."""
        if take.pull(now_s):
            self._tell(take)
        if self._connection.stream is None and now_s >= self._retry_s:
            self._connection.open(self._configuration.device, take.avoid)
        self._measure(take, now_s)
        if take.stop_s is not None and self._is_over(take, now_s - take.stop_s):
            self._end(take, EndCause.DEVICE_LOST if take.is_broken else EndCause.STOPPED, now_s)
        elif now_s - take.heard_s > (LOST_S if take.began or take.is_broken else OPEN_S):
            if take.began:
                self._end(take, EndCause.DEVICE_LOST, now_s)
            else:
                self._fail(self._error or HungError(), now_s)

    def _tell(self, take: Take) -> None:
        """New samples have come: say so if they are the first, or the first of another device."""
        if not take.began:
            take.began = True
            self._post(RecordingBegan(take.number, take.device))
        if take.unresponsive not in ("", take.device) or take.told_device not in ("", take.device):
            self._post(MicrophoneChanged(take.number, take.device, take.unresponsive))
        take.unresponsive = ""
        take.told_device = take.device
        take.is_broken = False

    def _measure(self, take: Take, now_s: float) -> None:
        """Tell the level. Zeros may mean that the sound server has moved us to something else: look."""
        is_dead = take.zero_s >= DEAD_S
        if is_dead and not take.has_asked_why:
            take.has_asked_why = True
            self._list_s = now_s
        if now_s - self._level_s >= LEVEL_S and (level_db := take.level_db()) is not None:
            self._level_s = now_s
            self.level = Level(level_db, is_dead)
            self._on_level(self.level)

    def _is_over(self, take: Take, since_stop_s: float) -> bool:
        if since_stop_s >= TAIL_S:
            return True
        return take.tail_s >= TAIL_MIN_S and not self._is_speaking(take.recent())

    def _end(self, take: Take, cause: EndCause, now_s: float) -> None:
        if cause is not EndCause.CANCELLED:
            take.detach(now_s)
        lost, dropped = take.lost_frames, take.overflows
        if lost or dropped:
            logger.warning(
                "take %d has gaps: %d frames, and %d overflows of the device", take.number, lost, dropped
            )
        self._release(now_s)
        self._post(RecordingEnded(take.number, cause, take.duration_s, take.is_dead))

    def _fail(self, error: MicrophoneError, now_s: float) -> None:
        take = self._take
        if take is not None:
            self._release(now_s)
            self._post(Failed(take.number, error))

    def _release(self, now_s: float) -> None:
        """The take is over: keep its sound out of the next one, and the stream for a while."""
        self._take = None
        self._taken = self._connection.stream.ring.written if self._connection.stream else 0
        self._keep_until_s = now_s + self._configuration.warm_s
        self.level = Level(SILENCE_DB, is_dead=False)
        if self._is_outdated:
            self._connection.drop()


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a take is. ``is_dead``: nothing but zeros for ``cycle.DEAD_S``, so muted or unplugged."""

    rms_db: float  # dBFS; -100 is silence
    is_dead: bool


@dataclass(frozen=True, slots=True)
class Start:
    """Begin take ``take``."""

    take: int
    sink: Sink


@dataclass(frozen=True, slots=True)
class Stop:
    """End take ``take`` when speech has ended."""

    take: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """End take ``take`` now."""

    take: int


@dataclass(frozen=True, slots=True)
class Configure:
    """Use the device named ``device`` ("": the default), and keep it for ``warm_s`` after a take."""

    device: str
    warm_s: float


@dataclass(frozen=True, slots=True)
class Changed:
    """Devices may have come or gone."""


@dataclass(frozen=True, slots=True)
class Close:
    """The program ends."""


Message = Start | Stop | Cancel | Configure | Changed | Close | Chosen | Opened | Listed
