"""The page Language and model: spoken languages, the model, and its resources."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QListWidgetItem, QWidget

from handy_qwen.core.models import ModelEntry, ModelList, ModelStatus
from handy_qwen.core.view import View, Window
from handy_qwen.languages import ALL_LANGUAGES, code_of
from handy_qwen.settings import OPTIONS
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX, column
from handy_qwen.ui.settings.controls import DETECT, ChoiceControl, Choose, Control, language_entries
from handy_qwen.ui.settings.page import Row, SettingsPage, Tools
from handy_qwen.ui.translation import tr, translated
from handy_qwen.ui.widgets import Button, ShortList, spoken

_ROWS = 7
_NAME = Qt.ItemDataRole.UserRole
_FIND_LANGUAGE = tr("Find a language")


class LanguagePage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._language = ChoiceControl([("", DETECT)], strings.language_title)
        self._detected = LanguagesControl()
        self._model = ChoiceControl([("", strings.AUTOMATIC)])
        self._models: tuple[ModelEntry, ...] = ()
        self._used = ""
        self.model = self.setting("model", self._model)
        manage = Button(tr("Manage models…"), lambda: tools.commands.open_window(Window.MODELS))
        detected = self.setting("languages", self._detected, below=self._detected.panel)
        self.add_section("", self.setting("language", self._language), detected)
        self.add_section("", self.model, Row("", manage))
        self.add_section(tr("Live transcription"), self.setting("live"), self.setting("live_on_battery"))
        self.add_section(tr("Memory and processor"), self.setting("idle_unload_min"), self.setting("threads"))

    def enter(self) -> None:
        """Look for models and their speed."""
        self.tools.commands.refresh_choices()
        self.tools.models.look()

    def show_view(self, view: View) -> None:
        """Offer the languages of the model, the recent ones first, and the models."""
        choices = view.choices
        self._language.set_entries([("", DETECT), *language_entries(choices)])
        self._detected.set_languages(choices.languages)
        models = [(model.name, model.title) for model in choices.models]
        automatic = strings.AUTOMATIC_IS.format(what=models[0][1]) if models else strings.AUTOMATIC
        self._model.set_entries([("", automatic), *models])
        self._used = choices.model
        self._show_facts()

    def show_models(self, models: ModelList) -> None:
        """Show the needs of the model in use."""
        self._models = models.entries
        self._show_facts()

    def _show_facts(self) -> None:
        used = next((one for one in self._models if one.name == self._used), None)
        is_here = used is not None and used.status is ModelStatus.INSTALLED
        self.model.set_help(_model_facts(used) if used is not None and is_here else "")


def _model_facts(model: ModelEntry) -> str:
    """What a model needs, and its speed here, as far as known."""
    known = {
        tr("{amount} on disk"): model.disk_bytes and strings.size(model.disk_bytes),
        tr("about {amount} of memory when in use"): model.memory_bytes and strings.size(model.memory_bytes),
        tr("{amount}× real time on this computer"): model.clip_s
        and strings.number(10.0 / max(model.clip_s, 0.01)),
    }
    return " · ".join(words.format(amount=amount) for words, amount in known.items() if amount)


class LanguagesControl(Control):
    """The setting ``languages``: some or all. ``widget``, a button, names them and opens ``panel``.

    That is a searchable list with check boxes, to be placed below.
    """

    def __init__(self) -> None:
        self._button = Button(do=self._toggle)
        self._button.setObjectName("languages")
        self._button.setCheckable(True)
        super().__init__(self._button)
        self.panel = _Panel(self._button.click)
        self.panel.hide()
        self._known: tuple[str, ...] = ALL_LANGUAGES
        self._value: tuple[str, ...] = ()
        self.show_value(())

    @property
    def words(self) -> str:
        """See ``Control``."""
        return " ".join(map(strings.language_title, self._known))

    def connect(self, choose: Choose) -> None:
        """See ``Control``."""

        def on_ticked() -> None:
            ticked = self.panel.ticked()
            kept = [name for name in self._value if name in ticked]
            chosen = (*kept, *(name for name in ticked if name not in kept))
            self.show_value(chosen)
            choose(chosen)

        self.panel.rows.itemChanged.connect(on_ticked)

    def set_languages(self, known: Sequence[str]) -> None:
        """Offer ``known``; before the model is known, all languages."""
        known = tuple(known) or ALL_LANGUAGES
        if known != self._known:
            self._known = known
            self.panel.offer(self._offered(), self._value)

    def show_value(self, value: tuple[str, ...]) -> None:
        """See ``Control``."""
        self._value = value
        said = strings.languages(value) or tr("Any language")
        label, opens = translated(OPTIONS["languages"].described.label), f"{said}…"
        self._button.setText(strings.literal(opens))
        self._button.setToolTip(", ".join(map(strings.language_title, value)))
        self._button.setAccessibleName(spoken(f"{label}: {opens}"))
        if not self.panel.tick(value):
            self.panel.offer(self._offered(), value)

    def _offered(self) -> list[str]:
        """The list of languages: chosen ones first, including those that the model does not know."""
        return list(dict.fromkeys([*self._value, *self._known]))

    def _toggle(self) -> None:
        is_open = self._button.isChecked()
        if is_open:
            self.panel.offer(self._offered(), self._value)
        self.panel.setVisible(is_open)
        (self.panel.search if is_open else self._button).setFocus(Qt.FocusReason.OtherFocusReason)


class _Panel(QWidget):
    """The search field and the list; Escape closes it, Down moves from the field into the list."""

    def __init__(self, close: Callable[[], None]) -> None:
        super().__init__()
        self._close = close
        self.search, self.rows = QLineEdit(), ShortList(_ROWS)
        self.search.setPlaceholderText(_FIND_LANGUAGE)
        self.search.setAccessibleName(_FIND_LANGUAGE)
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._seek)
        self.rows.setAccessibleName(translated(OPTIONS["languages"].described.label))
        column(self.search, self.rows, gap_px=SMALL_GAP_PX, parent=self)

    def offer(self, names: Sequence[str], ticked: Sequence[str]) -> None:
        """Show ``names`` in this order."""
        with QSignalBlocker(self.rows):
            self.rows.clear()
            for name in names:
                item = QListWidgetItem(strings.language_title(name))
                item.setData(_NAME, name)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if name in ticked else Qt.CheckState.Unchecked)
                self.rows.addItem(item)
            self.rows.setCurrentRow(0)
        self._seek(self.search.text())

    def tick(self, names: Sequence[str]) -> bool:
        """Check exactly ``names``, in place; False if one of them is missing."""
        with QSignalBlocker(self.rows):
            for item in self._items():
                is_ticked = item.data(_NAME) in names
                item.setCheckState(Qt.CheckState.Checked if is_ticked else Qt.CheckState.Unchecked)
        return set(names) <= {item.data(_NAME) for item in self._items()}

    def ticked(self) -> list[str]:
        """The checked ones, in the order of the list."""
        return [one.data(_NAME) for one in self._items() if one.checkState() is Qt.CheckState.Checked]

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if event.key() == Qt.Key.Key_Escape:
            self._close()
        elif event.key() == Qt.Key.Key_Down and self.search.hasFocus():
            for first in (item for item in self._items()[::-1] if not item.isHidden()):
                self.rows.setCurrentItem(first)
            self.rows.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            super().keyPressEvent(event)

    def _items(self) -> list[QListWidgetItem]:
        return [self.rows.item(place) for place in range(self.rows.count())]

    def _seek(self, text: str) -> None:
        """Show only languages whose name contains ``text``, or whose code it is."""
        sought = text.strip().casefold()
        for item in self._items():
            is_found = sought in item.text().casefold() or sought == code_of(item.data(_NAME))
            item.setHidden(not is_found)
