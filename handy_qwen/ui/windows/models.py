"""The Models window: all models as cards, and importing one. The guide shows the cards as well."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QWidget,
)

from handy_qwen.core.models import InstallStage, ModelCommands, ModelEntry, ModelForm, ModelList, ModelStatus
from handy_qwen.core.view import Choices, View
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import GAP_PX, MARGIN_PX, SMALL_GAP_PX, FlowLayout, boxed, column
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import Button, Card, Message, Pill, SecondaryText, Text, Title, announce
from handy_qwen.ui.window import AppWindow, ask_for_folder, ask_what_to_open, confirm
from handy_qwen.ui.windows import model_words as words

_BAR_STEPS, _BAR_PX = 1000, 12
_WIDEST = "0,000 MB"  # aligns the sizes of all cards


class ModelsWindow(AppWindow):
    """Shows the latest model list. Created and used on Qt's thread."""

    left_at_work = Signal(str)  # closed during the installation of the model of this title

    def __init__(self, commands: ModelCommands) -> None:
        super().__init__("models", tr("Models"), QSize(760, 720))
        self._commands = commands
        self._models, self._choices = ModelList(), Choices()
        self.cards = ModelCards(commands)
        self._introduction, self.room = Text(words.INTRODUCTION), SecondaryText()
        self.room.hide()
        self.body.addWidget(self._introduction)
        self.body.addWidget(self.cards)
        self.body.addStretch()
        self.body.addWidget(self.room)
        self.import_button, menu = Button(tr("&Import…")), QMenu(self)
        menu.addAction(tr("From a &folder…"), self._ask_for_folder)
        menu.addAction(tr("From an &archive (.zip, .tar.gz)…"), self._ask_for_archive)
        self.import_button.setMenu(menu)
        self.buttons.addWidget(self.import_button)
        self.shown.connect(commands.refresh)
        self.hidden.connect(self._on_hidden)

    def show_view(self, view: View) -> None:
        """Refresh if the models or the one in use have changed."""
        old, self._choices = self._choices, view.choices
        if (old.model, old.models) != (view.choices.model, view.choices.models) and self.isVisible():
            self._commands.look()

    def show_models(self, models: ModelList) -> None:
        """Show ``models``."""
        is_first, self._models = not self._models.entries, models
        only_demo = tr(
            "Only the demo model is installed. It knows about 300 English and German words, enough to show "
            "that everything works. Install a full model to dictate."
        )
        self._introduction.setText(words.INTRODUCTION if models.has_full_model else only_demo)
        free = strings.size(models.free_bytes)
        self.room.setText(
            tr("Models are kept in {folder}. {free} free.").format(folder=_short(models.folder), free=free)
        )
        self.room.show()
        self.cards.show_models(models, models.entries)
        if is_first and self.isVisible():  # it was shown before there was anything to press
            self.first_focus().setFocus(Qt.FocusReason.ActiveWindowFocusReason)

    def first_focus(self) -> QWidget:
        """The first button; before there is any, the page, on which an early Enter has no effect."""
        return self.cards.first_button() or self.scrolled

    def _on_hidden(self) -> None:
        """Report an installation that continues after closing."""
        busy = [one.title for one in self._models.entries if one.status is ModelStatus.INSTALLING]
        if busy:
            self.left_at_work.emit(busy[0])

    def _ask_for_folder(self) -> None:
        ask_for_folder(self, tr("Choose a model folder"), self._commands.import_from)

    def _ask_for_archive(self) -> None:
        kinds = [tr("Model archives (*.zip *.tar.gz *.tgz *.tar)")]
        ask_what_to_open(self, tr("Choose a model archive"), kinds, self._commands.import_from)


