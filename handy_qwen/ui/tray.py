"""The icon in the tray and its menu.

A desktop may have no tray, get one later, or lose it for a while: Qt shows the icon as soon as there is one.
Without one the main window offers the menu's entries as buttons (``windows/main.py``): what is added here is
there as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup, QCursor, QGuiApplication, QIcon
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from handy_qwen.core.events import Request
from handy_qwen.core.models import ModelList
from handy_qwen.core.types import Method
from handy_qwen.core.view import Choices, Commands, Notice, Phase, View, Window
from handy_qwen.ui import strings
from handy_qwen.ui.icons import tray_icon
from handy_qwen.ui.overlay import has_overlay
from handy_qwen.ui.style import is_dark
from handy_qwen.ui.windows import model_words

_MESSAGE_MS = 8000
Entry = tuple[str, str]
"""What is chosen, and its title."""


class Tray:
    """Icon, tooltip and menu. Made and used on Qt's thread."""

    def __init__(self, ask: Callable[[Request], None], commands: Commands) -> None:
        self._icons: dict[Phase, QIcon] = {}
        self._view = View()
        self._shown_number = 0  # of the last notice shown as a message of the desktop
        self.menu = TrayMenu(ask, commands)
        self._icon = QSystemTrayIcon()
        self._icon.setContextMenu(self.menu)
        self._icon.activated.connect(self._on_activated)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._draw_icons)
        self._draw_icons()

    def show_view(self, view: View) -> None:
        """Show ``view``."""
        self._view = view
        self._icon.setIcon(self._icons[view.phase])
        self._icon.setToolTip(tooltip(view))
        self.menu.show_view(view)
        if not self._icon.isVisible():
            self._icon.show()
        self._show_problem(view)

    def close(self) -> None:
        """Take the icon away."""
        QGuiApplication.styleHints().colorSchemeChanged.disconnect(self._draw_icons)
        self._icon.hide()
        self.menu.deleteLater()

    def _show_problem(self, view: View) -> None:
        """Have the desktop show, once, what lasts and has no overlay to be seen in."""
        notice = lasting_notice(view)
        is_new = notice is not None and notice.number > self._shown_number
        if notice and is_new and not has_overlay(view) and QSystemTrayIcon.supportsMessages():
            self._icon.showMessage(notice.title, notice.hint, self._icons[Phase.PROBLEM], _MESSAGE_MS)
        self._shown_number = max([self._shown_number, *(notice.number for notice in view.notices)])

    def _draw_icons(self) -> None:
        self._icons = {phase: tray_icon(phase, is_dark=is_dark()) for phase in Phase}
        self._icon.setIcon(self._icons[self._view.phase])

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        """A left click opens the menu as a right one does."""
        if reason is QSystemTrayIcon.ActivationReason.Trigger:
            self.menu.popup(QCursor.pos())


def lasting_notice(view: View) -> Notice | None:
    """The newest of the notices that stay until their cause is gone."""
    return next((notice for notice in reversed(view.notices) if notice.is_lasting), None)


def tooltip(view: View) -> str:
    """What the icon says: the state, and the problem or how to dictate."""
    lines = [f"{strings.APP_TITLE} — {strings.PHASES[view.phase]}"]
    if view.choices.is_private:
        lines.append(strings.HISTORY_PAUSED)
    if notice := lasting_notice(view):
        lines += [notice.title, notice.hint]
    elif view.phase is Phase.IDLE:
        lines.append(strings.how_to_dictate(view.choices))
    return "\n".join(filter(None, lines))


