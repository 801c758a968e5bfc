"""The state of the dictation cycle: one immutable value, the turn that makes the next one, and its view.

A take goes through these stages and then leaves ``Dictation.takes``, once, as delivered, empty,
cancelled or failed:

    WAITING --> RECORDING --> ENDING --> TRANSCRIBING --> READY --> INSERTING
                           REPLAYING --'        (its sound comes from the history)

Only the last take that is not yet TRANSCRIBING can be WAITING or RECORDING; one is WAITING while the
tail of the take before it is still being recorded (ENDING).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from handy_qwen.core.effects import Effect
from handy_qwen.core.events import TextAroundNoted, Transcribed
from handy_qwen.core.gestures import Gestures
from handy_qwen.core.types import (
    Entry,
    Hotkey,
    KeyOffer,
    KeyPermission,
    Profile,
    Rules,
    Submit,
    Target,
)
from handy_qwen.core.view import CLIPBOARD, ESCAPE, SETTINGS, Choices, Notice, NoticeKind, Phase, Remedy, View
from handy_qwen.message import Message

NOTICE_S = 6.0  # how long a passing notice is shown
_REMEDIES = {  # unless a notice has its own
    NoticeKind.HELD: Remedy.PASTE,
    NoticeKind.DEAD_MICROPHONE: Remedy.SETTINGS,
    NoticeKind.MICROPHONE_LOST: Remedy.SETTINGS,
}
NO_PROFILE = Profile("")
RECENT = 10  # texts kept for the menu


class Stage(enum.IntEnum):
    """The stage of a take."""

    WAITING = enum.auto()
    RECORDING = enum.auto()
    ENDING = enum.auto()
    REPLAYING = enum.auto()
    TRANSCRIBING = enum.auto()
    READY = enum.auto()
    INSERTING = enum.auto()


@dataclass(frozen=True, slots=True)
class Take:
    """A dictation in progress."""

    number: int
    stage: Stage
    since_s: float  # when the stage began
    heard_s: float  # when something louder than the background was last heard
    hotkey: int | None = None  # None: begun through the tray or command line
    language: str = ""
    submit: Submit = Submit.OFF
    is_to_end: bool = False  # of a WAITING take: the key is already up
    is_again: bool = False  # not a dictation, but a text inserted again
    is_recovered: bool = False  # left behind by an earlier session: its text is offered, not inserted
    brings: tuple[int, ...] = ()  # takes whose held texts are inserted with its own
    device: str = ""
    profile: Profile = NO_PROFILE  # of the target program
    target: Target = field(default_factory=Target)
    focus_by_s: float | None = None  # deadline for the report of ``target``; None: it is known
    seen_s: float = math.inf  # when the text around the cursor was read; inf: it was not
    otherwise: str = field(default="", repr=False)  # its text, if that context has changed since
    committed: str = field(default="", repr=False)
    tentative: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    unfilled: Transcribed | None = None  # waits for the values of its placeholders
    scratches: int = 0  # how often to delete what was inserted before; see ``commands.Obeyed``
    is_scratched_again: bool = False
    touched_s: float | None = None  # see FocusNoted
    erased: str = field(default="", repr=False)  # what is to be deleted of the texts before
    leaves: tuple[Take, ...] = ()  # ``Dictation.there`` without what it deletes

    @property
    def is_open(self) -> bool:
        """Whether a press would end it: it is being recorded, or about to be."""
        return self.stage is Stage.RECORDING or (self.stage is Stage.WAITING and not self.is_to_end)

    @property
    def has_sound(self) -> bool:
        """Whether anything was recorded, as far as is known."""
        return self.stage is not Stage.RECORDING or bool(self.device)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its own number, and those of the takes whose texts it includes."""
        return (self.number, *self.brings)