class ModelCards(QWidget):
    """A card for each model. A card keeps its identity and focus when it moves."""

    def __init__(self, commands: ModelCommands) -> None:
        super().__init__()
        self._commands = commands
        self.by_name: dict[str, ModelCard] = {}
        self._looking, self.more = SecondaryText(tr("Looking for models…")), _Disclosure()
        self.more.hide()
        self.more.toggled.connect(self._show_others)
        self._others: list[ModelCard] = []
        self._column = column(self._looking, self.more, parent=self)

    def show_models(self, models: ModelList, entries: Sequence[ModelEntry]) -> None:
        """Show ``entries`` of ``models`` in that order; those of other makers at the end, behind a button."""
        self._looking.hide()
        before, self.by_name = self.by_name, {}
        entries = sorted(entries, key=_is_aside)
        for entry in entries:
            is_known = entry.name in before
            self.by_name[entry.name] = before.pop(entry.name) if is_known else ModelCard(self._commands)
        self._others = [self.by_name[entry.name] for entry in entries if _is_aside(entry)]
        cards = [self.by_name[entry.name] for entry in entries]
        widgets = [*cards[: len(cards) - len(self._others)], self.more, *self._others]
        for place, widget in enumerate(widgets):
            if self._column.indexOf(widget) != place:
                self._column.insertWidget(place, widget)
        for entry, card in zip(entries, cards, strict=True):
            card.show_entry(entry, models)
            # Now, not with the next event: invisible widgets cannot have the focus.
            card.setVisible(card not in self._others or self.more.isChecked())
        self.more.setText(tr("More models ({count})").format(count=strings.whole(len(self._others))))
        self.more.setVisible(bool(self._others))
        for card in before.values():
            self._column.removeWidget(card)
            card.deleteLater()
        if isinstance(window := self.window(), AppWindow):
            window.order_tabs()

    def first_button(self) -> QPushButton | None:
        """The most useful button: the first one of the first card that has one."""
        buttons = [card.primary for card in self.by_name.values() if not card.isHidden()]
        return next((button for button in buttons if not button.isHidden()), None)

    def _show_others(self, is_open: bool) -> None:
        for card in self._others:
            card.setVisible(is_open)


def _is_aside(entry: ModelEntry) -> bool:
    """Whether the model is hidden until the user looks for it."""
    return entry.is_other and entry.status is ModelStatus.AVAILABLE and entry.problem is None


class ModelCard(Card):
    """A model, its cost, progress and actions.

    The buttons change their titles, not their place, and keep the focus; for ``DOUBLE_MS`` after such a
    change they ignore clicks, so that the second half of a double click does not undo the first.
    """

    DOUBLE_MS = 400

    def __init__(self, commands: ModelCommands) -> None:
        super().__init__()
        self._commands = commands
        self._entry = ModelEntry("", "")
        self._since_change = QElapsedTimer()
        self.title, self._pill, self._summary = Title(is_line=True), Pill(), SecondaryText()
        self.primary, self.secondary = Button(do=self._on_primary), Button(do=self._on_secondary)
        self.facts, self.languages, self.work, self.forms = _Facts(), _Languages(), _Work(), _Forms()
        self._fidelity, self._models = SecondaryText(), ModelList()
        self.forms.combo.activated.connect(self._show_form)
        self.facts.measure.clicked.connect(lambda: commands.measure(self._entry.name))
        self._trouble, self._warning = Message(), Message()
        head = FlowLayout(self.title, self._pill)
        head.push(self.secondary, self.primary)
        self.body.setContentsMargins(MARGIN_PX, 14, 14, 14)
        self.body.addWidget(boxed(head))
        about = (self._summary, self.facts, self._fidelity, self.forms, self.work)
        for widget in (*about, self._trouble, self._warning, self.languages):
            self.body.addWidget(widget)
        delete = QShortcut(QKeySequence.StandardKey.Delete, self, self._on_delete)
        delete.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def show_entry(self, entry: ModelEntry, models: ModelList) -> None:
        """Show ``entry`` of ``models``."""
        if entry.status is not self._entry.status:
            self._since_change.start()
        before, self._entry, self._models = self._entry, entry, models
        self.setAccessibleName(entry.title)
        self.title.setText(entry.title)
        state, color, primary = words.state(entry)
        if state != self._pill.text() and entry.name == before.name:
            announce(self, entry.title, state)
        self._pill.say(state, color)
        self._summary.setText(entry.summary)
        self._summary.setVisible(bool(entry.summary))
        is_measured = entry.status is ModelStatus.INSTALLED and not entry.is_permanent
        self._fidelity.setText(" ".join(entry.fidelity))
        self._fidelity.setVisible(is_measured and bool(entry.fidelity))
        for part in (self.forms, self.languages, self.work):
            part.show_entry(entry)
        problem = (entry.problem.title, entry.problem.hint) if entry.problem else ("", "")
        self._trouble.say(problem[0], "recording", hint=problem[1])
        self._show_form()
        self.set_accent("good" if entry.is_chosen else "")
        self._label(self.secondary, words.secondary(entry))
        self._label(self.primary, primary)

    def _show_form(self) -> None:
        """Show the needs of the chosen form, and whether this machine meets them."""
        form = self.forms.chosen
        self.facts.show_entry(self._entry, form)
        self._warning.say(words.warning(self._entry, self._models, form))

    def _label(self, button: QPushButton, text: str) -> None:
        if not text and button.hasFocus():
            self.languages.toggle.setFocus()  # not to the next card, whose button an eager Enter would press
        button.setVisible(bool(text))
        button.setText(text)
        button.setAccessibleName(f"{text}: {self._entry.title}")

    def _on_primary(self) -> None:
        if self._since_change.isValid() and self._since_change.elapsed() < self.DOUBLE_MS:
            return
        name = self._entry.name
        if self._entry.status is ModelStatus.INSTALLING:
            self._commands.pause(name)
        elif self.primary.text() == words.USE:
            self._commands.use(name)
        elif preset := self.forms.preset or self._entry.preset:
            self._commands.install(name, preset)
        else:
            self._commands.install(name)

    def _on_secondary(self) -> None:
        entry = self._entry
        if entry.status is ModelStatus.PAUSED:
            detail = tr("The {size} downloaded so far will be deleted.").format(
                size=strings.size(entry.partial_bytes)
            )
            self._ask(
                tr("Discard the partial download of {title}?"), detail, words.DISCARD, self._commands.discard
            )
        else:
            detail = tr("This frees {size} of disk space. You can install it again later.").format(
                size=words.size(entry.disk_bytes)
            )
            self._ask(tr("Remove {title}?"), detail, words.REMOVE, self._commands.remove)

    def _on_delete(self) -> None:
        if words.secondary(self._entry):
            self._on_secondary()

    def _ask(self, question: str, detail: str, yes: str, do: Callable[[str], None]) -> None:
        """Ask before something that cannot be undone."""
        name, title = self._entry.name, self._entry.title
        confirm(self, question.format(title=title), detail, yes=yes, no=words.KEEP, do=lambda: do(name))


