"""The first step: a model that knows more than the demo's words. It is installed behind the other steps.

The cards are the Models window's.
"""

from __future__ import annotations

from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from handy_qwen.core.shelf import Shelf, ShelfKeeper, Standing
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.page import Page, Progress, Verdict
from handy_qwen.ui.windows import figures, model_words
from handy_qwen.ui.windows.model_card import ModelCard
from handy_qwen.ui.windows.parts import Quiet
from handy_qwen.ui.windows.window import GAP_PX


class ModelPage(Page):
    """Choose one and have it installed, while the guide goes on."""

    def __init__(self, keeper: ShelfKeeper) -> None:
        super().__init__(words.MODEL, words.MODEL_TITLE, words.MODEL_LEAD)
        self._keeper = keeper
        self._cards: dict[str, ModelCard] = {}
        self._installing = ""  # how far an installation is
        self._empty, self.verdict = Quiet(model_words.LOOKING), Verdict()
        self._list = QVBoxLayout()
        self._list.setSpacing(GAP_PX)
        self._list.addWidget(self._empty)
        self._list.addStretch()
        self._build()

    @property
    def summary(self) -> str:
        """Which kind of model writes, or how far a better one is."""
        return words.MODEL_FULL if self.is_done else self._installing or words.MODEL_DEMO

    def enter(self) -> None:
        """Look which models there are."""
        super().enter()
        self._keeper.refresh()

    def first_focus(self) -> QWidget | None:
        """The button of the one that is recommended."""
        return next((card.primary for card in self._cards.values() if card.primary.isVisibleTo(card)), None)

    def show_shelf(self, shelf: Shelf) -> None:
        """Show the models that can be had or are here; the demo model is no choice."""
        entries = [entry for entry in shelf.entries if not entry.is_permanent]
        entries.sort(key=lambda one: (one.standing is not Standing.INSTALLED, not one.is_recommended))
        self._empty.setVisible(not entries)
        for name in [name for name in self._cards if name not in {entry.name for entry in entries}]:
            self._cards.pop(name).deleteLater()
        self._cards = {one.name: self._cards.get(one.name) or self._new_card() for one in entries}
        for place, entry in enumerate(entries, start=1):  # below what stands there without any
            card = self._cards[entry.name]
            if self._list.indexOf(card) != place:
                self._list.insertWidget(place, card)
            card.show_entry(entry, shelf)
        former, self._installing = self._installing, _installation(shelf)
        if shelf.has_full_model:
            self.verdict.say(words.MODEL_HERE, "good")
            self.set_progress(Progress.DONE)
        else:
            self.verdict.say(words.MODEL_COMES if self._installing else "", "quiet")
            self.set_progress(Progress.SETTLED if self._installing else Progress.OPEN)
        if self._installing != former:
            self.progress_changed.emit()

    def _new_card(self) -> ModelCard:
        card = ModelCard(self._keeper)
        for one in card.findChildren(QPushButton):
            one.setAutoDefault(True)  # as all buttons of the guide
        return card

    def _build(self) -> None:
        self.body.addWidget(self.verdict)
        self.body.addLayout(self._list, 1)


def _installation(shelf: Shelf) -> str:
    """What is being done to install a model, and how much of it is done; empty if none is being installed."""
    for entry in shelf.entries:
        if entry.standing is Standing.INSTALLING and entry.progress is not None:
            state = model_words.STAGES[entry.progress.stage].lower()
            share = entry.progress.share
            return state if share is None else f"{state}, {figures.percent(share)}"
    return ""
