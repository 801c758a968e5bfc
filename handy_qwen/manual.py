"""The shipped help pages, as Markdown: shown by the app and by ``handy-qwen help``."""

from __future__ import annotations

import re

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
"""Their names, in display order."""
_BEGINNING = 5  # prefixes of this length need not be whole words


def page(topic: str) -> str:
    """The page about ``topic``, one of ``TOPICS``, as Markdown. Its first line is its title, after ``# ``."""
    return paths.asset(f"help/{topic}.md").read_text(encoding="utf-8")


def title(topic: str) -> str:
    """The title of the page about ``topic``."""
    return page(topic).partition("\n")[0].removeprefix("# ")


def topic_about(word: str) -> str:
    """The topic whose page says most about ``word``, especially in its headings; "" if none does.

    Short words must match whole ones: "foo" is not about the foot of a window. Longer ones may be prefixes.
    """
    stem = word.casefold().removesuffix("s")
    end = "" if len(stem) >= _BEGINNING else r"(?:e?s)?(?!\w)"
    said = re.compile(rf"(?<!\w){re.escape(stem)}{end}", re.IGNORECASE)
    scores = {}
    for topic in TOPICS:
        text = page(topic)
        titles = said.findall("\n".join(re.findall(r"^#+ .*|\*\*.+?\*\*", text, re.MULTILINE)))
        scores[topic] = len(titles), len(said.findall(text))
    best = max(TOPICS, key=lambda topic: scores[topic])
    return best if len(stem) > 1 and any(scores[best]) else ""
