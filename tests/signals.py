"""How tests start programs with the signals that a terminal gives them, wherever the tests themselves run.

A job in the background of a script, or under nohup, is started with some signals ignored, and hands that on
to what it starts: a test that presses Ctrl-C would wait in vain.
"""

import signal
import threading

_NAMES = ("SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGTSTP")


def ignore_for_this_process_only() -> None:
    """Go on ignoring what is ignored, by a handler that does nothing: that is not handed on, SIG_IGN is.

    Signals that are blocked are let through, which is handed on as well. Source: execve(2), signal(7).
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        return
    for number in (getattr(signal, name) for name in _NAMES):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _do_nothing)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _do_nothing(_number: int, _frame: object) -> None:
    """Be there."""
