"""Clipboards that have a thread of their own: how it is asked."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.runtime.worker import Inbox, Result
from handy_qwen.system.insert.backend import Deadline, unsupported

ANSWER_S = 5.0  # how long the clipboard's thread may take for what is done at once
ASK_AGAIN_S = 0.05


def ask(inbox: Inbox, call: Callable[[], Result], deadline: Deadline | None = None) -> Result:
    """What ``call`` returns on the clipboard's thread. Raises InsertError: it failed, or took too long.

    What is not done in time is cancelled, and not begun later. Without ``deadline`` it has ``ANSWER_S``.
    """
    future = inbox.put(call)
    end_s = time.monotonic() + ANSWER_S
    while (end_s - time.monotonic() if deadline is None else deadline.left_s()) > 0:
        try:
            return future.result(ASK_AGAIN_S)
        except TimeoutError:
            continue
        except InsertError:
            raise
        except Exception:  # the thread has logged it; its message may quote the clipboard
            raise InsertError(Message("The clipboard refused."), InsertReason.UNSUPPORTED_DESKTOP) from None
    future.cancel()
    raise unsupported(Message("An answering clipboard"))


def described(problem: BaseException) -> str:
    """What went wrong and where, for the log; without the message, which may quote the clipboard."""
    return type(problem).__name__ + "\n" + "".join(traceback.format_tb(problem.__traceback__))
