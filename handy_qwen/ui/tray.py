"""The tray icon and its menu.

A desktop may have no tray, get one later, or lose it for a while. Qt chooses the kind of tray when it creates
the icon: created before the panel, on XWayland, it waits for an X tray and never appears in the one that
comes. So it is recreated when the list of tray icons appears on the bus. Without a tray the main window
offers the menu's entries as buttons (``windows/main.py``), including any added here.

"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QAction, QActionGroup, QCursor, QGuiApplication, QIcon
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from handy_qwen.core.events import REQUESTS, Request
from handy_qwen.core.models import ModelList
from handy_qwen.core.view import Choices, Commands, Notice, Phase, Remedy, View, Window
from handy_qwen.ui import strings
from handy_qwen.ui.icons import tray_icon
from handy_qwen.ui.overlay import has_overlay
from handy_qwen.ui.style import is_dark
from handy_qwen.ui.windows import model_words

if TYPE_CHECKING:
    from PySide6.QtDBus import QDBusConnection, QDBusPendingCallWatcher

logger = logging.getLogger(__name__)

_MESSAGE_MS = 8000
_WINDOWS_TITLE_UNITS = 63  # of a message there: more is cut off (NOTIFYICONDATAW, szInfoTitle)
_PANEL_MS = 1000
_TRAY_LIST = "org.kde.StatusNotifierWatcher"
_MESSAGES = "org.freedesktop.Notifications"
_MESSAGES_PATH = "/org/freedesktop/Notifications"
_LINE_CHARACTERS = 90  # of the first line of the menu
_WINDOWS = {
    Remedy.MODELS: Window.MODELS,
    Remedy.SETTINGS: Window.SETTINGS,
    Remedy.HISTORY: Window.HISTORY,
    Remedy.FILES: Window.FILES,
}
Entry = tuple[str, str]
"""What is chosen, and its title."""


class Tray:
    """Icon, tooltip and menu. Made and used on Qt's thread."""

    def __init__(self, ask: Callable[[Request], None], commands: Commands) -> None:
        self._icons: dict[Phase, QIcon] = {}
        self._view = View()
        self._shown_number = 0  # of the last notice shown as a desktop message
        self._remedy: Remedy | None = None  # the action of a click on that
        self._asked: QDBusPendingCallWatcher | None = None  # whether the desktop shows messages
        self.menu = TrayMenu(ask, commands)
        self._icon = self._made_icon()
        self._watcher = self._watch_for_panel()
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
        """Remove the icon."""
        QGuiApplication.styleHints().colorSchemeChanged.disconnect(self._draw_icons)
        if self._watcher is not None:
            self._watcher.deleteLater()
            self._watcher = None
        self._asked = None  # no more messages
        self._icon.hide()
        self.menu.deleteLater()

    def _made_icon(self) -> QSystemTrayIcon:
        icon = QSystemTrayIcon()
        icon.setContextMenu(self.menu)
        icon.activated.connect(self._on_activated)
        icon.messageClicked.connect(self._on_message_clicked)
        return icon

    def _watch_for_panel(self) -> QObject | None:
        """Recreate the icon when a panel appears; None if there is one already, or none can appear."""
        bus = session_bus()
        if bus is None or QSystemTrayIcon.isSystemTrayAvailable():
            return None
        from PySide6.QtDBus import QDBusServiceWatcher

        watcher = QDBusServiceWatcher(_TRAY_LIST, bus, QDBusServiceWatcher.WatchModeFlag.WatchForRegistration)
        watcher.serviceRegistered.connect(lambda _name: QTimer.singleShot(_PANEL_MS, self._on_panel))
        return watcher

    def _on_panel(self) -> None:
        """The panel has registered by now, which Qt checks."""
        if self._watcher is None or not QSystemTrayIcon.isSystemTrayAvailable():
            return
        self._watcher.deleteLater()
        self._watcher = None  # Qt itself notices later ones
        self._icon.hide()
        self._icon.deleteLater()
        self._icon = self._made_icon()
        self.show_view(self._view)

    def _show_problem(self, view: View) -> None:
        """Show a lasting problem as a desktop message, once, if there is no overlay."""
        notice = lasting_notice(view)
        is_new = notice is not None and notice.number > self._shown_number
        if notice and is_new and not has_overlay(view) and QSystemTrayIcon.supportsMessages():
            self._tell(notice)
        self._shown_number = max([self._shown_number, *(notice.number for notice in view.notices)])

    def _tell(self, notice: Notice) -> None:
        """Show ``notice`` as a desktop message if the desktop supports that.

        Qt would block for up to 25 s on a desktop that never starts the message service, or while it is
        starting. So support is queried first, asynchronously.
        """
        bus = session_bus()
        if bus is None:
            self._show_message(notice)
            return
        from PySide6.QtDBus import QDBusMessage, QDBusPendingCallWatcher

        question = QDBusMessage.createMethodCall(_MESSAGES, _MESSAGES_PATH, _MESSAGES, "GetServerInformation")
        asked = self._asked = QDBusPendingCallWatcher(bus.asyncCall(question))
        asked.finished.connect(lambda *_: self._on_asked(asked, notice))

    def _on_asked(self, asked: QDBusPendingCallWatcher, notice: Notice) -> None:
        if asked is not self._asked:
            return  # a later notice applies, or none does
        self._asked = None
        asked.deleteLater()
        if asked.isError() and not asked.error().name().endswith(".ServiceUnknown"):
            logger.info("the desktop shows no messages: %s", asked.error().name())
        elif notice == lasting_notice(self._view):
            self._show_message(notice)  # without a service Qt shows it itself, beside an icon of X's tray

    def _show_message(self, notice: Notice) -> None:
        title, text = str(notice.title), str(notice.hint)
        if sys.platform == "win32" and len(title.encode("utf-16-le")) > 2 * _WINDOWS_TITLE_UNITS:
            title, text = strings.APP_TITLE, f"{title}\n{text}".strip()
        self._icon.showMessage(title, text, self._icons[Phase.PROBLEM], _MESSAGE_MS)
        self._remedy = notice.remedy

    def _draw_icons(self) -> None:
        self._icons = {phase: tray_icon(phase, is_dark=is_dark()) for phase in Phase}
        self._icon.setIcon(self._icons[self._view.phase])

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        """A left click opens the menu, too."""
        if reason is QSystemTrayIcon.ActivationReason.Trigger:
            self.menu.popup(QCursor.pos())

    def _on_message_clicked(self) -> None:
        if self._view.can(self._remedy):
            self.menu.carry_out(self._remedy)


