"""Watches the threads, so that the program never hangs silently.

    died or spins  --> restarted, with a notice;  soon after again: a lasting notice with a remedy
    is stuck       --> a lasting notice, removed as soon as it moves

A part spins if it starts one piece of work after another without being asked, keeping a processor busy.

It also notices when the machine has slept, after which a recording must not simply continue.

Failures inside a part (a stream, a connection, a take) are handled there; this is about the threads. A thread
stuck in native code cannot be killed, only reported. Checks are counted, not seconds: a machine that slept,
or a process that was suspended, was not stuck.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from handy_qwen.core.ports import Watched
from handy_qwen.errors import HandyError
from handy_qwen.message import Message, verbatim

logger = logging.getLogger(__name__)

LOOK_S = 2.0  # each check wakes a processor that may sleep
FORGIVEN_LOOKS = 300  # a part that was fine for this long may be restarted once more
SPINNING_LOOKS = 3  # consecutive ones with more than ``Expected.most_own`` unasked pieces of work

Tell = Callable[[str, HandyError | None], None]
"""Reports what is wrong with a part, by its subject; None: it works again."""


class Expected(NamedTuple):
    """The expectations of a part, and what the user reads when it fails."""

    subject: str  # its name in log and notices
    title: Message  # what does not work without it, as the beginning of a sentence
    stuck_s: float  # limit for one piece of work
    remedy: Message = Message("Quit and restart Handy Qwen.")  # what the user can do without it
    most_own: int = 800  # how many pieces it may start unasked between two checks


@dataclass
class Watch:
    """A part, and its history."""

    part: Watched
    expected: Expected
    piece: int | None = field(default=None, init=False)
    looks: int = field(default=0, init=False)  # consecutive ones that saw the same piece
    well: int = field(default=FORGIVEN_LOOKS, init=False)  # looks since it died
    is_lost: bool = field(default=False, init=False)
    is_stuck: bool = field(default=False, init=False)
    own: int = field(default=0, init=False)  # unasked pieces at the last check
    spun: int = field(default=0, init=False)  # consecutive checks with too many of them

    @property
    def subject(self) -> str:
        """Its name in log and notices."""
        return self.expected.subject


class Watchdog:
    """Checks all parts every ``LOOK_S``, on the thread ``watchdog``, where it calls what it is given.

    ``tell`` shows what is wrong, and ``note`` that something works again: title and hint. ``asleep_s``
    returns how long the machine has slept (``app.machine``), and ``has_slept`` gets the seconds after a
    sleep. ``watches`` are the parts.
    """

    def __init__(
        self,
        tell: Tell,
        note: Callable[[Message, Message], None],
        *,
        asleep_s: Callable[[], float] = lambda: 0.0,
        has_slept: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._tell = tell
        self._note = note
        self._asleep_s = asleep_s
        self._has_slept = has_slept
        self._slept_s = asleep_s()
        self.watches: Sequence[Watch] = ()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="watchdog", daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def add(self, watches: Sequence[Watch]) -> None:
        """Watch these as well. Called by one thread at a time."""
        self.watches = (*self.watches, *watches)

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the thread. Safe to call twice."""
        self._is_stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def look(self) -> None:
        """Check all parts once."""
        self._guarded(self._notice_sleep, "sleep of the machine")
        for watch in self.watches:
            self._guarded(partial(self._look_at, watch), watch.subject)

    def _guarded(self, look: Callable[[], None], subject: str) -> None:
        try:
            look()
        except Exception:  # top level of this thread: the others must be checked as well
            logger.exception("the %s could not be checked", subject)

    def _loop(self) -> None:
        while not self._is_stopping.wait(LOOK_S):
            self.look()

    def _notice_sleep(self) -> None:
        before_s, self._slept_s = self._slept_s, self._asleep_s()
        if self._slept_s - before_s >= LOOK_S:
            logger.info("the machine slept for %.0f s", self._slept_s - before_s)
            self._has_slept(self._slept_s - before_s)

    def _look_at(self, watch: Watch) -> None:
        is_dead, is_spinning = watch.part.has_died(), self._is_spinning(watch)
        if is_dead or is_spinning:
            self._start_again(watch, "has died" if is_dead else "spins")
            return
        if watch.spun:
            return  # too early to tell
        watch.well += 1
        if watch.is_lost:  # it came back by itself, as hotkeys do when their settings change
            watch.is_lost = False
            self._tell(watch.subject, None)
        self._look_whether_stuck(watch)

    def _is_spinning(self, watch: Watch) -> bool:
        own = watch.part.own_pieces()
        watch.spun = watch.spun + 1 if own - watch.own > watch.expected.most_own else 0
        watch.own = own
        return watch.spun >= SPINNING_LOOKS

    def _start_again(self, watch: Watch, why: str) -> None:
        if watch.is_lost:
            return
        was_well, watch.well, watch.spun = watch.well >= FORGIVEN_LOOKS, 0, 0
        logger.error("the %s %s%s", watch.subject, why, "" if was_well else " again")
        if was_well:
            try:
                watch.part.revive()
            except HandyError as exc:
                logger.warning("the %s cannot be started again: %s", watch.subject, exc)
            else:
                self._note(
                    Message("{title} stopped working and was restarted.", title=watch.expected.title),
                    Message("See the log for details."),
                )
                return
        watch.is_lost = True
        self._tell(
            watch.subject,
            HandyError(
                Message("{title} stopped working.", title=watch.expected.title), watch.expected.remedy
            ),
        )

    def _look_whether_stuck(self, watch: Watch) -> None:
        piece = watch.part.piece()
        watch.looks = watch.looks + 1 if piece is not None and piece == watch.piece else 0
        watch.piece = piece
        if watch.is_stuck and watch.looks == 0:
            watch.is_stuck = False
            logger.info("the %s moves again", watch.subject)
            self._tell(watch.subject, None)
        elif not watch.is_stuck and watch.looks * LOOK_S >= watch.expected.stuck_s:
            watch.is_stuck = True
            logger.error("the %s has not moved for %.0f s", watch.subject, watch.expected.stuck_s)
            self._tell(
                watch.subject,
                HandyError(
                    Message("{title} isn't responding.", title=watch.expected.title), watch.expected.remedy
                ),
            )


