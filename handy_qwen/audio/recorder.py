"""The microphone: records takes without losing their first and last words.

    PortAudio --> buffer --> thread "microphone": take --> sink
                                  ^        |
        start, stop, cancel, hot-plug      `--> RecordingBegan, Heard, Muted, MicrophoneChanged,
                                               RecordingEnded, Failed

A warm stream stays open between takes, and a take begins with the last half second before the key press,
unless an earlier take has it. Between takes somebody may listen (``listen``): the microphone page. After the
end was requested, a take continues until speech has ended (take.py). If its device dies, a take continues
with another, or with the same when it is back; without one it ends with what was recorded. The user's choice
of a device is never changed.

Nothing that the sound system may delay runs on the microphone's thread (connection.py), so the recorder
always responds. The thread polls, because PortAudio's callback must not wake it: that takes a lock.
"""

from __future__ import annotations

import atexit
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from handy_qwen.audio.connection import Listed, MicrophoneConnection, Opening, Spawn, Work, broken, spawn
from handy_qwen.audio.devices import (
    Device,
    HungError,
    Wish,
    in_order,
    no_microphone,
    pick,
    unresponsive,
)
from handy_qwen.audio.take import LISTENING, SILENCE_DB, TAIL_S, Take
from handy_qwen.core.events import (
    EndCause,
    Event,
    Failed,
    Heard,
    MicrophoneChanged,
    Muted,
    RecordingBegan,
    RecordingEnded,
)
from handy_qwen.core.ports import Post, Sink
from handy_qwen.core.types import RATE_HZ, Samples
from handy_qwen.errors import HandyError, MicrophoneError, MicrophoneReason
from handy_qwen.runtime.worker import Worker

if TYPE_CHECKING:
    from handy_qwen.audio.microphones import InputStream, Microphones

logger = logging.getLogger(__name__)

ALWAYS = math.inf  # keep the stream open for good
POLL_S = 0.02
POLL_IDLE_S = 0.25
PREROLL_S = 0.5
TAIL_MIN_S = 0.04  # what the device still held when the end was requested
OPEN_S = 5.0  # for the first samples of a take, before it fails
LOST_S = 3.0  # without samples after a stream was lost, before the take ends
DEAD_S = 1.0  # of digital silence, before checking whether the microphone is still there
MUTED_S = 1.5  # of digital silence before Muted is posted: some headsets take a second to start
HEARD_EVERY_S = 0.5
RETRY_S = 0.25
RETRY_IDLE_S = 10.0
ASK_IDLE_S = 300.0  # the longest interval between two scans for a microphone
RETRY_LISTENING_S = 2.0
TROUBLE_S = 2.0  # a device that changes its profile disappears for a moment
HEADSET_S = 5.0  # interval of checking whether a headset plays, while a microphone is kept open
STOPPED_S = 0.5  # between two rounds: the process was suspended, or the machine slept
SETTLE_S = 0.1  # unplugging causes many changes
EXIT_S = 1.0


class _Listener:
    """Listens between takes, and keeps the last half second for the next take."""

    def __init__(self, sink: Sink, post: Post) -> None:
        self.post = post
        self._sink = sink
        self._blocks: deque[Samples] = deque()
        self._kept = 0  # samples in the blocks

    def hear(self, block: Samples) -> None:
        self._blocks.append(block)
        self._kept += len(block)
        while self._kept - len(self._blocks[0]) >= PREROLL_S * RATE_HZ:
            self._kept -= len(self._blocks.popleft())
        self._sink(block)

    def take_out(self) -> Samples:
        """Remove and return the last half second."""
        blocks = [np.zeros(0, np.float32), *self._blocks]
        self._blocks.clear()
        self._kept = 0
        return np.concatenate(blocks)[-int(PREROLL_S * RATE_HZ) :]


