"""Words and replacements for the windows: changed and counted on a thread of their own.

    Qt --add, edit, delete ...--> inbox --> thread "vocabulary" --> settings file --> VocabularyPage --> Qt

Several commands in a row are answered once. Tokens are counted when typing pauses; that imports the engine,
but loads no model. The test text is processed again after each change.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from handy_qwen.core.corrections import Correction
from handy_qwen.core.events import Noted
from handy_qwen.core.models import Told
from handy_qwen.core.ports import Post
from handy_qwen.core.text import Replacement, clean, fit, pattern_error
from handy_qwen.core.types import Rules
from handy_qwen.core.vocabulary import Fit, ReplacementRow, Tried, VocabularyListener, VocabularyPage
from handy_qwen.errors import EngineError, HandyError
from handy_qwen.message import Count, Message, messages
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.worker import Worker, queued
from handy_qwen.settings import Settings
from handy_qwen.vocabulary import exchange, handy, lists
from handy_qwen.vocabulary.lists import Item, Outcome, Skipped, Vocabulary

if TYPE_CHECKING:  # slow to import
    from handy_qwen.engine.api import FittedWords

logger = logging.getLogger(__name__)

COUNT_S = 0.3  # tokens are counted after this long without a command
MOST_UNDONE = 50
DEFAULT_LANGUAGE = "English"
HINT = Message("The rest are not used. Put the most important words first.")
One = TypeVar("One", bound=Hashable)
Revise = Callable[[Callable[[Settings], Mapping[str, object]]], Settings]


def counted(settings: Settings) -> FittedWords | None:
    """The words that the model in use reads. Slow: it reads the model's vocabulary.

    None: there are no words, or the model cannot be read, which is reported when it is loaded.
    """
    if not settings.custom_words:
        return None
    from handy_qwen.models.installed import fit_custom_words

    try:
        return fit_custom_words(settings.model, settings.custom_words)
    except EngineError as exc:
        logger.info("custom words not counted: %s", type(exc).__name__)
        return None


def tell_of_words(settings: Settings, post: Post) -> None:
    """Log how many words fit, and notify if some are left out. As slow as ``counted``."""
    if (found := counted(settings)) is None:
        return
    logger.info("custom words: %d of %d, %d of %d tokens", found.used, found.total, found.tokens, found.limit)
    if found.left_out:
        title = messages(
            "{used} of {count} custom words fits.",
            "{used} of {count} custom words fit.",
            found.total,
            used=Count(found.used),
        )
        post(Noted(title, HINT))


class _SupersededError(Exception):
    """Processing the test text is pointless: another command has arrived."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A change that can be undone."""

    before: Vocabulary
    after: Vocabulary


class _Became(Generic[One]):
    """Tracks renamed items: a window may still use the old name."""

    def __init__(self) -> None:
        self._next: dict[One, One] = {}

    def note(self, was: One, now: One) -> None:
        """``was`` was changed to ``now``."""
        if was != now:
            self._next[was] = now
            self._next.pop(now, None)  # renamed back

    def now(self, were: Iterable[One], listed: Iterable[One]) -> list[One]:
        """The current name of each of ``were`` in ``listed``; itself if it exists or is unknown."""
        there, found = frozenset(listed), []
        for was in were:
            now = was
            while now not in there and now in self._next:
                now = self._next[now]
            found.append(now if now in there else was)
        return found

    def forget(self, shown: Iterable[One]) -> None:
        """A window that shows ``shown`` knows the current names."""
        for one in shown:
            self._next.pop(one, None)

    def clear(self) -> None:
        """Forget everything."""
        self._next.clear()


