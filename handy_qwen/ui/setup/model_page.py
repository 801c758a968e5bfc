"""The fourth step: a model that knows more than the demo's words. The cards are the Models window's."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from handy_qwen.core.shelf import Shelf, ShelfKeeper, Standing
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.page import Page, Verdict
from handy_qwen.ui.windows.model_card import ModelCard
from handy_qwen.ui.windows.parts import Quiet
from handy_qwen.ui.windows.window import GAP_PX


class ModelPage(Page):
    """Choose one and have it installed, while the guide goes on."""

    def __init__(self, keeper: ShelfKeeper) -> None:
        super().__init__(words.MODEL, words.MODEL_TITLE, words.MODEL_LEAD)
        self._keeper = keeper
        self._cards: dict[str, ModelCard] = {}
        self._empty, self.verdict = Quiet(words.NO_SHELF), Verdict()
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, GAP_PX, 0)
        self._list.setSpacing(GAP_PX)
        self._list.addWidget(self._empty)
        self._list.addStretch()
        self._build()

    @property
    def summary(self) -> str:
        """Which kind of model writes."""
        return words.MODEL_FULL if self.is_done else words.MODEL_DEMO

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
        self._cards = {one.name: self._cards.get(one.name) or ModelCard(self._keeper) for one in entries}
        for place, entry in enumerate(entries, start=1):  # below what stands there without any
            card = self._cards[entry.name]
            if self._list.indexOf(card) != place:
                self._list.insertWidget(place, card)
            card.show_entry(entry, shelf)
        self.verdict.say(words.MODEL_HERE if shelf.has_full_model else "", "good")
        self.set_done(shelf.has_full_model)

    def _build(self) -> None:
        inside = QWidget()
        inside.setLayout(self._list)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        area.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)
        self.body.addWidget(area, 1)
        self.body.addWidget(self.verdict)
