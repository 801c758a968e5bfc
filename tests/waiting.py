"""Waiting for what happens by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(probe: Callable[[], T], what: str, timeout_s: float = 20.0, interval_s: float = 0.01) -> T:
    """Call ``probe`` until it returns something true, and return that.

    Raises:
        TimeoutError: It stayed false.
    """
    end = time.monotonic() + timeout_s
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"timed out after {timeout_s} s waiting for {what}")
        time.sleep(interval_s)
