"""The icon in the tray.

A desktop may have no tray, get one later, or lose it for a while: Qt shows the icon as soon as there is one.
Without one the overlay and the command line serve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup, QCursor, QGuiApplication, QIcon
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from handy_qwen.core.events import Request
from handy_qwen.core.models import ModelList
from handy_qwen.core.types import Method
from handy_qwen.core.view import Choices, Commands, Phase, View, Window
from handy_qwen.ui import strings
from handy_qwen.ui.icons import tray_icon
from handy_qwen.ui.overlay import has_overlay
from handy_qwen.ui.style import is_dark
from handy_qwen.ui.windows.model_words import installation_line

_MESSAGE_MS = 8000


class Tray:
    """Icon, tooltip and menu. Lives on Qt's thread."""

    def __init__(self, ask: Callable[[Request], None], commands: Commands) -> None:
        self._icons: dict[Phase, QIcon] = {}
        self._view = View()
        self._told = 0  # number of the last notice shown as a message of the desktop
        self.menu = TrayMenu(ask, commands)
        self._icon = QSystemTrayIcon()
        self._icon.setContextMenu(self.menu)
        self._icon.activated.connect(self._on_activated)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_scheme_changed)
        self._draw_icons()

    def show(self, view: View) -> None:
        """Show ``view``."""
        self._view = view
        self._icon.setIcon(self._icons[view.phase])
        self._icon.setToolTip(_tooltip(view))
        self.menu.show_view(view)
        if not self._icon.isVisible():
            self._icon.show()
        self._tell_problem(view)

    def show_shelf(self, shelf: ModelList) -> None:
        """Tell in the menu how far an installation is."""
        self.menu.show_shelf(shelf)

    def close(self) -> None:
        """Take the icon away."""
        QGuiApplication.styleHints().colorSchemeChanged.disconnect(self._on_scheme_changed)
        self._icon.hide()
        self.menu.deleteLater()

    def _tell_problem(self, view: View) -> None:
        """What lasts and has no overlay to be seen in is told by the desktop, once."""
        lasting = [notice for notice in view.notices if notice.is_lasting and notice.number > self._told]
        if lasting and not has_overlay(view) and QSystemTrayIcon.supportsMessages():
            notice = lasting[-1]
            self._icon.showMessage(notice.title, notice.hint, self._icons[Phase.PROBLEM], _MESSAGE_MS)
        self._told = max([self._told, *(notice.number for notice in view.notices)])

    def _draw_icons(self) -> None:
        self._icons = {phase: tray_icon(phase, is_dark=is_dark()) for phase in Phase}

    def _on_scheme_changed(self) -> None:
        self._draw_icons()
        self._icon.setIcon(self._icons[self._view.phase])

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        """A left click opens the menu as a right one does."""
        if reason is QSystemTrayIcon.ActivationReason.Trigger:
            self.menu.popup_at_cursor()


def _tooltip(view: View) -> str:
    lines = [f"{strings.APP_TITLE} — {strings.PHASES[view.phase]}"]
    lasting = [notice for notice in view.notices if notice.is_lasting]
    if view.choices.is_private:
        lines.append(strings.HISTORY_PAUSED)
    if lasting:
        lines += [lasting[-1].title, lasting[-1].hint]
    elif view.phase is Phase.IDLE:
        lines.append(strings.how_to_dictate(view.choices))
    return "\n".join(filter(None, lines))


Entry = tuple[str, str]
"""What is chosen, and how it is called."""


