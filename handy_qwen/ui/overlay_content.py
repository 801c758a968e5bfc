"""What the overlay says for a view. No widget in it, so that every state can be told by a test."""

from __future__ import annotations

import enum
import textwrap
from dataclasses import dataclass

from handy_qwen.core.view import HOTKEYS, NoticeKind, Phase, View
from handy_qwen.ui import strings

_REMARK = 48
"""Characters of a warning beside the live text, which must keep some room; the whole of it follows."""


class Mark(enum.Enum):
    """The sign at the left. ``METER`` moves with the voice, ``BUSY`` turns; the others stand still."""

    METER = enum.auto()
    BUSY = enum.auto()
    STARTING = enum.auto()
    INFO = enum.auto()
    NO_SPEECH = enum.auto()
    SILENT = enum.auto()
    COPIED = enum.auto()
    WAITING = enum.auto()
    PROBLEM = enum.auto()


_MARKS = {
    NoticeKind.INFO: Mark.INFO,
    NoticeKind.NO_SPEECH: Mark.NO_SPEECH,
    NoticeKind.DEAD_MICROPHONE: Mark.SILENT,
    NoticeKind.MICROPHONE_LOST: Mark.SILENT,
    NoticeKind.COPIED: Mark.COPIED,
    NoticeKind.HELD: Mark.WAITING,
    NoticeKind.FAILED: Mark.PROBLEM,
}


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that is painted.

    ``title`` is one line in full color, or the committed text if ``is_live``; ``rest`` follows in a quieter
    color: the tentative text, or a hint on a line of its own. ``began_s`` starts the clock.
    """

    mark: Mark
    title: str
    rest: str = ""
    is_live: bool = False
    began_s: float | None = None
    is_locked: bool = False
    remark: str = ""


def content_of(view: View) -> Content | None:
    """What to show, None for nothing.

    What is being said comes first, then what just happened, then what is being done or waits.
    """
    if view.choices.overlay == "off":
        return None
    if view.phase is Phase.RECORDING:
        return _recording(view)
    notices = [one for one in view.notices if not (view.is_rehearsing and one.subject == HOTKEYS)]
    if notices:  # while the guide tries the hotkey, what is wrong with it is shown there
        notice = notices[-1]
        return Content(_MARKS[notice.kind], notice.title, notice.hint)
    if view.phase is Phase.TRANSCRIBING:
        text = view.committed + view.tentative
        remark = strings.MODEL_LOADS if view.is_loading else ""
        return Content(Mark.BUSY, text or strings.TRANSCRIBING, is_live=bool(text), remark=remark)
    if view.held:
        return Content(Mark.WAITING, strings.WAITING_TITLE, strings.WAITING_HINT)
    return None


def _recording(view: View) -> Content:
    warning = next((n for n in reversed(view.notices) if n.kind is not NoticeKind.INFO), None)
    remark = strings.MODEL_LOADS if view.is_loading else ""
    is_live = bool(view.committed or view.tentative)
    is_muted = warning is not None and warning.kind is NoticeKind.DEAD_MICROPHONE
    if warning is not None and is_muted and not is_live:
        return Content(
            Mark.SILENT, warning.title, warning.hint, began_s=view.began_s, is_locked=view.is_locked
        )
    idle = strings.LISTENING if view.device else strings.STARTING
    return Content(
        Mark.METER if view.device or is_live else Mark.STARTING,
        view.committed if is_live else idle,
        view.tentative,
        is_live=is_live,
        began_s=view.began_s,
        is_locked=view.is_locked and not is_muted,  # there is room for one of the two
        remark=textwrap.shorten(warning.title, _REMARK, placeholder="…") if warning else remark,
    )
