"""The help pages that ship with the program, as Markdown: shown by the app and by ``handy-qwen help``."""

from __future__ import annotations

from handy_qwen import paths

TOPICS = (
    "dictating",
    "models",
    "settings",
    "vocabulary",
    "history",
    "files",
    "privacy",
    "trouble",
    "wayland",
    "install",
)
"""Their names, in the order in which they are offered."""


def page(topic: str) -> str:
    """The page about ``topic``, one of ``TOPICS``, as Markdown. Its first line is its title, after ``# ``."""
    return paths.asset(f"help/{topic}.md").read_text(encoding="utf-8")


def title(topic: str) -> str:
    """What the page about ``topic`` is called."""
    return page(topic).partition("\n")[0].removeprefix("# ")