def session_bus() -> QDBusConnection | None:
    """The session bus of a Linux desktop; None: there is none."""
    if not sys.platform.startswith("linux"):
        return None
    from PySide6.QtDBus import QDBusConnection  # on Linux only

    bus = QDBusConnection.sessionBus()
    return bus if bus.isConnected() else None


def lasting_notice(view: View) -> Notice | None:
    """The newest lasting notice."""
    return next((notice for notice in reversed(view.notices) if notice.is_lasting), None)


def state_line(view: View) -> str:
    """The state, and how to dictate."""
    state = strings.PHASES[view.phase]
    how = strings.how_to_dictate(view.choices) if view.phase is Phase.IDLE else ""
    return strings.STATE_AND_KEY.format(state=state, how=how) if how else state


def tooltip(view: View) -> str:
    """The tooltip: the state, and the problem or how to dictate."""
    lines = [f"{strings.APP_TITLE} — {strings.PHASES[view.phase]}"]
    if view.choices.is_private:
        lines.append(strings.HISTORY_PAUSED)
    if notice := lasting_notice(view):
        lines += [notice.title, notice.hint]
    elif view.phase is Phase.IDLE:
        lines.append(strings.how_to_dictate(view.choices))
    return "\n".join(filter(None, lines))


class TrayMenu(QMenu):
    """Created once; a new view updates its entries, even while it is open. On Qt's thread."""

    def __init__(self, ask: Callable[[Request], None], commands: Commands) -> None:
        super().__init__()
        self._ask, self._commands = ask, commands
        self._view = View()
        self._recent_shown: tuple[str, ...] | None = None
        self._state = self._add_entry("", self.fix_problem)
        self._get_model = self._add_window(strings.GET_MODEL, Window.MODELS)
        self.addSeparator()
        self._record = self._add_request(strings.START, Request.TOGGLE)
        self._cancel = self._add_request(strings.CANCEL, Request.CANCEL)
        self._paste = self._add_request(strings.PASTE_AGAIN, Request.PASTE_AGAIN)
        self._copy = self._add_request(strings.COPY_HELD, Request.COPY_LAST)
        self._drop = self._add_request(strings.DROP_HELD, Request.DROP_HELD)
        self._bring_back = self._add_request(strings.BRING_BACK, Request.BRING_BACK)
        self._recent = self.addMenu(strings.RECENT)
        self._retry = self._made(strings.RETRY, lambda: ask(Request.RETRY))
        self._correct = self._made(strings.CORRECT, lambda: commands.open_window(Window.CORRECT))
        self.addSeparator()
        self._manage_models = self._made(strings.MODELS_WINDOW, lambda: commands.open_window(Window.MODELS))
        self._models = ChoiceMenu(
            self, strings.MODEL, lambda name: commands.change(model=name), last=self._manage_models
        )
        self._languages = ChoiceMenu(self, strings.LANGUAGE, lambda name: commands.change(language=name))
        self._microphones = ChoiceMenu(self, strings.MICROPHONE, commands.use_microphone)
        self.addSeparator()
        self._add_window(strings.HISTORY_WINDOW, Window.HISTORY)
        self._add_window(strings.FILES_WINDOW, Window.FILES)
        self._add_window(strings.SETTINGS_WINDOW, Window.SETTINGS)
        self._private = self.addAction(strings.PAUSE_HISTORY)
        self._private.setCheckable(True)
        self._private.triggered.connect(lambda is_on: commands.change(private=is_on))
        self.addSeparator()
        self._help = self.addMenu(strings.HELP)
        self._help.addAction(strings.HELP_WINDOW, lambda: commands.open_window(Window.HELP))
        self._help.addAction(strings.SETUP_WINDOW, lambda: commands.open_window(Window.SETUP))
        self._help.addAction(strings.VERSION).setEnabled(False)
        self._add_entry(strings.QUIT, commands.quit)
        self.aboutToShow.connect(commands.refresh_choices)
        self.aboutToShow.connect(self._underline_apart)

    def _underline_apart(self) -> None:
        shown = [action for action in self.actions() if action.isVisible() and action.text()]
        for action, apart in zip(shown, strings.unlike(action.text() for action in shown), strict=True):
            action.setText(apart)

    def entries(self) -> list[QAction]:
        """All entries and separators, except the state, which the window shows itself."""
        entries = [action for action in self.actions() if action is not self._state]
        place = entries.index(self._recent.menuAction()) + 1
        entries[place:place] = [self._correct, self._retry]
        return entries

    def is_for_other_window(self, action: QAction) -> bool:
        """Whether ``action`` inserts a text into the focused window."""
        return action in {self._record, self._paste, self._retry, self._bring_back}

    def carry_out(self, remedy: Remedy | None) -> None:
        """Do what a click on a notice with ``remedy`` does."""
        if remedy in _WINDOWS:
            self._commands.open_window(_WINDOWS[remedy])
        elif remedy in REQUESTS:
            self._ask(REQUESTS[remedy])

    def fix_problem(self) -> None:
        """Do the remedy of the lasting problem; without one, show details of the state."""
        notice = lasting_notice(self._view)
        if notice is not None and self._view.can(notice.remedy):
            self.carry_out(notice.remedy)
        else:
            self._commands.open_window(Window.MAIN)

    def show_view(self, view: View) -> None:
        """Update the entries."""
        self._view = view
        notice = lasting_notice(view)
        line = f"{notice.title} {notice.hint}" if notice else state_line(view)
        self._state.setText(strings.elided(line, _LINE_CHARACTERS))
        self._get_model.setVisible(view.choices.is_demo_only)
        self._record.setText(strings.STOP if view.phase is Phase.RECORDING else strings.START)
        self._cancel.setVisible(view.phase is Phase.RECORDING or view.waiting > 0)
        self._paste.setEnabled(bool(view.recent or view.held))
        self._paste.setText(strings.PASTE_HELD if view.held else strings.PASTE_AGAIN)
        self._copy.setVisible(bool(view.held))
        self._drop.setVisible(bool(view.held))
        self._bring_back.setVisible(view.can_bring_back)
        self._retry.setEnabled(view.can_retry)
        self._correct.setEnabled(bool(view.recent))
        self._private.setChecked(view.choices.is_private)
        self._show_recent(view.recent)
        self._show_choices(view.choices)

    def show_models(self, models: ModelList) -> None:
        """Show the progress of an installation."""
        model, state = model_words.installation(models)
        working = strings.MODELS_WORKING.format(model=strings.literal(model), state=state)
        self._manage_models.setText(working if model else strings.MODELS_WINDOW)

    def _add_entry(self, title: str, do: Callable[[], None]) -> QAction:
        action = self.addAction(title)
        action.triggered.connect(lambda _checked: do())
        return action

    def _add_request(self, title: str, what: Request) -> QAction:
        return self._add_entry(title, lambda: self._ask(what))

    def _add_window(self, title: str, window: Window) -> QAction:
        return self._add_entry(title, lambda: self._commands.open_window(window))

    def _made(self, title: str, do: Callable[[], None]) -> QAction:
        """An entry for a submenu; it outlives rebuilding the submenu."""
        action = QAction(title, self)
        action.triggered.connect(lambda _checked: do())
        return action

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
        self._recent.addSeparator()
        self._recent.addActions([self._correct, self._retry])

    def _show_choices(self, choices: Choices) -> None:
        models = [(model.name, strings.literal(model.title)) for model in choices.models]
        if models:
            models.insert(0, ("", strings.AUTOMATIC_IS.format(what=models[0][1])))
        model = "" if choices.is_model_automatic else choices.model
        self._models.show_entries(models, model, empty=strings.NO_MODELS)
        detected = choices.detected_languages
        names = (*detected, *choices.recent_languages, choices.language)
        top = dict.fromkeys(name for name in names if name)
        automatic = strings.AUTOMATIC_IS.format(what=strings.languages(detected))
        self._languages.show_entries(
            [
                ("", automatic if detected else strings.AUTOMATIC),
                *((name, strings.language_title(name)) for name in top),
            ],
            choices.language,
            more=[(name, strings.language_title(name)) for name in choices.languages],
        )
        self._microphones.show_entries(strings.microphones(choices), choices.microphone)


class ChoiceMenu(QMenu):
    """A submenu with one chosen entry; further ones may be in a nested submenu.

    ``last`` is a final entry that chooses nothing.
    """

    chosen_changed = Signal()

    def __init__(
        self, parent: QMenu, title: str, choose: Callable[[str], None], *, last: QAction | None = None
    ) -> None:
        super().__init__(title, parent)
        parent.addMenu(self)
        self._last = last
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
        if self._last is not None:
            self.addSeparator()
            self.addAction(self._last)

    def _add(self, menu: QMenu, name: str, title: str) -> QAction:
        action = menu.addAction(title)
        action.setCheckable(True)
        self._group.addAction(action)
        action.triggered.connect(lambda _checked: self._choose(name))
        return action
