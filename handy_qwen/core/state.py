"""The memory of the dictation cycle: one immutable value, and the turn that makes the next one.

A take goes through these stages and then leaves ``Dictation.takes``, once, as delivered, empty,
cancelled or failed:

    WAITING --> RECORDING --> ENDING --> TRANSCRIBING --> READY --> INSERTING
                           REPLAYING --'        (its sound comes from the history)

Only the last take that is not yet TRANSCRIBING can be WAITING or RECORDING; one is WAITING while the
tail of the take before it is still being heard (ENDING).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field, replace

from handy_qwen.core.effects import Effect
from handy_qwen.core.gestures import Gestures
from handy_qwen.core.types import Entry, Rules, Submit, Target
from handy_qwen.core.view import SETTINGS, Choices, Notice, NoticeKind, Phase, View

NOTICE_S = 6.0  # how long a passing notice is shown
RECENT = 10  # texts kept in memory for the menu


class Stage(enum.IntEnum):
    """How far a take has come."""

    WAITING = enum.auto()
    RECORDING = enum.auto()
    ENDING = enum.auto()
    REPLAYING = enum.auto()
    TRANSCRIBING = enum.auto()
    READY = enum.auto()
    INSERTING = enum.auto()


@dataclass(frozen=True, slots=True)
class Take:
    """One dictation on its way."""

    number: int
    stage: Stage
    since_s: float  # when the stage began
    heard_s: float  # when something louder than the background was last heard
    hotkey: int | None = None  # None: begun through tray or command line
    language: str = ""
    submit: Submit = Submit.OFF
    is_locked: bool = False  # hands-free until the next press
    is_to_end: bool = False  # of a WAITING take: the key came up already
    is_again: bool = False  # no dictation, but a text to be inserted once more
    entry: int = 0  # in the history; 0: none, or not known yet
    is_recovered: bool = False  # an earlier session left it behind: its text is offered, not inserted
    brings: tuple[int, ...] = ()  # takes whose texts, held until now, are inserted with its own
    device: str = ""
    target: Target = field(default_factory=Target)
    focus_by_s: float | None = None  # until when ``target`` may still be told; None: it is known
    committed: str = field(default="", repr=False)
    tentative: str = field(default="", repr=False)
    text: str = field(default="", repr=False)

    @property
    def is_open(self) -> bool:
        """Whether a press would end it: it is being recorded, or about to be."""
        return self.stage is Stage.RECORDING or (self.stage is Stage.WAITING and not self.is_to_end)


@dataclass(frozen=True, slots=True)
class Held:
    """A text that waits because the window it was meant for has lost the focus, or is not known any more."""

    text: str = field(repr=False)
    target: Target
    takes: tuple[int, ...] = ()  # whose text it is


@dataclass(frozen=True, slots=True)
class Insertion:
    """The last text put into a window."""

    text: str = field(repr=False)
    target: Target
    at_s: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A notice, and how long it stays. Of those with the same ``subject`` only the newest does."""

    notice: Notice
    until_s: float
    subject: str = ""
    take: int = 0  # whose entry it waits for, to say ``kept_hint`` then
    kept_hint: str = ""


@dataclass(frozen=True, slots=True)
class Dictation:
    """The whole memory of the machine."""

    is_configured: bool = False  # the settings have come
    is_listening: bool = False  # it is known whether the hotkeys can be listened for
    rules: Rules = field(default_factory=Rules)
    choices: Choices = field(default_factory=Choices)
    gestures: Gestures = field(default_factory=Gestures)
    gestures_wake_s: float | None = None
    is_rehearsing: bool = False  # hotkeys are shown, but begin nothing
    down: frozenset[int] = frozenset()  # hotkeys that are held down
    injected: frozenset[int] = frozenset()  # hotkeys that another program pressed last
    last_take: int = 0
    takes: tuple[Take, ...] = ()  # by number
    held: tuple[Held, ...] = ()  # oldest first
    entries: tuple[tuple[int, int], ...] = ()  # take and entry of what is held or under way
    recent: tuple[str, ...] = field(default=(), repr=False)  # newest first
    last: Insertion | None = None
    unfinished: tuple[Entry, ...] = ()  # left behind by earlier sessions, to be transcribed; oldest first
    cancelled: Take | None = None  # the last one that can be brought back
    failed: Take | None = None  # the last one that can be tried again
    finished: Take | None = None  # the last one that got its text
    has_model: bool = False  # one is loaded
    is_loading: bool = False  # one is being loaded
    engine_s: float = -math.inf  # when the engine was last seen to be at work
    shown: tuple[Shown, ...] = ()  # oldest first
    last_notice: int = 0
    is_escape_watched: bool = False
    wake_at_s: float | None = None

    @property
    def is_key_injected(self) -> bool:
        """Whether another program holds the key of the take being spoken.

        Who inserts a text lets go of held modifiers, and would end that take with it; so texts wait. A
        key on a real keyboard stays down whatever is sent: there nothing waits.
        """
        press = self.gestures.press
        return press is not None and press.hotkey in self.injected


