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
"""Ten seconds of speech are some thirty tokens. The better of two rounds is that of an idle machine."""
_BRIEFLY = (
    "--seconds",
    "0.1",
    "--tokens",
    "2",
    "--rounds",
    "1",
)  # limits the other measurements of ``bench``
_POLL_S = 0.2
_TRIAL_S = 900.0  # a longer trial hangs in a driver
Tell = Callable[[Progress], None]
"""Reports progress. Raises CancelledError to cancel the job."""


class Installer:
    """The catalogue and the installed models. Every method is slow.

    Args:
        threads: For running models; None: what suits the machine.
        may_use_devices: Whether they may run on a graphics card or the like.
        is_idle: Whether nothing is being dictated or transcribed. Any thread.
    """

    def __init__(
        self,
        threads: Callable[[], int | None],
        may_use_devices: Callable[[], bool] = lambda: False,
        is_idle: Callable[[], bool] = lambda: True,
    ) -> None:
        self._threads, self._may_use_devices, self._is_idle = threads, may_use_devices, is_idle

    def entries(self) -> Sequence[ModelEntry]:
        """All models: AVAILABLE, PAUSED or INSTALLED, in display order.

        Raises:
            HandyError: The folder or the catalogue cannot be read.
        """
        from handy_qwen.models.installed import model_entries

        return model_entries()

    def install(self, name: str, preset: str, tell: Tell) -> None:
        """Install ``name`` of the catalogue, resuming a partial download; "" is the usual preset.

        Raises:
            CancelledError: Raised by ``tell``; the partial download is kept.
            HandyError: It could not be installed; the partial download is kept, unless it is corrupt.
        """
        from handy_qwen.models.installed import find_installable
        from handy_qwen.models.installing import install

        in_background("models-convert", lambda: install(find_installable(name), tell, preset=preset))

    def import_from(self, source: Path, tell: Tell) -> str:
        """Install the model in a folder or archive, and return its name.

        Raises:
            CancelledError: Raised by ``tell``; nothing is left behind.
            HandyError: It is not a model, or could not be installed; nothing is left behind.
        """
        from handy_qwen.models.installing import import_model

        return in_background("models-convert", lambda: import_model(source, tell)).name

    def discard(self, name: str) -> None:
        """Delete the partial download of ``name``.

        Raises:
            HandyError: It could not be deleted.
        """
        from handy_qwen.models.installed import discard_download

        discard_download(name)

    def remove(self, name: str) -> None:
        """Delete an installed model.

        Raises:
            HandyError: It could not be deleted.
        """
        from handy_qwen.models.installed import remove

        remove(name)

    def measure(self, name: str, tell: Tell) -> None:
        """Measure and store which threads and devices suit a model, and its time for 10 s of speech.

        Raises:
            CancelledError: Raised by ``tell``.
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
        """Measure the best number of threads for a model, and whether a graphics card is faster.

        Known and configured values are not measured, nor is the tiny demo. It is cancelled when somebody
        dictates: dictation must not wait, and the measurement would be useless.

        Raises:
            CancelledError: Raised by ``tell``.
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
            is_quiet = threads or is_tuned(folder)  # otherwise results are not comparable
            if is_quiet and self._may_use_devices() and is_trial_due(folder):
                _try_devices(folder, threads or threads_for(folder), step)


def _try_devices(folder: Path, threads: int, step: Callable[[], None]) -> None:
    """Have ``bench`` try them in a separate process, so that a bad driver can only crash or hang that."""
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
                process.kill()  # the attempt is noted already, as if it had crashed
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
    except BaseException:
        process.kill()
        process.wait()
        keep_choice(folder, None)  # or it would seem that a device had crashed the process
        raise
    choice = choice_of(folder)
    why = choice.why if choice else "the trial failed"
    logger.info("devices for %s: %s (exit status %d)", folder.name, why, process.returncode)


class _InUseError(Exception):
    """A dictation has begun."""