@dataclass(frozen=True, slots=True)
class Dictation:
    """The whole state."""

    were_hotkeys_answered: bool = False  # whether the hotkeys work is known, or there are none
    hotkeys_asked: tuple[Hotkey, ...] | None = None  # requested; None once that is answered
    rules: Rules = field(default_factory=Rules)
    choices: Choices = field(default_factory=Choices)
    gestures: Gestures = field(default_factory=Gestures)
    is_rehearsing: bool = False  # hotkeys are shown, but begin nothing
    desktop_keys: tuple[str, ...] | None = None  # see View
    cancel_key: str = ESCAPE  # see View
    key_offer: KeyOffer | None = None
    key_permission: KeyPermission = KeyPermission.NOT_NEEDED  # to insert texts
    last_take: int = 0
    takes: tuple[Take, ...] = ()  # by number
    held: tuple[Take, ...] = ()  # held texts: the window lost the focus, or is unknown; oldest first
    entries: Mapping[int, int] = field(default_factory=dict)  # of takes that may be needed -> in the history
    recent: tuple[str, ...] = field(default=(), repr=False)  # newest first
    heard: tuple[str, str] = field(default=("", ""), repr=False)  # see View
    there: tuple[Take, ...] = ()  # whose texts are in a window, one after the other with nothing between
    around: TextAroundNoted | None = None  # what the next text will continue, until it is inserted
    application: str = ""  # target of the latest take
    has_scratched: bool = False  # the last take consisted of "scratch that" alone
    unfinished: tuple[Entry, ...] = ()  # left behind by earlier sessions, to be transcribed; oldest first
    cancelled: Take | None = None  # the last one that can be restored
    failed: Take | None = None  # the last one that can be retried
    finished: Take | None = None  # the last one that got its text
    has_model: bool = False  # one is loaded
    is_loading: bool = False  # one is being loaded
    engine_s: float = -math.inf  # when the engine last reported progress
    notices: tuple[Notice, ...] = ()  # oldest first
    last_notice: int = 0
    is_escape_watched: bool = False
    watched_lock: str = ""  # the key that would lock the take, while it is watched
    wake_at_s: float | None = None  # when the controller must post Ticked

    @property
    def is_key_injected(self) -> bool:
        """Whether another program holds the key of the take being recorded.

        Inserting a text releases held modifiers and would end that take, so texts wait. A key on a real
        keyboard stays down whatever is sent: no need to wait.
        """
        return self.gestures.press is not None and self.gestures.press.is_injected

    @property
    def recorded(self) -> Take | None:
        """The take that a press or release is about: the one being recorded or about to be."""
        return next((take for take in self.takes if take.is_open), None)

    def entry_of(self, take: Take | None) -> int:
        """The history's entry of ``take``; 0: none, or not known yet."""
        return self.entries.get(take.number, 0) if take is not None else 0


class Turn:
    """One step: the state so far and the effects collected. Lives no longer than the step."""

    def __init__(self, now: Dictation, at_s: float) -> None:
        self.before = now
        self.now = now
        self.at_s = at_s
        self.effects: list[Effect] = []

    def set(self, **changes: object) -> None:
        """Change fields of the state."""
        self.now = replace(self.now, **changes)  # type: ignore[arg-type]  # checked where the fields are

    def do(self, *effects: Effect) -> None:
        """Add effects."""
        self.effects += effects

    def take(self, number: int, *stages: Stage) -> Take | None:
        """The take with this number, if it is in progress, and in one of ``stages`` if any are given."""
        found = next((take for take in self.now.takes if take.number == number), None)
        return found if found is not None and (not stages or found.stage in stages) else None

    def number_take(self) -> int:
        """Allocate the number of a new take."""
        self.set(last_take=self.now.last_take + 1)
        return self.now.last_take

    def put(self, take: Take) -> None:
        """Store ``take``: in place if its number is known, else as the last."""
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
        """Remove a take that has ended."""
        self.set(takes=tuple(old for old in self.now.takes if old.number != take.number))
        if self.now.around is not None and self.now.around.take == take.number:
            self.set(around=None)

    def note_entry(self, number: int, entry: int) -> None:
        """Remember the entry of take ``number`` for as long as it may be needed."""
        now = self.now
        takes = [*now.takes, *now.held, now.cancelled, now.failed, now.finished]
        needed = {one for take in takes if take is not None for one in take.numbers}
        if number in needed:
            kept = {one: now.entries[one] for one in now.entries if one in needed}
            self.set(entries={**kept, number: entry})

    def notify(
        self,
        kind: NoticeKind,
        title: Message,
        hint: Message = Message(),
        *,
        lasting: str = "",
        take: Take | None = None,
        kept_hint: Message = Message(),
        remedy: Remedy | None = None,
        most_s: float = math.inf,
    ) -> None:
        """Show a notice, replacing one with the same text.

        One with a subject (``lasting``) stays until ``settle`` is called for it, at most ``most_s`` seconds;
        so does a repetition of it, which is news for some seconds. As soon as the history has ``take``, which
        can be later on a slow disk, its hint becomes ``kept_hint``.
        """
        same = [one for one in self.now.notices if (one.kind, one.title) == (kind, title)]
        if lasting:  # a state; what the user ran into before stays news for its time
            told_until_s = max(
                (one.news_until_s if one.is_lasting else one.until_s for one in same), default=0.0
            )
        else:
            lasting = next((one.subject for one in same if one.subject), "")
            told_until_s = self.at_s + NOTICE_S
        self.settle(lasting)
        notice = Notice(
            self.now.last_notice + 1,
            kind,
            title,
            kept_hint if self.now.entry_of(take) else hint,
            is_lasting=bool(lasting),
            subject=lasting,
            until_s=self.at_s + most_s if lasting else told_until_s,
            news_until_s=told_until_s if lasting else 0.0,
            take=take.number if take else 0,
            kept_hint=kept_hint,
            remedy=remedy or _REMEDIES.get(kind),
        )
        others = (one for one in self.now.notices if one not in same)
        self.set(notices=(*others, notice), last_notice=notice.number)

    def tell_kept(self, take: int) -> None:
        """The history has ``take``: update notices about it."""
        notices = self.now.notices
        self.set(notices=tuple(replace(n, hint=n.kept_hint) if n.take == take else n for n in notices))

    def settle(self, subject: str) -> None:
        """Remove the lasting notice about ``subject``: its cause is gone."""
        self.set(notices=tuple(one for one in self.now.notices if not subject or one.subject != subject))


