"""Audio files for their window: read on a thread of their own, transcribed while nobody dictates.

Qt --add, remove, save ...--> thread "files" --> FilesPage --> Qt
|  one after the other
thread "files-read" --blocks--> FileJob --> the engine's thread
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from handy_qwen.app.transcripts import KeptFiles, Transcribed, described, rendered
from handy_qwen.core import subtitles
from handy_qwen.core.events import Noted
from handy_qwen.core.models import Problem, Told
from handy_qwen.core.ports import Post
from handy_qwen.core.sound_files import FileEntry, FilesListener, FilesPage, FileState, Form
from handy_qwen.core.types import Rules
from handy_qwen.core.view import Remedy
from handy_qwen.errors import UNEXPECTED, HandyError
from handy_qwen.files import replacing
from handy_qwen.message import Message, messages
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.worker import Worker, queued
from handy_qwen.transcriber.jobs import FileJob

if TYPE_CHECKING:  # slow to import
    from handy_qwen.audio.files import AudioFile
    from handy_qwen.engine.api import Transcript

logger = logging.getLogger(__name__)

LEFT_HINT = Message("Go on in Transcribe files…")
WAIT_S = 0.25  # interval for polling the engine


class Engine(Protocol):
    """The engine, as used here. Any thread."""

    def transcribe_file(self, job: FileJob) -> None:
        """Work on ``job`` while nobody dictates."""

    def wake(self) -> None:
        """Look for work."""


@dataclass
class _File:
    entry: FileEntry
    job: FileJob | None = None
    made: Transcribed = field(default_factory=Transcribed)


class FilesPresenter:
    """Implements ``core.sound_files.FilesCommands``.

    Threads: the methods are called on Qt's; ``listener`` on the thread ``files``.

    Args:
        engine: None before it is there.
        rules: What the settings say: the languages, and the words that the model should know.
        model: The name of the model in use.
        copy: Puts a text on the clipboard. Any thread.
        open_file: Opens a file as the user would; False: no program does.
        post: To the dictation cycle.
        folder: Where files and texts are kept until they are taken off the list.
    """

    def __init__(
        self,
        engine: Callable[[], Engine | None],
        rules: Callable[[], Rules],
        model: Callable[[], str],
        *,
        copy: Callable[[str], None],
        open_file: Callable[[Path], bool],
        post: Post,
        folder: Path,
    ) -> None:
        self.listener: FilesListener = lambda _page: None  # until there is one
        self._engine, self._rules, self._model = engine, rules, model
        self._copy_text, self._open_file, self._post = copy, open_file, post
        self._files: dict[int, _File] = {}
        self._kept, self._has_looked = KeptFiles(folder), False
        self._last = 0  # the number given last
        self._working = 0  # the number of the file that the reader is at; 0: none
        self._told, self._is_closing = Told(), False
        self.thread = Worker(
            "files", is_lazy=True, on_error=lambda error: self._tell(error.title, error.hint, is_problem=True)
        )
        self._reader = Worker("files-read", is_lazy=True)
        self.workers: watchdog.Watchable = {watchdog.FILES: self.thread, watchdog.FILES_READ: self._reader}

    # --- called on Qt's thread -----------------------------------------------------------------------

    def start(self) -> None:
        """Say so if an earlier session has left files that were not transcribed."""
        if self._kept.numbers():
            self._tell_of_left()

    def close(self, timeout_s: float) -> None:
        """Give up what is not done, finish what was asked for, and end the threads. Safe to call twice."""
        self._is_closing = True
        for file in list(self._files.values()):
            if file.job is not None:
                file.job.cancel()
        self._reader.stop(0.0)
        self.thread.stop(timeout_s)

    # --- done on "files" -----------------------------------------------------------------------------

    @queued
    def look(self) -> None:
        """Show what there is, also of earlier sessions."""
        self._look()

    def _look(self) -> None:
        if not self._has_looked:
            self._has_looked = True
            self._files |= {entry.number: _File(entry, made=made) for entry, made in self._kept.read()}
            self._last = max(self._kept.numbers(), default=0)
        self._show()

    @queued
    def _tell_of_left(self) -> None:
        self._look()
        if count := sum(file.entry.state is FileState.LEFT for file in self._files.values()):
            title = messages(
                "{count} file is not transcribed yet.", "{count} files are not transcribed yet.", count
            )
            self._post(Noted(title, LEFT_HINT, Remedy.FILES))

    @queued
    def transcribe(self, numbers: Sequence[int]) -> None:
        """Go on with files that were left or failed."""
        for file in (self._files[number] for number in numbers if number in self._files):
            if file.entry.state in {FileState.LEFT, FileState.FAILED}:
                file.entry = replace(file.entry, state=FileState.WAITING, share=None, problem=None)
                self._keep(file)
        self._go_on()

    @queued
    def add(self, paths: Sequence[Path]) -> None:
        """Transcribe these files, and those in these folders."""
        from handy_qwen.audio.files import files_in

        self._look()
        before = self._last
        for path in paths:
            found = [path]
            if path.is_dir():
                try:
                    found = files_in(path)
                except OSError as exc:
                    self._tell(
                        Message("{name} can't be read: {reason}.", name=path.name, reason=exc.strerror),
                        is_problem=True,
                    )
                    continue
                if not found:
                    self._tell(Message("There is no sound file in {name}.", name=path.name), is_problem=True)
            for one in found:
                self._last += 1
                self._files[self._last] = _File(FileEntry(self._last, one.absolute()))
        self._go_on()
        for file in self._files.values():
            if file.entry.number > before:
                self._keep(file)

    def _go_on(self) -> None:
        """Begin with the next file, if none is being read, and show what there is."""
        waiting = (one for one in self._files.values() if one.entry.state is FileState.WAITING)
        if not self._working and (file := next(waiting, None)) is not None:
            rules = self._rules()
            file.job = FileJob(rules.spoken(rules.language), rules.context)
            file.entry = replace(file.entry, state=FileState.WORKING)
            self._working = file.entry.number
            self._reader.do(partial(self._read, file.entry.number, file.entry.path, file.job))
        self._show()

    @queued
    def _has_moved(self, number: int, share: float | None) -> None:
        if (file := self._files.get(number)) is not None and file.entry.share != share:
            file.entry = replace(file.entry, share=share)
            self._show()

    @queued
    def _has_ended(self, number: int, came: _Came) -> None:
        self._working = 0
        if self._is_closing and came.found is None:
            return  # what was given up is still to be transcribed
        if (file := self._files.get(number)) is not None:
            file.job = None
            if came.problem is not None:
                file.entry = replace(file.entry, state=FileState.FAILED, problem=came.problem)
            elif came.found is not None:
                found, name = came.found, str(file.entry.path)
                known = described(name, found, model=came.model, is_truncated=came.is_truncated)
                file.made = Transcribed(known, found.segments)
                done = {"state": FileState.DONE, "share": 1.0, "text": found.text, "note": came.note}
                file.entry = replace(file.entry, **done)  # type: ignore[arg-type]  # names of its fields
            self._keep(file)
        self._go_on()

    def _keep(self, file: _File) -> None:
        """Let the file outlive a crash, unless nothing is to be kept."""
        try:
            if self._rules().is_private:
                self._kept.remove(file.entry.number)
            else:
                self._kept.write(file.entry, file.made)
        except OSError as exc:
            logger.warning("a file of the list is not kept: %s", exc.strerror)
            if not file.entry.text:
                return  # nothing to be saved yet
            title = Message(
                "The text of {name} can't be kept: {reason}.", name=file.entry.path.name, reason=exc.strerror
            )
            self._tell(title, Message("Save it before you quit."), is_problem=True)

    @queued
    def remove(self, numbers: Sequence[int]) -> None:
        """Take files off the list."""
        for number in numbers:
            file = self._files.pop(number, None)
            if file is not None and file.job is not None:
                file.job.cancel()
            try:
                self._kept.remove(number)
            except OSError as exc:
                logger.warning("the text of a file stays on the disk: %s", exc.strerror)
        self._show()

    @queued
    def copy(self, numbers: Sequence[int]) -> None:
        """Put the texts on the clipboard."""
        texts = [file.entry.text for file in self._done(numbers)]
        self._copy_text("\n\n".join(texts))
        self._tell(
            messages("The text is on the clipboard.", "{count} texts are on the clipboard.", len(texts))
        )

    @queued
    def save(self, numbers: Sequence[int], form: Form, target: Path) -> None:
        """Save the texts as ``target``, or there."""
        files = self._done(numbers)
        if not files:  # removed meanwhile
            return
        for file in files:
            name = form.base(file.entry.path).name + form.suffix
            path = target if len(numbers) == 1 else _free(target, name)
            content = rendered(form, file.made.known, file.made.segments)
            try:
                with replacing(path) as stream:
                    stream.write(content.encode("utf-8", "surrogateescape"))
            except OSError as exc:
                title = Message("{name} can't be written: {reason}.", name=path.name, reason=exc.strerror)
                raise HandyError(title, Message("Choose another folder.")) from exc
            file.entry = replace(file.entry, saved=path)
            self._keep(file)
        title = Message("Saved as {name}.", name=target.name)
        if len(numbers) > 1:
            title = messages(
                "Saved {count} text in {folder}.",
                "Saved {count} texts in {folder}.",
                len(files),
                folder=target.name,
            )
        self._tell(title, subtitles.NOTE if form.is_timed else Message())

    @queued
    def open(self, number: int) -> None:
        """Open the file that the text was saved in."""
        path = self._files[number].entry.saved if number in self._files else None
        if path is None:
            return
        if not path.is_file():
            raise HandyError(
                Message("{name} is not there any more.", name=path.name), Message("Save the text again.")
            )
        if not self._open_file(path):
            raise HandyError(
                Message("No program opened {name}.", name=path.name),
                Message("It is in {folder}.", folder=path.parent),
            )

    def _done(self, numbers: Sequence[int]) -> list[_File]:
        files = (self._files[number] for number in sorted(numbers) if number in self._files)
        return [file for file in files if file.entry.state is FileState.DONE]

    def _tell(self, title: Message, hint: Message = Message(), *, is_problem: bool = False) -> None:
        self._told = Told(self._told.number + 1, title, hint, is_problem)
        self._show()

    def _show(self) -> None:
        self.listener(FilesPage(tuple(file.entry for file in self._files.values()), self._told))

    # --- called on "files-read" ----------------------------------------------------------------------

    def _read(self, number: int, path: Path, job: FileJob) -> None:
        came = _Came(Problem(*UNEXPECTED))  # also if it ends the thread
        try:
            came = self._transcribed(number, path, job)
        except HandyError as exc:
            came = _Came(Problem(exc.title, exc.hint))
        except Exception:
            logger.exception("a file could not be transcribed")
        finally:
            if came.problem is not None:
                job.cancel()
            self._has_ended(number, came)

    def _transcribed(self, number: int, path: Path, job: FileJob) -> _Came:
        from handy_qwen.audio.files import Loudness, read

        while (engine := self._engine()) is None:
            job.wait(WAIT_S)  # raises if it is given up
            self._reader.begin()
        loudness = Loudness()
        with read(path) as audio:
            engine.transcribe_file(job)
            for block in audio:
                loudness.feed(block)
                while not job.feed(block, WAIT_S):
                    self._moves(number, job, audio)
                engine.wake()
            job.complete()
            engine.wake()
            while (found := job.wait(WAIT_S)) is None:
                self._moves(number, job, audio)
            found.check()
            is_truncated = audio.is_truncated
        note = Message()
        if found.is_truncated or is_truncated:
            note = Message("The text may be incomplete: the recording or the model broke off.")
        elif not found.text:
            note = Message("No text: {reason}.", reason=loudness.why_no_text())
        return _Came(None, found, note, self._model(), is_truncated)

    def _moves(self, number: int, job: FileJob, audio: AudioFile) -> None:
        self._reader.begin()  # a sign of life for the watchdog
        share = min(1.0, job.done_samples / audio.total_samples) if audio.total_samples else None
        self._has_moved(number, share)


@dataclass(frozen=True)
class _Came:
    """What came of a file."""

    problem: Problem | None
    found: Transcript | None = None
    note: Message = Message()
    model: str = ""
    is_truncated: bool = False


def _free(folder: Path, name: str) -> Path:
    """A name in ``folder`` that nothing has yet."""
    stem, dot, suffix = name.rpartition(".")
    names = (name, *(f"{stem} ({number}){dot}{suffix}" for number in range(2, 10_000)))
    return next(path for one in names if not (path := folder / one).exists())