class TrayMenu(QMenu):
    """Built once; a new view changes its entries, also while it is open. Made and used on Qt's thread."""

    def __init__(self, ask: Callable[[Request], None], commands: Commands) -> None:
        super().__init__()
        self._ask, self._commands = ask, commands
        self._recent_shown: tuple[str, ...] | None = None
        self._problem = self._add_line("")
        self._problem.setVisible(False)
        self._get_model = self._add_window(strings.GET_MODEL, Window.MODELS)
        self._record = self._add_request(strings.START, Request.TOGGLE)
        self._cancel = self._add_request(strings.CANCEL, Request.CANCEL)
        self.addSeparator()
        self._copy = self._add_request(strings.COPY_LAST, Request.COPY_LAST)
        self._paste = self._add_request(strings.PASTE_AGAIN, Request.PASTE_AGAIN)
        self._drop = self._add_request(strings.DROP_HELD, Request.DROP_HELD)
        self._recent = self.addMenu(strings.RECENT)
        self.addSeparator()
        self._retry = self._add_request(strings.RETRY, Request.RETRY)
        self._bring_back = self._add_request(strings.BRING_BACK, Request.BRING_BACK)
        self._private = self._add_switch(strings.PAUSE_HISTORY, lambda is_on: commands.change(private=is_on))
        self._add_window(strings.HISTORY_WINDOW, Window.HISTORY)
        self.addSeparator()
        self._models = ChoiceMenu(self, strings.MODEL, lambda name: commands.change(model=name))
        self._languages = ChoiceMenu(self, strings.LANGUAGE, lambda name: commands.change(language=name))
        self._microphones = ChoiceMenu(self, strings.MICROPHONE, commands.use_microphone)
        self._methods = ChoiceMenu(self, strings.METHOD, self._use_method)
        self.addSeparator()
        self._models_window = self._add_window(strings.MODELS_WINDOW, Window.MODELS)
        self._add_window(strings.SETUP_WINDOW, Window.SETUP)
        self._add_window(strings.SETTINGS_WINDOW, Window.SETTINGS)
        self._add_window(strings.HELP, Window.HELP)
        self._autostart = self._add_switch(strings.AUTOSTART, commands.use_autostart)
        self._version = self._add_line(strings.VERSION)
        self._add_entry(strings.QUIT, commands.quit)
        self.aboutToShow.connect(commands.refresh_choices)

    def entries(self) -> list[QAction]:
        """All that can be chosen, and the separators between."""
        return [action for action in self.actions() if action not in {self._problem, self._version}]

    def is_for_other_window(self, action: QAction) -> bool:
        """Whether ``action`` ends with a text in the window that has the focus then."""
        return action in {self._record, self._paste, self._retry, self._bring_back}

    def show_view(self, view: View) -> None:
        """Make the entries say what ``view`` says."""
        notice = lasting_notice(view)
        self._problem.setVisible(notice is not None)
        if notice is not None:
            self._problem.setText(strings.elided(f"{notice.title} {notice.hint}", 90))
        self._get_model.setVisible(view.choices.is_demo_only)
        self._record.setText(strings.STOP if view.phase is Phase.RECORDING else strings.START)
        self._cancel.setEnabled(view.phase is Phase.RECORDING or view.waiting > 0)
        self._copy.setEnabled(bool(view.recent or view.held))
        self._paste.setEnabled(bool(view.recent or view.held))
        self._paste.setText(strings.PASTE_HELD if view.held else strings.PASTE_AGAIN)
        self._drop.setVisible(bool(view.held))
        self._retry.setEnabled(view.can_retry)
        self._bring_back.setEnabled(view.can_bring_back)
        self._private.setChecked(view.choices.is_private)
        self._autostart.setChecked(view.choices.is_autostarted)
        self._show_recent(view.recent)
        self._show_choices(view.choices)

    def show_models(self, models: ModelList) -> None:
        """Say how far an installation is."""
        model, state = model_words.installation(models)
        working = strings.MODELS_WORKING.format(model=strings.literal(model), state=state)
        self._models_window.setText(working if model else strings.MODELS_WINDOW)

    def _add_entry(self, title: str, do: Callable[[], None]) -> QAction:
        action = self.addAction(title)
        action.triggered.connect(lambda _checked: do())
        return action

    def _add_request(self, title: str, what: Request) -> QAction:
        return self._add_entry(title, lambda: self._ask(what))

    def _add_window(self, title: str, window: Window) -> QAction:
        return self._add_entry(title, lambda: self._commands.open_window(window))

    def _add_switch(self, title: str, switch: Callable[[bool], None]) -> QAction:
        action = self.addAction(title)
        action.setCheckable(True)
        action.triggered.connect(switch)
        return action

    def _add_line(self, text: str) -> QAction:
        action = self.addAction(text)
        action.setEnabled(False)
        return action

    def _use_method(self, name: str) -> None:
        self._commands.change(method=Method(name) if name else None)

    def _show_recent(self, texts: tuple[str, ...]) -> None:
        if texts == self._recent_shown:
            return
        self._recent_shown = texts
        self._recent.clear()
        for text in texts:
            action = self._recent.addAction(strings.elided(text))
            action.triggered.connect(lambda _checked, text=text: self._commands.copy_text(text))
        if not texts:
            self._recent.addAction(strings.NO_RECENT).setEnabled(False)

    def _show_choices(self, choices: Choices) -> None:
        models = [(model.name, strings.literal(model.title)) for model in choices.models]
        if models:
            models.insert(0, ("", strings.AUTOMATIC_IS.format(what=models[0][1])))
        model = "" if choices.is_model_automatic else choices.model
        self._models.show_entries(models, model, empty=strings.NO_MODELS)
        top = dict.fromkeys(name for name in (*choices.recent_languages, choices.language) if name)
        self._languages.show_entries(
            [("", strings.AUTOMATIC), *((name, strings.language_title(name)) for name in top)],
            choices.language,
            more=[(name, strings.language_title(name)) for name in choices.languages],
        )
        self._microphones.show_entries(strings.microphones(choices), choices.microphone)
        automatic = strings.without_letter(strings.METHODS[choices.automatic_method])
        methods = [("", strings.AUTOMATIC_IS.format(what=automatic))]
        methods += [(method.value, title) for method, title in strings.METHODS.items()]
        self._methods.show_entries(methods, "" if choices.is_method_automatic else choices.method.value)


