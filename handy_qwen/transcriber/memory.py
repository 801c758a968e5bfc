"""Gives memory back to the system."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys

logger = logging.getLogger(__name__)


def give_back() -> None:
    """Have what was freed leave the process. Takes some milliseconds.

    glibc keeps freed memory for the next allocation; malloc_trim is its way of letting go. Elsewhere the
    allocators do that by themselves.
    """
    gc.collect()
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:  # another C library, such as musl
        logger.debug("no malloc_trim here")