class MicrophoneRecorder:
    """Implements ``core.ports.Recorder``. Any thread may call; only ``close`` waits.

        no stream --open--> opening --> warm <--> taking
            ^                             |          |
            `------- idle, lost ----------+--- lost -'

    Takes and streams are independent: a take may wait for a stream, outlive its first one, and end without; a
    stream may be kept between takes.

    After a take, the stream stays open for ``warm_s``: 0, seconds, or ``ALWAYS``. On the microphone's thread,
    ``on_devices`` is called with the devices, at first and when they or the headsets to avoid change;
    ``on_trouble`` when there has been no microphone for more than a moment, and with None when there is one
    again. ``spawn`` runs jobs that may hang.
    """

    def __init__(
        self,
        post: Post,
        backend: Microphones,
        *,
        wish: Wish = Wish(),  # noqa: B008  it cannot change
        warm_s: float = 30.0,
        on_devices: Callable[[Listed], None] = lambda _: None,
        on_trouble: Callable[[MicrophoneError | None], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        spawn: Spawn = spawn,
    ) -> None:
        self._post = post
        self._backend = backend
        self._wish = wish
        self._warm_s = warm_s
        self._on_devices = on_devices
        self._on_trouble = on_trouble
        self._clock = clock
        self._connection = MicrophoneConnection(backend, self._do, self._on_opened, self._on_listed, spawn)
        self._take: Take | None = None
        self._listener: _Listener | None = None
        self._is_outdated = False  # open another stream as soon as no take is recorded
        self._closed_for = 0  # the change of devices for which the stream was last closed, and when
        self._closed_s = -math.inf
        self._listed: Listed | None = None  # as last reported
        self._troubled_s = math.inf  # since when there is no microphone
        self._trouble = ""  # as last reported
        self._error: MicrophoneError | None = None  # of the last opening
        self._keep_until_s = ALWAYS if warm_s == ALWAYS else -math.inf
        self._retry_s = -math.inf
        self._list_s = math.inf
        self._poll_s = math.inf  # when to check for a microphone
        self._asked_s = -math.inf  # when the list was last requested
        self._looked_s = math.inf
        self._level_db = SILENCE_DB
        self._is_closed = False
        # Revived, it continues with the current take, from the buffer, which kept filling.
        self.thread = Worker(
            "microphone", routine=partial(self._step, None), pause_s=self._pause_s, on_error=self._give_up
        )

    def launch(self) -> None:
        """Start the thread. Earlier commands are carried out then."""
        self._backend.watch(self.refresh_devices)
        self.refresh_devices()
        # If Python shut down while the thread is in libsoxr, without ``close``, the process would crash.
        atexit.register(self.thread.stop, EXIT_S)
        self.thread.start()

    def start(self, take: int, sink: Sink) -> None:
        """Begin take ``take``; a running one ends here, so that no audio belongs to both."""
        self._do(partial(self._start, take, sink))

    def stop(self, take: int) -> None:
        """End take ``take`` as soon as speech has ended."""
        self._do(partial(self._stop, take))

    def cancel(self, take: int) -> None:
        """End take ``take`` now."""
        self._do(partial(self._cancel, take))

    def configure(self, wish: Wish, warm_s: float) -> None:
        """Use new settings; a take that is being recorded stays with its device."""
        self._do(partial(self._configure, wish, warm_s))

    def listen(self, sink: Sink, post: Post) -> None:
        """Pass the microphone's audio to ``sink`` from now on, whenever no take is recorded.

        Both are called on the microphone's thread. ``post`` gets the events of takes called ``LISTENING``:
        each ends when a real take begins (STOPPED), to continue with another microphone (CANCELLED), or by
        a failure.
        """
        self._do(partial(self._listen, _Listener(sink, post)))

    def stop_listening(self) -> None:
        """Stop listening: the microphone is closed at once, unless it is kept warm after a take."""
        self._do(partial(self._listen, None))

    def refresh_devices(self) -> None:
        """Scan for devices; ``on_devices`` gets them."""
        self._do(self._list_soon)

    def wake(self) -> None:
        """The machine has slept, or was locked: reopen the microphone, unless a take is recorded."""
        self._do(self._wake)

    def level_db(self) -> float:
        """The current level, in dBFS; -100 while nothing is recorded. Implements ``core.view.Meter``."""
        return self._level_db

    def is_recording(self) -> bool:
        """Whether a take is recorded. Any thread."""
        take = self._take
        return take is not None and not take.is_listening

    def close(self, timeout_s: float) -> None:
        """End the take, release the device and end the thread. Waits. Safe to call twice."""
        end_s = time.monotonic() + timeout_s
        self._do(self._close)
        self.thread.stop(timeout_s)
        if not self.thread.is_alive():
            atexit.unregister(self.thread.stop)
        self._connection.wait_closed(max(0.0, end_s - time.monotonic()))
        self._backend.close()

    def run_pending(self) -> None:
        """Handle the inbox, then check the stream. For tests, instead of the thread."""
        self.thread.run_pending()
        self._step(None)

    # --- on the microphone's thread --------------------------------------------------------------------

    def _do(self, work: Work) -> None:
        self.thread.do(partial(self._step, work))

    def _pause_s(self) -> float | None:
        """How long to wait for a call at most; None: forever."""
        if self._take is not None:
            return POLL_S
        now_s = self._clock()
        if self._connection.stream or now_s < self._keep_until_s or self._listener:
            return POLL_IDLE_S
        due_s = min(self._list_s, self._poll_s)
        return max(POLL_IDLE_S, due_s - now_s) if due_s < math.inf else None

    def _step(self, work: Work | None) -> None:
        now_s = self._clock()
        self._notice_pause(now_s)
        self._connection.watch(now_s)
        if work is not None and not self._is_closed:
            work(now_s)
        if self._is_closed:
            return
        if self._connection.is_lost(now_s):
            self._lose(now_s)
        if (device := self._connection.give_up_opening(now_s)) is not None:
            self._try_another(device, now_s)
        if self._take is not None:
            self._advance(self._take, now_s)
        if self._take is None:  # it may have just ended
            self._rest(now_s)
        if now_s >= self._poll_s:
            self._poll(now_s)
        if now_s >= self._list_s and not self._connection.is_listing:
            self._list_s, self._asked_s = math.inf, now_s
            self._connection.list(self._wish)

    def _give_up(self, _error: HandyError) -> None:
        """After an unexpected error: no take, no stream, ready for the next start."""
        self._connection.drop()
        self._fail(broken(), self._clock())

    def _notice_pause(self, now_s: float) -> None:
        """The process was suspended or the machine slept: extend all deadlines."""
        stop_s, self._looked_s = now_s - self._looked_s, now_s
        if stop_s < STOPPED_S or not (self._take or self._connection.stream):
            return
        self._connection.skip_pause(stop_s)
        if self._take is not None:
            logger.info("nothing ran for %.1f s; take %d goes on", stop_s, self._take.number)
            self._take.skip_pause(stop_s)

    def _start(self, number: int, sink: Sink, now_s: float) -> None:
        before = np.zeros(0, np.float32)
        if self._take is not None:
            is_listening = self._take.is_listening
            self._end(self._take, EndCause.STOPPED, now_s)
            if is_listening and self._listener is not None:
                before = self._listener.take_out()
        take = self._take = Take(number, sink, now_s)
        self._error = None
        self._retry_s = now_s
        stream = self._connection.stream
        if stream is None or self._connection.is_lost(now_s):
            return  # the next step opens one
        is_recent = self._connection.silent_s(now_s) <= PREROLL_S  # else it is older than the key press
        if is_recent:
            take.hand_on(before)
        stream.buffer.keep(int(PREROLL_S * stream.rate_hz) if is_recent else 0)
        take.attach(stream, is_fresh=False)

    def _stop(self, number: int, now_s: float) -> None:
        if self._take and self._take.number == number and self._take.stop_s is None:
            self._take.pull(now_s)
            self._take.stop_s = now_s

    def _cancel(self, number: int, now_s: float) -> None:
        if self._take and self._take.number == number:
            self._end(self._take, EndCause.CANCELLED, now_s)

    def _configure(self, wish: Wish, warm_s: float, now_s: float) -> None:
        self._wish = wish
        self._warm_s = warm_s
        self._keep_until_s = ALWAYS if warm_s == ALWAYS else min(self._keep_until_s, now_s + warm_s)
        self._list_s = now_s

    def _listen(self, listener: _Listener | None, now_s: float) -> None:
        if self._take is not None and self._take.is_listening:
            self._end(self._take, EndCause.CANCELLED, now_s)
        self._listener = listener
        self._retry_s = now_s

    def _list_soon(self, now_s: float) -> None:
        self._list_s = min(self._list_s, now_s + SETTLE_S)

    def _wake(self, now_s: float) -> None:
        if self._take is not None and self._take.is_listening:
            self._end(self._take, EndCause.CANCELLED, now_s)
        if self._take is None:
            self._connection.drop()
            self._retry_s = now_s
        self._list_soon(now_s)

    def _close(self, now_s: float) -> None:
        if self._take:
            self._end(self._take, EndCause.STOPPED, now_s)
        self._connection.drop()
        self._is_closed = True

    # --- the stream --------------------------------------------------------------------------------

    def _on_opened(
        self, opening: Opening, stream: InputStream | None, error: MicrophoneError | None, now_s: float
    ) -> None:
        if not self._connection.accept(opening, stream, now_s):
            self._list_s = min(self._list_s, now_s)  # the late device may be the one to use
            return
        self._error = error
        take = self._take
        if stream is None and take is not None and opening.device is not None and opening.has_other:
            take.avoid.add(opening.device.handle)
            take.unresponsive = opening.device.name
            self._retry_s = now_s
            self._list_soon(now_s)  # it may be gone, unreported
            return
        if stream is None:
            self._retry_s = now_s + (RETRY_S if take else RETRY_IDLE_S)
            may_recover = take and (take.is_broken or self._connection.hanging)
            if error is not None and not may_recover:
                self._fail(error, now_s)
            return
        self._list_soon(now_s)  # devices may have changed during the opening
        if take is not None:
            take.attach(stream, is_fresh=True)

    def _on_listed(self, listed: Listed | None, error: MicrophoneError | None, now_s: float) -> None:
        if listed is not None and not in_order(listed.devices, self._wish.names):
            error = no_microphone()
        self._note_trouble(error, now_s)
        if listed is None:
            return
        if listed != self._listed:
            self._listed = listed
            self._retry_s = min(self._retry_s, now_s)  # what failed before may work now
            self._on_devices(listed)
        stream = self._connection.stream
        unseen = self._backend.unseen
        if stream is None:
            if unseen:  # the stream closed for it is still closing, or something plays
                self._list_s = min(self._list_s, now_s + TROUBLE_S)
            return
        used = stream.device.handle
        if all(device.handle != used for device in listed.devices):
            logger.info("the microphone in use is gone")
            stream.is_finished = True  # though the sound server continues with another one
            return
        try:
            wanted = pick(listed.devices, self._wish.names, self._connection.hanging, listed.spared)
            self._is_outdated = wanted.handle != used or self._must_close_for(unseen, now_s)
        except MicrophoneError:
            self._is_outdated = False  # only a monitor is left, and it is in use
        if self._is_outdated and self._take is not None and self._take.is_listening:
            self._end(self._take, EndCause.CANCELLED, now_s)
        elif self._is_outdated and self._take is None:
            self._drop_outdated(now_s)

    def _must_close_for(self, unseen: int, now_s: float) -> bool:
        """Whether the stream must be closed so that a change of devices can be seen.

        Once per change: if something else keeps PortAudio from rescanning, closing again would not help. And
        not too often: opening a headset may itself change something.
        """
        if unseen <= self._closed_for:
            return False
        again_s = self._closed_s + RETRY_IDLE_S
        if now_s < again_s:
            self._list_s = min(self._list_s, again_s)
        return now_s >= again_s

    def _note_trouble(self, error: MicrophoneError | None, now_s: float) -> None:
        """Report that there is no microphone, once that has lasted, and when it is over."""
        if error is not None:
            self._troubled_s = min(self._troubled_s, now_s)
            lasts = now_s - self._troubled_s >= TROUBLE_S
            if lasts and error.reason is MicrophoneReason.NO_DEVICE:
                self._poll_s = now_s + RETRY_IDLE_S
            else:  # only a request shows whether a sound system responds again
                self._list_s = min(self._list_s, now_s + (RETRY_IDLE_S if lasts else TROUBLE_S))
            if not lasts:
                return
        else:
            self._troubled_s = self._poll_s = math.inf
        title = error.title if error is not None else ""
        if title != self._trouble:
            self._trouble = title
            self._on_trouble(error)

    def _poll(self, now_s: float) -> None:
        """There is no microphone: scan again if there may be one by now; scanning is expensive."""
        self._poll_s = now_s + RETRY_IDLE_S
        if self._backend.has_news():
            self._list_s = self._troubled_s = now_s  # and again a little later: it may not be ready yet
        elif now_s - self._asked_s >= ASK_IDLE_S:
            self._list_s = now_s

    def _lose(self, now_s: float) -> None:
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
        """``device`` takes too long to open. Try another one; if there is none, the error names this one."""
        logger.warning("a microphone does not respond; trying another")
        self._error = unresponsive(device)
        self._retry_s = now_s
        if self._take is not None:
            self._take.unresponsive = device.name

    def _rest(self, now_s: float) -> None:
        """Without a take: serve a listener, or keep the stream, and its pre-roll, for a while."""
        stream = self._connection.stream
        if self._listener is not None:
            if now_s >= self._retry_s:
                self._begin_listening(self._listener, now_s)
        elif now_s >= self._keep_until_s:
            self._connection.drop()
            if stream is not None and self._backend.unseen:
                self._list_soon(now_s)
        elif stream is not None:
            stream.buffer.keep(int(PREROLL_S * stream.rate_hz))
            self._watch_headsets(now_s)
        elif now_s >= self._retry_s:
            self._connection.open(self._wish)

    def _begin_listening(self, listener: _Listener, now_s: float) -> None:
        listener.take_out()
        take = self._take = Take(LISTENING, listener.hear, now_s)
        self._error = None
        stream = self._connection.stream
        if stream is not None and not self._connection.is_lost(now_s):
            stream.buffer.keep(0)
            take.attach(stream, is_fresh=False)

    def _watch_headsets(self, now_s: float) -> None:
        """Poll whether music plays on headsets: that is not reported."""
        devices = self._listed.devices if self._listed is not None else ()
        if self._wish.avoids_headsets and any(device.is_headset for device in devices):
            self._list_s = min(self._list_s, now_s + HEADSET_S)

    # --- the take ----------------------------------------------------------------------------------

    def _advance(self, take: Take, now_s: float) -> None:
        """Continue the current take, and check whether it is over."""
        if take.pull(now_s):
            self._level_db = take.level_db()
            self._report_device(take)
            self._report_activity(take, now_s)
        if self._connection.stream is None and now_s >= self._retry_s:
            self._connection.open(self._wish, take.avoid)
        if take.still_s >= DEAD_S and not take.has_asked_why:  # the sound server may have moved us
            take.has_asked_why = True
            self._list_s = now_s
        if take.stop_s is not None and self._is_over(take, now_s - take.stop_s):
            self._end(take, EndCause.DEVICE_LOST if take.is_broken else EndCause.STOPPED, now_s)
        elif now_s - take.heard_s > (LOST_S if take.began or take.is_broken else OPEN_S):
            if take.began:
                self._end(take, EndCause.DEVICE_LOST, now_s)
            else:
                self._fail(self._error or HungError(), now_s)

    def _report_device(self, take: Take) -> None:
        """New samples have arrived: report the first of the take, and the first from another device."""
        if not take.began:
            take.began = True
            self._tell(take, RecordingBegan(take.number, take.device))
        if take.unresponsive not in ("", take.device) or take.reported_device not in ("", take.device):
            self._tell(take, MicrophoneChanged(take.number, take.device, take.unresponsive))
        take.unresponsive = ""
        take.reported_device = take.device
        take.is_broken = False

    def _report_activity(self, take: Take, now_s: float) -> None:
        if now_s >= take.next_heard_s and take.is_speaking():
            take.next_heard_s = now_s + HEARD_EVERY_S
            self._tell(take, Heard(take.number, now_s))
        if take.is_muted != (take.still_s >= MUTED_S):
            take.is_muted = not take.is_muted
            self._tell(take, Muted(take.number, take.is_muted))

    def _is_over(self, take: Take, since_stop_s: float) -> bool:
        if since_stop_s >= TAIL_S:
            return True
        return take.tail_s >= TAIL_MIN_S and not take.is_speaking()

    def _end(self, take: Take, cause: EndCause, now_s: float) -> None:
        if cause is not EndCause.CANCELLED:
            take.detach(now_s)
        lost, overflows = take.dropped_frames, take.overflows
        if lost or overflows:
            logger.warning("take %d has gaps: %d frames, %d overflows", take.number, lost, overflows)
        self._release(take, now_s)
        is_dead = take.is_silent and take.duration_s > 0
        self._tell(take, RecordingEnded(take.number, cause, take.duration_s, is_dead))

    def _fail(self, error: MicrophoneError, now_s: float) -> None:
        take = self._take
        if take is not None:
            self._release(take, now_s)
            if take.is_listening:
                self._retry_s = now_s + RETRY_LISTENING_S
            self._tell(take, Failed(take.number, error))

    def _release(self, take: Take, now_s: float) -> None:
        """The take is over: keep its audio out of the next one, and the stream for a while."""
        self._take = None
        if not take.is_listening:
            self._keep_until_s = now_s + self._warm_s
            if self._connection.stream is not None:
                self._connection.stream.buffer.keep(0)
        self._level_db = SILENCE_DB
        if self._is_outdated:
            self._drop_outdated(now_s)

    def _drop_outdated(self, now_s: float) -> None:
        """Close the stream to rescan the devices."""
        self._connection.drop()
        if unseen := self._backend.unseen:
            self._closed_for, self._closed_s = unseen, now_s
        self._list_soon(now_s)

    def _tell(self, take: Take, event: Event) -> None:
        if not take.is_listening:
            self._post(event)
        elif self._listener is not None:
            self._listener.post(event)