class ChoiceMenu(QMenu):
    """A submenu of which one entry is chosen; further ones may be in a submenu of their own."""

    chosen_changed = Signal()

    def __init__(self, parent: QMenu, title: str, choose: Callable[[str], None]) -> None:
        super().__init__(title, parent)
        parent.addMenu(self)
        self.chosen_title = ""
        self._choose = choose
        self._group = QActionGroup(self)
        self._actions: list[tuple[str, QAction]] = []
        self._shown: object = None

    def show_entries(
        self, entries: Sequence[Entry], chosen: str, *, more: Sequence[Entry] = (), empty: str = ""
    ) -> None:
        """Offer ``entries`` and ``more``, or say ``empty`` if there are none."""
        if (entries, more) != self._shown:
            self._shown = (entries, more)
            self._build(entries, more, empty)
        for name, action in self._actions:
            action.setChecked(name == chosen)
        title = next((action.text() for name, action in self._actions if name == chosen), empty)
        if title != self.chosen_title:
            self.chosen_title = title
            self.chosen_changed.emit()

    def _build(self, entries: Sequence[Entry], more: Sequence[Entry], empty: str) -> None:
        self.clear()
        self._group = QActionGroup(self)
        self._actions = [(name, self._add(self, name, title)) for name, title in entries]
        if more:
            self.addSeparator()
            submenu = self.addMenu(strings.ALL_LANGUAGES)
            twins = QActionGroup(submenu)  # a language may be in both menus and is checked in both
            for name, title in more:
                action = self._add(submenu, name, title)
                twins.addAction(action)
                self._actions.append((name, action))
        if not entries:
            self.addAction(empty).setEnabled(False)

    def _add(self, menu: QMenu, name: str, title: str) -> QAction:
        action = menu.addAction(title)
        action.setCheckable(True)
        self._group.addAction(action)
        action.triggered.connect(lambda _checked: self._choose(name))
        return action
