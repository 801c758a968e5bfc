"""What happens to the takes of the running program, as the history's books have it.

Runs on the history's thread; see ``writer`` for how it gets on the disk.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from pathlib import Path

from handy_qwen.core.entries import State, Whereabouts
from handy_qwen.core.events import Failed, Replayed
from handy_qwen.core.ports import RATE_HZ, Post, Samples, Sink
from handy_qwen.errors import HistoryError
from handy_qwen.history import wav
from handy_qwen.history.journal import Journal
from handy_qwen.history.live import LiveTake
from handy_qwen.history.store import new_file_name
from handy_qwen.history.wav import Stage
from handy_qwen.history.writer import Writer

logger = logging.getLogger(__name__)

NO_SOUND = HistoryError("The recording is not there any more.", "It was deleted, or only its text was kept.")
STILL_SPOKEN = HistoryError("This dictation is still being spoken.", "Try again when it has ended.")


class Ledger:
    """Which take is in which entry, and how far it has come."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._live = writer.live

    # --- what happens to a take ----------------------------------------------------------------------

    def begin(self, take: int, created_ms: int, language: str, model: str) -> None:
        """A take begins: its row first, then its file."""
        self._writer.open_again()
        name = new_file_name(created_ms)
        columns = {
            "created_ms": created_ms,
            "state": State.RECORDING,
            "keep": self._writer.rules().keep,
            "file": name,
            "text": "",
            "asked_language": language,
            "model": model,
            "whereabouts": Whereabouts.NOWHERE,
        }
        live = LiveTake(take, columns, Journal(self._writer.places.takes / name, created_ms))
        self._live[take] = live
        self._writer.save(live)

    def feed(self, take: int, block: Samples) -> None:
        """The next block."""
        self._writer.fed_samples += len(block)
        live = self._live.get(take)
        if live is not None and live.journal is not None:
            live.journal.add(block)
            self._writer.write(live)
        self._writer.count()

    def complete(self, take: int) -> None:
        """The recording has ended."""
        live = self._live.get(take)
        if live is not None and live.state is State.RECORDING:
            live.set(state=State.WAITING)
            self._writer.finish(live, Stage.COMPLETE)
            self._writer.settle(take, live)

    def done(self, take: int, text: str, language: str, model: str, application: str) -> None:
        """The text is there."""
        live = self._live.get(take)
        if live is None:
            return
        known = {"language": language, "model": model, "application": application}
        live.set(
            is_urgent=True,
            state=State.DONE,
            text=text,
            error="",
            whereabouts=Whereabouts.NOWHERE,
            replays=0,
            **{name: value for name, value in known.items() if value},
        )
        self._writer.finish(live, Stage.COMPLETE if text else Stage.SETTLED)
        self._writer.settle(take, live)

    def failed(self, take: int, title: str) -> None:
        """There is no text; that of an earlier time stays."""
        live = self._live.get(take)
        if live is None:
            return
        if live.before is State.DONE or live.state is State.DONE:
            self._writer.settle(take, live, is_over=live.before is State.DONE)
            return
        live.set(state=State.FAILED, error=title, settled_ms=self._writer.now_ms(), replays=0)
        self._writer.finish(live, Stage.SETTLED)
        self._writer.settle(take, live)

    def cancelled(self, take: int) -> None:
        """The user gave it up; of a replay, the entry stays what it was."""
        live = self._live.get(take)
        if live is None:
            return
        if live.before is not None:
            live.set(state=live.before, replays=live.replays_before)
            self._writer.settle(take, live, is_over=True)
            return
        live.set(state=State.CANCELLED, settled_ms=self._writer.now_ms(), replays=0)
        self._writer.finish(live, Stage.CANCELLED)
        self._writer.settle(take, live)

    def went(self, take: int, where: Whereabouts) -> None:
        """The text is there, or on its way."""
        live = self._live.get(take)
        if live is None or live.state is not State.DONE:
            return
        live.set(is_urgent=True, whereabouts=where)
        if where.is_settled:
            self._writer.finish(live, Stage.SETTLED)
        self._writer.settle(take, live)

    # --- what was there before -----------------------------------------------------------------------

    def adopt(self, take: int, entry: int) -> None:
        """From now on ``take`` means ``entry``."""
        self._adopted(take, entry)

    def replay(self, take: int, entry: int, sink: Sink) -> None:
        """Hand the sound of ``entry`` to ``sink``."""
        if any(live.row == entry and live.state is State.RECORDING for live in self._live.values()):
            self._writer.post(Failed(take, STILL_SPOKEN))
            return
        live = self._adopted(take, entry)
        if live is None or not live.columns["file"]:
            self._live.pop(take, None)
            self._writer.post(Failed(take, NO_SOUND))
            return
        live.before, live.replays_before = live.state, live.columns["replays"]
        if live.state is not State.DONE:  # a text that is there stays until there is a better one
            live.set(is_urgent=True, state=State.WAITING, replays=live.columns["replays"] + 1)
            self._writer.save(live)
        path = self._writer.places.takes / live.columns["file"]
        work = partial(_read, path, take, sink, self._writer.post)
        threading.Thread(target=work, name="history-read", daemon=True).start()

    def _adopted(self, take: int, entry: int) -> LiveTake | None:
        row = self._writer.row(entry)
        if row is None:
            return None
        live = self._live[take] = LiveTake.adopted(take, row)
        return live


def _read(path: Path, take: int, sink: Sink, post: Post) -> None:
    """Hand the sound of a file to ``sink``. Runs on ``history-read``."""
    samples = 0
    try:
        with wav.blocks(path) as blocks:
            for block in blocks:
                samples += len(block)
                sink(block)
    except HistoryError as exc:
        post(Failed(take, exc))
    except OSError as exc:
        logger.warning("a recording cannot be read: %s", exc.strerror)
        post(Failed(take, NO_SOUND))
    except Exception:
        logger.exception("a recording could not be replayed")
        post(Failed(take, HistoryError("The recording could not be replayed.", "The log has the details.")))
    else:
        post(Replayed(take, samples / RATE_HZ))
