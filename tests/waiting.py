"""Waiting for what happens by itself."""

import time
import warnings
from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


def wait_until(probe: Callable[[], T], what: str, timeout_s: float = 60.0, interval_s: float = 0.01) -> T:
    """Call ``probe`` until it returns something true, and return that.

    The time is far above what anything takes, also on a busy machine: only what fails takes so long.

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


def repeat_until(action: Callable[[], object], probe: Callable[[], T], what: str, again_s: float = 3.0) -> T:
    """Do ``action``, and again each time that ``probe`` has stayed false for ``again_s``; return its value.

    For keys that may come too early for a window, and do no harm if they come twice. A test that had to do
    it again warns (pyproject.toml has no error made of it), so that what becomes the rule is noticed.
    """
    times = 0

    def has_come() -> T | None:
        nonlocal times
        times += 1
        if times > 1:
            warnings.warn(f"done again until {what}: {times} times", stacklevel=2)
        action()
        try:
            return wait_until(probe, what, again_s)
        except TimeoutError:
            return None

    return cast(T, wait_until(has_come, what))
