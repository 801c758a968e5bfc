"""Findings, in words and as data."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from handy_qwen import __version__
from handy_qwen.audio.portaudio import PortAudio
from handy_qwen.control import ask_app
from handy_qwen.errors import ControlError, HandyError
from handy_qwen.message import Message
from handy_qwen.settings import Configuration, read_configuration
from handy_qwen.system.session import Kind, Session, session_of

FORMAT = 1  # incremented when the meaning of ``Report.as_dict`` changes


class Status(enum.StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"  # it works, but not everywhere or not for long
    PROBLEM = "problem"  # dictation does not work until it is fixed


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str  # of the check, for programs: "microphone"; not unique
    status: Status
    text: Message  # the result, in a sentence or two
    remedy: Message = Message()  # what to do about it; empty if nothing
    # Facts behind the text, for programs: numbers, names, flags. No user texts.
    details: Mapping[str, Any] = field(default_factory=dict)


def fine(name: str, text: Message, **details: object) -> Finding:
    """A finding without a problem."""
    return Finding(name, Status.OK, text, details=details)


def warning(name: str, text: Message, remedy: Message, **details: object) -> Finding:
    """A finding about something that works, but not everywhere or not for long."""
    return Finding(name, Status.WARNING, text, remedy, details)


def problem(name: str, text: Message, remedy: Message, **details: object) -> Finding:
    """A finding that prevents dictation until it is fixed."""
    return Finding(name, Status.PROBLEM, text, remedy, details)


def failed(name: str, error: HandyError, **details: object) -> Finding:
    """A finding from an error."""
    return problem(name, error.title, error.hint, **details)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        """The worst status of all."""
        order = list(Status)
        return max((one.status for one in self.findings), key=order.index, default=Status.OK)

    def as_dict(self) -> dict[str, Any]:
        """For JSON. Fields may be added; existing ones keep their meaning within one ``format``."""
        return {
            "format": FORMAT,
            "version": __version__,
            "status": self.status.value,
            "findings": list(map(asdict, self.findings)),
        }


ANSWER_S = 2.0
NOWHERE = Session(Kind.NONE)


@dataclass(frozen=True, slots=True)
class Context:
    """The input of the checks."""

    environment: Mapping[str, str]
    platform: str = sys.platform
    session: Session = NOWHERE  # the desktop, as the app sees it
    configuration: Configuration = field(default_factory=Configuration)  # read without touching the file
    running: Mapping[str, Any] | None = None  # the status of the running instance; None: there is none
    answer: str = ""  # why the running instance gave no status; "" if it gave one
    listen_s: float = 1.5  # recording time of the microphone; 0: only list them
    is_thorough: bool = False  # verify the hashes of the model's files and run it
    library: PortAudio = field(default_factory=PortAudio)  # a process can have only one
    ask: Callable[[str], None] = lambda _: None  # gives the user an instruction; there is no answer

    @classmethod
    def here(
        cls, *, listen_s: float, is_thorough: bool, ask: Callable[[str], None] = lambda _: None
    ) -> Context:
        """The current machine and user."""
        running, answer = _running()
        return cls(
            os.environ,
            session=session_of(os.environ),
            configuration=read_configuration(),
            running=running,
            answer=answer,
            listen_s=listen_s,
            is_thorough=is_thorough,
            ask=ask,
        )

    @property
    def is_wayland(self) -> bool:
        """Whether this is a Wayland session."""
        return self.session.kind is Kind.WAYLAND


def _running() -> tuple[Mapping[str, Any] | None, str]:
    try:
        status = ask_app("status", ANSWER_S)["status"]
    except ControlError as error:
        return None, error.title
    return (status, "") if isinstance(status, dict) else (None, "It gave no status.")