class VocabularyPresenter:
    """Implements ``core.vocabulary.VocabularyCommands``.

    Threads: the methods are called on Qt's; ``listener`` on ``vocabulary``.

    Args:
        settings: The current ones. Any thread.
        revise: Changes them; see ``SettingsStore.revise``. Called on ``vocabulary``.
        rules: The settings of the dictation cycle. Any thread.
        count: Which words the model reads; see ``counted``. Called on ``vocabulary``.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        revise: Revise,
        rules: Callable[[], Rules],
        count: Callable[[Settings], FittedWords | None] = counted,
    ) -> None:
        self.listener: VocabularyListener = lambda _page: None  # until there is one
        self._settings, self._revise, self._rules = settings, revise, rules
        self._count = count
        self._is_watched = False
        self._drafts: dict[Replacement | None, ReplacementRow] = {}  # by the saved replacement
        self._words_became, self._rules_became = _Became[str](), _Became[Replacement]()  # until ``leave``
        self._done: list[_Done] = []
        self._told = Told()
        self._sample = ""
        self._fit: Fit | None = None
        self._counted: tuple[object, ...] = ()  # the input of ``_fit``
        self._shown: VocabularyPage | None = None  # the last answer
        self.thread = Worker(
            "vocabulary",
            routine=self._count_tokens,
            pause_s=lambda: COUNT_S if self._must_count() else None,
            after=self._answer,
            is_lazy=True,
            on_error=lambda error: self._tell(error.title, error.hint, is_problem=True),
        )
        self.workers: watchdog.Watchable = {watchdog.VOCABULARY: self.thread}

    def close(self, timeout_s: float) -> None:
        """Finish pending requests, and end the thread. Safe to call twice."""
        self.thread.stop(timeout_s)

    # --- done on "vocabulary" ------------------------------------------------------------------------

    @queued
    def look(self) -> None:
        """Answer now, and after every change."""
        self._is_watched, self._shown = True, None  # the first answer is always sent

    @queued
    def leave(self) -> None:
        """Stop answering."""
        self._is_watched, self._sample = False, ""
        self._words_became.clear()  # a returning window gets a new page first
        self._rules_became.clear()

    @queued
    def add_words(self, text: str) -> None:
        """Add the words in ``text``."""
        self._change(lambda old: lists.added(old, lists.lines_of(text), is_typed=True))

    @queued
    def edit_word(self, was: str, text: str) -> None:
        """Replace ``was`` by ``text``."""
        now = self._words_now([was])[0]
        self._change(lambda old: lists.reworded(old, now, text), Message("Word changed."))
        first = next((str(item.value) for item in lists.lines_of(text)), None)
        if first is not None and first in self._lists().words:
            self._words_became.note(now, first)

    @queued
    def delete_words(self, words: Sequence[str]) -> None:
        """Delete these."""
        gone = self._words_now(words)
        told = messages("{count} word deleted.", "{count} words deleted.", len(words))
        self._change(lambda old: Outcome(lists.without_words(old, gone)), told)

    @queued
    def move_words(self, words: Sequence[str], by: int) -> None:
        """Move these by this many places."""
        now = self._words_now(words)
        self._change(lambda old: Outcome(lists.moved(old, now, by)), Message("Order changed."))

    @queued
    def learn(self, corrections: Sequence[Correction]) -> None:
        """Add words and replacements."""
        items = [
            Item(place, one.written if one.is_word else Replacement(one.heard.strip(), one.written))
            for place, one in enumerate(corrections, 1)
        ]
        self._change(lambda old: lists.added(old, items, is_typed=True))

    @queued
    def try_text(self, text: str) -> None:
        """Show what the settings make of ``text``."""
        self._sample = text

    def _words_now(self, words: Sequence[str]) -> list[str]:
        return self._words_became.now(words, self._lists().words)

    def _rules_now(self, rows: Sequence[ReplacementRow]) -> list[Replacement]:
        saved = (row.saved for row in rows if row.saved is not None)
        return self._rules_became.now(saved, self._lists().replacements)

    def _lists(self) -> Vocabulary:
        return Vocabulary.of(self._settings())

    def _tell(self, title: Message, hint: Message = Message(), *, is_problem: bool = False) -> None:
        self._told = Told(self._told.number + 1, title, hint, is_problem)

    def _change(
        self,
        change: Callable[[Vocabulary], Outcome],
        title: Message = Message(),
        skipped: Sequence[Skipped] = (),
    ) -> None:
        """Change the lists, and show ``title``, or what was added; also what was ``skipped`` before."""
        before = after = Vocabulary()
        outcome = Outcome(after)

        def changes(now: Settings) -> dict[str, object]:
            nonlocal before, after, outcome
            before = Vocabulary.of(now)
            outcome = change(before)
            after = outcome.vocabulary
            return after.changes_from(before)

        self._revise(changes)
        if after != before:
            self._done = [*self._done[1 - MOST_UNDONE :], _Done(before, after)]
        outcome = outcome.after(skipped)
        is_bare = not title or outcome.skipped or outcome.words or outcome.replacements
        if is_bare or after != before:
            is_problem = after == before and bool(outcome.skipped)
            self._tell(outcome.summary if is_bare else title, is_problem=is_problem)

    @queued
    def set_replacement(self, row: ReplacementRow | None, entered: Replacement) -> None:
        """Change ``row``, or add one."""
        saved = next(iter(self._rules_now([row] if row else [])), None)
        draft = self._drafts.get(saved)
        if row is not None and (draft or saved != row.saved):  # the window may show an earlier one
            changes = {
                one.name: getattr(entered, one.name)
                for one in fields(entered)
                if getattr(entered, one.name) != getattr(row.entered, one.name)
            }
            entered = replace(draft.entered if draft else saved or entered, **changes)
        problem = self._problem(saved, entered)
        if problem:
            self._drafts[saved] = ReplacementRow(entered, saved, problem)
            self._tell(problem, is_problem=True)
            return
        self._drafts.pop(saved, None)

        def change(old: Vocabulary) -> Outcome:
            if saved not in old.replacements:
                return lists.added(old, [Item(1, entered)])
            place = old.replacements.index(saved)
            rules = (*old.replacements[:place], entered, *old.replacements[place + 1 :])
            return Outcome(replace(old, replacements=rules))

        self._change(change, Message("Replacement changed."))
        if saved is not None:
            self._rules_became.note(saved, entered)

    def _problem(self, saved: Replacement | None, entered: Replacement) -> Message:
        """Why ``entered`` cannot be saved, as a sentence."""
        others = [one for one in self._lists().replacements if one != saved]
        if reason := pattern_error(entered):
            return Message("Not a valid pattern: {reason}.", reason=reason)
        if reason := lists.refusal(entered):
            return Message("This can't be used: {reason}.", reason=reason)
        if twin := lists.twin(others, entered):
            return Message(
                "Row {number} already replaces the same words.",
                number=self._lists().replacements.index(twin) + 1,
            )
        return Message()

    @queued
    def delete_rows(self, rows: Sequence[ReplacementRow]) -> None:
        """Delete these."""
        gone = set(self._rules_now(rows))
        for saved in {*gone, *(row.saved for row in rows)}:
            self._drafts.pop(saved, None)
        told = messages("{count} replacement deleted.", "{count} replacements deleted.", len(rows))

        def change(old: Vocabulary) -> Outcome:
            left = tuple(one for one in old.replacements if one not in gone)
            return Outcome(replace(old, replacements=left))

        self._change(change, told)

    @queued
    def import_file(self, path: Path) -> None:
        """Import a file."""
        found = exchange.read_file(path)
        self._change(lambda old: lists.added(old, found.items), skipped=found.skipped)
        self._told = replace(self._told, hint=found.warning)

    @queued
    def export_words(self, path: Path) -> None:
        """Write the words to a file."""
        exchange.write_words(path, self._lists().words)
        self._tell_exported(path)

    @queued
    def export_replacements(self, path: Path) -> None:
        """Write the replacements to a file."""
        exchange.write_replacements(path, self._lists().replacements)
        self._tell_exported(path)

    def _tell_exported(self, path: Path) -> None:
        self._tell(Message("Exported to {path}.", path=path))

    @queued
    def undo(self) -> None:
        """Undo the last change."""
        if not self._done:
            return
        last = self._done.pop()

        def changes(now: Settings) -> dict[str, object]:
            undone = last.before.changes_from(last.after)
            if undone.keys() & last.after.changes_from(Vocabulary.of(now)).keys():
                raise HandyError(
                    Message("The list was changed elsewhere meanwhile."), Message("Nothing was undone.")
                )
            return undone

        try:
            self._revise(changes)
        except HandyError:
            self._done.clear()
            raise
        self._tell(Message("Undone."))

    def _must_count(self) -> bool:
        return self._is_watched and self._counted != self._to_count()

    def _to_count(self) -> tuple[object, ...]:
        settings = self._settings()
        return settings.model, settings.custom_words

    def _count_tokens(self) -> None:
        if not self._must_count():
            return
        settings = self._settings()
        self._fit, self._counted = None, self._to_count()
        if (found := self._count(settings)) is not None:
            left_out = frozenset(settings.custom_words[place] for place in found.left_out)
            self._fit = Fit(found.tokens, found.limit, left_out)

    def _answer(self) -> None:
        """Show the lists, unless more commands are waiting."""
        if not self.thread.is_idle():
            return
        try:
            tried = self._tried()
        except _SupersededError:
            return
        vocabulary = self._lists()
        self._words_became.forget(vocabulary.words)
        self._rules_became.forget(vocabulary.replacements)
        for saved in set(self._drafts) - {None, *vocabulary.replacements}:  # deleted elsewhere
            row = self._drafts.pop(saved)
            self._drafts.setdefault(None, replace(row, saved=None))
        rows = [self._drafts.get(one) or ReplacementRow(one, one) for one in vocabulary.replacements]
        rows += [row for saved, row in self._drafts.items() if saved is None]
        page = VocabularyPage(
            vocabulary.words,
            self._fit,
            tuple(rows),
            self._told,
            can_undo=bool(self._done),
            tried=tried,
            handy=handy.settings_file() if self._is_watched else None,
        )
        if page != self._shown:
            self._shown = page
            self.listener(page)

    def _tried(self) -> Tried | None:
        if not self._sample.strip():
            return None
        rules = self._rules()
        usual = *rules.languages, *self._settings().recent_languages, DEFAULT_LANGUAGE
        language = rules.language or usual[0]
        slow: list[Replacement] = []

        def on_slow(one: Replacement) -> None:
            slow.append(one)
            self.thread.begin()
            if not self.thread.is_idle():
                raise _SupersededError

        written = fit(clean(self._sample, rules.text, language, on_slow), rules.text, None, language)
        return Tried(self._sample, written, language, tuple(slow))