class TrayMenu(QMenu):
    """All that can be asked for with the mouse, or with the keyboard once the menu is open."""

    def __init__(self, ask: Callable[[Request], None], commands: Commands) -> None:
        super().__init__()
        self._ask = ask
        self._commands = commands
        self._recent_shown: tuple[str, ...] | None = None
        self._problem = self._entry("", lambda: None)
        self._problem.setEnabled(False)
        self._problem.setVisible(False)
        self._get_model = self._entry(strings.GET_MODEL, lambda: commands.open_window(Window.MODELS))
        self._get_model.setVisible(False)
        self._record = self._entry(strings.START, lambda: ask(Request.TOGGLE))
        self._cancel = self._entry(strings.CANCEL, lambda: ask(Request.CANCEL))
        self.addSeparator()
        self._copy = self._entry(strings.COPY_LAST, lambda: ask(Request.COPY_LAST))
        self._paste = self._entry(strings.PASTE_AGAIN, lambda: ask(Request.PASTE_AGAIN))
        self._drop = self._entry(strings.DROP_HELD, lambda: ask(Request.DROP_HELD))
        self._recent = self.addMenu(strings.RECENT)
        self.addSeparator()
        self._retry = self._entry(strings.RETRY, lambda: ask(Request.RETRY))
        self._bring_back = self._entry(strings.BRING_BACK, lambda: ask(Request.BRING_BACK))
        self._private = self.addAction(strings.PAUSE_HISTORY)
        self._private.setCheckable(True)
        self._private.triggered.connect(self._on_private)
        self._entry(strings.HISTORY_WINDOW, lambda: commands.open_window(Window.HISTORY))
        self.addSeparator()
        self._models = ChoiceMenu(self, strings.MODEL, commands.use_model)
        self._languages = ChoiceMenu(self, strings.LANGUAGE, commands.use_language)
        self._microphones = ChoiceMenu(self, strings.MICROPHONE, commands.use_microphone)
        self._methods = ChoiceMenu(
            self, strings.METHOD, lambda name: commands.use_method(Method(name) if name else None)
        )
        self.addSeparator()
        self._shelf = self._entry(strings.MODELS_WINDOW, lambda: commands.open_window(Window.MODELS))
        self._entry(strings.SETUP_WINDOW, lambda: commands.open_window(Window.SETUP))
        self._entry(strings.SETTINGS_FILE, commands.open_settings_file)
        self._entry(strings.HELP, lambda: commands.open_window(Window.HELP))
        self._autostart = self.addAction(strings.AUTOSTART)
        self._autostart.setCheckable(True)
        self._autostart.triggered.connect(commands.use_autostart)
        version = self._entry(strings.VERSION, lambda: None)
        version.setEnabled(False)
        self._remarks = (self._problem, version)
        self._entry(strings.QUIT, commands.quit)
        self.aboutToShow.connect(commands.refresh_choices)

    def entries(self) -> list[QAction]:
        """All that can be chosen, and the separators between."""
        return [action for action in self.actions() if action not in self._remarks]

    def is_for_other_window(self, action: QAction) -> bool:
        """Whether ``action`` ends with a text in the window that has the focus then."""
        return action in {self._record, self._paste, self._retry, self._bring_back}

    def show_view(self, view: View) -> None:
        """Make the entries say what ``view`` says."""
        lasting = [notice for notice in view.notices if notice.is_lasting]
        self._problem.setVisible(bool(lasting))
        if lasting:
            self._problem.setText(strings.elided(f"{lasting[-1].title} {lasting[-1].hint}", 90))
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

    def show_shelf(self, shelf: ModelList) -> None:
        """Say how far an installation is."""
        self._shelf.setText(installation_line(shelf) or strings.MODELS_WINDOW)

    def popup_at_cursor(self) -> None:
        """Open where the mouse is."""
        self.popup(QCursor.pos())

    def _entry(self, title: str, do: Callable[[], None]) -> QAction:
        action = self.addAction(title)
        action.triggered.connect(lambda _checked: do())
        return action

    def _on_private(self, is_checked: bool) -> None:
        self._commands.pause_history(is_checked)

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
        models = [(model.name, model.title.replace("&", "&&")) for model in choices.models]
        if models:
            models.insert(0, ("", _automatic(models[0][1])))
        model = "" if choices.is_model_automatic else choices.model
        self._models.show_entries(models, model, empty=strings.NO_MODELS)
        recent = [name for name in choices.recent_languages if name]
        top = list(dict.fromkeys([*recent, *filter(None, [choices.language])]))
        self._languages.show_entries(
            [("", strings.AUTOMATIC), *((name, strings.language_title(name)) for name in top)],
            choices.language,
            more=[(name, strings.language_title(name)) for name in choices.languages],
        )
        devices = [(name, name.replace("&", "&&")) for name in choices.microphones]
        if choices.microphone and choices.microphone not in choices.microphones:
            missing = strings.NOT_CONNECTED.format(device=choices.microphone.replace("&", "&&"))
            devices.append((choices.microphone, missing))
        self._microphones.show_entries([("", strings.DEFAULT_DEVICE), *devices], choices.microphone)
        automatic = _automatic(strings.without_letter(strings.METHODS[choices.automatic_method]))
        methods = [("", automatic), *((method.value, title) for method, title in strings.METHODS.items())]
        self._methods.show_entries(methods, "" if choices.is_method_automatic else choices.method.value)


def _automatic(what: str) -> str:
    """The entry that goes back to the default, which is ``what`` at the moment."""
    return strings.AUTOMATIC_IS.format(what=what)


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
            twins = QActionGroup(submenu)  # one may stand in both places and is checked in both
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