# Translators of these: each goes before "stopped working." and "isn't responding."
# The cycle only hands over; it wakes itself a few times a second, and never more than a hundred.
CYCLE = Expected("dictation", Message("Dictating"), 10.0, most_own=80)
CHORES = Expected("chores", Message("Changing settings"), 120.0)  # to look for models imports the engine
# A portal has 10 s to answer, and then the user 120.
AUTOSTART = Expected("start at login", Message("Changing start at login"), 180.0)
CONTROL = Expected("control socket", Message("The command line"), 30.0)
MICROPHONE = Expected("microphone", Message("The microphone"), 10.0)
PORTAUDIO = Expected("sound library", verbatim("PortAudio"), math.inf)  # whoever waits for it reports it
# Beyond what the cycle allows one text.
INSERT = Expected(
    "insertion", Message("Inserting texts"), 70.0, Message("Copy texts from the menu, or quit and restart.")
)
# A program may take 20 to hand over what it has copied.
CLIPBOARD = Expected("clipboard", Message("The clipboard"), 30.0)
# A run over a minute of sound with a large model on a slow machine takes two.
ENGINE = Expected(
    "engine", Message("The speech engine"), 300.0, Message("Quit and restart. What you said is saved.")
)
HOTKEYS = Expected("hotkey listener", Message("Listening for the hotkeys"), 60.0)
HISTORY = Expected("history", Message("The history"), 60.0)  # a disk that sleeps takes 20
FOCUS = Expected(
    "focus", Message("Finding the focused window"), 10.0, Message("Texts wait in Handy Qwen meanwhile.")
)
LOOKING = Expected("text around the cursor", Message("Reading the text around the cursor"), 10.0)
# On Wayland some steps start a program each.
COPYING = Expected(
    "copying",
    Message("Copying texts"),
    60.0,
    Message("Paste texts from the Handy Qwen menu, or quit and restart."),
)
SETTING = Expected("setting of hotkeys", Message("Setting the hotkeys"), 30.0)  # a portal has 15 s to answer
MODELS = Expected("models", Message("The list of models"), 120.0)  # to look at them imports the engine
# Measuring one shows no sign meanwhile.
MODELS_WORK = Expected("work on models", Message("Installing models"), 600.0)
HISTORY_WINDOW = Expected("history window", Message("The history window"), 120.0)  # an export of all
# As the engine, and a model is loaded first.
HISTORY_RETRY = Expected("transcribing again", Message("Transcribing again"), 300.0)
FILES = Expected("files", Message("The list of files"), 120.0)
# A disk that sleeps, or one far away.
FILES_READ = Expected("reading of files", Message("Transcribing files"), 300.0)
# A check that hangs is given up after 30.
UPKEEP = Expected("upkeep", Message("The check of this computer"), 120.0)
PERMISSIONS = Expected("permissions", Message("Asking for permissions"), math.inf)  # the user may take long
VOCABULARY = Expected("vocabulary", Message("The vocabulary"), 120.0)  # to count tokens imports the engine
# If the sound system hangs, the microphone reports it.
CUES = Expected("cues", Message("The sounds at start and stop"), math.inf)
PLAYBACK = Expected("playback", Message("Playing recordings"), math.inf)
HOTPLUG = Expected("hot-plugging", Message("Noticing new microphones"), 30.0)
POWER = Expected("sleep", Message("Noticing that the computer sleeps"), 30.0)
QUIETING = Expected("other sound", Message("Pausing other sound"), 30.0)


Watchable = Mapping[Expected, Watched | None]
"""Threads by their expectations; None: the thread does not exist here."""


def watches_of(threads: Watchable) -> list[Watch]:
    """The watches over ``threads``."""
    return [Watch(thread, expected) for expected, thread in threads.items() if thread]