def view_of(now: Dictation) -> View:
    """All that the tray and the overlay show of ``now``."""
    dictated = [take for take in now.takes if not take.is_again and not take.is_recovered]
    recorded = next((take for take in dictated if take.is_open), None)
    present = recorded or (dictated[-1] if dictated else None)
    return View(
        phase=_phase(now, recorded),
        is_loading=now.is_loading,
        is_listening=now.were_hotkeys_answered and now.hotkeys_asked is None,
        take=present.number if present else 0,
        began_s=recorded.since_s if recorded else None,
        is_rehearsing=now.is_rehearsing,
        is_key_down=bool(now.gestures.down),
        keys_down=now.gestures.down,
        desktop_keys=now.desktop_keys,
        cancel_key=now.cancel_key,
        key_offer=now.key_offer,
        key_permission=now.key_permission,
        is_hands_free=now.gestures.is_hands_free,
        is_locked=now.gestures.take is not None and now.gestures.take.is_locked,
        finish_keys=_finish_keys(now),
        device=recorded.device if recorded else "",
        language=present.language if present else now.rules.language,
        committed=present.committed if present else "",
        tentative=present.tentative if present else "",
        waiting=sum(not take.is_open for take in dictated),
        notices=now.notices,
        can_retry=any(now.entry_of(past) for past in (now.failed, now.finished)),
        can_bring_back=bool(now.entry_of(now.cancelled)),
        held=tuple(one.text for one in now.held),
        recent=now.recent,
        heard=now.heard,
        application=now.application,
        choices=_real(now),
    )


def _finish_keys(now: Dictation) -> tuple[str, ...]:
    if now.gestures.take is None:
        return ()
    own, keys = now.gestures.take.hotkey, _real(now).hotkeys
    return tuple(filter(None, keys if own is None else keys[own : own + 1]))


def _real(now: Dictation) -> Choices:
    """The choices, with the keys assigned by the desktop instead of the configured ones."""
    keys = now.desktop_keys
    return now.choices if keys is None else replace(now.choices, hotkeys=keys)


def _phase(now: Dictation, recorded: Take | None) -> Phase:
    if recorded is not None:
        return Phase.RECORDING
    shown = [take for take in now.takes if not take.is_recovered]
    if any(take.stage is not Stage.INSERTING or not take.is_again for take in shown):
        return Phase.TRANSCRIBING
    if now.is_loading or not now.were_hotkeys_answered:
        return Phase.LOADING
    if any(one.is_lasting and one.subject not in {SETTINGS, CLIPBOARD} for one in now.notices):
        return Phase.PROBLEM
    return Phase.IDLE
