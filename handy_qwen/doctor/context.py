"""What the checks may know of this machine, gathered once before they run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handy_qwen import paths
from handy_qwen.audio.library import Library
from handy_qwen.control import Endpoint, ask
from handy_qwen.errors import ControlError
from handy_qwen.settings import Configuration, read_configuration
from handy_qwen.system.session import Kind, Session, session_of

ANSWER_S = 2.0
NOWHERE = Session(Kind.NONE)


@dataclass(frozen=True, slots=True)
class Context:
    """What there is to look at.

    Attributes:
        environment: As ``os.environ``.
        platform: As ``sys.platform``.
        session: Which desktop this is, as the app sees it.
        configuration: The settings, read without touching the file.
        running: What the running instance says it is doing; None if there is none.
        answer: Why the running instance gave no status: "" if it gave one.
        listen_s: How long to listen to the microphone; 0: only look which there are.
        is_thorough: Compare the hashes of the model's files and let it run.
        library: PortAudio, of which a process has only one.
        ask: Tells the user what to do meanwhile, in a sentence; takes no answer.
    """

    environment: Mapping[str, str]
    platform: str = sys.platform
    session: Session = NOWHERE
    configuration: Configuration = field(default_factory=Configuration)
    running: Mapping[str, Any] | None = None
    answer: str = ""
    listen_s: float = 1.5
    is_thorough: bool = False
    library: Library = field(default_factory=Library)
    ask: Callable[[str], None] = lambda _: None

    @classmethod
    def here(
        cls, *, listen_s: float, is_thorough: bool, ask: Callable[[str], None] = lambda _: None
    ) -> Context:
        """This machine, this user, now."""
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
        """Whether the session is one of Wayland."""
        return self.session.kind is Kind.WAYLAND


def _running() -> tuple[Mapping[str, Any] | None, str]:
    try:
        status = ask(Endpoint(paths.runtime_dir()), "status", ANSWER_S)["status"]
    except ControlError as error:
        return None, error.title
    return (status, "") if isinstance(status, dict) else (None, "It gave no status.")
