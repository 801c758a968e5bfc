"""Installs, removes and measures models for the Models window."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from handy_qwen.core.models import DEMO, InstallStage, ModelEntry, Progress
from handy_qwen.system.entries import launch_for
from handy_qwen.system.priority import in_background

logger = logging.getLogger(__name__)

CLIP_S, CLIP_TOKENS, ROUNDS = 10.0, 30, 2
"""Ten seconds of speech make some thirty tokens. The best of two rounds is what an idle machine does."""
_BRIEFLY = ("--seconds", "0.1", "--tokens", "2", "--rounds", "1")  # what ``bench`` measures besides
_POLL_S = 0.2
_TRIAL_S = 900.0  # a trial that takes longer hangs in a driver
Tell = Callable[[Progress], None]
"""Reports progress. Raises CancelledError where the job is to be cancelled."""


class Installer:
    """The catalogue and the models on this machine. Every method is slow.

    Args:
        threads: How many the models run on; None: what suits the machine.
        may_use_devices: Whether they may run on a graphics card or the like.
        is_idle: Whether nobody dictates, and no file is transcribed. Any thread.
    """

    def __init__(
        self,
        threads: Callable[[], int | None],
        may_use_devices: Callable[[], bool] = lambda: False,
        is_idle: Callable[[], bool] = lambda: True,
    ) -> None:
        self._threads, self._may_use_devices, self._is_idle = threads, may_use_devices, is_idle

    def entries(self) -> Sequence[ModelEntry]:
        """All models: AVAILABLE, PAUSED or INSTALLED, in the order to show them.

        Raises:
            HandyError: The folder or the catalogue cannot be read.
        """
        from handy_qwen.models.installed import model_entries

        return model_entries()

    def install(self, name: str, preset: str, tell: Tell) -> None:
        """Install ``name`` of the catalogue, resuming if a part of it is here; "" is the usual preset.

        Raises:
            CancelledError: ``tell`` did; what is here is kept.
            HandyError: It could not be installed; what is here is kept, unless it is wrong.
        """
        from handy_qwen.models.installed import find_installable
        from handy_qwen.models.installing import install

        in_background("models-convert", lambda: install(find_installable(name), tell, preset=preset))

    def import_from(self, source: Path, tell: Tell) -> str:
        """Install the model in a folder or archive, and return its name.

        Raises:
            CancelledError: ``tell`` did; nothing is left behind.
            HandyError: It is no model, or could not be installed; nothing is left behind.
        """
        from handy_qwen.models.installing import import_model

        return in_background("models-convert", lambda: import_model(source, tell)).name

    def discard(self, name: str) -> None:
        """Delete what is here of an unfinished one.

        Raises:
            HandyError: It could not be deleted.
        """
        from handy_qwen.models.installed import discard_download

        discard_download(name)

    def remove(self, name: str) -> None:
        """Delete an installed one.

        Raises:
            HandyError: It could not be deleted.
        """
        from handy_qwen.models.installed import remove

        remove(name)

    def measure(self, name: str, tell: Tell) -> None:
        """Measure how many threads suit a model, which devices, and how long ten seconds of speech take.

        All of that is kept.

        Raises:
            CancelledError: ``tell`` did.
            HandyError: It cannot be loaded or run.
        """
        from handy_qwen.bench.speed import measure_model
        from handy_qwen.models.installed import find_model
        from handy_qwen.models.machine import SPEED, placement_of, remember, threads_for

        self.tune(name, tell)
        folder = find_model(name).folder
        speed = measure_model(
            folder,
            threads=self._threads() or threads_for(folder),
            clips_s=(CLIP_S,),
            tokens=CLIP_TOKENS,
            rounds=ROUNDS,
            placement=placement_of(folder) if self._may_use_devices() else None,
        )
        remember(folder, SPEED, {"clip_s": round(speed.clips[0].total_s, 3)})

    def tune(self, name: str, tell: Tell) -> None:
        """Measure how many threads suit a model, and whether a graphics card is quicker.

        What is known or set is not measured, and of the tiny demo nothing is. It ends when somebody dictates:
        that should not wait, and what is measured beside it says nothing.

        Raises:
            CancelledError: ``tell`` did.
            HandyError: It cannot be loaded or run.
        """
        from handy_qwen.models.installed import find_model
        from handy_qwen.models.machine import threads_for
        from handy_qwen.models.tuning import is_trial_due, is_tuned, tune

        def step() -> None:
            tell(Progress(InstallStage.TESTING))
            if not self._is_idle():
                raise _InUseError

        model, threads = find_model(name), self._threads()
        if model.name == DEMO:
            return
        folder = model.folder
        with suppress(_InUseError):
            if not threads and not is_tuned(folder):
                tune(folder, step)
            is_quiet = threads or is_tuned(folder)  # or others use the machine, and nothing can be compared
            if is_quiet and self._may_use_devices() and is_trial_due(folder):
                _try_devices(folder, threads or threads_for(folder), step)


def _try_devices(folder: Path, threads: int, step: Callable[[], None]) -> None:
    """Have ``bench`` try them, in a process of its own, which is all that a bad driver can end or hold up."""
    from handy_qwen.models.machine import choice_of, keep_choice

    launch = launch_for()
    command = (*launch.command[:-1], "bench", "--model", str(folder), "--threads", str(threads), *_BRIEFLY)
    try:
        process = subprocess.Popen(
            command,
            cwd=launch.folder,
            env={**os.environ, **(launch.variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as exc:
        logger.warning("no device is tried: %s", exc.strerror)
        return
    end_s = time.monotonic() + _TRIAL_S
    try:
        while process.poll() is None:
            step()
            if time.monotonic() > end_s:
                process.kill()  # that it was tried is noted already, as if it had crashed
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
    except BaseException:
        process.kill()
        process.wait()
        keep_choice(folder, None)  # or it would seem that a device had ended the process
        raise
    choice = choice_of(folder)
    why = choice.why if choice else "the trial failed"
    logger.info("devices for %s: %s (exit status %d)", folder.name, why, process.returncode)


class _InUseError(Exception):
    """Somebody dictates."""
