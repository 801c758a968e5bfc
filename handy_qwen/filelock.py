"""A lock between processes, which the system gives back when its holder dies, however that happens."""

from __future__ import annotations

import sys


def try_lock(handle: int) -> bool:
    """Lock the open file ``handle``, at once and until it is closed. False: another holds the lock."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
