"""The history for its window: queries and changes run on a thread of their own.

    Qt --look, star, delete ...--> inbox --> thread "history-window" --> Archive --> HistoryPage --> Qt
                                   retry --> thread "history-retry"  --> Archive
                                    play --> the player's thread

Retrying with the same model is left to the dictation cycle, which has it loaded. Another model is loaded
here for that take and then freed; never two at once, to save memory.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from handy_qwen.core.corrections import corrected
from handy_qwen.core.events import Corrected, Failed, Noted, Recalled
from handy_qwen.core.models import Problem
from handy_qwen.core.ports import Post
from handy_qwen.core.text import heard, placeholders_in
from handy_qwen.core.types import Entry, Retried, Rules
from handy_qwen.core.view import HistoryListener, HistoryPage, HistoryQuery, Remedy
from handy_qwen.errors import UNEXPECTED, HandyError, HistoryError
from handy_qwen.history.store import Places
from handy_qwen.message import Message
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.worker import Worker, queued

if TYPE_CHECKING:  # SQLite and the engine only when they are needed
    from handy_qwen.engine.api import Cancel, Model, Transcript
    from handy_qwen.history.archive import Archive

logger = logging.getLogger(__name__)

DELETE_S = 120.0
"""How long a deletion can be undone while the window is open."""
MOST_RECENT = 50
"""How many entries are searched for one with a certain text."""
LOOK_S = 0.5
"""The polling interval for changes to the files, while the window is open."""
RETRIED = Message("A dictation was transcribed again.")


Transcribe = Callable[[Path, str, str, str, Callable[[], None]], Retried]
"""(file, application, model, language, moves) -> text. Slow; raises HandyError.

