"""The help pages that ship with the program, as Markdown: shown by the app and by ``handy-qwen help``."""

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
"""Their names, in the order in which they are offered."""
_BEGINNING = 5  # letters that need not be a whole word


def page(topic: str) -> str:
    """The page about ``topic``, one of ``TOPICS``, as Markdown. Its first line is its title, after ``# ``."""
    return paths.asset(f"help/{topic}.md").read_text(encoding="utf-8")


def title(topic: str) -> str:
    """What the page about ``topic`` is called."""
    return page(topic).partition("\n")[0].removeprefix("# ")


def topic_about(word: str) -> str:
    """The topic whose page has the most to say about ``word``, first of all in its headings; "": none has.

    A few letters must be a word: "foo" is not about the foot of a window. More may be the beginning of one.
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