class _Facts(QWidget):
    """Sizes and speed, in columns aligned across cards if there is room."""

    def __init__(self) -> None:
        super().__init__()
        heads = (words.DOWNLOAD, words.DISK, words.MEMORY, words.SPEED)
        self._values = [Text(is_line=True) for _ in heads]
        self._speed = self._values[3]
        line = FlowLayout(gap_px=2 * GAP_PX)
        for head, value in zip(heads, self._values, strict=True):
            label = SecondaryText(head, scale=0.9, is_line=True)
            label.setBuddy(value)
            value.setMinimumWidth(value.fontMetrics().horizontalAdvance(_WIDEST))
            line.addLayout(column(label, value, gap_px=1))
        self.measure = Button(tr("Measure"))
        line.push(self.measure)
        for widget in (self.measure, self._speed):
            widget.setToolTip(tr("How many seconds of speech this computer transcribes in a second"))
        column(line, parent=self).setContentsMargins(0, SMALL_GAP_PX, 0, SMALL_GAP_PX)

    def show_entry(self, entry: ModelEntry, form: ModelForm | None) -> None:
        """Show ``entry``, with the sizes of ``form`` if there is a choice."""
        download = words.NOTHING if entry.is_permanent else words.size(entry.download_bytes)
        disk, memory = words.size((form or entry).disk_bytes), words.size((form or entry).memory_bytes)
        texts = (download, disk, memory, words.speed(entry))
        for value, text in zip(self._values, texts, strict=True):
            value.setText(text)
        is_here = entry.status is ModelStatus.INSTALLED
        self._speed.setEnabled(is_here)
        self.measure.setVisible(is_here and entry.clip_s is None and not entry.is_measuring)