``moves`` is called from time to time while there is progress.
"""


class Player(Protocol):
    """Plays one sound at a time. Methods return at once, on any thread."""

    def play(self, sound: Path, on_end: Callable[[HandyError | None], None]) -> None:
        """Play a file, replacing what is playing; ``on_end`` is called when it ends or is stopped."""

    def stop(self) -> None:
        """Stop playback."""


class HistoryPresenter:
    """Implements ``core.view.HistoryCommands``.

    Threads: the methods are called on Qt's; ``listener`` on the thread ``history-window``.

    Args:
        post: To the dictation cycle.
        copy: Puts a text on the clipboard. Any thread.
        transcribe: Transcribes a file of the history. Called on ``history-retry``.
        model: The name of the model in use.
        player: Plays sound; None before there is one.
        folder: The history's.
    """

    def __init__(
        self,
        post: Post,
        *,
        copy: Callable[[str], None],
        transcribe: Transcribe,
        model: Callable[[], str],
        player: Callable[[], Player | None],
        folder: Path,
    ) -> None:
        self.listener: HistoryListener = lambda _page: None  # until there is one
        self._post, self._copy, self._transcribe, self._model = post, copy, transcribe, model
        self._player, self._folder = player, folder
        self._query = HistoryQuery()
        self._deleted: list[int] = []  # hidden, but still on disk
        self._retried: frozenset[int] = frozenset()
        self._played, self._plays = 0, 0  # the id of what is playing; how many playbacks there were
        self._shown = HistoryPage()
        self._is_watched = False  # a window is open
        self._stamp: tuple[tuple[int, int] | None, ...] = ()  # of the files at the last answer
        self._delete_at_s = math.inf
        self.thread = Worker(
            "history-window",
            routine=self._routine,
            pause_s=lambda: LOOK_S if self._is_watched else DELETE_S if self._deleted else None,
            is_lazy=True,
            on_error=lambda error: self._answer(problem=Problem(error.title, error.hint)),
        )
        self._retries = Worker("history-retry", is_lazy=True)
        self.workers: watchdog.Watchable = {
            watchdog.HISTORY_WINDOW: self.thread,
            watchdog.HISTORY_RETRY: self._retries,
        }

    # --- called on Qt's thread -----------------------------------------------------------------------

    def copy(self, entry: Entry) -> None:
        """Copy the text to the clipboard."""
        self._copy(entry.text)

    def insert(self, entry: Entry, *, is_here: bool) -> None:
        """Insert the text into the focused window, or hold it."""
        self._post(Recalled(entry, is_sound=False, is_here=is_here))

    def correct(self, before: str, after: str, number: int = 0) -> None:
        """Store a correction, and offer the corrected text from now on."""
        self._post(Corrected(before, after))
        self._correct(before, after, number)

    def stop_playing(self) -> None:
        """Stop playback."""
        if (player := self._player()) is not None:
            player.stop()

    def close(self, timeout_s: float) -> None:
        """Finish pending requests, including deletions, and end the threads. Safe to call twice.

        A running transcription is abandoned: its entry stays unchanged.
        """
        self._retries.stop(0.0)
        self.stop_playing()
        if self.thread.is_alive():  # else nothing was deleted, and no thread should be started now
            self.thread.do(self._delete)
        self.thread.stop(timeout_s)

    # --- done on "history-window" --------------------------------------------------------------------

    def _open(self) -> Archive:
        from handy_qwen.history.archive import Archive

        return Archive(self._folder)

    def _routine(self) -> None:
        if time.monotonic() >= self._delete_at_s:
            self._delete()
        elif self._is_watched and self._stamp != self._stamp_now():
            self._answer(is_routine=True)

    def _stamp_now(self) -> tuple[tuple[int, int] | None, ...]:
        """Changes when the dictation cycle or the command line has written anything."""
        database = Places(self._folder).database
        return tuple(_stamp_of(path) for path in (database, database.with_name(f"{database.name}-wal")))

    @queued
    def look(self, query: HistoryQuery) -> None:
        """Answer ``query`` now, and after every change."""
        self._query, self._is_watched = query, True
        self._answer()

    @queued
    def leave(self) -> None:
        """Stop answering, and delete for good."""
        self._is_watched = False
        self.stop_playing()
        self._delete()

    def _answer(
        self, *, problem: Problem | None = None, exported: Path | None = None, is_routine: bool = False
    ) -> None:
        """Show the current entries, or why they cannot be read. ``is_routine``: only if something changed."""
        query, found = self._query, []
        self._stamp = self._stamp_now()  # taken before reading: later writes are found next time
        try:
            with self._open() as archive:
                found = list(islice(self._found(archive), query.most + 1))
        except HandyError as exc:
            problem = Problem(exc.title, exc.hint)
        page = HistoryPage(
            query,
            tuple(found[: query.most]),
            has_more=len(found) > query.most,
            retried=self._retried,
            played=self._played,
            deleted=len(self._deleted),
            exported=exported,
            problem=problem,
        )
        if page != self._shown or not is_routine:
            self._shown = page
            self.listener(page)

    def _found(self, archive: Archive) -> Iterator[Entry]:
        words = self._query.words.split()
        entries = archive.matching(words) if words else archive.newest()
        gone = set(self._deleted)
        return (one for one in entries if one.id not in gone and self._query.only.admits(one))

    @queued
    def play(self, entry: Entry) -> None:
        """Play the sound."""
        with self._open() as archive:
            sound = archive.audio(entry.id)
        player = self._player()
        if player is None:
            raise HandyError(Message("Can't play sound yet."), Message("Try again in a moment."))
        self._played, self._plays = entry.id, self._plays + 1
        player.play(sound, partial(self._has_played, self._plays))
        self._answer()

    @queued
    def _has_played(self, play: int, error: HandyError | None) -> None:
        if play == self._plays:  # else another playback has begun
            self._played = 0
        self._answer(problem=Problem(error.title, error.hint) if error else None)

    @queued
    def _correct(self, before: str, after: str, number: int) -> None:
        with self._open() as archive:
            entries = [archive.entry(number)] if number else islice(archive.newest(), MOST_RECENT)
            for entry in entries:
                if (text := corrected(entry.text, before, after)) is not None:
                    archive.correct(entry.id, text)
                    break
        self._answer(is_routine=not self._is_watched)

    @queued
    def star(self, ids: Sequence[int], *, is_starred: bool) -> None:
        """Exempt entries from automatic deletion, or not."""
        with self._open() as archive:
            for number in ids:
                archive.star(number, is_starred=is_starred)
        self._answer()

    @queued
    def delete(self, ids: Sequence[int]) -> None:
        """Hide entries, to be deleted."""
        self._deleted += [number for number in ids if number not in self._deleted]
        self._delete_at_s = time.monotonic() + DELETE_S
        self._answer()

    @queued
    def undo_delete(self) -> None:
        """Restore deleted entries that are not gone yet."""
        self._deleted.clear()
        self._answer()

    def _delete(self) -> None:
        """Delete all hidden entries; if that fails, show the entry again, with the reason."""
        self._delete_at_s = time.monotonic() + DELETE_S  # for what is left
        if not self._deleted:
            return
        problem: Problem | None = None
        with self._open() as archive:  # if that fails, retry later
            ids, self._deleted = self._deleted, []
            for number in ids:
                try:
                    archive.delete(number)
                except HistoryError as exc:
                    problem = Problem(exc.title, exc.hint)
            archive.forget_traces()
        self._answer(problem=problem)

    @queued
    def export(self, target: Path, ids: Sequence[int] | None) -> None:
        """Write entries to ``target``."""
        from handy_qwen.history.export import Format, exported, save

        kinds = {".csv": Format.CSV, ".jsonl": Format.JSONL}
        with self._open() as archive:
            gone = set(self._deleted)
            entries = archive.oldest() if ids is None else map(archive.entry, sorted(ids))
            pieces = exported(
                (one for one in entries if one.id not in gone), kinds.get(target.suffix.lower(), Format.TEXT)
            )
            save(target, pieces)
        self._answer(exported=target)

    @queued
    def retry(self, entry: Entry, *, model: str = "", language: str | None = None) -> None:
        """Transcribe the audio again."""
        with self._open() as archive:
            path = archive.audio(entry.id)
            wanted = archive.asked_language(entry.id) if language is None else language
            is_as_before = model in {"", self._model()}
            if not is_as_before:  # the cycle knows itself which takes it works on
                archive.check_is_free(entry.id)
        if is_as_before:
            self._post(Recalled(replace(entry, language=wanted), is_sound=True))
            return
        if entry.id in self._retried:
            return
        self._retries.do(partial(self._transcribe_again, entry, path, model, wanted))
        self._retried |= {entry.id}
        self._answer()

    # --- called on "history-retry" -------------------------------------------------------------------

    def _transcribe_again(self, entry: Entry, path: Path, model: str, language: str) -> None:
        problem: Problem | None = Problem(*UNEXPECTED)  # also if it ends the thread
        try:
            found = self._transcribe(path, entry.application, model, language, self._retries.begin)
            with self._open() as archive:
                archive.transcribed(entry.id, found)
            self._post(Noted(RETRIED, Message("Its text is in the history."), Remedy.HISTORY))
            problem = None
        except HandyError as exc:
            problem = Problem(exc.title, exc.hint)
            self._post(Failed(0, exc))
        except Exception:
            logger.exception("a dictation could not be transcribed again")
        finally:
            self._has_retried(entry.id, problem)

    @queued
    def _has_retried(self, number: int, problem: Problem | None) -> None:
        self._retried -= {number}
        self._answer(problem=problem)


def _stamp_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:  # opening it will report the problem
        return None
    return status.st_mtime_ns, status.st_size


def transcribe_file(
    sound: Path, model: str, language: str, moves: Callable[[], None], *, threads: int | None, rules: Rules
) -> Retried:
    """Transcribe a recording of the history with a model loaded for it. See ``Transcribe``.

    ``rules`` are those for its application.
    """
    from handy_qwen.models.installed import load_recognizer

    loaded = load_recognizer(model, threads)
    try:
        found = transcribe_again(
            loaded, sound, language=rules.spoken(language), context=rules.context, on_step=lambda _: moves()
        )
        return written_again(found, rules, loaded.name)
    finally:
        loaded.close()


def written_again(found: Transcript, rules: Rules, model: str) -> Retried:
    """The result of a new transcription by ``model``, with the current settings applied."""
    values: dict[str, str] = {}
    if placeholders_in(found.text, rules.text):
        from handy_qwen.app.machine import moment

        values = moment()
    text = heard(found.text, rules.text, found.language, values=values).text
    original = "" if text.strip() else found.text
    return Retried(text, found.language, model, found.is_truncated, original)


def transcribe_again(
    model: Model,
    sound: Path,
    *,
    language: str | Sequence[str],
    context: str | Sequence[str],
    on_step: Callable[[int], None],
    cancel: Cancel | None = None,
) -> Transcript:
    """Transcribe a recording of the history with the same features as in dictation. Slow.

    Args:
        model: Loaded.
        sound: The file.
        language: See ``Model.live``.
        context: See ``Model.live``.
        on_step: Called after each piece of work, with the number of samples read.
        cancel: Stops the work from another thread.

    Raises:
        HandyError: The file cannot be read, a run failed, or the model made nothing of the speech.
    """
    from handy_qwen.engine.api import transcribe_blocks
    from handy_qwen.history import wav

    live = model.live(language=language, context=context, drafts=False, cancel=cancel)
    try:
        with wav.blocks(sound) as blocks:
            found = transcribe_blocks(live, blocks, on_step)
    except OSError as exc:
        raise HistoryError(Message("Can't read the recording: {reason}.", reason=exc.strerror)) from exc
    found.check()
    return found
