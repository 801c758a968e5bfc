"""What the settings say to the dictation cycle, in the cycle's own terms."""

from __future__ import annotations

from dataclasses import dataclass, field

from handy_qwen.core.gestures import Limits, Mode
from handy_qwen.core.ports import Hotkey, Method, Submit
from handy_qwen.core.text import TextRules


@dataclass(frozen=True, slots=True)
class Rules:
    """How takes are begun, ended and delivered. Taken as they are at each event, not at the take's start."""

    hotkeys: tuple[Hotkey, ...] = ()
    mode: Mode = Mode.AUTO
    limits: Limits = field(default_factory=Limits)
    language: str = ""  # English name; "" is automatic
    context: tuple[str, ...] = ()  # the user's words; the model reads as many as fit
    method: Method = Method.TYPE
    submit: Submit = Submit.OFF
    max_take_s: float = 900.0
    silence_s: float = 20.0  # ends takes that no key holds and no double tap locked; 0: never
    is_private: bool = False  # the history is paused
    text: TextRules = field(default_factory=TextRules)