class Turn:
    """One step under way: the state so far and the effects gathered. Lives no longer than the step."""

    def __init__(self, now: Dictation, at_s: float) -> None:
        self.before = now
        self.now = now
        self.at_s = at_s
        self.effects: list[Effect] = []
        self.was_open = self.recorded() is not None  # before this step

    def set(self, **changes: object) -> None:
        """Change fields of the state."""
        self.now = replace(self.now, **changes)  # type: ignore[arg-type]  # checked where the fields are

    def do(self, *effects: Effect) -> None:
        """Ask for effects, after those asked for before."""
        self.effects += effects

    def take(self, number: int) -> Take | None:
        """The take with this number, if it is still on its way."""
        return next((take for take in self.now.takes if take.number == number), None)

    def recorded(self) -> Take | None:
        """The take that a press or release is about: the one being recorded or about to be."""
        return next((take for take in self.now.takes if take.is_open), None)

    def put(self, take: Take) -> None:
        """Store ``take``: in its place if its number is known, else as the last."""
        if self.take(take.number) is None:
            self.set(takes=(*self.now.takes, take))
        else:
            self.set(takes=tuple(take if old.number == take.number else old for old in self.now.takes))

    def enter(self, take: Take, stage: Stage) -> Take:
        """Bring ``take`` to ``stage`` and store it."""
        take = replace(take, stage=stage, since_s=self.at_s)
        self.put(take)
        return take

    def drop(self, take: Take) -> None:
        """Let go of a take that came to its end."""
        self.set(takes=tuple(old for old in self.now.takes if old.number != take.number))

    def number_take(self) -> int:
        """Count one more take and return its number."""
        self.set(last_take=self.now.last_take + 1)
        return self.now.last_take

    def notify(
        self,
        kind: NoticeKind,
        title: str,
        hint: str = "",
        *,
        lasting: str = "",
        take: Take | None = None,
        kept_hint: str = "",
    ) -> None:
        """Show a notice, instead of one that says the same.

        One with a subject (``lasting``) stays until ``settle`` is called for that; so does what is said
        once more while it lasts. As soon as the history has ``take``, which can be later on a slow disk,
        its hint is ``kept_hint``.
        """
        same = [one for one in self.now.shown if (one.notice.kind, one.notice.title) == (kind, title)]
        lasting = lasting or next((one.subject for one in same if one.subject), "")
        self.settle(lasting)
        self.set(shown=tuple(one for one in self.now.shown if one not in same))
        number = self.now.last_notice + 1
        notice = Notice(number, kind, title, hint, is_lasting=bool(lasting), subject=lasting)
        until_s = math.inf if lasting else self.at_s + NOTICE_S
        shown = Shown(notice, until_s, lasting, take.number if take else 0, kept_hint)
        self.set(shown=(*self.now.shown, shown), last_notice=number)
        if take is not None and take.entry:
            self.tell_kept(take.number)

    def tell_kept(self, take: int) -> None:
        """The history has ``take``: what is shown about it says so."""
        self.set(
            shown=tuple(
                replace(one, notice=replace(one.notice, hint=one.kept_hint))
                if one.kept_hint and one.take == take
                else one
                for one in self.now.shown
            )
        )

    def settle(self, subject: str) -> None:
        """Take back the lasting notice about ``subject``: it is mended."""
        self.set(shown=tuple(one for one in self.now.shown if not subject or one.subject != subject))


def view_of(now: Dictation) -> View:
    """All that tray and overlay show of ``now``."""
    dictated = [take for take in now.takes if not take.is_again and not take.is_recovered]
    recorded = next((take for take in dictated if take.is_open), None)
    present = recorded or (dictated[-1] if dictated else None)
    return View(
        phase=_phase(now, recorded),
        is_loading=now.is_loading,
        take=present.number if present else 0,
        began_s=recorded.since_s if recorded else None,
        is_rehearsing=now.is_rehearsing,
        is_key_down=bool(now.down),
        is_locked=recorded.is_locked if recorded else False,
        device=recorded.device if recorded else "",
        language=present.language if present else now.rules.language,
        committed=present.committed if present else "",
        tentative=present.tentative if present else "",
        waiting=sum(not take.is_open for take in dictated),
        notices=tuple(one.notice for one in now.shown),
        can_retry=any(past is not None and past.entry for past in (now.failed, now.finished)),
        can_bring_back=now.cancelled is not None and bool(now.cancelled.entry),
        held=tuple(one.text for one in now.held),
        recent=now.recent,
        choices=now.choices,
    )


def _phase(now: Dictation, recorded: Take | None) -> Phase:
    if recorded is not None:
        return Phase.RECORDING
    shown = [take for take in now.takes if not take.is_recovered]
    if any(take.stage is not Stage.INSERTING or not take.is_again for take in shown):
        return Phase.TRANSCRIBING
    if now.is_loading or not (now.is_configured and now.is_listening):
        return Phase.LOADING
    if any(one.notice.is_lasting and one.subject != SETTINGS for one in now.shown):
        return Phase.PROBLEM
    return Phase.IDLE
