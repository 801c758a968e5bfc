"""The settings window: pages at the left, rows at the right, and a test area at the bottom.

Changes are applied at once. Changes and problems of the file are shown at once, and can be fixed here.

"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QHideEvent, QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QStackedWidget,
    QWidget,
)

from handy_qwen.core.models import ModelList
from handy_qwen.core.upkeep import Upkeep
from handy_qwen.core.view import Commands, Phase, View
from handy_qwen.core.vocabulary import VocabularyPage as Vocabulary
from handy_qwen.settings import OPTIONS, SettingsProblem, SettingsView
from handy_qwen.settings.forms import Page, sentence
from handy_qwen.ui import strings
from handy_qwen.ui.icons import tinted_icon
from handy_qwen.ui.layouts import SMALL_GAP_PX, FlowLayout, boxed, column, row
from handy_qwen.ui.settings.about import AboutPage
from handy_qwen.ui.settings.apps import AppsPage
from handy_qwen.ui.settings.general import GeneralPage
from handy_qwen.ui.settings.history import HistoryAndPrivacyPage
from handy_qwen.ui.settings.language import LanguagePage
from handy_qwen.ui.settings.microphone import MicrophonePage
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.shortcut import ShortcutPage
from handy_qwen.ui.settings.text import TextPage
from handy_qwen.ui.settings.vocabulary import VocabularyPage
from handy_qwen.ui.style import selected_ink
from handy_qwen.ui.translation import ntr, tr, translated
from handy_qwen.ui.widgets import Button, Card, Message, MeterBar, SecondaryText
from handy_qwen.ui.window import AppWindow

_SIZE_PX = QSize(760, 560)
_SHOWN_PROBLEMS = 3
_LIST_SHARE = 0.3  # of the window's width
_ICON_SCALE = 1.2  # relative to the height of the letters
_ICONS = {which: f"page-{which}" for which in Page} | {Page.MICROPHONE: "mark-microphone"}
_METER_PX, _LEAST_TRY_PX = 120, 260
_PAGES: dict[Page, Callable[[Tools], SettingsPage]] = {  # created when first shown
    Page.GENERAL: GeneralPage,
    Page.SHORTCUT: ShortcutPage,
    Page.MICROPHONE: MicrophonePage,
    Page.LANGUAGE: LanguagePage,
    Page.TEXT: TextPage,
    Page.VOCABULARY: VocabularyPage,
    Page.APPS: AppsPage,
    Page.HISTORY: HistoryAndPrivacyPage,
}
_TITLES = {
    Page.GENERAL: tr("General"),
    Page.SHORTCUT: tr("Shortcut"),
    Page.MICROPHONE: tr("Microphone"),
    Page.LANGUAGE: tr("Language and model"),
    Page.TEXT: tr("Text"),
    Page.VOCABULARY: tr("Vocabulary"),
    Page.APPS: tr("Apps"),
    Page.HISTORY: tr("History and privacy"),
    Page.ABOUT: tr("Help and about"),
}
_TRY_HERE = tr("Try it here")


class SettingsWindow(AppWindow):
    """Shows the latest settings, view and models. Created and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__("settings", tr("Settings"), _SIZE_PX)
        self._tools = tools
        self._settings, self._view = SettingsView(), View()
        self._models, self._upkeep = ModelList(), Upkeep()
        self._pages: dict[Page, SettingsPage] = {}
        self._entered: SettingsPage | None = None
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search (Ctrl+F)"))
        self.search.setAccessibleName(tr("Search settings"))
        self.search.setClearButtonEnabled(True)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Pages"))
        for which in Page:
            item = QListWidgetItem(_TITLES[which])
            item.setToolTip(_TITLES[which])  # if there is no room for it
            item.setData(Qt.ItemDataRole.UserRole, which)
            self.list.addItem(item)
        self._nothing = SecondaryText(tr("No setting matches."))
        self._nothing.hide()
        self._stack = QStackedWidget()
        self.list.setSpacing(2)
        self.list.setIconSize(QSize(1, 1) * round(self.fontMetrics().height() * _ICON_SCALE))
        self._inks = "", ""  # of the icons
        self._draw_icons()
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._left = QWidget()
        column(self.search, (self.list, 1), gap_px=SMALL_GAP_PX, parent=self._left)
        right = QWidget()
        column(self._nothing, (self._stack, 1), gap_px=SMALL_GAP_PX, parent=right)
        self.trouble = _Trouble(tools.commands, self._show_setting)
        self.body.addWidget(boxed(row(self._left, (right, 1))), 1)
        self._add_foot()
        self.list.currentItemChanged.connect(self._on_chosen)
        self.list.itemSelectionChanged.connect(self._on_selected)
        self.search.textChanged.connect(self._on_search)
        self.search.returnPressed.connect(self._go_to_found)
        QShortcut(QKeySequence.StandardKey.Find, self, self._begin_search)
        self.list.setCurrentRow(0)

    @property
    def chosen(self) -> Page:
        """The visible page."""
        item = self.list.currentItem()
        return Page(item.data(Qt.ItemDataRole.UserRole))

    def page(self, which: Page) -> SettingsPage:
        """One of the pages; it is created if necessary."""
        if which not in self._pages:
            page = self._pages[which] = self._made(which)
            self._stack.addWidget(page)
            page.show_settings(self._settings)
            page.show_view(self._view)
            page.show_models(self._models)
            page.show_upkeep(self._upkeep)
            self.order_tabs()
        return self._pages[which]

    def _made(self, which: Page) -> SettingsPage:
        if which is Page.ABOUT:
            return AboutPage(self._tools, self.go)
        return _PAGES[which](self._tools)

    def go(self, which: Page) -> None:
        """Show the page ``which``."""
        self.search.clear()
        self.list.setCurrentRow(list(Page).index(which))

    def alternatives(self) -> list[QWidget]:
        """See ``AppWindow``."""
        return [page for place in range(self._stack.count()) if (page := self._stack.widget(place))]

    def first_focus(self) -> QWidget:
        """The list."""
        return self.list

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt, also when the window is restored."""
        super().showEvent(event)
        self._enter(self.page(self.chosen))

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt, also when the window is minimized."""
        super().hideEvent(event)
        self._enter(None)
        self._meter.run(False)
        if not event.spontaneous():
            self.search.clear()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  the name is Qt's
        """Follow the colors of the desktop. Called by Qt."""
        super().changeEvent(event)
        if event.type() in {QEvent.Type.PaletteChange, QEvent.Type.ThemeChange}:
            self._draw_icons()

    def _draw_icons(self) -> None:
        palette = self.list.palette()
        inks = palette.text().color().name(), selected_ink(palette).name()
        if inks != self._inks:
            self._inks, side_px = inks, self.list.iconSize().width()
            for place, which in enumerate(Page):
                self.list.item(place).setIcon(tinted_icon(_ICONS[which], *inks, side_px))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  the name is Qt's
        """Give the list the width it needs, up to its share. Called by Qt."""
        super().resizeEvent(event)
        wanted = self.list.sizeHintForColumn(0) + round(self.fontMetrics().height() * 1.5)
        self._left.setFixedWidth(min(wanted, round(self.width() * _LIST_SHARE)))

    def show_settings(self, shown: SettingsView) -> None:
        """Show what the settings say."""
        self._settings = shown
        self.trouble.show_settings(shown)
        for page in self._pages.values():
            page.show_settings(shown)

    def show_view(self, view: View) -> None:
        """Show what the program does."""
        self._view = view
        for page in self._pages.values():
            page.show_view(view)
        how = strings.how_to_dictate(view.choices)
        self._state.setText(strings.PHASES[view.phase])
        self._try.setPlaceholderText(tr("Try it here: {how}").format(how=how) if how else _TRY_HERE)
        self._meter.run(view.phase is Phase.RECORDING and self.isVisible())

    def show_models(self, models: ModelList) -> None:
        """Show which models there are."""
        self._models = models
        for page in self._pages.values():
            page.show_models(models)

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Show what is known of the machine and the history as a whole."""
        self._upkeep = upkeep
        for page in self._pages.values():
            page.show_upkeep(upkeep)

    def show_vocabulary(self, page: Vocabulary) -> None:
        """Show the words and replacements."""
        for one in self._pages.values():
            one.show_vocabulary(page)

    def _add_foot(self) -> None:
        """State, level, and a field to try the settings."""
        self._state, self._meter = SecondaryText(is_line=True), MeterBar(self._tools.meter)
        self._try = QLineEdit()
        self._try.setAccessibleName(_TRY_HERE)
        self._try.setClearButtonEnabled(True)
        self._meter.setFixedWidth(_METER_PX)
        self._try.setMinimumWidth(_LEAST_TRY_PX)
        self._try.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for part in (self._state, self._meter, self._try):
            self.buttons.addWidget(part)

    def _show_setting(self, name: str) -> None:
        """Go to the row of the setting ``name``."""
        which = OPTIONS[name].described.page
        if which is not None:
            self.go(which)
            found = next((one for one in self.page(which).rows if one.setting_name == name), None)
            if found is not None and (widget := found.first_focus()) is not None:
                widget.setFocus(Qt.FocusReason.OtherFocusReason)

    # --- pages ---------------------------------------------------------------------------------------

    def _on_chosen(self, item: QListWidgetItem | None) -> None:
        if item is None:
            return
        page = self.page(self.chosen)
        page.filter(self._sought)
        # On the page, so that it scrolls with it: on a small screen there would be no room for the rows.
        page.body.insertWidget(0, self.trouble)
        self._stack.setCurrentWidget(page)
        self.order_tabs()
        if self.isVisible():
            self._enter(page)

    def _on_selected(self) -> None:
        """A screen reader's press selects a page without activating it."""
        for item in self.list.selectedItems():
            self.list.setCurrentItem(item)

    def _enter(self, page: SettingsPage | None) -> None:
        """Make ``page`` the active one; None: the window is closed."""
        if page is self._entered:
            return
        if self._entered is not None:
            self._entered.leave()
        self._entered = page
        if page is not None:
            page.enter()

    # --- search --------------------------------------------------------------------------------------

    @property
    def _sought(self) -> str:
        return self.search.text().strip().casefold()

    def _begin_search(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _on_search(self) -> None:
        """Show only matches of the search, those by label first, and only pages with matches."""
        found, called = [], []
        for place, which in enumerate(Page):
            is_page = bool(self._sought) and self._sought in _TITLES[which].casefold()
            rows = self.page(which).filter("" if is_page else self._sought)
            has_it = bool(rows) or not self._sought
            self.list.item(place).setHidden(not has_it)
            found += [place] * has_it
            called += [place] * (is_page or any(row.is_called(self._sought) for row in rows))
        self._nothing.setVisible(not found)
        self._stack.setVisible(bool(found))
        if found and self.list.currentRow() not in (called or found):
            self.list.setCurrentRow((called or found)[0])

    def _go_to_found(self) -> None:
        page = self.page(self.chosen)
        if self._stack.isVisible() and (widget := page.first_focus()) is not None:
            widget.setFocus(Qt.FocusReason.ShortcutFocusReason)


class _Trouble(Card):
    """Problems of the settings file, and actions against them. Hidden if there are none."""

    def __init__(self, commands: Commands, show_setting: Callable[[str], None]) -> None:
        super().__init__()
        self._show_setting, self._name = show_setting, ""
        self.message = Message()
        self.repair = Button("", commands.repair_settings)
        self.show_it = Button(tr("&Show it"), lambda: show_setting(self._name))
        self.open = Button(tr("Open the &file"), commands.open_settings_file)
        self._stranger = SettingsProblem()  # the first unknown key
        self.correct = Button("", lambda: commands.fix_key(self._stranger.place, is_meant=True))
        self.remove = Button("", lambda: commands.fix_key(self._stranger.place, is_meant=False))
        self.remove.setToolTip(tr("It becomes a comment."))
        self.body.addWidget(self.message)
        buttons = (self.repair, self.show_it, self.correct, self.remove, self.open)
        self.body.addWidget(boxed(FlowLayout(*buttons, gap_px=SMALL_GAP_PX)))
        self.set_accent("problem")
        self.hide()

    def show_settings(self, shown: SettingsView) -> None:
        """Show the current problem."""
        error, name = shown.error, shown.path.name
        self.setVisible(bool(error or shown.problems or shown.refusal))
        named = (one.name for one in shown.problems if one.name and not one.place)
        self._name = next((name for name in named if OPTIONS[name].described.page is not None), "")
        self.show_it.setVisible(bool(self._name) and not error)
        self.repair.setVisible(error is not None and error.line > 0)
        self._show_stranger(shown)
        if error is not None:
            title, hint = (
                tr("{file} {reason}."),
                tr("Until it is fixed, your changes work but are not saved."),
            )
            if error.line:
                title = tr("Line {line} of {file} cannot be read: {reason}.")
                hint = tr(
                    "Until it is fixed, your changes work but are not saved. Resetting turns the line into a "
                    "comment: what you wrote stays in the file."
                )
            self.message.say(
                title.format(file=name, line=strings.whole(error.line), reason=error.text), hint=hint
            )
            option = OPTIONS.get(error.name)
            known = translated(option.described.label) if option else ""
            reset = tr("Re&set “{setting}”").format(setting=known)
            self.repair.setText(reset if known else tr("Re&set this line"))
            self.repair.setToolTip(
                tr("The line becomes a comment, and its setting goes back to the default.")
            )
        elif shown.problems:
            told = "\n".join(sentence(translated(one.told)) for one in shown.problems[:_SHOWN_PROBLEMS])
            count = len(shown.problems)
            title = ntr(
                "{count} line of {file} can't be used as written.",
                "{count} lines of {file} can't be used as written.",
                count,
            )
            self.message.say(title.format(count=strings.whole(count), file=name), hint=told)
        elif shown.refusal is not None:
            self.message.say(translated(shown.refusal.title), hint=translated(shown.refusal.hint))

    def _show_stranger(self, shown: SettingsView) -> None:
        """Offer to fix the first unknown key."""
        strangers = [one for one in shown.problems if one.place and not shown.error]
        one = self._stranger = strangers[0] if strangers else SettingsProblem()
        is_misplaced = one.place[-1:] == (one.meant,)
        right = tr("Move line {line} to its place") if is_misplaced else tr("Rename to “{name}”")
        self.correct.setText(right.format(line=strings.whole(one.line), name=one.meant))
        self.correct.setVisible(bool(one.meant))
        self.remove.setText(tr("Remove line {line}").format(line=strings.whole(one.line)))
        self.remove.setVisible(bool(one.place))
