"""How many of the user's custom words the model reads: for the windows, the log, and a notice if not all."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from handy_qwen.core.events import Noted
from handy_qwen.core.ports import Post
from handy_qwen.errors import EngineError
from handy_qwen.message import Count, Message, messages
from handy_qwen.settings import Settings

if TYPE_CHECKING:  # slow to import
    from handy_qwen.engine.api import FittedWords

logger = logging.getLogger(__name__)

HINT = Message("The rest are not used. Put the most important words first.")


def counted(settings: Settings) -> FittedWords | None:
    """Which words the model in use reads. Slow: it reads the model's vocabulary.

    None: there are no words, or the model cannot be read, which loading it tells the user.
    """
    if not settings.custom_words:
        return None
    from handy_qwen.models.installed import fit_custom_words

    try:
        return fit_custom_words(settings.model, settings.custom_words)
    except EngineError as exc:
        logger.info("custom words not counted: %s", type(exc).__name__)
        return None


def tell_of_words(settings: Settings, post: Post) -> None:
    """Log how many fit, and notify if some are left out. As slow as ``counted``."""
    if (found := counted(settings)) is None:
        return
    logger.info("custom words: %d of %d, %d of %d tokens", found.used, found.total, found.tokens, found.limit)
    if found.left_out:
        title = messages(
            "{used} of {count} custom words fits.",
            "{used} of {count} custom words fit.",
            found.total,
            used=Count(found.used),
        )
        post(Noted(title, HINT))