class _Disclosure(QToolButton):
    """Expands and collapses what follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setAutoRaise(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggled.connect(self._on_toggled)
        self._on_toggled(False)

    def _on_toggled(self, is_open: bool) -> None:
        closed = Qt.ArrowType.LeftArrow if self.isRightToLeft() else Qt.ArrowType.RightArrow
        self.setArrowType(Qt.ArrowType.DownArrow if is_open else closed)


class _Forms(QWidget):
    """The installable forms of a model, and the cost of the chosen one."""

    def __init__(self) -> None:
        super().__init__()
        self._forms: tuple[ModelForm, ...] = ()
        self._preset = ""  # the user's choice, also during its installation
        self.combo, self._cost = QComboBox(), SecondaryText()
        self.combo.setToolTip(tr("How precisely the model is kept, and how much memory that takes"))
        self.combo.activated.connect(self._on_activated)
        head = SecondaryText(tr("Precision"), scale=0.9, is_line=True)
        head.setBuddy(self.combo)
        choice = column(head, FlowLayout(self.combo), self._cost, gap_px=1, parent=self)
        choice.setContentsMargins(0, 0, 0, SMALL_GAP_PX)

    @property
    def chosen(self) -> ModelForm | None:
        """The chosen form; None without a choice."""
        place = self.combo.currentIndex()
        return self._forms[place] if 0 <= place < len(self._forms) else None

    @property
    def preset(self) -> str:
        """The preset of the chosen form; "" for the usual one."""
        return self.chosen.preset if self.chosen and self.combo.currentIndex() else ""

    def show_entry(self, entry: ModelEntry) -> None:
        """Show the forms of ``entry``, keeping the choice."""
        forms = entry.forms if entry.status in {ModelStatus.AVAILABLE, ModelStatus.PAUSED} else ()
        if forms != self._forms:
            self._forms, presets = forms, [one.preset for one in forms]
            self.combo.clear()
            self.combo.addItems([words.form(one, forms) for one in forms])
            self.combo.setCurrentIndex(presets.index(self._preset) if self._preset in presets else 0)
        self._show_cost()
        self.setVisible(bool(forms))

    def _on_activated(self, place: int) -> None:
        self._preset = self._forms[place].preset
        self._show_cost()

    def _show_cost(self) -> None:
        cost = self.chosen.cost if self.chosen else ""
        self._cost.setText(cost)
        self._cost.setVisible(bool(cost))


class _Languages(QWidget):
    """Languages, licence and source in a line; the list of languages below it, once expanded."""

    def __init__(self) -> None:
        super().__init__()
        self.toggle = _Disclosure()
        self.toggle.toggled.connect(self._show_list)
        self._origin, self.list = SecondaryText(scale=0.9, is_line=True), SecondaryText()
        self.list.hide()
        column(FlowLayout(self.toggle, self._origin), self.list, gap_px=SMALL_GAP_PX, parent=self)

    def show_entry(self, entry: ModelEntry) -> None:
        self.toggle.setText(words.languages_title(entry))
        self.toggle.setVisible(bool(entry.languages))
        self.list.setText(words.languages_line(entry))
        self._origin.setText("  ·  ".join(filter(None, (entry.licence, entry.source))))

    def _show_list(self, is_open: bool) -> None:
        self.list.setVisible(is_open)


class _Work(QWidget):
    """The progress bar and its text, during or in a paused installation."""

    def __init__(self) -> None:
        super().__init__()
        self.bar, self.line = QProgressBar(), SecondaryText()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(_BAR_PX)
        whole = column(self.bar, self.line, gap_px=SMALL_GAP_PX, parent=self)
        whole.setContentsMargins(0, SMALL_GAP_PX, 0, SMALL_GAP_PX)

    def show_entry(self, entry: ModelEntry) -> None:
        self.setVisible(entry.status in {ModelStatus.INSTALLING, ModelStatus.PAUSED})
        if entry.status is ModelStatus.PAUSED:
            share = entry.partial_bytes / entry.download_bytes if entry.download_bytes else 0.0
            self._show(min(share, 1.0), words.paused_line(entry))
        elif entry.progress is not None:
            self._show(entry.progress.share, words.progress_line(entry.progress))
        is_waiting = entry.progress is not None and entry.progress.stage is InstallStage.WAITING
        self.bar.setHidden(is_waiting)
        self.bar.setAccessibleName(f"{entry.title}: {self.line.text()}")

    def _show(self, share: float | None, line: str) -> None:
        self.bar.setRange(0, 0 if share is None else _BAR_STEPS)
        if share is not None:
            self.bar.setValue(round(share * _BAR_STEPS))
        self.line.setText(line)


def _short(folder: Path) -> str:
    """A folder in short form."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  Path's own raises where there is none
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
