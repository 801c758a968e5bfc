"""How many of the user's custom words the model reads: for the log, and a notice if not all."""

from __future__ import annotations

import logging

from handy_qwen.core.events import Noted
from handy_qwen.core.ports import Post
from handy_qwen.errors import HandyError
from handy_qwen.settings import Settings

logger = logging.getLogger(__name__)

HINT = "The rest are not used. Put the most important words first."


def count_words(settings: Settings, post: Post) -> None:
    """Log it, and notify if some are left out. Slow: it reads the model's vocabulary."""
    if not settings.custom_words:
        return
    from handy_qwen.models.installed import fit_custom_words

    try:
        fitted = fit_custom_words(settings.model, settings.custom_words)
    except HandyError as exc:  # loading the model tells it to the user
        logger.info("custom words not counted: %s", type(exc).__name__)
        return
    logger.info(
        "custom words: %d of %d, %d of %d tokens", fitted.used, fitted.total, fitted.tokens, fitted.limit
    )
    if fitted.left_out:
        post(Noted(f"{fitted.used} of {fitted.total} custom words fit.", HINT))
